#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

mod error;
mod follow;
mod framing;
mod grammar;
mod header;
pub mod held;
mod key;
pub mod open_requests;
mod request;
mod response;
pub mod route;
mod siphash;
mod start_line;
mod status;
mod uri;
mod verdict;

pub use error::{Error, Field, Invalid, Reason};
pub use follow::{Follower, Step};
pub use key::{CSeq, Key, Span, To};
pub use request::{Head, Request};
pub use response::{Answer, Response};
pub use status::Status;
pub use uri::{Scheme, SipUri};
pub use verdict::{Circumstances, Verdict, judge};

/// How large a message may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Octets of the head, its blank line included. More than [`Limits::MAX_HEAD`] counts as that.
    pub head: usize,
    /// Octets of the body, as Content-Length says.
    pub body: usize,
}

impl Limits {
    /// The largest head that is ever read: 64 KiB.
    pub const MAX_HEAD: usize = 65_536;
}

impl Default for Limits {
    /// [`Limits::MAX_HEAD`], and a body of 1 MiB.
    fn default() -> Self {
        Self { head: Self::MAX_HEAD, body: 1 << 20 }
    }
}

/// The routing key of the first request in `input`, which is all that has been received and not yet
/// consumed. CR LFs before it are skipped; what stands behind its head is not looked at.
///
/// # Errors
/// `Incomplete` while the head may still become one with a key; `Invalid` as soon as it cannot.
pub fn extract(input: &[u8]) -> Result<Key<'_>, Error> {
    extract_within(input, &Limits::default())
}

/// As [`extract`], with limits of the caller's.
///
/// # Errors
/// As [`extract`].
pub fn extract_within<'a>(input: &'a [u8], limits: &Limits) -> Result<Key<'a>, Error> {
    let start = framing::message_start(input)?;
    if start_line::is_response(input.get(start..).unwrap_or_default()) {
        return Err(error::invalid(Reason::Response, start));
    }
    match Head::read(&framing::Frame::read(input, start, limits)?) {
        Head::Request(request) => Ok(request.key()?),
        Head::Response(_) => Err(error::invalid(Reason::Response, start)),
    }
}
