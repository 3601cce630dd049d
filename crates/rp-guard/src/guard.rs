//! The guard itself: who is let in, and what a suspicious request leads to.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant, SystemTime};

use crate::answer::{Admission, Denial, Forgotten, Stats, Suspect, Verdict};
use crate::bans::Ban;
use crate::entry::{Actor, Change, Entry, Filter, Kind, Origin, Refusals, Refused, between, millis};
use crate::event::Event;
use crate::key::{Key, Secret, Seeds};
use crate::lists::{Item, Listed};
use crate::network::Network;
use crate::policy::{Mode, Policy};
use crate::rules::Rules;
use crate::snapshot::{Restored, Saved};
use crate::window::{Recorded, Top};

/// The most characters of a name that changed an entry.
const NAME_MAX: usize = 120;

/// Counts suspicious requests per source, bans sources with too many, and keeps the lists.
///
/// One guard serves all workers. `now` may come from each worker's own reading of the clock.
pub struct Guard {
    /// All times inside are milliseconds since then.
    start: Instant,
    secret: Secret,
    // Whoever holds more than one lock took them in this order: `listed`, `rules`, a shard of a window, a
    // shard of the bans. Every change of lists or policy holds `listed` from end to end.
    listed: Mutex<Listed>,
    rules: RwLock<Rules>,
}

impl Guard {
    /// A guard without bans. Allocates all that it needs for counting and banning.
    pub fn new(policy: &Policy, seeds: Seeds, now: Instant) -> Self {
        let secret = Secret::new(seeds);
        let mut listed = Listed::default();
        listed.configure(policy, 0);
        let rules = Rules::new(policy, listed.flatten(0), &secret);
        Self { start: now, secret, listed: Mutex::new(listed), rules: RwLock::new(rules) }
    }

    /// Whether a connection from `addr` is let in. An allow entry wins over everything, however long the
    /// prefixes are.
    pub fn admit(&self, addr: IpAddr, now: Instant) -> Admission {
        let (rules, now) = (self.rules(), self.millis(now));
        let addr = rules.keys.unfold(addr);
        if rules.lists.allow(addr, now) {
            return Admission::Allowed;
        }
        if rules.mode == Mode::Observe {
            return Admission::Open;
        }
        if let Some(item) = rules.lists.block(addr, now) {
            item.refusals.add(now);
            let left = item.until.map(|until| between(now, until));
            return Admission::Denied(Denial { network: item.network, origin: item.origin, left });
        }
        let key = rules.keys.mask(addr);
        rules.bans.refuse(key, now).map_or(Admission::Open, |left| {
            let network = rules.keys.network(key);
            Admission::Denied(Denial { network, origin: Origin::Auto, left: Some(left) })
        })
    }

    /// Counts a suspicious request of `addr`, and bans its key if it was one too many.
    pub fn report(&self, addr: IpAddr, event: Event, now: Instant) -> Verdict {
        let (rules, now) = (self.rules(), self.millis(now));
        let addr = rules.keys.unfold(addr);
        if rules.lists.allow(addr, now) {
            return Verdict::Allowed;
        }
        if rules.lists.block(addr, now).is_some() {
            return rules.blocked();
        }
        let key = rules.keys.mask(addr);
        let Some(window) = rules.window(addr) else {
            return if rules.bans.holds(key, now) { rules.blocked() } else { Verdict::Off };
        };
        let hash = self.secret.hash(key);
        let mut shard = window.shard(hash);
        // Under the lock of the shard, so that of many events at once exactly one makes the ban.
        if rules.bans.holds(key, now) {
            return rules.blocked();
        }
        let threshold = window.threshold();
        match shard.record(key, hash, event, now) {
            Recorded::Count(count) => Verdict::Counted { count, threshold },
            Recorded::Over => {
                let banned = rules.ban(key, event, threshold, now);
                drop(shard);
                rules.clear(key, &self.secret);
                banned
            }
        }
    }

    /// The key that `addr` is counted under, to find the other connections of a source that got banned.
    pub fn key(&self, addr: IpAddr) -> Key {
        self.rules().keys.key(addr)
    }

    /// The `n` sources with the most events in the window, from the most to the fewest.
    pub fn top(&self, n: usize, now: Instant) -> Vec<Suspect> {
        let (rules, now) = (self.rules(), self.millis(now));
        let mut top = Top::new(n);
        rules.windows.iter().for_each(|window| window.rank(now, &mut top));
        top.into_sorted().map(|ranked| rules.suspect(ranked, now)).collect()
    }

