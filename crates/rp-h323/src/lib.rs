//! Zero-copy routing key of an H.323 connection.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::arithmetic_side_effects
    )
)]

mod alias;
mod error;
mod gatekeeper_id;
mod h225;
mod h323_url;
mod key;
mod per;
mod q931;
mod text;
mod tpkt;

pub use alias::{Alias, Aliases};
pub use error::{Counted, Error, Invalid, Reason};
pub use key::{Key, Kind, Name, Requests, SKIPPED_MAX, extract};
pub use text::{Chars, Text, UTF8_MAX};
