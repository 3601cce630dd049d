//! Follows what a client sends once its connection has a service: what goes on as it comes, and what has to
//! be decided first.

use core::num::NonZeroUsize;

use crate::{
    Error, Invalid, Key, Reason, Requests, extract,
    q931::MessageType,
    tpkt::{self, Passing},
};

/// Follows the messages of a client. It keeps no octet: what is undecided stays with the caller.
///
/// Registrations are decided by the caller before they go on, and so are calls until
/// [`calls_pass`](Self::calls_pass); everything else passes as it arrives. However the stream is cut, the
/// same octets pass and the same requests are to be decided.
///
/// The message that [`extract`] took the key from is one of them: feed the connection from its first octet.
///
/// ```
/// use rp_h323::{ClientFollower, ClientStep};
///
/// // Status, of which the last octet is missing.
/// let received = b"\x03\x00\x00\x0c\x08\x02\x00\x00\x7d\x14\x01";
/// // That octet, and then a Setup.
/// let more = b"\x01\x03\x00\x00\x37\x08\x02\x12\x34\x05\x7e\x00\x2b\x05\x00\x10\x06\x00\x08\x91\
///     \x4a\x00\x07\x02\x00\x01\x40\x0d\x00\x68\x00\x71\x00\x40\x00\x65\x00\x78\x00\x61\x00\x6d\
///     \x00\x70\x00\x6c\x00\x65\x00\x2e\x00\x63\x00\x6f\x00\x6d";
///
/// let mut client = ClientFollower::new();
/// assert!(matches!(client.step(received)?, ClientStep::Pass(11)));
/// // One step never reaches into the next message.
/// assert!(matches!(client.step(more)?, ClientStep::Pass(1)));
/// let ClientStep::Look(request) = client.step(&more[1..])? else { panic!("a call") };
/// assert_eq!(request.len(), 55);
/// for key in request.requests() {
///     assert_eq!(key.to_string(), "Setup for example.com, call 0x1234, alias hq@example.com");
/// }
/// // Whether it went on or was answered here, the next step is about what stands behind it.
/// assert!(matches!(client.step(&more[1 + 55..])?, ClientStep::More(_)));
/// # Ok::<(), rp_h323::Invalid>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct ClientFollower {
    passing: Passing,
    calls_pass: bool,
    released: bool,
}

/// What stands at the front of the input.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::large_enum_variant, reason = "it lives on the stack, for the time of one decision")]
pub enum ClientStep<'a> {
    /// So many octets go on to the service. They never reach beyond the end of a frame.
    Pass(usize),
    /// A whole frame that asks for something. It goes on, or does not, as the caller decides; either way the
    /// next step wants the octets behind its [`Request::len`]. Asked about the same octets again, the
    /// follower says the same again.
    Look(Request<'a>),
    /// Nothing can be said before at least so many more octets are there. The next step wants these octets
    /// again with more behind them: at most 8 of a head, or one frame, which has 65,535 octets at most.
    More(NonZeroUsize),
}

impl ClientFollower {
    /// At the beginning of a connection.
    pub const fn new() -> Self {
        Self { passing: Passing::NOTHING, calls_pass: false, released: false }
    }

    /// Looks at `input`: the octets behind those that passed or were decided.
    ///
    /// # Errors
    /// The stream is broken here, or receivers could read the message in different ways. Nothing of `input`
    /// is to be passed on. The offset counts from the beginning of `input`.
    pub fn step<'a>(&mut self, input: &'a [u8]) -> Result<ClientStep<'a>, Invalid> {
        if let Some(octets) = self.passing.step(input) {
            return Ok(ClientStep::Pass(octets));
        }
        match self.front(input) {
            Ok(Front::Pass { len, releases }) => {
                self.released |= releases;
                Ok(ClientStep::Pass(self.passing.begin(len, input)))
            }
            Ok(Front::Look(request)) => Ok(ClientStep::Look(request)),
            Err(Error::Incomplete(missing)) => Ok(ClientStep::More(missing)),
            Err(Error::Invalid(invalid)) => Err(invalid),
        }
    }

    /// The client is registered: from now on calls pass, for where they may go is the service's business.
    pub fn calls_pass(&mut self) {
        self.calls_pass = true;
    }

    /// Whether the client has ended a call since this was asked before: a ReleaseComplete, to which there is
    /// no answer, has gone on.
    pub fn has_released(&mut self) -> bool {
        core::mem::take(&mut self.released)
    }

    fn front<'a>(&self, input: &'a [u8]) -> Result<Front<'a>, Error> {
        let (len, head) = tpkt::heads(input)?;
        match head.map(|head| head.message_type) {
            Some(MessageType::FACILITY) => look(input, len),
            Some(MessageType::SETUP) if !self.calls_pass => look(input, len),
            other => Ok(Front::Pass { len, releases: other == Some(MessageType::RELEASE_COMPLETE) }),
        }
    }
}

/// A frame with something to decide in it: all requests of a Facility, or one Setup.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    first: Key<'a>,
}

#[expect(clippy::len_without_is_empty, reason = "a frame is never empty")]
impl<'a> Request<'a> {
    /// The octets of the whole frame.
    pub fn len(&self) -> usize {
        self.first.len
    }

    /// What is asked for, in the order of the message: at least one thing.
    pub fn requests(&self) -> Requests<'a> {
        self.first.requests()
    }

    /// The first of the [`requests`](Self::requests).
    pub fn first(&self) -> Key<'a> {
        self.first
    }
}

/// How the input begins.
enum Front<'a> {
    Pass { len: usize, releases: bool },
    Look(Request<'a>),
}

/// Reads a frame when it is whole. By itself it is what [`extract`] reads, and is held to the same.
fn look(input: &[u8], len: usize) -> Result<Front<'_>, Error> {
    tpkt::message(input, len)?;
    match extract(input.get(..len).unwrap_or_default()) {
        Ok(first) => Ok(Front::Look(Request { first })),
        // Without a request, extract wants the next frame, or minds that other RAS comes first.
        Err(Error::Incomplete(_) | Error::Invalid(Invalid { reason: Reason::OtherRas, .. })) => {
            Ok(Front::Pass { len, releases: false })
        }
        Err(broken) => Err(broken),
    }
}
