//! What both accept, sipx-sip reads the same. What only one of them accepts is no fault.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/rp-sip/tests/common/sipx.rs"]
mod sipx;

fuzz_target!(|input: &[u8]| {
    let Ok(ours) = rp_sip::extract(input) else { return };
    // sipx-sip may wait for the whole body.
    let missing = sipx::missing(input, &ours);
    if missing > 65_536 {
        return;
    }
    if let Some(theirs) = sipx::request(input, missing) {
        sipx::assert_same(&ours, &theirs);
    }
});
