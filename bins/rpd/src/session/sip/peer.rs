//! One end of a SIP connection, the phone's or a service's: what it sends is followed message by message, and what it
//! does not take at once waits here.

use std::{
    io::ErrorKind,
    pin::Pin,
    task::{Context, Poll, ready},
};

use rp_sip::{Follower, Limits, Step};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{session::outbox::Outbox, stream::Stream};

/// A stream, with what is undecided of one direction and unwritten of the other.
pub(super) struct Peer {
    pub(super) stream: Stream,
    pub(super) follower: Follower,
    /// What has come and is not decided: the beginning of a head, or a whole message that has to wait.
    pub(super) kept: Vec<u8>,
    outbox: Outbox,
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
            outbox: Outbox::default(),
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
        let mut octets = 0;
        let counted = pieces.inspect(|piece| octets += piece.len() as u64);
        if self.outbox.send(counted, &mut self.stream, cx).is_err() {
            self.output = Flow::Failed;
        }
        octets
    }

    /// Writes what waits; whether any of it went.
    pub(super) fn drain(&mut self, cx: &mut Context<'_>) -> bool {
        if self.output != Flow::Open {
            return false;
        }
        match self.outbox.drain(&mut self.stream, cx) {
            Ok(taken) => taken > 0,
            Err(_) => {
                self.output = Flow::Failed;
                false
            }
        }
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
        self.outbox.is_empty()
    }

    /// Whether all that was sent has left, or never will.
    pub(super) fn is_drained(&self) -> bool {
        self.output != Flow::Open || self.outbox.is_drained()
    }

    /// Whether a message of the peer has begun and not ended.
    pub(super) fn has_begun(&self) -> bool {
        !self.kept.is_empty() || !self.follower.is_between_messages()
    }
}
