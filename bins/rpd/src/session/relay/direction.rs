//! One direction of a relay.

use std::{
    io::{self, ErrorKind},
    iter, mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncWrite, ReadBuf},
    time::{Instant, sleep_until},
};

use super::{
    LEAVING_TIME,
    inspect::{Inspection, Side, Step},
};
use crate::{
    scratch,
    session::{
        outbox::Outbox,
        splice::{Bulk, Spliced},
    },
    stream::Stream,
};

/// One direction of a relay.
pub(super) struct Direction {
    /// Not yet taken by the other side.
    pub(super) outbox: Outbox,
    /// What was read before has still to be inspected.
    pub(super) fresh: bool,
    pub(super) phase: Phase,
    pub(super) passed: u64,
    bulk: Bulk,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Open,
    /// The source has ended; the end is still to be passed on.
    Ending,
    Done,
    ReadFailed,
    WriteFailed,
}

impl Direction {
    /// One that begins by sending `first`.
    pub(super) fn new(first: Vec<u8>) -> Self {
        let outbox = Outbox::holding(first);
        Self { outbox, fresh: false, phase: Phase::Open, passed: 0, bulk: Bulk::default() }
    }

    /// Moves what can be moved.
    pub(super) fn poll(
        &mut self,
        side: Side,
        from: &mut Stream,
        to: &mut Stream,
        inspection: &mut Option<Box<Inspection>>,
        cx: &mut Context<'_>,
    ) {
        let mut reads = 0;
        loop {
            let held = inspection.as_ref().is_some_and(|inspection| inspection.holds(side));
            let step = match self.phase {
                Phase::Open | Phase::Ending if !self.outbox.is_drained() => self.drain(to, cx),
                Phase::Open | Phase::Ending if held => break,
                Phase::Open if mem::take(&mut self.fresh) => {
                    self.inspect(side, &[], to, inspection, cx);
                    Poll::Ready(())
                }
                Phase::Open if reads == READS_IN_A_ROW => {
                    // Others on this worker have their turn.
                    cx.waker().wake_by_ref();
                    break;
                }
                Phase::Open => {
                    reads += 1;
                    match self.splice(side, from, to, inspection, cx) {
                        Some(step) => step,
                        None => self.read(side, from, to, inspection, cx),
                    }
                }
                Phase::Ending => self.end(to, cx),
                Phase::Done | Phase::ReadFailed | Phase::WriteFailed => break,
            };
            if step.is_pending() {
                break;
            }
        }
    }

    fn read(
        &mut self,
        side: Side,
        from: &mut Stream,
        to: &mut Stream,
        inspection: &mut Option<Box<Inspection>>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let outcome = ready!(scratch::poll_read_with(from, cx, |cx, octets| {
            self.bulk.came(octets.len());
            match (octets, &mut *inspection) {
                ([], inspection) => self.source_ended(side, inspection),
                (octets, None) => self.pass(octets, to, cx),
                (octets, inspection) => self.inspect(side, octets, to, inspection, cx),
            }
        }));
        if let Err(error) = outcome {
            self.source_failed(side, &error, inspection);
        }
        Poll::Ready(())
    }

    /// Moves octets without reading them, if they are bulk and pass whatever they are; nothing, if they are to be read.
    fn splice(
        &mut self,
        side: Side,
        from: &mut Stream,
        to: &mut Stream,
        inspection: &mut Option<Box<Inspection>>,
        cx: &mut Context<'_>,
    ) -> Option<Poll<()>> {
        if !self.bulk.is_on(from, to) {
            return None;
        }
        let Poll::Ready(passing) = passing(side, from, inspection, cx) else { return Some(Poll::Pending) };
        let Poll::Ready(spliced) = self.bulk.poll_splice(from, to, passing, cx) else {
            return Some(Poll::Pending);
        };
        match spliced {
            Ok(Spliced::No) => return None,
            Ok(Spliced::Ended) => self.source_ended(side, inspection),
            Ok(Spliced::Piped(pipe)) => {
                let octets = pipe.octets();
                self.outbox.push_pipe(pipe);
                if let Some(inspection) = inspection {
                    inspection.inspector.passed(side, octets, passing);
                    self.take_answers(side, inspection);
                }
            }
            Err(error) => self.source_failed(side, &error, inspection),
        }
        Some(Poll::Ready(()))
    }

    fn source_ended(&mut self, side: Side, inspection: &mut Option<Box<Inspection>>) {
        self.phase = Phase::Ending;
        let Some(inspection) = inspection else { return };
        match side {
            Side::Client => inspection.inspector.client_ended(),
            Side::Service => inspection.inspector.service_ended(),
        }
        self.take_answers(side, inspection);
    }

