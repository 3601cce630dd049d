//! RAS: the requests that carry a key, and the answers to them.

use crate::{
    Aliases, Answer, AnswerKind, Kind, Text,
    error::{Invalid, Reason},
    h225::{address::AddressBits as _, endpoint, version},
    per::{Bits, Choice},
};

/// RasMessage: five bits for the twenty-five alternatives of its root.
const RAS_INDEX: u8 = 5;
const GATEKEEPER_REQUEST: u8 = 0;
const GATEKEEPER_CONFIRM: u8 = 1;
const GATEKEEPER_REJECT: u8 = 2;
const REGISTRATION_REQUEST: u8 = 3;
const REGISTRATION_CONFIRM: u8 = 4;
const REGISTRATION_REJECT: u8 = 5;
const RAS_LAST: u8 = 24;

/// The numbers of keepAlive and endpointIdentifier among the additions of a RegistrationRequest.
const KEEP_ALIVE: u8 = 5;
const ENDPOINT_IDENTIFIER: u8 = 6;

/// The number of timeToLive among the additions of a RegistrationConfirm.
const TIME_TO_LIVE: u8 = 1;

/// The numbers of additions of GatekeeperReject and RegistrationReject; the last one only the latter has.
const ALT_GK_INFO: u8 = 0;
const TOKENS: u8 = 1;
const CRYPTO_TOKENS: u8 = 2;
const ASSIGNED_GATEKEEPER: u8 = 6;

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
        bits.rarely(endpoint::skip_non_standard_parameter)?;
    }
    bits.skip_transport_address()?; // rasAddress
    endpoint::skip_endpoint_type(&mut bits)?;
    let gatekeeper_id = if identifier { Some(bits.identifier()?) } else { None };
    if call_services {
        bits.rarely(endpoint::skip_qseries_options)?;
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
        bits.rarely(endpoint::skip_non_standard_parameter)?;
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
fn request_seq_num(bits: &mut Bits<'_>) -> Result<u16, Invalid> {
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

/// One RasMessage; `None` if it is no answer to one of the two requests.
pub(crate) fn answer(mut bits: Bits<'_>) -> Result<Option<Answer<'_>>, Invalid> {
    match bits.choice(RAS_INDEX)? {
        Choice::Root(GATEKEEPER_CONFIRM) => gatekeeper_confirm(bits).map(Some),
        Choice::Root(GATEKEEPER_REJECT) => gatekeeper_reject(bits).map(Some),
        Choice::Root(REGISTRATION_CONFIRM) => registration_confirm(bits).map(Some),
        Choice::Root(REGISTRATION_REJECT) => registration_reject(bits).map(Some),
        Choice::Root(0..=RAS_LAST) | Choice::Extension(_) => Ok(None),
        Choice::Root(_) => Err(bits.fault(Reason::Alternative)),
    }
}

fn gatekeeper_confirm(mut bits: Bits<'_>) -> Result<Answer<'_>, Invalid> {
    let [_extended, non_standard_data, identifier] = bits.flags()?;
    let request_seq_num = answer_head(&mut bits, non_standard_data)?;
    let gatekeeper_id = if identifier { Some(bits.identifier()?) } else { None };
    Ok(Answer { request_seq_num, gatekeeper_id, ..Answer::new(AnswerKind::GatekeeperConfirm) })
}

fn gatekeeper_reject(mut bits: Bits<'_>) -> Result<Answer<'_>, Invalid> {
    let [extended, non_standard_data, identifier] = bits.flags()?;
    let request_seq_num = answer_head(&mut bits, non_standard_data)?;
    let gatekeeper_id = if identifier { Some(bits.identifier()?) } else { None };
    let reason = bits.choice(2)?;
    if let Choice::Extension(_) = reason {
        bits.skip_string(1)?;
    }
    let answer = Answer::new(AnswerKind::GatekeeperReject(reason.into()));
    reject(bits, extended, Answer { request_seq_num, gatekeeper_id, ..answer })
}

fn registration_confirm(mut bits: Bits<'_>) -> Result<Answer<'_>, Invalid> {
    let [extended, non_standard_data, terminal_alias, identifier] = bits.flags()?;
    let request_seq_num = answer_head(&mut bits, non_standard_data)?;
    bits.skip_transport_addresses()?; // callSignalAddress
    if terminal_alias {
        bits.aliases()?;
    }
    let gatekeeper_id = if identifier { Some(bits.identifier()?) } else { None };
    let endpoint_id = Some(bits.identifier()?);
    let time_to_live = if extended { bits.addition(TIME_TO_LIVE)? } else { None };
    let time_to_live = time_to_live.map(|mut bits| seconds(&mut bits)).transpose()?;
    let answer = Answer::new(AnswerKind::RegistrationConfirm);
    Ok(Answer { request_seq_num, gatekeeper_id, endpoint_id, time_to_live, ..answer })
}

fn registration_reject(mut bits: Bits<'_>) -> Result<Answer<'_>, Invalid> {
    let [extended, non_standard_data, identifier] = bits.flags()?;
    let request_seq_num = answer_head(&mut bits, non_standard_data)?;
    let reason = bits.choice(3)?;
    match reason {
        Choice::Root(4) => bits.aliases().map(drop)?, // duplicateAlias
        Choice::Root(_) => {}
        Choice::Extension(_) => bits.skip_string(1)?,
    }
    let gatekeeper_id = if identifier { Some(bits.identifier()?) } else { None };
    let answer = Answer::new(AnswerKind::RegistrationReject(reason.into()));
    reject(bits, extended, Answer { request_seq_num, gatekeeper_id, ..answer })
}

/// The fields that all answers begin with.
fn answer_head(bits: &mut Bits<'_>, non_standard_data: bool) -> Result<u16, Invalid> {
    let request_seq_num = request_seq_num(bits)?;
    bits.string()?; // protocolIdentifier
    if non_standard_data {
        endpoint::skip_non_standard_parameter(bits)?;
    }
    Ok(request_seq_num)
}

/// What the additions of a reject, whose root ends at `bits`, say about `answer`.
fn reject<'a>(mut bits: Bits<'a>, extended: bool, answer: Answer<'a>) -> Result<Answer<'a>, Invalid> {
    if !extended {
        return Ok(answer);
    }
    let present = bits.additions()?;
    let is_assigned = |answer: Answer<'_>| {
        matches!(answer.kind, AnswerKind::RegistrationReject(_)) && present.has(ASSIGNED_GATEKEEPER)
    };
    Ok(Answer {
        redirects: present.has(ALT_GK_INFO) || is_assigned(answer),
        challenges: present.has(TOKENS) || present.has(CRYPTO_TOKENS),
        ..answer
    })
}

/// TimeToLive: INTEGER (1..4294967295), two bits for the count of octets less one (X.691, 10.5.7.4).
fn seconds(bits: &mut Bits<'_>) -> Result<u32, Invalid> {
    let count = usize::from(bits.bits(2)?).saturating_add(1);
    let value = bits.octets(count)?.iter().fold(0_u32, |value, octet| value << 8 | u32::from(*octet));
    value.checked_add(1).ok_or_else(|| bits.fault(Reason::Range))
}
