//! `extract` on messages of the corpus, one RAS message read by its walker and by rasn, and the followers on
//! what they pass and what they show.

use std::hint::black_box;

use rp_h323::{ClientFollower, ClientStep, ServiceFollower, ServiceStep, Verdicts, messages::measure};

use crate::Case;

macro_rules! corpus {
    ($name:literal) => {
        include_bytes!(concat!("../../crates/rp-h323/tests/corpus/", $name, ".bin"))
    };
}

/// The cases of this protocol.
pub fn cases() -> Vec<Case> {
    let ras = measure::ras_message(corpus!("rrq_v7_gkid")).expect("a RAS message");
    vec![
        extract("h323/rrq_v7_gkid/rp-h323", corpus!("rrq_v7_gkid")),
        extract("h323/grq_v7_gkid/rp-h323", corpus!("grq_v7_gkid")),
        extract("h323/setup_h323id/rp-h323", corpus!("setup_h323id")),
        extract("h323/setup_several_aliases/rp-h323", corpus!("setup_several_aliases")),
        extract("h323/setup_long_faststart/rp-h323", corpus!("setup_long_faststart")),
        extract("h323/rrq_alias_max/rp-h323", corpus!("rrq_alias_max")),
        extract("h323/rrq_body_facility/rp-h323", corpus!("rrq_body_facility")),
        extract("h323/rrq_alias_every_type/rp-h323", corpus!("rrq_alias_every_type")),
        extract("h323/rrq_many_optional/rp-h323", corpus!("rrq_many_optional")),
        Case::new("h323/rrq_v7_gkid/ras/rp-h323", move || {
            assert!(measure::read(black_box(ras)));
        }),
        Case::new("h323/rrq_v7_gkid/ras/rasn", move || {
            assert!(measure::read_with_rasn(black_box(ras)));
        }),
        to_service("h323/follow-to-service/status/rp-h323", STATUS),
        to_service("h323/follow-to-service/registered-call/rp-h323", corpus!("setup_long_faststart")),
        to_service("h323/follow-to-service/rrq_v7_gkid/rp-h323", corpus!("rrq_v7_gkid")),
        to_client("h323/follow-to-client/status/rp-h323", STATUS),
        to_client("h323/follow-to-client/rcf/rp-h323", corpus!("rcf")),
        to_client("h323/follow-to-client/rrj_securityDenial/rp-h323", corpus!("rrj_securityDenial")),
    ]
}

/// A keep-alive, which nobody looks into.
const STATUS: &[u8] = b"\x03\x00\x00\x0c\x08\x02\x00\x00\x7d\x14\x01\x01";

fn extract(name: &'static str, input: &'static [u8]) -> Case {
    Case::new(name, move || {
        black_box(rp_h323::extract(black_box(input))).expect("a key");
    })
}

/// A frame that comes in one piece from a client that is registered.
fn to_service(name: &'static str, frame: &'static [u8]) -> Case {
    let mut client = ClientFollower::new();
    client.calls_pass();
    Case::new(name, move || match client.step(black_box(frame)).expect("a frame") {
        ClientStep::Pass(octets) => assert_eq!(black_box(octets), frame.len()),
        ClientStep::Look(request) => request.requests().for_each(|key| {
            black_box(key);
        }),
        ClientStep::More(_) => panic!("a whole frame"),
    })
}

fn to_client(name: &'static str, frame: &'static [u8]) -> Case {
    let mut service = ServiceFollower::new();
    let mut verdicts = Verdicts::new();
    Case::new(name, move || match service.step(black_box(frame)).expect("a frame") {
        ServiceStep::Pass(octets) => assert_eq!(black_box(octets), frame.len()),
        ServiceStep::Look(answers) => answers.iter().for_each(|answer| {
            black_box(verdicts.judge(&answer));
        }),
        ServiceStep::More(_) => panic!("a whole frame"),
    })
}
