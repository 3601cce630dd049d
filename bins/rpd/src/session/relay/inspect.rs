//! Following a protocol beyond its first message: who decides what passes, and what he may decide.

use std::pin::Pin;

use tokio::time::{Instant, Sleep};

use crate::outcome::{End, Note};

/// Where octets come from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::session) enum Side {
    Client,
    Service,
}

/// What a protocol does with octets on their way. It is handed the octets at the front of what has come and not been
/// dealt with, never none, and keeps none itself.
pub(in crate::session) trait Inspect: Send {
    /// The client's octets.
    fn client_sent(&mut self, octets: &[u8]) -> Step;

    /// The service's octets.
    fn service_sent(&mut self, octets: &[u8]) -> Step;

    /// An answer of ours that is due, once the client stands between two messages of the service.
    fn answer(&mut self) -> Option<Vec<u8>>;

    /// What is to be told of single requests, one at a time.
    fn note(&mut self) -> Option<Note>;

    /// The client has ended: it says nothing more, but may listen.
    fn client_ended(&mut self) {}

    /// The service has ended, or its connection broke: the last chance to answer.
    fn service_ended(&mut self) {}

    /// This proxy ends the connection: the same, in the middle of things.
    fn closing(&mut self) {}

    /// How many octets of a side go on whatever they are, if these are the next ones, as far as they are known.
    fn passing(&self, _side: Side, _front: &[u8]) -> usize {
        0
    }

    /// So many of the octets that [`passing`](Self::passing) told of have gone on unseen.
    fn passed(&mut self, _side: Side, _octets: usize, _of: usize) {}

    /// Whether the client stands between two messages of the service, so that it can be taken from it.
    fn may_leave(&self) -> bool {
        false
    }

    /// How long nothing may happen.
    fn patience(&self) -> Patience;
}

/// How long nothing may happen on a relay.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::session) enum Patience {
    /// The service has not taken the client yet, and has until then to do so.
    Unsettled { by: Instant },
    /// As the time-out of the protocol says.
    Idle,
    /// Silence is in order, for hours if need be.
    Endless,
}

/// What to do with the octets at hand.
pub(in crate::session) enum Step {
    /// So many go on.
    Pass(usize),
    /// So many stay here.
    Drop(usize),
    /// More of them are needed first.
    More,
    /// They have to wait until the service has spoken.
    Wait,
    /// The service is left, and what comes next is for the session to decide.
    Leave,
    /// Everything ends, after what has been answered.
    End(End),
}

/// An inspector, and what stands still at its word.
pub(super) struct Inspection<I: Inspect + ?Sized = dyn Inspect> {
    /// Octets of the client, and of the service, that are not decided yet.
    pub(super) undecided: [Box<[u8]>; 2],
    /// The client's octets wait for the service.
    pub(super) waiting: bool,
    /// The client is about to leave; the service has this long to end its message.
    pub(super) leaving: Option<Pin<Box<Sleep>>>,
    pub(super) ended: Option<Box<End>>,
    /// In place: with each message both are looked at.
    pub(super) inspector: I,
}

impl<I: Inspect> Inspection<I> {
    pub(super) fn new(inspector: I, undecided: [Vec<u8>; 2]) -> Self {
        let undecided = undecided.map(Vec::into_boxed_slice);
        Self { undecided, waiting: false, leaving: None, ended: None, inspector }
    }
}

impl Inspection {
    /// This side is not read from.
    pub(super) fn holds(&self, side: Side) -> bool {
        let ended = self.ended.is_some();
        match side {
            Side::Client => self.waiting || self.leaving.is_some() || ended,
            Side::Service => ended,
        }
    }

    /// How many octets of a side go on, whatever they are, if these are the next ones that come.
    pub(super) fn passing(&self, side: Side, front: &[u8]) -> usize {
        let looked_at = !self.undecided[side as usize].is_empty() || self.leaving.is_some();
        if looked_at { 0 } else { self.inspector.passing(side, front) }
    }
}
