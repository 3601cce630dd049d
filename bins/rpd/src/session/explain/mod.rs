//! What becomes of a message, without a connection: nothing is opened, logged or counted. Every step is one that a
//! connection takes; each protocol's `explain` only puts its own in their order.

mod guard;
mod host;
mod question;
mod told;

use std::{num::NonZeroUsize, sync::Arc};

use rp_route::leg::Leg;

pub use question::{Question, address, octets_of_hex};
pub use told::{AnswerTold, Asked, Explanation, HostTold, KeyTold, LegTold, Outcome, RefusalTold};

use super::{
    case::Case,
    h323, head, http, ldap, sip,
    sniff::{self, Sniffed},
};
use crate::{outcome::Refusal, protocol::Protocol, state::Destination};

/// What a protocol makes of the octets.
pub(super) struct Told {
    pub(super) key: Option<KeyTold>,
    pub(super) verdict: Verdict,
    pub(super) notes: Vec<String>,
    /// Octets behind the message that decides.
    pub(super) behind: usize,
}

impl Told {
    pub(super) fn new(verdict: Verdict) -> Self {
        Self { key: None, verdict, notes: Vec::new(), behind: 0 }
    }

    /// So many octets are no whole message: at least `more` are to come, unless there are as many as a message may have.
    pub(super) fn unfinished(more: NonZeroUsize, received: usize, largest: usize) -> Self {
        if received >= largest {
            return Self::silently(head::too_large(largest));
        }
        Self::new(Verdict::Incomplete(more))
    }

    /// The octets are refused, and nobody is there to understand an answer.
    pub(super) fn silently(refusal: Refusal) -> Self {
        Self::new(Verdict::Refused(refusal, AnswerTold::silence()))
    }
}

/// The end of a decision.
pub(super) enum Verdict {
    Forwarded(Arc<Destination>, Leg),
    Refused(Refusal, AnswerTold),
    Answered(AnswerTold),
    Closed,
    /// At least so many octets more are needed.
    Incomplete(NonZeroUsize),
}

/// What is spoken, if that is known, and what becomes of it.
fn explain(case: &mut Case<'_>, octets: &[u8]) -> (Option<Protocol>, Told) {
    let protocol = match case.facts.protocol {
        Some(protocol) => protocol,
        None => match sniff::sniff(octets) {
            Sniffed::Spoken(protocol) => protocol,
            Sniffed::Unfinished(more) => return (None, Told::new(Verdict::Incomplete(more))),
            nothing => return (None, Told::silently(sniff::not_spoken(nothing))),
        },
    };
    let told = match protocol {
        Protocol::H323 => h323::explain::explain(case, octets),
        Protocol::Sip => sip::explain::explain(case, octets),
        Protocol::Ldap => ldap::explain::explain(case, octets),
        Protocol::Http => http::explain::explain(case, octets),
    };
    (Some(protocol), told)
}

/// How the protocol was known on a listener for all.
fn sniffed(protocol: Option<Protocol>, octets: &[u8]) -> String {
    let Some(protocol) = protocol else {
        return "what has come is none of H.323, SIP, LDAP and HTTP, or may still be several".to_owned();
    };
    let is_known = |length: &usize| sniff::sniff(&octets[..*length]) == Sniffed::Spoken(protocol);
    match (1..=octets.len().min(LONGEST_LINE)).find(is_known) {
        Some(length) => format!("only {protocol} is left after {length} octets"),
        None => format!("it was {protocol} for longest"),
    }
}

/// Within so many octets every protocol is known.
const LONGEST_LINE: usize = 512;
