//! What is announced to the phone never reaches the service: taking it out again restores the head to the octet.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rp_sip::{
    Head, Limits,
    route::{self, Listener, Token},
};

const LISTENER: Listener<'_> = Listener { addresses: &["rp.example.com:5061"], tls: true };

fuzz_target!(|input: &[u8]| {
    let limits = Limits::default();
    let Ok(head) = Head::parse(input, &limits) else { return };
    let token = Token::new(0x5eed_5eed_5eed_5eed);
    // A real one is random and never used twice, so no message holds it before it is announced.
    if input.windows(token.as_bytes().len()).any(|octets| octets == token.as_bytes()) {
        return;
    }
    let announced: Vec<u8> = route::down(&head, &LISTENER, &token).pieces().flatten().copied().collect();
    let told = if matches!(head, Head::Request(_)) { answered(&announced) } else { announced };
    let plain =
        if matches!(head, Head::Request(_)) { answered(head.octets()) } else { head.octets().to_vec() };
    let back = Head::parse(&told, &limits).expect("a head");
    let up = route::up(&back, &LISTENER);
    if told != plain && up.token == Some(token) {
        let up: Vec<u8> = up.pieces().flatten().copied().collect();
        assert_eq!(up, plain);
    } else if told != plain {
        // Another token stood before it, and only one goes.
        assert!(plain.windows(4).any(|octets| octets == b"rpd-"));
    }
});

/// The answer of a phone to a request, with all its header lines.
fn answered(request: &[u8]) -> Vec<u8> {
    let line = request.iter().position(|&octet| octet == b'\r').expect("a start line");
    [b"SIP/2.0 200 OK", &request[line..]].concat()
}
