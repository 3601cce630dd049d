//! The work that is measured: each protocol's extractor beside the parser that one would take instead,
//! on the same octets. `benches/extract.rs` times it, `bin/instructions.rs` counts instructions.

pub mod guard;
pub mod h323;
pub mod http;
pub mod ldap;
pub mod route;
pub mod sip;

/// One piece of work, repeated as often as the meter wants.
pub struct Case {
    /// `protocol/what/with-what`, for example `sip/register/rp-sip`.
    pub name: &'static str,
    /// Does the work once. It must not be optimised away: end it with [`std::hint::black_box`].
    pub run: Box<dyn FnMut()>,
}

impl Case {
    /// A case that does `run`.
    pub fn new(name: &'static str, run: impl FnMut() + 'static) -> Self {
        Self { name, run: Box::new(run) }
    }
}

/// All cases, protocol by protocol.
pub fn cases() -> Vec<Case> {
    [h323::cases(), sip::cases(), http::cases(), ldap::cases(), route::cases(), guard::cases()]
        .into_iter()
        .flatten()
        .collect()
}
