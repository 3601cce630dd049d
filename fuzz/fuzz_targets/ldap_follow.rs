//! Streams of any octets, in pieces of any size, are followed as the twin sees them whole.
#![no_main]

#[path = "../../crates/rp-ldap/tests/follow/mod.rs"]
mod follow;

use follow::{Opened, naive};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, Vec<(u8, i32, bool)>, &[u8])| {
    let (size, binds, stream) = input;
    let open = |&(behind, message_id, sasl)| Opened { behind: usize::from(behind), message_id, sasl };
    let binds: Vec<Opened> = binds.iter().map(open).collect();
    for size in [1, usize::from(size).max(1), stream.len().max(1)] {
        let pieces: Vec<&[u8]> = stream.chunks(size).collect();
        assert_eq!(follow::requests(&pieces), naive::requests(stream));
        assert_eq!(follow::answers(&pieces, &binds), naive::answers(stream, &binds));
    }
});
