//! The lists by hand: `rpd guard`, and the service on the socket behind it.

mod common;

use std::{
    fs,
    io::{Read, Write},
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::PathBuf,
    process::{Command, Output},
};

use common::guarded::{Guarded, bind, read, read_to_end, state_line};
use serde_json::Value;

const PHONE: &str = "203.0.113.1";
const WRONG: &str = "example.com\\49";
const RIGHT: &str = "example.com\\0";

/// A proxy with a socket and a state directory in its own folder.
struct Stage {
    guarded: Guarded,
    folder: tempfile::TempDir,
}

impl Stage {
    fn start(guard: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("admin.sock");
        let lines = format!(
            "{}[admin]\nsocket = \"{}\"\nsocket-mode = \"0600\"\n[guard]\n{guard}\n",
            state_line(&folder.path().join("state")),
            socket.display()
        );
        Self { guarded: Guarded::start(&lines), folder }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("admin.sock")
    }

    fn output(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rpd"));
        command.arg("guard").args(arguments).arg("--socket").arg(self.socket());
        command.output().expect("rpd")
    }

    /// What `rpd guard` prints.
    fn guard(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// What it says when it is refused.
    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.guard(&[arguments, &["--json"]].concat())).expect("JSON")
    }

    /// The networks of all entries, and their kinds.
    fn entries(&self) -> Vec<(String, String)> {
        let answer = self.json(&["list"]);
        let entries = answer["entries"].as_array().expect("entries");
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        entries.iter().map(|entry| (text(&entry["network"]), text(&entry["kind"]))).collect()
    }

    fn try_bind(&self, source: &str, name: &str) -> bool {
        let mut client = self.guarded.connect("ldap", source);
        let _ = client.write_all(&bind(name));
        !read(&mut client).is_empty()
    }

    /// A raw request: status and body.
    fn ask(&self, request: &str) -> (u16, String) {
        let mut stream = UnixStream::connect(self.socket()).expect("the proxy listens");
        stream.write_all(request.as_bytes()).expect("the proxy reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        (head[9..12].parse().expect("a status"), body.to_owned())
    }
}

#[test]
fn a_phone_that_was_banned_and_put_right_works_at_once_after_one_command() {
    let stage = Stage::start("threshold = 3");
    for _ in 0..4 {
        assert!(stage.try_bind(PHONE, WRONG));
    }
    stage.guarded.wait_for_ban(PHONE);
    assert!(!stage.try_bind(PHONE, RIGHT));
    let list = stage.guard(&["list"]);
    assert!(list.contains("203.0.113.1/32  block") && list.contains("guard: 4 ldap refused"), "{list}");

    let words = stage.guard(&["allow", PHONE, "--comment", "phone of the branch"]);
    assert!(words.starts_with("was 203.0.113.1/32: block, "), "{words}");
    assert!(words.contains("now 203.0.113.1/32: allow, for ever (uid "), "{words}");
    assert!(words.contains("\"phone of the branch\""), "{words}");
    assert!(stage.try_bind(PHONE, RIGHT));
    for _ in 0..10 {
        assert!(stage.try_bind(PHONE, WRONG), "nothing counts any more");
    }
}

