//! RAS: the requests that carry a key.

use crate::{
    Aliases, Kind, Text,
    error::{Invalid, Reason},
    h225::{address::AddressBits as _, endpoint, version},
    per::{Bits, Choice},
};

/// RasMessage: five bits for the twenty-five alternatives of its root.
pub(crate) const RAS_INDEX: u8 = 5;
const GATEKEEPER_REQUEST: u8 = 0;
const REGISTRATION_REQUEST: u8 = 3;
const RAS_LAST: u8 = 24;

/// The numbers of keepAlive and endpointIdentifier among the additions of a RegistrationRequest.
const KEEP_ALIVE: u8 = 5;
const ENDPOINT_IDENTIFIER: u8 = 6;

/// A GatekeeperRequest or a RegistrationRequest, up to its key.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) kind: Kind,
    pub(crate) request_seq_num: u16,
    pub(crate) version: Option<u8>,
    pub(crate) gatekeeper_id: Option<Text<'a>>,
    pub(crate) aliases: Aliases<'a>,
    pub(crate) rest: Rest<'a>,
}

/// What follows the gatekeeperIdentifier of a RegistrationRequest. Additions are many and grow with each
/// version, so they are read only when somebody asks for one.
#[derive(Clone, Copy)]
pub(crate) struct Rest<'a> {
    bits: Bits<'a>,
    extended: bool,
}

/// One RasMessage; `None` if it is another one than these two.
pub(crate) fn request(mut bits: Bits<'_>) -> Result<Option<Request<'_>>, Invalid> {
    match bits.choice(RAS_INDEX)? {
        Choice::Root(GATEKEEPER_REQUEST) => gatekeeper_request(bits).map(Some),
        Choice::Root(REGISTRATION_REQUEST) => registration_request(bits).map(Some),
        Choice::Root(0..=RAS_LAST) | Choice::Extension(_) => Ok(None),
        Choice::Root(_) => Err(bits.fault(Reason::Alternative)),
    }
}

fn gatekeeper_request(mut bits: Bits<'_>) -> Result<Request<'_>, Invalid> {
    let [_extended, non_standard_data, identifier, call_services, endpoint_alias] = bits.flags()?;
    let request_seq_num = request_seq_num(&mut bits)?;
    let version = version(bits.string()?);
    if non_standard_data {
        endpoint::skip_non_standard_parameter(&mut bits)?;
    }
    bits.skip_transport_address()?; // rasAddress
    endpoint::skip_endpoint_type(&mut bits)?;
    let gatekeeper_id = if identifier { Some(bits.identifier()?) } else { None };
    if call_services {
        endpoint::skip_qseries_options(&mut bits)?;
    }
    let aliases = if endpoint_alias { bits.aliases()? } else { Aliases::NONE };
    let rest = Rest { bits: Bits::EMPTY, extended: false };
    Ok(Request { kind: Kind::GatekeeperRequest, request_seq_num, version, gatekeeper_id, aliases, rest })
}

fn registration_request(mut bits: Bits<'_>) -> Result<Request<'_>, Invalid> {
    let [extended, non_standard_data, terminal_alias, identifier] = bits.flags()?;
    let request_seq_num = request_seq_num(&mut bits)?;
    let version = version(bits.string()?);
    if non_standard_data {
        endpoint::skip_non_standard_parameter(&mut bits)?;
    }
    let _discovery_complete = bits.bit()?;
    bits.skip_transport_addresses()?; // callSignalAddress
    bits.skip_transport_addresses()?; // rasAddress
    endpoint::skip_endpoint_type(&mut bits)?;
    let aliases = if terminal_alias { bits.aliases()? } else { Aliases::NONE };
    let gatekeeper_id = if identifier { Some(bits.identifier()?) } else { None };
    let rest = Rest { bits, extended };
    Ok(Request { kind: Kind::RegistrationRequest, request_seq_num, version, gatekeeper_id, aliases, rest })
}

/// RequestSeqNum: INTEGER (1..65535).
pub(crate) fn request_seq_num(bits: &mut Bits<'_>) -> Result<u16, Invalid> {
    bits.number16()?.checked_add(1).ok_or_else(|| bits.fault(Reason::Range))
}

impl<'a> Rest<'a> {
    pub(crate) fn keep_alive(self) -> Result<bool, Invalid> {
        self.addition(KEEP_ALIVE)?.map_or(Ok(false), |mut bits| bits.bit())
    }

    pub(crate) fn endpoint_identifier(self) -> Result<Option<Text<'a>>, Invalid> {
        self.addition(ENDPOINT_IDENTIFIER)?.map(|mut bits| bits.identifier()).transpose()
    }

    fn addition(self, number: u8) -> Result<Option<Bits<'a>>, Invalid> {
        if !self.extended {
            return Ok(None);
        }
        let mut bits = self.bits;
        endpoint::skip_vendor_identifier(&mut bits)?;
        bits.addition(number)
    }
}
