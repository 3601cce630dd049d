//! The decisions about the first requests, step by step, without a connection.

use rp_ldap::{Error, Key, MAX_FRAME, Request, ResultCode, answer, extract, messages};

use super::{OWN_ANSWERS, Step, decide, last_words};
use crate::{
    outcome::Refusal,
    session::{
        case::Case,
        explain::{AnswerTold, KeyTold, Told, Verdict},
    },
};

/// What becomes of these octets, the first of a connection. Healthy clients search or bind anonymously before they bind
/// by name, so requests are decided about one after the other until one of them settles it.
pub(in crate::session) fn explain(case: &mut Case<'_>, octets: &[u8]) -> Told {
    let (mut rest, mut unnamed, mut notes) = (octets, None, Vec::new());
    loop {
        let key = match extract(rest) {
            Ok(key) => key,
            Err(error) => return Told { notes, ..of_no_request(&error, rest.len()) },
        };
        case.record.request = Some(key.to_string().into());
        let (verdict, settled) = of_request(case, &key, rest.len(), &mut unnamed);
        rest = &rest[key.frame_len..];
        if settled || rest.is_empty() || notes.len() + 1 == OWN_ANSWERS as usize {
            notes.extend(settles_nothing(&verdict, settled));
            return Told { key: key_told(case, &key, octets), verdict, notes, behind: rest.len() };
        }
        notes.push(format!("before that came: {key}, {}", in_words(&verdict)));
    }
}

/// What becomes of one request, and whether that is the end of the matter.
fn of_request(
    case: &mut Case<'_>,
    key: &Key<'_>,
    received: usize,
    unnamed: &mut Option<Refusal>,
) -> (Verdict, bool) {
    let notice = || told(&messages::notice_of_disconnection(ResultCode::PROTOCOL_ERROR));
    match decide(case, key, received) {
        Step::Open(destination, leg) => (Verdict::Forwarded(destination, leg), true),
        Step::Answer(own) => {
            let octets = messages::result(key.operation(), key.message_id, own.code, own.text);
            let answer = told(&octets.unwrap_or_default());
            let settled = own.refusal.is_some() && !own.at_the_end;
            *unnamed = own.refusal.or(unnamed.take());
            match unnamed {
                Some(refusal) => (Verdict::Refused(refusal.clone(), answer), settled),
                None => (Verdict::Answered(answer), false),
            }
        }
        Step::Ignore => (Verdict::Answered(AnswerTold::new(&[], "nothing: there is no answer to it")), false),
        Step::Leave => match unnamed.take() {
            Some(refusal) => (Verdict::Refused(refusal, AnswerTold::silence()), true),
            None => (Verdict::Closed, true),
        },
        Step::Disconnect(refusal) => (Verdict::Refused(refusal, notice()), true),
        Step::StartTls => {
            let yes = messages::start_tls_response(key.message_id, ResultCode::SUCCESS);
            (Verdict::Answered(told(&yes)), true)
        }
    }
}

fn of_no_request(error: &Error, received: usize) -> Told {
    match error {
        Error::Incomplete(more) => Told::unfinished(*more, received, MAX_FRAME),
        Error::Invalid(invalid) => match last_words(invalid) {
            (Some(notice), refusal) => Told::new(Verdict::Refused(refusal, told(&notice))),
            (None, refusal) => Told::silently(refusal),
        },
    }
}

fn key_told(case: &Case<'_>, key: &Key<'_>, octets: &[u8]) -> Option<KeyTold> {
    let Request::Bind(bind) = key.request else { return None };
    Some(KeyTold::new("the domain in the name of the bind", case.record.name.clone(), octets, bind.name))
}

/// What the client may still do, where nothing is settled.
fn settles_nothing(verdict: &Verdict, settled: bool) -> Option<String> {
    match verdict {
        Verdict::Refused(..) if !settled => Some(
            "the connection goes on: it is refused for this only if no bind with a name follows".to_owned(),
        ),
        Verdict::Answered(_) if settled => Some(
            "the connection goes on over TLS: ask again with --listener ldaps about what comes inside"
                .to_owned(),
        ),
        Verdict::Answered(_) => Some("the connection goes on with the next request".to_owned()),
        _ => None,
    }
}

fn in_words(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Refused(_, answer) | Verdict::Answered(answer) => format!("answered with {}", answer.words),
        Verdict::Forwarded(..) | Verdict::Closed | Verdict::Incomplete(_) => {
            "to which there is no answer".to_owned()
        }
    }
}

fn told(octets: &[u8]) -> AnswerTold {
    let words = match answer(octets).map(|answer| answer.result) {
        Ok(Some(result)) if result.diagnostic.is_empty() => format!("result code {}", result.code),
        Ok(Some(result)) => format!("result code {}: {}", result.code, result.diagnostic.escape_ascii()),
        _ => String::new(),
    };
    AnswerTold::new(octets, words)
}
