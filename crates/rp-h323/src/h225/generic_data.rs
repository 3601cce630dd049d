//! Generic data, and the RAS messages that H.460.17 puts into it: genericData with the identifier standard
//! 17, in each parameter standard 1 one RasMessage as raw octets.

use crate::{
    error::{Invalid, Reason},
    h225::address::{self, AddressBits as _},
    per::{Bits, Choice},
};

/// GenericData of one message.
pub(crate) const GENERIC_DATA_MAX: u16 = 64;
/// Parameters of one GenericData: the bound of the type itself.
pub(crate) const PARAMETERS_MAX: u16 = 512;
/// RAS messages of one Facility.
pub(crate) const RAS_MESSAGES_MAX: u8 = 16;
/// Compound and nested contents in one another.
pub(crate) const LEVELS_MAX: usize = 4;

/// H.460.17 and its parameter with a RAS message.
const RAS_OVER_H225: Id = Id::Standard(17);
const RAS_MESSAGE: Id = Id::Standard(1);

/// The bound of the identifier's root: INTEGER (0..16383, ...).
const STANDARD_MAX: u16 = 16383;

/// Content: four bits for the twelve alternatives of its root.
const CONTENT_INDEX: u8 = 4;
const CONTENT_RAW: u8 = 0;

/// Walks over generic data and hands out the RAS messages on the way.
#[derive(Clone, Copy)]
pub(crate) struct RasMessages<'a> {
    bits: Bits<'a>,
    /// GenericData not begun yet.
    generic_data: u16,
    /// Of the one begun: parameters not begun yet, whether it is H.460.17, whether additions follow.
    parameters: u16,
    is_ras: bool,
    extended: bool,
    found: u8,
}

impl<'a> RasMessages<'a> {
    /// Begins with the contents of the genericData addition.
    pub(crate) fn parse(mut bits: Bits<'a>) -> Result<Self, Invalid> {
        let generic_data = bits.count(GENERIC_DATA_MAX, Reason::TooManyGenericData)?;
        Ok(Self { bits, generic_data, parameters: 0, is_ras: false, extended: false, found: 0 })
    }

