//! The automatic bans, by key, in maps whose size never changes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use crate::entry::{Entry, Kind, Origin, Refusals, between};
use crate::event::Event;
use crate::key::{Key, Secret};
use crate::lists::Item;
use crate::network::Network;

const SHARDS: usize = 64;

/// All bans, those that ran out included until they are swept.
#[derive(Debug)]
pub(crate) struct Bans {
    per_shard: usize,
    secret: Secret,
    shards: Box<[RwLock<Shard>]>,
    dropped: AtomicU64,
}

type Shard = HashMap<Key, Ban, Secret>;

/// One ban. Times are in milliseconds since the guard was made.
#[derive(Debug)]
pub(crate) struct Ban {
    pub(crate) made: i64,
    pub(crate) until: i64,
    pub(crate) refusals: Refusals,
    pub(crate) count: u16,
    pub(crate) event: Event,
    pub(crate) observed: bool,
}

impl Bans {
    pub(crate) fn new(max_entries: usize, secret: &Secret) -> Self {
        let per_shard = per_shard(max_entries);
        // Twice the room, so that a full map clears out its tombstones in place and never grows.
        let room = per_shard.saturating_mul(2);
        let shard = || RwLock::new(HashMap::with_capacity_and_hasher(room, secret.clone()));
        let shards = (0..SHARDS).map(|_| shard()).collect();
        Self { per_shard, secret: secret.clone(), shards, dropped: AtomicU64::new(0) }
    }

    /// Whether `max_entries` would make maps of this size.
    pub(crate) fn fits(&self, max_entries: usize) -> bool {
        self.per_shard == per_shard(max_entries)
    }

    /// Whether a ban of `key` is running, an observed one included.
    pub(crate) fn holds(&self, key: Key, now: i64) -> bool {
        self.read(key).is_some_and(|shard| shard.get(&key).is_some_and(|ban| ban.is_live(now)))
    }

    /// Counts a refusal and says how long the ban still runs, if there is one. Observed ones exist in observe
    /// mode only, where nobody asks.
    pub(crate) fn refuse(&self, key: Key, now: i64) -> Option<Duration> {
        let shard = self.read(key)?;
        let ban = shard.get(&key).filter(|ban| ban.is_live(now))?;
        ban.refusals.add(now);
        Some(between(now, ban.until))
    }

    /// Adds a ban, unless one is running. Where the shard is full, the one with the least time left goes.
    pub(crate) fn insert(&self, key: Key, ban: Ban, now: i64) -> bool {
        let Some(mut shard) = self.write(key) else { return false };
        match shard.get(&key) {
            Some(old) if old.is_live(now) => return false,
            Some(_) => {}
            None if shard.len() < self.per_shard => {}
            None => {
                let ends_first = shard.iter().min_by_key(|(_, ban)| ban.until).map(|(key, _)| *key);
                let gone = ends_first.and_then(|key| shard.remove(&key));
                let live = gone.is_some_and(|ban| ban.is_live(now));
                self.dropped.fetch_add(u64::from(live), Ordering::Relaxed);
            }
        }
        shard.insert(key, ban);
        true
    }

    /// The ban of `key`, if it is running, as an entry of the lists.
    pub(crate) fn item(&self, key: Key, network: Network, now: i64) -> Option<Item> {
        let shard = self.read(key)?;
        let ban = shard.get(&key).filter(|ban| ban.is_live(now))?;
        Some(Item {
            made: ban.made,
            until: Some(ban.until),
            event: Some(ban.event),
            count: ban.count,
            ..Item::new(network, Kind::Block, Origin::Auto, now)
        })
    }

    pub(crate) fn remove(&self, key: Key) -> Option<Ban> {
        self.write(key)?.remove(&key)
    }

    /// Takes out all bans that `gone` names.
    pub(crate) fn take_where(&self, gone: impl Fn(Key, &Ban) -> bool) -> Vec<(Key, Ban)> {
        let mut taken = Vec::new();
        for shard in &self.shards {
            let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
            taken.extend(shard.extract_if(|key, ban| gone(*key, ban)));
        }
        taken
    }

    /// Walks through all bans, shard by shard.
    pub(crate) fn for_each(&self, mut each: impl FnMut(Key, &Ban)) {
        for shard in &self.shards {
            let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
            shard.iter().for_each(|(key, ban)| each(*key, ban));
        }
    }

    /// Live bans that had to go because the lists were full.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// The same bans in maps of another size.
    pub(crate) fn resized(&self, max_entries: usize, now: i64) -> Self {
        let resized = Self::new(max_entries, &self.secret);
        resized.dropped.store(self.dropped(), Ordering::Relaxed);
        for (key, ban) in self.take_where(|_, _| true) {
            resized.insert(key, ban, now);
        }
        resized
    }

    fn read(&self, key: Key) -> Option<RwLockReadGuard<'_, Shard>> {
        Some(self.shard(key)?.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, key: Key) -> Option<RwLockWriteGuard<'_, Shard>> {
        Some(self.shard(key)?.write().unwrap_or_else(PoisonError::into_inner))
    }

    fn shard(&self, key: Key) -> Option<&RwLock<Shard>> {
        // Other bits than those that the maps look at first.
        self.shards.get((self.secret.hash(key) >> 40) as usize % SHARDS)
    }
}

impl Ban {
    pub(crate) fn is_live(&self, now: i64) -> bool {
        now < self.until
    }

    pub(crate) fn entry(&self, network: Network, now: i64) -> Entry {
        Entry {
            network,
            kind: Kind::Block,
            origin: Origin::Auto,
            age: between(self.made, now),
            left: Some(between(now, self.until)),
            event: Some(self.event),
            count: self.count,
            by: String::new(),
            comment: String::new(),
            observed: self.observed,
            refused: self.refusals.count(),
            last_refused: self.refusals.last(now),
        }
    }
}

fn per_shard(max_entries: usize) -> usize {
    max_entries.div_ceil(SHARDS).max(1)
}
