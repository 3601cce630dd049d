//! Setup-UUIE: whom a call is for, and the identifier of the call.

use crate::{
    Aliases,
    error::{Invalid, Reason},
    h225::{
        address::{ALIASES_MAX, AddressBits as _},
        endpoint, skip_each, version,
    },
    per::{Bits, Choice},
};

/// The number of callIdentifier among the additions.
const CALL_IDENTIFIER: u8 = 2;

/// A Setup-UUIE up to its destinationAddress.
#[derive(Clone, Copy)]
pub(crate) struct Setup<'a> {
    pub(crate) version: Option<u8>,
    pub(crate) destination: Aliases<'a>,
    pub(crate) rest: Rest<'a>,
}

/// What follows the destinationAddress, read only to answer.
#[derive(Clone, Copy)]
pub(crate) struct Rest<'a> {
    bits: Bits<'a>,
    extended: bool,
    call_signal_address: bool,
    extra_call_info: bool,
    extra_call_reference: bool,
    call_services: bool,
}

impl<'a> Setup<'a> {
    pub(crate) fn parse(mut bits: Bits<'a>) -> Result<Self, Invalid> {
        let [
            extended,
            h245_address,
            source_address,
            destination_address,
            call_signal_address,
            extra_call_info,
            extra_call_reference,
            call_services,
        ] = bits.flags()?;
        let version = version(bits.string()?);
        if h245_address {
            bits.skip_transport_address()?;
        }
        if source_address {
            bits.aliases()?;
        }
        endpoint::skip_endpoint_type(&mut bits)?;
        let destination = if destination_address { bits.aliases()? } else { Aliases::NONE };
        let rest = Rest {
            bits,
            extended,
            call_signal_address,
            extra_call_info,
            extra_call_reference,
            call_services,
        };
        Ok(Self { version, destination, rest })
    }
}

impl<'a> Rest<'a> {
    /// The sixteen octets of callIdentifier.
    pub(crate) fn call_identifier(self) -> Result<Option<&'a [u8; 16]>, Invalid> {
        let mut bits = self.bits;
        if self.call_signal_address {
            bits.skip_transport_address()?;
        }
        if self.extra_call_info {
            bits.aliases()?;
        }
        if self.extra_call_reference {
            skip_each(&mut bits, ALIASES_MAX, Reason::TooManyAliases, |bits| bits.octets(2).map(drop))?;
        }
        let _active_mc = bits.bit()?;
        bits.octets(16)?; // conferenceID
        skip_null_choice(&mut bits)?; // conferenceGoal
        if self.call_services {
            endpoint::skip_qseries_options(&mut bits)?;
        }
        skip_null_choice(&mut bits)?; // callType
        if !self.extended {
            return Ok(None);
        }
        let Some(mut identifier) = bits.addition(CALL_IDENTIFIER)? else { return Ok(None) };
        let _extended = identifier.bit()?;
        identifier.array().map(Some)
    }
}

/// A CHOICE of three or four NULLs in its root.
fn skip_null_choice(bits: &mut Bits<'_>) -> Result<(), Invalid> {
    if let Choice::Extension(_) = bits.choice(2)? { bits.skip_string(1) } else { Ok(()) }
}
