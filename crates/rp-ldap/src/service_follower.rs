//! Follows what a service sends: how binds end, and where one message ends and the next begins.

use core::fmt;

use crate::{
    ber::{ENUMERATED, SEQUENCE},
    error::{Error, Invalid, Reason},
    message::{Auth, ResultCode, Sender, Tag, head},
    open_binds::OpenBinds,
};

/// Follows the answers of a service. All octets pass as they arrive; it only looks at the heads of messages.
///
/// However the stream is cut, the same events come. A new connection to a service needs a new follower.
///
/// ```
/// use rp_ldap::{Auth, ResultCode, ServiceEvent, ServiceFollower};
///
/// let mut service = ServiceFollower::new();
/// // The bind with the id 1 goes on to the service.
/// service.open_bind(1, Auth::Simple { empty_password: false }).expect("the first one");
///
/// // What comes back is cut within the first message.
/// let received = [&b"\x30\x0c\x02\x01\x01\x61\x07\x0a"[..], b"\x01\x31\x04\x00\x04\x00"];
/// let mut codes = Vec::new();
/// for octets in received {
///     let mut rest = octets;
///     while !rest.is_empty() {
///         let step = service.step(rest)?;
///         rest = &rest[step.octets..];
///         if let Some(ServiceEvent::Bind(answer)) = step.event {
///             codes.push(answer.code);
///         }
///     }
///     // Here `octets` go to the client, in one write.
/// }
/// assert_eq!(codes, [ResultCode::INVALID_CREDENTIALS]);
/// // Now an answer of one's own may be put between.
/// assert!(service.is_between_frames());
/// # Ok::<(), rp_ldap::Invalid>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct ServiceFollower {
    phase: Phase,
    open_binds: OpenBinds,
    layer_may_begin: bool,
}

/// What the front of the input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceStep {
    /// So many octets go on to the client: all that are there, but never beyond the end of a message.
    pub octets: usize,
    /// What they tell. It belongs to the message that is at hand.
    pub event: Option<ServiceEvent>,
}

/// What a service has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServiceEvent {
    /// The answer to a bind that is open.
    Bind(BindAnswer),
    /// An unsolicited notification, with its result code. The only one in use is the Notice of
    /// Disconnection: the service is about to close the connection (RFC 4511 4.4).
    Unsolicited(ResultCode),
}

/// How a bind ended, or that its SASL exchange goes on ([`ResultCode::SASL_BIND_IN_PROGRESS`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BindAnswer {
    /// The message id of the bind.
    pub message_id: i32,
    /// What the service says.
    pub code: ResultCode,
    /// Whether it was a SASL bind.
    pub sasl: bool,
}

/// So many binds wait for their answers already that this one has to wait too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyBinds;

/// At most so many binds may wait for their answers.
pub const MAX_OPEN_BINDS: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Between two messages, or in a head that has been cut off.
    Head(Seen),
    Within {
        left: usize,
    },
    Opaque,
    Broken {
        invalid: Invalid,
        between_frames: bool,
    },
}

impl ServiceFollower {
    /// At the beginning of a message, without open binds.
    pub const fn new() -> Self {
        Self { phase: Phase::Head(Seen::NOTHING), open_binds: OpenBinds::new(), layer_may_begin: false }
    }

    /// A bind goes on to the service; its answer is to be told.
    ///
    /// A bind that has not been opened must not go on: else its answer would not be told.
    ///
    /// # Errors
    /// [`MAX_OPEN_BINDS`] are open. The bind has to wait until a [`ServiceEvent::Bind`] comes.
    pub fn open_bind(&mut self, message_id: i32, auth: Auth<'_>) -> Result<(), TooManyBinds> {
        self.open_binds.open(message_id, matches!(auth, Auth::Sasl { .. }))
    }

    /// Looks at `input`: the octets behind those of the steps before.
    ///
    /// Not all of `input` is covered by one step, but at least one octet is, if there is one.
    ///
    /// # Errors
    /// The stream is broken, here and for good: each further step says so again. Nothing of `input` is to be
    /// passed on; [`is_between_frames`](Self::is_between_frames) tells whether the client has a part of the
    /// broken message already. The offset counts from the start of the message.
    pub fn step(&mut self, input: &[u8]) -> Result<ServiceStep, Invalid> {
        match (self.phase, input.first()) {
            (Phase::Broken { invalid, .. }, _) => Err(invalid),
            (_, None) => Ok(ServiceStep { octets: 0, event: None }),
            (Phase::Opaque, _) => Ok(ServiceStep { octets: input.len(), event: None }),
            (Phase::Within { left }, _) => Ok(ServiceStep { octets: self.pass(left, input), event: None }),
            (Phase::Head(before), Some(&first))
                if before.is_nothing() && self.layer_may_begin && first != SEQUENCE =>
            {
                self.phase = Phase::Opaque;
                Ok(ServiceStep { octets: input.len(), event: None })
            }
            (Phase::Head(before), _) => self.head(before, input),
        }
    }

