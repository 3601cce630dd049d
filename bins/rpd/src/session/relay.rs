//! Octets both ways until both sides have ended.
//!
//! One future, polled by hand: what is read into the worker's scratch is written at once, and only what the other
//! side does not take is kept. While such a rest exists nothing more is read on that side. So a connection that
//! waits holds no buffer, and a slow reader costs at most one scratch.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::AsyncWrite,
    time::{Instant, Sleep, sleep_until},
};

use crate::{
    cancel::{Cancel, Request},
    outcome::Cause,
    scratch,
    stream::Stream,
};

/// A relay between a client and a service. It resolves to why it ended.
pub struct Relay {
    client: Stream,
    service: Stream,
    up: Direction,
    down: Direction,
    idle: Option<Idle>,
    cancel: Arc<Cancel>,
}

impl Relay {
    /// A relay that begins by sending on what has been read of each side already. It ends when nothing moves for
    /// so long (zero: never); that time-out has a name for the log.
    pub fn new(
        (client, from_client): (Stream, Vec<u8>),
        (service, from_service): (Stream, Vec<u8>),
        (idle, limit): (Duration, &'static str),
        cancel: Arc<Cancel>,
    ) -> Self {
        let idle = (!idle.is_zero()).then(|| Idle::new(idle, limit));
        Self {
            client,
            service,
            up: Direction::new(from_client),
            down: Direction::new(from_service),
            idle,
            cancel,
        }
    }

    /// Octets that have been passed on: to the service, to the client.
    pub fn octets(&self) -> (u64, u64) {
        (self.up.passed, self.down.passed)
    }

    fn ended(&self) -> Option<Cause> {
        let broken = |direction: &Direction| match direction.phase {
            Phase::ReadFailed => Some(true),
            Phase::WriteFailed => Some(false),
            _ => None,
        };
        match (broken(&self.up), broken(&self.down)) {
            (Some(true), _) | (_, Some(false)) => Some(Cause::ClientLost),
            (Some(false), _) | (_, Some(true)) => Some(Cause::TargetLost),
            (None, None) => (self.up.is_done() && self.down.is_done()).then_some(Cause::Closed),
        }
    }
}

impl Future for Relay {
    type Output = Cause;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Cause> {
        let this = &mut *self;
        if this.cancel.poll(Request::Close, cx).is_ready() {
            return Poll::Ready(Cause::Shutdown);
        }
        let moved = this.up.poll(&mut this.client, &mut this.service, cx)
            | this.down.poll(&mut this.service, &mut this.client, cx);
        if let Some(cause) = this.ended() {
            return Poll::Ready(cause);
        }
        match &mut this.idle {
            Some(idle) => idle.poll(moved, cx).map(Cause::TimedOut),
            None => Poll::Pending,
        }
    }
}

/// One direction of a relay.
struct Direction {
    /// Read, but not yet taken by the other side.
    rest: Vec<u8>,
    /// TLS holds what the socket did not take yet.
    unflushed: bool,
    passed: u64,
    phase: Phase,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// The source has ended; the end is still to be passed on.
    Ending,
    Done,
    ReadFailed,
    WriteFailed,
}

impl Direction {
    fn new(first: Vec<u8>) -> Self {
        Self { rest: first, unflushed: false, passed: 0, phase: Phase::Open }
    }

    fn is_done(&self) -> bool {
        self.phase == Phase::Done
    }

    /// Moves what can be moved; says whether anything was.
    fn poll(&mut self, from: &mut Stream, to: &mut Stream, cx: &mut Context<'_>) -> bool {
        let before = self.passed;
        let mut reads = 0;
        loop {
            let step = match self.phase {
                Phase::Open if !self.rest.is_empty() => self.write_rest(to, cx),
                Phase::Open if self.unflushed => self.flush(to, cx),
                Phase::Open if reads == READS_IN_A_ROW => {
                    // Others on this worker have their turn.
                    cx.waker().wake_by_ref();
                    break;
                }
                Phase::Open => {
                    reads += 1;
                    self.read(from, to, cx)
                }
                Phase::Ending => self.end(to, cx),
                Phase::Done | Phase::ReadFailed | Phase::WriteFailed => break,
            };
            if step.is_pending() {
                break;
            }
        }
        self.passed != before
    }

    fn read(&mut self, from: &mut Stream, to: &mut Stream, cx: &mut Context<'_>) -> Poll<()> {
        let outcome = ready!(scratch::poll_read_with(from, cx, |cx, octets| {
            if octets.is_empty() {
                self.phase = Phase::Ending;
                return;
            }
            let taken = self.write(octets, to, cx);
            self.rest = octets[taken..].to_vec();
        }));
        if let Err(error) = outcome {
            // Peers that end TLS without close_notify are common, and the protocols here frame themselves.
            let abrupt_end = error.kind() == std::io::ErrorKind::UnexpectedEof;
            self.phase = if abrupt_end { Phase::Ending } else { Phase::ReadFailed };
        }
        Poll::Ready(())
    }

    /// Writes once; says how many octets were taken.
    fn write(&mut self, octets: &[u8], to: &mut Stream, cx: &mut Context<'_>) -> usize {
        match Pin::new(&mut *to).poll_write(cx, octets) {
            Poll::Ready(Ok(taken)) => {
                self.passed += taken as u64;
                self.unflushed = matches!(to, Stream::Tls(_));
                taken
            }
            Poll::Ready(Err(_)) => {
                self.phase = Phase::WriteFailed;
                0
            }
            Poll::Pending => 0,
        }
    }

    fn write_rest(&mut self, to: &mut Stream, cx: &mut Context<'_>) -> Poll<()> {
        let rest = std::mem::take(&mut self.rest);
        let taken = self.write(&rest, to, cx);
        if taken < rest.len() {
            self.rest = rest;
            self.rest.drain(..taken);
        }
        if taken == 0 && self.phase == Phase::Open { Poll::Pending } else { Poll::Ready(()) }
    }

    /// TLS keeps records that the socket did not take; they must leave before this waits for more.
    fn flush(&mut self, to: &mut Stream, cx: &mut Context<'_>) -> Poll<()> {
        match ready!(Pin::new(to).poll_flush(cx)) {
            Ok(()) => self.unflushed = false,
            Err(_) => self.phase = Phase::WriteFailed,
        }
        Poll::Ready(())
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

/// A time-out that every octet puts off. The timer is not touched when octets move, only looked at when it fires.
struct Idle {
    after: Duration,
    limit: &'static str,
    last: Instant,
    timer: Pin<Box<Sleep>>,
}

impl Idle {
    fn new(after: Duration, limit: &'static str) -> Self {
        let last = Instant::now();
        Self { after, limit, last, timer: Box::pin(sleep_until(last + after)) }
    }

    fn poll(&mut self, moved: bool, cx: &mut Context<'_>) -> Poll<&'static str> {
        if moved {
            self.last = Instant::now();
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            let due = self.last + self.after;
            if due <= Instant::now() {
                return Poll::Ready(self.limit);
            }
            self.timer.as_mut().reset(due);
        }
        Poll::Pending
    }
}
