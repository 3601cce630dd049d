//! A PBX that goes away and comes back, with sipp as its phones.
//!
//! Debian packages: sip-tester, socat, kamailio, kamailio-tls-modules.
//! `cargo test -p rpd --test peers_sip_restarts -- --ignored`

mod common;
#[path = "peers/sip/mod.rs"]
mod sip;

use sip::Stage;

#[test]
#[ignore = "needs sip-tester, kamailio, kamailio-tls-modules (Debian packages)"]
fn over_sip_nothing_is_held_against_phones_whose_pbx_starts_anew() {
    nothing_is_held_against_phones_whose_pbx_starts_anew("sip");
}

#[test]
#[ignore = "needs sip-tester, socat, kamailio, kamailio-tls-modules (Debian packages)"]
fn over_sips_nothing_is_held_against_phones_whose_pbx_starts_anew() {
    nothing_is_held_against_phones_whose_pbx_starts_anew("sips");
}

fn nothing_is_held_against_phones_whose_pbx_starts_anew(kind: &'static str) {
    let mut stage = Stage::set(kind);
    stage.register("branch", "alice-pw", 200, PHONES).ok();

    stage.branch.stop();
    stage.register_as(&[("branch", "alice", "alice", 503)], &stage.address()).ok();
    stage.register("hq", "alice-pw", 200, 1).ok();

    stage.branch.start_again();
    // It does not know the nonces that its phones still have, so that each password looks wrong once.
    stage.register_with_an_old_nonce("branch", PHONES).ok();
    stage.branch.wait_for_registrations("alice", PHONES);
    stage.register("branch", "alice-pw", 200, PHONES).ok();

    let log = stage.end();
    assert_eq!(log.refused("refused"), [""; 0]);
    // What comes of this one is for the guard to judge: it knows whether others reach that target.
    assert_eq!((log.refused("target-unreachable").len(), log.refused("").len()), (1, 1));
}

/// So many register, one after the other.
const PHONES: usize = 10;
