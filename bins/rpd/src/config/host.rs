//! `[[host]]`: one row of the table of hosts, and what holds for every protocol of it.

#![allow(missing_docs, reason = "the keys are described where they are read by people: docs/CONFIG.md")]

use std::{
    collections::HashMap,
    net::IpAddr,
    num::{NonZeroU16, NonZeroU32},
    ops::Range,
};

use rp_route::{
    leg::Ports,
    name::Name,
    network::{Network, Networks},
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    check::Check,
    h323::{H323, H323Row},
    http::{Http, HttpRow},
    ldap::{Ldap, LdapRow},
    listen::Listener,
    report::Finding,
    sip::{Sip, SipRow, SipTable},
    target_tls::{TargetTls, TargetTlsTable},
    value::{OneOrMany, Spanned, Target, Text, yes},
};
use crate::{
    protocol::{PerProtocol, Protocol},
    proxy_protocol::Version,
};

/// One row of the table of hosts, checked.
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
    /// What only H.323 asks.
    pub h323: H323,
    /// What only SIP asks.
    pub sip: Sip,
    /// What only LDAP asks.
    pub ldap: Ldap,
    /// What only HTTP asks.
    pub http: Http,
    /// The administrator's note.
    pub comment: String,
    /// Protocols whose requests without a host of their own it takes.
    pub default: Vec<Protocol>,
    /// How its certificate is judged; set where a `tls` port is.
    pub tls: Option<TargetTls>,
    /// The local address towards it.
    pub source_address: Option<IpAddr>,
    /// Connections to its targets at the same time.
    pub max_connections: Option<u32>,
}

impl Host {
    /// What it is called in logs: its first name.
    pub fn label(&self) -> &str {
        self.names.first().map_or("default", Name::as_str)
    }

    /// Whether it has come from that row in another reading of the file: no two rows have a name and a protocol in common.
    pub fn descends_from(&self, former: &Self) -> bool {
        let both = |protocol| self.services[protocol].is_some() && former.services[protocol].is_some();
        self.label() == former.label() && Protocol::ALL.into_iter().any(both)
    }

    /// Whether this is that row, if only of another reading of the file: what leads to one leads to the other, by the
    /// same rules.
    pub fn is(&self, other: &Self, protocol: Protocol) -> bool {
        self.label() == other.label()
            && self.targets == other.targets
            && self.services[protocol] == other.services[protocol]
            && self.h323 == other.h323
            && self.sip.check_certificate == other.sip.check_certificate
    }
}

/// One protocol of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Ports of the target.
    pub ports: Ports,
    /// Who may use it; none: everybody.
    pub networks: Option<Networks>,
    /// The PROXY header that each connection begins with.
    pub send_proxy: Option<Version>,
}

/// `[[host]]`: one row of the table of hosts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct HostRow {
    #[serde(default)]
    pub names: Vec<Spanned<Text<Name>>>,
    pub target: Spanned<OneOrMany<Target>>,
    pub h323: Option<Spanned<H323Row>>,
    pub sip: Option<Spanned<SipRow>>,
    pub ldap: Option<Spanned<LdapRow>>,
    pub http: Option<Spanned<HttpRow>>,
    pub tls: Option<Spanned<TargetTlsTable>>,
    #[serde(default)]
    pub default: Vec<Spanned<Protocol>>,
    pub source_address: Option<Text<IpAddr>>,
    pub max_connections: Option<NonZeroU32>,
    #[serde(default = "yes")]
    pub enabled: bool,
    #[serde(default)]
    pub comment: String,
}

impl HostRow {
    /// Whether the row has a table for this protocol.
    pub(super) fn forwards(&self, protocol: Protocol) -> bool {
        match protocol {
            Protocol::H323 => self.h323.is_some(),
            Protocol::Sip => self.sip.is_some(),
            Protocol::Ldap => self.ldap.is_some(),
            Protocol::Http => self.http.is_some(),
        }
    }
}

