//! A REGISTER without Contact: it asks for the bindings of an address and changes nothing (RFC 3261 10.2.3).

use std::{
    hash::{BuildHasher, RandomState},
    io,
};

use rp_route::leg::Transport;
use rp_sip::{Error, Response};

use super::{Question, Reply, closed, exchange};
use crate::stream::Stream;

pub(super) async fn ask(mut stream: Stream, question: &Question) -> io::Result<Reply> {
    let request = register(&stream, question)?;
    let sent = format!("REGISTER sip:{}@{} without Contact", question.user, question.name);
    let reply = |octets: &[u8]| match Response::parse(octets) {
        Ok(response) => Some(read(&response)),
        Err(Error::Incomplete(_)) => None,
        Err(Error::Invalid(invalid)) => Some(Reply { received: invalid.to_string(), ..Reply::default() }),
    };
    Ok(match exchange(&mut stream, request.as_bytes(), reply).await? {
        Ok(reply) => Reply { sent, ..reply },
        Err(received) => closed(sent, &received),
    })
}

fn register(stream: &Stream, question: &Question) -> io::Result<String> {
    let transport = match stream.transport() {
        Transport::Tcp => "TCP",
        Transport::Tls => "TLS",
    };
    let local = stream.socket().local_addr()?;
    let unique = RandomState::new().hash_one(local);
    let Question { name, user, .. } = question;
    Ok(format!(
        "REGISTER sip:{name} SIP/2.0\r\n\
         Via: SIP/2.0/{transport} {local};branch=z9hG4bK-{unique:016x};rport\r\n\
         Max-Forwards: 70\r\n\
         From: <sip:{user}@{name}>;tag={unique:08x}\r\n\
         To: <sip:{user}@{name}>\r\n\
         Call-ID: {unique:016x}@probe\r\n\
         CSeq: 1 REGISTER\r\n\
         User-Agent: rpd probe\r\n\
         Content-Length: 0\r\n\r\n"
    ))
}

fn read(response: &Response<'_>) -> Reply {
    let status = response.status.code();
    let header =
        |name: &'static str| response.headers(name).next().map(|value| value.escape_ascii().to_string());
    let (served, meaning) = match status {
        200..=299 => (true, "the registrar of this domain answers"),
        401 | 407 => (true, "the registrar of this domain answers, and asks for a password"),
        404 => (
            false,
            "no host of this domain here, or not for this address, or the registrar does not know the user",
        ),
        503 => (false, "the host is known, but its registrar cannot be reached"),
        _ => (false, "refused"),
    };
    Reply {
        received: format!("{status} {}", response.reason.escape_ascii()),
        server: header("Server"),
        meaning: meaning.to_owned(),
        served,
        ..Reply::default()
    }
}
