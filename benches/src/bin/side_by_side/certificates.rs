//! Throw-away certificates, and TLS as the load speaks it.

use std::{fs, io, path::Path, sync::Arc};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PKCS_RSA_SHA256, RsaKeySize,
};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    client::Resumption,
    crypto::{
        CryptoProvider,
        aws_lc_rs::{self, kx_group},
    },
    version::{TLS12, TLS13},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

/// The name in the certificates of the proxies and of the service.
pub(crate) const NAME: &str = "localhost";

/// Makes `p256` and `rsa2048` for [`NAME`], and `client`, all by the authority in `ca.crt`: chain, key and both in one file.
pub(crate) fn make(folder: &Path) -> io::Result<()> {
    let mut authority = CertificateParams::default();
    authority.distinguished_name.push(DnType::CommonName, "benchmark authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().map_err(io::Error::other)?;
    let certificate = authority.self_signed(&key).map_err(io::Error::other)?;
    fs::write(folder.join("ca.crt"), certificate.pem())?;
    let issuer = Issuer::new(authority, key);
    let p256 = || KeyPair::generate().map_err(io::Error::other);
    let rsa = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).map_err(io::Error::other)?;
    for (file, name, key) in
        [("p256", NAME, p256()?), ("rsa2048", NAME, rsa), ("client", "client.example", p256()?)]
    {
        let mut leaf = CertificateParams::new([name.to_owned()]).map_err(io::Error::other)?;
        leaf.distinguished_name.push(DnType::CommonName, name);
        let certificate = leaf.signed_by(&key, &issuer).map_err(io::Error::other)?;
        fs::write(folder.join(format!("{file}.crt")), certificate.pem())?;
        fs::write(folder.join(format!("{file}.key")), key.serialize_pem())?;
        fs::write(folder.join(format!("{file}.pem")), certificate.pem() + &key.serialize_pem())?;
    }
    Ok(())
}

/// Clients that keep tickets only where they are to come back with them.
pub(crate) fn client_config(
    folder: &Path,
    with_certificate: bool,
    resumes: bool,
) -> io::Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(chain(folder, "ca")?);
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(io::Error::other)?
        .with_root_certificates(roots);
    let mut config = if with_certificate {
        builder
            .with_client_auth_cert(chain(folder, "client")?, key(folder, "client")?)
            .map_err(io::Error::other)?
    } else {
        builder.with_no_client_auth()
    };
    if !resumes {
        config.resumption = Resumption::disabled();
    }
    Ok(Arc::new(config))
}

/// The service behind the proxies.
pub(crate) fn server_config(folder: &Path) -> io::Result<Arc<ServerConfig>> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(chain(folder, "p256")?, key(folder, "p256")?)
        .map_err(io::Error::other)?;
    config.ticketer = aws_lc_rs::Ticketer::new().map_err(io::Error::other)?;
    Ok(Arc::new(config))
}

fn chain(folder: &Path, file: &str) -> io::Result<Vec<CertificateDer<'static>>> {
    let path = folder.join(format!("{file}.crt"));
    let certificates = CertificateDer::pem_file_iter(path).map_err(io::Error::other)?;
    certificates.collect::<Result<_, _>>().map_err(io::Error::other)
}

fn key(folder: &Path, file: &str) -> io::Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_file(folder.join(format!("{file}.key"))).map_err(io::Error::other)
}

/// What every peer here speaks: OpenSSL 3.0 has no hybrid with ML-KEM.
fn provider() -> Arc<CryptoProvider> {
    let kx_groups = vec![kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1];
    Arc::new(CryptoProvider { kx_groups, ..aws_lc_rs::default_provider() })
}
