//! A GatekeeperRequest in H.460.17: it asks and changes nothing.

use std::io;

use rp_h323::{
    Answer, AnswerKind, Error,
    messages::{AliasName, GatekeeperRequest, Ras, Sender, facility},
};

use super::{Question, Reply, closed, exchange};
use crate::stream::Stream;

pub(super) async fn ask(mut stream: Stream, question: &Question) -> io::Result<Reply> {
    let aliases = [AliasName::H323Id(&question.user)];
    let request =
        GatekeeperRequest { request_seq_num: 1, gatekeeper_id: Some(&question.name), aliases: &aliases };
    let octets = facility(Sender::Endpoint, &[Ras::GatekeeperRequest(request)]).map_err(io::Error::other)?;
    let sent = format!("GRQ for {:?}, alias {:?}", question.name, question.user);
    let reply = |octets: &[u8]| match Answer::parse(octets) {
        Ok(answer) => Some(read(&answer)),
        Err(Error::Incomplete(_)) => None,
        Err(Error::Invalid(invalid)) => Some(Reply { received: invalid.to_string(), ..Reply::default() }),
    };
    Ok(match exchange(&mut stream, &octets, reply).await? {
        Ok(reply) => Reply { sent, ..reply },
        Err(received) => closed(sent, &received),
    })
}

fn read(answer: &Answer<'_>) -> Reply {
    let served = matches!(answer.kind, AnswerKind::GatekeeperConfirm | AnswerKind::RegistrationConfirm);
    let meaning = match answer.kind {
        AnswerKind::GatekeeperConfirm => "the gatekeeper of this name is willing to take a registration",
        AnswerKind::RegistrationConfirm => "registered",
        AnswerKind::GatekeeperReject(_) | AnswerKind::RegistrationReject(_) => {
            "refused: no host of this name here, or not for this address, or the gatekeeper said no"
        }
        _ => "not an answer to a GatekeeperRequest",
    };
    Reply {
        received: answer.to_string(),
        // A refusal only repeats the name that was asked for.
        server: answer.gatekeeper_id.filter(|_| served).map(|id| id.to_string()),
        meaning: meaning.to_owned(),
        served,
        ..Reply::default()
    }
}
