//! `--connect`: every target on every port, as a connection of a client would reach it.

use std::{net::SocketAddr, sync::Arc};

use rp_route::leg::{Leg, Ports, Transport};

use super::{Look, Verdict};
use crate::{
    alarm::Alarm,
    cli::probe::Shown,
    config::{Config, Host},
    connect::{Resolver, Wanted, connect},
    open_legs::OpenLegs,
    protocol::Protocol,
    proxy_protocol::Addresses,
    state::Destination,
};

pub(super) async fn look(config: &Config) -> Vec<Look> {
    let resolver = Resolver::default();
    // To a target that wants a PROXY header we are a client of our own.
    let nobody = SocketAddr::from(([127, 0, 0, 1], 0));
    let client = Addresses { source: nobody, destination: nobody };
    let mut looks = Vec::new();
    for way in config.hosts.iter().flat_map(|host| ways(config, host)) {
        let Way { destination, protocol, leg } = way;
        let host = &destination.host;
        let over = match leg.transport {
            Transport::Tcp => "",
            Transport::Tls => " over TLS",
        };
        let target = host.targets.first().map(ToString::to_string).unwrap_or_default();
        let what = format!("{} {protocol}{over} at {target}:{}", host.label(), leg.port);
        let (limits, resolver) = (&config.limits, &resolver);
        let wanted = Wanted { destination: &destination, protocol, leg, client: &client, limits, resolver };
        let connected = connect(&wanted, &mut Alarm::default()).await;
        let (verdict, found) = match connected {
            Ok((stream, _)) => {
                (Verdict::Good, Shown::of(&stream, false).map_or("connected".to_owned(), shown))
            }
            Err(error) => (Verdict::Bad, error.to_string()),
        };
        looks.push(Look { verdict, line: host.line, what, found });
    }
    looks
}

fn shown(shown: Shown) -> String {
    let name = shown.common_name.map_or("without a name".to_owned(), |name| format!("{name:?}"));
    let days = shown.days_left.map_or(String::new(), |days| format!(", {days} days left"));
    format!("{}, certificate {name}{days}", shown.version)
}

/// One target, one port.
struct Way {
    destination: Destination,
    protocol: Protocol,
    leg: Leg,
}

fn ways(config: &Config, host: &Arc<Host>) -> Vec<Way> {
    let mut ways = at_each_target(config, host, &Protocol::ALL);
    let whole = destination(config, host);
    let entries = host.http.urls.as_ref().map_or(0, |urls| urls.entries.len());
    for elsewhere in (0..entries).filter_map(|entry| whole.elsewhere(entry)) {
        ways.extend(at_each_target(config, &elsewhere.host, &[Protocol::Http]));
    }
    ways
}

fn at_each_target(config: &Config, host: &Arc<Host>, protocols: &[Protocol]) -> Vec<Way> {
    let mut ways = Vec::new();
    for target in &host.targets {
        let alone = Arc::new(Host { targets: vec![target.clone()], ..Host::clone(host) });
        for protocol in protocols.iter().copied() {
            let Some(service) = &host.services[protocol] else { continue };
            for leg in legs(service.ports) {
                ways.push(Way { destination: destination(config, &alone), protocol, leg });
            }
        }
    }
    ways
}

fn destination(config: &Config, host: &Arc<Host>) -> Destination {
    Destination::new(config, host.clone(), Arc::new(OpenLegs::new(Arc::default())), &Arc::default())
}

fn legs(ports: Ports) -> impl Iterator<Item = Leg> {
    let leg = |transport, port: Option<u16>| port.map(|port| Leg { transport, port });
    [leg(Transport::Tcp, ports.tcp), leg(Transport::Tls, ports.tls)].into_iter().flatten()
}