    /// The entries in force that `filter` asks for, sorted by network.
    pub fn entries(&self, filter: &Filter, now: Instant) -> Vec<Entry> {
        let now = self.millis(now);
        let mut entries: Vec<Entry> = self.listed().live(now).map(|item| item.entry(now)).collect();
        let rules = self.rules();
        let filter = Filter { covering: filter.covering.map(|addr| rules.keys.unfold(addr)), ..*filter };
        entries.retain(|entry| filter.takes(entry));
        rules.bans.for_each(|key, ban| {
            let entry = ban.entry(rules.keys.network(key), now);
            if ban.is_live(now) && filter.takes(&entry) {
                entries.push(entry);
            }
        });
        entries.sort_by_key(|entry| (entry.network, entry.kind, entry.origin));
        entries
    }

    /// Adds an entry or replaces that of exactly this network; without `lifetime` it is for ever. An allow
    /// entry lifts the automatic bans inside and empties the windows there.
    ///
    /// # Errors
    /// See [`Refused`]; nothing was changed then.
    pub fn put(
        &self,
        network: Network,
        kind: Kind,
        lifetime: Option<Duration>,
        comment: &str,
        actor: &Actor<'_>,
        now: Instant,
    ) -> Result<Change, Refused> {
        let now = self.millis(now);
        let mut listed = self.listed();
        let network = self.rules().keys.unfold_network(network);
        listed.check(network, kind, actor)?;
        let item = Item {
            until: deadline(now, lifetime),
            by: cut(actor.name, NAME_MAX),
            comment: checked(comment)?,
            ..Item::new(network, kind, Origin::Manual, now)
        };
        self.change(&mut listed, item, now)
    }

    /// Turns a block entry into an allow entry or the other way round. Towards allow, the time-out is
    /// cleared, or `lifetime` from now on. Towards block, it stays unless `lifetime` is given. The entry
    /// becomes a manual one.
    ///
    /// # Errors
    /// See [`Refused`]; nothing was changed then.
    pub fn flip(
        &self,
        network: Network,
        lifetime: Option<Duration>,
        actor: &Actor<'_>,
        now: Instant,
    ) -> Result<Change, Refused> {
        self.alter(network, actor, now, |item, now| {
            (item.kind, item.until) = match item.kind {
                Kind::Block => (Kind::Allow, deadline(now, lifetime)),
                Kind::Allow => (Kind::Block, deadline(now, lifetime).or(item.until)),
            };
            Ok(())
        })
    }

    /// Gives an entry another time to live, counted from now, or another comment; what is `None` stays. The entry
    /// becomes a manual one.
    ///
    /// # Errors
    /// See [`Refused`]; nothing was changed then.
    pub fn amend(
        &self,
        network: Network,
        lifetime: Option<Option<Duration>>,
        comment: Option<&str>,
        actor: &Actor<'_>,
        now: Instant,
    ) -> Result<Change, Refused> {
        self.alter(network, actor, now, |item, now| {
            if let Some(lifetime) = lifetime {
                item.until = deadline(now, lifetime);
            }
            if let Some(comment) = comment {
                item.comment = checked(comment)?;
            }
            Ok(())
        })
    }

    /// Removes the entry of exactly this network, manual or automatic. Sources inside start at zero.
    ///
    /// # Errors
    /// [`Refused::Unknown`] or [`Refused::Configured`].
    pub fn remove(&self, network: Network, now: Instant) -> Result<Change, Refused> {
        let now = self.millis(now);
        let mut listed = self.listed();
        let network = self.rules().keys.unfold_network(network);
        listed.check_changeable(network)?;
        let manual = listed.manual(network, now).map(|item| item.entry(now));
        if listed.remove(network).is_some() {
            self.publish(&listed, now);
        }
        let rules = self.rules();
        let ban = rules.lift(network, now);
        let before = manual.or(ban).ok_or(Refused::Unknown(network))?;
        rules.clear_inside(network, now);
        Ok(Change { before: Some(before), after: None, lifted: Vec::new() })
    }

