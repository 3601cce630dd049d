//! What the phone hears from us: answers to its pings, and refusals in the words of SIP.

use std::{fmt::Write as _, hash::BuildHasher, iter, mem, task::Context, time::Duration};

use rp_route::leg::Leg;
use rp_sip::{Answer, Invalid, Reason as SipReason, Request, Status, To, route::Token};

use super::{Switch, legs::REFUSALS};
use crate::{
    outcome::{Observation, Reason, Record, Refusal},
    session::Session,
    state::State,
};

/// Why a request does not go on, and what is known of it.
pub(super) struct No {
    pub(super) refusal: Refusal,
    pub(super) about: Record,
}

impl Switch {
    /// Refuses a request. Where a service is connected the connection lives on, but not for ever.
    pub(super) fn refuse(&mut self, session: &mut Session, request: &Request<'_>, no: No) {
        let No { refusal, about } = no;
        self.answer(session, request.octets(), status(refusal.reason), refusal.reason);
        self.refusals += 1;
        if self.legs.is_empty() || self.refusals == REFUSALS {
            session.record = Record { octets: session.record.octets, ..about };
            self.ending = Some(Box::new(refusal.into()));
        } else {
            observe(session, &about, &Observation::Refused(refusal));
        }
    }

    /// Refuses a message behind which nothing can be told apart, or that nobody may send.
    pub(super) fn refuse_stream(&mut self, session: &mut Session, octets: &[u8], invalid: Invalid) {
        let refusal = refusal_of(invalid);
        if let Some(status) = invalid.status() {
            self.answer(session, octets, status, refusal.reason);
        }
        self.ending = Some(Box::new(refusal.into()));
    }

    /// Puts an answer into the line, if the request has what an answer repeats.
    fn answer(&mut self, session: &Session, octets: &[u8], status: Status, reason: Reason) {
        let retry_after = matches!(reason, Reason::TargetUnreachable | Reason::HostLimit)
            .then(|| self.retry_after(session));
        write_answer(&session.state(), octets, status, retry_after, &mut self.answers);
    }

    /// Says what is in the line, if the phone stands between two messages and has taken what was said before; whether
    /// there was anything. Until then the line is what stops a phone from being heard that pings and does not listen.
    pub(super) fn say_answers(&mut self, cx: &mut Context<'_>) -> bool {
        let may = self.speaking.is_none() && !self.answers.is_empty() && self.phone.takes_more();
        if may {
            let answers = mem::take(&mut self.answers);
            self.phone.send(iter::once(&answers[..]), cx);
        }
        may
    }

    /// Tells what a service's answer says of the phone.
    pub(super) fn tell(&self, session: &Session, leg: usize, request: String, observation: &Observation) {
        let leg = &self.legs[leg];
        let (transport, target) = (leg.peer.stream.transport(), leg.peer.stream.peer().ok());
        let record = Record {
            request: Some(request.into()),
            host: Some(leg.destination.host.clone()),
            leg: target.map(|target| Leg { transport, port: target.port() }),
            target,
            ..session.record.clone()
        };
        observe(session, &record, observation);
    }

    /// Tells of refusals that were held back until now.
    pub(super) fn tell_due(&mut self, session: &Session, now: Duration) {
        while let Some(refusal) = self.verdicts.due(now) {
            let refusal = refused(refusal.status, refusal.method.as_str());
            observe(session, &session.record, &Observation::Refused(refusal));
        }
    }

    /// 10 to 30 seconds, another each time: five hundred phones must not come back in the same second.
    fn retry_after(&self, session: &Session) -> u32 {
        let random = session.state().random.hash_one((session.facts.id, "retry-after", self.refusals));
        10 + u32::try_from(random % 21).unwrap_or(0)
    }
}

/// The answer to a request, if it has what an answer repeats.
pub(super) fn write_answer(
    state: &State,
    octets: &[u8],
    status: Status,
    retry_after: Option<u32>,
    to: &mut Vec<u8>,
) {
    let Some(answer) = Answer::to(octets) else { return };
    let tag = tag(state, answer.branch());
    answer.write(status, tag, retry_after, &mut |slice: &[u8]| to.extend_from_slice(slice));
}

