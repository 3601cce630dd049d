//! The time-outs of an exchange: who is waited for, and how long that may take.

use std::time::{Duration, Instant};

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
    /// What the client was to do last, how long it was waited for within the present window, and its progress before.
    client: Turn,
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
            client: Turn::Service,
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
        if turn != Turn::Service && self.client != turn {
            (self.client, self.waited, self.window) = (turn, Duration::ZERO, progress);
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks each second at who has the turn and how far he is; the second and the name of the limit that was passed.
    fn run(turns: impl Iterator<Item = (Turn, u64)>) -> Option<(u64, &'static str)> {
        let start = Instant::now();
        let mut pace = Pace::new(&Limits::default(), start);
        for (second, (turn, progress)) in (0_u64..).zip(turns) {
            let now = start + Duration::from_secs(second);
            match pace.look(now, turn, progress) {
                Ok(due) => assert!(due > now),
                Err(limit) => return Some((second, limit)),
            }
        }
        None
    }

    #[test]
    fn a_service_may_pause_and_not_stand_still() {
        let still = (0..100).map(|_| (Turn::Service, 7));
        assert_eq!(run(still), Some((60, "limits.http-response")));
        let dribbling = (0..1000).map(|second| (Turn::Service, second / 59));
        assert_eq!(run(dribbling), None);
    }

    #[test]
    fn a_client_keeps_a_rate_over_a_while() {
        let at = |rate| move |second: u64| (Turn::ClientSends, second * rate);
        assert_eq!(run((0..1000).map(at(500))), None);
        assert_eq!(run((0..1000).map(at(499))), Some((20, "limits.http-body-rate")));
        let bursts = (0..1000).map(|second| (Turn::ClientSends, second / 20 * 10_000));
        assert_eq!(run(bursts), None);
        let stopping = (0..1000).map(|second: u64| (Turn::ClientSends, second.min(100) * 500));
        assert_eq!(run(stopping), Some((120, "limits.http-body-rate")));
    }

    #[test]
    fn the_time_of_the_service_does_not_count_against_the_client() {
        // Half of the time the service does not take what the client has sent.
        let turns = (0..1000).map(|second: u64| match second / 5 % 2 {
            0 => (Turn::ClientSends, second * 300),
            _ => (Turn::Service, second),
        });
        assert_eq!(run(turns), None);
    }

    #[test]
    fn a_client_that_takes_has_the_time_that_a_full_buffer_needs() {
        let steps = (0..1000).map(|second| (Turn::ClientTakes, second / 55 * 30_000));
        assert_eq!(run(steps), None);
        let never = (0..1000).map(|_| (Turn::ClientTakes, 1_000_000));
        assert_eq!(run(never), Some((60, "limits.http-body-rate")));
    }
}
