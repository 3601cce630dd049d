//! H.323: the gatekeeper identifier of the first GRQ or RRQ, or the domain called by the first Setup, names the host.

pub(super) mod explain;
mod follow;

use std::sync::Arc;

use rp_h323::{Error, Key, Kind, Name, UTF8_MAX, extract, messages};
use rp_route::leg::Leg;

use super::{
    Session,
    case::Case,
    close,
    head::{Deadlines, Framing, Head, Reading},
    leg,
    relay::Relay,
};
use crate::{
    outcome::{End, Reason, Refusal},
    protocol::Protocol,
    state::{Destination, State},
};
use follow::Follow;

/// From the first octet to the relay.
pub(super) async fn serve(session: &mut Session, mut head: Head) -> Result<Box<Relay>, End> {
    let deadlines = Deadlines::of(&session.facts, &session.state().config.limits);
    let reading = Reading { framing: Framing::Lengths, largest: LARGEST, deadlines, cancel: &session.cancel };
    let key = loop {
        match extract(&head.octets) {
            Ok(key) => break key,
            Err(Error::Incomplete(missing)) => reading.more(&mut head, missing).await?,
            // Nothing can be said to a peer that does not speak H.323, so nothing is.
            Err(Error::Invalid(invalid)) => {
                close::with_answer(head.stream, &[]).await;
                return Err(Refusal::because(Reason::Malformed, invalid).into());
            }
        }
    };
    session.key_found();
    session.record.request = Some(key.to_string().into());
    let Way { destination, leg, name, checked } = match session.decide(|case| route(case, &key)) {
        Ok(way) => way,
        Err(refusal) => {
            let answer = messages::refusal(&key, words(refusal.reason));
            close::with_answer(head.stream, &answer).await;
            return Err(refusal.into());
        }
    };
    match leg::open(session, Protocol::H323, &destination, leg, &mut head.alarm).await {
        Ok(service) => {
            let follow = Follow::new(session.live.clone(), destination, name, checked);
            let relay = session.relay(head, service, Protocol::H323);
            Ok(relay.inspected(follow))
        }
        Err(none) => {
            let refusal = Refusal::from(none);
            let answer = messages::refusal(&key, words(refusal.reason));
            close::with_answer(head.stream, &answer).await;
            Err(refusal.into())
        }
    }
}

/// The way to a host.
pub(super) struct Way {
    pub(super) destination: Arc<Destination>,
    pub(super) leg: Leg,
    /// The name that it was found by.
    name: Option<String>,
    /// The name on the client's certificate, if it is what opened the TLS leg. Then every later registration has to
    /// match it too.
    checked: Option<String>,
}

/// Every question between a key and a connection.
///
/// # Errors
/// The first "no".
pub(super) fn route(case: &mut Case<'_>, key: &Key<'_>) -> Result<Way, Refusal> {
    let name = name(key)?;
    case.record.name = shown(key);
    let found = lookup(case.state, key.kind, name.as_deref());
    let (destination, leg) = leg::choose(case, Protocol::H323, found)?;
    let (leg, checked) = if destination.host.h323.check_certificate {
        let proven = case.client_name().and_then(|name| matching(key, name, destination));
        leg::by_certificate(case, Protocol::H323, destination, proven)?
    } else {
        (leg, None)
    };
    Ok(Way { destination: destination.clone(), leg, name, checked })
}

/// The name of the certificate, if it is that of the phone: only that leads to the TLS port.
fn matching(key: &Key<'_>, name: String, destination: &Destination) -> Result<String, String> {
    if key.kind == Kind::Setup {
        return Err("a call by somebody who has not registered".to_owned());
    }
    if key.matches_common_name(&name, destination.host.h323.serial_names) {
        return Ok(name);
    }
    let aliases: Vec<String> = key.aliases().take(ALIASES_TOLD).map(|alias| alias.to_string()).collect();
    let option = if destination.host.h323.serial_names {
        ""
    } else {
        "; h323.serial-names may help with serial numbers"
    };
    Err(format!("client certificate {name:?} is none of the names {}{option}", aliases.join(", ")))
}

/// The name to look up; none if the message has none, or one that is no text and so equals nothing.
///
/// # Errors
/// The message has one that no host can be called by.
fn name(key: &Key<'_>) -> Result<Option<String>, Refusal> {
    match key.name {
        Name::Missing => Ok(None),
        Name::Unusable => Err(Refusal::because(Reason::NoName, "a name that no host can have")),
        Name::Given(text) => Ok(text.to_str(&mut [0; UTF8_MAX]).map(str::to_owned)),
    }
}

/// The name as the log shows it.
fn shown(key: &Key<'_>) -> Option<String> {
    match key.name {
        Name::Given(text) => Some(text.to_string()),
        Name::Missing | Name::Unusable => None,
    }
}

/// Registrations may fall back to the default host; calls must name a domain that is configured, or every
/// dial-in scanner would reach a PBX.
fn lookup<'a>(state: &'a State, kind: Kind, name: Option<&str>) -> Option<&'a Arc<Destination>> {
    let table = state.table(Protocol::H323);
    let any_location = |destination: &Arc<Destination>| destination.host.h323.any_location;
    let named = name.and_then(|name| match kind {
        Kind::Setup => table.lookup(name),
        _ => table.lookup_gatekeeper(name, any_location),
    });
    let default = || if kind == Kind::Setup { None } else { table.default() };
    named.or_else(default)
}

/// What a refused client is told. One answer for "unknown", "not allowed here" and "no port": it tells nobody which
/// names exist.
fn words(reason: Reason) -> messages::Refusal {
    match reason {
        Reason::NoName => messages::Refusal::NoName,
        Reason::Certificate => messages::Refusal::Certificate,
        Reason::HostLimit => messages::Refusal::Busy,
        Reason::TargetUnreachable => messages::Refusal::Unreachable,
        _ => messages::Refusal::NotAllowed,
    }
}

/// So many aliases of a phone are told when its certificate is none of them.
const ALIASES_TOLD: usize = 4;

/// Skipped messages before the deciding one, and that one.
const LARGEST: usize = 64 * 1024 + 4;
