//! An authority of the test's own, and what it signs.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
};
use rpd::{cli::demo::stand_in::StandIn, tls};
use rustls::{crypto::aws_lc_rs, sign::CertifiedKey};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;

/// The name in the certificate of the services behind the proxy.
pub const SERVICE_NAME: &str = "service.example";

/// A folder that is gone with the test, with
/// - `ca.pem`, `ca.key`: the authority,
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
    super::write(folder.path(), "ca.key", &key.serialize_pem());
    let issuer = Issuer::new(authority, key);
    sign(&issuer, folder.path(), "proxy", &["example.com", "*.example.com", "127.0.0.1"]);
    sign(&issuer, folder.path(), "service", &[SERVICE_NAME]);
    folder
}

/// Certificate and key out of the files of this name in the folder.
pub fn key(folder: &Path, name: &str) -> Arc<CertifiedKey> {
    let chain = tls::read_certificates(&folder.join(format!("{name}.pem"))).expect("a certificate");
    Arc::new(tls::read_key(&folder.join(format!("{name}.key")), chain).expect("a key"))
}

/// Certificate and key of the services, for a program that is one.
pub fn service_files(folder: &TempDir) -> [PathBuf; 2] {
    ["service.pem", "service.key"].map(|file| folder.path().join(file))
}

/// The services of a made-up PBX, which show that certificate.
///
/// # Panics
/// They cannot be started.
pub fn stand_in(name: &'static str, folder: &TempDir) -> StandIn {
    let [certificate, key] = service_files(folder);
    StandIn::start(name, &certificate, &key).expect("a stand-in")
}

/// The certificate of a phone that is called `name`, by the authority of the folder.
pub fn client_certificate(folder: &Path, name: &str) -> Arc<CertifiedKey> {
    client_certificate_with(folder, name, |_| ())
}

/// The same, with something else about it.
pub fn client_certificate_with(
    folder: &Path,
    name: &str,
    change: impl FnOnce(&mut CertificateParams),
) -> Arc<CertifiedKey> {
    let (certificate, key) = signed_client(folder, name, change);
    certified(certificate.der().clone(), &key)
}

/// The same as a file, key and all, for a program.
pub fn client_certificate_file(folder: &Path, name: &str) -> PathBuf {
    let (certificate, key) = signed_client(folder, name, |_| ());
    let text = [certificate.pem(), key.serialize_pem()].concat();
    super::write(folder, &format!("client-{name}.pem"), &text)
}

fn signed_client(
    folder: &Path,
    name: &str,
    change: impl FnOnce(&mut CertificateParams),
) -> (Certificate, KeyPair) {
    let read = |file: &str| std::fs::read_to_string(folder.join(file)).expect("a file of the authority");
    let authority = KeyPair::from_pem(&read("ca.key")).expect("a key");
    let issuer = Issuer::from_ca_cert_pem(&read("ca.pem"), authority).expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let mut certificate = called(name);
    change(&mut certificate);
    (certificate.signed_by(&key, &issuer).expect("a certificate"), key)
}

/// A certificate that says the same, by nobody.
pub fn self_signed(name: &str) -> Arc<CertifiedKey> {
    let key = KeyPair::generate().expect("a key");
    let certificate = called(name).self_signed(&key).expect("a certificate");
    certified(certificate.der().clone(), &key)
}

fn called(name: &str) -> CertificateParams {
    let mut certificate = CertificateParams::default();
    certificate.distinguished_name = DistinguishedName::new();
    certificate.distinguished_name.push(DnType::CommonName, name);
    certificate
}

fn certified(certificate: CertificateDer<'static>, key: &KeyPair) -> Arc<CertifiedKey> {
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let signer = aws_lc_rs::sign::any_supported_type(&key).expect("a usable key");
    Arc::new(CertifiedKey::new(vec![certificate], signer))
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
