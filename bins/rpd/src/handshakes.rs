//! Places for TLS handshakes: so many at a time, and of those only a part for one source.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard},
};

use rp_guard::{Key, Keying};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::lock::lock;

/// The handshakes in progress, over all workers.
#[derive(Debug)]
pub struct Handshakes {
    most: u32,
    all: Arc<Semaphore>,
    keys: Keying,
    /// The sources that have one in progress or wait for a place.
    sources: Mutex<HashMap<Key, Source>>,
}

#[derive(Debug)]
struct Source {
    places: Arc<Semaphore>,
    /// Who has a place of it, or waits for one.
    users: usize,
}

/// A place, free again when this is dropped.
#[derive(Debug)]
pub struct Place<'a> {
    _of_all: Option<OwnedSemaphorePermit>,
    _of_source: Option<OwnedSemaphorePermit>,
    _user: User<'a>,
}

impl Handshakes {
    /// Room for `most` at a time; `keys` says what one source is.
    pub fn new(most: u32, keys: Keying) -> Self {
        let all = Arc::new(Semaphore::new(most as usize));
        Self { most, all, keys, sources: Mutex::default() }
    }

    /// Whether these are what [`new`](Self::new) would make of the same values.
    pub fn are(&self, most: u32, keys: &Keying) -> bool {
        self.most == most && self.keys == *keys
    }

    /// Waits for a place. A source that stalls its handshakes waits for its own, and for nobody else's.
    pub async fn begin(&self, source: IpAddr) -> Place<'_> {
        let key = self.keys.key(source);
        let (user, places) = self.enter(key);
        // Neither semaphore is ever closed.
        let _of_source = places.acquire_owned().await.ok();
        let _of_all = self.all.clone().acquire_owned().await.ok();
        Place { _of_all, _of_source, _user: user }
    }

    /// Whether this source has to wait for a place.
    pub fn are_taken(&self, source: IpAddr) -> bool {
        let sources = self.sources();
        let of_source = sources.get(&self.keys.key(source)).map(|source| source.places.available_permits());
        self.all.available_permits() == 0 || of_source == Some(0)
    }

    fn enter(&self, key: Key) -> (User<'_>, Arc<Semaphore>) {
        let mut sources = self.sources();
        let source = sources.entry(key).or_insert_with(|| {
            let part = (self.most / PART_OF_ONE).max(1);
            Source { places: Arc::new(Semaphore::new(part as usize)), users: 0 }
        });
        source.users += 1;
        (User { handshakes: self, key }, source.places.clone())
    }

    fn sources(&self) -> MutexGuard<'_, HashMap<Key, Source>> {
        lock(&self.sources)
    }
}

/// Keeps its source known.
#[derive(Debug)]
struct User<'a> {
    handshakes: &'a Handshakes,
    key: Key,
}

impl Drop for User<'_> {
    fn drop(&mut self) {
        let mut sources = self.handshakes.sources();
        if let Some(source) = sources.get_mut(&self.key) {
            source.users -= 1;
            if source.users == 0 {
                sources.remove(&self.key);
            }
        }
    }
}

/// One source has at most this part of all places.
const PART_OF_ONE: u32 = 4;

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, pin::pin, task::Poll};

    use super::*;

    async fn is_ready<T>(future: impl Future<Output = T>) -> bool {
        let mut future = pin!(future);
        poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_ready())).await
    }

    #[tokio::test]
    async fn who_stalls_his_handshakes_takes_no_place_from_others() {
        let handshakes = Handshakes::new(8, Keying::default());
        let (stalling, other) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let _held = [handshakes.begin(stalling).await, handshakes.begin(stalling).await];
        assert!(!is_ready(handshakes.begin(stalling)).await);
        assert!(is_ready(handshakes.begin(other)).await);
    }

    #[tokio::test]
    async fn a_place_is_free_again_and_nothing_is_kept_of_its_source() {
        let handshakes = Handshakes::new(4, Keying::default());
        let source = "192.0.2.1".parse().unwrap();
        drop(handshakes.begin(source).await);
        assert!(is_ready(handshakes.begin(source)).await);
        assert!(handshakes.sources().is_empty());
    }
}
