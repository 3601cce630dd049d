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

#[cfg(test)]
extern crate std;

mod authentication;
pub mod chunk;
mod connection;
mod error;
mod fields;
pub mod forward;
pub mod framing;
pub mod head;
pub mod host;
mod octets;
pub mod response;
pub mod target;

pub use crate::{
    chunk::{Body, Step},
    connection::Connection,
    error::{Error, Invalid, Reason},
    fields::Fields,
    framing::{Framing, ResponseFraming},
    head::{Head, HeadEnd, Key, Version, extract},
    host::Host,
    response::Response,
    target::{Scheme, Target},
};
