//! Certificates and keys: from PEM files, and what they say.

use std::{
    net::IpAddr,
    os::unix::fs::PermissionsExt,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use ::aws_lc_rs::digest;
use rustls::{crypto::aws_lc_rs, sign::CertifiedKey};
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer,
    pem::{self, PemObject},
};
use x509_parser::{
    certificate::X509Certificate,
    der_parser::asn1_rs::{FromDer, Tag},
    extensions::GeneralName,
    public_key::PublicKey,
};

use crate::config::Fingerprint;

/// The certificates of a PEM file, or of all files in a folder.
///
/// # Errors
/// What is wrong, with the path, as a sentence for the administrator.
pub fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    if path.is_dir() {
        return read_folder(path);
    }
    let text = std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
    match parse_certificates(&text) {
        Ok(all) if all.is_empty() => Err(format!(
            "{} holds no certificate; write the path of a PEM file (-----BEGIN CERTIFICATE-----)",
            path.display()
        )),
        all => all.map_err(|e| format!("{}: {e}", path.display())),
    }
}

/// The certificates of a text in PEM; none if it holds none.
///
/// # Errors
/// What is wrong, as a sentence for the administrator.
pub fn parse_certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let all = all.map_err(|e| pem_fault(&e))?;
    match all.iter().position(|der| X509Certificate::from_der(der).is_err()) {
        Some(bad) => Err(format!("certificate {} of {} cannot be read as X.509", bad + 1, all.len())),
        None => Ok(all),
    }
}

fn read_folder(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let entries = std::fs::read_dir(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let mut files: Vec<_> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_file()).collect();
    files.sort();
    let mut all = Vec::new();
    for file in &files {
        all.extend(read_certificates(file)?);
    }
    if all.is_empty() {
        return Err(format!("{} holds no certificate files", path.display()));
    }
    Ok(all)
}

/// The private key of a PEM file, joined with the chain that it belongs to.
///
/// # Errors
/// What is wrong, with the path, as a sentence for the administrator.
pub fn read_key(path: &Path, chain: Vec<CertificateDer<'static>>) -> Result<CertifiedKey, String> {
    let text = std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let key = PrivateKeyDer::from_pem_slice(&text).map_err(|e| match e {
        pem::Error::NoItemsFound if text.windows(9).any(|word| word == b"ENCRYPTED") => {
            format!(
                "{}: the private key is encrypted; write it without a passphrase (openssl pkey)",
                path.display()
            )
        }
        e => format!("{} holds no private key: {}", path.display(), pem_fault(&e)),
    })?;
    let signer = aws_lc_rs::sign::any_supported_type(&key).map_err(|_| {
        format!(
            "{}: the private key is of a kind that cannot be used (RSA needs 2048 bits or more); write a P-256 key (openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256)",
            path.display()
        )
    })?;
    let key = CertifiedKey::new(chain, signer);
    match key.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => Ok(key),
        Err(_) => Err(format!("{}: the private key does not belong to the certificate", path.display())),
    }
}

/// The names of a certificate for SNI: its DNS names, or its CN if it has none that are DNS names; lower case.
pub fn names(der: &[u8]) -> Vec<String> {
    let Ok((_, certificate)) = X509Certificate::from_der(der) else { return Vec::new() };
    let mut names = dns_names(&certificate);
    if names.is_empty() {
        names.extend(common_name(der).map(|name| name.to_ascii_lowercase()));
    }
    names
}

/// Whose a certificate is, as text.
pub fn subject(der: &[u8]) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    Some(certificate.subject().to_string())
}

/// Whether a certificate names itself as its issuer.
pub fn is_self_issued(der: &[u8]) -> bool {
    X509Certificate::from_der(der).is_ok_and(|(_, certificate)| certificate.issuer() == certificate.subject())
}

/// Whether a name in a certificate covers a host name, both in lower case. A star stands for exactly one label
/// (RFC 6125 section 6.4.3), so a host name with a star is covered by the same pattern alone.
pub fn covers(pattern: &str, name: &str) -> bool {
    let below = |(_, parent): (&str, &str)| pattern.strip_prefix("*.") == Some(parent);
    pattern == name || name.split_once('.').is_some_and(below)
}

/// A sentence about a key that slows every handshake down.
pub fn slow_key_warning(der: &[u8]) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let Ok(PublicKey::RSA(rsa)) = certificate.public_key().parsed() else { return None };
    let bits = rsa.key_size();
    (bits > 2048).then(|| {
        format!("the key is RSA with {bits} bits: each handshake takes many times as long as with P-256; write the path of a P-256 certificate (`rpd cert request` makes the key)")
    })
}