/// Why a message is refused behind which nothing can be told apart.
pub(super) fn refusal_of(invalid: Invalid) -> Refusal {
    let reason = match invalid.reason {
        SipReason::HeadTooLarge | SipReason::BodyTooLarge => Reason::TooLarge,
        _ => Reason::Malformed,
    };
    Refusal::because(reason, invalid)
}

/// Tells of something that is not about the request by which the connection was routed.
pub(super) fn observe(session: &Session, about: &Record, observation: &Observation) {
    session.observer.observe(&session.facts, about, observation);
}

/// A service's refusal.
pub(super) fn refused(status: Status, method: &str) -> Refusal {
    Refusal::because(Reason::Refused, format_args!("sip {} {method}", status.code()))
}

/// The connection's record, with what this request says of itself.
pub(super) fn about(connection: &Record, request: &Request<'_>) -> Record {
    Record {
        tls: connection.tls.clone(),
        key_after: connection.key_after,
        name: request.from.ok().map(|from| {
            let mut name = from.domain().to_owned();
            Record::cut(&mut name);
            name
        }),
        request: Some(describe(request).into()),
        ..Record::default()
    }
}

fn describe(request: &Request<'_>) -> String {
    let mut text = request.method.to_owned();
    // Writing to a string cannot fail.
    if let Ok(from) = request.from {
        let _ = write!(text, " from {from}");
    }
    if let Ok(To { user: Some(user), .. }) = request.to {
        let _ = write!(text, " to {}", user.escape_ascii());
    }
    if let Ok(call_id) = request.call_id {
        let _ = write!(text, ", Call-ID {}", shortened(call_id));
    }
    if let Some(agent) = request.headers("User-Agent").next() {
        let _ = write!(text, ", {}", shortened(agent));
    }
    Record::cut(&mut text);
    text
}

/// As the log shows it.
pub(super) fn shortened(value: &[u8]) -> impl std::fmt::Display {
    value[..value.len().min(SHORT)].escape_ascii()
}

const SHORT: usize = 64;

/// Whether this is the tag that our refusals give to To: then an ACK ends a refusal of ours.
pub(super) fn is_own_tag(session: &Session, request: &Request<'_>) -> bool {
    let (Ok(To { tag: Some(found), .. }), Ok(branch)) = (request.to, request.branch) else { return false };
    found == Token::new(tag(&session.state(), branch)).as_bytes()
}

fn tag(state: &State, branch: Option<&[u8]>) -> u64 {
    state.random.hash_one(branch)
}

/// One answer for "unknown", "not allowed here" and "no port": it tells nobody which names exist.
pub(super) fn status(reason: Reason) -> Status {
    match reason {
        Reason::Certificate => Status::FORBIDDEN,
        Reason::TargetUnreachable | Reason::SourceLimit | Reason::HostLimit => Status::SERVICE_UNAVAILABLE,
        _ => Status::NOT_FOUND,
    }
}

#[cfg(test)]
mod tests {
    use rp_sip::{Head, Limits};

    use super::*;
    use crate::outcome::Words;

    #[test]
    fn what_is_kept_of_a_request_is_short_however_long_its_users_and_domains_are() {
        let own = format!("<sip:{}@{}>", "%ff".repeat(5_000), "a".repeat(10_000));
        let text = format!(
            "REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z9hG4bKb\r\nFrom: {own};tag=f\r\n\
             To: {own}\r\nCall-ID: c\r\nCSeq: 1 REGISTER\r\nContent-Length: 0\r\n\r\n"
        );
        let Ok(Head::Request(request)) = Head::parse(text.as_bytes(), &Limits::default()) else {
            panic!("no request")
        };
        let Record { name, request: kept, .. } = about(&Record::default(), &request);
        let Some(Words::Text(kept)) = kept else { panic!("no words") };
        assert!(kept.starts_with("REGISTER from sip:%ff"), "{kept}");
        for text in [name.expect("a name"), kept] {
            assert!(text.capacity() <= Record::LONGEST_TEXT, "{}", text.capacity());
        }
    }
}
