//! Why there is no key yet, or never will be.

use core::{fmt, num::NonZeroUsize};

/// Why an input holds no message that could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// So far all is well, but at least so many more octets are needed: with fewer, the answer is the same.
    Incomplete(NonZeroUsize),
    /// No continuation can make this an LDAP message that is accepted.
    Invalid(Invalid),
}

/// What rules the input out, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Invalid {
    /// The rule that is broken.
    pub reason: Reason,
    /// The offset of the octet that breaks it, counted from the start of the message.
    pub offset: usize,
}

/// The rule that an input breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The first octet is not `30`, with which every LDAP message begins.
    NotLdap,
    /// A length is indefinite, reserved, or takes more than four octets (RFC 4511 5.1, X.690 8.1.3.5).
    LengthForm,
    /// The message is larger than [`MAX_FRAME`](crate::MAX_FRAME).
    TooLarge,
    /// The message id is not an INTEGER between 1 and 2^31-1 (RFC 4511 4.1.1.1).
    MessageId,
    /// An element is missing, is of the wrong type, or is longer than the one around it.
    Structure,
}

impl Error {
    pub(crate) const fn incomplete(missing: usize) -> Self {
        match NonZeroUsize::new(missing) {
            Some(missing) => Self::Incomplete(missing),
            None => Self::Incomplete(NonZeroUsize::MIN),
        }
    }

    pub(crate) const fn invalid(reason: Reason, offset: usize) -> Self {
        Self::Invalid(Invalid { reason, offset })
    }
}

impl Invalid {
    /// Whether the fault is in the header of the message itself. Then the peer hardly speaks LDAP, and
    /// an answer in LDAP makes no sense; other faults deserve a Notice of Disconnection (RFC 4511 4.1.1).
    pub fn in_outer_header(&self) -> bool {
        match self.reason {
            Reason::NotLdap | Reason::TooLarge => true,
            Reason::LengthForm => self.offset == 1,
            Reason::MessageId | Reason::Structure => false,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incomplete(n) => write!(f, "the message is cut off, at least {n} more octets are needed"),
            Self::Invalid(invalid) => invalid.fmt(f),
        }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at octet {} of the message)", self.reason, self.offset)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotLdap => "this is not LDAP: every LDAP message begins with the octet 30",
            Self::LengthForm => "a length is indefinite, reserved, or takes more than four octets",
            Self::TooLarge => "the message is larger than 65,536 octets",
            Self::MessageId => "the message id is not a number between 1 and 2147483647",
            Self::Structure => "an element is missing, of the wrong type, or longer than the one around it",
        })
    }
}

impl core::error::Error for Error {}

impl core::error::Error for Invalid {}

impl From<Invalid> for Error {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid)
    }
}
