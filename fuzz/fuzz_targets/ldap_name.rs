//! A bind name of any octets has the domain that the obviously right twin finds.
#![no_main]

#[path = "../../crates/rp-ldap/tests/naive/mod.rs"]
mod naive;

use libfuzzer_sys::fuzz_target;
use rp_ldap::{Domain, MAX_DOMAIN};

fuzz_target!(|name: &[u8]| {
    let domain = Domain::of(name);
    let mut buffer = [0; MAX_DOMAIN];
    let text = domain.text(&mut buffer).map(str::to_owned);
    assert_eq!((domain.form, text), naive::domain(name));
});
