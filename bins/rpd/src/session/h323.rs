//! H.323: the gatekeeper identifier of the first GRQ or RRQ, or the domain called by the first Setup, names the host.

use rp_h323::{Error, Key, Kind, Name, UTF8_MAX, extract, messages};

use super::{
    Session, close,
    head::{Deadlines, Framing, Head},
    leg,
    relay::Relay,
};
use crate::{
    outcome::{End, Reason, Refusal},
    protocol::Protocol,
    state::Destination,
};
use std::sync::Arc;

/// From the first octet to the relay.
pub(super) async fn serve(session: &mut Session, mut head: Head) -> Result<Relay, End> {
    let deadlines = Deadlines::of(&session.facts, &session.state.config.limits);
    head.fill(Framing::Lengths, LARGEST, deadlines, &session.cancel, |octets| match extract(octets) {
        Err(Error::Incomplete(more)) => Err(more),
        _ => Ok(()),
    })
    .await?;
    let key = match extract(&head.octets) {
        Ok(key) => key,
        // Nothing can be said to a peer that does not speak H.323, so nothing is.
        Err(Error::Invalid(invalid)) => {
            close::with_answer(head.stream, &[]).await;
            return Err(Refusal::because(Reason::Malformed, invalid).into());
        }
        Err(Error::Incomplete(_)) => return Err(End::Gone),
    };
    session.key_found();
    session.record.request = Some(key.to_string());

    let destination = match name(&key) {
        Ok(name) => {
            session.record.name.clone_from(&name);
            lookup(session, key.kind, name.as_deref())
        }
        Err(refusal) => {
            let answer = messages::refusal(&key, messages::Refusal::NoName);
            close::with_answer(head.stream, &answer).await;
            return Err(refusal.into());
        }
    };
    let incoming = head.stream.transport();
    let leg = match leg::choose(session, Protocol::H323, incoming, destination.as_ref()) {
        Ok(leg) => leg,
        Err(refusal) => {
            let words = match refusal.reason {
                Reason::NoName => messages::Refusal::NoName,
                _ => messages::Refusal::NotAllowed,
            };
            let answer = messages::refusal(&key, words);
            close::with_answer(head.stream, &answer).await;
            return Err(refusal.into());
        }
    };
    let destination = destination.ok_or(End::Gone)?;
    match leg::open(session, Protocol::H323, &destination, leg).await {
        Ok(service) => Ok(session.relay(head.stream, head.octets, service, Protocol::H323)),
        Err(unreachable) => {
            let answer = messages::refusal(&key, messages::Refusal::Unreachable);
            close::with_answer(head.stream, &answer).await;
            Err(Refusal::from(unreachable).into())
        }
    }
}

/// The name to look up; none if the message has none.
///
/// # Errors
/// The message has one that no host can be called by.
fn name(key: &Key<'_>) -> Result<Option<String>, Refusal> {
    match key.name {
        Name::Missing => Ok(None),
        Name::Unusable => Err(Refusal::because(Reason::NoName, "a name that no host can have")),
        // What is not text equals nothing.
        Name::Given(text) => {
            Ok(Some(text.to_str(&mut [0; UTF8_MAX]).map_or_else(|| text.to_string(), str::to_owned)))
        }
    }
}

/// Registrations may fall back to the default host; calls must name a domain that is configured, or every
/// dial-in scanner would reach a PBX.
fn lookup(session: &Session, kind: Kind, name: Option<&str>) -> Option<Arc<Destination>> {
    let table = session.state.table(Protocol::H323);
    let any_location = |destination: &Arc<Destination>| destination.host.any_location;
    let named = name.and_then(|name| match kind {
        Kind::Setup => table.lookup(name),
        _ => table.lookup_gatekeeper(name, any_location),
    });
    let default = || if kind == Kind::Setup { None } else { table.default() };
    named.or_else(default).cloned()
}

/// Skipped messages before the deciding one, and that one.
const LARGEST: usize = 64 * 1024 + 4;
