//! The configuration: text in, checked values out.
//!
//! A file is read whole or not at all, in stages: syntax; keys and types (`read`); meaning (`check`);
//! the files it names. Each stage tells all its errors at once, and runs only if the one before was clean.

mod admin;
mod certificate_check;
mod check;
mod engine;
mod file;
mod guard;
mod h323;
mod host;
mod http;
mod ldap;
mod limits;
mod listen;
mod log;
mod metrics;
mod outline;
mod read;
mod report;
mod schema;
mod sip;
mod target_tls;
mod tls;
mod urls;
mod value;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use rp_route::name::Name;
use rustls::sign::CertifiedKey;

pub use admin::{Access, Admin, AdminSocket, FileMode, Role, Token};
pub use engine::Runtime;
pub use guard::Guard;
pub use h323::H323;
pub use host::{Host, Service};
pub use http::{Http, Redirect};
pub use ldap::Ldap;
pub use limits::{Idle, Keepalive, Limits};
pub(crate) use listen::clash;
pub use listen::{Listener, Proxies};
pub use log::{ClientAddress, Format, Level, Log};
pub use outline::{CertificateFiles, Outline, kinds_over_tls};
pub use report::{Finding, Report, Severity, line_and_column};
pub use schema::schema;
pub use sip::{PublicAddress, Sip};
pub use target_tls::{TargetTls, Verify};
pub use tls::{Tls, TlsVersion};
pub use urls::{Elsewhere, UrlEntry, Urls};
pub use value::{Fingerprint, FromText, Size, Target};

/// A whole configuration, every value checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file that it was read from, and will be read from again.
    pub path: PathBuf,
    /// When, and what was in it.
    pub reading: Reading,
    /// Where to listen, and for what.
    pub listeners: Vec<Listener>,
    /// Who may stand between the clients and these.
    pub proxies: Proxies,
    /// Of each listening socket.
    pub backlog: u16,
    /// What TLS clients get to see.
    pub tls: Tls,
    /// What targets get to see, where they may.
    pub client_key: Option<Arc<CertifiedKey>>,
    /// `ldap.require-tls`: no bind is taken in clear.
    pub ldap_requires_tls: bool,
    /// `sip.public-address`: where phones reach this proxy.
    pub sip_public_address: PublicAddress,
    /// The enabled rows, in the order of the file.
    pub hosts: Vec<Arc<Host>>,
    /// The other rows, only for show: no file that they name was read.
    pub disabled_hosts: Vec<Arc<Host>>,
    /// When a source is shut out.
    pub guard: Guard,
    /// Where the running proxy can be administered.
    pub admin: Admin,
    /// Who may do so over TCP.
    pub access: Access,
    /// What changes at run time is kept there; none: nothing is kept.
    pub state_directory: Option<PathBuf>,
    /// Caps and time-outs.
    pub limits: Limits,
    /// Where figures are told over TCP.
    pub metrics: Vec<SocketAddr>,
    /// What is logged.
    pub log: Log,
    /// Worker threads; none: one a core.
    pub workers: Option<usize>,
    /// How they share the work.
    pub runtime: Runtime,
}

/// How a file was when it was read.
#[derive(Clone, Debug)]
pub struct Reading {
    /// When.
    pub time: SystemTime,
    /// The SHA-256 of its text.
    pub digest: Fingerprint,
    /// What works, but hardly as meant.
    pub warnings: Vec<String>,
}

impl Config {
    /// Reads and checks the file at `path`; paths in it are relative to its folder.
    /// Warnings come beside the configuration.
    ///
    /// # Errors
    /// What is wrong, with line, column and remedy.
    pub fn load(path: &Path) -> Result<(Self, Report), Report> {
        let text = std::fs::read_to_string(path).map_err(|e| Report::unreadable(path, &e))?;
        Self::parse(&text, path)
    }

    /// Reads and checks `text`, which stands, or could stand, at `path`.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(text: &str, path: &Path) -> Result<(Self, Report), Report> {
        Self::judge(text, path, Severity::Error)
    }

    /// The same as [`Config::load`] for whoever asks what has to be made: certificates and keys that are not there yet are
    /// warnings. What comes out is not to be run.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn load_for_plan(path: &Path) -> Result<(Self, Report), Report> {
        let text = std::fs::read_to_string(path).map_err(|e| Report::unreadable(path, &e))?;
        Self::judge(&text, path, Severity::Warning)
    }

    fn judge(text: &str, path: &Path, absent: Severity) -> Result<(Self, Report), Report> {
        let report = |findings| Report::new(path, text, findings);
        let file = read::read(text).map_err(report)?;
        match check::check(file, text, path, absent) {
            (Some(mut config), warnings) => {
                config.reading.warnings = warnings.iter().map(|warning| warning.message.clone()).collect();
                Ok((config, report(warnings)))
            }
            (None, findings) => Err(report(findings)),
        }
    }

    /// The names that clients can ask for over TLS and that a certificate can hold.
    pub fn names_over_tls(&self) -> Vec<&Name> {
        let reached = |host: &&Arc<Host>| {
            !kinds_over_tls(&self.listeners, |protocol| host.services[protocol].is_some()).is_empty()
        };
        let names = self.hosts.iter().filter(reached).flat_map(|host| &host.names);
        names.filter(|name| outline::in_certificates(name)).collect()
    }
}
