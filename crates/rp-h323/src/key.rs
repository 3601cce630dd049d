//! The key of a connection: what the first message that is not a keep-alive asks for.

use core::fmt;

use crate::{
    Aliases, Error, Invalid, Reason, Text, gatekeeper_id,
    h225::{self, generic_data::RasMessages, ras, setup},
    h323_url,
    q931::{self, Head, MessageType},
    tpkt,
};

/// So many messages without a key may come before the one that has it: keep-alives are sent every 19 to 29
/// seconds, and nobody waits that long before registering.
pub const SKIPPED_MAX: u8 = 16;

/// The key of the first request in `input`, which is everything received so far from the first octet on.
///
/// Frames without a request are left out: empty ones, NationalEscape, Information, Notify, Status,
/// StatusInquiry, and a Facility without RAS. The first Setup, or the first Facility with a gatekeeper
/// request or a registration request, decides; what follows it is not looked at.
///
/// # Errors
/// [`Error::Incomplete`] as long as the deciding frame is not whole; [`Error::Invalid`] at the first octet
/// that rules H.323 out, and for every message that cannot come first or that receivers could read in
/// different ways.
pub fn extract(input: &[u8]) -> Result<Key<'_>, Error> {
    let mut at = 0_usize;
    for skipped in 0..=SKIPPED_MAX {
        let frame = input.get(at..).unwrap_or_default();
        let len = tpkt::length(frame, at)?;
        let end = at.saturating_add(len);
        if len > tpkt::HEAD {
            let Head { call_reference, message_type } = head(frame, at)?;
            let user_user = q931::user_user(tpkt::message(frame, len)?, end)?;
            let place = Place { call_reference, skipped, end };
            match (message_type, user_user) {
                (MessageType::SETUP, Some(bits)) => return Ok(Key::call(place, h225::read_setup(bits)?)),
                (MessageType::SETUP, None) => return Err(Error::invalid(Reason::NoUserUser, end)),
                (MessageType::FACILITY, Some(bits)) => {
                    if let Some(all) = h225::read_facility(bits)?
                        && let Some(first) = first_request(all, end)?
                    {
                        return Ok(Key::registration(place, all, first));
                    }
                }
                _ => {}
            }
        }
        at = end;
    }
    Err(Error::invalid(Reason::TooManySkipped, at))
}

/// A request for a target: the key that a connection is routed by, or a later request on it.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Key<'a> {
    /// What is asked for.
    pub kind: Kind,
    /// The name that is looked up.
    pub name: Name<'a>,
    /// The gatekeeperIdentifier of a registration as it was sent, physical location and all.
    pub gatekeeper_id: Option<Text<'a>>,
    /// The requestSeqNum of a registration, which its answer repeats; 0 for a Setup.
    pub request_seq_num: u16,
    /// The call reference of a Setup, without its flag; usually 0 for a registration.
    pub call_reference: u16,
    /// The version of H.225.0 that the endpoint says it speaks.
    pub version: Option<u8>,
    /// The messages before the deciding one.
    pub skipped: u8,
    /// The octets of the input up to the end of the deciding frame.
    pub len: usize,
    aliases: Aliases<'a>,
    source: Source<'a>,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// GRQ: an endpoint looks for its gatekeeper.
    GatekeeperRequest,
    /// RRQ: an endpoint registers, or refreshes its registration.
    RegistrationRequest,
    /// A call by somebody who need not be registered.
    Setup,
}

/// The name that a request is looked up by.
#[derive(Clone, Copy, Debug)]
pub enum Name<'a> {
    /// This one.
    Given(Text<'a>),
    /// The request names nobody.
    Missing,
    /// The request names something that no target can be called.
    Unusable,
}

/// Where the rest of a request stands.
#[derive(Clone, Copy)]
enum Source<'a> {
    /// All RAS messages of the Facility, and the end of this one.
    Facility(RasMessages<'a>, ras::Rest<'a>),
    Setup(setup::Rest<'a>),
}

impl<'a> Key<'a> {
    /// The aliases of a registration, or those that a call is for. Only a call is routed by them.
    pub fn aliases(&self) -> Aliases<'a> {
        self.aliases
    }

    /// Whether this is a light-weight registration, which refreshes an earlier one. An addition that cannot
    /// be read counts as absent.
    pub fn keep_alive(&self) -> bool {
        match self.source {
            Source::Facility(_, rest) => rest.keep_alive().unwrap_or(false),
            Source::Setup(_) => false,
        }
    }

    /// The endpointIdentifier that a registration repeats from an earlier confirmation.
    pub fn endpoint_identifier(&self) -> Option<Text<'a>> {
        match self.source {
            Source::Facility(_, rest) => rest.endpoint_identifier().ok().flatten(),
            Source::Setup(_) => None,
        }
    }

    /// The callIdentifier of a Setup. One that cannot be read counts as absent.
    pub fn call_identifier(&self) -> Option<[u8; 16]> {
        match self.source {
            Source::Facility(..) => None,
            Source::Setup(rest) => rest.call_identifier().ok().flatten().copied(),
        }
    }

    /// The user that a call is for: what stands before the `@`, without the scheme of a URL.
    pub fn called_user(&self) -> Option<Text<'a>> {
        match self.source {
            Source::Facility(..) => None,
            Source::Setup(_) => h323_url::called(self.aliases).map(|called| called.user),
        }
    }

    /// All requests of the same message, this one among them: an endpoint may put several into one
    /// Facility, and each is answered by itself.
    pub fn requests(&self) -> Requests<'a> {
        match self.source {
            Source::Facility(ras, _) => Requests { key: *self, ras: Some(ras), done: false },
            Source::Setup(_) => Requests { key: *self, ras: None, done: false },
        }
    }

    fn registration(place: Place, all: RasMessages<'a>, request: ras::Request<'a>) -> Self {
        Self {
            kind: request.kind,
            name: gatekeeper_id::name(request.gatekeeper_id),
            gatekeeper_id: request.gatekeeper_id,
            request_seq_num: request.request_seq_num,
            call_reference: place.call_reference,
            version: request.version,
            skipped: place.skipped,
            len: place.end,
            aliases: request.aliases,
            source: Source::Facility(all, request.rest),
        }
    }

    fn call(place: Place, setup: setup::Setup<'a>) -> Self {
        Self {
            kind: Kind::Setup,
            name: h323_url::name(setup.destination),
            gatekeeper_id: None,
            request_seq_num: 0,
            call_reference: place.call_reference,
            version: setup.version,
            skipped: place.skipped,
            len: place.end,
            aliases: setup.destination,
            source: Source::Setup(setup.rest),
        }
    }
}

