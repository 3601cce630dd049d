//! An authority of the test's own, and what it signs.

use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

/// The name in the certificate of the services behind the proxy.
pub const SERVICE_NAME: &str = "service.example";

/// A folder that is gone with the test, with
/// - `ca.pem`: the authority,
/// - `proxy.pem`, `proxy.key`: for `example.com`, every name one label below, and 127.0.0.1,
/// - `service.pem`, `service.key`: for [`SERVICE_NAME`] alone, so that neither can stand in for the other.
pub fn certificates() -> TempDir {
    let folder = tempfile::Builder::new().prefix("rpd-test-").tempdir().expect("a temporary folder");
    let mut authority = CertificateParams::default();
    authority.distinguished_name.push(DnType::CommonName, "rpd test authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let certificate = authority.self_signed(&key).expect("a certificate");
    super::write(folder.path(), "ca.pem", &certificate.pem());
    let issuer = Issuer::new(authority, key);
    sign(&issuer, folder.path(), "proxy", &["example.com", "*.example.com", "127.0.0.1"]);
    sign(&issuer, folder.path(), "service", &[SERVICE_NAME]);
    folder
}

fn sign(issuer: &Issuer<'_, KeyPair>, folder: &Path, file: &str, names: &[&str]) {
    let names: Vec<String> = names.iter().copied().map(str::to_owned).collect();
    let mut certificate = CertificateParams::new(names.clone()).expect("names");
    certificate.distinguished_name.push(DnType::CommonName, &names[0]);
    let key = KeyPair::generate().expect("a key");
    let signed = certificate.signed_by(&key, issuer).expect("a certificate");
    super::write(folder, &format!("{file}.pem"), &signed.pem());
    super::write(folder, &format!("{file}.key"), &key.serialize_pem());
}
