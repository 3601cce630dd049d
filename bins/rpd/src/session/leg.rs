//! Which host, and which way to it: the questions between a name and a connection, the same for all protocols.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use rp_route::leg::{Leg, Transport};

use super::{Session, case::Case};
use crate::{
    alarm::Alarm,
    connect::{self, Wanted, connect},
    open_legs::OpenLeg,
    outcome::{Observation, Reason, Refusal},
    protocol::Protocol,
    proxy_protocol::Addresses,
    state::{Destination, State},
    stream::Stream,
};

/// Whether this source may use the protocol at the host found, and over which leg.
///
/// # Errors
/// Why not: in the order host, networks, port.
pub(super) fn choose<'a>(
    case: &mut Case<'_>,
    protocol: Protocol,
    destination: Option<&'a Arc<Destination>>,
) -> Result<(&'a Arc<Destination>, Leg), Refusal> {
    let Some(destination) = destination else { return Err(unknown(case, protocol)) };
    let host = &destination.host;
    case.record.host = Some(host.clone());
    let not_forwarded = || Refusal::because(Reason::NotForwarded, format_args!("host in line {}", host.line));
    let service = host.services[protocol].as_ref().ok_or_else(not_forwarded)?;
    let source = case.facts.source.ip();
    let allowed = service.networks.as_ref().is_none_or(|networks| networks.contains(source));
    case.asked("networks", allowed, || match (&service.networks, allowed) {
        (None, _) => "every source may use it".to_owned(),
        (Some(_), true) => format!("{source} is among them"),
        (Some(_), false) => format!("{source} is not among them"),
    });
    if !allowed {
        let detail = format!("{source} is not in {protocol}.networks of the host in line {}", host.line);
        return Err(Refusal::because(Reason::NetworkNotAllowed, detail));
    }
    let leg = service.ports.leg(case.incoming()).ok_or_else(not_forwarded)?;
    case.record.leg = Some(leg);
    Ok((destination, leg))
}

/// A name that is known for another protocol is a gap in the configuration; one that is known for none may be an
/// attack. The client is told the same, the administrator is not.
fn unknown(case: &Case<'_>, protocol: Protocol) -> Refusal {
    let Some(name) = case.record.name.as_deref() else { return Refusal::new(Reason::NoName) };
    let elsewhere = Protocol::ALL.into_iter().find_map(|other| case.state.table(other).lookup(name));
    match elsewhere {
        Some(other) => {
            let detail = format!("the host in line {} has no {protocol}", other.host.line);
            Refusal::because(Reason::NotForwarded, detail)
        }
        None => Refusal::new(Reason::UnknownHost),
    }
}

/// The leg of a host that checks certificates: who has `proven` his own name gets the TLS port, where the PBX asks for no
/// password; everybody else the TCP port, where it does. The name comes back with the leg that it opened.
///
/// # Errors
/// There is no port for him.
pub(super) fn by_certificate(
    case: &mut Case<'_>,
    protocol: Protocol,
    destination: &Destination,
    proven: Result<String, String>,
) -> Result<(Leg, Option<String>), Refusal> {
    case.asked("check-certificate", proven.is_ok(), || match &proven {
        Ok(name) => format!("the client has proven to be {name:?}"),
        Err(why) => why.clone(),
    });
    let ports = destination.host.services[protocol].as_ref().map(|service| service.ports).unwrap_or_default();
    let (leg, name) = match (proven, ports.tls, ports.tcp) {
        (Ok(name), Some(port), _) => {
            case.record.certificate = Some(Box::new(Ok(name.clone())));
            (Leg { transport: Transport::Tls, port }, Some(name))
        }
        (Err(why), _, Some(port)) => {
            case.record.certificate = Some(Box::new(Err(why)));
            (Leg { transport: Transport::Tcp, port }, None)
        }
        (Err(why), _, None) => return Err(Refusal::because(Reason::Certificate, why)),
        (Ok(_), None, _) => return Err(Refusal::new(Reason::NotForwarded)),
    };
    case.record.leg = Some(leg);
    Ok((leg, name))
}

/// A place among the connections that the host may have.
///
/// # Errors
/// All are taken.
pub(super) fn place(destination: &Destination, protocol: Protocol) -> Result<OpenLeg, Refusal> {
    destination.legs.begin(protocol).ok_or_else(|| {
        let host = &destination.host;
        let detail = format!(
            "max-connections = {} of the host in line {} are open; raise it if the target can take more",
            host.max_connections.unwrap_or_default(),
            host.line
        );
        Refusal::because(Reason::HostLimit, detail)
    })
}

/// A connection to a host.
pub(super) struct Opened {
    pub(super) stream: Stream,
    pub(super) target: SocketAddr,
    pub(super) place: OpenLeg,
    /// It took so long, TLS included.
    pub(super) after: Duration,
}

/// Connects to the host by the leg chosen, on behalf of `client`.
///
/// # Errors
/// What happened at each target, when none took it.
pub(super) async fn dial(
    state: &State,
    protocol: Protocol,
    destination: &Destination,
    leg: Leg,
    client: &Addresses,
    place: OpenLeg,
    alarm: &mut Alarm,
) -> Result<Opened, connect::Unreachable> {
    let start = Instant::now();
    let (limits, resolver) = (&state.config.limits, &state.resolver);
    let wanted = Wanted { destination, protocol, leg, client, limits, resolver };
    let (stream, target) = connect(&wanted, alarm).await?;
    Ok(Opened { stream, target, place, after: start.elapsed() })
}

/// The same for a session that waits for it.
///
/// # Errors
/// It has as many connections as it may have; or no target took this one.
pub(super) async fn open(
    session: &mut Session,
    protocol: Protocol,
    destination: &Destination,
    leg: Leg,
    alarm: &mut Alarm,
) -> Result<(Stream, OpenLeg), NoLeg> {
    let place = place(destination, protocol).map_err(NoLeg::Full)?;
    let client = Addresses { source: session.facts.source, destination: session.facts.destination };
    // Gone when the connection is there; those who have not said where to need no room for it.
    let dialled = Box::pin(dial(&session.state(), protocol, destination, leg, &client, place, alarm)).await;
    let Opened { stream, target, place, after } = match dialled {
        Ok(opened) => opened,
        Err(unreachable) => {
            session.record.target = unreachable.last;
            return Err(NoLeg::Unreachable(unreachable));
        }
    };
    session.record.target = Some(target);
    session.observe(&Observation::Reached(after));
    Ok((stream, place))
}

/// Why there is no connection to a host.
pub(super) enum NoLeg {
    /// There are as many as there may be.
    Full(Refusal),
    /// No target took it.
    Unreachable(connect::Unreachable),
}

impl From<NoLeg> for Refusal {
    fn from(none: NoLeg) -> Self {
        match none {
            NoLeg::Full(refusal) => refusal,
            NoLeg::Unreachable(unreachable) => Self::because(Reason::TargetUnreachable, unreachable),
        }
    }
}
