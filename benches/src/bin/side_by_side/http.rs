//! HTTP requests and answers, and what SIP has in common with them.

use std::{io, sync::LazyLock};

use crate::{ldap::NAME, rows::Shape};

/// The URLs below this are allowed.
pub(crate) const PREFIX: &str = "/bench/";

const SMALL: &str = "/bench/small";
const BIG: &str = "/bench/big";
const UPLOAD: &str = "/bench/upload";

/// What bodies are cut from.
static BODY: LazyLock<Vec<u8>> = LazyLock::new(|| (0..=250).cycle().take(1 << 20).collect());

/// A request; its number has to come back with the answer.
pub(crate) fn request(shape: Shape, number: u32) -> Vec<u8> {
    let (method, path, more, body) = match shape {
        Shape::Small => ("GET", SMALL, "", &[][..]),
        Shape::Connection => ("GET", SMALL, "Connection: close\r\n", &[][..]),
        Shape::Big => ("GET", BIG, "", &[][..]),
        Shape::Upload => ("POST", UPLOAD, "Content-Length: 65536\r\n", &BODY[..64 << 10]),
    };
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {NAME}\r\nUser-Agent: side_by_side\r\nAccept: */*\r\n\
         X-Number: {number}\r\n{more}\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// What the service says. The client's address has to come with the request.
pub(crate) fn answer(request: &[u8]) -> Vec<u8> {
    let (head, body) = split(request);
    let forwarded = field(head, "X-Forwarded-For").is_some_and(|value| value.starts_with("127."));
    let status = if forwarded && expected_of_client(head) == body { "200 OK" } else { "400 Bad Request" };
    let number = field(head, "X-Number").unwrap_or_default();
    let body = expected_of_service(head);
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nX-Number: {number}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Whether it is the answer to the request.
pub(crate) fn answers(request: &[u8], answer: &[u8]) -> bool {
    let ((asked, _), (said, body)) = (split(request), split(answer));
    said.starts_with("HTTP/1.1 200 ")
        && field(asked, "X-Number") == field(said, "X-Number")
        && body == expected_of_service(asked)
}

fn expected_of_client(head: &str) -> &'static [u8] {
    if path(head) == UPLOAD { &BODY[..64 << 10] } else { &[] }
}

fn expected_of_service(head: &str) -> &'static [u8] {
    match path(head) {
        SMALL => &BODY[..128],
        BIG => &BODY,
        UPLOAD => b"taken",
        _ => b"unknown",
    }
}

fn path(head: &str) -> &str {
    head.split(' ').nth(1).unwrap_or_default()
}

/// How long the message is, once its head is there.
pub(crate) fn length(octets: &[u8]) -> io::Result<Option<usize>> {
    let Some(end) = head_end(octets) else { return Ok(None) };
    let head = str::from_utf8(&octets[..end]).map_err(io::Error::other)?;
    if field(head, "Transfer-Encoding").is_some() {
        return Err(io::Error::other("a body in chunks"));
    }
    let body = field(head, "Content-Length").unwrap_or("0").parse::<usize>().map_err(io::Error::other)?;
    Ok(Some(end + body))
}

/// Head and body.
pub(crate) fn split(message: &[u8]) -> (&str, &[u8]) {
    let (head, body) = message.split_at(head_end(message).unwrap_or(0));
    (str::from_utf8(head).unwrap_or_default(), body)
}

/// The value of a field.
pub(crate) fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let fields = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    let mut values = fields.filter(|(this, _)| this.eq_ignore_ascii_case(name));
    values.next().map(|(_, value)| value.trim())
}

fn head_end(octets: &[u8]) -> Option<usize> {
    octets.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
}
