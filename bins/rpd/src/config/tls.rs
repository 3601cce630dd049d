//! `[tls]`: what this proxy shows, to clients and to targets, and what clients are asked for.

#![allow(missing_docs, reason = "the keys are described where they are read by people: docs/CONFIG.md")]

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rp_route::{leg::Transport, name::Name};
use rustls::sign::CertifiedKey;
use rustls_pki_types::CertificateDer;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    check::Check,
    file::File,
    listen::Listener,
    report::Finding,
    value::{Spanned, Text, text},
};
use crate::{
    protocol::ListenerKind,
    tls::{self, Certificate, TrustList},
};

/// The server side of TLS.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// Chosen by SNI; the first is the default, if none is marked.
    pub certificates: Vec<Certificate>,
    /// What certificates of clients must lead to; none: none is trusted.
    pub trust_list: Option<Arc<TrustList>>,
    /// The same one by one, with the file that each is from.
    pub trusted: Vec<(PathBuf, CertificateDer<'static>)>,
    /// Listeners that ask for a client certificate.
    pub request_client_certificate: Vec<ListenerKind>,
    /// The oldest version spoken.
    pub min_version: TlsVersion,
    /// How often to look whether `files` have changed; zero: never.
    pub watch: Duration,
    /// All files with certificates and keys, also those for targets.
    pub files: Vec<PathBuf>,
}

/// `[tls]`: what this proxy shows, to clients and to targets.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct TlsTable {
    pub certificate: Vec<Spanned<CertificateRow>>,
    pub trust_list: Vec<Spanned<PathBuf>>,
    pub request_client_certificate: Vec<Spanned<String>>,
    pub min_version: TlsVersion,
    pub client: Option<Spanned<ClientCertificate>>,
    #[serde(deserialize_with = "text")]
    pub watch: Duration,
}

impl Default for TlsTable {
    fn default() -> Self {
        let asked = ["h323s", "sips", "any"].map(|name| Spanned::unwritten(name.to_owned()));
        Self {
            certificate: Vec::new(),
            trust_list: Vec::new(),
            request_client_certificate: asked.into(),
            min_version: TlsVersion::default(),
            client: None,
            watch: Duration::ZERO,
        }
    }
}

/// `[[tls.certificate]]`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CertificateRow {
    pub certificate: Spanned<PathBuf>,
    pub key: Spanned<PathBuf>,
    #[serde(default)]
    pub names: Vec<Spanned<Text<Name>>>,
    #[serde(default)]
    pub default: bool,
}

/// `[tls.client]`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ClientCertificate {
    pub certificate: Spanned<PathBuf>,
    pub key: Spanned<PathBuf>,
}

/// The oldest TLS version that is spoken.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
pub enum TlsVersion {
    #[default]
    #[serde(rename = "1.2")]
    Tls12,
    #[serde(rename = "1.3")]
    Tls13,
}

/// All files with certificates and keys that a configuration names.
pub(super) fn files(file: &File, folder: &Path) -> Vec<PathBuf> {
    let own = file.tls.certificate.iter().flat_map(|row| [&row.get_ref().certificate, &row.get_ref().key]);
    let shown = file.tls.client.iter().flat_map(|row| [&row.get_ref().certificate, &row.get_ref().key]);
    let hosts = file.host.iter().map(Spanned::get_ref).filter(|row| row.enabled);
    let trusted = hosts.flat_map(|row| &row.tls).flat_map(|tls| &tls.get_ref().trust);
    let all = own.chain(shown).chain(&file.tls.trust_list).chain(trusted).chain(file.admin.files());
    all.map(|path| folder.join(path.get_ref())).collect()
}