    /// Erases all that is known of the addresses in `network`: manual entries and bans inside, and what the
    /// window holds of them. Entries of the configuration stay.
    pub fn forget(&self, network: Network, now: Instant) -> Forgotten {
        let now = self.millis(now);
        let mut listed = self.listed();
        let network = self.rules().keys.unfold_network(network);
        let gone = listed.take_where(|item| network.covers(item.network));
        if !gone.is_empty() {
            self.publish(&listed, now);
        }
        let rules = self.rules();
        let mut entries: Vec<Entry> = gone.iter().map(|item| item.entry(now)).collect();
        entries.extend(rules.lift_inside(network, now));
        Forgotten { entries, windows: rules.clear_inside(network, now) }
    }

    /// Takes out what ran out and gives it back, for the log. Entries end at their time without this; it
    /// only makes room. Every ten seconds is often enough.
    pub fn sweep(&self, now: Instant) -> Vec<Entry> {
        let now = self.millis(now);
        let mut listed = self.listed();
        let gone = listed.take_where(|item| !item.is_live(now));
        if !gone.is_empty() {
            self.publish(&listed, now);
        }
        let mut ended: Vec<Entry> = gone.iter().map(|item| item.entry(now)).collect();
        ended.extend(self.rules().take_bans(now, |_, ban| !ban.is_live(now)));
        ended
    }

    /// All entries worth keeping over a restart. `wall` is the wall clock's reading at `now`.
    pub fn snapshot(&self, now: Instant, wall: SystemTime) -> Vec<Saved> {
        self.entries(&Filter::default(), now)
            .into_iter()
            .filter_map(|entry| Saved::new(entry, wall))
            .collect()
    }

    /// Takes entries of an earlier snapshot. However the wall clock jumped since, none lasts longer than it
    /// was to last in all.
    pub fn restore(
        &self,
        saved: impl IntoIterator<Item = Saved>,
        now: Instant,
        wall: SystemTime,
    ) -> Restored {
        let now = self.millis(now);
        let mut listed = self.listed();
        let mut restored = Restored::default();
        for saved in saved {
            let taken = if saved.left(wall).is_some_and(|left| left.is_zero()) {
                &mut restored.expired
            } else if self.take(&mut listed, &saved, now, wall) {
                &mut restored.taken
            } else {
                &mut restored.skipped
            };
            *taken = taken.saturating_add(1);
        }
        self.publish(&listed, now);
        restored
    }

    /// Goes by another policy from now on. Gives back bans that ended by it: observed ones when the mode
    /// becomes `Enforce`, and those of networks that are no longer one source. A table of the window starts
    /// empty if its threshold or size is new, all do if `keys` changed.
    pub fn reconfigure(&self, policy: &Policy, now: Instant) -> Vec<Entry> {
        let now = self.millis(now);
        let mut listed = self.listed();
        listed.configure(policy, now);
        let lists = listed.flatten(now);
        let windows = self.rules().missing_windows(policy);
        let mut rules = self.rules_mut();
        let (ended, old) = rules.adopt(policy, lists, windows, now);
        // What is no longer needed is freed after everybody can go on.
        drop(rules);
        drop(old);
        ended
    }

    /// How full the guard is. Walks through all of it: for a metric, not for every connection.
    pub fn stats(&self, now: Instant) -> Stats {
        let now = self.millis(now);
        let mut stats = Stats::default();
        for item in self.listed().live(now) {
            stats.listed = stats.listed.saturating_add(1);
            stats.allowed = stats.allowed.saturating_add(usize::from(item.kind == Kind::Allow));
        }
        let rules = self.rules();
        for window in &rules.windows {
            let load = window.load(now);
            stats.slots = stats.slots.saturating_add(window.slots());
            stats.tracked = stats.tracked.saturating_add(load.tracked);
            stats.events = stats.events.saturating_add(load.events);
            stats.live_evictions = stats.live_evictions.saturating_add(load.live_evictions);
        }
        rules.bans.for_each(|_, ban| stats.bans = stats.bans.saturating_add(usize::from(ban.is_live(now))));
        stats.blocked = stats.bans.saturating_add(stats.listed.saturating_sub(stats.allowed));
        stats.bans_dropped = rules.bans.dropped();
        stats
    }

