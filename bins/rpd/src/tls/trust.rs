//! Whom to believe: certificates that are trusted, and who a client is by those that it has shown.

use std::fmt::Write as _;

use rustls::crypto::aws_lc_rs;
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::{certificate::X509Certificate, der_parser::asn1_rs::FromDer, public_key::PublicKey};

use super::certificate::common_name;

/// Certificates that are trusted: authorities, and single certificates of devices.
#[derive(Debug)]
pub struct TrustList {
    anchors: rustls::RootCertStore,
    exact: Vec<CertificateDer<'static>>,
}

impl TrustList {
    /// A list of these.
    pub fn new(certificates: Vec<CertificateDer<'static>>) -> Self {
        // A device's own certificate vouches for that device, not for others: webpki would take any for an authority.
        let is_authority = |der: &&CertificateDer<'static>| {
            X509Certificate::from_der(der).is_ok_and(|(_, certificate)| certificate.is_ca())
        };
        let authorities: Vec<_> = certificates.iter().filter(is_authority).cloned().collect();
        Self { anchors: super::roots(&authorities), exact: certificates }
    }

    /// Why `certificate`, sent with `intermediates`, is not trusted at `now`; nothing if it is.
    ///
    /// A certificate is trusted if it is in the list itself and in date (self-signed and v1 certificates
    /// included, which no path building accepts), or if a path leads to one of the list.
    ///
    /// # Errors
    /// The reason, for the log.
    pub fn judge(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), String> {
        if self.exact.iter().any(|listed| listed == certificate) {
            return in_date(certificate, now);
        }
        let end_entity =
            webpki::EndEntityCert::try_from(certificate).map_err(|e| format!("cannot be read: {e}"))?;
        let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
        let path = |usage| {
            end_entity
                .verify_for_usage(algorithms.all, &self.anchors.roots, intermediates, now, usage, None, None)
                .map(|_| ())
        };
        // Devices and PBXs show one certificate in both roles, so either usage will do.
        path(webpki::KeyUsage::server_auth())
            .or_else(|_| path(webpki::KeyUsage::client_auth()))
            .map_err(|e| format!("no path to a trusted certificate: {e}"))
    }
}

fn in_date(der: &CertificateDer<'_>, now: UnixTime) -> Result<(), String> {
    let (_, certificate) = X509Certificate::from_der(der).map_err(|e| format!("cannot be read: {e}"))?;
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let validity = certificate.validity();
    if now < validity.not_before.timestamp() {
        return Err(format!("not valid before {}", validity.not_before));
    }
    if now > validity.not_after.timestamp() {
        return Err(format!("ended on {}", validity.not_after));
    }
    Ok(())
}

/// Who a client is, by the certificates that it has shown: the CN of a certificate that is trusted at `now`.
///
/// This is judged for every connection, after the handshake: on a resumed one no verifier is asked.
///
/// # Errors
/// Why it is nobody, for the log, with the CN if there is one.
pub fn client_name(
    trusted: Option<&TrustList>,
    shown: &[CertificateDer<'_>],
    now: UnixTime,
) -> Result<String, String> {
    let [certificate, intermediates @ ..] = shown else { return Err("no client certificate".to_owned()) };
    let name = common_name(certificate);
    let called = name.as_deref().map_or("without one CN".to_owned(), |name| format!("{name:?}"));
    let (_, parsed) = X509Certificate::from_der(certificate)
        .map_err(|e| format!("client certificate cannot be read: {e}"))?;
    let judged = checkable_key(&parsed).and_then(|()| match trusted {
        Some(list) => list.judge(certificate, intermediates, now),
        None => Err("there is no tls.trust-list".to_owned()),
    });
    match (judged, name) {
        (Ok(()), Some(name)) => Ok(name),
        (Ok(()), None) => Err("client certificate without one CN".to_owned()),
        (Err(why), _) => Err(format!("client certificate {called} not trusted: {why}")),
    }
}

/// Whether a signature by this certificate's key can be checked here, and if not, why.
///
/// # Errors
/// What the key is.
pub(super) fn checkable_key(certificate: &X509Certificate<'_>) -> Result<(), String> {
    let parsed = certificate.public_key().parsed().map_err(|e| format!("unreadable key: {e}"))?;
    match parsed {
        // aws-lc-rs has no PSS below 2048 bits, and clients choose PSS.
        PublicKey::RSA(rsa) if rsa.key_size() < 2048 => {
            Err(format!("RSA {} bits (2048 needed)", rsa.key_size()))
        }
        PublicKey::RSA(_) | PublicKey::EC(_) => Ok(()),
        // Ed25519 comes as unknown from x509-parser; RFC 8410 section 3.
        PublicKey::Unknown(_)
            if certificate.public_key().algorithm.algorithm.to_id_string() == "1.3.101.112" =>
        {
            Ok(())
        }
        other => {
            let mut kind = String::from("a key of unknown kind");
            let _ = write!(kind, " ({} bits)", other.key_size());
            Err(kind)
        }
    }
}
