//! Everything in the corpus, as a phone says it and as a service does: what goes on is whole messages and nothing else.

mod common;

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::mpsc::{Receiver, channel},
    thread,
};

use common::{
    Proxy,
    sip::{Stage, Wire},
};
use rp_sip::{Follower, Head, Limits, Step};

/// The streams of the corpus, by name.
fn streams() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/rp-sip/tests/corpus");
    let mut all: Vec<_> = fs::read_dir(folder)
        .expect("the corpus")
        .map(|entry| entry.expect("a file").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sip"))
        .map(|path| (path.display().to_string(), fs::read(path).expect("a stream")))
        .collect();
    all.sort();
    assert!(all.len() > 200);
    all
}

/// The whole messages at the front of a stream, and how much of a last one is there.
fn messages(stream: &[u8]) -> (Vec<&[u8]>, &[u8]) {
    let mut follower = Follower::new(Limits { head: 16 * 1024, ..Limits::default() });
    let (mut messages, mut start, mut at) = (Vec::new(), 0, 0);
    loop {
        match follower.step(&stream[at..]) {
            Ok(Step::More) | Err(_) => break,
            Ok(Step::Look(head)) => {
                start = at;
                at += head.octets().len();
            }
            Ok(step) => {
                at += step.octets();
                if matches!(step, Step::Crlf | Step::Ping) {
                    start = at;
                    continue;
                }
            }
        }
        if follower.is_between_messages() {
            messages.push(&stream[start..at]);
            start = at;
        }
    }
    (messages, &stream[start..at])
}

/// A PBX that hears one connection after the other to its end, and says what that has said.
fn hearer() -> (u16, Receiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (told, heard) = channel();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut octets = Vec::new();
            // A reset is an end.
            let _ = stream.read_to_end(&mut octets);
            if told.send(octets).is_err() {
                return;
            }
        }
    });
    (port, heard)
}

#[test]
fn whatever_a_phone_says_the_service_hears_whole_messages_of_it() {
    let (port, lines) = hearer();
    let host = format!("target = \"127.0.0.1\"\nsip = {{ tcp = {port} }}\ndefault = [\"sip\"]\n");
    let proxy = Proxy::start(
        Path::new("."),
        &format!("[guard]\nthreshold = 0\n[listen]\nsip = \"127.0.0.1:0\"\n[[host]]\n{host}"),
    );
    let mut routed = 0;
    for (name, stream) in streams() {
        let mut phone = Wire::phone(&proxy);
        phone.say(&stream);
        phone.rest();
        // Behind this one there is nothing more of the phone's.
        let mut last = TcpStream::connect(("127.0.0.1", port)).expect("a PBX");
        last.write_all(LAST).expect("a PBX");
        drop(last);
        let heard = lines.iter().take_while(|line| line != LAST).collect::<Vec<_>>().concat();
        let (said, _) = messages(&stream);
        let mut left = said.iter();
        for message in messages(&heard).0 {
            assert!(left.any(|said| *said == message), "{name}: {}", String::from_utf8_lossy(message));
        }
        routed += usize::from(!heard.is_empty());
    }
    assert!(routed > 100, "{routed}");
}

const LAST: &[u8] = b"the last line";

#[test]
fn whatever_a_service_says_the_phone_hears_whole_messages_of_it() {
    let stage = Stage::with("[sip]\nrecord-route = false", "");
    for (name, stream) in streams() {
        let (mut phone, mut line) = stage.registered("sip");
        line.say(&stream);
        let heard = phone.rest();
        let (said, _) = messages(&stream);
        let said: Vec<u8> = said.concat();
        let whole = String::from_utf8_lossy(&said).into_owned();
        assert!(heard.starts_with(&whole), "{name}: {heard}");
        let rest = &heard[whole.len()..];
        let is_head = Head::parse(rest.as_bytes(), &Limits::default()).is_ok();
        assert!(rest.is_empty() || is_head, "{name}: {rest}");
    }
}
