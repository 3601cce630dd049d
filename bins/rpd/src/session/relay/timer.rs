//! The time-outs of a relay.

use std::{
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::Instant;

use super::inspect::Patience;
use crate::alarm::Alarm;

/// Which of the time-outs has ended a relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Late {
    /// Nothing has moved for too long.
    Idle,
    /// The service has never taken the client.
    Unsettled,
}

/// A time-out that every octet puts off. The alarm is not touched when octets move, only when it rings.
pub(in crate::session) struct Timer {
    /// Milliseconds without an octet in either direction; zero: for ever.
    idle: u64,
    last: Instant,
    alarm: Alarm,
    /// The alarm wakes this task, then or later.
    rings: Option<Instant>,
}

impl Timer {
    /// One that ends what has not moved for `idle`; zero: never.
    pub(in crate::session) fn new(idle: Duration, alarm: Alarm) -> Self {
        let idle = u64::try_from(idle.as_millis()).unwrap_or_default();
        let last = Instant::now();
        // Who has waited by it so far is the task that waits now.
        let rings = alarm.rings().filter(|rings| *rings < last + Duration::from_millis(idle));
        Self { idle, last, alarm, rings }
    }

    /// When the relay ends if nothing moves, and by which limit; else when to look again, because patience may end.
    fn due(&self, patience: Patience) -> Option<(Instant, Option<Late>)> {
        let idle = (self.idle > 0).then(|| (self.last + Duration::from_millis(self.idle), Some(Late::Idle)));
        match patience {
            Patience::Unsettled { by } => match idle {
                Some((due, _)) if due < by => idle,
                _ => Some((by, Some(Late::Unsettled))),
            },
            Patience::Idle => idle,
            Patience::Endless => Some((Instant::now() + SECOND_LOOK, None)),
        }
    }

    pub(super) fn poll(&mut self, patience: Patience, moved: bool, cx: &mut Context<'_>) -> Poll<Late> {
        if moved {
            self.last = Instant::now();
            if self.rings.is_some_and(|rings| self.last < rings) {
                return Poll::Pending;
            }
        }
        let Some((due, late)) = self.due(patience) else { return Poll::Pending };
        let rung = self.alarm.poll(due, cx);
        self.rings = self.alarm.rings();
        match late {
            Some(late) => rung.map(|()| late),
            None => Poll::Pending,
        }
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

    /// A timer, and the patience of who has not been taken yet.
    fn timer() -> (Timer, Patience) {
        let by = Instant::now() + Duration::from_secs(60);
        (Timer::new(IDLE, Alarm::default()), Patience::Unsettled { by })
    }

    const IDLE: Duration = Duration::from_secs(100);

    #[tokio::test(start_paused = true)]
    async fn silence_ends_a_relay_and_octets_put_it_off() {
        let (mut timer, _) = timer();
        assert_eq!(after(&mut timer, 99, Patience::Idle).await, None);
        assert_eq!(timer.poll(Patience::Idle, true, &mut Context::from_waker(Waker::noop())), Poll::Pending);
        assert_eq!(after(&mut timer, 99, Patience::Idle).await, None);
        assert_eq!(after(&mut timer, 2, Patience::Idle).await, Some(Late::Idle));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_the_service_never_takes_has_its_own_time() {
        let (mut never, unsettled) = timer();
        assert_eq!(after(&mut never, 59, unsettled).await, None);
        assert_eq!(after(&mut never, 2, unsettled).await, Some(Late::Unsettled));
        let (mut taken, unsettled) = timer();
        assert_eq!(after(&mut taken, 1, unsettled).await, None);
        assert_eq!(after(&mut taken, 58, Patience::Idle).await, None);
        assert_eq!(after(&mut taken, 40, Patience::Idle).await, None);
        assert_eq!(after(&mut taken, 2, Patience::Idle).await, Some(Late::Idle));
    }

    #[tokio::test(start_paused = true)]
    async fn where_silence_is_in_order_nothing_ends() {
        let (mut timer, _) = timer();
        assert_eq!(after(&mut timer, 10_000, Patience::Endless).await, None);
        assert_eq!(after(&mut timer, 10_000, Patience::Endless).await, None);
        assert_eq!(after(&mut timer, 61, Patience::Idle).await, Some(Late::Idle));
    }
}
