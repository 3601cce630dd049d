//! The answer to a request that is accepted is a response, and holds what the request held.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rp_sip::{Answer, Response, Status, extract};

fuzz_target!(|input: &[u8]| {
    let _ = Response::parse(input).map(|response| response.headers("Via").count());
    let answer = Answer::to(input);
    let mut written = Vec::new();
    if let Some(answer) = &answer {
        answer.write(Status::BAD_REQUEST, 7, Some(10), &mut |piece| written.extend_from_slice(piece));
    }
    let Ok(key) = extract(input) else { return };
    assert_eq!(answer.is_none(), key.method == "ACK");
    let Some(answer) = answer else { return };
    assert_eq!(answer.branch(), key.branch);
    let response = Response::parse(&written).expect("a response");
    assert_eq!(response.head_len, written.len());
    assert!(response.headers("Call-ID").eq([key.call_id]));
    assert_eq!(response.headers("From").count(), 1);
});
