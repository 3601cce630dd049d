//! Keys, requests for authorities, and certificates by themselves: always P-256.

use std::time::{Duration, SystemTime};

use clap::Args;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, SanType,
};

use super::{Names, Place, Which, files};
use crate::tls;

#[derive(Debug, Args)]
pub(super) struct Request {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    names: Names,
    /// Forget a request that no certificate has come for yet
    #[arg(long)]
    force: bool,
}

impl Request {
    pub(super) fn run(self) -> Result<(), String> {
        let place = self.which.place()?;
        let (key_file, request_file) = (place.requested_key(), place.beside("request.csr"));
        if key_file.exists() && !self.force {
            return Err(format!(
                "error: {} waits for the certificate of an earlier request; install that one, or forget it with --force",
                key_file.display()
            ));
        }
        let wanted = Wanted::new(self.names, &place)?;
        let key = new_key()?;
        let request = wanted.params()?.serialize_request(&key).and_then(|request| request.pem());
        let request = request.map_err(|error| format!("error: {error}"))?;
        files::write_secret(&key_file, &key.serialize_pem())?;
        files::write_public(&request_file, &request)?;
        println!("key        {} (stays here; nobody needs it but this proxy)", key_file.display());
        println!("request    {} (for the authority)", request_file.display());
        println!("for        {wanted}");
        println!("then       rpd cert install FILE, with what the authority sends back");
        Ok(())
    }
}

#[derive(Debug, Args)]
pub(super) struct SelfSigned {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    names: Names,
    /// How long it is valid
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u16).range(1..=3650))]
    days: u16,
    /// Replace a certificate that is there
    #[arg(long)]
    force: bool,
}

impl SelfSigned {
    pub(super) fn run(self) -> Result<(), String> {
        let place = self.which.place()?;
        let taken = [&place.files.certificate, &place.files.key].into_iter().find(|path| path.exists());
        if let (Some(path), false) = (taken, self.force) {
            return Err(format!("error: {} is there already; replace it with --force", path.display()));
        }
        let wanted = Wanted::new(self.names, &place)?;
        let key = new_key()?;
        let mut params = wanted.params()?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        // Clocks of phones are late, not early.
        params.not_before = epoch + now.saturating_sub(DAY);
        params.not_after = epoch + now + DAY * u32::from(self.days);
        let certificate = params.self_signed(&key).map_err(|error| format!("error: {error}"))?;
        files::install(&place.files, &certificate.pem(), &key.serialize_pem())?;
        println!("written    {}", place.files.certificate.display());
        println!("for        {wanted}");
        println!("           {}", tls::fingerprint(certificate.der()));
        println!(
            "nobody trusts it yet: clients and the PBX have to be given it, or a certificate by an authority takes its place"
        );
        files::mind_the_user();
        self.which.show();
        Ok(())
    }
}

/// What a certificate is to hold.
struct Wanted {
    common_name: String,
    names: Vec<String>,
}

impl Wanted {
    fn new(given: Names, place: &Place) -> Result<Self, String> {
        let present = place.present();
        let mut names: Vec<String> = given.dns.iter().map(|name| name.to_ascii_lowercase()).collect();
        names.extend(given.ip.iter().map(ToString::to_string));
        if names.is_empty() {
            let present = present.as_deref().unwrap_or_default();
            names = tls::certificate_names(present);
            names.extend(tls::addresses(present).iter().map(ToString::to_string));
            names.extend(place.outline.names.iter().map(|name| match name.address() {
                Some(address) => address.to_string(),
                None => name.as_str().to_owned(),
            }));
        }
        let mut seen = std::collections::HashSet::new();
        names.retain(|name| seen.insert(name.clone()));
        let first = names.iter().find(|name| !name.starts_with('*'));
        let common_name =
            given.cn.or_else(|| present.as_deref().and_then(tls::common_name)).or_else(|| first.cloned());
        match common_name {
            Some(common_name) if !names.is_empty() => Ok(Self { common_name, names }),
            _ => {
                Err("error: no host has a name that clients reach over TLS; write --cn and --dns".to_owned())
            }
        }
    }

    /// For both roles: clients see the certificate, and so do targets.
    fn params(&self) -> Result<CertificateParams, String> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, &self.common_name);
        for name in &self.names {
            params.subject_alt_names.push(match name.parse() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) => SanType::DnsName(
                    name.as_str().try_into().map_err(|error| format!("error: --dns {name}: {error}"))?,
                ),
            });
        }
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        Ok(params)
    }
}

impl std::fmt::Display for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (common name), {}", self.common_name, self.names.join(", "))
    }
}

fn new_key() -> Result<KeyPair, String> {
    KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(|error| format!("error: {error}"))
}

const DAY: Duration = Duration::from_secs(86_400);
