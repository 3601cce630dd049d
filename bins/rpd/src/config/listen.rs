//! `[listen]`: where to listen, and for what.

#![allow(missing_docs, reason = "the keys are described where they are read by people: docs/CONFIG.md")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use rp_route::{
    leg::Ports,
    network::{Network, Networks},
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    check::Check,
    host::HostRow,
    value::{Bind, Binds, OneOrMany, Spanned, Target, Text},
};
use crate::protocol::{ListenerKind, Protocol};

/// One listening address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listener {
    /// What is spoken there.
    pub kind: ListenerKind,
    /// Where.
    pub address: SocketAddr,
}

/// The proxies in front of this one.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    /// Who may say whom they speak for.
    pub trusted: Networks,
    /// Listeners where they say it by a PROXY header.
    pub with_header: Vec<ListenerKind>,
}

impl Proxies {
    /// Whether a connection of this peer must begin with a PROXY header.
    pub fn expect_header(&self, kind: ListenerKind, peer: IpAddr) -> bool {
        self.with_header.contains(&kind) && self.trusted.contains(peer)
    }
}

/// `[listen]`: no port, no service.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ListenTable {
    pub h323: Option<Spanned<Binds>>,
    pub h323s: Option<Spanned<Binds>>,
    pub sip: Option<Spanned<Binds>>,
    pub sips: Option<Spanned<Binds>>,
    pub ldap: Option<Spanned<Binds>>,
    pub ldaps: Option<Spanned<Binds>>,
    pub http: Option<Spanned<Binds>>,
    pub https: Option<Spanned<Binds>>,
    pub any: Option<Spanned<Binds>>,
    pub ipv4: Spanned<bool>,
    pub ipv6: Spanned<bool>,
    pub trusted_proxies: Vec<Text<Network>>,
    pub proxy_protocol: Vec<Spanned<String>>,
    pub backlog: u16,
}

impl Default for ListenTable {
    fn default() -> Self {
        Self {
            h323: None,
            h323s: None,
            sip: None,
            sips: None,
            ldap: None,
            ldaps: None,
            http: None,
            https: None,
            any: None,
            ipv4: Spanned::unwritten(true),
            ipv6: Spanned::unwritten(true),
            trusted_proxies: Vec::new(),
            proxy_protocol: Vec::new(),
            backlog: 1024,
        }
    }
}

impl ListenTable {
    /// The listeners, in the order of [`ListenerKind::all`].
    fn rows(&self) -> [&Option<Spanned<Binds>>; 9] {
        let Self { h323, h323s, sip, sips, ldap, ldaps, http, https, any, .. } = self;
        [h323, h323s, sip, sips, ldap, ldaps, http, https, any]
    }
}

