//! `rpd explain`, and the same question to a proxy that runs.

mod common;

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
};

use common::{
    Finished, Proxy, certificates, client_certificate_file,
    guarded::{bind, get, rrq},
    run, sip, write,
};
use rp_ldap::messages;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A folder with a configuration and what it names.
struct Desk {
    folder: TempDir,
    config: PathBuf,
}

impl Desk {
    fn set() -> Self {
        Self::with(ROWS)
    }

    fn with(rows: &str) -> Self {
        let folder = certificates();
        let config = write(folder.path(), "rpd.toml", &format!("{LISTEN}{rows}"));
        Self { folder, config }
    }

    /// Asks about a message from 203.0.113.7.
    fn ask(&self, listener: &str, octets: &[u8], more: &[&str]) -> Finished {
        let message = self.folder.path().join("message");
        std::fs::write(&message, octets).expect("a file");
        let [config, message] = [&self.config, &message].map(|path| path.display().to_string());
        let mut arguments = vec!["explain", "--config", &config, "--listener", listener];
        if !more.contains(&"--source") {
            arguments.extend(["--source", "203.0.113.7"]);
        }
        run(env!("CARGO_BIN_EXE_rpd"), [&arguments, more, &[message.as_str()]].concat())
    }

    fn forwarded(&self, listener: &str, octets: &[u8], more: &[&str]) -> Value {
        let told = object(&self.ask(listener, octets, &[&["--json"], more].concat()).expect(0));
        assert_eq!(told["outcome"], "forwarded", "{told:#}");
        told
    }

    fn not_forwarded(&self, listener: &str, octets: &[u8], more: &[&str]) -> Value {
        object(&self.ask(listener, octets, &[&["--json"], more].concat()).expect(1))
    }

    fn refused(&self, listener: &str, octets: &[u8], reason: &str) -> Value {
        let told = self.not_forwarded(listener, octets, &[]);
        assert_eq!(
            (&told["outcome"], &told["refusal"]["reason"]),
            (&json!("refused"), &json!(reason)),
            "{told:#}"
        );
        assert_eq!(told["refusal"]["counted"], true, "{told:#}");
        told
    }
}

fn object(finished: &Finished) -> Value {
    serde_json::from_str(&finished.out).expect("one JSON object")
}

fn register(domain: &str) -> Vec<u8> {
    sip::register("phone", domain, "b1").into_bytes()
}

