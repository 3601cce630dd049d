//! What [`extract`](crate::extract) says when there is no key (yet).

use core::{error, fmt, num::NonZeroUsize};

/// Why there is no key.
///
/// Exhaustive on purpose: a caller waits on the one and refuses on the other, and there is no third.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// At least so many more octets are needed before anything can be decided.
    Incomplete(NonZeroUsize),
    /// No continuation can help.
    Invalid(Invalid),
}

/// What is wrong, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Invalid {
    /// What is wrong.
    pub reason: Reason,
    /// The offset in the input at which reading stopped.
    pub offset: usize,
}

/// What can be wrong with the octets from a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The first octet of a frame is not the TPKT version 3.
    NotTpkt,
    /// The length of a TPKT is neither 4 (empty) nor at least 9.
    TpktLength,
    /// The message does not begin with the protocol discriminator of Q.931.
    NotQ931,
    /// The call reference has not the two octets of H.225.0.
    CallReferenceLength,
    /// A message of this type cannot come before the first registration or call.
    MessageType,
    /// More than [`SKIPPED_MAX`](crate::SKIPPED_MAX) messages came before the first registration or call.
    TooManySkipped,
    /// An information element is longer than its message.
    ElementLength,
    /// The user-user element is empty or has another protocol discriminator than 5.
    UserUser,
    /// A second user-user element: receivers differ in which one they read.
    SecondUserUser,
    /// A user-user element in another codeset: receivers differ in whether they read it.
    ShiftedUserUser,
    /// A Setup without a user-user element.
    NoUserUser,
    /// The user-user element carries another body than its message does.
    Body,
    /// RAS in a Facility, but neither a gatekeeper request nor a registration request.
    OtherRas,
    /// A field is longer than what is left of its message or of the value that it stands in.
    Truncated,
    /// A length in a reserved form.
    LengthForm,
    /// A value in fragments of 16 K where it has to be in one piece.
    Fragmented,
    /// An alternative that the CHOICE does not have.
    Alternative,
    /// A value outside the range of its type.
    Range,
    /// H.460.17's parameter 1 in another form than raw octets: receivers differ in whether they read it.
    NotRaw,
    /// A number below 16384 in the extended form of a generic identifier, so that receivers may take it for
    /// another one.
    ExtendedIdentifier,
    /// A url-ID or email-ID that does not end where its open type ends.
    AliasLength,
    /// More than 64 extension additions in a SEQUENCE, or an alternative of a CHOICE behind the 64th extension.
    TooManyAdditions,
    /// More than 512 aliases in a list.
    TooManyAliases,
    /// More than 256 transport addresses in a list.
    TooManyTransportAddresses,
    /// More than 64 hops in a source route.
    TooManySourceRouteHops,
    /// More than 64 protocols of a gateway.
    TooManyProtocols,
    /// More than 64 generic data in a message.
    TooManyGenericData,
    /// More than 512 parameters in generic data.
    TooManyParameters,
    /// More than 16 RAS messages in a Facility.
    TooManyRasMessages,
    /// More than four levels of generic data in generic data.
    TooManyLevels,
}

impl Error {
    /// `missing` octets are missing; one, if the caller counted none.
    pub(crate) fn incomplete(missing: usize) -> Self {
        Self::Incomplete(NonZeroUsize::new(missing).unwrap_or(NonZeroUsize::MIN))
    }

    #[cold]
    pub(crate) fn invalid(reason: Reason, offset: usize) -> Self {
        Self::Invalid(Invalid { reason, offset })
    }
}

impl From<Invalid> for Error {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid)
    }
}

impl error::Error for Error {}
impl error::Error for Invalid {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incomplete(n) => write!(f, "at least {n} more octets are needed"),
            Self::Invalid(invalid) => invalid.fmt(f),
        }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at octet {}", self.reason, self.offset)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotTpkt => "not H.323: no TPKT of version 3",
            Self::TpktLength => "a TPKT of an impossible length",
            Self::NotQ931 => "not H.323: no Q.931 message in the TPKT",
            Self::CallReferenceLength => "a call reference that has not two octets",
            Self::MessageType => "a message of a type that cannot come before any registration or call",
            Self::TooManySkipped => "too many messages before any registration or call",
            Self::ElementLength => "an information element that is longer than its message",
            Self::UserUser => "a user-user element that is not H.225.0",
            Self::SecondUserUser => "a second user-user element",
            Self::ShiftedUserUser => "a user-user element in another codeset",
            Self::NoUserUser => "a Setup without a user-user element",
            Self::Body => "a body that does not belong to the message",
            Self::OtherRas => "RAS that is neither a gatekeeper request nor a registration",
            Self::Truncated => "a field that is longer than what it stands in",
            Self::LengthForm => "a length in a reserved form",
            Self::Fragmented => "a value of more than 16 K where a short one is expected",
            Self::Alternative => "an unknown alternative",
            Self::Range => "a value outside its range",
            Self::NotRaw => "tunnelled RAS that is not raw octets",
            Self::ExtendedIdentifier => "a generic identifier in a form that can be mistaken",
            Self::AliasLength => "an alias that does not end with its encoding",
            Self::TooManyAdditions => "too many extension additions",
            Self::TooManyAliases => "too many aliases",
            Self::TooManyTransportAddresses => "too many transport addresses",
            Self::TooManySourceRouteHops => "too many hops of a source route",
            Self::TooManyProtocols => "too many protocols of a gateway",
            Self::TooManyGenericData => "too much generic data",
            Self::TooManyParameters => "too many parameters of generic data",
            Self::TooManyRasMessages => "too many RAS messages in one Facility",
            Self::TooManyLevels => "generic data nested too deeply",
        })
    }
}
