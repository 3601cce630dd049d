//! The decision about a first request, step by step, without a connection.

use rp_http::{Error, Framing, extract, head::MAX_HEAD};

use super::{answer, note, route};
use crate::session::{
    case::Case,
    explain::{AnswerTold, KeyTold, Told, Verdict},
};

/// What becomes of these octets, the first of a connection.
pub(in crate::session) fn explain(case: &mut Case<'_>, octets: &[u8]) -> Told {
    let key = match extract(octets) {
        Ok(key) => key,
        Err(Error::Invalid(invalid)) => {
            let (answer, refusal) = answer::last_words(octets, &invalid);
            return match answer[..] {
                [] => Told::silently(refusal),
                _ => Told::new(Verdict::Refused(refusal, told(&answer))),
            };
        }
        Err(Error::Incomplete(more)) => return Told::unfinished(more, octets.len(), MAX_HEAD),
    };
    note(case.record, &key, 1);
    let host = key.head.host.name();
    let name = String::from_utf8_lossy(host).into_owned();
    let verdict = match route::route(case, &key.head) {
        Ok(way) => Verdict::Forwarded(way.destination, way.leg),
        Err(own) => {
            let answer = told(&own.write(&key.head, own.body_to_drop(&key.head).is_none()));
            match own.refusal {
                Some(refusal) => Verdict::Refused(refusal, answer),
                None => Verdict::Answered(answer),
            }
        }
    };
    let behind = match key.head.framing {
        Framing::None => octets.len() - key.head_len,
        // A body is part of the message.
        Framing::Length(_) | Framing::Chunked => 0,
    };
    Told { key: Some(KeyTold::new("Host", Some(name), octets, host)), behind, ..Told::new(verdict) }
}

/// The status, and where it sends the client.
fn told(answer: &[u8]) -> AnswerTold {
    let text = String::from_utf8_lossy(answer);
    let mut lines = text.lines();
    let mut words = lines.next().unwrap_or_default().to_owned();
    for line in lines.filter(|line| line.starts_with("Location: ") || line.starts_with("Allow: ")) {
        words.push_str(", ");
        words.push_str(line);
    }
    AnswerTold::new(answer, words)
}
