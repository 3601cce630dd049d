//! A queue that is nearly always empty, and else nearly always of one.

use std::{collections::VecDeque, iter, mem};

/// First in, first out. An empty one is a pointer to nothing: most connections wait, for hours.
pub(super) struct Queue<T>(Option<Box<Waiting<T>>>);

struct Waiting<T> {
    first: T,
    /// Takes no memory of its own while it is empty.
    behind: VecDeque<T>,
}

impl<T> Queue<T> {
    pub(super) const fn new() -> Self {
        Self(None)
    }

    pub(super) fn push(&mut self, last: T) {
        match &mut self.0 {
            Some(waiting) => waiting.behind.push_back(last),
            None => self.0 = Some(Box::new(Waiting { first: last, behind: VecDeque::new() })),
        }
    }

    pub(super) fn pop(&mut self) -> Option<T> {
        let mut waiting = self.0.take()?;
        let Some(next) = waiting.behind.pop_front() else { return Some(waiting.first) };
        let first = mem::replace(&mut waiting.first, next);
        self.0 = Some(waiting);
        Some(first)
    }

    /// From the first to the last.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flat_map(|waiting| iter::once(&waiting.first).chain(&waiting.behind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_first_leaves_first() {
        let mut queue = Queue::new();
        assert_eq!(queue.pop(), None);
        (1..=3).for_each(|number| queue.push(number));
        assert!(queue.iter().eq(&[1, 2, 3]));
        assert_eq!((queue.pop(), queue.pop()), (Some(1), Some(2)));
        queue.push(4);
        assert_eq!((queue.pop(), queue.pop(), queue.pop()), (Some(3), Some(4), None));
    }
}
