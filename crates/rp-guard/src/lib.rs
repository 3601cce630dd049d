#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

mod answer;
mod bans;
mod entry;
mod event;
mod guard;
mod key;
mod lists;
mod network;
mod policy;
mod ranges;
mod rules;
mod snapshot;
mod target;
mod window;

pub use answer::{Admission, Denial, Forgotten, Stats, Suspect, Verdict};
pub use entry::{Actor, Change, Entry, Filter, Kind, Origin, Refused};
pub use event::{Event, Protocol, Reason};
pub use guard::Guard;
pub use key::{Key, Keying, KeyingError, Seeds};
pub use network::{Network, NetworkError};
pub use policy::{Mode, Policy, Thresholds, ThresholdsError};
pub use snapshot::{Restored, Saved};
pub use target::{Connect, CountTargetDown, Targets};