impl Check<'_> {
    pub(super) fn request_client_certificate(&mut self, tls: &TlsTable) -> Vec<ListenerKind> {
        let mut kinds = Vec::new();
        for name in &tls.request_client_certificate {
            let mut over_tls = ListenerKind::all().filter(|kind| kind.takes_transport(Transport::Tls));
            match over_tls.find(|kind| kind.as_str() == name.get_ref()) {
                Some(kind) => kinds.push(kind),
                None => self.error(
                    name.span(),
                    format!(
                        "{:?} is no TLS listener; write h323s, sips, ldaps, https or any",
                        name.get_ref()
                    ),
                ),
            }
        }
        kinds
    }

    pub(super) fn certificates_present(&mut self, file: &File, listeners: &[Listener]) {
        let takes_tls = |listener: &&Listener| listener.kind.takes_transport(Transport::Tls);
        let Some(listener) = listeners.iter().find(takes_tls) else { return };
        if file.tls.certificate.is_empty() {
            let span = self.text.find("[listen]").map_or(0..0, |at| at..at + "[listen]".len());
            self.findings.push(
                Finding::error(
                    span,
                    format!("listen.{} takes TLS, but there is no certificate", listener.kind),
                )
                .remedy(
                    "add [[tls.certificate]] with certificate = \"tls/cert.pem\" and key = \"tls/key.pem\"",
                ),
            );
        }
    }

    /// `check-certificate` needs someone who asks for a certificate, someone to trust, and a leg for those who pass.
    pub(super) fn trust_list(&mut self, paths: &[Spanned<PathBuf>]) -> Option<Arc<TrustList>> {
        let trusted: Vec<_> = self.trusted(paths).into_iter().map(|(_, certificate)| certificate).collect();
        (!trusted.is_empty()).then(|| Arc::new(TrustList::new(trusted)))
    }

    /// All certificates of these files, with the path of each.
    pub(super) fn trusted(&mut self, paths: &[Spanned<PathBuf>]) -> Vec<(PathBuf, CertificateDer<'static>)> {
        let mut trusted = Vec::new();
        for path in paths {
            let file = self.folder.join(path.get_ref());
            match tls::read_certificates(&file) {
                Ok(certificates) => trusted.extend(certificates.into_iter().map(|der| (file.clone(), der))),
                Err(message) => {
                    let remedy = "put the certificates that are to be trusted there (PEM)";
                    self.unusable(path, message, Some(remedy));
                }
            }
        }
        trusted
    }

    pub(super) fn server_certificates(&mut self, tls: &TlsTable) -> Vec<Certificate> {
        let mut certificates = Vec::new();
        for row in &tls.certificate {
            let row = row.get_ref();
            let Some(key) = self.certified_key(&row.certificate, &row.key) else { continue };
            let names = match row.names.as_slice() {
                [] => tls::certificate_names(end(&key)),
                names => names.iter().map(|name| name.get_ref().0.as_str().to_owned()).collect(),
            };
            let path = self.folder.join(row.certificate.get_ref());
            certificates.push((row.default, Certificate { path, key, names }));
        }
        if let [_, extra, ..] =
            tls.certificate.iter().filter(|row| row.get_ref().default).collect::<Vec<_>>()[..]
        {
            self.error(extra.span(), "only one certificate can be the default; write default = true once");
        }
        // The default comes first; the order of the others stays.
        certificates.sort_by_key(|(default, _)| !default);
        certificates.into_iter().map(|(_, certificate)| certificate).collect()
    }

    pub(super) fn certified_key(
        &mut self,
        chain: &Spanned<PathBuf>,
        key: &Spanned<PathBuf>,
    ) -> Option<Arc<CertifiedKey>> {
        let path = self.folder.join(chain.get_ref());
        let certificates = match tls::read_certificates(&path) {
            Ok(certificates) => certificates,
            Err(message) => {
                let remedy = "make one: `rpd cert self-signed` to begin with, `rpd cert request` for good";
                self.unusable(chain, message, Some(remedy));
                return None;
            }
        };
        let (key_path, key_span) = (self.folder.join(key.get_ref()), key.span());
        match tls::read_key(&key_path, certificates) {
            Ok(key) => {
                let dates = tls::Validity::of(end(&key)).and_then(|validity| validity.warning());
                for warning in [dates, tls::slow_key_warning(end(&key))].into_iter().flatten() {
                    self.warning(chain.span(), warning);
                }
                if let Some(warning) = tls::open_file_warning(&key_path) {
                    let remedy = format!("chmod o-rwx {}", key_path.display());
                    self.findings.push(Finding::warning(key_span, warning).remedy(remedy));
                }
                Some(Arc::new(key))
            }
            Err(message) => {
                self.unusable(key, message, None);
                None
            }
        }
    }
}

/// The certificate of a chain that is ours.
fn end(key: &CertifiedKey) -> &[u8] {
    key.cert.first().map_or(&[], AsRef::as_ref)
}
