//! Places for connections: so many at a time, also when that number changes.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, Ordering},
};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::lock::lock;

/// All places.
#[derive(Debug)]
pub struct Places {
    free: Semaphore,
    number: Mutex<u32>,
    /// So many vanish as soon as they are left.
    surplus: AtomicU32,
}

/// One of them, left when this is dropped.
#[derive(Debug)]
pub struct Place(Arc<Places>);

impl Places {
    /// So many.
    pub fn new(number: u32) -> Self {
        let free = Semaphore::new(number as usize);
        Self { free, number: Mutex::new(number), surplus: AtomicU32::new(0) }
    }

    /// Waits for one that is free.
    pub async fn take(self: &Arc<Self>) -> Place {
        // The semaphore is never closed.
        let _ = self.free.acquire().await.map(SemaphorePermit::forget);
        Place(self.clone())
    }

    /// One that is free at once.
    pub fn try_take(self: &Arc<Self>) -> Option<Place> {
        self.free.try_acquire().ok()?.forget();
        Some(Place(self.clone()))
    }

    /// How many there are, taken or not.
    pub fn number(&self) -> u32 {
        *lock(&self.number)
    }

    /// Makes them more or fewer. Whoever has one keeps it.
    pub fn resize(&self, wanted: u32) {
        let mut number = lock(&self.number);
        let (more, fewer) = (wanted.saturating_sub(*number), number.saturating_sub(wanted));
        *number = wanted;
        let spared = (0..more).take_while(|_| self.one_less()).count();
        self.free.add_permits(more as usize - spared);
        let gone = u32::try_from(self.free.forget_permits(fewer as usize)).unwrap_or(fewer);
        self.surplus.fetch_add(fewer - gone, Ordering::Relaxed);
    }

    /// Waits until nobody has one any more.
    pub async fn all_free(&self) {
        let number = *lock(&self.number);
        let _ = self.free.acquire_many(number).await;
    }

    fn one_less(&self) -> bool {
        let less = |surplus: u32| surplus.checked_sub(1);
        self.surplus.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.0.one_less() {
            self.0.free.add_permits(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn fewer_places_are_reached_as_connections_end() {
        let places = Arc::new(Places::new(3));
        let mut taken = vec![places.take().await, places.take().await, places.take().await];
        places.resize(1);
        taken.truncate(1);
        assert_eq!(places.free.available_permits(), 0);
        taken.clear();
        assert_eq!(places.free.available_permits(), 1);
        places.all_free().await;
    }

    #[tokio::test]
    async fn more_places_are_there_at_once_and_number_as_many_as_wanted() {
        let places = Arc::new(Places::new(2));
        let taken = [places.take().await, places.take().await];
        places.resize(1);
        places.resize(4);
        assert_eq!(places.free.available_permits(), 2);
        drop(taken);
        assert_eq!(places.free.available_permits(), 4);
    }
}
