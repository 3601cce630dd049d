//! One end of a SIP connection, the phone's or a service's: what it sends is followed message by message, and what it
//! does not take at once waits here.

use std::{
    io::{ErrorKind, IoSlice},
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use rp_sip::{Follower, Limits, Step};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::stream::Stream;

/// A stream, with what is undecided of one direction and unwritten of the other.
pub(super) struct Peer {
    pub(super) stream: Stream,
    pub(super) follower: Follower,
    /// What has come and is not decided: the beginning of a head, or a whole message that has to wait.
    pub(super) kept: Vec<u8>,
    /// To be sent, but not yet taken.
    rest: Vec<u8>,
    /// TLS holds what the socket did not take yet.
    unflushed: bool,
    pub(super) input: Flow,
    pub(super) output: Flow,
}

/// One direction of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Open,
    Ended,
    Failed,
}

impl Peer {
    pub(super) fn new(stream: Stream, limits: Limits) -> Self {
        Self {
            stream,
            follower: Follower::new(limits),
            kept: Vec::new(),
            rest: Vec::new(),
            unflushed: false,
            input: Flow::Open,
            output: Flow::Open,
        }
    }

    /// Reads once. What has come is in the buffer; nothing is there when the stream has ended.
    pub(super) fn poll_read(&mut self, buffer: &mut ReadBuf<'_>, cx: &mut Context<'_>) -> Poll<()> {
        self.input = match ready!(Pin::new(&mut self.stream).poll_read(cx, buffer)) {
            Ok(()) if !buffer.filled().is_empty() => return Poll::Ready(()),
            Ok(()) => Flow::Ended,
            // Peers that end TLS without close_notify are common, and SIP frames itself.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Flow::Ended,
            Err(_) => Flow::Failed,
        };
        Poll::Ready(())
    }

    /// What is here of the body that belongs to the head just looked at; `behind` are the octets behind the head.
    pub(super) fn body<'a>(&mut self, behind: &'a [u8]) -> &'a [u8] {
        if self.follower.is_between_messages() {
            return &[];
        }
        match self.follower.step(behind) {
            Ok(Step::Pass(octets)) => &behind[..octets],
            _ => &[],
        }
    }

    /// Writes the pieces in one go, keeps what is not taken, and says how many octets that are in all. Whoever is gone
    /// hears nothing.
    pub(super) fn send<'a>(&mut self, pieces: impl Iterator<Item = &'a [u8]>, cx: &mut Context<'_>) -> u64 {
        if self.output != Flow::Open {
            return 0;
        }
        let mut slices = [IoSlice::new(&[]); PIECES];
        let mut count = 0;
        for (slice, piece) in slices.iter_mut().zip(pieces) {
            *slice = IoSlice::new(piece);
            count += 1;
        }
        let slices = &slices[..count];
        let octets = slices.iter().map(|slice| slice.len() as u64).sum();
        let mut taken = if self.rest.is_empty() { self.write(slices, cx) } else { 0 };
        for slice in slices {
            let now = taken.min(slice.len());
            self.rest.extend_from_slice(&slice[now..]);
            taken -= now;
        }
        octets
    }

    /// Writes what waits; whether any of it went.
    pub(super) fn drain(&mut self, cx: &mut Context<'_>) -> bool {
        let mut moved = false;
        while !self.rest.is_empty() && self.output == Flow::Open {
            let mut rest = mem::take(&mut self.rest);
            let taken = self.write(&[IoSlice::new(&rest)], cx);
            if taken < rest.len() {
                rest.drain(..taken);
                self.rest = rest;
            }
            moved |= taken > 0;
            if taken == 0 {
                return moved;
            }
        }
        // TLS keeps records that the socket did not take; they must leave before this waits for more.
        if self.unflushed && self.output == Flow::Open {
            match Pin::new(&mut self.stream).poll_flush(cx) {
                Poll::Ready(Ok(())) => self.unflushed = false,
                Poll::Ready(Err(_)) => self.output = Flow::Failed,
                Poll::Pending => {}
            }
        }
        moved
    }

    /// Passes on that nothing more will be sent.
    pub(super) fn end(&mut self, cx: &mut Context<'_>) {
        if self.output == Flow::Open && self.is_drained() {
            // A peer that is gone already needs no end of stream.
            if Pin::new(&mut self.stream).poll_shutdown(cx).is_ready() {
                self.output = Flow::Ended;
            }
        }
    }

    /// Whether nothing waits for the peer to take it.
    pub(super) fn takes_more(&self) -> bool {
        self.rest.is_empty()
    }

    /// Whether all that was sent has left, or never will.
    pub(super) fn is_drained(&self) -> bool {
        self.output != Flow::Open || (self.rest.is_empty() && !self.unflushed)
    }

    /// Whether a message of the peer has begun and not ended.
    pub(super) fn has_begun(&self) -> bool {
        !self.kept.is_empty() || !self.follower.is_between_messages()
    }

    fn write(&mut self, slices: &[IoSlice<'_>], cx: &mut Context<'_>) -> usize {
        match Pin::new(&mut self.stream).poll_write_vectored(cx, slices) {
            Poll::Ready(Ok(taken)) => {
                self.unflushed |= matches!(self.stream, Stream::Tls(_));
                taken
            }
            Poll::Ready(Err(_)) => {
                self.output = Flow::Failed;
                self.rest = Vec::new();
                0
            }
            Poll::Pending => 0,
        }
    }
}

/// A rewritten head, and the body behind it.
const PIECES: usize = 8;

/// Deals with what was kept and the octets that have come behind it. `deal` says how many it is done with; the others
/// are to be kept.
pub(super) fn with_kept(mut kept: Vec<u8>, octets: &[u8], deal: impl FnOnce(&[u8]) -> usize) -> Vec<u8> {
    if kept.is_empty() {
        let used = deal(octets);
        return octets[used..].to_vec();
    }
    kept.extend_from_slice(octets);
    let used = deal(&kept);
    kept.drain(..used);
    kept.shrink_to_fit();
    kept
}
