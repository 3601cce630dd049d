//! What a host says about its requests: which URLs lie elsewhere, which methods and bodies it takes, where clients in
//! clear are sent, and what its service is told of them.

mod common;

use std::{io::Write, path::Path, sync::mpsc::Receiver};

use common::{
    PATIENCE, Proxy,
    web::{Answers, CLOSE, OK, ask, read_until, service},
};

/// A service that answers each of its connections once.
fn many(answer: &'static str) -> (u16, Receiver<String>) {
    let connections: Vec<Answers> = (0..20).map(|_| vec![Some(answer)]).collect();
    service(connections)
}

fn proxy(listen: &str, http: &str) -> Proxy {
    let text = format!(
        "[listen]\nhttp = \"127.0.0.1:0\"\n{listen}\n[[host]]\nnames = [\"a.example\"]\ntarget = \"127.0.0.1\"\nhttp = {{ reuse = \"never\", {http} }}\n"
    );
    Proxy::start(Path::new("."), &text)
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a.example\r\n{CLOSE}")
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

#[test]
fn the_longest_entry_that_allows_a_request_says_where_it_goes() {
    let (own, _) = many("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nown");
    let (other, requests) = many("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother");
    let proxy = proxy(
        "",
        &format!(
            "tcp = {own}, urls = [\"/apps\", {{ prefix = \"/apps/admin/\", target = \"127.0.0.1\", tcp = {other} }}, {{ prefix = \"/apps/admin/own\" }}, {{ prefix = \"/.well-known/\", target = \"127.0.0.1\", tcp = {other} }}]"
        ),
    );
    for (path, served) in [
        ("/apps/x", "own"),
        ("/apps/admin/x", "other"),
        // The slash at its end keeps the longer one from allowing this.
        ("/apps/admin/x/y", "own"),
        ("/apps/admin/owner", "own"),
        ("/.well-known/x", "other"),
    ] {
        let answer = ask(&proxy, &get(path));
        assert!(answer.ends_with(&format!("\r\n\r\n{served}")), "{path}: {answer}");
    }
    assert_eq!(status(&ask(&proxy, &get("/.well-known/x/y"))), "403");
    let seen: Vec<String> = requests.try_iter().collect();
    assert_eq!(seen.len(), 2);
    assert!(seen[0].starts_with("GET /apps/admin/x HTTP/1.1\r\nHost: a.example\r\n"), "{seen:?}");
}

#[test]
fn in_clear_everything_is_sent_to_https_but_what_lies_elsewhere() {
    let (own, at_own) = many(OK);
    let (other, _) = many("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother");
    let urls = format!("urls = [\"/a\", {{ prefix = \"/b/\", target = \"127.0.0.1\", tcp = {other} }}]");
    let proxy_ = proxy("", &format!("tcp = {own}, redirect = \"https\", redirect-port = 453, {urls}"));
    for (request, location) in [
        ("GET /a/x?y=/z HTTP/1.1\r\nHost: A.example:90\r\n", Some("https://A.example:453/a/x?y=/z")),
        (
            "POST /no/entry HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n",
            Some("https://a.example:453/no/entry"),
        ),
        ("GET http://a.example HTTP/1.1\r\nHost: a.example\r\n", Some("https://a.example:453/")),
        ("GET /b/x HTTP/1.1\r\nHost: a.example\r\n", None),
    ] {
        let answer = ask(&proxy_, &format!("{request}{CLOSE}"));
        match location {
            Some(location) => {
                assert!(answer.starts_with("HTTP/1.1 308 Permanent Redirect\r\n"), "{answer}");
                assert!(answer.contains(&format!("\r\nLocation: {location}\r\n")), "{answer}");
            }
            None => assert!(answer.ends_with("\r\n\r\nother"), "{answer}"),
        }
    }
    // Whoever may not use the host is not told where it is.
    let proxy_ = proxy("", &format!("tcp = {own}, redirect = \"https\", networks = [\"192.0.2.0/24\"]"));
    assert_eq!(status(&ask(&proxy_, &get("/a"))), "404");
    // The connection goes on behind a redirect.
    let proxy_ = proxy("", &format!("tcp = {own}, redirect = \"https\""));
    let answer = ask(&proxy_, &format!("GET /1 HTTP/1.1\r\nHost: a.example\r\n\r\n{}", get("/2")));
    assert_eq!(answer.matches("\r\nLocation: https://a.example/").count(), 2, "{answer}");
    assert!(at_own.try_recv().is_err());
}

#[test]
fn methods_that_are_not_listed_are_refused_by_name() {
    let (port, requests) = many(OK);
    let proxy = proxy("", &format!("tcp = {port}, methods = [\"GET\", \"HEAD\"]"));
    assert_eq!(status(&ask(&proxy, &get("/"))), "200");
    let answer = ask(&proxy, "DELETE / HTTP/1.1\r\nHost: a.example\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 405 ") && answer.contains("\r\nAllow: GET, HEAD\r\n"), "{answer}");
    assert!(answer.contains(CLOSE.trim_end()), "{answer}");
    assert_eq!(requests.try_iter().count(), 1);
}

