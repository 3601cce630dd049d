//! TLS on both sides: what clients see, what is asked of them, and how targets are judged.
//!
//! rustls with aws-lc-rs, TLS 1.2 and 1.3. Client certificates are asked for where the configuration says so, never
//! required, and never a reason to fail a handshake: see `client`. Targets are judged by one rule a
//! host: see `target`.

mod certificate;
mod client;
mod hello;
#[cfg(test)]
mod parties;
mod session;
mod stream;
mod target;
mod trust;

use std::{collections::HashMap, io, path::PathBuf, sync::Arc};

use rp_route::leg::Transport;
use rustls::{
    CertificateError, CipherSuite, ClientConfig, ProtocolVersion, RootCertStore, ServerConfig,
    SupportedProtocolVersion,
    client::danger::ServerCertVerifier,
    crypto::{CryptoProvider, aws_lc_rs},
    server::{
        ClientHello, NoClientAuth, NoServerSessionStorage, ResolvesServerCert, danger::ClientCertVerifier,
    },
    sign::{CertifiedKey, SingleCertAndKey},
    version::{TLS12, TLS13},
};

pub use certificate::{
    About, DAYS_OF_WARNING, Validity, addresses, common_name, covers, fingerprint, is_self_issued,
    names as certificate_names, open_file_warning, parse_certificates, read_certificates, read_key,
    slow_key_warning, subject,
};
pub use hello::Greeted;
pub use stream::TlsStream;
pub use target::accept_any;
pub use trust::{TrustList, client_name};

use crate::{
    config::{Config, Host, TlsVersion},
    outcome::Reason,
    protocol::{ListenerKind, Protocol},
    sightings::Sightings,
};

/// A certificate with its key, and the SNI names that it serves.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The file that it is from.
    pub path: PathBuf,
    /// Chain and key.
    pub key: Arc<CertifiedKey>,
    /// DNS names in lower case, `*.` in front for one label.
    pub names: Vec<String>,
}

/// What a failed handshake says of the client. Alerts of his are about our certificate, and with a version or cipher
/// of old nobody attacks.
pub fn why_failed(error: &io::Error) -> Reason {
    let error = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
    match error {
        Some(rustls::Error::InvalidMessage(_)) => Reason::Malformed,
        Some(rustls::Error::InvalidCertificate(CertificateError::BadSignature)) => Reason::Certificate,
        _ => Reason::HandshakeFailed,
    }
}

/// How clients are taken on a listener.
pub struct ServerTls {
    usual: Arc<ServerConfig>,
    /// For those who speak HTTP, where not everybody does: others would be refused for want of a common protocol, and a
    /// browser that is asked for a certificate shows its user a question.
    web: Option<Arc<ServerConfig>>,
}

impl ServerTls {
    /// None where nothing can be shown, or the listener is in clear. With the keys of the former one clients resume
    /// their sessions.
    pub fn new(config: &Config, kind: ListenerKind, former: Option<&Self>) -> Option<Self> {
        if !kind.takes_transport(Transport::Tls) || config.tls.certificates.is_empty() {
            return None;
        }
        let asks = config.tls.request_client_certificate.contains(&kind);
        let is_web = kind.protocol() == Some(Protocol::Http);
        let usual = server_config(config, asks, is_web, former.map(|former| &former.usual));
        let former_web = former.and_then(|former| former.web.as_ref());
        let web = (kind == ListenerKind::Any).then(|| server_config(config, false, true, former_web));
        Some(Self { usual, web })
    }

    /// The configuration for who has sent this.
    pub fn choose(&self, hello: &ClientHello<'_>) -> Arc<ServerConfig> {
        let speaks_http = || hello.alpn().into_iter().flatten().any(|name| name.starts_with(b"http/"));
        self.web.as_ref().filter(|_| speaks_http()).unwrap_or(&self.usual).clone()
    }
}

fn server_config(
    config: &Config,
    asks_for_certificate: bool,
    is_web: bool,
    former: Option<&Arc<ServerConfig>>,
) -> Arc<ServerConfig> {
    let versions: &[&SupportedProtocolVersion] = match config.tls.min_version {
        TlsVersion::Tls12 => &[&TLS13, &TLS12],
        TlsVersion::Tls13 => &[&TLS13],
    };
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .expect("the provider has suites for both versions");
    let builder = builder.with_client_cert_verifier(client_verifier(asks_for_certificate));
    let mut server = builder.with_cert_resolver(Arc::new(BySni::new(&config.tls.certificates)));
    server.ignore_client_order = true;
    server.send_tls13_tickets = 1;
    // Stateless tickets: rustls' own cache keeps 256 sessions, a morning's registrations are thousands.
    let former = former.map(|former| former.ticketer.clone());
    if let Some(ticketer) = former.or_else(|| aws_lc_rs::Ticketer::new().ok()) {
        server.ticketer = ticketer;
    }
    if is_web {
        server.alpn_protocols = vec![b"http/1.1".to_vec(), b"http/1.0".to_vec()];
    }
    Arc::new(server)
}

