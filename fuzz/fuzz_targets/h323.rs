//! Any octets, as they are and as a RAS message in a Facility, keep the laws; whatever has a key can be
//! refused, and the refusal can be read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rp_h323::{
    Answer, Error, extract,
    messages::{Refusal, refusal},
};
use rp_testkit::{Decision, laws};

fuzz_target!(|octets: &[u8]| {
    // The laws try every prefix: keep that quick.
    if octets.len() > 1024 {
        return;
    }
    for input in [octets, &tunnel(octets)] {
        laws::check(input, decision);
        let _ = Answer::parse(input);
        if let Ok(key) = extract(input) {
            let answer = refusal(&key, Refusal::NotAllowed);
            assert!(Answer::parse(&answer).is_ok(), "{key}");
        }
    }
});

fn decision(input: &[u8]) -> Decision {
    match extract(input) {
        Ok(key) => Decision::key((key, key.keep_alive(), key.call_identifier(), key.requests())),
        Err(Error::Incomplete(n)) => Decision::Incomplete(n.get()),
        Err(Error::Invalid(invalid)) => Decision::invalid(invalid),
    }
}

/// A Facility that carries `ras`, with all lengths right.
fn tunnel(ras: &[u8]) -> Vec<u8> {
    let len = |more: usize| u16::try_from(ras.len() + more).expect("a short message").to_be_bytes();
    let per_len = |more: usize| (0x8000 | u16::from_be_bytes(len(more))).to_be_bytes();
    let q931 = [&b"\x03\x00"[..], &len(35), b"\x08\x02\x00\x00\x62\x7e", &len(23), b"\x05"].concat();
    let pdu = [&b"\x28\x10\x01\x00\x10\x81\x01\x80"[..], &per_len(12)].concat();
    let parameter = [&b"\x01\x40\x00\x11\x00\x00\x40\x00\x01\x00"[..], &per_len(0), ras].concat();
    [q931, pdu, parameter].concat()
}
