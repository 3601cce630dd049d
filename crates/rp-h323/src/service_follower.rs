//! Follows what a service sends: its answers, and where one message ends and the next begins.

use core::num::NonZeroUsize;

use crate::{
    Answers, Error, Invalid,
    q931::{Head, MessageType},
    tpkt::{self, Passing},
};

/// Larger messages of a service pass unread: no gatekeeper sends an answer of that size.
pub const ANSWER_MAX: usize = 16 * 1024;

/// Follows the messages of a service. It keeps no octet: what is undecided stays with the caller.
///
/// It shows what can be an answer, whole and before it goes on; everything else passes as it arrives.
/// However the stream is cut, the same octets pass and the same answers are shown.
///
/// ```
/// use rp_h323::{ServiceFollower, ServiceStep};
///
/// // The first half of Alerting.
/// let received = b"\x03\x00\x00\x0c\x08\x02\x80\x01\x01";
///
/// let mut service = ServiceFollower::new();
/// assert!(matches!(service.step(received)?, ServiceStep::Pass(9)));
/// assert!(!service.is_between_frames());
/// assert!(matches!(service.step(b"\x34\x01\x01")?, ServiceStep::Pass(3)));
/// // Now an answer of one's own may be put between.
/// assert!(service.is_between_frames());
/// # Ok::<(), rp_h323::Invalid>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct ServiceFollower {
    passing: Passing,
}

/// What stands at the front of the input.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::large_enum_variant, reason = "it lives on the stack, for the time of one decision")]
pub enum ServiceStep<'a> {
    /// So many octets go on to the client. They never reach beyond the end of a frame.
    Pass(usize),
    /// A whole Facility or ReleaseComplete of at most [`ANSWER_MAX`] octets, with or without answers in it.
    /// The next step wants the octets behind its [`Answers::len`].
    Look(Answers<'a>),
    /// Nothing can be said before at least so many more octets are there. The next step wants these octets
    /// again with more behind them: at most 8 of a head, or [`ANSWER_MAX`] of a frame.
    More(NonZeroUsize),
}

impl ServiceFollower {
    /// At the beginning of a connection.
    pub const fn new() -> Self {
        Self { passing: Passing::NOTHING }
    }

    /// Looks at `input`: the octets behind those that passed or were shown.
    ///
    /// # Errors
    /// The frames are broken here, and nothing behind it can be told apart. Nothing of `input` is to be
    /// passed on. The offset counts from the beginning of `input`. A message in a sound frame is no error,
    /// whatever is in it: what a service sends is its own business.
    pub fn step<'a>(&mut self, input: &'a [u8]) -> Result<ServiceStep<'a>, Invalid> {
        if let Some(octets) = self.passing.step(input) {
            return Ok(ServiceStep::Pass(octets));
        }
        match front(input) {
            Ok(Front::Pass { len }) => Ok(ServiceStep::Pass(self.passing.begin(len, input))),
            Ok(Front::Look(answers)) => Ok(ServiceStep::Look(answers)),
            Err(Error::Incomplete(missing)) => Ok(ServiceStep::More(missing)),
            Err(Error::Invalid(invalid)) => Err(invalid),
        }
    }

    /// Whether all octets of the steps so far are whole frames: one of another origin may be put behind them.
    pub fn is_between_frames(&self) -> bool {
        self.passing.is_done()
    }
}

/// How the input begins.
enum Front<'a> {
    Pass { len: usize },
    Look(Answers<'a>),
}

fn front(input: &[u8]) -> Result<Front<'_>, Error> {
    match tpkt::heads(input)? {
        (len, Some(head)) if len <= ANSWER_MAX && can_answer(head) => {
            Ok(Front::Look(Answers::read(head, tpkt::message(input, len)?, len)))
        }
        (len, _) => Ok(Front::Pass { len }),
    }
}

fn can_answer(head: Head) -> bool {
    matches!(head.message_type, MessageType::FACILITY | MessageType::RELEASE_COMPLETE)
}