/// For administration, where sessions are few: none is resumed.
pub fn admin_config(key: &Arc<CertifiedKey>, asks_for_certificate: bool) -> Arc<ServerConfig> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13, &TLS12])
        .expect("the provider has suites for both versions");
    let builder = builder.with_client_cert_verifier(client_verifier(asks_for_certificate));
    let mut server = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(key.clone())));
    server.send_tls13_tickets = 0;
    server.session_storage = Arc::new(NoServerSessionStorage {});
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(server)
}

fn client_verifier(asks_for_certificate: bool) -> Arc<dyn ClientCertVerifier> {
    if asks_for_certificate { Arc::new(client::AskedNeverRequired::new()) } else { Arc::new(NoClientAuth) }
}

/// The TLS configuration towards a host; none where it has no rule for its certificate. What the host shows is noted.
pub fn client_config(config: &Config, host: &Host, sightings: &Arc<Sightings>) -> Option<Arc<ClientConfig>> {
    let tls = host.tls.as_ref()?;
    let verifier = Arc::new(target::TargetVerifier::new(tls, host.label(), sightings));
    let key = config.client_key.as_ref().filter(|_| tls.present_certificate);
    Some(Arc::new(client_config_with(verifier, key)))
}

/// A client configuration with this judge of certificates, showing `key` when asked for one.
pub fn client_config_with(
    verifier: Arc<dyn ServerCertVerifier>,
    key: Option<&Arc<CertifiedKey>>,
) -> ClientConfig {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13, &TLS12])
        .expect("the provider has suites for both versions")
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    match key {
        Some(key) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(key.clone()))),
        None => builder.with_no_client_auth(),
    }
}

/// Trust anchors out of certificates; what cannot be an anchor is left out.
pub fn roots(certificates: &[rustls_pki_types::CertificateDer<'static>]) -> RootCertStore {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(certificates.iter().cloned());
    store
}

/// How a version is called.
pub fn version(version: Option<ProtocolVersion>) -> &'static str {
    match version {
        Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
        Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
        _ => "TLS",
    }
}

/// aws-lc-rs with X25519 first: the hybrid with ML-KEM is there for whoever prefers it, and costs nothing otherwise. And
/// with AES-128 first: its SHA-256 has instructions of its own in most processors, which SHA-384 has not, and hashing the
/// keys is a good part of a handshake.
fn provider() -> Arc<CryptoProvider> {
    use aws_lc_rs::kx_group::{SECP256R1, SECP384R1, X25519, X25519MLKEM768};
    let kx_groups = vec![X25519, X25519MLKEM768, SECP256R1, SECP384R1];
    let mut provider = CryptoProvider { kx_groups, ..aws_lc_rs::default_provider() };
    provider.cipher_suites.sort_by_key(|suite| !AES_128.contains(&suite.suite()));
    Arc::new(provider)
}

const AES_128: [CipherSuite; 3] = [
    CipherSuite::TLS13_AES_128_GCM_SHA256,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
];

/// Chooses the certificate by SNI: exact name, then wildcard, then the default.
#[derive(Debug)]
struct BySni {
    by_name: HashMap<String, Arc<CertifiedKey>>,
    default: Arc<CertifiedKey>,
}

impl BySni {
    fn new(certificates: &[Certificate]) -> Self {
        let mut by_name = HashMap::new();
        for certificate in certificates {
            for name in &certificate.names {
                by_name.entry(name.clone()).or_insert_with(|| certificate.key.clone());
            }
        }
        Self { by_name, default: certificates[0].key.clone() }
    }

    fn choose(&self, sni: Option<&str>) -> &Arc<CertifiedKey> {
        let Some(name) = sni else { return &self.default };
        let name = name.to_ascii_lowercase();
        // RFC 6125 6.4.3: the star stands for exactly the leftmost label.
        let wildcard = name.split_once('.').map(|(_, parent)| format!("*.{parent}"));
        let found = self.by_name.get(&name).or_else(|| self.by_name.get(&wildcard?));
        found.unwrap_or(&self.default)
    }
}

impl ResolvesServerCert for BySni {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.choose(hello.server_name()).clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(names: &[&str]) -> Certificate {
        let made = rcgen::generate_simple_self_signed(vec!["x".to_owned()]).unwrap();
        let signer =
            aws_lc_rs::sign::any_supported_type(&made.signing_key.serialize_der().try_into().unwrap())
                .unwrap();
        Certificate {
            path: PathBuf::new(),
            key: Arc::new(CertifiedKey::new(vec![made.cert.der().clone()], signer)),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    #[test]
    fn sni_chooses_exact_then_wildcard_then_default() {
        let all =
            [certificate(&["a.example"]), certificate(&["*.example.com"]), certificate(&["x.example.com"])];
        let chooser = BySni::new(&all);
        for (sni, index) in [
            (Some("a.example"), 0),
            (Some("X.Example.com"), 2),
            (Some("y.example.com"), 1),
            (Some("z.y.example.com"), 0),
            (Some("example.com"), 0),
            (None, 0),
        ] {
            assert!(Arc::ptr_eq(chooser.choose(sni), &all[index].key), "{sni:?}");
        }
    }
}
