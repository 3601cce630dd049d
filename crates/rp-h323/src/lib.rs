#![doc = include_str!("../README.md")]
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

#[cfg(feature = "messages")]
extern crate alloc;

mod alias;
mod answer;
mod answers;
mod client_follower;
mod common_name;
mod error;
mod gatekeeper_id;
mod h225;
mod h323_url;
mod key;
#[cfg(feature = "messages")]
pub mod messages;
mod per;
mod q931;
mod reject_reason;
mod service_follower;
mod text;
mod tpkt;
mod verdict;

pub use alias::{Alias, Aliases};
pub use answer::{Answer, AnswerKind};
pub use answers::{AnswerIter, Answers};
pub use client_follower::{ClientFollower, ClientStep, Request};
pub use error::{Error, Invalid, Reason};
pub use key::{Key, Kind, Name, Requests, SKIPPED_MAX, extract};
pub use reject_reason::{GatekeeperRejectReason, RegistrationRejectReason, ReleaseCompleteReason};
pub use service_follower::{ANSWER_MAX, ServiceFollower, ServiceStep};
pub use text::{Chars, Text, UTF8_MAX};
pub use verdict::{Verdict, Verdicts};
