//! What is on its way into a stream: written at once as far as the stream takes it; the rest waits here.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::AsyncWrite;

use super::splice::Pipe;
use crate::stream::Stream;

/// What one stream has not taken yet. Whoever fills it reads nothing more while something waits.
#[derive(Default)]
pub(super) struct Outbox {
    /// Boxed, because nearly always there is nothing.
    waiting: Option<Box<Waiting>>,
    /// TLS holds what the socket did not take yet.
    unflushed: bool,
}

#[derive(Default)]
struct Waiting {
    /// Goes first.
    piped: Option<Pipe>,
    octets: Vec<u8>,
}

impl Outbox {
    /// One in which `octets` wait.
    pub(super) fn holding(octets: Vec<u8>) -> Self {
        let waiting = (!octets.is_empty()).then(|| Box::new(Waiting { piped: None, octets }));
        Self { waiting, unflushed: false }
    }

    /// Whether nothing waits for the stream to take it.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_none()
    }

    /// Whether all has left, out of TLS too.
    pub(super) fn is_drained(&self) -> bool {
        self.is_empty() && !self.unflushed
    }

    /// Puts octets behind what waits.
    pub(super) fn push(&mut self, octets: &[u8]) {
        if !octets.is_empty() {
            self.waiting.get_or_insert_default().octets.extend_from_slice(octets);
        }
    }

    /// Puts what is in a pipe into an empty outbox.
    pub(super) fn push_pipe(&mut self, pipe: Pipe) {
        debug_assert!(self.is_empty(), "what waits would leave behind the pipe");
        self.waiting.get_or_insert_default().piped = Some(pipe);
    }

    /// Writes the pieces in one go, those beyond [`PIECES`] left aside, and keeps what is not taken. Says how many octets
    /// were.
    ///
    /// # Errors
    /// The stream's; nothing waits any more then.
    pub(super) fn send<'a>(
        &mut self,
        pieces: impl Iterator<Item = &'a [u8]>,
        to: &mut Stream,
        cx: &mut Context<'_>,
    ) -> io::Result<usize> {
        let mut slices = [IoSlice::new(&[]); PIECES];
        let mut count = 0;
        let mut pieces = pieces.filter(|piece| !piece.is_empty());
        for (slice, piece) in slices.iter_mut().zip(pieces.by_ref()) {
            *slice = IoSlice::new(piece);
            count += 1;
        }
        let slices = &slices[..count];
        let taken = if self.is_empty() { self.write(slices, to, cx)? } else { 0 };
        let mut left = taken;
        for slice in slices {
            let now = left.min(slice.len());
            self.push(&slice[now..]);
            left -= now;
        }
        pieces.for_each(|piece| self.push(piece));
        Ok(taken)
    }

    /// Writes what waits, as far as it is taken. Says how many octets were.
    ///
    /// # Errors
    /// The stream's; nothing waits any more then.
    pub(super) fn drain(&mut self, to: &mut Stream, cx: &mut Context<'_>) -> io::Result<usize> {
        let mut taken = 0;
        if let Some(mut waiting) = self.waiting.take() {
            if let Some(pipe) = &mut waiting.piped {
                taken += pipe.drain(to, cx)?;
                if let Some(empty) = waiting.piped.take_if(|pipe| pipe.is_empty()) {
                    empty.give_back();
                }
            }
            while waiting.piped.is_none() && !waiting.octets.is_empty() {
                let now = self.write(&[IoSlice::new(&waiting.octets)], to, cx)?;
                if now == 0 {
                    break;
                }
                waiting.octets.drain(..now);
                taken += now;
            }
            if waiting.piped.is_some() || !waiting.octets.is_empty() {
                self.waiting = Some(waiting);
                return Ok(taken);
            }
        }
        // TLS keeps records that the socket did not take; they must leave before anybody waits for more.
        if self.unflushed && Pin::new(to).poll_flush(cx)?.is_ready() {
            self.unflushed = false;
        }
        Ok(taken)
    }

    /// Writes once, to an empty outbox's stream; says how many octets were taken.
    fn write(&mut self, slices: &[IoSlice<'_>], to: &mut Stream, cx: &mut Context<'_>) -> io::Result<usize> {
        let written = match slices {
            [] => return Ok(0),
            [slice] => Pin::new(&mut *to).poll_write(cx, slice),
            _ => Pin::new(&mut *to).poll_write_vectored(cx, slices),
        };
        match written? {
            Poll::Ready(0) => Err(io::ErrorKind::WriteZero.into()),
            Poll::Ready(taken) => {
                self.unflushed |= matches!(to, Stream::Tls(_));
                Ok(taken)
            }
            Poll::Pending => Ok(0),
        }
    }

    /// What waits, as octets: a pipe is emptied.
    pub(super) fn into_octets(self) -> Vec<u8> {
        let Some(waiting) = self.waiting else { return Vec::new() };
        let Some(pipe) = waiting.piped else { return waiting.octets };
        let mut octets = pipe.into_octets();
        octets.extend(waiting.octets);
        octets
    }
}

/// A head that was written anew, and the body behind it.
const PIECES: usize = 8;