#[test]
fn every_change_by_hand_is_in_force_on_disk_and_on_record() {
    let stage = Stage::start("allow = [\"192.0.2.0/24\"]");
    let both = |network: &str, kind: &str| (network.to_owned(), kind.to_owned());
    stage.guard(&["block", "198.51.100.0/24", "--for", "2h", "--comment", "scanners"]);
    assert!(!stage.try_bind("198.51.100.7", RIGHT));
    let covering = stage.json(&["list", "--covering", "198.51.100.7"]);
    let entry = &covering["entries"][0];
    assert_eq!((&entry["network"], &entry["origin"]), (&"198.51.100.0/24".into(), &"manual".into()));
    assert!(entry["seconds-left"].as_u64().is_some_and(|left| left > 7000 && left <= 7200), "{entry}");
    assert!(entry["refused"].as_u64() >= Some(1), "{entry}");

    let flipped = stage.json(&["flip", "198.51.100.0/24"]);
    assert_eq!(
        (&flipped["after"]["kind"], &flipped["after"]["seconds-left"]),
        (&"allow".into(), &Value::Null)
    );
    assert!(stage.try_bind("198.51.100.7", RIGHT));
    assert_eq!(stage.entries(), [both("192.0.2.0/24", "allow"), both("198.51.100.0/24", "allow")]);
    assert_eq!(stage.json(&["list", "--kind", "block"])["entries"], Value::Array(Vec::new()));

    let file = fs::read_to_string(stage.folder.path().join("state/lists.jsonl")).expect("the file");
    assert!(file.contains("198.51.100.0/24") && !file.contains("192.0.2.0/24"), "{file}");
    stage.guard(&["remove", "198.51.100.0/24"]);
    let file = fs::read_to_string(stage.folder.path().join("state/lists.jsonl")).expect("the file");
    assert!(!file.contains("198.51.100.0/24"), "{file}");

    let audit = fs::read_to_string(stage.folder.path().join("state/audit.jsonl")).expect("the record");
    let lines: Vec<Value> = audit.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let actions: Vec<&Value> = lines.iter().map(|line| &line["action"]).collect();
    assert_eq!(actions, ["block", "flip", "remove"]);
    assert!(lines.iter().all(|line| line["actor"].as_str().is_some_and(|actor| actor.starts_with("uid "))));
    assert_eq!((&lines[1]["before"]["kind"], &lines[1]["after"]["kind"]), (&"block".into(), &"allow".into()));
}

