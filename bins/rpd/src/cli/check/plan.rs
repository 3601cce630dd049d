//! `--plan`: what others have to set before clients get here, and before what they want lets us in.

use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, SocketAddr, UdpSocket},
};

use rp_route::leg::Transport;
use serde::Serialize;

use super::dns;
use crate::{
    config::{Config, Host, Target},
    protocol::{Kind, ListenerKind, Protocol},
    tls,
};

/// All of it, in the order in which it is set.
#[derive(Serialize)]
pub(super) struct Plan {
    public: Vec<IpAddr>,
    port_maps: Vec<PortMap>,
    names: Vec<NameEntry>,
    certificate: Vec<CertificateName>,
    flows: Vec<Flow>,
    proxy_entries: Vec<ProxyEntry>,
}

/// A port of the router that leads here.
#[derive(Serialize)]
struct PortMap {
    outside: u16,
    inside: u16,
    listener: &'static str,
}

/// A name in DNS, and where it has to lead clients inside.
#[derive(Serialize)]
struct NameEntry {
    name: String,
    inside: Vec<String>,
    gatekeeper_id: bool,
}

#[derive(Serialize)]
struct CertificateName {
    name: String,
    held: bool,
}

/// What the firewall between this proxy and a target lets through.
#[derive(Serialize)]
struct Flow {
    target: String,
    ports: Vec<u16>,
}

/// What a PBX's list of reverse proxies has to hold.
#[derive(Serialize)]
struct ProxyEntry {
    pbx: String,
    entry: String,
}

impl Plan {
    pub(super) fn new(config: &Config, public: &[IpAddr]) -> Self {
        Self {
            public: public.to_vec(),
            port_maps: port_maps(config),
            names: names(config),
            certificate: certificate(config),
            flows: flows(config),
            proxy_entries: proxy_entries(config),
        }
    }
}

fn port_maps(config: &Config) -> Vec<PortMap> {
    let mut maps: Vec<PortMap> = Vec::new();
    for listener in &config.listeners {
        let map = PortMap {
            outside: usual_port(listener.kind).unwrap_or(listener.address.port()),
            inside: listener.address.port(),
            listener: listener.kind.as_str(),
        };
        // A bare port is listened on in both families.
        if !maps.iter().any(|other| (other.inside, other.listener) == (map.inside, map.listener)) {
            maps.push(map);
        }
    }
    maps
}

fn names(config: &Config) -> Vec<NameEntry> {
    let identifiers = dns::gatekeeper_ids(config);
    let entry = |(host, name): (&Host, &str)| NameEntry {
        name: name.to_owned(),
        inside: host.targets.iter().map(ToString::to_string).collect(),
        gatekeeper_id: identifiers.contains(name),
    };
    dns::asked_for(config).into_iter().map(entry).collect()
}

fn certificate(config: &Config) -> Vec<CertificateName> {
    let ends = config.tls.certificates.iter().filter_map(|certificate| certificate.key.cert.first());
    let held: Vec<String> = ends.clone().flat_map(|der| tls::certificate_names(der)).collect();
    let addresses: Vec<IpAddr> = ends.flat_map(|der| tls::addresses(der)).collect();
    let holds = |name: &rp_route::name::Name| match name.address() {
        Some(address) => addresses.contains(&address),
        None => held.iter().any(|pattern| tls::covers(pattern, name.as_str())),
    };
    let names = config.names_over_tls().into_iter();
    names.map(|name| CertificateName { name: name.as_str().to_owned(), held: holds(name) }).collect()
}

fn flows(config: &Config) -> Vec<Flow> {
    let mut flows: BTreeMap<String, Vec<u16>> = BTreeMap::new();
    let mut add = |targets: &[Target], ports: rp_route::leg::Ports| {
        for target in targets {
            flows.entry(target.to_string()).or_default().extend([ports.tcp, ports.tls].into_iter().flatten());
        }
    };
    for host in &config.hosts {
        for service in Protocol::ALL.iter().filter_map(|protocol| host.services[*protocol].as_ref()) {
            add(&host.targets, service.ports);
        }
        let entries = host.http.urls.iter().flat_map(|urls| &urls.entries);
        for elsewhere in entries.filter_map(|entry| entry.elsewhere.as_ref()) {
            add(&elsewhere.targets, elsewhere.ports);
        }
    }
    let flow = |(target, mut ports): (String, Vec<u16>)| {
        ports.sort_unstable();
        ports.dedup();
        Flow { target, ports }
    };
    flows.into_iter().map(flow).collect()
}

