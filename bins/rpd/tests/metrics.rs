//! The figures: each is what happened, all are described, and nobody's address is among them.

mod common;

use std::{
    collections::BTreeSet,
    fs,
    io::{Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
    path::Path,
};

use common::{
    Port,
    guarded::{Guarded, bind, get, read, read_to_end, tls, wait_until},
};

const PHONE: &str = "203.0.113.1";
const GUESSER: &str = "203.0.113.2";
const SCANNER: &str = "203.0.113.4";
const BLOCKED: &str = "203.0.113.3";

/// A proxy that has seen a little of everything, and where its figures are over TCP.
fn busy() -> (Guarded, Port) {
    let port = Port::reserve();
    let guarded = Guarded::start(&format!(
        "[metrics]\nlisten = \"127.0.0.1:{port}\"\n[admin]\nsocket = \"admin.sock\"\n[guard]\nthreshold = 2\nblock = [\"{BLOCKED}\"]\n"
    ));
    let mut phone = guarded.connect("ldap", PHONE);
    phone.write_all(&bind("example.com\\0")).expect("the proxy reads");
    assert!(!read(&mut phone).is_empty());
    drop(phone);
    for (host, path) in
        [("example.com", "/"), ("example.com", "/404"), ("nobody.example", "/"), ("down.example.com", "/")]
    {
        let mut browser = guarded.connect("http", PHONE);
        browser.write_all(&get(host, path, "")).expect("the proxy reads");
        read_to_end(&mut browser);
    }
    let mut browser = tls(guarded.connect("https", PHONE), "example.com");
    browser.write_all(&get("example.com", "/", "")).expect("the proxy reads");
    browser.read_to_end(&mut Vec::new()).expect("an answer");
    for attempt in 1..=3 {
        // The ban would end a connection that is still being closed, which then counts as refused.
        wait_until("nobody left", || {
            ask(&guarded, "/metrics").lines().any(|line| line == r#"rpd_connections{listener="ldap"} 0"#)
        });
        let mut guesser = guarded.connect("ldap", GUESSER);
        guesser.write_all(&bind("example.com\\49")).expect("the proxy reads");
        read(&mut guesser);
        if attempt == 3 {
            read_to_end(&mut guesser);
        }
    }
    guarded.wait_for_ban(GUESSER);
    let mut phone = guarded.connect("any", PHONE);
    phone.write_all(&bind("example.com\\0")).expect("the proxy reads");
    assert!(!read(&mut phone).is_empty());
    drop(phone);
    let mut scanner = guarded.connect("any", SCANNER);
    scanner.write_all(b"\0\0\0\0\0\0\0\0").expect("the proxy reads");
    read_to_end(&mut scanner);
    read_to_end(&mut guarded.connect("sip", BLOCKED));
    (guarded, port)
}

/// What is answered to a request for `path` at the socket for administration.
fn ask(guarded: &Guarded, path: &str) -> String {
    let mut stream = UnixStream::connect(guarded.folder.path().join("admin.sock")).expect("a socket");
    exchange(&mut stream, path)
}

fn exchange(stream: &mut (impl Read + Write), path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}

/// The names of the metrics in a page of figures.
fn names(page: &str) -> BTreeSet<&str> {
    page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect()
}

/// The names of ours that a text speaks of. Those of a histogram's series stand for it.
fn spoken_of(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'));
    words
        .filter(|word| word.strip_prefix("rpd_").is_some_and(|rest| !rest.is_empty()))
        .map(|word| word.strip_suffix("_bucket").unwrap_or(word))
        .collect()
}

fn of_project(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

const EXPECTED: &[&str] = &[
    r#"rpd_connections{listener="ldap"} 0"#,
    r#"rpd_connections{listener="http"} 0"#,
    r#"rpd_connections_total{listener="ldap",outcome="served"} 3"#,
    r#"rpd_connections_total{listener="ldap",outcome="refused"} 1"#,
    r#"rpd_connections_total{listener="http",outcome="served"} 2"#,
    r#"rpd_connections_total{listener="http",outcome="refused"} 2"#,
    r#"rpd_connections_total{listener="https",outcome="served"} 1"#,
    r#"rpd_connections_total{listener="sip",outcome="denied"} 1"#,
    r#"rpd_connections{listener="any"} 0"#,
    r#"rpd_connections_total{listener="any",outcome="served"} 1"#,
    r#"rpd_connections_total{listener="any",outcome="refused"} 1"#,
    r#"rpd_connection_seconds_count{protocol="http"} 5"#,
    r#"rpd_connection_seconds_count{protocol="ldap"} 5"#,
    r#"rpd_connection_seconds_count{protocol=""} 1"#,
    r#"rpd_requests_total{protocol="",host="",outcome="malformed"} 1"#,
    r#"rpd_requests_total{protocol="ldap",host="example.com",outcome="forwarded"} 4"#,
    r#"rpd_first_message_seconds_count{protocol="http"} 5"#,
    r#"rpd_requests_total{protocol="http",host="example.com",outcome="2xx"} 2"#,
    r#"rpd_requests_total{protocol="http",host="example.com",outcome="4xx"} 1"#,
    r#"rpd_requests_total{protocol="http",host="",outcome="unknown-host"} 1"#,
    r#"rpd_requests_total{protocol="http",host="down.example.com",outcome="target-unreachable"} 1"#,
    r#"rpd_requests_total{protocol="ldap",host="example.com",outcome="refused"} 3"#,
    r#"rpd_tls_handshakes_total{listener="https",version="TLSv1.3",result="done"} 1"#,
    r#"rpd_target_connects_total{host="down.example.com",result="unreachable"} 1"#,
    r#"rpd_target_up{host="example.com"} 1"#,
    r#"rpd_target_up{host="down.example.com"} 0"#,
    r#"rpd_guard_events_total{reason="refused",protocol="ldap",counted="yes"} 3"#,
    r#"rpd_guard_events_total{reason="malformed",protocol="",counted="yes"} 1"#,
    r#"rpd_guard_bans_total{mode="enforce"} 1"#,
    r#"rpd_guard_refused_total 1"#,
    r#"rpd_guard_entries{kind="block",origin="auto"} 1.0"#,
    r#"rpd_guard_entries{kind="block",origin="config"} 1.0"#,
    r#"rpd_config_reloads_total{result="failed"} 0"#,
    r#"rpd_config_last_reload_success 1"#,
    r#"rpd_panics_total 0"#,
];

#[test]
fn the_figures_are_what_happened_without_anybodys_address() {
    let (guarded, port) = busy();
    for line in EXPECTED {
        wait_until(line, || ask(&guarded, "/metrics").lines().any(|there| there == *line));
    }
    let page = ask(&guarded, "/metrics");
    assert!(!page.contains("203.0.113.") && !page.contains("nobody.example"), "{page}");
    let over_tcp =
        |path| exchange(&mut TcpStream::connect(("127.0.0.1", port.number())).expect("it listens"), path);
    assert!(over_tcp("/metrics").contains(EXPECTED[0]));
    assert!(
        over_tcp("/health").ends_with("\r\n\r\nok\n") && ask(&guarded, "/health").ends_with("\r\n\r\nok\n")
    );
    assert!(over_tcp("/api/v1/lists").starts_with("HTTP/1.1 404 "), "nothing else is told there");
}

#[test]
fn a_reload_that_fails_is_seen_until_one_succeeds() {
    let guarded = Guarded::start("[admin]\nsocket = \"admin.sock\"\n");
    let there = |line: &str| ask(&guarded, "/metrics").lines().any(|there| there == line);
    guarded.proxy().reload("[nonsense]\n").expect_err("no such table");
    assert!(there("rpd_config_last_reload_success 0"));
    guarded.proxy().reload("").expect("an empty file is right");
    assert!(there("rpd_config_last_reload_success 1"));
    for result in ["done", "failed"] {
        assert!(there(&format!("rpd_config_reloads_total{{result=\"{result}\"}} 1")));
    }
}

#[test]
fn who_drains_is_not_healthy() {
    let port = Port::reserve();
    let guarded = Guarded::start(&format!(
        "[metrics]\nlisten = \"127.0.0.1:{port}\"\n[admin]\nsocket = \"admin.sock\"\n"
    ));
    // Until this is gone the end waits.
    let mut phone = guarded.connect("ldap", PHONE);
    phone.write_all(&bind("example.com\\0")).expect("the proxy reads");
    assert!(!read(&mut phone).is_empty());
    guarded.proxy().drain();
    let mut over_tcp = TcpStream::connect(("127.0.0.1", port.number())).expect("it listens");
    for answer in [exchange(&mut over_tcp, "/health"), ask(&guarded, "/health")] {
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.ends_with("\r\n\r\ndraining\n"), "{answer}");
    }
}

#[test]
fn every_figure_is_described_and_dashboard_and_alerts_use_no_other() {
    let (guarded, _port) = busy();
    let manual = of_project("docs/OPERATING.md");
    let described = spoken_of(&manual);
    wait_until("all figures", || names(&ask(&guarded, "/metrics")).len() >= described.len());
    let page = ask(&guarded, "/metrics");
    let there = names(&page);
    assert_eq!(described, there);
    let (grafana, alerts) = (of_project("dist/grafana.json"), of_project("dist/alerts.yml"));
    for (file, text) in [("grafana.json", &grafana), ("alerts.yml", &alerts)] {
        let used = spoken_of(text);
        assert!(used.len() > 5 && used.is_subset(&there), "{file}: {:?}", used.difference(&there));
    }
    serde_json::from_str::<serde_json::Value>(&grafana).expect("JSON");
}
