//! The guard as one would write it without a thought for memory: every event is kept, every list is walked
//! through. Property tests and the fuzz target run it beside the real one.

#![allow(dead_code, reason = "each user takes what it needs")]
#![allow(missing_docs, unreachable_pub, reason = "not a library")]
#![allow(clippy::cast_possible_truncation, reason = "times of tests are small")]

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant, SystemTime};

use rp_guard::{
    Actor, Admission, Event, Filter, Guard, Key, Keying, Kind, Network, Origin, Policy, Protocol, Reason,
    Seeds, Thresholds, Verdict,
};

pub const SEEDS: Seeds = Seeds { hash: [0x5d8a_91c3_7e20_46bf, 0xe134_0b7f_a96d_2c85] };
pub const EXPIRATION: i64 = 150_000;
const SPAN: i64 = 60_000;

/// Some moment. Tests count from there and never ask again.
#[allow(clippy::disallowed_methods, reason = "an Instant comes from nowhere else")]
pub fn start() -> Instant {
    Instant::now()
}

pub fn after(start: Instant, millis: i64) -> Instant {
    start + Duration::from_millis(millis.try_into().expect("tests count forward"))
}

pub fn addr(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub fn network(text: &str) -> Network {
    text.parse().unwrap()
}

/// A guard of the default policy, and the moment that it was made.
pub fn guard() -> (Guard, Instant) {
    let start = start();
    (Guard::new(&Policy::default(), SEEDS, start), start)
}

/// A policy with this threshold, room for few keys, and short bans.
pub fn small(threshold: u8) -> Policy {
    Policy {
        thresholds: Thresholds::new(threshold, &[]).unwrap(),
        expiration: Duration::from_millis(EXPIRATION as u64),
        max_tracked: 512,
        max_entries: 1024,
        ..Policy::default()
    }
}

/// The windows of all keys, exact and without bounds.
#[derive(Default)]
pub struct Windows(HashMap<Key, VecDeque<i64>>);

impl Windows {
    /// Adds an event and says how many are in the window. Time never goes back for a key.
    pub fn record(&mut self, key: Key, now: i64) -> usize {
        let times = self.0.entry(key).or_default();
        let now = times.back().map_or(now, |last| now.max(*last));
        times.push_back(now);
        times.retain(|time| now - time < SPAN);
        times.len()
    }

    pub fn clear(&mut self, key: Key) {
        self.0.remove(&key);
    }

    /// All keys with events in the window: count, newest, key, oldest. The highest first.
    pub fn top(&self, now: i64) -> Vec<(usize, i64, Reverse<Key>, i64)> {
        let mut top: Vec<_> = self
            .0
            .iter()
            .filter_map(|(key, times)| {
                let live: Vec<i64> = times.iter().copied().filter(|time| now - time < SPAN).collect();
                Some((live.len(), *live.last()?, Reverse(*key), *live.first()?))
            })
            .collect();
        top.sort_by(|one, other| other.cmp(one));
        top
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    Counted(usize),
    Banned,
    Blocked,
    Allowed,
}

impl Said {
    pub fn of(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Counted { count, .. } => Self::Counted((*count).into()),
            Verdict::Banned(_) => Self::Banned,
            Verdict::Blocked => Self::Blocked,
            Verdict::Allowed => Self::Allowed,
            other => panic!("not in this mode: {other:?}"),
        }
    }
}

pub struct Model {
    threshold: usize,
    keys: Keying,
    windows: Windows,
    bans: HashMap<Key, i64>,
    entries: BTreeMap<Network, (Kind, Option<i64>)>,
}

impl Model {
    pub fn new(threshold: u8) -> Self {
        Self {
            threshold: threshold.into(),
            keys: Keying::default(),
            windows: Windows::default(),
            bans: HashMap::new(),
            entries: BTreeMap::new(),
        }
    }

    pub fn admit(&self, addr: IpAddr, now: i64) -> Said {
        if self.listed(addr, Kind::Allow, now) {
            Said::Allowed
        } else if self.listed(addr, Kind::Block, now) || self.banned(self.keys.key(addr), now) {
            Said::Blocked
        } else {
            Said::Counted(0)
        }
    }

    pub fn report(&mut self, addr: IpAddr, now: i64) -> Said {
        match self.admit(addr, now) {
            Said::Counted(_) => {}
            settled => return settled,
        }
        let key = self.keys.key(addr);
        match self.windows.record(key, now) {
            count if count > self.threshold => {
                self.windows.clear(key);
                self.bans.insert(key, now + EXPIRATION);
                Said::Banned
            }
            count => Said::Counted(count),
        }
    }

    pub fn put(&mut self, network: Network, kind: Kind, until: Option<i64>) {
        self.bans.retain(|key, _| self.keys.network(*key) != network);
        if kind == Kind::Allow {
            self.bans.retain(|key, _| !network.covers(self.keys.network(*key)));
            self.clear_inside(network);
        }
        self.entries.insert(network, (kind, until));
    }

    pub fn flip(&mut self, network: Network, now: i64) -> bool {
        match self.exactly(network, now) {
            Some((Kind::Block, _)) => self.put(network, Kind::Allow, None),
            Some((Kind::Allow, until)) => self.put(network, Kind::Block, until),
            None => return false,
        }
        true
    }

    pub fn remove(&mut self, network: Network, now: i64) -> bool {
        let known = self.exactly(network, now).is_some();
        if known {
            self.clear_inside(network);
        }
        self.entries.remove(&network);
        self.bans.retain(|key, _| self.keys.network(*key) != network);
        known
    }

    pub fn forget(&mut self, network: Network) {
        self.entries.retain(|inside, _| !network.covers(*inside));
        self.bans.retain(|key, _| !network.covers(self.keys.network(*key)));
        self.clear_inside(network);
    }

    /// What is in force, sorted as the guard sorts.
    pub fn entries(&self, now: i64) -> Vec<(Network, Kind, Origin, Option<i64>)> {
        let manual = self.entries.iter().map(|(net, (kind, until))| (*net, *kind, Origin::Manual, *until));
        let bans = self
            .bans
            .iter()
            .map(|(key, until)| (self.keys.network(*key), Kind::Block, Origin::Auto, Some(*until)));
        let mut all: Vec<_> = manual.chain(bans).filter(|(.., until)| live(*until, now)).collect();
        all.sort_unstable();
        all
    }

    fn exactly(&self, network: Network, now: i64) -> Option<(Kind, Option<i64>)> {
        let manual = self.entries.get(&network).copied().filter(|(_, until)| live(*until, now));
        let ban = self.bans.iter().find(|(key, _)| self.keys.network(**key) == network);
        manual.or(ban.map(|(_, until)| (Kind::Block, Some(*until))).filter(|(_, until)| live(*until, now)))
    }

    fn listed(&self, addr: IpAddr, wanted: Kind, now: i64) -> bool {
        let addr = match addr {
            IpAddr::V6(v6) if v6.to_string().starts_with("64:ff9b::") => self.keys.key(addr).addr(),
            other => other,
        };
        self.entries
            .iter()
            .any(|(network, (kind, until))| *kind == wanted && live(*until, now) && network.contains(addr))
    }

    fn banned(&self, key: Key, now: i64) -> bool {
        self.bans.get(&key).is_some_and(|until| now < *until)
    }

    fn clear_inside(&mut self, network: Network) {
        self.windows.0.retain(|key, _| !network.covers(self.keys.network(*key)));
    }
}

fn live(until: Option<i64>, now: i64) -> bool {
    until.is_none_or(|until| now < until)
}

/// Steps of the clock in milliseconds; the long ones pass over what 32 bits hold, and half of it.
const STEPS: [i64; 16] = [
    0,
    0,
    0,
    1,
    2,
    40,
    500,
    2_999,
    3_000,
    15_000,
    59_999,
    60_000,
    60_001,
    600_000,
    (1 << 31) + 7,
    (1 << 32) - 30_000,
];

/// Eight keys, as many as a set of the window has ways: nothing is ever evicted.
const ADDRESSES: [&str; 12] = [
    "192.0.2.1",
    "::ffff:192.0.2.1",
    "64:ff9b::192.0.2.1",
    "192.0.2.2",
    "192.0.2.130",
    "127.0.0.1",
    "2001:db8::1",
    "2001:db8::ffff:1",
    "2001:db8:0:1::1",
    "fe80::1",
    "fe80::2",
    "192.0.2.2",
];

const NETWORKS: [&str; 12] = [
    "192.0.2.1/32",
    "192.0.2.2/32",
    "192.0.2.0/30",
    "192.0.2.0/24",
    "192.0.2.130/32",
    "127.0.0.0/8",
    "2001:db8::/64",
    "2001:db8::/32",
    "2001:db8::1/128",
    "fe80::1/128",
    "fe80::/10",
    "::/0",
];

/// Applies operations, four octets each, to a guard and to the model, and holds what they say against each
/// other. The first octet of all is the threshold.
pub fn run(input: &[u8]) {
    let Some((&threshold, operations)) = input.split_first() else { return };
    let threshold = threshold.max(1);
    let start = start();
    let mut guard = Guard::new(&small(threshold), SEEDS, start);
    let mut model = Model::new(threshold);
    let mut now = 0;
    // Changes of the lists take out what ran out by then; a report does not come from before that.
    let mut changed = 0;
    for &[step, what, which, detail] in operations.as_chunks::<4>().0 {
        now += STEPS[usize::from(step % 16)];
        let addr: IpAddr = ADDRESSES[usize::from(which) % ADDRESSES.len()].parse().unwrap();
        let network: Network = NETWORKS[usize::from(which) % NETWORKS.len()].parse().unwrap();
        let at = after(start, now);
        if what % 32 < 7 {
            changed = now;
        }
        match what % 32 {
            0 => {
                let kind = if detail & 1 == 0 { Kind::Block } else { Kind::Allow };
                let lifetime = (detail & 2 == 0).then_some(i64::from(detail) * 1_000);
                let actor = Actor { name: "test", addr: None, force: true };
                let duration = lifetime.map(|millis| Duration::from_millis(millis as u64));
                guard.put(network, kind, duration, "", &actor, at).expect("there is room");
                model.put(network, kind, lifetime.map(|millis| now + millis));
            }
            1 => {
                let actor = Actor { force: true, ..Actor::default() };
                let flipped = guard.flip(network, None, &actor, at).is_ok();
                assert_eq!(flipped, model.flip(network, now), "flip {network}");
            }
            2 => {
                let removed = guard.remove(network, at).is_ok();
                assert_eq!(removed, model.remove(network, now), "remove {network}");
            }
            3 if detail < 64 => {
                guard.forget(network, at);
                model.forget(network);
            }
            4 => drop(guard.sweep(at)),
            5 => {
                let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(2_000_000_000);
                let saved = guard.snapshot(at, wall);
                guard = Guard::new(&small(threshold), SEEDS, start);
                assert_eq!(guard.restore(saved.iter().cloned(), at, wall).taken, saved.len());
                assert_eq!(guard.snapshot(at, wall), saved);
                model.windows = Windows::default();
            }
            6 => drop(guard.reconfigure(&small(threshold), at)),
            7 => hold_top(&guard, &model, at, now),
            8..12 => hold_admission(&guard, &model, addr, at, now),
            _ => {
                // Workers read the clock before they get to the guard.
                let late = i64::from(detail % 6).min(now - changed);
                let event = Event { reason: Reason(what), protocol: Protocol(detail) };
                let said = Said::of(&guard.report(addr, event, after(start, now - late)));
                assert_eq!(said, model.report(addr, now - late), "report {addr} at {now} - {late}");
            }
        }
        if changed == now {
            hold_entries(&guard, &model, at, now);
        }
    }
    hold_entries(&guard, &model, after(start, now), now);
    hold_top(&guard, &model, after(start, now), now);
}

fn hold_admission(guard: &Guard, model: &Model, addr: IpAddr, at: Instant, now: i64) {
    let said = match guard.admit(addr, at) {
        Admission::Open => Said::Counted(0),
        Admission::Allowed => Said::Allowed,
        Admission::Denied(denial) => {
            assert!(
                denial.network.contains(Keying::default().key(addr).addr()) || denial.network.contains(addr)
            );
            Said::Blocked
        }
    };
    assert_eq!(said, model.admit(addr, now), "admit {addr} at {now}");
}

fn hold_entries(guard: &Guard, model: &Model, at: Instant, now: i64) {
    let entries: Vec<_> = guard
        .entries(&Filter::default(), at)
        .into_iter()
        .map(|entry| {
            (entry.network, entry.kind, entry.origin, entry.left.map(|left| now + left.as_millis() as i64))
        })
        .collect();
    assert_eq!(entries, model.entries(now), "entries at {now}");
}

fn hold_top(guard: &Guard, model: &Model, at: Instant, now: i64) {
    for n in [1, 3, 10] {
        let top: Vec<_> = guard
            .top(n, at)
            .into_iter()
            .map(|suspect| (usize::from(suspect.count), suspect.last, suspect.network, suspect.first))
            .collect();
        let ago = |time: i64| Duration::from_millis((now - time) as u64);
        let wanted: Vec<_> = model
            .windows
            .top(now)
            .into_iter()
            .take(n)
            .map(|(count, last, Reverse(key), first)| (count, ago(last), model.keys.network(key), ago(first)))
            .collect();
        assert_eq!(top, wanted, "top at {now}");
    }
}

/// Reports from so many sources that most of the table is evicted time and again. Whatever is lost: a ban is
/// only for who had more than the threshold, and the tables stay within their bounds.
pub fn run_crowd(input: &[u8]) {
    let Some((&threshold, operations)) = input.split_first() else { return };
    let threshold = threshold.max(1);
    let start = start();
    let guard = Guard::new(&Policy { max_entries: 64, ..small(threshold) }, SEEDS, start);
    let keys = Keying::default();
    let mut windows = Windows::default();
    let mut now = 0;
    for &[step, high, low, times] in operations.as_chunks::<4>().0 {
        now += STEPS[usize::from(step % 8)];
        let at = after(start, now);
        for count in 0..=times {
            // A stride of 31 keeps each burst among new addresses and hits some of them again.
            let last = u16::from_be_bytes([high, low]).wrapping_add(u16::from(count / 2) * 31);
            let [third, fourth] = last.to_be_bytes();
            let addr = IpAddr::V4(Ipv4Addr::new(10, 0, third, fourth));
            let verdict = guard.report(addr, Event::default(), at);
            if verdict == Verdict::Blocked {
                continue;
            }
            let exact = windows.record(keys.key(addr), now);
            match verdict {
                Verdict::Banned(entry) => {
                    assert!(exact > threshold.into(), "{addr} was banned after {exact} events");
                    assert!(usize::from(entry.count) <= exact, "{entry:?}");
                    windows.clear(keys.key(addr));
                }
                Verdict::Counted { count, .. } => {
                    assert!(usize::from(count) <= exact, "{addr}: {count} > {exact}");
                }
                other => panic!("{addr}: {other:?}"),
            }
        }
    }
    let stats = guard.stats(after(start, now));
    assert!(stats.tracked <= stats.slots && stats.slots == 512, "{stats:?}");
    assert!(stats.bans <= 64, "{stats:?}");
}
