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

mod ber;
mod bind_name;
mod client_follower;
mod dn;
mod error;
mod message;
#[cfg(feature = "messages")]
pub mod messages;
mod open_binds;
mod service_follower;

pub use bind_name::{Domain, Form, MAX_DOMAIN};
pub use client_follower::{ClientFollower, ClientStep};
pub use error::{Error, Invalid, Reason};
pub use message::{
    Answer, Auth, Bind, Key, MAX_FRAME, NOTICE_OF_DISCONNECTION, Outcome, Request, ResultCode, START_TLS,
    Tag, answer, extract,
};
pub use service_follower::{
    BindAnswer, MAX_OPEN_BINDS, ServiceEvent, ServiceFollower, ServiceStep, TooManyBinds,
};
