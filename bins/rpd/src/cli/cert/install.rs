//! A certificate that has come back: judged, joined with its key, and put in its place.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Args;
use rustls_pki_types::CertificateDer;

use super::{Place, Which, files};
use crate::tls::{self, Validity};

#[derive(Debug, Args)]
pub(super) struct Install {
    /// The certificate and those of its issuers (PEM), with or without the private key
    file: PathBuf,
    /// The private key, if it is neither in FILE nor made by `rpd cert request`
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    #[command(flatten)]
    which: Which,
    /// Install it although its dates or names are wrong
    #[arg(long)]
    force: bool,
}

impl Install {
    pub(super) fn run(self) -> Result<(), String> {
        let place = self.which.place()?;
        let chain = tls::read_certificates(&self.file).map_err(|error| unreadable(&self.file, &error))?;
        let (key_file, key) = self.find_key(&place, &chain)?;
        let faults = faults(&chain, &place);
        if !faults.is_empty() && !self.force {
            return Err(format!(
                "error: {}\nnothing was changed; --force installs it all the same",
                faults.join("\nerror: ")
            ));
        }
        let before = place.present().as_deref().and_then(tls::common_name);
        let certificates = files::blocks(&read(&self.file)?, "CERTIFICATE");
        files::install(&place.files, &certificates, &key)?;
        if key_file == place.requested_key() {
            // The request is answered; its key is in its place now.
            let _ = fs::remove_file(&key_file);
            let _ = fs::remove_file(place.beside("request.csr"));
        }
        println!("installed  {}", place.files.certificate.display());
        for warning in faults.into_iter().chain(hints(&chain, before.as_deref())) {
            println!("warning    {warning}");
        }
        files::mind_the_user();
        self.which.show();
        Ok(())
    }

    /// The private key that belongs to the certificate, as PEM, and where it was.
    fn find_key(
        &self,
        place: &Place,
        chain: &[CertificateDer<'static>],
    ) -> Result<(PathBuf, String), String> {
        let candidates = match &self.key {
            Some(key) => vec![key.clone()],
            None => vec![self.file.clone(), place.requested_key(), place.files.key.clone()],
        };
        let mut looked = Vec::new();
        for path in candidates.into_iter().filter(|path| path.exists()) {
            match tls::read_key(&path, chain.to_vec()) {
                Ok(_) => return Ok((path.clone(), files::blocks(&read(&path)?, "PRIVATE KEY"))),
                Err(why) => looked.push(why),
            }
        }
        Err(format!(
            "error: there is no private key for {}\n  {}\nA certificate is of no use without its key. Where the request came from `rpd cert request`, the key is in {}; where the certificate was made elsewhere, its key has to come along: --key FILE",
            self.file.display(),
            looked.join("\n  "),
            place.requested_key().display()
        ))
    }
}

/// What speaks against a certificate.
fn faults(chain: &[CertificateDer<'static>], place: &Place) -> Vec<String> {
    let Some(end) = chain.first() else { return Vec::new() };
    let mut faults = Vec::new();
    match Validity::of(end) {
        Some(Validity { begun: false, from, .. }) => faults.push(format!("it is not valid before {from}")),
        Some(Validity { days_left: ..0, until, .. }) => faults.push(format!("it ended on {until}")),
        _ => {}
    }
    let held = tls::certificate_names(end);
    let wanted = place.outline.names.iter().filter(|name| name.is_dns());
    let missing: Vec<&str> = wanted
        .map(rp_route::name::Name::as_str)
        .filter(|name| !held.iter().any(|pattern| tls::covers(pattern, name)))
        .collect();
    if !missing.is_empty() {
        faults.push(format!(
            "it is for {}, and does not hold {}, which clients reach over TLS",
            held.join(", "),
            missing.join(", ")
        ));
    }
    faults
}

/// What is well, and has to be thought of all the same.
fn hints(chain: &[CertificateDer<'static>], before: Option<&str>) -> Vec<String> {
    let Some(end) = chain.first() else { return Vec::new() };
    let mut hints = Vec::new();
    let now = tls::common_name(end);
    if let (Some(before), Some(now)) = (before, &now)
        && before != now
    {
        hints.push(format!(
            "its common name is {now:?} and was {before:?}: where the PBX's Reverse Proxy Addresses say /{before}, write /{now}"
        ));
    }
    if chain.len() == 1 && !tls::is_self_issued(end) {
        hints.push("the certificate of its issuer is not in the file: clients that do not know it will refuse to connect; add it behind, if the authority has sent one".to_owned());
    }
    hints.extend(tls::slow_key_warning(end));
    hints
}

fn unreadable(path: &Path, error: &str) -> String {
    let text = fs::read(path).unwrap_or_default();
    if text.is_empty() || text.starts_with(b"-----") || text.windows(10).any(|part| part == b"-----BEGIN") {
        return format!("error: {error}");
    }
    format!(
        "error: {error}\nThis file is not PEM. A .pfx or .p12: openssl pkcs12 -in {0} -nodes -out cert.pem; a .cer or .der: openssl x509 -inform der -in {0} -out cert.pem",
        path.display()
    )
}

fn read(path: &Path) -> Result<String, String> {
    let octets = fs::read(path).map_err(|error| format!("error: {}: {error}", path.display()))?;
    Ok(String::from_utf8_lossy(&octets).into_owned())
}
