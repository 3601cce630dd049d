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

extern crate alloc;

mod index;
pub mod leg;
pub mod name;
pub mod network;
pub mod table;
pub mod url;

#[cfg(test)]
#[path = "../tests/naive/mod.rs"]
mod naive;
