//! The program as it is called: exit codes, what it prints, and what it logs.

mod common;

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    process::Command,
};

use common::{Process, connect};
use rustix::process::Signal;

/// It never touches the machine's own state.
fn rpd() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rpd"));
    let folder = env!("CARGO_TARGET_TMPDIR");
    command.env("STATE_DIRECTORY", folder).env("RUNTIME_DIRECTORY", folder);
    command
}

fn folder(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("rpd.toml"), text).expect("a file");
    folder
}

fn config(folder: &tempfile::TempDir) -> std::path::PathBuf {
    folder.path().join("rpd.toml")
}

#[test]
fn the_demo_checks_itself() {
    let output = rpd().args(["demo", "--check"]).output().expect("rpd");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.ends_with("34 right, 0 wrong\n"), "{text}");
}

#[test]
fn check_prints_what_is_wrong_and_says_so_by_its_exit_code() {
    let bad = folder("[listen]\nhtpp = 80\n");
    let output = rpd().arg("check").arg(config(&bad)).output().expect("rpd");
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        text.contains("rpd.toml:2:1: unknown key listen.htpp") && text.contains("did you mean http?"),
        "{text}"
    );

    let good = folder("");
    assert_eq!(rpd().arg("check").arg(config(&good)).status().expect("rpd").code(), Some(0));
    let missing = rpd().args(["check", "no-such-file.toml"]).output().expect("rpd");
    assert_eq!(missing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("no-such-file.toml"));
}

#[test]
fn run_starts_nothing_with_a_bad_configuration() {
    let bad = folder("[listen]\nhttp = \"127.0.0.1:0\"\n[[host]]\n");
    let output = rpd().args(["run", "--config"]).arg(config(&bad)).output().expect("rpd");
    assert_eq!(output.status.code(), Some(78));
    assert!(String::from_utf8_lossy(&output.stderr).contains("host has no target"));
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address");
    let file = folder(&format!("[listen]\nhttp = \"{address}\"\n"));
    let output = rpd().args(["run", "--config"]).arg(config(&file)).output().expect("rpd");
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains(&format!("listen.http: {address} cannot be listened on")), "{text}");
}

#[test]
fn a_refused_request_is_one_line_that_says_what_to_do() {
    let file = folder(
        "[listen]\nhttp = \"127.0.0.1:0\"\nsip = \"127.0.0.1:0\"\n[[host]]\nnames = [\"web.example\"]\ntarget = \"127.0.0.2\"\nhttp = { tcp = 1, urls = [\"/PBX0/MY/\"] }\n",
    );
    let mut proxy = Process::start(&config(&file));
    let sip = proxy.address("sip");
    let http = proxy.address("http");
    let ask = |address: SocketAddr, request: &str| {
        let mut stream = connect(address);
        stream.write_all(request.as_bytes()).expect("rpd reads");
        let _ = stream.read_to_end(&mut Vec::new());
    };
    ask(http, "GET /PBX0/MY/a/b?secret HTTP/1.1\r\nHost: web.example\r\nConnection: close\r\n\r\n");
    let line = proxy.line("refused");
    for part in [
        "listener=http",
        "source=127.0.0.1:",
        "reason=url-not-allowed",
        "detail=\"the entry '/PBX0/MY/' ends in /, so it allows no further /\"",
        "name=web.example",
        "status=403",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    assert!(!line.contains("secret"), "{line}");

    ask(
        sip,
        "OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z9hG4bK1\r\nFrom: <sip:a\u{1b}@web.example>;tag=1\r\nTo: <sip:x>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
    );
    assert!(proxy.line("refused").contains("reason=malformed"));
    ask(
        sip,
        "OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z9hG4bK1\r\nFrom: <sip:a@web.example>;tag=1\r\nTo: <sip:x>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
    );
    let line = proxy.line("refused");
    assert!(
        line.contains("reason=not-forwarded") && line.contains("the host in line 4 has no sip"),
        "{line}"
    );

    proxy.signal(Signal::TERM);
    assert!(proxy.wait().success());
}

#[test]
fn a_log_in_json_is_one_object_a_line() {
    let file = folder("[listen]\nhttp = \"127.0.0.1:0\"\n[log]\nformat = \"json\"\n");
    let mut proxy = Process::start(&config(&file));
    let address = proxy.address("http");
    TcpStream::connect(address).expect("rpd listens").write_all(b"\0\0\0\0").expect("rpd reads");
    let line: serde_json::Value = serde_json::from_str(&proxy.line("refused")).expect("JSON");
    assert_eq!((&line["reason"], &line["listener"]), (&"malformed".into(), &"http".into()), "{line}");
}

#[test]
fn a_second_proxy_does_not_share_the_port_of_the_first() {
    let file = folder("[listen]\nhttp = \"127.0.0.1:0\"\n");
    let mut first = Process::start(&config(&file));
    let address = first.address("http");
    let again = folder(&format!("[listen]\nhttp = \"{address}\"\n"));
    let output = rpd().args(["run", "--config"]).arg(config(&again)).output().expect("rpd");
    assert_eq!(output.status.code(), Some(1), "two proxies on one port");
}

#[test]
fn the_version_names_commit_and_tls() {
    let output = rpd().arg("--version").output().expect("rpd");
    let version = String::from_utf8_lossy(&output.stdout);
    assert!(version.contains("(commit ") && version.contains("aws-lc-rs"), "{version}");
}
