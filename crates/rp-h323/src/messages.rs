//! Building messages: refusals, and what a gatekeeper and an endpoint say to one another.
//!
//! ```
//! use rp_h323::messages::{AliasName, Ras, RegistrationRequest, Sender, facility};
//!
//! let request = RegistrationRequest {
//!     request_seq_num: 1,
//!     gatekeeper_id: Some("example.com"),
//!     aliases: &[AliasName::H323Id("hq")],
//!     ..Default::default()
//! };
//! let octets = facility(Sender::Endpoint, &[Ras::RegistrationRequest(request)])?;
//!
//! let key = rp_h323::extract(&octets).unwrap();
//! assert_eq!(key.to_string(), "RRQ for example.com, request 1, alias hq");
//! # Ok::<(), rp_h323::messages::NotEncodable>(())
//! ```
//!
//! All messages speak version 7 of H.225.0 and are whole frames, ready to be sent.

mod asn1;
mod encode;
#[doc(hidden)]
pub mod measure;
mod refusal;
#[cfg(test)]
mod tests;

use alloc::vec::Vec;
use core::{error, fmt};

use crate::{GatekeeperRejectReason, RegistrationRejectReason, ReleaseCompleteReason};

pub use refusal::{Refusal, refusal};

/// Which side sends a message: its call reference says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// The side that made up the call reference: an endpoint in RAS, a caller.
    Endpoint,
    /// The side that answers.
    Gatekeeper,
}

/// An alias to be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AliasName<'a> {
    /// A telephone number of at most 128 of the characters `0123456789#*,`.
    DialedDigits(&'a str),
    /// A name of at most 256 UTF-16 units.
    H323Id(&'a str),
    /// A URL of at most 512 ASCII characters.
    UrlId(&'a str),
    /// An address of at most 512 ASCII characters.
    EmailId(&'a str),
}

/// A RAS message to be built.
#[derive(Clone, Copy, Debug)]
pub enum Ras<'a> {
    /// GRQ.
    GatekeeperRequest(GatekeeperRequest<'a>),
    /// GCF.
    GatekeeperConfirm(GatekeeperConfirm<'a>),
    /// GRJ.
    GatekeeperReject(GatekeeperReject<'a>),
    /// RRQ.
    RegistrationRequest(RegistrationRequest<'a>),
    /// RCF.
    RegistrationConfirm(RegistrationConfirm<'a>),
    /// RRJ.
    RegistrationReject(RegistrationReject<'a>),
}

/// GRQ: an endpoint looks for its gatekeeper.
#[derive(Clone, Copy, Debug, Default)]
pub struct GatekeeperRequest<'a> {
    /// From 1 on; the answer repeats it.
    pub request_seq_num: u16,
    /// At most 128 UTF-16 units, and not empty.
    pub gatekeeper_id: Option<&'a str>,
    /// Left out if there are none.
    pub aliases: &'a [AliasName<'a>],
}

/// GCF: the gatekeeper is willing.
#[derive(Clone, Copy, Debug, Default)]
pub struct GatekeeperConfirm<'a> {
    /// That of the request.
    pub request_seq_num: u16,
    /// At most 128 UTF-16 units, and not empty.
    pub gatekeeper_id: Option<&'a str>,
}

/// GRJ: it is not.
#[derive(Clone, Copy, Debug)]
pub struct GatekeeperReject<'a> {
    /// That of the request.
    pub request_seq_num: u16,
    /// At most 128 UTF-16 units, and not empty.
    pub gatekeeper_id: Option<&'a str>,
    /// One without a name comes out as undefinedReason.
    pub reason: GatekeeperRejectReason,
}

/// RRQ: an endpoint registers or refreshes its registration.
#[derive(Clone, Copy, Debug, Default)]
pub struct RegistrationRequest<'a> {
    /// From 1 on; the answer repeats it.
    pub request_seq_num: u16,
    /// At most 128 UTF-16 units, and not empty.
    pub gatekeeper_id: Option<&'a str>,
    /// Left out if there are none.
    pub aliases: &'a [AliasName<'a>],
    /// Whether a GCF came before.
    pub discovery_complete: bool,
    /// Whether this only refreshes a registration. Then it needs the `endpoint_id`, and no alias.
    pub keep_alive: bool,
    /// What the RCF gave; at most 128 UTF-16 units, and not empty.
    pub endpoint_id: Option<&'a str>,
    /// The seconds that the registration should last.
    pub time_to_live: Option<u32>,
}

/// RCF: the endpoint is registered.
#[derive(Clone, Copy, Debug, Default)]
pub struct RegistrationConfirm<'a> {
    /// That of the request.
    pub request_seq_num: u16,
    /// At most 128 UTF-16 units, and not empty.
    pub gatekeeper_id: Option<&'a str>,
    /// Left out if there are none.
    pub aliases: &'a [AliasName<'a>],
    /// At most 128 UTF-16 units, and not empty: the endpoint repeats it.
    pub endpoint_id: &'a str,
    /// The seconds until it has to refresh the registration.
    pub time_to_live: Option<u32>,
    /// Where calls are sent to: an IPv4 address and a port.
    pub call_signal_address: Option<([u8; 4], u16)>,
}

/// RRJ: it is not.
#[derive(Clone, Copy, Debug)]
pub struct RegistrationReject<'a> {
    /// That of the request.
    pub request_seq_num: u16,
    /// At most 128 UTF-16 units, and not empty.
    pub gatekeeper_id: Option<&'a str>,
    /// One without a name comes out as undefinedReason.
    pub reason: RegistrationRejectReason,
    /// For duplicateAlias and invalidTerminalAliases: the ones that are meant.
    pub aliases: &'a [AliasName<'a>],
}

/// The end of a call, or the answer to a Setup that is not let through.
#[derive(Clone, Copy, Debug)]
pub struct ReleaseComplete {
    /// Who sends it.
    pub sender: Sender,
    /// That of the call, without its flag.
    pub call_reference: u16,
    /// That of the Setup.
    pub call_identifier: Option<[u8; 16]>,
    /// Not nonStandardReason, replaceWithConferenceInvite or securityError, which want to say more.
    pub reason: ReleaseCompleteReason,
}

impl ReleaseComplete {
    /// The whole frame.
    ///
    /// # Errors
    /// [`NotEncodable`] for a reason that needs more than its name.
    pub fn to_vec(&self) -> Result<Vec<u8>, NotEncodable> {
        encode::release_complete(self)
    }
}

/// The frame of a Facility that carries these RAS messages, at least one, as H.460.17 wants it.
///
/// # Errors
/// [`NotEncodable`] if a text is too long, empty or of characters that its field does not have, if a
/// sequence number or time is 0, or if there is no message.
pub fn facility(sender: Sender, messages: &[Ras<'_>]) -> Result<Vec<u8>, NotEncodable> {
    let messages = messages.iter().map(encode::ras).collect::<Result<Vec<_>, _>>()?;
    encode::facility(sender, 0, &messages)
}

/// A value that the field of a message cannot hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotEncodable(());

impl fmt::Display for NotEncodable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value does not fit into its field of an H.225.0 message")
    }
}

impl error::Error for NotEncodable {}
