//! All cases of the corpus through a proxy without sockets: whole, and cut everywhere.

mod proxy;

use proxy::{Forwarded, Outcome, Proxy};
use rp_http::{Target, extract};
use rp_testkit::{
    chunks,
    corpus::{self, Case},
};
use serde_json::{Value, json};

const HEAD: &str = "GET /PBX0/APPS/x HTTP/1.1\r\nHost: pbx.example.com\r\n";

#[test]
fn every_case_ends_as_wanted() {
    let cases = cases();
    assert_eq!(cases.len(), 232);
    let mut failed = Vec::new();
    for case in &cases {
        let outcome = run(case, &[&case.bytes]);
        let wrong = differences(case, &outcome);
        if !wrong.is_empty() {
            failed.push(format!("{}: {}", case.name, wrong.join("; ")));
        }
    }
    assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n"));
}

#[test]
fn no_case_ends_otherwise_when_it_is_cut() {
    for case in cases() {
        let whole = run(&case, &[&case.bytes]);
        // The long ones are cut in few ways: each costs its length, and they are all of one octet.
        let ways = if case.bytes.len() > 8_000 { 8 } else { usize::MAX };
        for sizes in chunks::sizes(case.bytes.len()).iter().take(ways) {
            let cut = run(&case, &chunks::cut(&case.bytes, sizes));
            assert_eq!(cut, whole, "{} cut as {sizes:?}", case.name);
        }
    }
}

/// The corpus in files, and three cases of 200 KB that are easier said than kept.
fn cases() -> Vec<Case> {
    let mut cases = corpus::load("tests/corpus", "http");
    let long = "a".repeat(200_000);
    let made = |name: &str, bytes: String, expected: Value| Case {
        name: name.to_owned(),
        bytes: bytes.into_bytes(),
        expected,
    };
    cases.push(made(
        "l-long",
        format!("GET /PBX0/APPS/x?{long} HTTP/1.1\r\nHost: pbx.example.com\r\n\r\n"),
        json!({"expect": {"responses": [[414]], "forwarded": [], "close": true}}),
    ));
    cases.push(made(
        "h-large",
        format!("{HEAD}X-A: {long}\r\n\r\n"),
        json!({"expect": {"responses": [[431]], "forwarded": [], "close": true}}),
    ));
    cases.push(made(
        "r-head-huge",
        format!("{HEAD}\r\n"),
        json!({
            "expect": {
                "responses": [[502]],
                "forwarded": [{"backend": "A", "method": "GET", "target": "/PBX0/APPS/x", "body": 0}],
            },
            "reply": [format!("HTTP/1.1 200 OK\r\nX-A: {long}\r\nContent-Length: 0\r\n\r\n")],
        }),
    ));
    cases
}

/// What comes of a case that arrives in these pieces; what the client sends later follows.
fn run(case: &Case, pieces: &[&[u8]]) -> Outcome {
    let replies = list(&case.expected["reply"]).iter().map(|reply| reply.as_str().map(latin1)).collect();
    let mut proxy = Proxy::new(replies);
    for piece in pieces {
        proxy.feed(piece);
    }
    for then in list(&case.expected["then"]) {
        proxy.feed(&latin1(then["send"].as_str().expect("octets to send")));
    }
    if case.expected["fin"] == true {
        proxy.end_of_input();
    }
    proxy.outcome
}

fn differences(case: &Case, outcome: &Outcome) -> Vec<String> {
    let expect = &case.expected["expect"];
    let mut wrong = Vec::new();
    let statuses = list(&expect["responses"]);
    let as_wanted = |(wanted, got): (&Value, &u16)| match wanted {
        Value::Array(any) => any.iter().any(|one| one == got),
        one => one == got,
    };
    if statuses.len() != outcome.statuses.len() || !statuses.iter().zip(&outcome.statuses).all(as_wanted) {
        wrong.push(format!("answered {:?}, wanted {statuses:?}", outcome.statuses));
    }
    let requests = list(&expect["forwarded"]);
    if requests.len() != outcome.forwarded.len() {
        wrong.push(format!("{} requests forwarded, wanted {}", outcome.forwarded.len(), requests.len()));
    }
    for (wanted, got) in requests.iter().zip(&outcome.forwarded) {
        wrong.extend(forwarded_differences(wanted, got));
    }
    if expect["close"] == true && !outcome.closed {
        wrong.push("stays open".to_owned());
    }
    if expect["lastbody"].as_str().is_some_and(|wanted| (wanted == "complete") != outcome.complete) {
        wrong.push(format!("the last body is complete: {}", outcome.complete));
    }
    let got =
        |text: &Value| text.as_str().map(|text| String::from_utf8_lossy(&outcome.to_client).contains(text));
    if got(&expect["bodyhas"]) == Some(false) || got(&expect["bodylacks"]) == Some(true) {
        wrong.push(format!("the client got {}", outcome.to_client.escape_ascii()));
    }
    if expect["tunnel"].is_string() && outcome.tunnel.as_ref().is_none_or(Vec::is_empty) {
        wrong.push("nothing went through the tunnel".to_owned());
    }
    wrong
}

fn forwarded_differences(wanted: &Value, got: &Forwarded) -> Vec<String> {
    let key = extract(&got.head).expect("what is forwarded can be read");
    let head = key.head;
    let Target::Path { path, query, .. } = head.target else { panic!("no asterisk is forwarded") };
    let target = [path, &query.map_or(Vec::new(), |query| [b"?", query].concat())].concat();
    let mut wrong = Vec::new();
    let mut compare = |what: &str, wanted: &Value, got: Value| {
        if !wanted.is_null() && *wanted != got {
            wrong.push(format!("{what} is {got}, wanted {wanted}"));
        }
    };
    compare("service", &wanted["backend"], json!(got.service.to_string()));
    compare("method", &wanted["method"], json!(String::from_utf8_lossy(head.method)));
    compare("target", &wanted["target"], json!(String::from_utf8_lossy(&target)));
    compare("host", &wanted["host"], json!(head.host.to_string()));
    compare("body length", &wanted["body"], json!(got.body.len()));
    if !wanted["sha256"].is_null() {
        let known = [&b"phone calls"[..], b"ring at eight", b"wxyz", &[b'z'; 70_000]];
        compare("a body of known content", &json!(true), json!(known.contains(&got.body.as_slice())));
    }
    for name in list(&wanted["lacks"]) {
        let name = name.as_str().expect("a name");
        compare(name, &json!(0), json!(head.fields.all(name.as_bytes()).count()));
    }
    for (name, pattern) in wanted["has"].as_object().into_iter().flatten() {
        let pattern = pattern.as_str().expect("a pattern").replace("\\.", ".").replace("(?i)", "");
        let value =
            head.fields.first(name.as_bytes()).map(|value| String::from_utf8_lossy(value).to_lowercase());
        let fits = value.is_some_and(|value| match pattern.strip_prefix('^') {
            Some(start) => value.starts_with(start),
            None => value.contains(&pattern),
        });
        compare(name, &json!(true), json!(fits));
    }
    wrong
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(c).expect("one octet")).collect()
}
