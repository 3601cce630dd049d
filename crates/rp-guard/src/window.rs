//! The exact sliding window: for each key the times of its last events, in a table of fixed size.
//!
//! The table is set-associative: a key's hash names its shard and in it a set of 8 slots; it sits in one of
//! them. A slot has a ring of as many stamps as the threshold T, because one event more than T within the
//! window is all that has to be seen. Stamps are the low 16 bits of a time in milliseconds: all that are kept
//! are less than 60,000 ms older than the slot's `last`, so nothing is lost.
//!
//! A newcomer to a set of 8 live keys takes the slot of the one with the fewest events and starts at one. To
//! go on with the count of the one before it, as approximate counters do, would ban innocents.

#![allow(clippy::indexing_slicing, reason = "indices come from the sizes that `Shard::new` made")]
#![allow(clippy::arithmetic_side_effects, reason = "on indices; times wrap by name")]

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::event::Event;
use crate::key::{Key, Secret};

/// An event of this age in milliseconds is out of the window.
pub(crate) const SPAN: u32 = 60_000;

/// How often a shard clears what is out of the window. Times in slots wrap after 2^32 ms.
const SWEEP_EVERY: i64 = 10 * 60_000;

/// After so long without a record nothing in a shard can be live, and differences of wrapped times no longer
/// tell before from after.
const FORGET_AFTER: i64 = 1 << 30;

const SHARDS: usize = 64;
const WAYS: usize = 8;

/// One table: all keys that have the same threshold.
#[derive(Debug)]
pub(crate) struct Window {
    threshold: u8,
    slots: usize,
    shards: Box<[Mutex<Shard>]>,
}

impl Window {
    /// A table of at least `slots` slots in which a key is over with its event number `threshold` + 1.
    pub(crate) fn new((threshold, slots): (u8, usize)) -> Self {
        let sets = sets(slots);
        let shards = (0..SHARDS).map(|_| Mutex::new(Shard::new(threshold, sets))).collect();
        Self { threshold, slots: sets * SHARDS * WAYS, shards }
    }

    pub(crate) fn threshold(&self) -> u8 {
        self.threshold
    }

    pub(crate) fn slots(&self) -> usize {
        self.slots
    }

    /// Whether [`Self::new`] with the same arguments would make such a table.
    pub(crate) fn is(&self, (threshold, slots): (u8, usize)) -> bool {
        self.threshold == threshold && self.slots == sets(slots) * SHARDS * WAYS
    }

    /// The part of the table that keys of this hash are in, locked.
    pub(crate) fn shard(&self, hash: u64) -> MutexGuard<'_, Shard> {
        lock(&self.shards[shard_of(hash)])
    }

    /// Empties the window of one key.
    pub(crate) fn clear(&self, key: Key, secret: &Secret) {
        let hash = secret.hash(key);
        self.shard(hash).clear(key, hash);
    }

    /// Empties the windows of all keys that `gone` names; says how many were live.
    pub(crate) fn clear_where(&self, now: i64, gone: impl Fn(Key) -> bool) -> usize {
        self.shards.iter().map(|shard| lock(shard).clear_where(now, &gone)).sum()
    }

    /// Adds the keys of this table to `top`, which keeps the highest.
    pub(crate) fn rank(&self, now: i64, top: &mut Top) {
        for shard in &self.shards {
            lock(shard).rank(now, top);
        }
    }

    pub(crate) fn load(&self, now: i64) -> Load {
        let mut load = Load::default();
        for shard in &self.shards {
            lock(shard).add_load(now, &mut load);
        }
        load
    }
}

/// What a recorded event led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recorded {
    /// The key has so many events in the window, this one included.
    Count(u8),
    /// The threshold was full already.
    Over,
}

/// How much a table holds and has lost.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Load {
    pub(crate) tracked: usize,
    pub(crate) events: u64,
    pub(crate) live_evictions: u64,
}

#[derive(Debug)]
pub(crate) struct Shard {
    /// Also the number of stamps that each slot has.
    threshold: u8,
    slots: Vec<Slot>,
    stamps: Vec<u16>,
    swept: i64,
    events: u64,
    live_evictions: u64,
}

impl Shard {
    fn new(threshold: u8, sets: usize) -> Self {
        Self {
            threshold,
            slots: vec![Slot::default(); sets * WAYS],
            stamps: vec![0; sets * WAYS * usize::from(threshold)],
            swept: 0,
            events: 0,
            live_evictions: 0,
        }
    }

