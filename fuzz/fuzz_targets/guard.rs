//! Operations on the guard, held against a model that keeps every event; or a crowd that evicts all the time.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/rp-guard/tests/model/mod.rs"]
mod model;

fuzz_target!(|input: &[u8]| match input {
    [0x00..=0x7f, rest @ ..] => model::run(rest),
    // A crowd is up to 256 reports for each four octets: 200 of them are enough for one run.
    [_, rest @ ..] => model::run_crowd(&rest[..rest.len().min(801)]),
    [] => {}
});
