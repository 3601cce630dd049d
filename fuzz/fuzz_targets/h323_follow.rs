//! Streams of any octets and of any messages, in pieces of any size, are followed as the twins see them whole.
#![no_main]

#[path = "../../crates/rp-h323/tests/follow/mod.rs"]
mod follow;

use follow::naive;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, Option<u8>, Vec<(u8, &[u8])>, &[u8])| {
    let (size, registered, messages, tail) = input;
    let registered = registered.map(usize::from);
    let mut stream: Vec<u8> = messages.iter().flat_map(|(kind, octets)| frame(*kind, octets)).collect();
    stream.extend_from_slice(tail);
    for size in [1, usize::from(size).max(1), stream.len().max(1)] {
        let pieces: Vec<&[u8]> = stream.chunks(size).collect();
        assert_eq!(follow::requests(&pieces, registered), naive::requests(&stream, registered));
        assert_eq!(follow::answers(&pieces), naive::answers(&stream));
    }
});

/// A frame with all lengths right: empty, with a user-user element of these octets, or with nothing but them.
fn frame(kind: u8, octets: &[u8]) -> Vec<u8> {
    let message_type = [0x62, 0x05, 0x5a, 0x01][usize::from(kind & 3)];
    let octets = &octets[..octets.len().min(20_000)];
    let length = |more: usize| u16::try_from(octets.len() + more).expect("a short message").to_be_bytes();
    let elements = match kind >> 2 & 3 {
        0 => return vec![3, 0, 0, 4],
        1 => octets.to_vec(),
        _ => [&[0x7e][..], &length(1), &[5], octets].concat(),
    };
    let len = u16::try_from(elements.len() + 9).expect("a short message").to_be_bytes();
    [&[3, 0][..], &len, &[8, 2, 0, 0, message_type], &elements].concat()
}
