//! What the keys mean together: [`File`] to [`Config`]. The rules of a table stand with the table.

use std::{
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use super::{
    Config, Reading,
    file::File,
    listen::Listener,
    log::Log,
    outline::Outline,
    report::{Finding, Severity, line_and_column},
    tls::{Tls, files},
    value::Spanned,
};
use crate::{
    protocol::ListenerKind,
    tls::{self, TrustList},
};

/// Judges the meaning of `file`, then loads the files it names. Without a configuration the findings hold
/// at least one error; with one they are warnings. A file that is `absent` is as bad as that says.
pub(super) fn check(file: File, text: &str, path: &Path, absent: Severity) -> (Option<Config>, Vec<Finding>) {
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut check = Check { findings: Vec::new(), text, folder, absent };
    let (listeners, request_client_certificate) = check.meaning(&file);
    let proxies = check.proxies(&file.listen, &listeners);
    let guard = check.guard(&file.guard);
    let admin = check.admin(&file.admin);
    let metrics = check.metrics(&file.metrics);
    if check.failed() {
        return (None, check.findings);
    }

    let certificates = check.server_certificates(&file.tls);
    // Which names a certificate holds that could not be read is not known.
    if certificates.len() == file.tls.certificate.len() {
        check.uncovered_names(&file.host, &listeners, &certificates);
    }
    let client_key = match &file.tls.client {
        Some(client) => check.certified_key(&client.get_ref().certificate, &client.get_ref().key),
        None => certificates.first().map(|certificate| certificate.key.clone()),
    };
    let trusted = check.trusted(&file.tls.trust_list);
    let anchors = || trusted.iter().map(|(_, certificate)| certificate.clone()).collect();
    let trust_list = (!trusted.is_empty()).then(|| Arc::new(TrustList::new(anchors())));
    let access = check.access(&file.admin);
    let files = files(&file, folder);
    let (rows, disabled): (Vec<_>, Vec<_>) = file.host.into_iter().partition(|row| row.get_ref().enabled);
    let hosts = rows.into_iter().map(|row| Arc::new(check.host(row, &file.sip))).collect();
    let disabled_hosts = disabled.into_iter().map(|row| Arc::new(check.disabled_host(row, &file.sip)));
    let disabled_hosts = disabled_hosts.collect();
    if check.failed() {
        return (None, check.findings);
    }
    let config = Config {
        path: path.to_owned(),
        reading: Reading {
            time: SystemTime::now(),
            digest: tls::fingerprint(text.as_bytes()),
            warnings: Vec::new(),
        },
        listeners,
        proxies,
        backlog: file.listen.backlog,
        tls: Tls {
            certificates,
            trust_list,
            trusted,
            request_client_certificate,
            min_version: file.tls.min_version,
            watch: file.tls.watch,
            files,
        },
        client_key,
        ldap_requires_tls: file.ldap.require_tls,
        sip_public_address: file.sip.public_address(),
        hosts,
        disabled_hosts,
        guard,
        admin,
        access,
        state_directory: file.state_directory.map(|path| folder.join(path)),
        limits: file.limits,
        metrics,
        log: Log { file: file.log.file.map(|path| folder.join(path)), ..file.log },
        workers: file.engine.workers.map(|workers| usize::from(workers.get())),
        runtime: file.engine.runtime,
    };
    (Some(config), check.findings)
}

/// What has been found so far, and where to look.
pub(super) struct Check<'a> {
    pub(super) findings: Vec<Finding>,
    pub(super) text: &'a str,
    pub(super) folder: &'a Path,
    /// What a certificate or key is whose file is not there.
    pub(super) absent: Severity,
}

/// Judges the meaning of `file` alone, and says what it tells of certificates. The files that it names may not exist
/// yet: this is for those who make them.
pub(super) fn outline(file: &File, text: &str, folder: &Path) -> Result<Outline, Vec<Finding>> {
    let mut check = Check { findings: Vec::new(), text, folder, absent: Severity::Error };
    let (listeners, _) = check.meaning(file);
    if check.failed() {
        return Err(check.findings);
    }
    Ok(Outline::of(file, &listeners, folder))
}

impl Check<'_> {
    fn meaning(&mut self, file: &File) -> (Vec<Listener>, Vec<ListenerKind>) {
        let listeners = self.listeners(&file.listen);
        let request_client_certificate = self.request_client_certificate(&file.tls);
        self.certificates_present(file, &listeners);
        self.hosts(&file.host, &listeners);
        self.listeners_without_hosts(&file.listen, &file.host);
        self.certificate_checks(file, &listeners);
        self.public_addresses(file, &listeners);
        self.capacity(&file.limits);
        (listeners, request_client_certificate)
    }

    pub(super) fn failed(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }

    pub(super) fn error(&mut self, span: Range<usize>, message: impl Into<String>) {
        self.findings.push(Finding::error(span, message));
    }

    pub(super) fn warning(&mut self, span: Range<usize>, message: impl Into<String>) {
        self.findings.push(Finding::warning(span, message));
    }

    /// Of a certificate or key: its file is not there, or cannot be used.
    pub(super) fn unusable(&mut self, file: &Spanned<PathBuf>, message: String, remedy: Option<&str>) {
        let absent = !self.folder.join(file.get_ref()).exists();
        let mut finding = Finding::error(file.span(), message);
        if let Some(remedy) = remedy.filter(|_| absent) {
            finding = finding.remedy(remedy);
        }
        if absent {
            finding.severity = self.absent;
        }
        self.findings.push(finding);
    }

    pub(super) fn line(&self, at: usize) -> usize {
        line_and_column(self.text, at).0
    }
}
