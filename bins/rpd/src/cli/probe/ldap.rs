//! A simple bind with `domain\user`.

use std::io;

use rp_ldap::{Error, ResultCode, Tag, answer, messages};
use tokio::io::AsyncWriteExt;

use super::{Question, Reply, closed, exchange};
use crate::stream::Stream;

pub(super) async fn ask(mut stream: Stream, question: &Question) -> io::Result<Reply> {
    let name = format!("{}\\{}", question.name, question.user);
    let request = messages::simple_bind_request(1, &name, &question.password);
    let sent = format!("bind as {name}");
    let reply = |octets: &[u8]| match answer(octets) {
        Ok(answer) => Some(read(&answer)),
        Err(Error::Incomplete(_)) => None,
        Err(Error::Invalid(invalid)) => Some(Reply { received: invalid.to_string(), ..Reply::default() }),
    };
    let reply = exchange(&mut stream, &request, reply).await?;
    // The answer is there; whether goodbye arrives does not matter.
    let _ = stream.write_all(&messages::unbind_request(2)).await;
    Ok(match reply {
        Ok(reply) => Reply { sent, ..reply },
        Err(received) => closed(sent, &received),
    })
}

fn read(answer: &rp_ldap::Answer<'_>) -> Reply {
    let Some(result) = answer.result.filter(|_| answer.operation == Tag::BIND_RESPONSE) else {
        return Reply {
            received: format!("{:?}", answer.operation),
            meaning: "no bind response".to_owned(),
            ..Reply::default()
        };
    };
    let (served, meaning) = match result.code {
        ResultCode::SUCCESS => (true, "the directory of this domain let the user in"),
        ResultCode::INVALID_CREDENTIALS => {
            (false, "no host of this domain here, or not for this address, or wrong name or password")
        }
        ResultCode::UNAVAILABLE => (false, "the host is known, but its directory cannot be reached"),
        _ => (false, "refused"),
    };
    let text = result.diagnostic.escape_ascii().to_string();
    Reply {
        received: format!("bind response {} {text}", result.code).trim_end().to_owned(),
        server: (served && !text.is_empty()).then_some(text),
        meaning: meaning.to_owned(),
        served,
        ..Reply::default()
    }
}
