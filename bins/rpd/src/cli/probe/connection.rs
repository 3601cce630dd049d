//! To the other side, and what it has shown of itself on the way.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use rustls::{
    ClientConfig, SignatureScheme,
    client::{ResolvesClientCert, WebPkiServerVerifier},
    sign::CertifiedKey,
};
use rustls_pki_types::{CertificateDer, ServerName};
use serde::Serialize;
use tokio::{
    net::{TcpSocket, lookup_host},
    time::timeout,
};

use super::{PATIENCE, ProbeError};
use crate::{
    config::{Fingerprint, Target},
    stream::Stream,
    tls::{self, TlsStream, Validity},
};

/// A configuration that wants a certificate of the right name that leads to one of these.
pub(in crate::cli) fn trusting(
    certificates: &[CertificateDer<'static>],
    key: Option<&Arc<CertifiedKey>>,
) -> Result<ClientConfig, ProbeError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let judge =
        WebPkiServerVerifier::builder_with_provider(Arc::new(tls::roots(certificates)), provider).build();
    let judge = judge.map_err(|e| ProbeError(format!("--ca: {e}")))?;
    Ok(tls::client_config_with(judge, key))
}

/// Connects, from `source` if it matters, and speaks TLS with the server name given, if any.
pub(in crate::cli) async fn open(
    address: SocketAddr,
    source: Option<IpAddr>,
    tls: Option<(&Arc<ClientConfig>, &str)>,
) -> Result<Stream, ProbeError> {
    let connecting = async {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if let Some(source) = source {
            socket.bind(SocketAddr::new(source, 0))?;
        }
        let socket = socket.connect(address).await?;
        socket.set_nodelay(true)?;
        let Some((config, name)) = tls else { return Ok(Stream::from(socket)) };
        let name = match ServerName::try_from(name.to_owned()) {
            Ok(name) => name,
            Err(_) => ServerName::from(address.ip()),
        };
        TlsStream::connect(config.clone(), name, socket).await.map(Stream::from)
    };
    match timeout(PATIENCE, connecting).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(ProbeError(format!("{address}: {error}"))),
        Err(_) => Err(ProbeError(format!("{address}: no connection within {PATIENCE:?}"))),
    }
}

pub(super) async fn resolve(address: &str) -> Result<SocketAddr, ProbeError> {
    let resolved = lookup_host(address).await.map_err(|e| ProbeError(format!("{address}: {e}")));
    resolved?.next().ok_or_else(|| ProbeError(format!("{address} has no address")))
}

/// The fingerprint of the certificate that a target shows, whatever it is.
pub(in crate::cli) async fn shown_fingerprint(target: &Target, port: u16) -> Result<Fingerprint, ProbeError> {
    let address = match target {
        Target::Address(address) => SocketAddr::new(*address, port),
        Target::Name(name) => resolve(&format!("{name}:{port}")).await?,
    };
    let config = Arc::new(tls::client_config_with(tls::accept_any(), None));
    let stream = open(address, None, Some((&config, &target.to_string()))).await?;
    match &stream {
        Stream::Tls(tls) => certificate(tls.state()).map(|der| tls::fingerprint(der)),
        Stream::Tcp(_) => None,
    }
    .ok_or_else(|| ProbeError(format!("{address} shows no certificate")))
}

fn certificate(connection: &rustls::CommonState) -> Option<&CertificateDer<'static>> {
    connection.peer_certificates().and_then(<[_]>::first)
}

/// What the other side has shown in the handshake.
#[derive(Clone, Debug, Serialize)]
pub(in crate::cli) struct Shown {
    pub(in crate::cli) version: &'static str,
    pub(in crate::cli) common_name: Option<String>,
    pub(in crate::cli) names: Vec<String>,
    pub(in crate::cli) ends: Option<String>,
    pub(in crate::cli) days_left: Option<i64>,
    #[serde(serialize_with = "as_text")]
    pub(in crate::cli) fingerprint: Option<Fingerprint>,
    pub(in crate::cli) asks_for_certificate: bool,
}

impl Shown {
    /// What came with this connection, if it is TLS.
    pub(in crate::cli) fn of(stream: &Stream, asks_for_certificate: bool) -> Option<Self> {
        let Stream::Tls(stream) = stream else { return None };
        let connection = stream.state();
        let der = certificate(connection);
        let validity = der.and_then(|der| Validity::of(der));
        Some(Self {
            version: tls::version(connection.protocol_version()),
            common_name: der.and_then(|der| tls::common_name(der)),
            names: der.map(|der| tls::certificate_names(der)).unwrap_or_default(),
            ends: validity.as_ref().map(|validity| validity.until.clone()),
            days_left: validity.map(|validity| validity.days_left),
            fingerprint: der.map(|der| tls::fingerprint(der)),
            asks_for_certificate,
        })
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.common_name.as_ref().map_or("without a name".to_owned(), |name| format!("{name:?}"));
        write!(f, "{name}, for {}", self.names.join(" "))?;
        if let (Some(ends), Some(days)) = (&self.ends, self.days_left) {
            write!(f, ", ends in {days} days, on {ends}")?;
        }
        self.fingerprint.map_or(Ok(()), |fingerprint| write!(f, "\n           {fingerprint}"))
    }
}

fn as_text<S: serde::Serializer>(fingerprint: &Option<Fingerprint>, to: S) -> Result<S::Ok, S::Error> {
    match fingerprint {
        Some(fingerprint) => to.collect_str(fingerprint),
        None => to.serialize_none(),
    }
}

/// Notices whether the other side asks for a certificate of ours, and shows what there is.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    asked: Arc<AtomicBool>,
    shown: Arc<dyn ResolvesClientCert>,
}

impl Asked {
    /// Listens in on `config`.
    pub(super) fn notice(config: &mut ClientConfig) -> Self {
        let this = Self { asked: Arc::default(), shown: config.client_auth_cert_resolver.clone() };
        config.client_auth_cert_resolver = Arc::new(this.clone());
        this
    }

    pub(super) fn yes(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }
}

impl ResolvesClientCert for Asked {
    fn resolve(&self, issuers: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        self.shown.resolve(issuers, schemes)
    }

    /// rustls asks nobody who has nothing; we want to be asked.
    fn has_certs(&self) -> bool {
        true
    }
}
