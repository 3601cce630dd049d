//! What the extractor crates share in their tests: the laws that each extractor keeps, ways to cut an
//! input into pieces, and the loader of their corpora.
//!
//! The crates have no common trait, on purpose: a test hands in a closure that turns the crate's own
//! result into a [`Decision`].
//!
//! ```
//! use rp_testkit::{laws, Decision};
//!
//! // A toy protocol: one octet of length, then as many octets.
//! fn extract(input: &[u8]) -> Decision {
//!     let Some((&len, body)) = input.split_first() else { return Decision::Incomplete(1) };
//!     match usize::from(len).checked_sub(body.len()) {
//!         Some(missing) if missing > 0 => Decision::Incomplete(missing),
//!         _ => Decision::key(&body[..usize::from(len)]),
//!     }
//! }
//! laws::check(b"\x03abc and more", extract);
//! ```

pub mod chunks;
pub mod corpus;
pub mod laws;

use std::fmt::Debug;

/// What an extractor says of an input, in a form that can be compared across buffers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// A key, as its `Debug` text.
    Key(String),
    /// At least so many more octets are needed.
    Incomplete(usize),
    /// No continuation can help; the reason as its `Debug` text.
    Invalid(String),
}

impl Decision {
    /// A key, by its `Debug` text.
    pub fn key(key: impl Debug) -> Self {
        Self::Key(format!("{key:?}"))
    }

    /// A refusal, by the `Debug` text of its reason.
    pub fn invalid(reason: impl Debug) -> Self {
        Self::Invalid(format!("{reason:?}"))
    }

    /// Neither key nor refusal yet.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Incomplete(_))
    }
}
