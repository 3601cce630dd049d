//! The laws of `extract`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rp_sip::{Error, extract};
use rp_testkit::{Decision, laws};

fuzz_target!(|input: &[u8]| {
    laws::check(input, |input| match extract(input) {
        Ok(key) => Decision::key(key),
        Err(Error::Incomplete(more)) => Decision::Incomplete(more.get()),
        Err(Error::Invalid(invalid)) => Decision::invalid(invalid),
    });
});