/// A sentence about a file with a private key that every user of this machine may read.
pub fn open_file_warning(path: &Path) -> Option<String> {
    let mode = std::fs::metadata(path).ok()?.permissions().mode();
    (mode & 0o004 != 0)
        .then(|| format!("every user of this machine may read the private key in {}", path.display()))
}

fn dns_names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    let names = extension.value.general_names.iter();
    names
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
            _ => None,
        })
        .collect()
}

/// The addresses among the names of a certificate.
pub fn addresses(der: &[u8]) -> Vec<IpAddr> {
    let Ok((_, certificate)) = X509Certificate::from_der(der) else { return Vec::new() };
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    let names = extension.value.general_names.iter();
    names
        .filter_map(|name| match name {
            GeneralName::IPAddress(octets) => address(octets),
            _ => None,
        })
        .collect()
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(octets).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from)).ok()
}

/// The one CN of the subject, if it is a PrintableString or UTF8String without NUL.
pub fn common_name(der: &[u8]) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let mut names = certificate.subject().iter_common_name();
    let (name, None) = (names.next()?, names.next()) else { return None };
    let plain = matches!(name.attr_value().tag(), Tag::PrintableString | Tag::Utf8String);
    let text = name.as_str().ok().filter(|text| plain && !text.contains('\0'))?;
    Some(text.to_owned())
}

/// The SHA-256 of a certificate.
pub fn fingerprint(der: &[u8]) -> Fingerprint {
    let mut octets = [0; 32];
    octets.copy_from_slice(digest::digest(&digest::SHA256, der).as_ref());
    Fingerprint(octets)
}

/// What there is to tell of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Those that it names; its CN, if it has none.
    pub names: Vec<String>,
    /// Whose it is.
    pub subject: String,
    /// Who says so.
    pub issuer: String,
    /// From when on it is valid.
    pub not_before: SystemTime,
    /// And until when.
    pub not_after: SystemTime,
    /// Its SHA-256.
    pub fingerprint: Fingerprint,
    /// The kind of its key.
    pub key: String,
}

impl About {
    /// This one; nothing if it cannot be read.
    pub fn of(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let time = |seconds: i64| UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        let addresses = addresses(der).into_iter().map(|address| address.to_string());
        Some(Self {
            names: names(der).into_iter().chain(addresses).collect(),
            subject: certificate.subject().to_string(),
            issuer: certificate.issuer().to_string(),
            not_before: time(certificate.validity().not_before.timestamp()),
            not_after: time(certificate.validity().not_after.timestamp()),
            fingerprint: fingerprint(der),
            key: key_words(&certificate),
        })
    }
}

fn key_words(certificate: &X509Certificate<'_>) -> String {
    match certificate.public_key().parsed() {
        Ok(PublicKey::RSA(key)) => format!("RSA {} bits", key.key_size()),
        Ok(PublicKey::EC(key)) => format!("EC {} bits", key.key_size()),
        _ => format!("algorithm {}", certificate.public_key().algorithm.algorithm),
    }
}

/// From when on a certificate is valid, and until when, as text; and the whole days that it still is, below zero
/// if it has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validity {
    /// Not before.
    pub from: String,
    /// Not after.
    pub until: String,
    /// The same in seconds since 1970.
    pub ends: i64,
    /// Whole days left.
    pub days_left: i64,
    /// Whether it has begun.
    pub begun: bool,
}

impl Validity {
    /// Of this certificate, as of now; none if it cannot be read.
    pub fn of(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
        let now = i64::try_from(now).ok()?;
        let (from, until) = (certificate.validity().not_before, certificate.validity().not_after);
        Some(Self {
            from: from.to_string(),
            until: until.to_string(),
            ends: until.timestamp(),
            days_left: (until.timestamp() - now).div_euclid(86_400),
            begun: from.timestamp() <= now,
        })
    }

    /// A sentence about a certificate that is out of date, or will be soon.
    pub fn warning(&self) -> Option<String> {
        let Self { from, until, days_left, begun, .. } = self;
        if !begun {
            return Some(format!("the certificate is not valid before {from}: clients will refuse it"));
        }
        match days_left {
            ..0 => Some(format!(
                "the certificate ended on {until}: clients will refuse it; write the path of a renewed one"
            )),
            0..=DAYS_OF_WARNING => {
                Some(format!("the certificate ends in {days_left} days, on {until}: renew it"))
            }
            _ => None,
        }
    }
}

/// From so many whole days before its end on, a certificate is warned of.
pub const DAYS_OF_WARNING: i64 = 21;

fn pem_fault(error: &pem::Error) -> String {
    match error {
        pem::Error::NoItemsFound => "nothing of the kind is in it".to_owned(),
        other => other.to_string(),
    }
}