    /// Puts an entry that was checked into force, with all that follows from it.
    fn change(&self, listed: &mut Listed, item: Item, now: i64) -> Result<Change, Refused> {
        let (network, kind, after) = (item.network, item.kind, item.entry(now));
        let manual = listed.put(item, now)?.map(|item| item.entry(now));
        self.publish(listed, now);
        let rules = self.rules();
        let ban = rules.lift(network, now);
        let mut lifted = Vec::new();
        if kind == Kind::Allow {
            lifted = rules.lift_inside(network, now);
            rules.clear_inside(network, now);
        }
        let before = match (manual, ban) {
            (Some(manual), ban) => {
                lifted.extend(ban);
                Some(manual)
            }
            (None, ban) => ban,
        };
        Ok(Change { before, after: Some(after), lifted })
    }

    /// Changes the entry of exactly this network, which becomes a manual one of `actor`.
    fn alter(
        &self,
        network: Network,
        actor: &Actor<'_>,
        now: Instant,
        alter: impl FnOnce(&mut Item, i64) -> Result<(), Refused>,
    ) -> Result<Change, Refused> {
        let now = self.millis(now);
        let mut listed = self.listed();
        let network = self.rules().keys.unfold_network(network);
        let mut item = self.find(&listed, network, now)?;
        alter(&mut item, now)?;
        item.origin = Origin::Manual;
        item.by = cut(actor.name, NAME_MAX);
        listed.check(network, item.kind, actor)?;
        self.change(&mut listed, item, now)
    }

    /// The entry of exactly this network that can be changed, as a new item.
    fn find(&self, listed: &Listed, network: Network, now: i64) -> Result<Item, Refused> {
        listed.check_changeable(network)?;
        if let Some(item) = listed.manual(network, now) {
            return Ok(item.renewed());
        }
        let rules = self.rules();
        rules
            .keys
            .key_of(network)
            .and_then(|key| rules.bans.item(key, network, now))
            .ok_or(Refused::Unknown(network))
    }

    /// One entry of a snapshot; `false` if it does not fit.
    fn take(&self, listed: &mut Listed, saved: &Saved, now: i64, wall: SystemTime) -> bool {
        let made = now.saturating_sub(millis(saved.age(wall)));
        let until = deadline(now, saved.left(wall));
        let rules = self.rules();
        match (saved.origin, saved.kind, until) {
            (Origin::Auto, Kind::Block, Some(until)) => {
                let event = saved.event.unwrap_or_default();
                let ban = Ban {
                    made,
                    until,
                    refusals: Refusals::default(),
                    count: saved.count,
                    event,
                    observed: false,
                };
                rules.keys.key_of(saved.network).is_some_and(|key| rules.bans.insert(key, ban, now))
            }
            (Origin::Manual, kind, until) => {
                let network = rules.keys.unfold_network(saved.network);
                let free = listed.check_changeable(network).is_ok() && listed.manual(network, now).is_none();
                let item = Item {
                    until,
                    event: saved.event,
                    count: saved.count,
                    by: cut(&saved.by, NAME_MAX),
                    comment: cut(&saved.comment, Refused::COMMENT_MAX),
                    ..Item::new(network, kind, Origin::Manual, made)
                };
                free && listed.put(item, now).is_ok()
            }
            _ => false,
        }
    }

    /// Swaps the flattened lists.
    fn publish(&self, listed: &Listed, now: i64) {
        let mut lists = listed.flatten(now);
        std::mem::swap(&mut self.rules_mut().lists, &mut lists);
    }

    fn millis(&self, now: Instant) -> i64 {
        millis(now.saturating_duration_since(self.start))
    }

    // A panic elsewhere leaves whole values behind these locks: changes are built first and stored last.

    fn listed(&self) -> MutexGuard<'_, Listed> {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rules(&self) -> RwLockReadGuard<'_, Rules> {
        self.rules.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn rules_mut(&self) -> RwLockWriteGuard<'_, Rules> {
        self.rules.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").finish_non_exhaustive()
    }
}

fn deadline(now: i64, lifetime: Option<Duration>) -> Option<i64> {
    lifetime.map(|lifetime| now.saturating_add(millis(lifetime)))
}

fn checked(comment: &str) -> Result<String, Refused> {
    match comment.chars().count() {
        0..=Refused::COMMENT_MAX => Ok(comment.to_owned()),
        length => Err(Refused::CommentTooLong(length)),
    }
}

/// The first `most` characters.
fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

#[cfg(test)]
mod tests;
