//! A GET.

use std::io;

use rp_http::{
    Error,
    response::{Asked, Response, extract},
};

use super::{Question, Reply, closed, exchange};
use crate::stream::Stream;

pub(super) async fn ask(mut stream: Stream, question: &Question) -> io::Result<Reply> {
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: rpd-probe\r\nAccept: */*\r\nConnection: close\r\n\r\n",
        question.path, question.name
    );
    let sent = format!("GET {} of {}", question.path, question.name);
    let reply = |octets: &[u8]| match extract(octets, Asked::default()) {
        Ok(response) => Some(read(&response)),
        Err(Error::Incomplete(_)) => None,
        Err(Error::Invalid(invalid)) => Some(Reply { received: invalid.to_string(), ..Reply::default() }),
    };
    Ok(match exchange(&mut stream, request.as_bytes(), reply).await? {
        Ok(reply) => Reply { sent, ..reply },
        Err(received) => closed(sent, &received),
    })
}

fn read(response: &Response<'_>) -> Reply {
    let (served, meaning) = match response.status {
        200..=399 => (true, "the web server of this host answers"),
        401 => (true, "the web server of this host answers, and asks for a password"),
        403 => (false, "the host is known, but this URL is not allowed"),
        404 => (false, "no host of this name here, or not for this address, or the page does not exist"),
        421 => (false, "the name asked for in the TLS handshake is not that of the request: --server-name"),
        502 | 504 => (false, "the host is known, but its web server cannot be reached"),
        _ => (false, "refused"),
    };
    Reply {
        received: format!("{} {}", response.status, response.reason.escape_ascii()),
        server: response.fields.first(b"Server").map(|value| value.escape_ascii().to_string()),
        meaning: meaning.to_owned(),
        served,
        ..Reply::default()
    }
}