/// The one message of each protocol that asks for this name.
fn for_name(name: &str) -> [(&'static str, Vec<u8>); 4] {
    [
        ("h323", rrq(name, "phone")),
        ("sip", register(name)),
        ("ldap", bind(&format!("{name}\\u"))),
        ("http", get(name, "/", "")),
    ]
}

#[test]
fn a_message_that_is_forwarded_is_told_from_protocol_to_leg() {
    let desk = Desk::set();
    for (listener, octets) in for_name("example.com") {
        let told = desk.forwarded(listener, &octets, &[]);
        assert_eq!(told["protocol"], listener);
        assert_eq!(told["host"]["line"], LISTEN.lines().count() + 1, "{told:#}");
        assert_eq!(told["rules"][0]["rule"], format!("{listener}.networks"));
        assert_eq!(told["leg"]["targets"], json!(["172.16.10.2"]));
        assert_eq!((&told["leg"]["over"], &told["leg"]["port"]), (&json!("tcp"), &json!(1000)));
    }
}

#[test]
fn the_octets_of_the_key_are_where_it_says() {
    let desk = Desk::set();
    for (listener, octets) in for_name("example.com") {
        let told = desk.forwarded(listener, &octets, &[]);
        assert_eq!(told["key"]["name"], "example.com");
        let at = usize::try_from(told["key"]["at"].as_u64().expect("an offset")).expect("small");
        let hex: String = octets[at..].iter().map(|octet| format!("{octet:02x}")).collect();
        let found = told["key"]["hex"].as_str().expect("digits");
        assert!(!found.is_empty() && hex.starts_with(found), "{told:#}");
    }
}

#[test]
fn an_unknown_name_is_answered_and_the_known_ones_are_told() {
    let desk = Desk::set();
    let answers = ["RRJ securityDenial", "SIP/2.0 404 Not Found", "result code 49", "HTTP/1.1 404 Not Found"];
    for ((listener, octets), answer) in for_name("other.example").into_iter().zip(answers) {
        let told = desk.refused(listener, &octets, "unknown-host");
        assert_eq!(told["answer"]["words"], answer);
        let notes = told["notes"].to_string();
        assert!(notes.contains("example.com, far.example.com"), "{notes}");
    }
}

#[test]
fn a_network_that_is_not_allowed_is_a_rule_that_says_no() {
    let desk = Desk::set();
    for (listener, octets) in for_name("far.example.com") {
        let told = desk.refused(listener, &octets, "network-not-allowed");
        assert_eq!(told["host"]["name"], "far.example.com");
        assert_eq!(told["rules"][0]["yes"], false, "{told:#}");
        desk.forwarded(listener, &octets, &["--source", "192.0.2.7"]);
    }
}

#[test]
fn a_url_that_no_entry_allows_names_the_nearest() {
    let desk = Desk::set();
    let told = desk.refused("http", &get("web.example.com", "/forbidden", ""), "url-not-allowed");
    assert_eq!(
        told["rules"][1],
        json!({ "rule": "http.urls", "yes": false, "because": "the nearest entry is \"/allowed\"" })
    );
    let told = desk.forwarded("http", &get("web.example.com", "/allowed/too", ""), &[]);
    assert_eq!(told["rules"][1]["yes"], true);
}

#[test]
fn a_certificate_opens_the_leg_over_tls() {
    let desk = Desk::set();
    let certificate = |name: &str| client_certificate_file(desk.folder.path(), name).display().to_string();
    let [own, other] = [certificate("phone"), certificate("other")];
    for (listener, octets) in
        [("h323s", rrq("checked.example.com", "phone")), ("sips", register("checked.example.com"))]
    {
        let told = desk.forwarded(listener, &octets, &["--certificate", &own]);
        assert_eq!(
            (&told["leg"]["over"], &told["rules"][1]["yes"]),
            (&json!("tls"), &json!(true)),
            "{told:#}"
        );
        for (more, why) in [(&["--certificate", &other][..], "\"other\""), (&[], "no client certificate")] {
            let told = desk.forwarded(listener, &octets, more);
            assert_eq!((&told["leg"]["over"], &told["rules"][1]["yes"]), (&json!("tcp"), &json!(false)));
            let because = told["leg"]["because"].as_str().unwrap_or_default();
            assert!(because.contains(why), "{told:#}");
        }
        let octets = if listener == "sips" {
            register("strict.example.com")
        } else {
            rrq("strict.example.com", "phone")
        };
        let told = desk.refused(listener, &octets, "certificate");
        assert_eq!(told["rules"][1]["yes"], false, "{told:#}");
    }
}

#[test]
fn on_any_the_protocol_is_known_by_its_octets() {
    let desk = Desk::set();
    for (protocol, octets) in for_name("example.com") {
        let told = desk.forwarded("any", &octets, &[]);
        assert_eq!(told["protocol"], protocol);
        let sniffed = told["sniffed"].to_string();
        assert!(sniffed.contains(&format!("only {protocol} is left after ")), "{sniffed}");
        desk.forwarded("any", &octets, &["--tls"]);
    }
    let told = desk.refused("any", b"\xff\xff", "malformed");
    assert_eq!(told["protocol"], Value::Null);
}

#[test]
fn a_message_that_is_not_whole_says_what_is_missing() {
    let desk = Desk::set();
    for (listener, octets) in for_name("example.com") {
        let told = desk.not_forwarded(listener, &octets[..octets.len() - 3], &[]);
        assert_eq!(told["outcome"], "incomplete", "{told:#}");
        let missing = told["missing"].as_u64().expect("a number");
        // What has lengths knows, what has lines cannot.
        assert_eq!(missing, if matches!(listener, "h323" | "ldap") { 3 } else { 1 }, "{told:#}");
        assert_eq!(told["refusal"]["reason"], "first-message-timeout");
    }
}

#[test]
fn requests_before_the_bind_are_told_too() {
    let desk = Desk::set();
    let octets = [bind(""), bind("example.com\\u")].concat();
    let told = desk.forwarded("ldap", &octets, &[]);
    assert!(told["notes"].to_string().contains("answered with result code 48"), "{told:#}");
    let told = desk.not_forwarded("ldap", &messages::start_tls_request(1), &[]);
    assert_eq!((&told["outcome"], &told["answer"]["words"]), (&json!("answered"), &json!("result code 0")));
}

#[test]
fn the_lists_of_the_configuration_are_part_of_it() {
    let desk = Desk::set();
    let told = desk.not_forwarded("sip", &register("example.com"), &["--source", "203.0.113.66"]);
    assert_eq!((&told["refusal"]["reason"], &told["refusal"]["counted"]), (&json!("blocked"), &json!(false)));
    assert!(told["notes"].to_string().contains("would be forwarded"), "{told:#}");
    let told = desk.not_forwarded("sip", &register("other.example"), &["--source", "203.0.113.99"]);
    assert_eq!(
        (&told["refusal"]["reason"], &told["refusal"]["counted"]),
        (&json!("unknown-host"), &json!(false))
    );
    assert_eq!(told["listed"]["kind"], "allow");
}

#[test]
fn what_comes_behind_the_message_is_said_not_to_be_explained() {
    let desk = Desk::set();
    for (listener, octets) in for_name("example.com") {
        let count = octets.len();
        let told = desk.forwarded(listener, &[octets.clone(), octets].concat(), &[]);
        assert!(told["notes"].to_string().contains(&format!("{count} octets behind")), "{told:#}");
    }
}

#[test]
fn the_source_may_stand_there_as_the_log_has_it() {
    let desk = Desk::set();
    let told = desk.forwarded("sip", &register("far.example.com"), &["--source", "192.0.2.7:40000"]);
    assert_eq!(told["source"], "192.0.2.7");
    desk.ask("sip", b"", &["--source", "192.0.2"]).expect(2);
}

#[test]
fn a_default_host_is_told_as_one() {
    let desk = Desk::with(
        "[[host]]\nnames = [\"a.example\"]\ntarget = \"172.16.10.2\"\nhttp = { tcp = 80 }\ndefault = [\"http\"]\n",
    );
    assert_eq!(desk.forwarded("http", &get("b.example", "/", ""), &[])["host"]["default"], true);
    assert_eq!(desk.forwarded("http", &get("a.example", "/", ""), &[])["host"]["default"], false);
}

#[test]
fn the_words_for_people_end_with_what_comes_of_it() {
    let desk = Desk::set();
    let hex: String = register("far.example.com").iter().map(|octet| format!("{octet:02X} ")).collect();
    let finished = desk.ask("sip", hex.as_bytes(), &["--hex"]).expect(1);
    for line in [
        "key           \"far.example.com\", the domain of From: octets ",
        "host          far.example.com, ",
        "rule          sip.networks: no, 203.0.113.7 is not among them",
        "REFUSED       network-not-allowed: ",
        "counted       yes, ",
        "answer        SIP/2.0 404 Not Found",
    ] {
        assert!(finished.out.contains(line), "no {line:?} in\n{}", finished.out);
    }
}

/// The example of the manual, for the host that begins in its line 20.
#[test]
fn the_manual_shows_what_is_printed() {
    let manual = include_str!("../../../docs/OPERATING.md");
    let (_, rest) = manual.split_once("    $ rpd explain ").expect("an example");
    let shown: Vec<&str> = rest.lines().skip(1).map_while(|line| line.strip_prefix("    ")).collect();
    let row = "[[host]]\ncomment = \"PBX hq\"\nnames = [\"example.com\"]\ntarget = \"172.16.10.2\"\n\
               sip = { tcp = 5060, networks = [\"203.0.113.0/24\"] }\n";
    let desk = Desk::with(row);
    let lines = format!("{LISTEN}{row}").lines().position(|line| line == "[[host]]").expect("a row") + 1;
    let register = "REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/TLS 192.0.2.1;branch=z9hG4bK1\r\n\
                    From: <sip:101@example.com>;tag=1\r\nTo: <sip:101@example.com>\r\nCall-ID: c1\r\n\
                    CSeq: 1 REGISTER\r\nContent-Length: 0\r\n\r\n";
    let finished = desk.ask("sips", register.as_bytes(), &["--source", "198.51.100.7"]).expect(1);
    let printed = finished.out.replace(&format!("{}:{lines}", desk.config.display()), "/etc/rpd/rpd.toml:20");
    let printed = printed.replace(&format!("in line {lines}"), "in line 20");
    assert_eq!(printed.lines().collect::<Vec<_>>(), shown);
}

#[test]
fn a_wrong_question_is_told_apart_from_a_refusal() {
    let desk = Desk::set();
    for (listener, octets, more, word) in [
        ("ftp", &b""[..], &[][..], "no listener is called \"ftp\""),
        ("ldaps", b"", &[], "nothing listens for ldaps"),
        ("sip", b"zz", &["--hex"], "no hexadecimal digit"),
        ("sip", b"abc", &["--hex"], "3 hexadecimal digits"),
        ("sips", b"\x16\x03\x01", &[], "TLS handshake"),
        ("sip", b"", &["--server-name", "example.com"], "in clear"),
        ("sip", b"", &["--certificate", "nowhere.pem"], "nowhere.pem"),
    ] {
        let finished = desk.ask(listener, octets, more).expect(2);
        assert!(finished.err.contains(word), "{}", finished.err);
    }
    let broken = Desk::with("[[host]]\n");
    assert!(broken.ask("sip", b"", &[]).expect(2).err.contains("target"));
}

#[test]
fn a_proxy_that_runs_answers_the_same_by_its_own_state() {
    let desk = Desk::set();
    let text = std::fs::read_to_string(&desk.config).expect("a file");
    let proxy = Proxy::start(desk.folder.path(), &text);
    let pem = client_certificate_file(desk.folder.path(), "phone");
    let pem = std::fs::read_to_string(pem).expect("a file");
    let hex = |octets: &[u8]| octets.iter().map(|octet| format!("{octet:02x}")).collect::<String>();
    let ask = |question: Value| post(&desk.folder.path().join("admin.sock"), &question);

    let octets = register("far.example.com");
    let question = json!({ "listener": "sip", "source": "203.0.113.7", "hex": hex(&octets) });
    let (status, told) = ask(question.clone());
    let mut by_file = desk.refused("sip", &octets, "network-not-allowed");
    by_file["answer"] = told["answer"].clone(); // a tag of its own
    assert_eq!((status, &told), (200, &by_file));

    let octets = rrq("checked.example.com", "phone");
    let question_of_phone =
        json!({ "listener": "h323s", "source": "203.0.113.7", "hex": hex(&octets), "certificate": pem });
    assert_eq!(ask(question_of_phone).1["leg"]["over"], "tls");

    let rows = ROWS.replace("192.0.2.0/24", "203.0.113.0/24");
    proxy.reload(&format!("{LISTEN}{rows}")).expect("a reload");
    assert_eq!(ask(question.clone()).1["outcome"], "forwarded");

    for (key, value, word) in [
        ("listener", json!("ftp"), "no listener is called"),
        ("hex", json!("0"), "an octet has two"),
        ("certificate", json!("no PEM at all"), "certificate"),
        ("wrong", json!(1), "unknown field"),
    ] {
        let mut wrong = question.clone();
        wrong[key] = value;
        let (status, told) = ask(wrong);
        assert!((400..500).contains(&status), "{key}: {status}");
        assert!(told["error"].to_string().contains(word), "{told}");
    }
}

/// `POST /api/v1/explain`: the status, and the body.
fn post(socket: &Path, question: &Value) -> (u16, Value) {
    let mut stream = UnixStream::connect(socket).expect("a socket");
    let body = question.to_string();
    let head = format!(
        "POST /api/v1/explain HTTP/1.0\r\nHost: localhost\r\nX-Rpd: 1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head, body].concat().into_bytes()).expect("the proxy reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
    (status, serde_json::from_str(body).expect("JSON"))
}

const LISTEN: &str = r#"
state-directory = "state"
[listen]
h323 = "127.0.0.1:0"
h323s = "127.0.0.1:0"
sip = "127.0.0.1:0"
sips = "127.0.0.1:0"
ldap = "127.0.0.1:0"
http = "127.0.0.1:0"
any = "127.0.0.1:0"
[admin]
socket = "admin.sock"
[guard]
allow = ["203.0.113.99"]
block = ["203.0.113.66"]
[tls]
trust-list = ["ca.pem"]
[[tls.certificate]]
certificate = "proxy.pem"
key = "proxy.key"

"#;

const ROWS: &str = r#"[[host]]
names = ["example.com"]
target = "172.16.10.2"
h323 = { tcp = 1000 }
sip = { tcp = 1000 }
ldap = { tcp = 1000 }
http = { tcp = 1000 }

[[host]]
names = ["far.example.com"]
target = "172.16.10.2"
h323 = { tcp = 1000, networks = ["192.0.2.0/24"] }
sip = { tcp = 1000, networks = ["192.0.2.0/24"] }
ldap = { tcp = 1000, networks = ["192.0.2.0/24"] }
http = { tcp = 1000, networks = ["192.0.2.0/24"] }

[[host]]
names = ["web.example.com"]
target = "172.16.10.2"
http = { tcp = 1000, urls = ["/allowed"] }

[[host]]
names = ["checked.example.com"]
target = "172.16.10.2"
h323 = { tcp = 1000, tls = 1001, check-certificate = true }
sip = { tcp = 1000, tls = 1001, check-certificate = true }
tls = { verify = "none" }

[[host]]
names = ["strict.example.com"]
target = "172.16.10.2"
h323 = { tls = 1001, check-certificate = true }
sip = { tls = 1001, check-certificate = true }
tls = { verify = "none" }
"#;
