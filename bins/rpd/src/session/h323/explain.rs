//! The decision about a first message, step by step, without a connection.

use rp_h323::{Answer, Error, Key, Kind, Name, extract, messages};

use super::{LARGEST, Way, route, words};
use crate::{
    outcome::{Reason, Refusal},
    session::{
        case::Case,
        explain::{AnswerTold, KeyTold, Told, Verdict},
    },
};

/// What becomes of these octets, the first of a connection.
pub(in crate::session) fn explain(case: &mut Case<'_>, octets: &[u8]) -> Told {
    let key = match extract(octets) {
        Ok(key) => key,
        Err(Error::Invalid(invalid)) => return Told::silently(Refusal::because(Reason::Malformed, invalid)),
        Err(Error::Incomplete(more)) => return Told::unfinished(more, octets.len(), LARGEST),
    };
    case.record.request = Some(key.to_string().into());
    let verdict = match route(case, &key) {
        Ok(Way { destination, leg, .. }) => Verdict::Forwarded(destination, leg),
        Err(refusal) => {
            let answer = messages::refusal(&key, words(refusal.reason));
            let said = Answer::parse(&answer).map(|answer| answer.to_string()).unwrap_or_default();
            Verdict::Refused(refusal, AnswerTold::new(&answer, said))
        }
    };
    Told { key: key_told(&key, octets), verdict, notes: notes(&key), behind: octets.len() - key.len }
}

fn key_told(key: &Key<'_>, octets: &[u8]) -> Option<KeyTold> {
    let what = if key.kind == Kind::Setup { "the domain called" } else { "gatekeeperIdentifier" };
    match key.name {
        Name::Given(text) => Some(KeyTold::new(what, Some(text.to_string()), octets, text.octets())),
        Name::Missing | Name::Unusable => None,
    }
}

fn notes(key: &Key<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    if key.skipped > 0 {
        notes.push(format!("{} messages before it ask for nothing", key.skipped));
    }
    let requests = key.requests().count();
    if requests > 1 {
        notes.push(format!(
            "it has {requests} requests: the first one finds the host, and each is judged once the host is connected"
        ));
    }
    notes
}