/// A protocol of a host row, whichever table it came from.
struct ServiceRow<'a> {
    protocol: Protocol,
    span: Range<usize>,
    ports: Ports,
    networks: Option<&'a Vec<Text<Network>>>,
    send_proxy: Option<Version>,
}

impl Check<'_> {
    pub(super) fn hosts(&mut self, rows: &[Spanned<HostRow>], listeners: &[Listener]) {
        let mut seen: HashMap<(Protocol, Name), usize> = HashMap::new();
        let mut defaults: HashMap<Protocol, usize> = HashMap::new();
        for row in rows {
            self.host_alone(row, listeners);
            if !row.get_ref().enabled {
                continue;
            }
            for service in services(row.get_ref()) {
                for name in &row.get_ref().names {
                    let place = (service.protocol, name.get_ref().0.clone());
                    if let Some(other) = seen.insert(place, name.span().start) {
                        let line = self.line(other);
                        self.error(
                            name.span(),
                            format!(
                                "{} already has {} in line {line}: a name belongs to one host",
                                name.get_ref().0,
                                service.protocol
                            ),
                        );
                    }
                }
            }
            for protocol in &row.get_ref().default {
                if let Some(other) = defaults.insert(*protocol.get_ref(), protocol.span().start) {
                    let line = self.line(other);
                    self.error(
                        protocol.span(),
                        format!("line {line} has the default host for {} already", protocol.get_ref()),
                    );
                }
            }
        }
    }

    fn host_alone(&mut self, row: &Spanned<HostRow>, listeners: &[Listener]) {
        let host = row.get_ref();
        let services = services(host);
        if host.names.is_empty() && host.default.is_empty() {
            self.error(row.span(), "the host has no names; write names = [\"example.com\"]");
        }
        if services.is_empty() {
            self.error(row.span(), "nothing is forwarded to this host; write h323, sip, ldap or http with its ports, such as http = { tcp = 80 }");
        }
        for service in &services {
            self.service(service, host, listeners);
        }
        for protocol in &host.default {
            if !services.iter().any(|service| service.protocol == *protocol.get_ref()) {
                let message = format!(
                    "default = [\"{0}\"], but the host has no {0}; write {0} = {{ tcp = … }}",
                    protocol.get_ref()
                );
                self.error(protocol.span(), message);
            }
        }
        if let Some(tls) = &host.tls {
            self.target_tls(tls);
        }
        if let Some(http) = &host.http {
            self.http(http.get_ref(), listeners);
        }
        if tells_a_secret(&host.comment) {
            self.warning(row.span(), "the comment looks as if it held a password: comments are shown in the log and on the page; leave it out");
        }
        if host.h323.is_some()
            && let Some(long) = host.names.iter().find(|name| name.get_ref().0.as_str().len() > GATEKEEPER_ID)
        {
            self.error(long.span(), format!("a gatekeeper identifier has at most {GATEKEEPER_ID} characters, so no phone can name this"));
        }
    }

    fn service(&mut self, service: &ServiceRow<'_>, host: &HostRow, listeners: &[Listener]) {
        let protocol = service.protocol;
        if service.ports.tcp.is_none() && service.ports.tls.is_none() {
            let message = format!(
                "{protocol} has no port, so it is not forwarded; write {protocol} = {{ tcp = … }} or leave it out"
            );
            self.error(service.span.clone(), message);
        }
        if service.ports.tls.is_some() && host.tls.is_none() {
            self.findings.push(
                Finding::error(service.span.clone(), format!("{protocol} has a tls port, but nothing says how the target's certificate is judged"))
                    .remedy("write tls = { verify = \"fingerprint\", fingerprints = [\"sha256:…\"] }, or verify = \"trust-list\" or \"none\""),
            );
        }
        self.targets_elsewhere(&host.target, service.ports, listeners);
        if !listeners.iter().any(|listener| listener.kind.takes_protocol(protocol)) {
            let message = format!(
                "{protocol} is forwarded to this host, but not listened for; write listen.{protocol} or listen.{protocol}s"
            );
            self.warning(service.span.clone(), message);
        }
    }

    /// Builds a row that is not in force. The files that it names need not be there.
    pub(super) fn disabled_host(&mut self, row: Spanned<HostRow>, sip: &SipTable) -> Host {
        let found = self.findings.len();
        let host = self.host(row, sip);
        self.findings.truncate(found);
        host
    }

    /// Builds a row that [`Check::hosts`] has found sound.
    pub(super) fn host(&mut self, row: Spanned<HostRow>, sip: &SipTable) -> Host {
        let line = self.line(row.span().start);
        let host = row.into_inner();
        let mut table = PerProtocol::default();
        for service in services(&host) {
            let networks = service.networks.map(|list| Networks::new(list.iter().map(|network| network.0)));
            table[service.protocol] =
                Some(Service { ports: service.ports, networks, send_proxy: service.send_proxy });
        }
        Host {
            line,
            names: host.names.into_iter().map(|name| name.into_inner().0).collect(),
            targets: host.target.into_inner().0,
            services: table,
            h323: host.h323.map(|row| row.get_ref().into()).unwrap_or_default(),
            sip: host.sip.map(|row| Sip::of(row.get_ref(), sip)).unwrap_or_default(),
            ldap: host.ldap.map(|row| row.get_ref().into()).unwrap_or_default(),
            http: host.http.map(|row| self.build_http(row.into_inner())).unwrap_or_default(),
            comment: host.comment,
            default: host.default.into_iter().map(Spanned::into_inner).collect(),
            tls: host.tls.and_then(|tls| self.load_target_tls(tls.into_inner())),
            source_address: host.source_address.map(|address| address.0),
            max_connections: host.max_connections.map(NonZeroU32::get),
        }
    }
}

