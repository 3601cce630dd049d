//! How the certificate of a target is judged: by the rule of its host, always with proof of the key.

use std::sync::Arc;

use rustls::{
    CertificateError, DigitallySignedStruct, Error, ProtocolVersion, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{WebPkiSupportedAlgorithms, aws_lc_rs},
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::{
    certificate::fingerprint,
    client::{Possession, verify_possession},
};
use crate::{
    config::{TargetTls, Verify},
    sightings::Sightings,
};

/// The judge for one host.
#[derive(Debug)]
pub(super) struct TargetVerifier {
    rule: Verify,
    /// Where it is noted what the host shows.
    seen: Option<(Box<str>, Arc<Sightings>)>,
    /// The name that the certificate must hold, if any: device certificates hold a serial number instead.
    name: Option<ServerName<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl TargetVerifier {
    pub(super) fn new(tls: &TargetTls, host: &str, sightings: &Arc<Sightings>) -> Self {
        let name = tls.server_name.clone().and_then(|name| ServerName::try_from(name).ok());
        let seen = Some((host.into(), sightings.clone()));
        Self { rule: tls.verify.clone(), seen, name, algorithms: algorithms() }
    }

    fn judge(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        match &self.rule {
            Verify::None => Ok(()),
            Verify::Fingerprint(pins) => {
                let shown = fingerprint(certificate);
                if pins.contains(&shown) {
                    return Ok(());
                }
                Err(Error::General(format!(
                    "the target's certificate is {shown}, which tls.fingerprints does not list"
                )))
            }
            Verify::TrustList(list) => {
                list.judge(certificate, intermediates, now).map_err(|why| {
                    Error::General(format!("the target's certificate is not trusted: {why}"))
                })?;
                self.name.as_ref().map_or(Ok(()), |name| holds_name(certificate, name))
            }
        }
    }
}

fn holds_name(certificate: &CertificateDer<'_>, name: &ServerName<'_>) -> Result<(), Error> {
    webpki::EndEntityCert::try_from(certificate)
        .and_then(|certificate| certificate.verify_is_valid_for_subject_name(name))
        .map_err(|_| Error::General(format!("the target's certificate does not name {}", name.to_str())))
}

impl ServerCertVerifier for TargetVerifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some((host, sightings)) = &self.seen {
            sightings.showed(host, certificate);
        }
        self.judge(certificate, intermediates, now).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        proven(ProtocolVersion::TLSv1_2, &self.algorithms, message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        proven(ProtocolVersion::TLSv1_3, &self.algorithms, message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Takes any certificate, but still wants proof of its key: for `rpd probe`, which only looks.
pub fn accept_any() -> Arc<dyn ServerCertVerifier> {
    Arc::new(TargetVerifier { rule: Verify::None, seen: None, name: None, algorithms: algorithms() })
}

fn proven(
    version: ProtocolVersion,
    algorithms: &WebPkiSupportedAlgorithms,
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    verify_possession(version, algorithms, message, certificate, signed).map_err(|why| match why {
        Possession::Wrong(error) => error,
        Possession::Unchecked(key, _) => {
            Error::InvalidCertificate(CertificateError::Other(rustls::OtherError(Arc::new(UnusableKey(key)))))
        }
    })
}

#[derive(Debug, thiserror::Error)]
#[error("the target's certificate has {0}: renew it, or use the target's TCP port")]
struct UnusableKey(String);

fn algorithms() -> WebPkiSupportedAlgorithms {
    aws_lc_rs::default_provider().signature_verification_algorithms
}
