//! The decision about a phone's first message, step by step, without a connection.

use std::num::NonZeroUsize;

use rp_sip::{Follower, Head, Request, Status, Step};

use super::{
    answers::{about, refusal_of, status, write_answer},
    limits,
    place::{Place, place, route, sound},
    up::unasked,
};
use crate::{
    session::{
        case::Case,
        explain::{AnswerTold, KeyTold, Told, Verdict},
    },
    state::State,
};

/// What becomes of these octets, the first of a connection.
pub(in crate::session) fn explain(case: &mut Case<'_>, octets: &[u8]) -> Told {
    let mut follower = Follower::new(limits(case.state));
    let mut rest = octets;
    loop {
        match follower.step(rest) {
            Ok(Step::Crlf | Step::Ping) => rest = &rest[2..],
            Ok(Step::Look(Head::Request(request))) => return of_request(case, octets, rest, &request),
            Ok(Step::Look(Head::Response(_))) => return Told::silently(unasked()),
            Ok(Step::More | Step::Pass(_)) => return Told::new(Verdict::Incomplete(NonZeroUsize::MIN)),
            Err(invalid) => return of_broken(case.state, rest, invalid),
        }
    }
}

/// Of a request, which `rest` begins with.
fn of_request(case: &mut Case<'_>, octets: &[u8], rest: &[u8], request: &Request<'_>) -> Told {
    *case.record = about(case.record, request);
    if let Err(invalid) = sound(request) {
        return of_broken(case.state, request.octets(), invalid);
    }
    let found = match place(case.state, &[], request, None) {
        Place::Host(host) => Some(host),
        Place::Leg(_) | Place::Nowhere => None,
    };
    let verdict = match route(case, request, found.as_ref()) {
        Ok(way) => Verdict::Forwarded(way.destination, way.leg),
        Err(refusal) => {
            let answer = told(case.state, request.octets(), Some(status(refusal.reason)));
            Verdict::Refused(refusal, answer)
        }
    };
    let key = request.from.ok().map(|from| {
        let domain = from.domain();
        KeyTold::new("the domain of From", Some(domain.to_owned()), octets, domain.as_bytes())
    });
    let message = request.octets().len().saturating_add(request.body_len);
    Told { key, behind: rest.len().saturating_sub(message), ..Told::new(verdict) }
}

fn of_broken(state: &State, octets: &[u8], invalid: rp_sip::Invalid) -> Told {
    let answer = told(state, octets, invalid.status());
    Told::new(Verdict::Refused(refusal_of(invalid), answer))
}

/// The status line, if the message has what an answer repeats.
fn told(state: &State, octets: &[u8], status: Option<Status>) -> AnswerTold {
    let mut answer = Vec::new();
    if let Some(status) = status {
        write_answer(state, octets, status, None, &mut answer);
    }
    match String::from_utf8_lossy(&answer).lines().next() {
        Some(line) => AnswerTold::new(&answer, line),
        None => AnswerTold::silence(),
    }
}