#[test]
fn a_body_that_is_too_large_is_refused_however_it_comes() {
    let (port, requests) = many(OK);
    let proxy = proxy("", &format!("tcp = {port}, max-body = \"5B\""));
    let post = |framing: &str, body: &str| {
        ask(
            &proxy,
            &format!("POST / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n{framing}\r\n\r\n{body}"),
        )
    };
    assert_eq!(status(&post("Content-Length: 5", "hello")), "200");
    assert_eq!(status(&post("Content-Length: 6", "hello!")), "413");
    let chunked = "Transfer-Encoding: chunked";
    assert_eq!(status(&post(chunked, "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n")), "200");
    // Only its beginning went on, on a connection that was then closed.
    assert_eq!(status(&post(chunked, "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n")), "413");
    assert_eq!(requests.try_iter().count(), 2);
}

#[test]
fn a_refused_body_does_not_become_a_request() {
    let (port, requests) = many(OK);
    let proxy = proxy("", &format!("tcp = {port}, urls = [\"/a\"]"));
    let mut stream = proxy.connect("http");
    let inner = "GET /a/smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n";
    let post = format!("POST /no HTTP/1.1\r\nHost: a.example\r\nContent-Length: {}\r\n\r\n", inner.len());
    stream.write_all(post.as_bytes()).expect("the proxy reads");
    // The answer comes before the body.
    assert!(read_until(&mut stream, "\r\n\r\n").starts_with("HTTP/1.1 403 "));
    read_until(&mut stream, "Forbidden\n");
    stream.write_all(format!("{inner}{}", get("/a/true")).as_bytes()).expect("the proxy reads");
    assert!(read_until(&mut stream, "\r\n\r\nok").starts_with("HTTP/1.1 200 OK\r\n"));
    let seen: Vec<String> = requests.try_iter().collect();
    assert!(seen.len() == 1 && seen[0].starts_with("GET /a/true "), "{seen:?}");
    // One that waits to be told, or is larger than what is worth reading, ends the connection.
    for fields in
        ["Expect: 100-continue\r\nContent-Length: 5", "Content-Length: 65537", "Transfer-Encoding: chunked"]
    {
        let answer = ask(&proxy, &format!("POST /no HTTP/1.1\r\nHost: a.example\r\n{fields}\r\n\r\n"));
        assert!(answer.starts_with("HTTP/1.1 403 ") && answer.contains(CLOSE.trim_end()), "{answer}");
    }
}

/// The forwarding fields that the service gets.
fn told(listen: &str, http: &str, fields: &str) -> Vec<String> {
    let (port, requests) = many(OK);
    let proxy = proxy(listen, &format!("tcp = {port}, {http}"));
    ask(&proxy, &format!("GET / HTTP/1.1\r\nHost: a.example:81\r\n{fields}{CLOSE}"));
    let request = requests.recv_timeout(PATIENCE).expect("a request");
    let told = ["X-Forwarded-", "Forwarded", "Via", "X-Real", "x_forwarded"];
    let lines = request.lines().filter(|line| told.iter().any(|told| line.starts_with(told)));
    lines.map(str::to_owned).collect()
}

#[test]
fn a_service_is_told_of_the_client_what_the_proxy_itself_knows() {
    let claims = "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: b.example\r\nForwarded: for=192.0.2.1\r\nX-Real-IP: 192.0.2.1\r\nx_forwarded_for: 192.0.2.1\r\nX-Forwarded-Port: 1\r\nConnection: X-Forwarded-For\r\n";
    assert_eq!(
        told("", "", claims),
        ["X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: http", "X-Forwarded-Host: a.example:81"]
    );
    assert_eq!(
        told("", "forwarded = true, via = \"edge\", append-own-address = true", claims),
        [
            "X-Forwarded-For: 127.0.0.1, 127.0.0.1",
            "X-Forwarded-Proto: http",
            "X-Forwarded-Host: a.example:81",
            "Forwarded: for=127.0.0.1;host=\"a.example:81\";proto=http",
            "Via: 1.1 edge"
        ]
    );
}

#[test]
fn a_trusted_proxy_is_believed_and_appended_to() {
    let trusted = "trusted-proxies = [\"127.0.0.0/8\"]";
    let claims = "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: 192.0.2.2 \r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: b.example\r\nX-Forwarded-Port: 1\r\n";
    assert_eq!(
        told(trusted, "", claims),
        [
            "X-Forwarded-For: 192.0.2.1, 192.0.2.2, 127.0.0.1",
            "X-Forwarded-Proto: https",
            "X-Forwarded-Host: b.example"
        ]
    );
    assert_eq!(
        told(trusted, "", "X-Forwarded-Proto: gopher\r\nX-Forwarded-Host: a b\r\n"),
        ["X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: http", "X-Forwarded-Host: a.example:81"]
    );
}
