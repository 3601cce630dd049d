//! What is accepted here, hyper accepts too: with the same framing, Host and body, as received and as forwarded.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/rp-http/tests/agreement/mod.rs"]
mod agreement;

fuzz_target!(|input: &[u8]| {
    agreement::agrees(input);
});
