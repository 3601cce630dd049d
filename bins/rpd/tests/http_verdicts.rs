//! What the log says of requests: what the service thought of the client, and which limit was passed.

mod common;

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use common::{
    Process, connect,
    web::{Answers, CLOSE, service},
    write,
};

/// A proxy of its own process in front of a service with these answers, a connection each.
fn start(answers: &[&'static str], http: &str, limits: &str) -> (Process, SocketAddr, tempfile::TempDir) {
    let connections: Vec<Answers> = answers.iter().map(|answer| vec![Some(*answer)]).collect();
    let (port, _) = service(connections);
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().display();
    let text = format!(
        "[listen]\nhttp = \"127.0.0.1:0\"\n[log]\nforwarded = true\n[limits]\n{limits}\n[[host]]\nnames = [\"a.example\"]\ntarget = \"127.0.0.1\"\nhttp = {{ tcp = {port}, reuse = \"never\", {http} }}\n# {state}\n"
    );
    let mut process = Process::start(&write(folder.path(), "rpd.toml", &text));
    let address = process.address("http");
    (process, address, folder)
}

fn send(address: SocketAddr, request: &str) -> TcpStream {
    let mut stream = connect(address);
    stream.write_all(request.as_bytes()).expect("the proxy reads");
    stream
}

const FORBIDDEN: &str = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
const MISSING: &str = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
const CHALLENGE: &str = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"a\", nonce=\"b\"\r\nContent-Length: 0\r\n\r\n";
const STALE: &str = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"a\", nonce=\"c\", stale=true\r\nContent-Length: 0\r\n\r\n";
const TOKEN: &str =
    "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Negotiate oYG2\r\nContent-Length: 0\r\n\r\n";

/// The log's line for each answer to a request that has credentials, or none.
fn judged(http: &str, rows: &[(&'static str, bool, bool)]) {
    let answers: Vec<&'static str> = rows.iter().map(|(answer, ..)| *answer).collect();
    let (mut process, address, _folder) = start(&answers, http, "");
    for (answer, credentials, refused) in rows {
        let credentials = if *credentials { "Authorization: Digest username=\"secret\"\r\n" } else { "" };
        let request = format!("GET /x?password=secret HTTP/1.1\r\nHost: a.example\r\n{credentials}{CLOSE}");
        let mut got = String::new();
        send(address, &request).read_to_string(&mut got).expect("an answer");
        assert!(got.starts_with(&answer[..12]), "{got}");
        let line = process.line("name=a.example");
        let status = &answer[9..12];
        assert_eq!(line.contains(" reason=refused "), *refused, "{answer:?} {credentials:?}: {line}");
        assert_eq!(line.contains(&format!("detail=\"http {status} GET\"")), *refused, "{line}");
        assert!(line.contains(&format!("status={status}")) && line.contains("GET a.example /x"), "{line}");
        assert!(!line.contains("secret"), "{line}");
    }
}

#[test]
fn what_the_service_refuses_is_told_and_what_is_part_of_a_login_is_not() {
    judged(
        "",
        &[
            (CHALLENGE, false, false),
            (CHALLENGE, true, true),
            (STALE, true, false),
            (TOKEN, true, false),
            (FORBIDDEN, false, true),
            (FORBIDDEN, true, true),
            (MISSING, true, false),
        ],
    );
}

#[test]
fn a_host_says_which_answers_speak_against_a_client() {
    judged(
        "count-status = [401, 404]",
        &[(CHALLENGE, true, true), (FORBIDDEN, true, false), (MISSING, false, true)],
    );
}

#[test]
fn every_limit_that_is_passed_has_its_name_in_the_log() {
    let half = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345";
    for (answer, request, limits, said) in [
        (
            "",
            "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
            "http-response = \"200ms\"",
            "limits.http-response",
        ),
        (
            half,
            "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
            "http-response = \"200ms\"",
            "limits.http-response",
        ),
        ("", "GET / HT", "first-message = \"200ms\"", "limits.first-message"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a.example\r\n\r\nGET / HT",
            "http-head = \"200ms\"",
            "limits.http-head",
        ),
    ] {
        // A second answer, which is never asked for, keeps the service's connection open.
        let connections = vec![vec![Some(answer), Some(""), Some("")]];
        let (port, _) = service(connections);
        let folder = tempfile::tempdir().expect("a folder");
        let text = format!(
            "[listen]\nhttp = \"127.0.0.1:0\"\n[limits]\n{limits}\n[[host]]\nnames = [\"a.example\"]\ntarget = \"127.0.0.1\"\nhttp = {{ tcp = {port} }}\n"
        );
        let mut process = Process::start(&write(folder.path(), "rpd.toml", &text));
        let address = process.address("http");
        let stream = send(address, request);
        let line = process.line("refused");
        assert!(line.contains(said), "{line}");
        drop(stream);
    }
}

#[test]
fn each_request_of_a_connection_has_its_number() {
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let (mut process, address, _folder) = start(&[ok, ok], "", "");
    let mut stream = send(address, "GET /1 HTTP/1.1\r\nHost: a.example\r\n\r\n");
    let first = process.line("forwarded");
    assert!(first.contains(" number=1 ") && !first.contains("retried"), "{first}");
    // The service has closed behind its one answer, or does so when it sees the next request.
    stream
        .write_all(format!("GET /2 HTTP/1.1\r\nHost: a.example\r\n{CLOSE}").as_bytes())
        .expect("the proxy reads");
    let second = process.line("forwarded");
    assert!(second.contains(" number=2 ") && second.contains("GET a.example /2"), "{second}");
}
