//! The time-outs of an exchange: who is waited for, and how long that may take.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use tokio::time::{Sleep, sleep_until};

use crate::config::Limits;

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// The client has to send more of the request.
    ClientSends,
    /// The client has to take what is there of the answer.
    ClientTakes,
    /// The service has to take the request, or to go on with its answer.
    Service,
}

/// How an exchange gets on.
///
/// A service that stands still is given up after a time. A client is slow at times, but has to keep a rate while it is
/// its turn; the time that the service takes does not count against it.
pub(super) struct Pace {
    response: Duration,
    /// Octets a second.
    rate: u64,
    turn: Turn,
    progress: u64,
    /// When it was looked at last.
    looked: Instant,
    /// The last progress, or the beginning of the turn.
    since: Instant,
    /// How long the client was waited for within the present window, and its progress before that.
    waited: Duration,
    window: u64,
}

impl Pace {
    pub(super) fn new(limits: &Limits, now: Instant) -> Self {
        Self {
            response: limits.http_response,
            rate: limits.http_body_rate.0 as u64,
            turn: Turn::Service,
            progress: 0,
            looked: now,
            since: now,
            waited: Duration::ZERO,
            window: 0,
        }
    }

    /// Until when to wait for whose turn it is, whose octets so far are `progress`.
    ///
    /// # Errors
    /// The name of the limit that is passed.
    pub(super) fn look(&mut self, now: Instant, turn: Turn, progress: u64) -> Result<Instant, &'static str> {
        if self.turn == turn && turn != Turn::Service {
            self.waited += now - self.looked;
        }
        if turn != Turn::Service && self.turn != turn && self.window > progress {
            self.window = progress;
        }
        if self.turn != turn || self.progress != progress {
            self.since = now;
        }
        (self.turn, self.progress, self.looked) = (turn, progress, now);
        match turn {
            Turn::Service => {
                let due = self.since + self.response;
                if due > now { Ok(due) } else { Err("limits.http-response") }
            }
            Turn::ClientSends => self.keep_rate(now, WINDOW),
            Turn::ClientTakes => self.keep_rate(now, WINDOW * TAKING),
        }
    }

    fn keep_rate(&mut self, now: Instant, window: Duration) -> Result<Instant, &'static str> {
        if self.waited >= window {
            if self.progress.saturating_sub(self.window) < self.rate * WINDOW.as_secs() {
                return Err("limits.http-body-rate");
            }
            (self.waited, self.window) = (Duration::ZERO, self.progress);
        }
        Ok(now + (window - self.waited))
    }
}

/// Over which a client's rate is taken.
const WINDOW: Duration = Duration::from_secs(20);

/// A client that takes has so many windows: what it takes shows only when a third of the system's buffer is free again.
const TAKING: u32 = 3;

/// A timer that outlives many exchanges. Most of them are over long before it is due, so that it is hardly ever touched.
#[derive(Default)]
pub(super) struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Ready once it is `due`.
    pub(super) fn poll(&mut self, due: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let due = due.into();
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if sleep.deadline() > due {
            sleep.as_mut().reset(due);
        }
        loop {
            ready!(sleep.as_mut().poll(cx));
            if sleep.deadline() >= due {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(due);
        }
    }
}
