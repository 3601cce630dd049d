//! What admission and counting go by, all of it behind one lock.

use std::net::IpAddr;

use crate::answer::{Suspect, Verdict};
use crate::bans::{Ban, Bans};
use crate::entry::{Entry, Refusals, between, millis};
use crate::event::Event;
use crate::key::{Key, Keying, Secret};
use crate::lists::Lists;
use crate::network::Network;
use crate::policy::{Mode, Policy};
use crate::ranges::Ranges;
use crate::window::{Ranked, Window};

/// What admission and counting look at. A change builds the new part first and swaps it in.
pub(crate) struct Rules {
    pub(crate) mode: Mode,
    pub(crate) keys: Keying,
    pub(crate) expiration: i64,
    pub(crate) default_threshold: u8,
    pub(crate) thresholds: Ranges<u8>,
    pub(crate) windows: Vec<Window>,
    pub(crate) lists: Lists,
    pub(crate) bans: Bans,
}

impl Rules {
    pub(crate) fn new(policy: &Policy, lists: Lists, secret: &Secret) -> Self {
        Self {
            mode: policy.mode,
            keys: policy.keys.clone(),
            expiration: millis(policy.expiration),
            default_threshold: policy.thresholds.default_threshold(),
            thresholds: policy.thresholds.ranges(&policy.keys),
            windows: tables(policy).map(Window::new).collect(),
            lists,
            bans: Bans::new(policy.max_entries, secret),
        }
    }

    /// Tables of the window that `policy` wants and that there are none of.
    pub(crate) fn missing_windows(&self, policy: &Policy) -> Vec<Window> {
        let kept = |table| self.keys == policy.keys && self.windows.iter().any(|window| window.is(table));
        tables(policy).filter(|table| !kept(*table)).map(Window::new).collect()
    }

    /// Goes by `policy` from now on, with the windows that were missing. Gives back the bans that end by it
    /// and the windows that are no longer needed.
    pub(crate) fn adopt(
        &mut self,
        policy: &Policy,
        lists: Lists,
        mut windows: Vec<Window>,
        now: i64,
    ) -> (Vec<Entry>, Vec<Window>) {
        let ended = self.take_bans(now, |network, ban| {
            (ban.observed && policy.mode == Mode::Enforce) || policy.keys.key_of(network).is_none()
        });
        if !self.bans.fits(policy.max_entries) {
            self.bans = self.bans.resized(policy.max_entries, now);
        }
        if self.keys == policy.keys {
            let wanted = |window: &mut Window| tables(policy).any(|table| window.is(table));
            windows.extend(self.windows.extract_if(.., wanted));
        }
        self.mode = policy.mode;
        self.keys.clone_from(&policy.keys);
        self.expiration = millis(policy.expiration);
        self.default_threshold = policy.thresholds.default_threshold();
        self.thresholds = policy.thresholds.ranges(&policy.keys);
        self.lists = lists;
        (ended, std::mem::replace(&mut self.windows, windows))
    }

    /// The table that `addr` is counted in; none where the threshold is 0.
    pub(crate) fn window(&self, addr: IpAddr) -> Option<&Window> {
        let threshold = self.thresholds.covering(addr).next().unwrap_or(&self.default_threshold);
        self.windows.iter().find(|window| window.threshold() == *threshold)
    }

    pub(crate) fn blocked(&self) -> Verdict {
        match self.mode {
            Mode::Enforce => Verdict::Blocked,
            Mode::Observe => Verdict::WouldBlock,
        }
    }

    pub(crate) fn ban(&self, key: Key, event: Event, threshold: u8, now: i64) -> Verdict {
        let ban = Ban {
            made: now,
            until: now.saturating_add(self.expiration),
            refusals: Refusals::default(),
            count: u16::from(threshold).saturating_add(1),
            event,
            observed: self.mode == Mode::Observe,
        };
        let entry = ban.entry(self.keys.network(key), now);
        match (self.bans.insert(key, ban, now), self.mode) {
            (false, _) => self.blocked(),
            (true, Mode::Enforce) => Verdict::Banned(entry),
            (true, Mode::Observe) => Verdict::Observed(entry),
        }
    }

    /// Empties the window of a key, in every table: two of its addresses may have two thresholds.
    pub(crate) fn clear(&self, key: Key, secret: &Secret) {
        self.windows.iter().for_each(|window| window.clear(key, secret));
    }

    pub(crate) fn clear_inside(&self, network: Network, now: i64) -> usize {
        let inside = |key| network.covers(self.keys.network(key));
        self.windows.iter().map(|window| window.clear_where(now, inside)).sum()
    }

    /// Lifts the ban of exactly this network.
    pub(crate) fn lift(&self, network: Network, now: i64) -> Option<Entry> {
        let ban = self.bans.remove(self.keys.key_of(network)?)?;
        ban.is_live(now).then(|| ban.entry(network, now))
    }

    pub(crate) fn lift_inside(&self, network: Network, now: i64) -> Vec<Entry> {
        let mut lifted = self.take_bans(now, |inside, _| network.covers(inside));
        lifted.retain(|entry| entry.left.is_none_or(|left| !left.is_zero()));
        lifted
    }

    pub(crate) fn take_bans(&self, now: i64, gone: impl Fn(Network, &Ban) -> bool) -> Vec<Entry> {
        let taken = self.bans.take_where(|key, ban| gone(self.keys.network(key), ban));
        taken.into_iter().map(|(key, ban)| ban.entry(self.keys.network(key), now)).collect()
    }

    pub(crate) fn suspect(&self, ranked: Ranked, now: i64) -> Suspect {
        Suspect {
            network: self.keys.network(ranked.key.0),
            count: ranked.count,
            threshold: ranked.threshold,
            event: ranked.event,
            first: between(ranked.first, now),
            last: between(ranked.last, now),
        }
    }
}

/// The tables of the window: threshold and slots. None for 0.
fn tables(policy: &Policy) -> impl Iterator<Item = (u8, usize)> {
    let default = (policy.thresholds.default_threshold(), policy.max_tracked);
    let others =
        policy.thresholds.distinct().into_iter().map(|threshold| (threshold, policy.max_tracked / 16));
    std::iter::once(default).chain(others).filter(|(threshold, _)| *threshold > 0)
}