    /// Puts one event into the window of `key`. Linear in nothing but the 8 ways.
    pub(crate) fn record(&mut self, key: Key, hash: u64, event: Event, now: i64) -> Recorded {
        self.catch_up(now);
        self.events += 1;
        let now = wrap(now);
        let at = self.find(key, hash).unwrap_or_else(|| self.take(key, hash, now));
        let (slot, ring) = self.slot(at);
        // Workers read the clock before they wait for the lock, so times come out of order by some ms.
        let now = now.wrapping_sub(slot.ahead(now));
        slot.expire(ring, now);
        slot.event = event;
        if usize::from(slot.len) == ring.len() {
            return Recorded::Over;
        }
        slot.push(ring, now);
        Recorded::Count(slot.len)
    }

    pub(crate) fn clear(&mut self, key: Key, hash: u64) {
        if let Some(at) = self.find(key, hash) {
            self.slots[at] = Slot::default();
        }
    }

    fn clear_where(&mut self, now: i64, gone: &impl Fn(Key) -> bool) -> usize {
        self.catch_up(now);
        let mut cleared = 0;
        for slot in self.slots.iter_mut().filter(|slot| slot.len > 0 && gone(slot.key)) {
            cleared += usize::from(slot.is_live(wrap(now)));
            *slot = Slot::default();
        }
        cleared
    }

    fn rank(&mut self, now: i64, top: &mut Top) {
        self.catch_up(now);
        let rings = self.stamps.chunks_exact(usize::from(self.threshold));
        for (slot, ring) in self.slots.iter().zip(rings) {
            // First without a look at the ring: what of it is out of the window only makes the count less.
            if slot.len < top.least() {
                continue;
            }
            let last = now - i64::from(slot.idle(wrap(now)));
            if top.takes(slot.len, last, slot.key) {
                // On a copy: a record whose clock was read a little earlier may still be on its way.
                let mut slot = *slot;
                slot.expire(ring, wrap(now));
                if top.takes(slot.len, last, slot.key) {
                    top.offer(slot.ranked(ring, now, self.threshold));
                }
            }
        }
    }

    fn add_load(&mut self, now: i64, load: &mut Load) {
        self.catch_up(now);
        load.tracked += self.slots.iter().filter(|slot| slot.is_live(wrap(now))).count();
        load.events += self.events;
        load.live_evictions += self.live_evictions;
    }

    /// Clears slots long out of the window from time to time, before wrapped times make them seem fresh again.
    fn catch_up(&mut self, now: i64) {
        let since = now.saturating_sub(self.swept);
        if since < SWEEP_EVERY {
            return;
        }
        self.swept = now;
        for slot in &mut self.slots {
            if since >= FORGET_AFTER || slot.idle(wrap(now)) >= 2 * SPAN {
                *slot = Slot::default();
            }
        }
    }

    fn slot(&mut self, at: usize) -> (&mut Slot, &mut [u16]) {
        let stride = usize::from(self.threshold);
        (&mut self.slots[at], &mut self.stamps[at * stride..(at + 1) * stride])
    }

    fn find(&self, key: Key, hash: u64) -> Option<usize> {
        let first = self.set(hash);
        let ways = &self.slots[first..first + WAYS];
        ways.iter().position(|slot| slot.len > 0 && slot.key == key).map(|way| first + way)
    }

    /// An empty slot for `key`: of the set's idle ones or, where all are live, of the one with the fewest
    /// events, among those the oldest.
    fn take(&mut self, key: Key, hash: u64, now: u32) -> usize {
        let first = self.set(hash);
        let ways = self.slots[first..first + WAYS].iter().enumerate();
        let worth = |slot: &Slot| (slot.is_live(now), slot.len, Reverse(slot.idle(now)));
        let way = ways.min_by_key(|(_, slot)| worth(slot)).map_or(0, |(way, _)| way);
        let slot = &mut self.slots[first + way];
        self.live_evictions += u64::from(slot.is_live(now));
        *slot = Slot { key, last: now, ..Slot::default() };
        first + way
    }

    /// The first slot of the set that keys of this hash are in.
    fn set(&self, hash: u64) -> usize {
        let sets = self.slots.len() / WAYS;
        (((hash & 0xffff_ffff) * sets as u64) >> 32) as usize * WAYS
    }
}

/// The state of one key, without its stamps: 24 octets.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    key: Key,
    /// Of the newest event, wrapped.
    last: u32,
    /// Where in the ring the oldest stamp is.
    head: u8,
    /// How many stamps are in the ring; 0 in a free slot.
    len: u8,
    event: Event,
}

