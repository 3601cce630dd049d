//! What a configuration tells of certificates: which files they are in, and which names they have to hold.

use std::path::{Path, PathBuf};

use rp_route::{leg::Transport, name::Name};

use super::{
    check::Check,
    file::File,
    host::HostRow,
    listen::Listener,
    read,
    report::Report,
    tls::TlsTable,
    value::{Spanned, Text},
};
use crate::{
    protocol::{ListenerKind, Protocol},
    tls::{self, Certificate},
};

/// What is known of certificates before any of them is loaded: `rpd cert` makes the files that it names.
#[derive(Clone, Debug)]
pub struct Outline {
    /// The rows of `[[tls.certificate]]`, the default one first.
    pub certificates: Vec<CertificateFiles>,
    /// DNS names and addresses that clients ask for over TLS.
    pub names: Vec<Name>,
}

/// Where a certificate and its key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The chain.
    pub certificate: PathBuf,
    /// The private key; may be the same file.
    pub key: PathBuf,
}

impl Outline {
    /// Reads the file at `path`, and judges it without the files that it names.
    ///
    /// # Errors
    /// What is wrong, with line, column and remedy.
    pub fn load(path: &Path) -> Result<Self, Report> {
        let text = std::fs::read_to_string(path).map_err(|e| Report::unreadable(path, &e))?;
        let report = |findings| Report::new(path, &text, findings);
        let file = read::read(&text).map_err(report)?;
        super::check::outline(&file, &text, path.parent().unwrap_or(Path::new(""))).map_err(report)
    }

    pub(super) fn of(file: &File, listeners: &[Listener], folder: &Path) -> Self {
        let rows = reached_over_tls(&file.host, listeners);
        let names = rows.flat_map(|(row, _)| &row.names).map(|name| name.get_ref().0.clone());
        Self { certificates: files(&file.tls, folder), names: names.filter(in_certificates).collect() }
    }
}

fn files(tls: &TlsTable, folder: &Path) -> Vec<CertificateFiles> {
    let mut rows: Vec<_> = tls.certificate.iter().map(Spanned::get_ref).collect();
    rows.sort_by_key(|row| !row.default);
    let path = |path: &Spanned<PathBuf>| folder.join(path.get_ref());
    rows.iter()
        .map(|row| CertificateFiles { certificate: path(&row.certificate), key: path(&row.key) })
        .collect()
}

/// Whether a certificate can hold the name: gatekeeper identifiers with a location are for phones alone.
pub(super) fn in_certificates(name: &Name) -> bool {
    name.is_dns() || name.address().is_some()
}

/// The TLS listeners of the protocols that are `forwarded`.
pub fn kinds_over_tls(listeners: &[Listener], forwarded: impl Fn(Protocol) -> bool) -> Vec<ListenerKind> {
    let mut kinds: Vec<ListenerKind> = listeners.iter().map(|listener| listener.kind).collect();
    kinds.dedup();
    let leads_to_one =
        |kind: &ListenerKind| Protocol::ALL.into_iter().any(|p| kind.takes_protocol(p) && forwarded(p));
    kinds.retain(|kind| kind.takes_transport(Transport::Tls) && leads_to_one(kind));
    kinds
}

/// The rows that are served and reached over TLS, with the listeners that lead to them.
fn reached_over_tls<'a>(
    rows: &'a [Spanned<HostRow>],
    listeners: &'a [Listener],
) -> impl Iterator<Item = (&'a HostRow, Vec<ListenerKind>)> {
    let enabled = rows.iter().map(Spanned::get_ref).filter(|row| row.enabled);
    enabled.filter_map(|row| {
        let kinds = kinds_over_tls(listeners, |protocol| row.forwards(protocol));
        (!kinds.is_empty()).then_some((row, kinds))
    })
}

impl Check<'_> {
    /// Clients refuse a certificate that does not hold the name they have asked for.
    pub(super) fn uncovered_names(
        &mut self,
        rows: &[Spanned<HostRow>],
        listeners: &[Listener],
        certificates: &[Certificate],
    ) {
        let held: Vec<String> = certificates
            .iter()
            .filter_map(|row| row.key.cert.first())
            .flat_map(|der| tls::certificate_names(der))
            .collect();
        let covered = |name: &Spanned<Text<Name>>| {
            let name = &name.get_ref().0;
            !name.is_dns() || held.iter().any(|pattern| tls::covers(pattern, name.as_str()))
        };
        for (row, kinds) in reached_over_tls(rows, listeners) {
            let kinds: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
            for name in row.names.iter().filter(|name| !covered(name)) {
                let message = format!(
                    "no certificate holds {}, which clients reach over TLS ({}): those that check will not connect",
                    name.get_ref().0,
                    kinds.join(", ")
                );
                let remedy =
                    "get a certificate with this name: `rpd cert request` asks for one with all names";
                self.findings.push(super::Finding::warning(name.span(), message).remedy(remedy));
            }
        }
    }
}
