//! Follows what a client sends once its connection has a service: what goes on as it comes, and what has to
//! be decided first.

use core::num::NonZeroUsize;

use crate::{
    ber::{CONTEXT, SEQUENCE},
    error::{Error, Invalid},
    message::{Head, Key, START_TLS, Sender, Tag, extract, head},
};

/// Follows the requests of a client. It keeps no octet: what is undecided stays with the caller.
///
/// Binds and StartTLS are decided by the caller before they go on, everything else passes as it arrives, at
/// any size. However the stream is cut, the same octets pass and the same requests are to be decided.
///
/// ```
/// use rp_ldap::{ClientFollower, ClientStep};
///
/// // A search, cut off behind its head, and then the anonymous bind.
/// let received = b"\x30\x09\x02\x01\x02\x63\x04\x04\x02";
/// let more = b"dc\x30\x0c\x02\x01\x03\x60\x07\x02\x01\x03\x04\x00\x80\x00";
///
/// let mut client = ClientFollower::new();
/// assert_eq!(client.step(received)?, ClientStep::Pass(9));
/// assert_eq!(client.step(more)?, ClientStep::Pass(2));
/// let ClientStep::Decide(request) = client.step(&more[2..])? else { panic!("a bind") };
/// assert_eq!((request.message_id, request.frame_len), (3, 14));
/// // Whether it went on or was answered here, the next step is about what stands behind it.
/// assert!(matches!(client.step(&more[2 + 14..])?, ClientStep::More(_)));
/// # Ok::<(), rp_ldap::Invalid>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct ClientFollower {
    phase: Phase,
    layer_may_begin: bool,
    has_unbound: bool,
}

/// What stands at the front of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientStep<'a> {
    /// So many octets go on to the service. They never reach beyond the end of a message.
    Pass(usize),
    /// A whole bind, or a whole StartTLS request. It goes on, or does not, as the caller decides; either way
    /// the next step wants the octets behind its [`Key::frame_len`]. Asked about the same octets again, the
    /// follower says the same again.
    Decide(Key<'a>),
    /// Nothing can be said before at least so many more octets are there. The next step wants these octets
    /// again with more behind them. They are fewer than 50, or of a request that is to be decided fewer than
    /// [`MAX_FRAME`](crate::MAX_FRAME).
    More(NonZeroUsize),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Between,
    Within {
        left: usize,
    },
    Opaque,
    Broken(Invalid),
}

impl ClientFollower {
    /// At the beginning of a message.
    pub const fn new() -> Self {
        Self { phase: Phase::Between, layer_may_begin: false, has_unbound: false }
    }

