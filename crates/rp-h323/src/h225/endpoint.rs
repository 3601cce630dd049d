//! What an endpoint says about itself. None of it matters for the key; all of it stands before the key and
//! has no length of its own.

use crate::{
    error::{Invalid, Reason},
    h225::skip_each,
    per::{Bits, Choice},
};

/// Protocols of one gateway; H.225.0 knows twelve.
pub(crate) const PROTOCOLS_MAX: u16 = 64;

/// EndpointType.
#[inline(always)]
pub(crate) fn skip_endpoint_type(bits: &mut Bits<'_>) -> Result<(), Invalid> {
    let [extended, non_standard_data, vendor, gatekeeper, gateway, mcu, terminal] = bits.flags()?;
    if non_standard_data {
        bits.rarely(skip_non_standard_parameter)?;
    }
    if vendor {
        bits.rarely(skip_vendor_identifier)?;
    }
    if gatekeeper {
        bits.rarely(skip_non_standard_sequence)?;
    }
    if gateway {
        bits.rarely(skip_gateway_info)?;
    }
    if mcu {
        bits.rarely(skip_non_standard_sequence)?;
    }
    if terminal {
        // Nearly all endpoints are one, and say no more of it.
        let [extended, non_standard_data] = bits.flags()?;
        if extended || non_standard_data {
            bits.rarely(|bits| skip_rest_of_non_standard_sequence(bits, extended, non_standard_data))?;
        }
    }
    let [_mc, _undefined_node] = bits.flags()?;
    if extended { bits.rarely(Bits::skip_additions) } else { Ok(()) }
}

/// VendorIdentifier.
#[inline(never)]
pub(crate) fn skip_vendor_identifier(bits: &mut Bits<'_>) -> Result<(), Invalid> {
    let [extended, product_id, version_id] = bits.flags()?;
    skip_h221_non_standard(bits)?;
    for present in [product_id, version_id] {
        if present {
            // OCTET STRING (SIZE (1..256)): one aligned octet for the size.
            let [len] = *bits.array()?;
            bits.octets(usize::from(len).saturating_add(1))?;
        }
    }
    if extended { bits.skip_additions() } else { Ok(()) }
}

/// NonStandardParameter, which has no extension bit.
#[cold]
pub(crate) fn skip_non_standard_parameter(bits: &mut Bits<'_>) -> Result<(), Invalid> {
    match bits.choice(1)? {
        Choice::Root(0) => bits.skip_string(1)?, // object
        Choice::Root(_) => skip_h221_non_standard(bits)?,
        Choice::Extension(_) => bits.skip_string(1)?,
    }
    bits.skip_string(1)
}

/// QseriesOptions: seven BOOLEANs and Q954Details with two.
#[cold]
pub(crate) fn skip_qseries_options(bits: &mut Bits<'_>) -> Result<(), Invalid> {
    let extended = bits.bit()?;
    bits.bits(7)?;
    let [details_extended, _conference_calling, _three_party_service] = bits.flags()?;
    if details_extended {
        bits.skip_additions()?;
    }
    if extended { bits.skip_additions() } else { Ok(()) }
}

/// H221NonStandard: country code, extension, and a manufacturer code of two octets.
fn skip_h221_non_standard(bits: &mut Bits<'_>) -> Result<(), Invalid> {
    let extended = bits.bit()?;
    bits.octets(4)?;
    if extended { bits.skip_additions() } else { Ok(()) }
}

/// A SEQUENCE of an optional nonStandardData alone: GatekeeperInfo, McuInfo, TerminalInfo, and the
/// capabilities of a gateway.
fn skip_non_standard_sequence(bits: &mut Bits<'_>) -> Result<(), Invalid> {
    let [extended, non_standard_data] = bits.flags()?;
    skip_rest_of_non_standard_sequence(bits, extended, non_standard_data)
}

fn skip_rest_of_non_standard_sequence(
    bits: &mut Bits<'_>,
    extended: bool,
    non_standard_data: bool,
) -> Result<(), Invalid> {
    if non_standard_data {
        skip_non_standard_parameter(bits)?;
    }
    if extended { bits.skip_additions() } else { Ok(()) }
}

#[cold]
fn skip_gateway_info(bits: &mut Bits<'_>) -> Result<(), Invalid> {
    let [extended, protocol, non_standard_data] = bits.flags()?;
    if protocol {
        skip_each(bits, PROTOCOLS_MAX, Reason::TooManyProtocols, skip_supported_protocol)?;
    }
    if non_standard_data {
        skip_non_standard_parameter(bits)?;
    }
    if extended { bits.skip_additions() } else { Ok(()) }
}

/// SupportedProtocols: nine alternatives in the root.
fn skip_supported_protocol(bits: &mut Bits<'_>) -> Result<(), Invalid> {
    match bits.choice(4)? {
        Choice::Root(0) => skip_non_standard_parameter(bits),
        Choice::Root(1..=8) => skip_non_standard_sequence(bits),
        Choice::Root(_) => Err(bits.fault(Reason::Alternative)),
        Choice::Extension(_) => bits.skip_string(1),
    }
}