/// The requests of one message in their order.
#[derive(Clone)]
pub struct Requests<'a> {
    key: Key<'a>,
    /// The RAS messages not read yet; none for a Setup, which stands alone.
    ras: Option<RasMessages<'a>>,
    done: bool,
}

impl<'a> Iterator for Requests<'a> {
    type Item = Key<'a>;

    fn next(&mut self) -> Option<Key<'a>> {
        let (Some(ras), Source::Facility(all, _)) = (&mut self.ras, self.key.source) else {
            return (!core::mem::replace(&mut self.done, true)).then_some(self.key);
        };
        // The whole Facility was walked over when the key was found, so nothing fails here.
        while let Ok(Some(message)) = ras.next() {
            if let Ok(Some(request)) = ras::request(message) {
                let Key { call_reference, skipped, len: end, .. } = self.key;
                let place = Place { call_reference, skipped, end };
                return Some(Key::registration(place, all, request));
            }
        }
        None
    }
}

impl fmt::Debug for Requests<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

/// For logs: what is asked for, by which name, and as whom. Passwords and tokens are never read.
/// So many aliases are shown: a phone has a name and a number, an attacker has hundreds.
const ALIASES_SHOWN: usize = 4;

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} for {}", self.kind, self.name)?;
        match self.kind {
            Kind::Setup => write!(f, ", call {:#06x}", self.call_reference),
            _ => write!(f, ", request {}", self.request_seq_num),
        }?;
        let mut aliases = self.aliases();
        for (number, alias) in aliases.by_ref().take(ALIASES_SHOWN).enumerate() {
            write!(f, "{}{alias}", if number == 0 { ", alias " } else { " " })?;
        }
        match aliases.count() {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

impl fmt::Debug for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("kind", &self.kind)
            .field("name", &self.name)
            .field("gatekeeper_id", &self.gatekeeper_id)
            .field("request_seq_num", &self.request_seq_num)
            .field("call_reference", &self.call_reference)
            .field("version", &self.version)
            .field("skipped", &self.skipped)
            .field("len", &self.len)
            .field("aliases", &self.aliases)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::GatekeeperRequest => "GRQ",
            Self::RegistrationRequest => "RRQ",
            Self::Setup => "Setup",
        })
    }
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given(text) => text.fmt(f),
            Self::Missing => f.write_str("(no name)"),
            Self::Unusable => f.write_str("(unusable name)"),
        }
    }
}

/// Where a message stands.
#[derive(Clone, Copy)]
struct Place {
    call_reference: u16,
    skipped: u8,
    /// The offset of the end of its frame.
    end: usize,
}

/// The head of the message in `frame`, judged before the frame is whole: its type has to be one that can
/// come first, or before the first.
fn head(frame: &[u8], at: usize) -> Result<Head, Error> {
    let head = Head::parse(frame.get(tpkt::HEAD..).unwrap_or_default(), at.saturating_add(tpkt::HEAD))?;
    match head.message_type {
        MessageType::SETUP
        | MessageType::FACILITY
        | MessageType::NATIONAL_ESCAPE
        | MessageType::INFORMATION
        | MessageType::NOTIFY
        | MessageType::STATUS
        | MessageType::STATUS_INQUIRY => Ok(head),
        MessageType(_) => {
            let offset = at.saturating_add(tpkt::HEAD).saturating_add(q931::HEAD).saturating_sub(1);
            Err(Error::invalid(Reason::MessageType, offset))
        }
    }
}

/// The first gatekeeper request or registration request among these RAS messages. All of them are read, so
/// that none is well formed here and malformed for the one who answers it.
#[inline]
fn first_request(mut messages: RasMessages<'_>, end: usize) -> Result<Option<ras::Request<'_>>, Invalid> {
    let mut any = false;
    while let Some(message) = messages.next()? {
        if let Some(request) = ras::request(message)? {
            read_all(&mut messages)?;
            return Ok(Some(request));
        }
        any = true;
    }
    if any { Err(Invalid { reason: Reason::OtherRas, offset: end }) } else { Ok(None) }
}

fn read_all(messages: &mut RasMessages<'_>) -> Result<(), Invalid> {
    while let Some(message) = messages.next()? {
        ras::request(message)?;
    }
    Ok(())
}
