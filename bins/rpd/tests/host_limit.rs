//! `max-connections` of a host: exactly so many legs, in all protocols together, and a word in the client's own for
//! everybody else.

mod common;

use std::{io::Write, net::TcpStream};

use common::{
    Log,
    guarded::{Guarded, bind, read, rrq, wait_until},
    sip::register,
};
use rp_h323::Answer;
use rp_ldap::{ResultCode, messages};

const PHONE: &str = "203.0.113.1";
const OTHER: &str = "203.0.113.2";

/// How a client asks for the host that takes two, is served, and hears that there is no room.
struct Protocol {
    listener: &'static str,
    request: fn() -> Vec<u8>,
    is_served: fn(&[u8]) -> bool,
    is_busy: fn(&[u8]) -> bool,
}

const PROTOCOLS: [Protocol; 4] = [
    Protocol {
        listener: "h323",
        request: || rrq("small.example.com", "phone"),
        is_served: |answer| said_by_gatekeeper(answer).starts_with("RCF"),
        is_busy: |answer| said_by_gatekeeper(answer) == "RRJ resourceUnavailable",
    },
    Protocol {
        listener: "sip",
        request: || register("101", "small.example.com", "r1").into_bytes(),
        is_served: |answer| answer.starts_with(b"SIP/2.0 200 "),
        is_busy: |answer| {
            let text = String::from_utf8_lossy(answer);
            text.starts_with("SIP/2.0 503 ") && text.contains("\r\nRetry-After: ")
        },
    },
    Protocol {
        listener: "ldap",
        request: || bind("small.example.com\\0"),
        is_served: |answer| answer == messages::bind_response(1, ResultCode::SUCCESS, ""),
        is_busy: |answer| {
            answer == messages::bind_response(1, ResultCode::BUSY, "no connection to the directory")
        },
    },
    Protocol {
        listener: "http",
        request: || b"GET / HTTP/1.1\r\nHost: small.example.com\r\n\r\n".to_vec(),
        is_served: |answer| answer.starts_with(b"HTTP/1.1 200 "),
        is_busy: |answer| {
            let text = String::from_utf8_lossy(answer);
            text.starts_with("HTTP/1.1 503 ") && text.contains("\r\nRetry-After: 10\r\n")
        },
    },
];

fn said_by_gatekeeper(answer: &[u8]) -> String {
    Answer::parse(answer).map_or_else(|error| error.to_string(), |answer| answer.to_string())
}

impl Protocol {
    /// Asks by a new connection; what is answered.
    fn ask(&self, guarded: &Guarded, source: &str) -> (TcpStream, Vec<u8>) {
        let mut client = guarded.connect(self.listener, source);
        client.write_all(&(self.request)()).expect("the proxy reads");
        let answer = read(&mut client);
        (client, answer)
    }

    /// A connection that is served, and stays.
    fn served(&self, guarded: &Guarded) -> TcpStream {
        let (client, answer) = self.ask(guarded, PHONE);
        assert!((self.is_served)(&answer), "{}: {}", self.listener, answer.escape_ascii());
        client
    }

    #[track_caller]
    fn refused(&self, guarded: &Guarded) -> TcpStream {
        let (client, answer) = self.ask(guarded, OTHER);
        assert!((self.is_busy)(&answer), "{}: {}", self.listener, answer.escape_ascii());
        client
    }

    /// Asks until there is room, because nobody tells when a place has come back.
    fn served_at_last(&self, guarded: &Guarded) -> TcpStream {
        let client = std::cell::Cell::new(None);
        wait_until(&format!("a place by {}", self.listener), || {
            let (asked, answer) = self.ask(guarded, PHONE);
            client.set(Some(asked));
            (self.is_served)(&answer)
        });
        client.take().expect("who was served")
    }
}

#[test]
fn exactly_so_many_legs_are_open_in_every_protocol_and_each_place_comes_back() {
    Log::start();
    let guarded = Guarded::patient();
    for protocol in &PROTOCOLS {
        let first = protocol.served_at_last(&guarded);
        let second = protocol.served_at_last(&guarded);
        let refused = protocol.refused(&guarded);
        drop(first);
        let third = protocol.served_at_last(&guarded);
        protocol.refused(&guarded);
        drop((second, refused, third));
    }
    let here = format!("{OTHER}:40000").parse().expect("an address");
    let line = [
        "refused",
        "reason=host-limit",
        "host=small.example.com",
        "max-connections = 2 of the host",
        "raise it",
    ];
    Log::of(here).wait_for_all(2 * PROTOCOLS.len(), &line);
    assert_eq!(guarded.counted(OTHER), None);
    assert_eq!(guarded.counted(PHONE), None);
}

#[test]
fn the_protocols_of_a_host_share_its_places_and_other_hosts_have_their_own() {
    let guarded = Guarded::patient();
    let [h323, sip, ldap, http] = &PROTOCOLS;
    let _held = [h323.served(&guarded), ldap.served(&guarded)];
    sip.refused(&guarded);
    http.refused(&guarded);
    let mut elsewhere = guarded.connect("ldap", PHONE);
    elsewhere.write_all(&bind("example.com\\0")).expect("the proxy reads");
    assert!((ldap.is_served)(&read(&mut elsewhere)));
}

#[test]
fn a_directory_that_is_busy_may_be_asked_again_on_the_same_connection() {
    let guarded = Guarded::patient();
    let [_, _, ldap, _] = &PROTOCOLS;
    let held = [ldap.served(&guarded), ldap.served(&guarded)];
    let mut waiting = ldap.refused(&guarded);
    drop(held);
    ldap.served_at_last(&guarded);
    waiting.write_all(&bind("small.example.com\\0")).expect("the proxy reads");
    assert!((ldap.is_served)(&read(&mut waiting)));
}

#[test]
fn the_places_that_are_taken_stay_so_over_a_reload() {
    let guarded = Guarded::patient();
    let [_, sip, ldap, _] = &PROTOCOLS;
    let held = [ldap.served(&guarded), ldap.served(&guarded)];
    // The same row by its first name, though not all of it is as it was.
    let three = guarded.text.replace(
        "names = [\"small.example.com\"]\ntarget = \"127.0.0.1\"\nmax-connections = 2",
        "names = [\"small.example.com\", \"smaller.example.com\"]\ntarget = \"127.0.0.1\"\nmax-connections = 3",
    );
    let reloaded = |text: &str| guarded.proxy().reload(text).expect("a sound file");
    reloaded(&three);
    let third = sip.served(&guarded);
    ldap.refused(&guarded);
    reloaded(&guarded.text);
    drop(third);
    // Whoever has a place keeps it, though there are fewer now.
    reloaded(&three.replace("max-connections = 3", "max-connections = 1"));
    ldap.refused(&guarded);
    drop(held);
    let _one = ldap.served_at_last(&guarded);
    sip.refused(&guarded);
    reloaded(&three.replace("max-connections = 3\n", ""));
    let _more = [sip.served(&guarded), ldap.served(&guarded)];
}
