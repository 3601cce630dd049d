//! The guard cases: counting beside the map of queues that one would write instead, admission, top list.

use std::collections::{HashMap, VecDeque};
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant, SystemTime};

use rp_guard::{Event, Guard, Kind, Network, Origin, Policy, Saved, Seeds};

use crate::Case;

const SOURCES: u32 = 100_000;

/// Each source comes about once in this time, so that it has 5 events in the window.
const TURN: Duration = Duration::from_secs(12);

const MINUTE: Duration = Duration::from_secs(60);

/// The cases of the guard.
pub fn cases() -> Vec<Case> {
    vec![
        Case::new("guard/record-100k/rp-guard", record()),
        Case::new("guard/record-100k/hashmap-of-vecdeque", record_naively()),
        Case::new("guard/admit-10k-hit/rp-guard", admit(0x0100_0000)),
        Case::new("guard/admit-10k-miss/rp-guard", admit(0x0200_0000)),
        Case::new("guard/top-131072/rp-guard", top()),
    ]
}

fn record() -> impl FnMut() {
    lazily(|| Stream::new(SOURCES), |stream| drop(black_box(stream.record())))
}

fn record_naively() -> impl FnMut() {
    lazily(
        || NaiveStream::new(SOURCES),
        |stream| {
            black_box(stream.record());
        },
    )
}

/// Addresses from `first` on, with 10,000 bans from 1.0.0.0 on and 1,000 configured networks.
fn admit(first: u32) -> impl FnMut() {
    let build = move || {
        let now = Instant::now();
        let network = |at: u32| Network::host(Ipv4Addr::from(0x0300_0000 + 2 * at).into());
        let policy = Policy { block: (0..1_000).map(network).collect(), ..Policy::default() };
        let guard = Guard::new(&policy, SEEDS, now);
        let restored = guard.restore((0..10_000).map(ban), now, SystemTime::UNIX_EPOCH);
        assert_eq!(restored.taken, 10_000);
        (guard, now, 1)
    };
    lazily(build, move |(guard, now, at)| {
        *at = next(*at);
        black_box(guard.admit(address(first + *at % 10_000), *now));
    })
}

/// All slots taken, most of them with few events.
fn top() -> impl FnMut() {
    let build = || {
        let now = Instant::now();
        let guard = Guard::new(&Policy::default(), SEEDS, now);
        for source in 0..200_000 {
            for _ in 0..=source % 3 {
                guard.report(address(0x0100_0000 + source), Event::default(), now);
            }
        }
        (guard, now)
    };
    lazily(build, |(guard, now)| drop(black_box(guard.top(10, *now))))
}

const SEEDS: Seeds = Seeds { hash: [0x9f1c_5ab0_33e7_1d42, 0x2b60_97d1_c8f4_0a6e] };

/// Events of so many sources in random order, each recorded about 5 times already.
pub struct Stream {
    guard: Guard,
    sources: u32,
    now: Instant,
    at: u32,
}

impl Stream {
    /// The guard with its usual room, or with twice as much as these sources need.
    pub fn new(sources: u32) -> Self {
        let (now, policy) = (Instant::now(), Policy::default());
        let policy = Policy { max_tracked: policy.max_tracked.max(2 * sources as usize), ..policy };
        let mut stream = Self { guard: Guard::new(&policy, SEEDS, now), sources, now, at: 1 };
        for _ in 0..5 * sources {
            stream.record();
        }
        stream
    }

    /// One event more.
    pub fn record(&mut self) -> rp_guard::Verdict {
        (self.at, self.now) = (next(self.at), self.now + TURN / self.sources);
        self.guard.report(source(self.at, self.sources), Event::default(), self.now)
    }

    /// Sources that were live evictions.
    pub fn evictions(&self) -> u64 {
        self.guard.stats(self.now).live_evictions
    }
}

/// The same without a bound: every source has a queue of its times.
pub struct NaiveStream {
    windows: HashMap<IpAddr, VecDeque<Instant>>,
    sources: u32,
    now: Instant,
    at: u32,
}

impl NaiveStream {
    /// The map that grows with its sources.
    pub fn new(sources: u32) -> Self {
        let mut stream = Self { windows: HashMap::new(), sources, now: Instant::now(), at: 1 };
        for _ in 0..5 * sources {
            stream.record();
        }
        stream
    }

    /// One event more.
    pub fn record(&mut self) -> bool {
        (self.at, self.now) = (next(self.at), self.now + TURN / self.sources);
        let times = self.windows.entry(source(self.at, self.sources)).or_default();
        while times.front().is_some_and(|first| self.now - *first >= MINUTE) {
            times.pop_front();
        }
        times.push_back(self.now);
        times.len() > 20
    }
}

fn ban(at: u32) -> Saved {
    Saved {
        network: Network::host(address(0x0100_0000 + at)),
        kind: Kind::Block,
        origin: Origin::Auto,
        created: SystemTime::UNIX_EPOCH,
        until: Some(SystemTime::UNIX_EPOCH + 60 * MINUTE),
        event: None,
        count: 21,
        by: String::new(),
        comment: String::new(),
    }
}

/// xorshift32: the sources come in no order, about as often as each other.
fn next(mut at: u32) -> u32 {
    at ^= at << 13;
    at ^= at >> 17;
    at ^ at << 5
}

fn source(at: u32, sources: u32) -> IpAddr {
    address(0x0100_0000 + at % sources)
}

fn address(bits: u32) -> IpAddr {
    IpAddr::V4(bits.into())
}

/// Work on a state that is built at the first run: most runs of the program are for other cases.
fn lazily<S: 'static>(
    build: impl Fn() -> S + 'static,
    mut work: impl FnMut(&mut S) + 'static,
) -> impl FnMut() {
    let mut state = None;
    move || work(state.get_or_insert_with(&build))
}
