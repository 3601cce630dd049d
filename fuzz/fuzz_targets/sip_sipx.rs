//! What both accept, sipx-sip reads the same. What only one of them accepts is no fault.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sipx_sip::{Limits, StreamParser, headers::From};

fuzz_target!(|input: &[u8]| {
    let Ok(ours) = rp_sip::extract(input) else { return };
    let end = ours.start + ours.head_len + ours.body_len;
    let Some(message) = input.get(..end) else { return };
    let Ok(messages) = StreamParser::new(Limits::stream()).push(message) else { return };
    let Some(theirs) = messages.first().and_then(|message| message.as_request()) else { return };
    let Some(Ok(from)) = theirs.headers.typed::<From>() else { return };
    assert_eq!(ours.method.as_bytes(), theirs.method.as_bytes());
    assert_eq!(ours.from.user, from.0.uri.user());
    let host = from.0.uri.host().map(ToString::to_string).unwrap_or_default();
    // An IPv6 address has many spellings, and theirs is a canonical one.
    assert!(ours.from.host.starts_with('[') || ours.from.host.eq_ignore_ascii_case(&host), "{host}");
});
