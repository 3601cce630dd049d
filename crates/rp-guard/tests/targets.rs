//! Failed connections to a service that is down, slow, or fine.

mod model;

use std::net::SocketAddr;

use model::{after, start};
use rp_guard::Connect::{Failed, Reached};
use rp_guard::CountTargetDown::{Always, Never, Smart};
use rp_guard::{Connect, CountTargetDown, Key, Keying, Targets};

fn pbx() -> SocketAddr {
    "198.51.100.1:5061".parse().unwrap()
}

fn source(host: u32) -> Key {
    Keying::default().key(std::net::IpAddr::V4((0xc000_0200 + host).into()))
}

/// Reports one after the other (milliseconds, source, how it went) and says which counted.
fn counted(mode: CountTargetDown, reports: &[(i64, u32, Connect)]) -> Vec<bool> {
    let (targets, start) = (Targets::new(mode), start());
    let report = |(at, host, connect): &(i64, u32, Connect)| {
        targets.report(pbx(), source(*host), *connect, after(start, *at))
    };
    reports.iter().map(report).collect()
}

#[test]
fn a_source_that_fails_alone_counts() {
    let reports = [(0, 1, Reached), (1, 2, Failed), (2, 2, Failed), (3, 3, Reached), (4, 2, Failed)];
    assert_eq!(counted(Smart, &reports), [false, true, true, false, true]);
}

#[test]
fn a_source_that_is_alone_does_not_count() {
    let reports = [(0, 1, Reached), (1, 1, Failed), (2, 1, Failed)];
    assert_eq!(counted(Smart, &reports), [false; 3]);
}

#[test]
fn a_failure_that_others_see_too_does_not_count() {
    let reports = [(0, 1, Reached), (1, 2, Failed), (2, 3, Failed), (3, 2, Failed), (4, 4, Failed)];
    assert_eq!(counted(Smart, &reports), [false, true, false, false, false]);
}

#[test]
fn what_others_saw_ten_seconds_ago_is_no_longer_known() {
    let reached = |at| counted(Smart, &[(0, 1, Reached), (at, 2, Failed)])[1];
    assert!(reached(9_999));
    assert!(!reached(10_000));
    let failed = |at| counted(Smart, &[(0, 3, Failed), (at, 1, Reached), (at, 2, Failed)])[2];
    assert!(!failed(9_999));
    assert!(failed(10_000));
}

#[test]
fn the_last_two_others_are_enough_to_know_of_one_other() {
    // However often it comes itself, the one other is still known.
    let reports =
        [(0, 1, Reached), (1, 2, Reached), (2, 2, Reached), (3, 2, Failed), (4, 1, Failed), (5, 1, Failed)];
    assert_eq!(counted(Smart, &reports), [false, false, false, true, false, false]);
    let reports = [(0, 1, Failed), (1, 2, Failed), (2, 2, Failed), (3, 3, Reached), (4, 2, Failed)];
    assert_eq!(counted(Smart, &reports), [false; 5]);
}

#[test]
fn another_port_is_another_target() {
    let (targets, start) = (Targets::new(Smart), start());
    let other = SocketAddr::new(pbx().ip(), 389);
    targets.report(other, source(1), Reached, start);
    assert!(!targets.report(pbx(), source(2), Failed, start));
    assert!(targets.report(other, source(2), Failed, start));
}

#[test]
fn never_and_always_are_what_they_say() {
    let reports = [(0, 1, Reached), (1, 2, Failed), (2, 1, Failed)];
    assert_eq!(counted(Never, &reports), [false; 3]);
    assert_eq!(counted(Always, &reports), [false, true, true]);
}

/// A PBX that goes away under 500 phones that come back every few seconds, and 20 more that are always late.
#[test]
fn an_outage_under_many_sources_brings_nobody_near_a_threshold() {
    for (up, down) in [(60_000, 60_000), (3_000, 3_000), (500, 200), (1, 119_999)] {
        let (targets, start) = (Targets::new(Smart), start());
        let mut counts = [0u32; 520];
        for now in 0..120_000i64 {
            // Each source tries every 2.6 seconds, five of them in the same 26 milliseconds.
            if now % 5 != 0 {
                continue;
            }
            let host = (now / 5 % 520) as u32;
            let connect = if now % (up + down) < up { Reached } else { Failed };
            counts[host as usize] +=
                u32::from(targets.report(pbx(), source(host), connect, after(start, now)));
        }
        let worst = counts.iter().max().copied().unwrap_or_default();
        assert!(worst <= 12, "up {up}, down {down}: {worst} counted for one source in two minutes");
        assert!(counts.iter().sum::<u32>() <= 24 * 2, "up {up}, down {down}: {counts:?}");
    }
}

#[test]
fn more_targets_than_any_configuration_has_push_out_the_oldest() {
    let (targets, start) = (Targets::new(Smart), start());
    let target = |port: u16| SocketAddr::new(pbx().ip(), port);
    for port in 0..5_000 {
        targets.report(target(port), source(1), Reached, after(start, port.into()));
    }
    assert!(!targets.report(target(0), source(2), Failed, after(start, 5_000)));
    assert!(targets.report(target(4_999), source(2), Failed, after(start, 5_000)));
}