    fn source_failed(&mut self, side: Side, error: &io::Error, inspection: &mut Option<Box<Inspection>>) {
        self.source_ended(side, inspection);
        // Peers that end TLS without close_notify are common, and the protocols here frame themselves.
        let abrupt_end = error.kind() == ErrorKind::UnexpectedEof;
        if !abrupt_end && self.outbox.is_empty() {
            self.phase = Phase::ReadFailed;
        }
    }

    /// Takes what is to be said to the client of a service behind what has come.
    fn take_answers(&mut self, side: Side, inspection: &mut Inspection) {
        if side == Side::Service {
            while let Some(answer) = inspection.inspector.answer() {
                self.outbox.push(&answer);
            }
        }
    }

    /// Puts `octets` behind those that are undecided, and passes what may pass.
    fn inspect(
        &mut self,
        side: Side,
        octets: &[u8],
        to: &mut Stream,
        inspection: &mut Option<Box<Inspection>>,
        cx: &mut Context<'_>,
    ) {
        let Some(inspection) = inspection else { return };
        let undecided = mem::take(&mut inspection.undecided[side as usize]).into_vec();
        let undecided =
            scratch::with_kept(undecided, octets, |octets| self.sort(side, octets, to, inspection, cx));
        inspection.undecided[side as usize] = undecided.into_boxed_slice();
    }

    /// Says how many octets are dealt with. What passes in one piece is written in one piece.
    fn sort(
        &mut self,
        side: Side,
        octets: &[u8],
        to: &mut Stream,
        inspection: &mut Inspection,
        cx: &mut Context<'_>,
    ) -> usize {
        let inspector = &mut inspection.inspector;
        let (mut passing, mut at) = (0, 0);
        while at < octets.len() {
            if side == Side::Service && inspection.leaving.is_some() && inspector.may_leave() {
                // Nothing of this service may come behind what another one says.
                self.pass(&octets[passing..at], to, cx);
                return octets.len();
            }
            let step = match side {
                Side::Client => inspector.client_sent(&octets[at..]),
                Side::Service => inspector.service_sent(&octets[at..]),
            };
            match step {
                Step::Pass(n) => at += n,
                Step::Drop(n) => {
                    self.pass(&octets[passing..at], to, cx);
                    at += n;
                    passing = at;
                }
                Step::More => break,
                Step::Wait => {
                    inspection.waiting = true;
                    break;
                }
                Step::Leave => {
                    inspection.leaving = Some(Box::pin(sleep_until(Instant::now() + LEAVING_TIME)));
                    break;
                }
                Step::End(end) => {
                    inspection.ended = Some(Box::new(end));
                    break;
                }
            }
            if side == Side::Service
                && let Some(answer) = inspector.answer()
            {
                self.pass(&octets[passing..at], to, cx);
                passing = at;
                self.outbox.push(&answer);
            }
        }
        self.pass(&octets[passing..at], to, cx);
        at
    }

    /// Writes, and keeps what is not taken.
    fn pass(&mut self, octets: &[u8], to: &mut Stream, cx: &mut Context<'_>) {
        let sent = self.outbox.send(iter::once(octets), to, cx);
        self.note_sent(sent.ok());
    }

    /// Writes what waits. Ready when all has left, or never will.
    pub(super) fn drain(&mut self, to: &mut Stream, cx: &mut Context<'_>) -> Poll<()> {
        let sent = self.outbox.drain(to, cx);
        self.note_sent(sent.ok());
        if self.outbox.is_drained() || self.phase == Phase::WriteFailed {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    fn note_sent(&mut self, sent: Option<usize>) {
        match sent {
            Some(octets) => self.passed += octets as u64,
            None => self.phase = Phase::WriteFailed,
        }
    }

    fn end(&mut self, to: &mut Stream, cx: &mut Context<'_>) -> Poll<()> {
        // A peer that is gone already needs no end of stream.
        let _ = ready!(Pin::new(to).poll_shutdown(cx));
        self.phase = Phase::Done;
        Poll::Ready(())
    }
}

/// Then the other connections of the worker have their turn.
const READS_IN_A_ROW: u32 = 8;

/// How many octets of a socket pass, whatever they are.
///
/// Where a message begins, its head is looked at where it is: read, it would be a small write of its own, or take with it
/// what can go through a pipe.
fn passing(
    side: Side,
    from: &Stream,
    inspection: &Option<Box<Inspection>>,
    cx: &mut Context<'_>,
) -> Poll<usize> {
    let Some(inspection) = inspection else { return Poll::Ready(usize::MAX) };
    let within = inspection.passing(side, &[]);
    if within > 0 {
        return Poll::Ready(within);
    }
    let mut front = [0; FRONT];
    let mut front = ReadBuf::new(&mut front);
    // A fault shows again when it is read.
    let _ = ready!(from.socket().poll_peek(cx, &mut front));
    Poll::Ready(inspection.passing(side, front.filled()))
}

/// What the heads of messages need.
const FRONT: usize = 64;
