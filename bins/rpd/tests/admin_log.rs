//! The log of a running proxy: its last lines, what they tell of clients, and that nobody waits for them.

mod common;

use std::io::{Read, Write};

use common::{Process, admin::Admin, connect, write};
use rustix::process::Signal;
use tempfile::TempDir;

/// A proxy with nothing behind it, whose requests are all refused or sent to https.
fn start(log: &str) -> (Process, Admin, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let admin = Admin::of(folder.path());
    let text = format!(
        "{}[log]\n{log}\n[listen]\nhttp = \"127.0.0.1:0\"\n[[host]]\nnames = [\"example.com\"]\ntarget = \"127.0.0.2\"\n\
         http = {{ tcp = 1, redirect = \"https\" }}\n",
        admin.lines()
    );
    (Process::start(&write(folder.path(), "rpd.toml", &text)), admin, folder)
}

fn ask(address: std::net::SocketAddr, host: &str, times: usize) -> usize {
    let mut client = connect(address);
    let mut answers = 0;
    for number in 1..=times {
        let last = if number == times { "Connection: close\r\n" } else { "" };
        let request = format!("GET /secret HTTP/1.1\r\nHost: {host}\r\n{last}\r\n");
        client.write_all(request.as_bytes()).expect("the proxy reads");
        let mut octets = [0; 4096];
        answers += usize::from(number < times && client.read(&mut octets).expect("an answer") > 0);
    }
    client.read_to_end(&mut Vec::new()).expect("the end");
    answers + 1
}

#[test]
fn the_last_lines_are_there_as_they_were_written() {
    let (mut proxy, admin, _folder) = start("keep-requests = 2");
    let address = proxy.address("http");
    ask(address, "nobody.example", 1);
    let line = proxy.line("reason=unknown-host");
    let lines = admin.get("log");
    let [.., last] = &lines.as_array().expect("lines")[..] else { panic!("{lines}") };
    assert_eq!(last["level"], "INFO");
    let text = last["text"].as_str().expect("text");
    assert!(line.trim_end().ends_with(text) && text.starts_with("refused conn="), "{line} {text}");
    ask(address, "nobody.example", 1);
    ask(address, "nobody.example", 1);
    let lines =
        admin.wait_for("log", |lines| lines[1]["text"].as_str().is_some_and(|text| text.contains("3/20")));
    assert_eq!(lines.as_array().map(Vec::len), Some(2));
    assert_eq!(admin.get("log?limit=1").as_array().map(Vec::len), Some(1));
}

#[test]
fn lines_tell_of_a_client_what_they_should_and_administrators_are_told_all() {
    for (log, shown) in [
        ("client-address = \"masked\"", "source=127.0.0.0/24 "),
        ("client-address = \"full\"", "source=127.0.0.1:"),
    ] {
        let (mut proxy, admin, _folder) = start(log);
        ask(proxy.address("http"), "nobody.example", 1);
        let line = proxy.line("reason=unknown-host");
        assert!(line.contains(shown), "{line}");
        assert!(
            admin.get("requests")[0]["source"]
                .as_str()
                .is_some_and(|source| source.starts_with("127.0.0.1:"))
        );
    }
    let (mut proxy, _admin, _folder) = start("client-address = \"hashed\"");
    let address = proxy.address("http");
    let mut words = [(); 2].map(|()| {
        ask(address, "nobody.example", 1);
        let line = proxy.line("reason=unknown-host");
        let word = line.split("source=").nth(1).and_then(|rest| rest.split(' ').next()).expect("a source");
        assert!(word.len() == 16 && word.bytes().all(|c| c.is_ascii_hexdigit()), "{line}");
        word.to_owned()
    });
    words.sort();
    assert_eq!(words[0], words[1], "the same client is the same word");
}

#[test]
fn a_log_that_nobody_takes_keeps_nobody_waiting() {
    const REQUESTS: usize = 6000;
    let (mut proxy, admin, _folder) = start("forwarded = true");
    let address = proxy.address("http");
    // The pipe is not read from here on: it fills, and so does the queue.
    assert_eq!(ask(address, "example.com", REQUESTS), REQUESTS);
    let lost = admin.metric("rpd_log_dropped_total");
    assert!(lost > 0.0 && lost < REQUESTS as f64, "{lost}");
    proxy.signal(Signal::TERM);
    assert!(proxy.wait().success());
}

#[test]
fn the_last_lines_are_in_the_file_when_the_proxy_has_ended() {
    let (mut proxy, admin, folder) = start("file = \"rpd.log\"");
    admin.wait_until_there();
    proxy.signal(Signal::TERM);
    assert!(proxy.wait().success());
    let text = std::fs::read_to_string(folder.path().join("rpd.log")).expect("the log");
    assert!(text.trim_end().ends_with("ended"), "{text}");
}
