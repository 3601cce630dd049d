//! Many workers on one guard.

#![allow(clippy::arithmetic_side_effects, reason = "an overflow fails the test")]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::*;
use crate::policy::Thresholds;

const THRESHOLD: u8 = 20;

/// How often each thread reports each source of a round.
const REPORTS: usize = 30;

const SECOND: Duration = Duration::from_secs(1);

/// Bans last a second. The window has one set of 8 slots in each shard.
fn guard(start: Instant) -> Guard {
    let policy = Policy {
        thresholds: Thresholds::new(THRESHOLD, &[]).unwrap(),
        expiration: SECOND,
        max_tracked: 512,
        max_entries: 64 * 64,
        ..Policy::default()
    };
    Guard::new(&policy, Seeds { hash: [1, 2] }, start)
}

#[expect(clippy::disallowed_methods, reason = "an Instant comes from nowhere else")]
fn start() -> Instant {
    Instant::now()
}

/// Addresses whose keys are in one set, none of them given out before.
fn one_set<'a>(
    guard: &'a Guard,
    addresses: &'a mut impl Iterator<Item = u32>,
) -> impl Iterator<Item = IpAddr> + 'a {
    let in_set = |addr: &IpAddr| (guard.secret.hash(guard.key(*addr)) >> 40) % 64 == 7;
    addresses.map(|bits| IpAddr::V4(bits.into())).filter(in_set)
}

/// Two threads report `width` sources of one set, round after round with new ones, until so many reports are
/// made. Each source must get exactly what it would get from one thread.
fn one_ban_per_excess(width: usize, reports: usize) {
    let start = start();
    let guard = guard(start);
    let mut addresses = 0x0100_0000..;
    for round in 0..reports.div_ceil(2 * REPORTS * width) {
        let now = start + SECOND * u32::try_from(round).unwrap();
        let sources: Vec<IpAddr> = one_set(&guard, &mut addresses).take(width).collect();
        // For each source: counted, banned, blocked.
        let sums: Vec<[AtomicUsize; 3]> = sources.iter().map(|_| Default::default()).collect();
        let work = || {
            for (source, sums) in sources.iter().zip(&sums).cycle().take(width * REPORTS) {
                let at = match guard.report(*source, Event::default(), now) {
                    Verdict::Counted { .. } => 0,
                    Verdict::Banned(_) => 1,
                    Verdict::Blocked => 2,
                    other => panic!("{other:?}"),
                };
                sums[at].fetch_add(1, Ordering::Relaxed);
            }
        };
        std::thread::scope(|scope| {
            scope.spawn(work);
            scope.spawn(work);
        });
        let threshold = usize::from(THRESHOLD);
        for sums in &sums {
            let sums = sums.each_ref().map(|sum| sum.load(Ordering::Relaxed));
            assert_eq!(sums, [threshold, 1, 2 * REPORTS - threshold - 1], "in round {round}");
        }
        assert_eq!(guard.entries(&Filter::default(), now).len(), width, "no ban is lost");
    }
    assert_eq!(guard.stats(start).live_evictions, 0);
}

#[test]
fn two_threads_make_exactly_one_ban_per_excess() {
    one_ban_per_excess(1, 100_000);
    one_ban_per_excess(8, 300_000);
}

#[test]
#[ignore = "takes a minute in release"]
fn two_threads_make_exactly_one_ban_per_excess_in_ten_million_reports() {
    one_ban_per_excess(1, 10_000_000);
    one_ban_per_excess(8, 10_000_000);
}

/// Workers, an administrator, a reload and the metrics at the same time: nobody waits for ever, and what was
/// decided last holds.
#[test]
fn changes_beside_reports_neither_block_nor_get_lost() {
    let start = start();
    let guard = guard(start);
    let stop = AtomicBool::new(false);
    let office: Network = "1.0.0.0/8".parse().unwrap();
    let sources: Vec<IpAddr> = one_set(&guard, &mut (0x0100_0000..)).take(8).collect();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    for source in &sources {
                        std::hint::black_box(guard.report(*source, Event::default(), start));
                        std::hint::black_box(guard.admit(*source, start));
                    }
                }
            });
        }
        let policies = [5, THRESHOLD].map(|threshold| Policy {
            thresholds: Thresholds::new(threshold, &[]).unwrap(),
            max_tracked: 512,
            ..Policy::default()
        });
        let actor = Actor::default();
        for policy in policies.iter().cycle().take(200) {
            guard.put(office, Kind::Allow, None, "", &actor, start).unwrap();
            assert!(sources.iter().all(|source| guard.admit(*source, start) == Admission::Allowed));
            assert!(
                guard.entries(&Filter { origin: Some(Origin::Auto), ..Filter::default() }, start).is_empty()
            );
            guard.flip(office, None, &actor, start).unwrap();
            assert!(sources.iter().all(|source| matches!(guard.admit(*source, start), Admission::Denied(_))));
            guard.reconfigure(policy, start);
            assert!(guard.top(10, start).is_empty(), "who is blocked is not counted");
            guard.remove(office, start).unwrap();
            std::hint::black_box((guard.stats(start), guard.sweep(start), guard.forget(office, start)));
        }
        stop.store(true, Ordering::Relaxed);
    });
}