/// A PBX is what takes registrations.
fn proxy_entries(config: &Config) -> Vec<ProxyEntry> {
    let subject = match &config.client_key {
        Some(key) => key.cert.first().and_then(|der| tls::common_name(der)),
        None if config.tls.files.is_empty() => None,
        None => Some("(subject of the certificate that is still to be made)".to_owned()),
    };
    let mut entries = Vec::new();
    let takes_phones = |host: &&std::sync::Arc<Host>| {
        host.services[Protocol::H323].is_some() || host.services[Protocol::Sip].is_some()
    };
    for host in config.hosts.iter().filter(takes_phones) {
        let shown = host.tls.as_ref().filter(|tls| tls.present_certificate).and(subject.as_ref());
        let subject = shown.map_or(String::new(), |subject| format!("/{subject}"));
        for target in &host.targets {
            let source = host.source_address.or_else(|| source_towards(target)).map_or_else(
                || format!("(the address of this machine towards {target})"),
                |address| address.to_string(),
            );
            entries.push(ProxyEntry {
                pbx: format!("{} at {target}", host.label()),
                entry: format!("{source}{subject}"),
            });
        }
    }
    entries
}

/// The address that this machine has for packets to the target: a UDP socket finds out without sending one.
fn source_towards(target: &Target) -> Option<IpAddr> {
    let Target::Address(address) = target else { return None };
    let any: IpAddr = if address.is_ipv4() { [0, 0, 0, 0].into() } else { [0; 16].into() };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(SocketAddr::new(*address, 9)).ok()?;
    socket.local_addr().ok().map(|local| local.ip())
}

/// The port that clients use unless they are told another; none where they have to be told.
fn usual_port(kind: ListenerKind) -> Option<u16> {
    let ListenerKind::Only(Kind { protocol, transport }) = kind else { return None };
    Some(match (protocol, transport) {
        (Protocol::H323, Transport::Tcp) => 1720,
        (Protocol::H323, Transport::Tls) => 1300,
        (Protocol::Sip, Transport::Tcp) => 5060,
        (Protocol::Sip, Transport::Tls) => 5061,
        (Protocol::Ldap, Transport::Tcp) => 389,
        (Protocol::Ldap, Transport::Tls) => 636,
        (Protocol::Http, Transport::Tcp) => 80,
        (Protocol::Http, Transport::Tls) => 443,
    })
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let public =
            if self.public.is_empty() { "the public address".to_owned() } else { dns::list(&self.public) };
        writeln!(f, "Port maps of the router, where there is one before this machine:")?;
        for PortMap { outside, inside, listener } in &self.port_maps {
            writeln!(f, "  tcp {outside:<5} -> tcp {inside:<5} here ({listener})")?;
        }
        writeln!(f, "  udp 3478  -> udp 3478  of the TURN server, never here")?;
        writeln!(f, "  tcp 3478  -> tcp 3478  of the TURN server, never here")?;
        writeln!(f, "\nNames in DNS (outside: {public}):")?;
        for NameEntry { name, inside, gatekeeper_id } in &self.names {
            let only = if *gatekeeper_id { "; as a gatekeeper identifier it needs no entry" } else { "" };
            writeln!(f, "  {name}: outside {public}; inside {}{only}", inside.join(", "))?;
        }
        writeln!(f, "\nNames that the certificate must hold:")?;
        for CertificateName { name, held } in &self.certificate {
            writeln!(f, "  {name}{}", if *held { "" } else { " (missing now)" })?;
        }
        writeln!(f, "\nFirewall, besides the port maps:")?;
        for Flow { target, ports } in &self.flows {
            let ports: Vec<String> = ports.iter().map(ToString::to_string).collect();
            writeln!(f, "  this machine -> {target} tcp {}", ports.join(" "))?;
        }
        writeln!(f, "  media do not pass here: docs/SETUP.md says which ports STUN, TURN and RTP need")?;
        writeln!(f, "\nReverse Proxy Addresses of each PBX (at most 8 there; addresses only, no names):")?;
        for ProxyEntry { pbx, entry } in &self.proxy_entries {
            writeln!(f, "  {pbx}: {entry}")?;
        }
        writeln!(f, "  and the Reverse Proxy mark at each device that may come from outside\n")
    }
}
