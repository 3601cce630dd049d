//! AliasAddress and TransportAddress.

use crate::{
    Alias, Aliases, Text,
    error::{Invalid, Reason},
    h225::{endpoint, skip_each},
    per::{Bits, Choice},
    text::are_digits,
};

/// Aliases of one list, transport addresses of one list, and hops of one source route: more than any
/// endpoint has.
pub(crate) const ALIASES_MAX: u16 = 512;
pub(crate) const TRANSPORT_ADDRESSES_MAX: u16 = 256;
pub(crate) const SOURCE_ROUTE_HOPS_MAX: u16 = 64;

/// Fields that many messages have.
pub(crate) trait AddressBits<'a> {
    /// A SEQUENCE OF AliasAddress, walked over once.
    fn aliases(&mut self) -> Result<Aliases<'a>, Invalid>;
    fn skip_transport_addresses(&mut self) -> Result<(), Invalid>;
    fn skip_transport_address(&mut self) -> Result<(), Invalid>;
    /// GatekeeperIdentifier and EndpointIdentifier: BMPString (SIZE (1..128)).
    fn identifier(&mut self) -> Result<Text<'a>, Invalid>;
}

impl<'a> AddressBits<'a> for Bits<'a> {
    #[inline(always)]
    fn aliases(&mut self) -> Result<Aliases<'a>, Invalid> {
        let count = self.count(ALIASES_MAX, Reason::TooManyAliases)?;
        let aliases = Aliases::new(*self, count);
        for _ in 0..count {
            alias(self)?;
        }
        Ok(aliases)
    }

    #[inline(always)]
    fn skip_transport_addresses(&mut self) -> Result<(), Invalid> {
        skip_each(
            self,
            TRANSPORT_ADDRESSES_MAX,
            Reason::TooManyTransportAddresses,
            Self::skip_transport_address,
        )
    }

    #[inline(always)]
    fn skip_transport_address(&mut self) -> Result<(), Invalid> {
        match self.choice(3)? {
            // ipAddress: four octets and a port. Only this one is common.
            Choice::Root(0) => self.octets(6).map(drop),
            other => self.rarely(|bits| skip_rare_transport_address(bits, other)),
        }
    }

    #[inline(always)]
    fn identifier(&mut self) -> Result<Text<'a>, Invalid> {
        // A size of 1..128 is seven bits, not aligned (X.691, 10.5.7.1).
        let units = usize::from(self.bits(7)?).saturating_add(1);
        self.octets(units.saturating_mul(2)).map(Text::utf16)
    }
}

/// One AliasAddress.
#[inline(always)]
pub(crate) fn alias<'a>(bits: &mut Bits<'a>) -> Result<Alias<'a>, Invalid> {
    match bits.choice(1)? {
        Choice::Root(0) => dialed_digits(bits).map(Alias::DialedDigits),
        Choice::Root(_) => {
            // h323-ID, BMPString (SIZE (1..256)): a range of 256 is one aligned octet (X.691, 10.5.7.2).
            let [units] = *bits.array()?;
            let octets = usize::from(units).saturating_add(1).saturating_mul(2);
            bits.octets(octets).map(Text::utf16).map(Alias::H323Id)
        }
        Choice::Extension(0) => bits.rarely(long_alias).map(Alias::UrlId),
        Choice::Extension(2) => bits.rarely(long_alias).map(Alias::EmailId),
        Choice::Extension(number) => bits.rarely(|bits| bits.skip_string(1)).map(|()| Alias::Other(number)),
    }
}

/// IA5String (SIZE (1..128)) of thirteen characters: four bits each, aligned; an odd count leaves half an
/// octet that the next field does not begin in.
#[inline(always)]
fn dialed_digits<'a>(bits: &mut Bits<'a>) -> Result<Text<'a>, Invalid> {
    let count = bits.bits(7)?.saturating_add(1);
    let mut whole = *bits;
    let octets = whole.octets(usize::from(count.div_ceil(2)))?;
    bits.octets(usize::from(count / 2))?;
    if count % 2 != 0 {
        bits.bits(4)?;
    }
    if are_digits(octets, count) { Ok(Text::digits(octets, count)) } else { Err(bits.fault(Reason::Range)) }
}

/// url-ID and email-ID: IA5String (SIZE (1..512)) in an open type. A receiver that decodes the string and
/// one that takes the open type must come to the same end, so both have to end together.
#[cold]
fn long_alias<'a>(bits: &mut Bits<'a>) -> Result<Text<'a>, Invalid> {
    let mut contents = bits.open_type()?;
    let len = usize::from(contents.number16()?).saturating_add(1);
    if len > 512 {
        return Err(contents.fault(Reason::Range));
    }
    let text = contents.octets(len)?;
    if contents.is_empty() { Ok(Text::ia5(text)) } else { Err(contents.fault(Reason::AliasLength)) }
}

#[cold]
fn skip_rare_transport_address(bits: &mut Bits<'_>, address: Choice) -> Result<(), Invalid> {
    match address {
        Choice::Root(1) => skip_source_route(bits),
        // ipxAddress: node 6, netnum 4, port 2.
        Choice::Root(2) => bits.octets(12).map(drop),
        // ip6Address: sixteen octets and a port.
        Choice::Root(3) => {
            let extended = bits.bit()?;
            bits.octets(18)?;
            if extended { bits.skip_additions() } else { Ok(()) }
        }
        // netBios
        Choice::Root(4) => bits.octets(16).map(drop),
        // nsap: OCTET STRING (SIZE (1..20)), five bits for the size.
        Choice::Root(5) => match bits.bits(5)? {
            len @ 0..20 => bits.octets(usize::from(len).saturating_add(1)).map(drop),
            _ => Err(bits.fault(Reason::Range)),
        },
        Choice::Root(6) => endpoint::skip_non_standard_parameter(bits),
        Choice::Root(_) => Err(bits.fault(Reason::Alternative)),
        Choice::Extension(_) => bits.skip_string(1),
    }
}

fn skip_source_route(bits: &mut Bits<'_>) -> Result<(), Invalid> {
    let extended = bits.bit()?;
    bits.octets(6)?; // ip and port
    skip_each(bits, SOURCE_ROUTE_HOPS_MAX, Reason::TooManySourceRouteHops, |bits| bits.octets(4).map(drop))?;
    // routing: strict or loose, both NULL
    if let Choice::Extension(_) = bits.choice(1)? {
        bits.skip_string(1)?;
    }
    if extended { bits.skip_additions() } else { Ok(()) }
}
