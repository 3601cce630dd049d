//! The time-outs of a relay.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

use super::inspect::Patience;

/// Which of the time-outs has ended a relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Late {
    /// Nothing has moved for too long.
    Idle,
    /// The service has never taken the client.
    Unsettled,
}

/// A time-out that every octet puts off. The timer is not touched when octets move, only looked at when it fires.
pub(super) struct Timer {
    /// Without an octet in either direction; zero: for ever.
    idle: Duration,
    /// By when the service must have taken the client.
    settled_by: Option<Instant>,
    last: Instant,
    timer: Option<Pin<Box<Sleep>>>,
    looked_at: bool,
}

impl Timer {
    pub(super) fn new(idle: Duration) -> Self {
        Self::starting(idle, None)
    }

    /// The same, but the service has to take the client within `time` from now.
    pub(super) fn unsettled_for(&self, time: Duration) -> Self {
        Self::starting(self.idle, Some(Instant::now() + time))
    }

    fn starting(idle: Duration, settled_by: Option<Instant>) -> Self {
        let mut timer = Self { idle, settled_by, last: Instant::now(), timer: None, looked_at: false };
        timer.timer = timer.due(Patience::Unsettled).map(|(due, _)| Box::pin(sleep_until(due)));
        timer
    }

    /// When the relay ends if nothing moves, and by which limit.
    fn due(&self, patience: Patience) -> Option<(Instant, Late)> {
        let ends = !self.idle.is_zero() && patience != Patience::Endless;
        let idle = ends.then(|| (self.last + self.idle, Late::Idle));
        let unsettled = self.settled_by.filter(|_| patience == Patience::Unsettled);
        unsettled.map(|due| (due, Late::Unsettled)).into_iter().chain(idle).min_by_key(|(due, _)| *due)
    }

    pub(super) fn poll(&mut self, patience: Patience, moved: bool, cx: &mut Context<'_>) -> Poll<Late> {
        if moved {
            self.last = Instant::now();
        }
        let due = self.due(patience);
        let Some(timer) = &mut self.timer else { return Poll::Pending };
        // It is this task's already, and would say no.
        if moved && self.looked_at && self.last < timer.deadline() {
            return Poll::Pending;
        }
        self.looked_at = true;
        while timer.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            match due {
                Some((due, late)) if due <= now => return Poll::Ready(late),
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

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// What the timer says after so many seconds of silence.
    async fn after(timer: &mut Timer, seconds: u64, patience: Patience) -> Option<Late> {
        tokio::time::advance(Duration::from_secs(seconds)).await;
        match timer.poll(patience, false, &mut Context::from_waker(Waker::noop())) {
            Poll::Ready(late) => Some(late),
            Poll::Pending => None,
        }
    }

    fn timer(unsettled: Option<u64>) -> Timer {
        let timer = Timer::new(IDLE);
        match unsettled {
            Some(seconds) => timer.unsettled_for(Duration::from_secs(seconds)),
            None => timer,
        }
    }

    const IDLE: Duration = Duration::from_secs(100);

    #[tokio::test(start_paused = true)]
    async fn silence_ends_a_relay_and_octets_put_it_off() {
        let mut timer = timer(None);
        assert_eq!(after(&mut timer, 99, Patience::Idle).await, None);
        assert_eq!(timer.poll(Patience::Idle, true, &mut Context::from_waker(Waker::noop())), Poll::Pending);
        assert_eq!(after(&mut timer, 99, Patience::Idle).await, None);
        assert_eq!(after(&mut timer, 2, Patience::Idle).await, Some(Late::Idle));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_the_service_never_takes_has_its_own_time() {
        let mut never = timer(Some(60));
        assert_eq!(after(&mut never, 59, Patience::Unsettled).await, None);
        assert_eq!(after(&mut never, 2, Patience::Unsettled).await, Some(Late::Unsettled));
        let mut taken = timer(Some(60));
        assert_eq!(after(&mut taken, 59, Patience::Idle).await, None);
        assert_eq!(after(&mut taken, 40, Patience::Idle).await, None);
        assert_eq!(after(&mut taken, 2, Patience::Idle).await, Some(Late::Idle));
    }

    #[tokio::test(start_paused = true)]
    async fn where_silence_is_in_order_nothing_ends() {
        let mut timer = timer(Some(60));
        assert_eq!(after(&mut timer, 10_000, Patience::Endless).await, None);
        assert_eq!(after(&mut timer, 10_000, Patience::Endless).await, None);
        assert_eq!(after(&mut timer, 61, Patience::Idle).await, Some(Late::Idle));
    }
}
