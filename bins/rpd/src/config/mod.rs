//! The configuration: text in, checked values out.
//!
//! A file is read whole or not at all, in stages: syntax; keys and types (`read`); meaning (`check`);
//! the files it names. Each stage tells all its errors at once, and runs only if the one before was clean.

mod check;
mod file;
mod read;
mod report;
mod value;

use std::{
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::Arc,
};

use rp_route::{
    leg::Ports,
    name::Name,
    network::Networks,
    url::{Nearest, Prefixes},
};
use rustls::sign::CertifiedKey;

pub use file::{EncodedSlash, Format, Idle, Keepalive, Level, Limits, Log, Runtime, TlsVersion};
pub use report::{Finding, Report, Severity, line_and_column};
pub use value::{Fingerprint, FromText, Size, Target};

use crate::{
    protocol::{Kind, PerProtocol, Protocol},
    tls::{Certificate, TrustList},
};

/// A whole configuration, every value checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen, and for what.
    pub listeners: Vec<Listener>,
    /// Of each listening socket.
    pub backlog: u16,
    /// What TLS clients get to see.
    pub tls: Tls,
    /// What targets get to see, where they may.
    pub client_key: Option<Arc<CertifiedKey>>,
    /// `ldap.require-tls`: no bind is taken in clear.
    pub ldap_requires_tls: bool,
    /// The enabled rows, in the order of the file.
    pub hosts: Vec<Arc<Host>>,
    /// Caps and time-outs.
    pub limits: Limits,
    /// What is logged.
    pub log: Log,
    /// Worker threads; none: one a core.
    pub workers: Option<usize>,
    /// How they share the work.
    pub runtime: Runtime,
}

/// One listening address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listener {
    /// What is spoken there.
    pub kind: Kind,
    /// Where.
    pub address: SocketAddr,
}

/// The server side of TLS.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// Chosen by SNI; the first is the default, if none is marked.
    pub certificates: Vec<Certificate>,
    /// What certificates of clients must lead to; none: none is trusted.
    pub trust_list: Option<Arc<TrustList>>,
    /// Listeners that ask for a client certificate.
    pub request_client_certificate: Vec<Kind>,
    /// The oldest version spoken.
    pub min_version: TlsVersion,
}

/// One row of the table of hosts.
#[derive(Clone, Debug)]
pub struct Host {
    /// Its line in the file, for messages.
    pub line: usize,
    /// What is compared with the name in a message. Empty only where `default` is set.
    pub names: Vec<Name>,
    /// Tried in this order.
    pub targets: Vec<Target>,
    /// What is forwarded to it; none: that protocol is not.
    pub services: PerProtocol<Option<Service>>,
    /// `h323.any-location`: it takes `id/location` for every location without a host of its own.
    pub any_location: bool,
    /// `h323.check-certificate`: only a phone that shows a trusted certificate of its name gets the TLS leg.
    pub check_certificate: bool,
    /// `h323.serial-names`: `IPxxx-aa-bb-cc` in a certificate is the phone `009033aabbcc`.
    pub serial_names: bool,
    /// `ldap.user-at-domain`: a bind name `user@domain` names it too.
    pub user_at_domain: bool,
    /// `ldap.suspicious-results`: results of binds that are told, and those after SASL binds alone.
    pub suspicious_results: (Vec<i32>, Vec<i32>),
    /// `http.encoded-slash`: whether `%2f` in a path is passed.
    pub encoded_slash: bool,
    /// `http.urls`; none: every URL.
    pub urls: Option<Urls>,
    /// The administrator's note.
    pub comment: String,
    /// Protocols whose requests without a host of their own it takes.
    pub default: Vec<Protocol>,
    /// How its certificate is judged; set where a `tls` port is.
    pub tls: Option<TargetTls>,
    /// The local address towards it.
    pub source_address: Option<IpAddr>,
}

impl Host {
    /// What it is called in logs: its first name.
    pub fn label(&self) -> &str {
        self.names.first().map_or("default", Name::as_str)
    }
}

/// One protocol of a host.
#[derive(Clone, Debug)]
pub struct Service {
    /// Ports of the target.
    pub ports: Ports,
    /// Who may use it; none: everybody.
    pub networks: Option<Networks>,
}

/// The allowed URLs of a host.
#[derive(Clone, Debug)]
pub struct Urls {
    /// The compiled matcher.
    pub matcher: Prefixes,
    /// The entries as written, in the matcher's order.
    pub entries: Vec<String>,
}

impl Urls {
    /// Why no entry allows this path, for the log.
    pub fn why_not(&self, path: &[u8]) -> String {
        let entry = |at: usize| self.entries.get(at).map_or("", String::as_str);
        match self.matcher.nearest(path) {
            Some(Nearest::ClosingSlash(at)) => {
                format!("the entry {:?} ends in /, so it allows no further /", entry(at))
            }
            Some(Nearest::Head(at)) => format!("the nearest entry is {:?}", entry(at)),
            None => "urls is empty".to_owned(),
        }
    }
}

/// How a target's certificate is judged, and what it sees of ours.
#[derive(Clone, Debug)]
pub struct TargetTls {
    /// The rule.
    pub verify: Verify,
    /// The name that its certificate must hold, and SNI.
    pub server_name: Option<String>,
    /// Whether our certificate is shown when it asks.
    pub present_certificate: bool,
}

/// When a target's certificate is good.
#[derive(Clone, Debug)]
pub enum Verify {
    /// A path to one of these, or one of these itself.
    TrustList(Arc<TrustList>),
    /// One of exactly these.
    Fingerprint(Vec<Fingerprint>),
    /// Always.
    None,
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
        let folder = path.parent().unwrap_or(Path::new(""));
        let report = |findings| Report::new(path, text, findings);
        let file = read::read(text).map_err(report)?;
        match check::check(file, text, folder) {
            (Some(config), warnings) => Ok((config, report(warnings))),
            (None, findings) => Err(report(findings)),
        }
    }
}
