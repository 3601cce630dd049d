//! Every wait of a SIP connection, and what each is called.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

use crate::config::Limits;

/// When something last moved, and the one timer. It is not touched when octets move, only looked at when it fires.
pub(super) struct Clocks {
    up: Instant,
    down: Instant,
    timer: Pin<Box<Sleep>>,
}

/// What a connection waits for.
#[derive(Clone, Copy, Default)]
pub(super) struct Waits {
    /// No request has been routed yet: when the connection was accepted, and whether anything has come.
    pub(super) unrouted: Option<(Instant, bool)>,
    /// A message of the phone has begun, or a service does not take one.
    pub(super) up_begun: bool,
    /// A message of a service has begun, or the phone does not take one.
    pub(super) down_begun: bool,
    /// When a table of requests wants to be looked at.
    pub(super) tables: Option<Instant>,
}

/// What is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Late {
    /// Nothing came at all.
    FirstByte,
    /// No request came that could be routed.
    FirstMessage,
    /// Both sides were silent; or a message came to a halt.
    Silence(&'static str),
    /// Nothing; but tables are to be looked at.
    Tables,
}

impl Clocks {
    pub(super) fn new(start: Instant) -> Self {
        let now = Instant::now();
        Self { up: now, down: now, timer: Box::pin(sleep_until(start)) }
    }

    /// Something moved: up, or down.
    pub(super) fn moved(&mut self, up: bool, down: bool) {
        if up || down {
            let now = Instant::now();
            self.up = if up { now } else { self.up };
            self.down = if down { now } else { self.down };
        }
    }

    /// Ready with what is over.
    pub(super) fn poll(&mut self, waits: &Waits, limits: &Limits, cx: &mut Context<'_>) -> Poll<Late> {
        let Some((due, late)) = self.due(waits, limits) else { return Poll::Pending };
        if due < self.timer.deadline() {
            self.timer.as_mut().reset(due);
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            if due <= Instant::now() {
                return Poll::Ready(late);
            }
            self.timer.as_mut().reset(due);
        }
        Poll::Pending
    }

    fn due(&self, waits: &Waits, limits: &Limits) -> Option<(Instant, Late)> {
        let idle = limits.idle.sip;
        let idle = (!idle.is_zero()).then(|| (self.up.max(self.down) + idle, Late::Silence(IDLE)));
        let first = waits.unrouted.map(|(accepted, heard)| match heard {
            false => (accepted + limits.first_byte, Late::FirstByte),
            true => (accepted + limits.first_message, Late::FirstMessage),
        });
        let stalled =
            |begun: bool, since: Instant| begun.then(|| (since + STALLED_TIME, Late::Silence(STALLED)));
        let tables = waits.tables.map(|due| (due, Late::Tables));
        let all =
            [first, stalled(waits.up_begun, self.up), stalled(waits.down_begun, self.down), idle, tables];
        all.into_iter().flatten().min_by_key(|(due, _)| *due)
    }
}

/// How long a message that has begun may come to a halt, and what the log calls that.
const STALLED_TIME: Duration = Duration::from_secs(30);
const STALLED: &str = "stalled";

const IDLE: &str = "limits.idle.sip";

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    async fn after(clocks: &mut Clocks, seconds: u64, waits: &Waits) -> Option<Late> {
        tokio::time::advance(Duration::from_secs(seconds)).await;
        match clocks.poll(waits, &Limits::default(), &mut Context::from_waker(Waker::noop())) {
            Poll::Ready(late) => Some(late),
            Poll::Pending => None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_first_request_has_its_time_from_accept_whatever_comes_before() {
        let accepted = Instant::now();
        let unrouted = |heard| Waits { unrouted: Some((accepted, heard)), ..Waits::default() };
        let mut clocks = Clocks::new(accepted);
        assert_eq!(after(&mut clocks, 9, &unrouted(false)).await, None);
        assert_eq!(after(&mut clocks, 2, &unrouted(false)).await, Some(Late::FirstByte));
        clocks.moved(true, false);
        assert_eq!(after(&mut clocks, 3, &unrouted(true)).await, None);
        clocks.moved(true, false);
        assert_eq!(after(&mut clocks, 2, &unrouted(true)).await, Some(Late::FirstMessage));
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_that_comes_to_a_halt_is_not_waited_for_though_the_other_side_speaks() {
        let mut clocks = Clocks::new(Instant::now());
        let begun = Waits { down_begun: true, ..Waits::default() };
        assert_eq!(after(&mut clocks, 29, &begun).await, None);
        clocks.moved(true, false);
        assert_eq!(after(&mut clocks, 2, &begun).await, Some(Late::Silence("stalled")));
        clocks.moved(false, true);
        assert_eq!(after(&mut clocks, 29, &begun).await, None);
        assert_eq!(after(&mut clocks, 7_000, &Waits::default()).await, None);
        assert_eq!(after(&mut clocks, 200, &Waits::default()).await, Some(Late::Silence("limits.idle.sip")));
    }

    #[tokio::test(start_paused = true)]
    async fn a_timer_that_was_set_far_ahead_is_drawn_nearer() {
        let mut clocks = Clocks::new(Instant::now());
        assert_eq!(after(&mut clocks, 1, &Waits::default()).await, None);
        let tables = Waits { tables: Some(Instant::now() + Duration::from_secs(5)), ..Waits::default() };
        assert_eq!(after(&mut clocks, 4, &tables).await, None);
        assert_eq!(after(&mut clocks, 2, &tables).await, Some(Late::Tables));
    }
}
