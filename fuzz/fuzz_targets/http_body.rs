//! However a chunked body is cut, the same octets pass and the same is wrong with it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rp_http::{Body, Framing, Invalid, Step};
use rp_testkit::chunks;

fuzz_target!(|input: &[u8]| {
    let whole = follow(&[input]);
    for sizes in chunks::sizes(input.len()) {
        assert_eq!(follow(&chunks::cut(input, &sizes)), whole, "cut as {sizes:?}");
    }
});

fn follow(pieces: &[&[u8]]) -> (Vec<u8>, Result<(), Invalid>) {
    let (mut body, mut content) = (Body::from(Framing::Chunked), Vec::new());
    for mut piece in pieces.iter().copied() {
        loop {
            match body.step(piece) {
                Ok(Step::End) => return (content, Ok(())),
                Ok(Step::More) => break,
                Ok(Step::Skip(n) | Step::Trailer(n)) => piece = &piece[n..],
                Ok(Step::Pass(n)) => {
                    content.extend_from_slice(&piece[..n]);
                    piece = &piece[n..];
                }
                Err(invalid) => return (content, Err(invalid)),
            }
        }
    }
    (content, body.end_of_input())
}
