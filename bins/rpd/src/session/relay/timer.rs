//! The time-outs of a relay.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

use super::inspect::Patience;

/// A time-out by the name of its key.
#[derive(Clone, Copy)]
pub(in crate::session) struct Limit {
    /// Without an octet in either direction; zero: for ever.
    pub(in crate::session) idle: Duration,
    /// What the log calls it.
    pub(in crate::session) name: &'static str,
    /// From the start, for a connection that is never settled.
    pub(in crate::session) unsettled: Option<Duration>,
}

/// A time-out that every octet puts off. The timer is not touched when octets move, only looked at when it fires.
pub(super) struct Timer {
    pub(super) limit: Limit,
    start: Instant,
    last: Instant,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Timer {
    pub(super) fn new(limit: Limit) -> Self {
        let now = Instant::now();
        let mut timer = Self { limit, start: now, last: now, timer: None };
        let patience = if limit.unsettled.is_some() { Patience::Unsettled } else { Patience::Idle };
        timer.timer = timer.due(patience).map(|(due, _)| Box::pin(sleep_until(due)));
        timer
    }

    /// When the relay ends if nothing moves, and by which limit.
    fn due(&self, patience: Patience) -> Option<(Instant, &'static str)> {
        let Limit { idle, name, unsettled } = self.limit;
        let idle = (!idle.is_zero() && patience != Patience::Endless).then(|| (self.last + idle, name));
        let unsettled =
            unsettled.filter(|_| patience == Patience::Unsettled).map(|time| (self.start + time, UNSETTLED));
        unsettled.into_iter().chain(idle).min_by_key(|(due, _)| *due)
    }

    pub(super) fn poll(
        &mut self,
        patience: Patience,
        moved: bool,
        cx: &mut Context<'_>,
    ) -> Poll<&'static str> {
        let looked_at = self.last > self.start;
        if moved {
            self.last = Instant::now();
        }
        let due = self.due(patience);
        let Some(timer) = &mut self.timer else { return Poll::Pending };
        // It is this task's already, and would say no.
        if moved && looked_at && self.last < timer.deadline() {
            return Poll::Pending;
        }
        while timer.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            match due {
                Some((due, limit)) if due <= now => return Poll::Ready(limit),
                Some((due, _)) => timer.as_mut().reset(due),
                // Looked at again after a while: patience may end.
                None => timer.as_mut().reset(now + SECOND_LOOK),
            }
        }
        Poll::Pending
    }
}

/// How long a relay that may be silent is left alone.
const SECOND_LOOK: Duration = Duration::from_secs(60);

/// What the log calls the time-out of a connection that the service has never taken.
const UNSETTLED: &str = "unregistered";

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// What the timer says after so many seconds of silence.
    async fn after(timer: &mut Timer, seconds: u64, patience: Patience) -> Option<&'static str> {
        tokio::time::advance(Duration::from_secs(seconds)).await;
        match timer.poll(patience, false, &mut Context::from_waker(Waker::noop())) {
            Poll::Ready(limit) => Some(limit),
            Poll::Pending => None,
        }
    }

    fn timer(unsettled: Option<u64>) -> Timer {
        Timer::new(Limit {
            idle: Duration::from_secs(100),
            name: "idle",
            unsettled: unsettled.map(Duration::from_secs),
        })
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_a_relay_and_octets_put_it_off() {
        let mut timer = timer(None);
        assert_eq!(after(&mut timer, 99, Patience::Idle).await, None);
        assert_eq!(timer.poll(Patience::Idle, true, &mut Context::from_waker(Waker::noop())), Poll::Pending);
        assert_eq!(after(&mut timer, 99, Patience::Idle).await, None);
        assert_eq!(after(&mut timer, 2, Patience::Idle).await, Some("idle"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_the_service_never_takes_has_its_own_time() {
        let mut never = timer(Some(60));
        assert_eq!(after(&mut never, 59, Patience::Unsettled).await, None);
        assert_eq!(after(&mut never, 2, Patience::Unsettled).await, Some(UNSETTLED));
        let mut taken = timer(Some(60));
        assert_eq!(after(&mut taken, 59, Patience::Idle).await, None);
        assert_eq!(after(&mut taken, 40, Patience::Idle).await, None);
        assert_eq!(after(&mut taken, 2, Patience::Idle).await, Some("idle"));
    }

    #[tokio::test(start_paused = true)]
    async fn where_silence_is_in_order_nothing_ends() {
        let mut timer = timer(Some(60));
        assert_eq!(after(&mut timer, 10_000, Patience::Endless).await, None);
        assert_eq!(after(&mut timer, 10_000, Patience::Endless).await, None);
        assert_eq!(after(&mut timer, 61, Patience::Idle).await, Some("idle"));
    }
}