    /// The next RasMessage.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Option<Bits<'a>>, Invalid> {
        if self.parameters == 0 && !self.extended && self.generic_data == 0 {
            return Ok(None);
        }
        let mut bits = self.bits;
        let ras = self.walk(&mut bits)?;
        self.bits = bits;
        Ok(ras)
    }

    #[inline(always)]
    fn walk(&mut self, bits: &mut Bits<'a>) -> Result<Option<Bits<'a>>, Invalid> {
        loop {
            while let Some(left) = self.parameters.checked_sub(1) {
                self.parameters = left;
                if let Some(ras) = self.parameter(bits)? {
                    return Ok(Some(ras));
                }
            }
            if self.extended {
                bits.rarely(Bits::skip_additions)?;
                self.extended = false;
            }
            let Some(left) = self.generic_data.checked_sub(1) else { return Ok(None) };
            self.generic_data = left;
            self.begin(bits)?;
        }
    }

    /// The head of one GenericData.
    #[inline(always)]
    fn begin(&mut self, bits: &mut Bits<'a>) -> Result<(), Invalid> {
        let [extended, parameters] = bits.flags()?;
        self.extended = extended;
        self.is_ras = id(bits)? == RAS_OVER_H225;
        self.parameters = if parameters { parameter_count(bits)? } else { 0 };
        Ok(())
    }

    /// One parameter, and the RAS message in it.
    #[inline(always)]
    fn parameter(&mut self, bits: &mut Bits<'a>) -> Result<Option<Bits<'a>>, Invalid> {
        let [extended, content] = bits.flags()?;
        let id = id(bits)?;
        let ras = match content {
            true if self.is_ras && id == RAS_MESSAGE => Some(self.raw(bits)?),
            true => bits.rarely(|bits| skip_content(bits, 0)).map(|()| None)?,
            false => None,
        };
        if extended {
            bits.rarely(Bits::skip_additions)?;
        }
        Ok(ras)
    }

    /// What another receiver might take for a RAS message must not pass unread: every other form of
    /// content is refused.
    #[inline(always)]
    fn raw(&mut self, bits: &mut Bits<'a>) -> Result<Bits<'a>, Invalid> {
        let Choice::Root(CONTENT_RAW) = bits.choice(CONTENT_INDEX)? else {
            return Err(bits.fault(Reason::NotRaw));
        };
        self.found = self.found.saturating_add(1);
        if self.found > RAS_MESSAGES_MAX {
            return Err(bits.fault(Reason::TooManyRasMessages));
        }
        bits.open_type()
    }
}

/// GenericIdentifier.
#[derive(PartialEq, Eq)]
enum Id {
    Standard(u16),
    /// An object identifier, sixteen octets, or a number over the root's.
    Other,
}

#[inline(always)]
fn id(bits: &mut Bits<'_>) -> Result<Id, Invalid> {
    match bits.choice(2)? {
        Choice::Root(0) => {
            if bits.bit()? {
                return bits.rarely(extended_standard);
            }
            let number = bits.number16()?;
            if number > STANDARD_MAX { Err(bits.fault(Reason::Range)) } else { Ok(Id::Standard(number)) }
        }
        Choice::Root(1) => bits.rarely(|bits| bits.skip_string(1)).map(|()| Id::Other), // oid
        Choice::Root(2) => bits.octets(16).map(|_| Id::Other),                          // nonStandard
        Choice::Root(_) => Err(bits.fault(Reason::Alternative)),
        Choice::Extension(_) => bits.rarely(|bits| bits.skip_string(1)).map(|()| Id::Other),
    }
}

/// The unconstrained form is for values outside the root (X.691, 12.1); a receiver that does not mind
/// would read a 17 in it as H.460.17.
#[cold]
fn extended_standard(bits: &mut Bits<'_>) -> Result<Id, Invalid> {
    let octets = bits.string()?;
    let significant = octets.iter().position(|octet| *octet != 0).and_then(|at| octets.get(at..));
    match significant.unwrap_or_default() {
        [] | [_] | [0..=0x3f, _] => Err(bits.fault(Reason::ExtendedIdentifier)),
        _ => Ok(Id::Other),
    }
}

/// SIZE (1..512): two aligned octets for the count less one.
fn parameter_count(bits: &mut Bits<'_>) -> Result<u16, Invalid> {
    let count = bits.number16()?.saturating_add(1);
    if count > PARAMETERS_MAX { Err(bits.fault(Reason::TooManyParameters)) } else { Ok(count) }
}

/// Content of any form, of which `level` compound or nested ones are already begun.
fn skip_content(bits: &mut Bits<'_>, level: usize) -> Result<(), Invalid> {
    match bits.choice(CONTENT_INDEX)? {
        Choice::Root(CONTENT_RAW | 1) => bits.skip_string(1), // raw, text
        Choice::Root(2) => bits.skip_string(2),               // unicode
        Choice::Root(3) => bits.bit().map(drop),
        Choice::Root(4) => bits.octets(1).map(drop), // number8
        Choice::Root(5) => bits.octets(2).map(drop), // number16
        Choice::Root(6) => {
            // number32: two bits for the count of octets less one (X.691, 12.2.6)
            let len = bits.bits(2)?.saturating_add(1);
            bits.octets(usize::from(len)).map(drop)
        }
        Choice::Root(7) => id(bits).map(drop),
        Choice::Root(8) => address::alias(bits).map(drop),
        Choice::Root(9) => bits.skip_transport_address(),
        Choice::Root(10) => skip_compound(bits, level.saturating_add(1)),
        Choice::Root(11) => skip_nested(bits, level.saturating_add(1)),
        Choice::Root(_) => Err(bits.fault(Reason::Alternative)),
        Choice::Extension(_) => bits.skip_string(1),
    }
}

fn skip_compound(bits: &mut Bits<'_>, level: usize) -> Result<(), Invalid> {
    if level > LEVELS_MAX {
        return Err(bits.fault(Reason::TooManyLevels));
    }
    for _ in 0..parameter_count(bits)? {
        skip_parameter(bits, level)?;
    }
    Ok(())
}

fn skip_nested(bits: &mut Bits<'_>, level: usize) -> Result<(), Invalid> {
    if level > LEVELS_MAX {
        return Err(bits.fault(Reason::TooManyLevels));
    }
    // SIZE (1..16): four bits, not aligned.
    for _ in 0..=bits.bits(4)? {
        let [extended, parameters] = bits.flags()?;
        id(bits)?;
        if parameters {
            for _ in 0..parameter_count(bits)? {
                skip_parameter(bits, level)?;
            }
        }
        if extended {
            bits.skip_additions()?;
        }
    }
    Ok(())
}

fn skip_parameter(bits: &mut Bits<'_>, level: usize) -> Result<(), Invalid> {
    let [extended, content] = bits.flags()?;
    id(bits)?;
    if content {
        skip_content(bits, level)?;
    }
    if extended { bits.skip_additions() } else { Ok(()) }
}
