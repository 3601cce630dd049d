//! Places for connections to the administration: so many at a time, and of those only a part for one source.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::attempts;
use crate::lock::lock;

/// All places, and who has them.
#[derive(Debug)]
pub(super) struct Guests {
    free: Arc<Semaphore>,
    sources: Mutex<HashMap<IpAddr, usize>>,
}

/// Somebody who has a place, until this is dropped.
#[derive(Debug)]
pub(super) struct Guest {
    guests: Arc<Guests>,
    source: IpAddr,
    _place: OwnedSemaphorePermit,
}

impl Guests {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { free: Arc::new(Semaphore::new(AT_ONCE)), sources: Mutex::default() })
    }

    /// Waits for a place. There is always one in the end.
    pub(super) async fn place(&self) -> Option<OwnedSemaphorePermit> {
        self.free.clone().acquire_owned().await.ok()
    }

    /// Gives the place to this source, unless it has its part already.
    pub(super) fn seat(self: &Arc<Self>, source: IpAddr, place: OwnedSemaphorePermit) -> Option<Guest> {
        let source = attempts::key(source);
        let mut sources = lock(&self.sources);
        let taken = sources.entry(source).or_default();
        if *taken >= OF_ONE {
            return None;
        }
        *taken += 1;
        Some(Guest { guests: self.clone(), source, _place: place })
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut sources = lock(&self.guests.sources);
        if let Some(taken) = sources.get_mut(&self.source) {
            *taken -= 1;
            if *taken == 0 {
                sources.remove(&self.source);
            }
        }
    }
}

const AT_ONCE: usize = 64;

/// A page in a browser takes up to six.
const OF_ONE: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_takes_all_he_can_get_leaves_places_to_others_and_they_come_back() {
        let guests = Guests::new();
        let (greedy, other): (IpAddr, IpAddr) =
            ("2001:db8::1".parse().expect("an address"), "192.0.2.1".parse().expect("an address"));
        let mut seated = Vec::new();
        for _ in 0..AT_ONCE {
            seated.extend(guests.seat(greedy, guests.place().await.expect("a place")));
        }
        assert_eq!(seated.len(), OF_ONE);
        assert!(guests.seat(other, guests.place().await.expect("a place")).is_some());
        seated.pop();
        assert!(guests.seat(greedy, guests.place().await.expect("a place")).is_some());
        seated.clear();
        assert_eq!((lock(&guests.sources).len(), guests.free.available_permits()), (0, AT_ONCE));
    }
}
