//! The proxy engine. `rpd` the binary is a thin shell around this; tests start it in-process.
//!
//! A connection flows one way: `server` accepts it, `session` serves it from top to bottom and says what
//! became of it, and `server` tells the log. `docs/ARCHITECTURE.md` draws the house.

#![allow(unreachable_pub, reason = "in a private module, pub says what other rooms may use")]

mod admin;
mod alarm;
mod cancel;
pub mod cli;
pub mod config;
mod connect;
pub mod guard;
mod handshakes;
mod hex;
mod housekeeping;
pub mod listeners;
mod lock;
pub mod logging;
mod metrics;
mod open_files;
mod open_legs;
pub mod outcome;
mod parked;
mod paths;
mod places;
pub mod protocol;
mod proxy_protocol;
mod recent;
mod refused;
mod rejects;
pub mod reload;
mod scratch;
pub mod server;
mod session;
mod sightings;
mod state;
pub mod store;
mod stream;
mod systemd;
pub mod tls;

pub use session::explain;

/// Whoever packages this says which commit it is made of.
const COMMIT: &str = match option_env!("RPD_COMMIT") {
    Some(commit) => commit,
    None => "unknown",
};

/// What the README shows is true.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
