//! Asking a proxy over TCP, with a token.

use std::{
    io::{Read, Write},
    net::SocketAddr,
};

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::Value;

use super::connect;

/// The `[[admin.token]]` by which this token is known.
pub fn token_row(token: &str, role: &str) -> String {
    let octets = digest(&SHA256, token.as_bytes());
    let hash: String = octets.as_ref().iter().map(|octet| format!("{octet:02x}")).collect();
    format!("[[admin.token]]\nname = \"{token}'s\"\nsha256 = \"{hash}\"\nrole = \"{role}\"\n")
}

/// The line by which it is shown.
pub fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

/// Sends a request with these further lines of its head: status, head, and body of the answer.
pub fn ask(mut stream: impl Read + Write, request: &str, lines: &str, body: &str) -> (u16, String, String) {
    let host = if lines.contains("Host: ") { "" } else { "Host: localhost\r\n" };
    let length = body.len();
    let head = format!(
        "{request} HTTP/1.1\r\n{host}Connection: close\r\nX-Rpd: 1\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{lines}\r\n"
    );
    stream.write_all(head.as_bytes()).expect("the proxy reads");
    stream.write_all(body.as_bytes()).expect("the proxy reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer, and its end");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    (head[9..12].parse().expect("a status"), head.to_owned(), body.to_owned())
}

/// What the API says, as JSON.
pub fn get(address: SocketAddr, token: &str, path: &str) -> Value {
    // HTTP/1.0 has no chunks.
    let mut stream = connect(address);
    let head = format!("GET /api/v1/{path} HTTP/1.0\r\nHost: localhost\r\n{}\r\n", bearer(token));
    stream.write_all(head.as_bytes()).expect("the proxy reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(head.contains(" 200 "), "{path}: {head}");
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{path}: {error}: {body}"))
}
