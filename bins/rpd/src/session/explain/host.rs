//! The host in an explanation, and the way to it.

use std::sync::Arc;

use rp_route::{
    leg::{Leg, Ports, Transport},
    name::Name,
};

use super::{HostTold, LegTold};
use crate::{
    config::Host,
    outcome::{Reason, Refusal},
    protocol::Protocol,
    state::{Destination, State},
};

/// The host found by this name.
pub(super) fn host_told(
    state: &State,
    protocol: Option<Protocol>,
    name: Option<&str>,
    host: &Host,
) -> HostTold {
    let named = protocol.zip(name).is_some_and(|(protocol, name)| {
        let table = state.table(protocol);
        table.lookup(name).or_else(|| table.lookup_gatekeeper(name, |_| true)).is_some()
    });
    HostTold {
        name: host.label().to_owned(),
        line: host.line,
        comment: host.comment.clone(),
        default: !named,
    }
}

/// Why this leg.
pub(super) fn way(
    destination: &Destination,
    protocol: Option<Protocol>,
    leg: Leg,
    over: Transport,
    certificate: Option<&Result<String, String>>,
) -> LegTold {
    let host = &destination.host;
    let service = protocol.and_then(|protocol| host.services[protocol].as_ref());
    let because = match (certificate, service.map(|service| service.ports)) {
        (Some(Ok(name)), _) => {
            format!("the certificate proves the name {name:?}, so the service need not ask for a password")
        }
        (Some(Err(why)), _) => {
            format!("{why}; so the leg is in clear, and the service asks for the password")
        }
        (None, Some(Ports { tcp: Some(_), tls: Some(_) })) => match over {
            Transport::Tcp => "the host takes both kinds, and the client came in clear".to_owned(),
            Transport::Tls => "the host takes both kinds, and the client came over TLS".to_owned(),
        },
        _ => "the host has no other port".to_owned(),
    };
    let targets = host.targets.iter().map(ToString::to_string).collect();
    LegTold { over: leg.transport, port: leg.port, targets, because }
}

/// The names that there are, where none was found.
pub(super) fn known_names(state: &State, protocol: Option<Protocol>, refusal: &Refusal) -> Option<String> {
    let protocol = protocol?;
    if !matches!(refusal.reason, Reason::UnknownHost | Reason::NoName) {
        return None;
    }
    let serves = |host: &&Arc<Host>| host.services[protocol].is_some();
    let hosts = state.config.hosts.iter().filter(serves);
    let names: Vec<&str> = hosts.flat_map(|host| &host.names).map(Name::as_str).collect();
    let (shown, more) = names.split_at(names.len().min(NAMES));
    let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
    Some(match shown {
        [] => format!("no host has {protocol}"),
        _ => format!("names with {protocol}: {}{more}", shown.join(", ")),
    })
}

/// So many names are told.
const NAMES: usize = 12;
