//! Any octets keep the laws, and what is written of an answer is read as the same answer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rp_http::{
    Error, Version,
    forward::{self, Client},
    response::{self, Asked},
};
use rp_testkit::{Decision, laws};

fuzz_target!(|input: &[u8]| {
    let (head_only, websocket) =
        input.first().map_or((false, false), |octet| (octet & 1 == 1, octet & 2 == 2));
    let (asked, input) = (Asked { head_only, websocket }, input.get(1..).unwrap_or_default());
    laws::check(input, |input| match response::extract(input, asked) {
        Ok(response) => Decision::key(response),
        Err(Error::Incomplete(n)) => Decision::Incomplete(n.get()),
        Err(Error::Invalid(invalid)) => Decision::invalid(invalid),
    });
    let Ok(response) = response::extract(input, asked) else { return };
    response.continues_login();
    // The writer adds up to two fields to a head that may have reached the limits.
    let near_limits = response.head_len > 30_000 || response.fields.iter().count() > 90;
    if response.switches() || response.is_interim() || near_limits {
        return;
    }
    let mut written = Vec::new();
    let client = Client { version: Version::Http11, close: false };
    let framing = forward::response(&response, client, &mut |slice| written.extend_from_slice(slice));
    let again = response::extract(&written, asked).expect("what was written");
    assert_eq!((again.status, again.reason, again.framing), (response.status, response.reason, framing));
});
