//! SIP: the first request's From names the host (RFC 3261 8.1.1.3).

use std::{hash::BuildHasher, io::Write as _};

use rp_sip::{Answer, Error, Invalid, Key, Limits, Reason as SipReason, Status, extract_within};

use super::{
    Session, close,
    head::{Deadlines, Framing, Head},
    leg,
    relay::Relay,
};
use crate::{
    outcome::{End, Reason, Refusal},
    protocol::Protocol,
};

/// From the first octet to the relay.
pub(super) async fn serve(session: &mut Session, mut head: Head) -> Result<Relay, End> {
    let limits = Limits { head: session.state.config.limits.sip_head.0, ..Limits::default() };
    let deadlines = Deadlines::of(&session.facts, &session.state.config.limits);
    head.fill(Framing::Lines, limits.head, deadlines, &session.cancel, |octets| {
        match extract_within(octets, &limits) {
            Err(Error::Incomplete(more)) => Err(more),
            _ => Ok(()),
        }
    })
    .await?;
    let key = match extract_within(&head.octets, &limits) {
        Ok(key) => key,
        Err(Error::Invalid(invalid)) => return Err(refuse_invalid(session, head, &invalid).await),
        Err(Error::Incomplete(_)) => return Err(End::Gone),
    };
    session.key_found();
    note(session, &key);

    let table = session.state.table(Protocol::Sip);
    let destination = table.lookup(key.from.domain()).or_else(|| table.default()).cloned();
    let incoming = head.stream.transport();
    let leg = match leg::choose(session, Protocol::Sip, incoming, destination.as_ref()) {
        Ok(leg) => leg,
        Err(refusal) => return Err(refuse(session, head, Status::NOT_FOUND, refusal).await),
    };
    let destination = destination.ok_or(End::Gone)?;
    match leg::open(session, Protocol::Sip, &destination, leg).await {
        Ok(service) => Ok(session.relay(head.stream, head.octets, service, Protocol::Sip)),
        Err(unreachable) => Err(refuse(session, head, Status::SERVICE_UNAVAILABLE, unreachable.into()).await),
    }
}

fn note(session: &mut Session, key: &Key<'_>) {
    session.record.name = Some(key.from.domain().to_owned());
    session.record.request = Some(format!("{} from {}", key.method, key.from));
}

/// A message that cannot be routed gets the answer of its fault, where its head allows one.
async fn refuse_invalid(session: &Session, head: Head, invalid: &Invalid) -> End {
    let reason = match invalid.reason {
        SipReason::NoDomain => Reason::NoName,
        SipReason::HeadTooLarge | SipReason::BodyTooLarge => Reason::TooLarge,
        _ => Reason::Malformed,
    };
    let refusal = Refusal::because(reason, invalid);
    match invalid.status() {
        Some(status) => refuse(session, head, status, refusal).await,
        None => {
            close::with_answer(head.stream, &[]).await;
            refusal.into()
        }
    }
}

async fn refuse(session: &Session, head: Head, status: Status, refusal: Refusal) -> End {
    let mut answer = Vec::new();
    if let Some(words) = Answer::to(&head.octets) {
        let tag = session.state.random.hash_one(words.branch());
        let retry_after = (status == Status::SERVICE_UNAVAILABLE).then(|| retry_after(session));
        words.write(status, tag, retry_after, &mut |slice: &[u8]| {
            // Writing to a vector cannot fail.
            let _ = answer.write_all(slice);
        });
    }
    close::with_answer(head.stream, &answer).await;
    refusal.into()
}

/// 10 to 30 seconds, another for each connection: five hundred phones must not come back in the same second.
fn retry_after(session: &Session) -> u32 {
    10 + u32::try_from(session.state.random.hash_one(session.facts.id) % 21).unwrap_or(0)
}
