//! However a stream is cut, the follower shows the same heads, passes the same octets and refuses the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rp_sip::{Follower, Limits, Reason, Step};
use rp_testkit::chunks;

fuzz_target!(|input: &[u8]| {
    let whole = follow(&[input]);
    for sizes in chunks::sizes(input.len()) {
        assert_eq!(follow(&chunks::cut(input, &sizes)), whole, "cut as {sizes:?}");
    }
});

/// The heads with their offsets, how many octets were stepped over, and what is wrong with the next.
fn follow(pieces: &[&[u8]]) -> (Vec<(usize, Vec<u8>)>, usize, Option<(Reason, usize)>) {
    let mut follower = Follower::new(Limits::default());
    let (mut heads, mut kept, mut at) = (Vec::new(), Vec::new(), 0);
    for piece in pieces {
        kept.extend_from_slice(piece);
        loop {
            let octets = match follower.step(&kept) {
                Err(invalid) => return (heads, at, Some((invalid.reason, at + invalid.offset))),
                Ok(Step::More) => break,
                Ok(step) => {
                    if let Step::Look(head) = &step {
                        heads.push((at, head.octets().to_vec()));
                    }
                    step.octets()
                }
            };
            assert!(octets > 0);
            at += octets;
            kept.drain(..octets);
        }
    }
    (heads, at, None)
}
