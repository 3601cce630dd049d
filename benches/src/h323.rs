//! `extract` on messages of the corpus, and one RAS message read by its walker and by rasn.

use std::hint::black_box;

use rp_h323::messages::measure;

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
    ]
}

fn extract(name: &'static str, input: &'static [u8]) -> Case {
    Case::new(name, move || {
        black_box(rp_h323::extract(black_box(input))).expect("a key");
    })
}