fn services(host: &HostRow) -> Vec<ServiceRow<'_>> {
    let row = |protocol, span, tcp: Option<NonZeroU16>, tls: Option<NonZeroU16>, networks, send_proxy| {
        let ports = Ports { tcp: tcp.map(NonZeroU16::get), tls: tls.map(NonZeroU16::get) };
        ServiceRow { protocol, span, ports, networks, send_proxy }
    };
    let h323 = host.h323.as_ref().map(|s| (s.span(), s.get_ref()));
    let sip = host.sip.as_ref().map(|s| (s.span(), s.get_ref()));
    let ldap = host.ldap.as_ref().map(|s| (s.span(), s.get_ref()));
    let http = host.http.as_ref().map(|s| (s.span(), s.get_ref()));
    [
        h323.map(|(span, s)| row(Protocol::H323, span, s.tcp, s.tls, s.networks.as_ref(), s.send_proxy)),
        sip.map(|(span, s)| row(Protocol::Sip, span, s.tcp, s.tls, s.networks.as_ref(), s.send_proxy)),
        ldap.map(|(span, s)| row(Protocol::Ldap, span, s.tcp, s.tls, s.networks.as_ref(), s.send_proxy)),
        http.map(|(span, s)| row(Protocol::Http, span, s.tcp, s.tls, s.networks.as_ref(), s.send_proxy)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Whether a comment holds something like `password: 1234`.
fn tells_a_secret(comment: &str) -> bool {
    let comment = comment.to_lowercase();
    SECRETS.iter().any(|word| {
        let after = comment.split(word).skip(1).map(str::trim_start);
        after.into_iter().any(|rest| rest.starts_with([':', '=']))
    })
}

const SECRETS: [&str; 6] = ["password", "passwort", "kennwort", "passwd", "pwd", "secret"];

/// `GatekeeperIdentifier ::= BMPString (SIZE(1..128))`, H.225.0.
const GATEKEEPER_ID: usize = 128;
