//! The last few of what happens, and the next ones for whoever listens. Nobody who tells waits for anybody who listens:
//! who is slow loses what he has not heard, and knows how much.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use tokio::sync::broadcast;

use crate::lock::lock;

/// Events of one kind.
#[derive(Debug)]
pub struct Recent<T> {
    last: Mutex<Last<T>>,
    next: broadcast::Sender<Arc<T>>,
}

#[derive(Debug)]
struct Last<T> {
    kept: VecDeque<Arc<T>>,
    most: usize,
}

impl<T> Recent<T> {
    /// Keeps so many.
    pub fn new(most: usize) -> Self {
        let last = Mutex::new(Last { kept: VecDeque::new(), most });
        Self { last, next: broadcast::Sender::new(UNHEARD) }
    }

    /// Keeps so many from now on.
    pub fn resize(&self, most: usize) {
        let mut last = lock(&self.last);
        last.most = most;
        let surplus = last.kept.len().saturating_sub(most);
        last.kept.drain(..surplus);
    }

    /// This has happened. Whoever hears of it finds it among the last ones.
    pub fn tell(&self, event: T) {
        let event = Arc::new(event);
        lock(&self.last).keep(event.clone());
        if self.next.receiver_count() > 0 {
            // The last listener may have gone meanwhile.
            let _ = self.next.send(event);
        }
    }

    /// Drops those of which this is not so.
    pub fn retain(&self, wanted: impl Fn(&T) -> bool) {
        lock(&self.last).kept.retain(|event| wanted(event));
    }

    /// The last ones, at most so many, the oldest first.
    pub fn last(&self, most: usize) -> Vec<Arc<T>> {
        let last = lock(&self.last);
        last.kept.iter().skip(last.kept.len().saturating_sub(most)).cloned().collect()
    }

    /// All that happens from now on.
    pub fn listen(&self) -> broadcast::Receiver<Arc<T>> {
        self.next.subscribe()
    }
}

impl<T> Last<T> {
    fn keep(&mut self, event: Arc<T>) {
        if self.kept.len() >= self.most {
            self.kept.pop_front();
        }
        if self.most > 0 {
            self.kept.push_back(event);
        }
    }
}

/// So many wait for whoever is slow.
const UNHEARD: usize = 256;

#[cfg(test)]
mod tests {
    use tokio::sync::broadcast::error::TryRecvError;

    use super::*;

    #[test]
    fn the_last_ones_are_kept() {
        let recent = Recent::new(3);
        let last = |most| recent.last(most).iter().map(|event| **event).collect::<Vec<_>>();
        (1..=5).for_each(|event| recent.tell(event));
        assert_eq!((last(9), last(2)), (vec![3, 4, 5], vec![4, 5]));
        recent.retain(|event| *event != 4);
        recent.resize(1);
        assert_eq!(last(9), [5]);
        recent.resize(0);
        recent.tell(6);
        assert!(last(9).is_empty());
    }

    #[test]
    fn who_is_slow_loses_and_is_told_how_much() {
        let recent = Recent::new(0);
        let mut listener = recent.listen();
        (0..UNHEARD + 10).for_each(|event| recent.tell(event));
        assert!(matches!(listener.try_recv(), Err(TryRecvError::Lagged(10))));
        assert_eq!(listener.try_recv().map(|event| *event), Ok(10));
    }
}