#[test]
fn the_record_of_changes_may_lie_elsewhere() {
    let guarded = Guarded::start("[admin]\nsocket = \"admin.sock\"\naudit = \"who.jsonl\"\n");
    let mut command = Command::new(env!("CARGO_BIN_EXE_rpd"));
    command.args(["guard", "block", PHONE, "--socket"]).arg(guarded.folder.path().join("admin.sock"));
    assert!(command.output().expect("rpd").status.success());
    let audit = fs::read_to_string(guarded.folder.path().join("who.jsonl")).expect("the record");
    assert!(audit.contains(r#""action":"block","network":"203.0.113.1/32""#), "{audit}");
}

#[test]
fn top_shows_who_fails_and_forget_knows_nobody_any_more() {
    let stage = Stage::start("");
    assert_eq!(stage.guard(&["top"]), "no suspicious requests within the last minute\n");
    for _ in 0..3 {
        stage.try_bind(PHONE, WRONG);
    }
    stage.guarded.wait_for_count(PHONE, 3);
    let top = stage.json(&["top"]);
    assert_eq!((&top[0]["network"], &top[0]["count"]), (&"203.0.113.1/32".into(), &3.into()));
    let words = stage.guard(&["top"]);
    assert!(words.contains("203.0.113.1/32  3 of 20  ldap refused"), "{words}");
    assert_eq!(stage.guard(&["forget", "203.0.113.0/24"]), "forgotten: 203.0.113.0/24, 0 entries\n");
    assert_eq!(stage.json(&["top"]), Value::Array(Vec::new()));
}

#[test]
fn a_block_by_hand_ends_connections_that_have_proven_nothing() {
    let stage = Stage::start("");
    let mut unproven = stage.guarded.connect("ldap", PHONE);
    unproven.write_all(&bind("example.com\\10")).expect("the proxy reads");
    assert!(!read(&mut unproven).is_empty());
    stage.guard(&["block", "203.0.113.0/24"]);
    read_to_end(&mut unproven);
}

#[test]
fn what_cannot_be_changed_is_refused_with_its_reason() {
    let stage = Stage::start("block = [\"192.0.2.0/24\"]");
    for (arguments, why) in [
        (&["remove", "203.0.113.9"][..], "there is no entry 203.0.113.9/32"),
        (&["flip", "203.0.113.9"], "there is no entry"),
        (&["remove", "192.0.2.0/24"], "is an entry of the configuration; change it there and reload"),
        (&["block", "0.0.0.0/0"], "is a very large network; force it if it is meant"),
        (&["block", "203.0.113.9", "--for", "2"], "the duration \"2\" has no unit"),
    ] {
        let said = stage.refused(arguments);
        assert!(said.starts_with("error: ") && said.contains(why), "{arguments:?}: {said}");
    }
    let long = "x".repeat(201);
    assert!(stage.refused(&["allow", PHONE, "--comment", &long]).contains("201 characters; at most 200 fit"));
    assert_eq!(stage.entries().len(), 1, "nothing was changed");
    stage.guard(&["block", "10.0.0.0/7", "--force"]);
    let output = stage.output(&["block", "203.0.113.9/24"]);
    assert_eq!(output.status.code(), Some(2), "a wrong usage");
    assert!(String::from_utf8_lossy(&output.stderr).contains("the network meant is 203.0.113.0/24"));
}

#[test]
fn without_a_proxy_the_command_says_what_to_do() {
    let output = Command::new(env!("CARGO_BIN_EXE_rpd"))
        .args(["guard", "list", "--socket", "/nonexistent/admin.sock"])
        .output()
        .expect("rpd");
    assert_eq!(output.status.code(), Some(3));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("/nonexistent/admin.sock") && said.contains("start it with rpd run"), "{said}");
}

#[test]
fn many_changes_at_once_say_which_of_them_failed() {
    let stage = Stage::start("block = [\"192.0.2.0/24\"]");
    let body =
        r#"{"action":"block","networks":["203.0.113.1","203.0.113.2","192.0.2.0/24","nowhere"],"for":"1h"}"#;
    let request = format!(
        "POST /api/v1/lists/bulk HTTP/1.0\r\nHost: localhost\r\nX-Rpd: 1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let (status, answer) = stage.ask(&request);
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    assert_eq!((status, &answer["done"], &answer["unsaved"]), (200, &2.into(), &Value::Null));
    assert_eq!(answer["failed"][0]["network"], "192.0.2.0/24");
    assert_eq!(answer["failed"][1]["network"], "nowhere");
    assert_eq!(stage.entries().len(), 3);
}

#[test]
fn an_entry_gets_another_end_or_comment_and_keeps_its_reason() {
    let stage = Stage::start("threshold = 1");
    for _ in 0..2 {
        stage.try_bind(PHONE, WRONG);
    }
    stage.guarded.wait_for_ban(PHONE);
    let body = r#"{"for":"never","comment":"a guesser"}"#;
    let request = format!(
        "PATCH /api/v1/lists/203.0.113.1%2F32 HTTP/1.0\r\nHost: 127.0.0.1:8080\r\nX-Rpd: 1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let (status, answer) = stage.ask(&request);
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    let after = &answer["after"];
    assert_eq!((status, &after["kind"], &after["seconds-left"]), (200, &"block".into(), &Value::Null));
    assert_eq!((&after["reason"], &after["comment"]), (&"refused".into(), &"a guesser".into()));
}

#[test]
fn only_who_may_open_the_socket_and_means_it_changes_anything() {
    let stage = Stage::start("");
    let mode = fs::metadata(stage.socket()).expect("the socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let body = r#"{"network":"203.0.113.1","kind":"block"}"#;
    for (head, status) in [
        ("Host: example.com\r\nX-Rpd: 1\r\nContent-Type: application/json\r\n", 403),
        (
            "Host: localhost\r\nOrigin: http://example.com\r\nX-Rpd: 1\r\nContent-Type: application/json\r\n",
            403,
        ),
        ("Host: localhost\r\nContent-Type: application/json\r\n", 403),
        ("Host: localhost\r\nX-Rpd: 1\r\nContent-Type: text/plain\r\n", 415),
        ("Host: localhost\r\nX-Rpd: 1\r\nContent-Type: application/json\r\n", 200),
    ] {
        let length = body.len();
        let request = format!("POST /api/v1/lists HTTP/1.0\r\n{head}Content-Length: {length}\r\n\r\n{body}");
        let (answered, said) = stage.ask(&request);
        assert_eq!(answered, status, "{head}: {said}");
        assert_eq!(stage.entries().len(), usize::from(status == 200), "{head}");
        assert!(status == 200 || said.contains("\"error\":"), "{said}");
    }
    let get = |path: &str| stage.ask(&format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n"));
    assert_eq!(get("/api/v1/nothing"), (404, r#"{"error":"there is no /api/v1/nothing"}"#.to_owned()));
    assert_eq!(get("/api/v1/lists?kind=other").0, 400);
    assert_eq!(get("/api/v1/lists/bulk").0, 405);
}
