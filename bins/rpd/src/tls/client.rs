//! Certificates of clients: asked for, never required, and never a reason to fail a handshake.
//!
//! A phone with an expired certificate must get through to where its password is asked for. So whether a
//! certificate is trusted is judged after the handshake, as a pure function of certificate, trust list and
//! time. Only this is checked here: that who shows a certificate holds its key, and that it has a size that one may have.

use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, ProtocolVersion, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls13_signature_with_raw_key},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};
use rustls_pki_types::{CertificateDer, SubjectPublicKeyInfoDer, UnixTime};
use x509_parser::{certificate::X509Certificate, der_parser::asn1_rs::FromDer};

use super::trust::checkable_key;

/// Takes every certificate whose key the client holds, as far as that can be checked.
#[derive(Debug)]
pub(super) struct AskedNeverRequired {
    algorithms: WebPkiSupportedAlgorithms,
}

impl AskedNeverRequired {
    pub(super) fn new() -> Self {
        Self { algorithms: aws_lc_rs::default_provider().signature_verification_algorithms }
    }

    /// A key that cannot be checked passes: its certificate will be untrusted for that very reason.
    fn possession(
        &self,
        version: ProtocolVersion,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match verify_possession(version, &self.algorithms, message, certificate, signed) {
            Err(Possession::Wrong(error)) => Err(error),
            Ok(valid) | Err(Possession::Unchecked(_, valid)) => Ok(valid),
        }
    }
}

impl ClientCertVerifier for AskedNeverRequired {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    /// No hints: devices send what they have.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    /// What is taken is kept for as long as the connection lives, and whoever it is may send 64 KiB.
    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let octets = intermediates.iter().fold(certificate.len(), |sum, each| sum + each.len());
        if octets > LARGEST_CHAIN {
            let detail =
                format!("a client certificate of {octets} octets with its chain; {LARGEST_CHAIN} are taken");
            return Err(Error::General(detail));
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.possession(ProtocolVersion::TLSv1_2, message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.possession(ProtocolVersion::TLSv1_3, message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Devices show up to four certificates, of up to two KiB each.
const LARGEST_CHAIN: usize = 16 * 1024;

/// Why possession of a key is not proven.
pub(super) enum Possession {
    /// The signature is wrong.
    Wrong(Error),
    /// The key is of a kind that cannot be checked: what it is, and what a lenient caller returns.
    Unchecked(String, HandshakeSignatureValid),
}

/// Checks the handshake signature with the key out of the certificate. The key alone is looked at, because
/// webpki refuses X.509 v1 certificates already when it reads them.
///
/// TLS 1.3 has one curve for each scheme, and no PKCS #1 (RFC 8446 4.2.3); before, any key of the scheme's kind may sign.
pub(super) fn verify_possession(
    version: ProtocolVersion,
    algorithms: &WebPkiSupportedAlgorithms,
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Possession> {
    let unchecked = |why: String| Possession::Unchecked(why, HandshakeSignatureValid::assertion());
    let (_, parsed) =
        X509Certificate::from_der(certificate).map_err(|e| unchecked(format!("cannot be read: {e}")))?;
    checkable_key(&parsed).map_err(unchecked)?;
    let spki = SubjectPublicKeyInfoDer::from(parsed.public_key().raw);
    if version == ProtocolVersion::TLSv1_3 {
        return verify_tls13_signature_with_raw_key(message, &spki, signed, algorithms)
            .map_err(Possession::Wrong);
    }
    let key =
        webpki::RawPublicKeyEntity::try_from(&spki).map_err(|e| unchecked(format!("unreadable key: {e}")))?;
    let wrong = || Possession::Wrong(Error::InvalidCertificate(rustls::CertificateError::BadSignature));
    let candidates =
        algorithms.mapping.iter().find(|(scheme, _)| *scheme == signed.scheme).ok_or_else(wrong)?.1;
    let proven = candidates
        .iter()
        .any(|algorithm| key.verify_signature(*algorithm, message, signed.signature()).is_ok());
    if proven { Ok(HandshakeSignatureValid::assertion()) } else { Err(wrong()) }
}