    /// How many octets go on and tell nothing, if `front` are the next ones, or as many of them as are known: the rest of
    /// a message that has begun, or one that begins here and whose head is all there. Zero, if [`step`](Self::step) has to
    /// see them.
    ///
    /// ```
    /// let mut service = rp_ldap::ServiceFollower::new();
    /// // The head of an entry of 65,541 octets.
    /// let front = b"\x30\x84\x00\x00\xff\xff\x02\x01\x02\x64\x84\x00\x00\xff\xf6";
    /// assert_eq!(service.passing(front), 65_541);
    /// service.passed(60_000, 65_541);
    /// assert_eq!(service.passing(&[]), 5_541);
    /// assert!(!service.is_between_frames());
    /// ```
    pub fn passing(&self, front: &[u8]) -> usize {
        match self.phase {
            Phase::Within { left } => left,
            Phase::Opaque => usize::MAX,
            Phase::Head(before) if !before.is_nothing() => 0,
            Phase::Head(_) if self.layer_may_begin && front.first() != Some(&SEQUENCE) => 0,
            Phase::Head(_) => match Head::read(front) {
                Ok(Head { code: None, frame_len, .. }) => frame_len,
                _ => 0,
            },
            Phase::Broken { .. } => 0,
        }
    }

    /// So many octets have gone on, of those that [`passing`](Self::passing) has just told of: no step has to see them.
    pub fn passed(&mut self, octets: usize, of: usize) {
        if self.phase != Phase::Opaque {
            self.phase = Phase::behind(octets, of);
        }
    }

    /// Whether the client has been sent whole messages only, so that one of another origin may be put behind
    /// them; never so in a security layer.
    pub fn is_between_frames(&self) -> bool {
        match &self.phase {
            Phase::Head(seen) => seen.is_nothing(),
            Phase::Broken { between_frames, .. } => *between_frames,
            Phase::Within { .. } | Phase::Opaque => false,
        }
    }

    /// Whether a security layer has begun (RFC 4513 5.2.1.4). It lasts as long as the connection.
    pub fn is_opaque(&self) -> bool {
        self.phase == Phase::Opaque
    }

    /// Reads a head, of which some octets came `before`.
    fn head(&mut self, before: Seen, input: &[u8]) -> Result<ServiceStep, Invalid> {
        let all = || before.with(input);
        // Most heads come in one piece, and are read where they are.
        let read = if before.is_nothing() { Head::read(input) } else { Head::read(all().octets()) };
        match read {
            Ok(head) => {
                let left = head.frame_len.saturating_sub(before.octets().len());
                Ok(ServiceStep { octets: self.pass(left, input), event: self.event(head) })
            }
            Err(Error::Incomplete(_)) => {
                self.phase = Phase::Head(all());
                Ok(ServiceStep { octets: input.len(), event: None })
            }
            Err(Error::Invalid(invalid)) => {
                self.phase = Phase::Broken { invalid, between_frames: before.is_nothing() };
                Err(invalid)
            }
        }
    }

    fn event(&mut self, head: Head) -> Option<ServiceEvent> {
        let code = head.code?;
        if head.message_id == 0 {
            return Some(ServiceEvent::Unsolicited(code));
        }
        let sasl = self.open_binds.answer(head.message_id, code)?;
        let answer = BindAnswer { message_id: head.message_id, code, sasl };
        self.layer_may_begin |= answer.may_begin_layer();
        Some(ServiceEvent::Bind(answer))
    }

    fn pass(&mut self, left: usize, input: &[u8]) -> usize {
        let octets = left.min(input.len());
        self.phase = Phase::behind(octets, left);
        octets
    }
}

impl Phase {
    /// Behind so many octets, of as many as a message has left.
    fn behind(octets: usize, left: usize) -> Self {
        match left.saturating_sub(octets) {
            0 => Self::Head(Seen::NOTHING),
            left => Self::Within { left },
        }
    }
}

impl BindAnswer {
    /// Whether a security layer may begin behind this answer, in both directions (RFC 4513 5.2.1.4):
    /// [`ClientFollower::layer_may_begin`](crate::ClientFollower::layer_may_begin) wants to know.
    pub fn may_begin_layer(&self) -> bool {
        self.sasl && self.code == ResultCode::SUCCESS
    }
}

impl Default for Phase {
    fn default() -> Self {
        Self::Head(Seen::NOTHING)
    }
}

impl fmt::Display for TooManyBinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{MAX_OPEN_BINDS} binds wait for their answers already")
    }
}

impl core::error::Error for TooManyBinds {}

/// What is read of a message.
#[derive(Clone, Copy, Debug)]
struct Head {
    message_id: i32,
    frame_len: usize,
    /// The result of a bind, or of an unsolicited notification.
    code: Option<ResultCode>,
}

impl Head {
    fn read(octets: &[u8]) -> Result<Self, Error> {
        let mut head = head(octets, Sender::Service, usize::MAX)?;
        let is_result = head.operation == Tag::BIND_RESPONSE || head.message_id == 0;
        let code = if is_result { Some(head.content.number(ENUMERATED, Reason::Structure)?) } else { None };
        Ok(Self { message_id: head.message_id, frame_len: head.frame.end(), code: code.map(ResultCode) })
    }
}

/// The octets of a head that is not whole yet. They have passed; these are copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    octets: [u8; LONGEST_HEAD],
    count: u8,
}

/// The outer header has at most 6 octets, the message id 10, the header of the operation 6, the code 10.
const LONGEST_HEAD: usize = 32;

impl Seen {
    const NOTHING: Self = Self { octets: [0; LONGEST_HEAD], count: 0 };

    fn is_nothing(&self) -> bool {
        self.count == 0
    }

    fn octets(&self) -> &[u8] {
        self.octets.get(..usize::from(self.count)).unwrap_or_default()
    }

    /// These octets and as many of `input` as a head can need.
    fn with(mut self, input: &[u8]) -> Self {
        let free = self.octets.iter_mut().skip(usize::from(self.count));
        for (slot, octet) in free.zip(input) {
            *slot = *octet;
            self.count = self.count.saturating_add(1);
        }
        self
    }
}
