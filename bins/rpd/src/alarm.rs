//! One timer for all the time-outs of a connection, as they come one after the other.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::time::{Instant, Sleep, sleep_until};

/// A timer that outlives what it is set for. Most of that is over long before it is due, so that it is hardly ever touched:
/// it may ring too early, and is only then put off. Made when it is first needed.
#[derive(Debug, Default)]
pub struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Ready once it is `due`.
    pub fn poll(&mut self, due: Instant, cx: &mut Context<'_>) -> Poll<()> {
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

    /// When it rings next, due or not; nothing before it was first asked.
    pub fn rings(&self) -> Option<Instant> {
        self.0.as_ref().map(|sleep| sleep.deadline())
    }

    /// What comes of `work`; nothing if that is not there when it is `due`.
    ///
    /// Pinned by whoever waits, because an async function would hold `work` twice.
    pub fn within<T>(
        &mut self,
        due: Instant,
        mut work: Pin<&mut impl Future<Output = T>>,
    ) -> impl Future<Output = Option<T>> {
        poll_fn(move |cx| match work.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending => self.poll(due, cx).map(|()| None),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{future::pending, pin::pin, task::Waker, time::Duration};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_alarm_that_is_put_off_does_not_ring_early() {
        let (mut alarm, start) = (Alarm::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut poll = |due| alarm.poll(due, &mut Context::from_waker(Waker::noop())).is_ready();
        assert!(!poll(at(10)));
        assert!(!poll(at(20)));
        tokio::time::advance(Duration::from_secs(15)).await;
        assert!(!poll(at(20)));
        assert!(!poll(at(30)));
        assert!(poll(at(14)));
    }

    #[tokio::test(start_paused = true)]
    async fn it_rings_when_it_is_due_whatever_it_was_set_for_before() {
        let (mut alarm, start) = (Alarm::default(), Instant::now());
        for (due, second) in [(5, 5), (300, 300), (310, 310), (1_000, 400), (320, 400)] {
            let due = start + Duration::from_secs(due);
            alarm.within(due, pin!(sleep_until(start + Duration::from_secs(400)))).await;
            assert_eq!(Instant::now(), start + Duration::from_secs(second));
        }
        let never = alarm.within(start + Duration::from_secs(500), pin!(pending::<()>())).await;
        assert_eq!((never, start.elapsed().as_secs()), (None, 500));
        assert_eq!(alarm.within(start, pin!(async { 1 })).await, Some(1), "what is there is not late");
    }
}