impl Check<'_> {
    pub(super) fn listeners(&mut self, listen: &ListenTable) -> Vec<Listener> {
        let families = Families { ipv4: *listen.ipv4.get_ref(), ipv6: *listen.ipv6.get_ref() };
        if !families.ipv4 && !families.ipv6 {
            self.error(
                listen.ipv6.span(),
                "listen.ipv4 and listen.ipv6 are both off, so nothing is listened on; write ipv4 = true",
            );
        }
        let mut listeners: Vec<Listener> = Vec::new();
        for (kind, binds) in ListenerKind::all().zip(listen.rows()) {
            let Some(binds) = binds else { continue };
            for address in addresses(binds.get_ref(), &families) {
                if let Some(other) = listeners.iter().find(|other| clash(other.address, address)) {
                    let message =
                        format!("listen.{kind} and listen.{} both want port {}", other.kind, address.port());
                    self.error(binds.span(), message);
                }
                listeners.push(Listener { kind, address });
            }
        }
        listeners
    }

    pub(super) fn listeners_without_hosts(&mut self, listen: &ListenTable, hosts: &[Spanned<HostRow>]) {
        let forwarded = |protocol: &Protocol| {
            let mut enabled = hosts.iter().map(Spanned::get_ref).filter(|host| host.enabled);
            enabled.any(|host| host.forwards(*protocol))
        };
        for (kind, binds) in ListenerKind::all().zip(listen.rows()) {
            let Some(binds) = binds else { continue };
            let mut taken = Protocol::ALL.iter().filter(|protocol| kind.takes_protocol(**protocol));
            if !taken.any(forwarded) {
                let wanted = kind.protocol().unwrap_or(Protocol::Http);
                let message = format!(
                    "listen.{kind} is open, but no host has {}: everybody is refused there; write {wanted} = {{ … }} in a [[host]], or leave listen.{kind} out",
                    kind.protocol().map_or("any protocol", Protocol::as_str)
                );
                self.warning(binds.span(), message);
            }
        }
    }

    pub(super) fn proxies(&mut self, listen: &ListenTable, listeners: &[Listener]) -> Proxies {
        let trusted = Networks::new(listen.trusted_proxies.iter().map(|network| network.0));
        let mut with_header = Vec::new();
        for name in &listen.proxy_protocol {
            let Some(kind) = ListenerKind::all().find(|kind| kind.as_str() == name.get_ref()) else {
                let message = format!(
                    "{:?} is no listener; write h323, h323s, sip, sips, ldap, ldaps, http, https or any",
                    name.get_ref()
                );
                self.error(name.span(), message);
                continue;
            };
            if listen.trusted_proxies.is_empty() {
                let message = "proxy-protocol without trusted-proxies: nobody's header would be read; write trusted-proxies = [\"192.0.2.1\"]";
                self.error(name.span(), message);
            } else if !listeners.iter().any(|listener| listener.kind == kind) {
                let message =
                    format!("{kind} is not listened for; write listen.{kind}, or leave it out here");
                self.warning(name.span(), message);
            }
            with_header.push(kind);
        }
        Proxies { trusted, with_header }
    }

    /// For what is not meant for everybody: a bare port would be one of every address, and `why` says what is wrong with
    /// that.
    pub(super) fn written_addresses(&mut self, binds: &Spanned<Binds>, why: &str) -> Vec<SocketAddr> {
        let mut addresses = Vec::new();
        for bind in &binds.get_ref().0 {
            match bind {
                Bind::Address(address) => addresses.push(*address),
                Bind::Port(port) => self.error(
                    binds.span(),
                    format!("{why}; write the address too, such as \"127.0.0.1:{port}\""),
                ),
            }
        }
        addresses
    }

    /// A target must not be a listener of ours.
    pub(super) fn targets_elsewhere(
        &mut self,
        targets: &Spanned<OneOrMany<Target>>,
        ports: Ports,
        listeners: &[Listener],
    ) {
        for target in &targets.get_ref().0 {
            for port in [ports.tcp, ports.tls].into_iter().flatten() {
                if let Some(own) = listeners.iter().find(|own| is_own(own.address, target, port)) {
                    let message = format!(
                        "{target}:{port} is our own listener {}: every request would come back",
                        own.kind
                    );
                    self.error(targets.span(), message);
                }
            }
        }
    }
}

struct Families {
    ipv4: bool,
    ipv6: bool,
}

fn addresses(binds: &Binds, families: &Families) -> Vec<SocketAddr> {
    let any4 = families.ipv4.then_some(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let any6 = families.ipv6.then_some(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
    binds
        .0
        .iter()
        .flat_map(|bind| match *bind {
            Bind::Address(address) => vec![address],
            Bind::Port(port) => {
                [any4, any6].into_iter().flatten().map(|ip| SocketAddr::new(ip, port)).collect()
            }
        })
        .collect()
}

/// Whether two listening addresses cannot both be had.
pub fn clash(a: SocketAddr, b: SocketAddr) -> bool {
    let overlap = a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified();
    a.port() != 0 && a.port() == b.port() && a.is_ipv4() == b.is_ipv4() && overlap
}

/// Whether a target is one of our own listeners.
fn is_own(listener: SocketAddr, target: &Target, port: u16) -> bool {
    let Target::Address(ip) = target else { return false };
    let same = listener.ip() == *ip || (listener.ip().is_unspecified() && ip.is_loopback());
    listener.port() == port && listener.is_ipv4() == ip.is_ipv4() && same
}
