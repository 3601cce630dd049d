//! Both sides of a session, for tests.

use std::sync::Arc;

use rustls::{ClientConfig, ServerConfig, SupportedProtocolVersion};
use rustls_pki_types::ServerName;

use super::{client_verifier, provider, roots};

/// What both sides need to trust each other. A certificate of the client's is asked for.
pub(super) struct Parties {
    pub(super) server: Arc<ServerConfig>,
    pub(super) client: Arc<ClientConfig>,
}

impl Parties {
    pub(super) fn speaking(version: &'static SupportedProtocolVersion) -> Self {
        Self::with_names(version, vec!["localhost".to_owned()])
    }

    /// With many names, the certificate is as long as one likes.
    pub(super) fn with_names(version: &'static SupportedProtocolVersion, names: Vec<String>) -> Self {
        let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
        let key = made.signing_key.serialize_der().try_into().expect("a key");
        let certificate = made.cert.der().clone();
        let server = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[version])
            .expect("a version")
            .with_client_cert_verifier(client_verifier(true))
            .with_single_cert(vec![certificate.clone()], key)
            .expect("a key of that certificate");
        let client = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[version])
            .expect("a version")
            .with_root_certificates(roots(&[certificate]))
            .with_no_client_auth();
        Self { server: Arc::new(server), client: Arc::new(client) }
    }
}

pub(super) fn localhost() -> ServerName<'static> {
    ServerName::try_from("localhost").expect("a name")
}
