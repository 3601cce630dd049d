//! The beginning of a connection: read until the extractor has decided, within the limits of size and time.

use std::{
    future::poll_fn,
    io,
    num::NonZeroUsize,
    pin::pin,
    task::{Poll, ready},
    time::{Duration, Instant},
};

use memchr::memmem;

use crate::{
    alarm::Alarm,
    cancel::{Cancel, Request},
    config::Limits,
    outcome::{Cause, End, Facts, Reason, Refusal},
    scratch,
    stream::Stream,
};

/// What has been read of a connection, and not yet been passed on.
pub(super) struct Head {
    /// The client.
    pub(super) stream: Stream,
    /// Its octets, from the first one that no answer of ours has used up.
    pub(super) octets: Vec<u8>,
    /// For whatever is waited for.
    pub(super) alarm: Alarm,
}

/// By when the first message must be there.
#[derive(Clone, Copy)]
pub(super) struct Deadlines {
    first_byte: Instant,
    first_message: Instant,
}

impl Deadlines {
    /// Those of a connection that has just been accepted.
    pub(super) fn of(facts: &Facts, limits: &Limits) -> Self {
        Self::from(facts.accepted, limits)
    }

    /// Those that count from `start`.
    pub(super) fn from(start: Instant, limits: &Limits) -> Self {
        Self { first_byte: start + limits.first_byte, first_message: start + limits.first_message }
    }

    /// Those of a message that has begun at `start`, and may take this long.
    pub(super) fn begun(start: Instant, message: Duration) -> Self {
        Self { first_byte: start + message, first_message: start + message }
    }
}

/// As long as timers reach.
const FOR_EVER: Duration = Duration::from_secs(366 * 86_400);

/// How an extractor's octets arrive, which decides when to ask it again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// Lengths: it says exactly how much is missing.
    Lengths,
    /// Lines up to an empty one: it can only say that more is missing.
    Lines,
}

/// How a first message is read: until its extractor has decided, and within which limits.
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    pub(super) framing: Framing,
    /// More octets than these are not read.
    pub(super) largest: usize,
    pub(super) deadlines: Deadlines,
    pub(super) cancel: &'a Cancel,
}

impl Reading<'_> {
    /// Reads on, because the extractor says that at least so many octets are `missing`, until it is worth asking again.
    ///
    /// Asking at every octet would cost a dribbled head quadratic work. So an extractor of lengths is asked when
    /// what it wants has come; one of lines when an empty line is among the new octets, or when the head has
    /// grown by an eighth since, so that what can be refused early is.
    ///
    /// # Errors
    /// How the connection ended instead.
    pub(super) async fn more(&self, head: &mut Head, missing: NonZeroUsize) -> Result<(), End> {
        if head.octets.len() >= self.largest {
            return Err(too_large(self.largest).into());
        }
        let ask_at = self.largest.min(head.octets.len() + step(self.framing, head.octets.len(), missing));
        loop {
            let had = head.octets.len();
            head.read(self.deadlines, self.cancel).await?;
            let ends = self.framing == Framing::Lines && ends_a_head(&head.octets, had);
            if ends || head.octets.len() >= ask_at {
                return Ok(());
            }
        }
    }
}

impl Head {
    pub(super) fn new(stream: Stream) -> Self {
        Self::begun(stream, Vec::new())
    }

    /// A connection of which this has been read already.
    pub(super) fn begun(stream: Stream, octets: Vec<u8>) -> Self {
        Self { stream, octets, alarm: Alarm::default() }
    }

    /// Waits for the first octet of a further message, at most `idle` (zero: for ever), which is called `limit`.
    ///
    /// # Errors
    /// How the connection ended between two messages.
    pub(super) async fn wait(
        &mut self,
        idle: Duration,
        limit: &'static str,
        cancel: &Cancel,
    ) -> Result<(), End> {
        if !self.octets.is_empty() {
            return Ok(());
        }
        let idle = if idle.is_zero() { FOR_EVER } else { idle };
        let Self { stream, octets, alarm } = self;
        let read = poll_fn(|cx| {
            if cancel.poll(Request::Drain, cx).is_ready() {
                return Poll::Ready(Err(cancel.end()));
            }
            let read = scratch::poll_read_with(stream, cx, |_, came| {
                octets.extend_from_slice(came);
                came.len()
            });
            match ready!(read) {
                Ok(0) | Err(_) => Poll::Ready(Err(End::Served(Cause::Closed))),
                Ok(_) => Poll::Ready(Ok(())),
            }
        });
        let late = Err(End::Served(Cause::TimedOut(limit)));
        alarm.within((Instant::now() + idle).into(), pin!(read)).await.unwrap_or(late)
    }

    /// Reads until `decided` says so: `Ok` when a decision can be taken from the octets, `Err` with the number
    /// that is missing at least.
    ///
    /// # Errors
    /// As [`Reading::more`].
    pub(super) async fn fill(
        &mut self,
        reading: Reading<'_>,
        decided: impl Fn(&[u8]) -> Result<(), NonZeroUsize>,
    ) -> Result<(), End> {
        while let Err(missing) = decided(&self.octets) {
            reading.more(self, missing).await?;
        }
        Ok(())
    }

    /// Reads once and appends.
    async fn read(&mut self, deadlines: Deadlines, cancel: &Cancel) -> Result<(), End> {
        let nothing_yet = self.octets.is_empty();
        let deadline = if nothing_yet { deadlines.first_byte } else { deadlines.first_message };
        let Self { stream, octets, alarm } = self;
        let read = poll_fn(|cx| {
            if cancel.poll(Request::ShutOut, cx).is_ready() {
                return Poll::Ready(Err(io::ErrorKind::Interrupted.into()));
            }
            scratch::poll_read_with(stream, cx, |_, came| {
                octets.extend_from_slice(came);
                came.len()
            })
        });
        match alarm.within(deadline.into(), pin!(read)).await {
            None if nothing_yet => Err(Refusal::because(Reason::Silent, "limits.first-byte").into()),
            None => Err(Refusal::because(Reason::FirstMessageTimeout, "limits.first-message").into()),
            Some(Ok(0) | Err(_)) => Err(End::Gone),
            Some(Ok(_)) => Ok(()),
        }
    }
}

/// What is made of octets from which nothing can be decided, however many come.
pub(super) fn too_large(largest: usize) -> Refusal {
    Refusal::because(Reason::TooLarge, format_args!("more than {largest} octets"))
}

/// After how many more octets to ask again.
fn step(framing: Framing, have: usize, more: NonZeroUsize) -> usize {
    match framing {
        Framing::Lengths => more.get(),
        Framing::Lines => more.get().max(have / 8),
    }
}

/// Whether an empty line ends among the octets from `from` on.
pub(super) fn ends_a_head(octets: &[u8], from: usize) -> bool {
    const END: &[u8] = b"\r\n\r\n";
    // Mostly nothing comes behind.
    octets.ends_with(END) || memmem::find(&octets[from.saturating_sub(3)..], END).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dribbled_head_of_lines_is_asked_a_logarithmic_number_of_times() {
        let mut asked = 0;
        let mut at = 1;
        while at < 32 * 1024 {
            asked += 1;
            at += step(Framing::Lines, at, NonZeroUsize::MIN);
        }
        assert!(asked < 100, "{asked}");
    }

    #[test]
    fn an_empty_line_is_found_across_reads() {
        assert!(ends_a_head(b"GET / HTTP/1.1\r\n\r\n", 17));
        assert!(!ends_a_head(b"GET / HTTP/1.1\r\n\r\nmore", 19));
    }
}
