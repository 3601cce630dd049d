//! The figures: each is what happened, all are described, and nobody's address is among them.

mod common;

use std::{
    collections::BTreeSet,
    fs,
    io::{Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
};

use common::{
    Port, certificates, client_certificate,
    guarded::{Guarded, bind, get, read, read_to_end, rrq, tls, tls_with, wait_until},
    run,
    sip::register,
    stand_in, write,
};
use rp_route::leg::Transport;
use rpd::{
    cli::demo::stand_in::StandIn,
    protocol::{Kind, Protocol},
};

const PHONE: &str = "203.0.113.1";
const GUESSER: &str = "203.0.113.2";
const SCANNER: &str = "203.0.113.4";
const BLOCKED: &str = "203.0.113.3";
const STRANGER: &str = "203.0.113.5";

/// A proxy that has seen a little of everything, where its figures are over TCP, and services that speak TLS.
fn busy() -> (Guarded, Port, StandIn) {
    let port = Port::reserve();
    let folder = certificates();
    let services = stand_in("hq", &folder);
    let over_tls = |protocol| services.ports.of(Kind { protocol, transport: Transport::Tls });
    let guarded = Guarded::start(&format!(
        r#"
[metrics]
listen = "127.0.0.1:{port}"
[admin]
socket = "admin.sock"
[guard]
threshold = 2
block = ["{BLOCKED}"]
[[host]]
names = ["secure.example.com"]
target = "127.0.0.1"
http = {{ tls = {} }}
h323 = {{ tls = {}, check-certificate = true }}
tls = {{ verify = "none" }}
"#,
        over_tls(Protocol::Http),
        over_tls(Protocol::H323),
    ));
    over_tls_and_by_certificate(&guarded);
    two_hosts_of_a_phone(&guarded);
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
    (guarded, port, services)
}

fn over_tls_and_by_certificate(guarded: &Guarded) {
    let mut browser = guarded.connect("http", PHONE);
    browser.write_all(&get("secure.example.com", "/", "")).expect("the proxy reads");
    assert!(read_to_end(&mut browser).starts_with(b"HTTP/1.1 200 "));
    let certificate = client_certificate(guarded.folder.path(), "phone");
    for (source, certificate) in [(PHONE, Some(&certificate)), (STRANGER, None)] {
        let mut phone = tls_with(guarded.connect("h323s", source), "secure.example.com", certificate);
        phone.write_all(&rrq("secure.example.com", "phone")).expect("the proxy reads");
        assert!(phone.read(&mut [0; 4096]).expect("an answer") > 0);
    }
}

/// With an answer to a call that nobody has made.
fn two_hosts_of_a_phone(guarded: &Guarded) {
    let mut phone = guarded.connect("sip", PHONE);
    for domain in ["example.com", "small.example.com"] {
        phone.write_all(register("101", domain, domain).as_bytes()).expect("the proxy reads");
        assert!(read(&mut phone).starts_with(b"SIP/2.0 200 "));
    }
    let invite = common::sip::request("INVITE", "sip:a@b.example", "sip:c@b.example", "i", "", "");
    let answer = common::sip::response(invite.as_bytes(), "200 OK", "");
    phone.write_all(answer.as_bytes()).expect("the proxy reads");
    wait_until("the answer", || ask(guarded, "/metrics").contains("\nrpd_sip_responses_dropped_total 1\n"));
}

#[test]
fn the_octets_of_every_directory_of_a_connection_are_counted() {
    let guarded = Guarded::start("[admin]\nsocket = \"admin.sock\"\n");
    let mut phone = guarded.connect("ldap", PHONE);
    let binds = ["example.com\\0", "small.example.com\\0"].map(bind);
    for bind in &binds {
        phone.write_all(bind).expect("the proxy reads");
        assert!(!read(&mut phone).is_empty());
    }
    drop(phone);
    let up = format!(r#"rpd_bytes_total{{protocol="ldap",direction="up"}} {}"#, binds.concat().len());
    wait_until("both of them", || ask(&guarded, "/metrics").lines().any(|line| line == up));
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

fn of_root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

fn of_project(path: &str) -> String {
    fs::read_to_string(of_root(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

const EXPECTED: &[&str] = &[
    r#"rpd_connections{listener="ldap"} 0"#,
    r#"rpd_connections{listener="http"} 0"#,
    r#"rpd_connections_total{listener="ldap",outcome="served"} 3"#,
    r#"rpd_connections_total{listener="ldap",outcome="refused"} 1"#,
    r#"rpd_connections_total{listener="http",outcome="served"} 3"#,
    r#"rpd_connections_total{listener="http",outcome="refused"} 2"#,
    r#"rpd_connections_total{listener="https",outcome="served"} 1"#,
    r#"rpd_connections_total{listener="sip",outcome="denied"} 1"#,
    r#"rpd_connections{listener="any"} 0"#,
    r#"rpd_connections_total{listener="any",outcome="served"} 1"#,
    r#"rpd_connections_total{listener="any",outcome="refused"} 1"#,
    r#"rpd_connection_seconds_count{protocol="http"} 6"#,
    r#"rpd_connection_seconds_count{protocol="ldap"} 5"#,
    r#"rpd_connection_seconds_count{protocol=""} 1"#,
    r#"rpd_requests_total{protocol="",host="",outcome="malformed"} 1"#,
    r#"rpd_requests_total{protocol="ldap",host="example.com",outcome="forwarded"} 4"#,
    r#"rpd_first_message_seconds_count{protocol="http"} 6"#,
    r#"rpd_requests_total{protocol="http",host="example.com",outcome="2xx"} 2"#,
    r#"rpd_requests_total{protocol="http",host="example.com",outcome="4xx"} 1"#,
    r#"rpd_requests_total{protocol="http",host="",outcome="unknown-host"} 1"#,
    r#"rpd_requests_total{protocol="http",host="down.example.com",outcome="target-unreachable"} 1"#,
    r#"rpd_requests_total{protocol="ldap",host="example.com",outcome="refused"} 3"#,
    r#"rpd_tls_handshakes_total{listener="https",version="TLSv1.3",result="done"} 1"#,
    r#"rpd_target_connects_total{host="down.example.com",result="unreachable"} 1"#,
    r#"rpd_target_up{host="example.com"} 1"#,
    r#"rpd_target_up{host="down.example.com"} 0"#,
    r#"rpd_target_connect_seconds_count{host="secure.example.com"} 2"#,
    r#"rpd_client_certificates_total{result="trusted"} 1"#,
    r#"rpd_client_certificates_total{result="untrusted"} 0"#,
    r#"rpd_client_certificates_total{result="none"} 1"#,
    r#"rpd_sip_responses_dropped_total 1"#,
    r#"rpd_legs{protocol="sip",state="open"} 0.0"#,
    r#"rpd_legs{protocol="http",state="open"} 0.0"#,
    r#"rpd_legs{protocol="http",state="tunnel"} 0.0"#,
    r#"rpd_accept_errors_total{error="EMFILE"} 0"#,
    r#"rpd_lists_save_failures_total 0.0"#,
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
    let (guarded, port, _services) = busy();
    for line in EXPECTED {
        wait_until(line, || ask(&guarded, "/metrics").lines().any(|there| there == *line));
    }
    let page = ask(&guarded, "/metrics");
    let ends = "\nrpd_target_certificate_not_after_timestamp_seconds{host=\"secure.example.com\"} ";
    assert!(page.contains(ends), "{page}");
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
fn a_target_that_nobody_was_let_through_to_is_neither_up_nor_down() {
    let guarded = Guarded::start("[admin]\nsocket = \"admin.sock\"\n");
    let mut browser = guarded.connect("http", PHONE);
    browser.write_all(&get("web.example.com", "/elsewhere", "")).expect("the proxy reads");
    read_to_end(&mut browser);
    let refused =
        "rpd_requests_total{protocol=\"http\",host=\"web.example.com\",outcome=\"url-not-allowed\"} 1";
    wait_until(refused, || ask(&guarded, "/metrics").contains(refused));
    assert!(!ask(&guarded, "/metrics").contains("rpd_target_up{host=\"web.example.com\"}"));
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
    let (guarded, _port, _services) = busy();
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

#[test]
fn legs_are_seen_while_they_are_open_parked_or_tunnels() {
    let guarded = Guarded::start("[admin]\nsocket = \"admin.sock\"\n");
    let wait_for = |protocol: &str, state: &str, number: &str| {
        let line = format!("rpd_legs{{protocol=\"{protocol}\",state=\"{state}\"}} {number}");
        wait_until(&line, || ask(&guarded, "/metrics").lines().any(|there| there == line));
    };
    let mut phone = guarded.connect("ldap", PHONE);
    phone.write_all(&bind("example.com\\0")).expect("the proxy reads");
    assert!(!read(&mut phone).is_empty());
    wait_for("ldap", "open", "1.0");
    let mut browser = guarded.connect("http", PHONE);
    browser.write_all(b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n").expect("the proxy reads");
    assert!(!read(&mut browser).is_empty());
    wait_for("http", "open", "1.0");
    drop(browser);
    wait_for("http", "parked", "1.0");
    let mut browser = guarded.connect("http", PHONE);
    let upgrade =
        "GET /tunnel HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    browser.write_all(upgrade.as_bytes()).expect("the proxy reads");
    assert!(read(&mut browser).starts_with(b"HTTP/1.1 101 "));
    wait_for("http", "tunnel", "1.0");
    wait_for("http", "open", "0.0");
    drop((browser, phone));
    wait_for("http", "tunnel", "0.0");
    wait_for("ldap", "open", "0.0");
}

#[test]
#[ignore = "needs prometheus"]
fn prometheus_finds_nothing_to_complain_of() {
    let (guarded, _port, _services) = busy();
    let answer = ask(&guarded, "/metrics");
    let (_, page) = answer.split_once("\r\n\r\n").expect("a body");
    let page = write(guarded.folder.path(), "metrics.txt", page);
    let checked = run("sh", ["-c", "promtool check metrics < \"$0\"", &page.display().to_string()]);
    assert_eq!(checked.expect(0).err, "");
    run("promtool", ["check", "rules", &of_root("dist/alerts.yml").display().to_string()]).ok();
}
