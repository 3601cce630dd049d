//! H.225.0 in the user-user element: from H323-UserInformation down to a Setup or, by way of the generic
//! data of H.460.17, to the RAS messages in a Facility.
//!
//! The order of the fields is that of H.225.0 (12/2009), annex H.

pub(crate) mod address;
pub(crate) mod endpoint;
pub(crate) mod generic_data;
pub(crate) mod ras;
pub(crate) mod setup;

use self::{address::AddressBits as _, generic_data::RasMessages};
use crate::{
    Answer, AnswerKind,
    error::{Invalid, Reason},
    per::{Bits, Choice},
};

/// h323-message-body: three bits for the seven alternatives of the root.
const BODY_INDEX: u8 = 3;
const BODY_SETUP: u8 = 0;
const BODY_RELEASE_COMPLETE: u8 = 5;
const BODY_FACILITY: u8 = 6;

/// ReleaseCompleteReason: four bits for the twelve alternatives of the root.
const RELEASE_COMPLETE_REASON_INDEX: u8 = 4;

/// The number of genericData among the additions of H323-UU-PDU.
const GENERIC_DATA: u8 = 8;

/// Reads H323-UserInformation up to a Setup-UUIE.
pub(crate) fn read_setup(mut bits: Bits<'_>) -> Result<setup::Setup<'_>, Invalid> {
    match UuPdu::parse(&mut bits)?.body {
        Choice::Root(BODY_SETUP) => setup::Setup::parse(bits),
        _ => Err(bits.fault(Reason::Body)),
    }
}

/// Reads H323-UserInformation up to the reason of a ReleaseComplete-UUIE.
pub(crate) fn read_release_complete(mut bits: Bits<'_>) -> Result<Answer<'_>, Invalid> {
    let Choice::Root(BODY_RELEASE_COMPLETE) = UuPdu::parse(&mut bits)?.body else {
        return Err(bits.fault(Reason::Body));
    };
    let [_extended, reason] = bits.flags()?;
    bits.string()?; // protocolIdentifier
    let reason = if reason { Some(bits.choice(RELEASE_COMPLETE_REASON_INDEX)?.into()) } else { None };
    Ok(Answer::new(AnswerKind::ReleaseComplete(reason)))
}

/// Reads the H323-UserInformation of a Facility up to its generic data: the RAS messages in it, if there
/// is any generic data.
///
/// The body is usually `empty`, whose open type can be left out. GnuGk and H323Plus read RAS beside a body
/// of `facility` as well, so that one has to be walked through.
pub(crate) fn read_facility(mut bits: Bits<'_>) -> Result<Option<RasMessages<'_>>, Invalid> {
    let pdu = UuPdu::parse(&mut bits)?;
    match pdu.body {
        Choice::Root(BODY_FACILITY) => bits.rarely(skip_facility_uuie)?,
        Choice::Extension(_) => bits.skip_string(1)?,
        Choice::Root(_) => return Err(bits.fault(Reason::Body)),
    }
    if pdu.non_standard_data {
        bits.rarely(endpoint::skip_non_standard_parameter)?;
    }
    if !pdu.extended {
        return Ok(None);
    }
    bits.addition(GENERIC_DATA)?.map(RasMessages::parse).transpose()
}

/// The head of H323-UU-PDU; the contents of the body follow.
struct UuPdu {
    extended: bool,
    non_standard_data: bool,
    body: Choice,
}

impl UuPdu {
    #[inline(always)]
    fn parse(bits: &mut Bits<'_>) -> Result<Self, Invalid> {
        // H323-UserInformation: user-data and additions stand behind all that matters here.
        let [_extended, _user_data, extended, non_standard_data] = bits.flags()?;
        Ok(Self { extended, non_standard_data, body: bits.choice(BODY_INDEX)? })
    }
}

/// FacilityReason: two bits for the four alternatives of the root, all NULL.
const FACILITY_REASON_INDEX: u8 = 2;

#[cold]
fn skip_facility_uuie(bits: &mut Bits<'_>) -> Result<(), Invalid> {
    let [extended, address, aliases, conference_id] = bits.flags()?;
    bits.string()?; // protocolIdentifier
    if address {
        bits.skip_transport_address()?;
    }
    if aliases {
        bits.aliases()?;
    }
    if conference_id {
        bits.array::<16>()?;
    }
    if let Choice::Extension(_) = bits.choice(FACILITY_REASON_INDEX)? {
        bits.skip_string(1)?;
    }
    if extended { bits.skip_additions() } else { Ok(()) }
}

/// The version in a protocolIdentifier, `itu-t recommendation h 2250 0 version`. Another identifier is no
/// reason to refuse: nothing depends on it.
fn version(protocol_identifier: &[u8]) -> Option<u8> {
    match protocol_identifier {
        [0x00, 0x08, 0x91, 0x4a, 0x00, version @ 0..=0x7f] => Some(*version),
        _ => None,
    }
}

/// So many of a list, each left out by `skip`.
#[inline(always)]
fn skip_each<'a>(
    bits: &mut Bits<'a>,
    max: u16,
    too_many: Reason,
    skip: impl Fn(&mut Bits<'a>) -> Result<(), Invalid>,
) -> Result<(), Invalid> {
    for _ in 0..bits.count(max, too_many)? {
        skip(bits)?;
    }
    Ok(())
}
