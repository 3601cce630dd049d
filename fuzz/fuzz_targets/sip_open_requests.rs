//! Open requests of the phone against a naive list: no answer is given to the wrong request, and none is lost.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use rp_sip::{
    Head, Limits, Response,
    open_requests::{CAPACITY, Up},
};

/// What names a request: the branch, or without one the number; and whether it is an INVITE.
type Name = (u8, bool);

struct Entry {
    name: Name,
    leg: u8,
    credentials: bool,
    since: u64,
    rings: bool,
}

fuzz_target!(|input: &[u8]| {
    let (mut up, mut list, mut now) = (Up::new([7; 16]), Vec::<Entry>::new(), 0);
    for command in input.chunks_exact(3) {
        let &[what, number, seconds] = command else { continue };
        now += u64::from(seconds);
        let (name, leg, credentials) = ((number, what & 1 != 0), what >> 1 & 3, what & 8 != 0);
        let lifetime = |entry: &Entry| if entry.name.1 { 180 } else { 32 };
        list.retain(|entry| now - entry.since <= lifetime(entry));
        let lines = lines(name, credentials);
        if what & 16 != 0 {
            let octets = format!("{} sip:a SIP/2.0\r\n{lines}", method(name));
            let Ok(Head::Request(request)) = Head::parse(octets.as_bytes(), &Limits::default()) else {
                panic!()
            };
            let entered = up.enter(&request, leg, Duration::from_secs(now)).is_ok();
            if list.len() == CAPACITY
                && let Some(ringing) = list.iter().position(|entry| entry.rings)
            {
                list.remove(ringing);
            }
            assert_eq!(entered, list.len() < CAPACITY);
            if entered {
                list.push(Entry { name, leg, credentials, since: now, rings: false });
            }
        } else {
            let rings = what & 32 != 0;
            let octets = format!("SIP/2.0 {} x\r\n{lines}", if rings { 180 } else { 401 });
            let response = Response::parse(octets.as_bytes()).expect("a response");
            let found = up.answered(&response, leg, Duration::from_secs(now));
            let is_it = |entry: &Entry| entry.leg == leg && entry.name == name;
            let with_credentials = list.iter().position(|entry| is_it(entry) && entry.credentials);
            let wanted = with_credentials.or_else(|| list.iter().position(is_it));
            let found = found.map(|open| open.credentials);
            match wanted {
                Some(at) if !rings => assert_eq!(found, Some(list.remove(at).credentials)),
                Some(at) if name.1 => (list[at].rings, list[at].since) = (true, now),
                _ => assert_eq!(found, None),
            }
        }
    }
});

fn method((_, invite): Name) -> &'static str {
    if invite { "INVITE" } else { "REGISTER" }
}

fn lines(name: Name, credentials: bool) -> String {
    let (number, method) = (name.0, method(name));
    let branch = if number < 128 { format!(";branch={number}") } else { String::new() };
    let credentials = if credentials { "Authorization: x\r\n" } else { "" };
    format!(
        "v: a{branch}\r\nf: sip:a@b\r\nt: sip:a@b\r\ni: 1\r\nCSeq: {number} {method}\r\n{credentials}l: 0\r\n\r\n"
    )
}
