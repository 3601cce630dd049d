//! Admission and counting allocate nothing, a ban included.

mod model;

use std::net::IpAddr;
use std::time::Duration;

use model::{SEEDS, after, start};
use rp_guard::{Actor, Admission, Event, Guard, Kind, Policy, Thresholds, Verdict};

#[test]
fn admit_and_report_allocate_nothing() {
    let start = start();
    let thresholds = Thresholds::new(20, &[("203.0.113.0/24".parse().unwrap(), 255)]).unwrap();
    let guard = Guard::new(&Policy { thresholds, ..Policy::default() }, SEEDS, start);
    for (text, kind) in [("192.0.2.0/24", Kind::Allow), ("198.51.100.0/24", Kind::Block)] {
        guard.put(text.parse().unwrap(), kind, None, "", &Actor::default(), start).unwrap();
    }
    let others = ["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "64:ff9b::203.0.113.2", "::1"];
    let others: Vec<IpAddr> = others.iter().map(|text| text.parse().unwrap()).collect();
    let mut bans = 0;
    let mut denied = 0;
    let allocations = allocation_counter::measure(|| {
        for source in 0..10_000u32 {
            let addr = IpAddr::V4((0x0100_0000 + source).into());
            for event in 0..22 {
                let now = after(start, event);
                bans += usize::from(matches!(guard.report(addr, Event::default(), now), Verdict::Banned(_)));
            }
            denied += usize::from(matches!(guard.admit(addr, after(start, 22)), Admission::Denied(_)));
        }
        for addr in others.iter().cycle().take(6_000) {
            std::hint::black_box(guard.report(*addr, Event::default(), after(start, 30)));
            std::hint::black_box(guard.admit(*addr, after(start, 30)));
        }
    });
    assert_eq!((bans, denied), (10_000, 10_000));
    assert_eq!(allocations.count_total, 0);
}

#[test]
fn maps_that_are_full_of_bans_for_a_long_time_do_not_grow() {
    let start = start();
    // 28 bans in each of 64 maps: exactly what 32 buckets hold, so that each removal leaves a tombstone.
    let policy = Policy { max_entries: 28 * 64, expiration: Duration::from_secs(3600), ..model::small(1) };
    let guard = Guard::new(&policy, SEEDS, start);
    let allocations = allocation_counter::measure(|| {
        for source in 0..50_000u32 {
            let addr = IpAddr::V4((0x0100_0000 + source).into());
            guard.report(addr, Event::default(), after(start, source.into()));
            guard.report(addr, Event::default(), after(start, source.into()));
        }
    });
    assert_eq!(allocations.count_total, 0);
    assert!(guard.stats(after(start, 50_000)).bans <= 28 * 64);
}
