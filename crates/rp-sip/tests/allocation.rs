//! Nothing is allocated, whatever comes.

mod common;

use common::cases;
use rp_sip::{Answer, Response, Status, extract};

#[test]
fn nothing_is_allocated() {
    for case in cases() {
        let (mut octets, mut keys) = (0, 0);
        let info = allocation_counter::measure(|| {
            keys += usize::from(extract(&case.bytes).is_ok());
            keys += Response::parse(&case.bytes).map_or(0, |response| response.headers("Via").count());
            if let Some(answer) = Answer::to(&case.bytes) {
                answer.write(Status::BAD_REQUEST, 1, Some(5), &mut |piece| octets += piece.len());
            }
        });
        assert_eq!(info.count_total, 0, "{}: {keys} {octets}", case.name);
    }
}
