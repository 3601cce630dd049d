//! Any octets keep the laws, and what is written of a request is read as the same request.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rp_http::{
    Error, Scheme, extract,
    forward::{self, Forwarding},
};
use rp_testkit::{Decision, laws};

fuzz_target!(|input: &[u8]| {
    laws::check(input, |input| match extract(input) {
        Ok(key) => Decision::key(key),
        Err(Error::Incomplete(n)) => Decision::Incomplete(n.get()),
        Err(Error::Invalid(invalid)) => Decision::invalid(invalid),
    });
    let Ok(key) = extract(input) else { return };
    let forwarding = Forwarding {
        client: "2001:db8::7",
        scheme: Scheme::Http,
        trusted: true,
        own_address: None,
        forwarded: true,
        via: None,
    };
    let mut written = Vec::new();
    forward::request(&key.head, &forwarding, false, &mut |slice| written.extend_from_slice(slice));
    // The writer adds up to four fields and three names to a head that may have reached the limits.
    let again = match extract(&written) {
        Ok(key) => key.head,
        Err(_) => {
            assert!(key.head_len > 30_000 || key.head.fields.iter().count() > 90);
            return;
        }
    };
    assert_eq!((again.method, again.host, again.target), (key.head.method, key.head.host, key.head.target));
    assert_eq!((again.framing, again.is_websocket()), (key.head.framing, key.head.is_websocket()));
});
