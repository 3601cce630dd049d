//! A queue that is nearly always empty.

use std::collections::VecDeque;

/// First in, first out. An empty one is a pointer to nothing: most connections wait, for hours.
#[allow(clippy::box_collection, reason = "a connection has several, and they are there all the time")]
pub(super) struct Queue<T>(Option<Box<VecDeque<T>>>);

impl<T> Queue<T> {
    pub(super) const fn new() -> Self {
        Self(None)
    }

    pub(super) fn push(&mut self, last: T) {
        self.0.get_or_insert_default().push_back(last);
    }

    pub(super) fn pop(&mut self) -> Option<T> {
        let queue = self.0.as_mut()?;
        let first = queue.pop_front();
        if queue.is_empty() {
            self.0 = None;
        }
        first
    }

    /// From the first to the last.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flat_map(|queue| queue.iter())
    }
}
