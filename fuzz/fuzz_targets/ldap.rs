//! Requests and answers of any octets keep the laws, and no domain makes its reader fail.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rp_ldap::{Error, Request};
use rp_testkit::{Decision, laws};

fuzz_target!(|octets: &[u8]| {
    laws::check(octets, |input| decision(rp_ldap::extract(input)));
    laws::check(octets, |input| decision(rp_ldap::answer(input)));
    if let Ok(key) = rp_ldap::extract(octets)
        && let Request::Bind(bind) = key.request
    {
        let _ = (bind.domain.text(&mut [0; 253]), key.to_string());
    }
});

fn decision(read: Result<impl std::fmt::Debug, Error>) -> Decision {
    match read {
        Ok(key) => Decision::key(key),
        Err(Error::Incomplete(n)) => Decision::Incomplete(n.get()),
        Err(Error::Invalid(invalid)) => Decision::invalid(invalid),
    }
}