impl Slot {
    /// By how much `now` lies before the newest event.
    fn ahead(&self, now: u32) -> u32 {
        let passed = now.wrapping_sub(self.last);
        if self.len > 0 && passed >= 1 << 31 { passed } else { 0 }
    }

    /// How long ago the newest event was.
    fn idle(&self, now: u32) -> u32 {
        now.wrapping_sub(self.ahead(now)).wrapping_sub(self.last)
    }

    fn is_live(&self, now: u32) -> bool {
        self.len > 0 && self.idle(now) < SPAN
    }

    /// Drops the stamps that are out of the window.
    fn expire(&mut self, ring: &[u16], now: u32) {
        if !self.is_live(now) {
            self.len = 0;
        }
        while self.len > 0 && self.oldest(ring, now) >= SPAN {
            self.head = wrap_ring(usize::from(self.head) + 1, ring);
            self.len -= 1;
        }
    }

    /// The age of the oldest stamp.
    fn oldest(&self, ring: &[u16], now: u32) -> u32 {
        let stamp = ring[usize::from(self.head)];
        self.idle(now) + u32::from(low(self.last).wrapping_sub(stamp))
    }

    fn push(&mut self, ring: &mut [u16], now: u32) {
        ring[usize::from(wrap_ring(usize::from(self.head) + usize::from(self.len), ring))] = low(now);
        self.len += 1;
        self.last = now;
    }

    fn ranked(&self, ring: &[u16], now: i64, threshold: u8) -> Ranked {
        let ago = |age: u32| now - i64::from(age);
        Ranked {
            count: self.len,
            last: ago(self.idle(wrap(now))),
            key: Reverse(self.key),
            first: ago(self.oldest(ring, wrap(now))),
            threshold,
            event: self.event,
        }
    }
}

/// The keys with the highest counts, while tables are walked through.
#[derive(Debug)]
pub(crate) struct Top {
    most: usize,
    // The lowest is on top.
    heap: BinaryHeap<Reverse<Ranked>>,
}

/// A key in the window. Sorts by count, then the newest event, then the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ranked {
    pub(crate) count: u8,
    pub(crate) last: i64,
    pub(crate) key: Reverse<Key>,
    pub(crate) first: i64,
    pub(crate) threshold: u8,
    pub(crate) event: Event,
}

impl Top {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, heap: BinaryHeap::new() }
    }

    /// From the highest to the lowest.
    pub(crate) fn into_sorted(self) -> impl Iterator<Item = Ranked> {
        self.heap.into_sorted_vec().into_iter().map(|Reverse(ranked)| ranked)
    }

    /// No key with fewer events is among the highest so far.
    fn least(&self) -> u8 {
        self.lowest().map_or(1, |lowest| lowest.count)
    }

    /// Whether a key with this count and newest event is among the highest so far.
    fn takes(&self, count: u8, last: i64, key: Key) -> bool {
        let higher = |lowest: &Ranked| (count, last, Reverse(key)) > (lowest.count, lowest.last, lowest.key);
        count > 0 && self.lowest().is_none_or(higher)
    }

    /// The one that the next higher one pushes out.
    fn lowest(&self) -> Option<&Ranked> {
        let full = self.heap.len() >= self.most;
        self.heap.peek().filter(|_| full).map(|Reverse(lowest)| lowest)
    }

    fn offer(&mut self, ranked: Ranked) {
        self.heap.push(Reverse(ranked));
        if self.heap.len() > self.most {
            self.heap.pop();
        }
    }
}

/// The sets of each shard in a table of at least `slots` slots.
fn sets(slots: usize) -> usize {
    slots.div_ceil(SHARDS * WAYS).max(1)
}

/// What a panic elsewhere left behind a lock is whole: every change below is a few stores.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The shard, from other bits of the hash than the set and than those that hash maps look at first.
fn shard_of(hash: u64) -> usize {
    (hash >> 40) as usize % SHARDS
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "times in slots wrap")]
fn wrap(now: i64) -> u32 {
    now as u32
}

#[expect(clippy::cast_possible_truncation, reason = "stamps are the low half")]
fn low(now: u32) -> u16 {
    now as u16
}

/// The place `at` of the ring, counted on past its end.
#[expect(clippy::cast_possible_truncation, reason = "a ring has at most 255 places")]
fn wrap_ring(at: usize, ring: &[u16]) -> u8 {
    (if at < ring.len() { at } else { at - ring.len() }) as u8
}