    /// Looks at `input`: the octets behind those that passed or were decided.
    ///
    /// # Errors
    /// The stream is broken, here and for good: each further step says so again. Nothing of `input` is to be
    /// passed on. The offset counts from the start of the message.
    pub fn step<'a>(&mut self, input: &'a [u8]) -> Result<ClientStep<'a>, Invalid> {
        match (self.phase, input.first()) {
            (Phase::Broken(invalid), _) => Err(invalid),
            (_, None) => Ok(ClientStep::More(NonZeroUsize::MIN)),
            (Phase::Opaque, _) => Ok(ClientStep::Pass(input.len())),
            (Phase::Within { left }, _) => Ok(self.pass(left, input)),
            (Phase::Between, Some(&first)) if self.layer_may_begin && first != SEQUENCE => {
                self.phase = Phase::Opaque;
                Ok(ClientStep::Pass(input.len()))
            }
            (Phase::Between, _) => self.begin(input),
        }
    }

    /// How many octets go on whatever they are, if `front` are the next ones, or as many of them as are known: the
    /// rest of a message that has begun, or one that begins here and is not to be decided. Zero, if [`step`](Self::step)
    /// has to see them.
    ///
    /// ```
    /// let mut client = rp_ldap::ClientFollower::new();
    /// // The head of a search of 65,541 octets.
    /// let front = b"\x30\x84\x00\x00\xff\xff\x02\x01\x02\x63\x84\x00\x00\xff\xf6";
    /// assert_eq!(client.passing(front), 65_541);
    /// client.passed(60_000, 65_541);
    /// assert_eq!(client.passing(&[]), 5_541);
    /// ```
    pub fn passing(&self, front: &[u8]) -> usize {
        match self.phase {
            Phase::Within { left } => left,
            Phase::Opaque => usize::MAX,
            Phase::Between if self.layer_may_begin && front.first() != Some(&SEQUENCE) => 0,
            Phase::Between => match begin(front) {
                Ok(Begin::Pass { frame_len, unbind: false }) => frame_len,
                _ => 0,
            },
            Phase::Broken(_) => 0,
        }
    }

    /// So many octets have gone on, of those that [`passing`](Self::passing) has just told of: no step has to see them.
    pub fn passed(&mut self, octets: usize, of: usize) {
        if self.phase != Phase::Opaque {
            self.phase = Phase::behind(octets, of);
        }
    }

    /// The request at the front has been decided already, where the connection was routed by it, and goes on: the next
    /// so many octets, its [`Key::frame_len`], pass unseen.
    ///
    /// ```
    /// let mut client = rp_ldap::ClientFollower::new();
    /// let bind = b"\x30\x0c\x02\x01\x03\x60\x07\x02\x01\x03\x04\x00\x80\x00";
    /// client.decided(bind.len());
    /// assert_eq!(client.step(bind), Ok(rp_ldap::ClientStep::Pass(14)));
    /// ```
    pub fn decided(&mut self, frame_len: usize) {
        self.phase = Phase::behind(0, frame_len);
    }

    /// A SASL bind has succeeded, as [`BindAnswer::may_begin_layer`](crate::BindAnswer::may_begin_layer)
    /// tells. From now on the client may send a security layer, whose first octet is not the `30` of a
    /// message; then the rest of its stream cannot be read (RFC 4513 5.2.1.4).
    pub fn layer_may_begin(&mut self) {
        self.layer_may_begin = true;
    }

    /// Whether a security layer has begun. It lasts as long as the connection: no later bind removes it.
    pub fn is_opaque(&self) -> bool {
        self.phase == Phase::Opaque
    }

    /// Whether the client has said goodbye: the service is going to close then (RFC 4511 4.3).
    pub fn has_unbound(&self) -> bool {
        self.has_unbound
    }

    fn begin<'a>(&mut self, input: &'a [u8]) -> Result<ClientStep<'a>, Invalid> {
        match begin(input) {
            Ok(Begin::Decide(key)) => Ok(ClientStep::Decide(key)),
            Ok(Begin::Pass { frame_len, unbind }) => {
                self.has_unbound |= unbind;
                Ok(self.pass(frame_len, input))
            }
            Err(Error::Incomplete(missing)) => Ok(ClientStep::More(missing)),
            Err(Error::Invalid(invalid)) => {
                self.phase = Phase::Broken(invalid);
                Err(invalid)
            }
        }
    }

    fn pass<'a>(&mut self, left: usize, input: &[u8]) -> ClientStep<'a> {
        let octets = left.min(input.len());
        self.phase = Phase::behind(octets, left);
        ClientStep::Pass(octets)
    }
}

impl Phase {
    /// Behind so many octets, of as many as a message has left.
    fn behind(octets: usize, left: usize) -> Self {
        match left.saturating_sub(octets) {
            0 => Self::Between,
            left => Self::Within { left },
        }
    }
}

/// How a message begins.
enum Begin<'a> {
    Decide(Key<'a>),
    Pass { frame_len: usize, unbind: bool },
}

fn begin(input: &[u8]) -> Result<Begin<'_>, Error> {
    let head = head(input, Sender::Client, usize::MAX)?;
    let is_to_be_decided = match head.operation {
        Tag::BIND_REQUEST => true,
        Tag::EXTENDED_REQUEST => is_start_tls(&head)?,
        _ => false,
    };
    if is_to_be_decided {
        // This one is held until it is whole, so it must not be large.
        return extract(input).map(Begin::Decide);
    }
    Ok(Begin::Pass { frame_len: head.frame.end(), unbind: head.operation == Tag::UNBIND_REQUEST })
}

/// Whether an extended request is StartTLS (RFC 4511 4.14.1). An OID of another length is told apart before
/// it is there, so that nothing long is waited for.
fn is_start_tls(head: &Head<'_>) -> Result<bool, Error> {
    let mut content = head.content;
    let mut oid = content.element(CONTEXT)?;
    Ok(oid.left() == START_TLS.len() && oid.take(START_TLS.len())? == START_TLS)
}
