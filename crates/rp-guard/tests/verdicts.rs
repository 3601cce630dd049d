//! What a source gets for its suspicious requests.

mod model;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use model::{SEEDS, addr, after, guard, network, start};
use rp_guard::{
    Admission, Denial, Event, Filter, Guard, Mode, Origin, Policy, Protocol, Reason, Thresholds, Verdict,
};

const GUESS: Event = Event { reason: Reason(4), protocol: Protocol(2) };

fn counted(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::Counted { count, threshold: 20 } => *count,
        other => panic!("not counted towards 20: {other:?}"),
    }
}

/// Reports at these milliseconds and gives the last verdict.
fn report_all(guard: &Guard, addr: IpAddr, start: Instant, times: impl Iterator<Item = i64>) -> Verdict {
    times.map(|time| guard.report(addr, GUESS, after(start, time))).last().unwrap()
}

#[test]
fn twenty_events_within_a_minute_are_no_ban() {
    let (guard, start) = guard();
    let last = report_all(&guard, addr("192.0.2.1"), start, (0..20).map(|event| event * 3_000));
    assert_eq!(counted(&last), 20);
    assert_eq!(guard.admit(addr("192.0.2.1"), after(start, 57_001)), Admission::Open);
}

#[test]
fn the_twenty_first_within_a_minute_is_the_ban() {
    let (guard, start) = guard();
    let times = || (0..21).map(|event| event * 59_999 / 20);
    assert_eq!(counted(&report_all(&guard, addr("192.0.2.1"), start, times().take(20))), 20);
    let Verdict::Banned(entry) = guard.report(addr("192.0.2.1"), GUESS, after(start, 59_999)) else {
        panic!("no ban at the 21st")
    };
    assert_eq!(entry.network, network("192.0.2.1"));
    assert_eq!((entry.origin, entry.count, entry.event), (Origin::Auto, 21, Some(GUESS)));
    assert_eq!(entry.left, Some(Duration::from_secs(3600)));
    let denial = Denial { network: entry.network, origin: Origin::Auto, left: entry.left };
    assert_eq!(guard.admit(addr("192.0.2.1"), after(start, 59_999)), Admission::Denied(denial));
}

#[test]
fn twenty_one_events_within_a_minute_and_a_millisecond_are_no_ban() {
    let (guard, start) = guard();
    let times = (0..20).map(|event| event * 3_000).chain([60_001]);
    assert_eq!(counted(&report_all(&guard, addr("192.0.2.1"), start, times)), 20);
}

#[test]
fn an_event_exactly_a_minute_old_is_out() {
    let (guard, start) = guard();
    report_all(&guard, addr("192.0.2.1"), start, [0].into_iter());
    assert_eq!(counted(&report_all(&guard, addr("192.0.2.1"), start, [60_000].into_iter())), 1);
}

#[test]
fn failures_from_all_over_a_slash_64_ban_it_once() {
    let (guard, start) = guard();
    let mut bans = 0;
    for host in 0..21 {
        let source = IpAddr::V6(format!("2001:db8:1:2::{host:x}").parse().unwrap());
        bans += usize::from(matches!(guard.report(source, GUESS, start), Verdict::Banned(_)));
    }
    assert_eq!(bans, 1);
    let entries = guard.entries(&Filter::default(), start);
    assert_eq!(entries.iter().map(|entry| entry.network).collect::<Vec<_>>(), [network("2001:db8:1:2::/64")]);
    assert!(matches!(guard.admit(addr("2001:db8:1:2:ffff::1"), start), Admission::Denied(_)));
    assert_eq!(guard.admit(addr("2001:db8:1:3::1"), start), Admission::Open);
}

#[test]
fn neighbours_on_a_link_are_not_one_source() {
    let (guard, start) = guard();
    report_all(&guard, addr("fe80::a"), start, 0..21);
    assert!(matches!(guard.admit(addr("fe80::a"), after(start, 21)), Admission::Denied(_)));
    assert_eq!(guard.admit(addr("fe80::b"), after(start, 21)), Admission::Open);
}

#[test]
fn attempts_during_a_ban_neither_extend_it_nor_count_for_later() {
    let (guard, start) = guard();
    let source = addr("192.0.2.1");
    report_all(&guard, source, start, std::iter::repeat_n(0, 21));
    for attempt in 0..10_000 {
        let now = after(start, attempt * 359);
        assert!(matches!(guard.admit(source, now), Admission::Denied(_)));
        assert_eq!(guard.report(source, GUESS, now), Verdict::Blocked);
    }
    let last = after(start, 3_599_999);
    let entry = &guard.entries(&Filter::default(), last)[0];
    assert_eq!(entry.left, Some(Duration::from_millis(1)));
    assert_eq!((entry.refused, entry.last_refused), (10_000, Some(Duration::from_secs(10))));
    assert!(guard.top(10, last).is_empty());

    let end = after(start, 3_600_000);
    assert_eq!(guard.admit(source, end), Admission::Open);
    assert!(guard.entries(&Filter::default(), end).is_empty());
    assert_eq!(counted(&guard.report(source, GUESS, end)), 1);
    // The sweep only makes room; it names what ended.
    assert_eq!(guard.sweep(end).len(), 1);
    assert!(guard.sweep(end).is_empty());
}

#[test]
fn an_open_connection_of_a_banned_source_is_told_apart_from_a_new_offender() {
    let (guard, start) = guard();
    let sources = [addr("2001:db8::1"), addr("2001:db8::2"), addr("2001:db8:0:1::1")];
    report_all(&guard, sources[0], start, 0..21);
    let now = after(start, 21);
    // Both are connections of the banned key, whichever of them reported.
    assert_eq!(guard.key(sources[0]), guard.key(sources[1]));
    assert_ne!(guard.key(sources[0]), guard.key(sources[2]));
    assert_eq!(guard.report(sources[1], GUESS, now), Verdict::Blocked);
    assert_eq!(counted(&guard.report(sources[2], GUESS, now)), 1);
}

#[test]
fn observe_mode_notes_bans_and_refuses_nothing() {
    let start = start();
    let observe =
        Policy { mode: Mode::Observe, block: vec![network("198.51.100.0/24")], ..Policy::default() };
    let guard = Guard::new(&observe, SEEDS, start);
    let source = addr("192.0.2.1");
    let Verdict::Observed(entry) = report_all(&guard, source, start, 0..21) else { panic!("no ban noted") };
    assert!(entry.observed);
    let now = after(start, 21);
    assert_eq!(guard.admit(source, now), Admission::Open);
    assert_eq!(guard.report(source, GUESS, now), Verdict::WouldBlock);
    assert_eq!(guard.admit(addr("198.51.100.1"), now), Admission::Open);
    assert_eq!(guard.report(addr("198.51.100.1"), GUESS, now), Verdict::WouldBlock);

    // Nobody decided on these bans: they do not become real.
    let ended = guard.reconfigure(&Policy { mode: Mode::Enforce, ..observe }, now);
    assert_eq!(ended.iter().map(|entry| entry.network).collect::<Vec<_>>(), [entry.network]);
    assert_eq!(guard.admit(source, now), Admission::Open);
    assert!(matches!(guard.admit(addr("198.51.100.1"), now), Admission::Denied(_)));
}

#[test]
fn a_change_to_observe_mode_suspends_bans_and_the_way_back_resumes_them() {
    let (guard, start) = guard();
    let source = addr("192.0.2.1");
    report_all(&guard, source, start, 0..21);
    guard.reconfigure(&Policy { mode: Mode::Observe, ..Policy::default() }, after(start, 30));
    assert_eq!(guard.admit(source, after(start, 30)), Admission::Open);
    assert!(guard.reconfigure(&Policy::default(), after(start, 40)).is_empty());
    assert!(matches!(guard.admit(source, after(start, 40)), Admission::Denied(_)));
}

#[test]
fn an_office_behind_one_address_has_its_own_threshold() {
    let start = start();
    let thresholds = [("203.0.113.0/24", 200), ("203.0.113.9", 3), ("203.0.113.10", 0)];
    let thresholds = Thresholds::new(20, &thresholds.map(|(text, value)| (network(text), value))).unwrap();
    let guard = Guard::new(&Policy { thresholds, ..Policy::default() }, SEEDS, start);
    let last_counted = |source| {
        let verdicts = (0..256).map(|_| guard.report(addr(source), GUESS, start));
        verdicts.take_while(|verdict| matches!(verdict, Verdict::Counted { .. })).count()
    };
    assert_eq!(last_counted("203.0.113.1"), 200);
    assert_eq!(last_counted("203.0.113.9"), 3);
    assert_eq!(last_counted("192.0.2.1"), 20);
    assert_eq!(guard.report(addr("203.0.113.10"), GUESS, start), Verdict::Off);
}

#[test]
fn threshold_zero_is_detection_off() {
    let start = start();
    let off = Policy { thresholds: Thresholds::new(0, &[]).unwrap(), ..Policy::default() };
    let guard = Guard::new(&off, SEEDS, start);
    assert!((0..1_000).all(|_| guard.report(addr("192.0.2.1"), GUESS, start) == Verdict::Off));
}

#[test]
fn two_thresholds_within_one_key_still_need_one_of_them_to_be_exceeded() {
    let start = start();
    let thresholds = Thresholds::new(20, &[(network("2001:db8::1/128"), 30)]).unwrap();
    let guard = Guard::new(&Policy { thresholds, ..Policy::default() }, SEEDS, start);
    for _ in 0..20 {
        assert!(matches!(guard.report(addr("2001:db8::1"), GUESS, start), Verdict::Counted { .. }));
        assert!(matches!(guard.report(addr("2001:db8::2"), GUESS, start), Verdict::Counted { .. }));
    }
    assert!(matches!(guard.report(addr("2001:db8::2"), GUESS, start), Verdict::Banned(_)));
    assert_eq!(guard.report(addr("2001:db8::1"), GUESS, start), Verdict::Blocked);
    assert!(guard.top(10, start).is_empty());
}

#[test]
fn a_reload_with_the_same_values_keeps_windows_and_bans() {
    let (guard, start) = guard();
    report_all(&guard, addr("192.0.2.1"), start, 0..21);
    report_all(&guard, addr("192.0.2.2"), start, 0..7);
    let now = after(start, 100);
    let longer = Policy { expiration: Duration::from_secs(7200), ..Policy::default() };
    assert!(guard.reconfigure(&longer, now).is_empty());
    assert_eq!(guard.report(addr("192.0.2.1"), GUESS, now), Verdict::Blocked);
    assert_eq!(counted(&guard.report(addr("192.0.2.2"), GUESS, now)), 8);
}

#[test]
fn a_reload_with_another_threshold_starts_its_window_empty_and_keeps_bans() {
    let (guard, start) = guard();
    report_all(&guard, addr("192.0.2.1"), start, 0..21);
    report_all(&guard, addr("192.0.2.2"), start, 0..7);
    let now = after(start, 100);
    let stricter = Policy { thresholds: Thresholds::new(5, &[]).unwrap(), ..Policy::default() };
    guard.reconfigure(&stricter, now);
    assert_eq!(guard.report(addr("192.0.2.1"), GUESS, now), Verdict::Blocked);
    assert_eq!(guard.report(addr("192.0.2.2"), GUESS, now), Verdict::Counted { count: 1, threshold: 5 });
}

#[test]
fn a_reload_with_other_prefixes_drops_bans_of_what_is_no_longer_one_source() {
    let (guard, start) = guard();
    report_all(&guard, addr("192.0.2.1"), start, 0..21);
    report_all(&guard, addr("2001:db8::1"), start, 0..21);
    report_all(&guard, addr("192.0.2.9"), start, 0..9);
    let now = after(start, 100);
    let slots = guard.stats(now).slots;
    let keys = rp_guard::Keying::new(32, 56, &[]).unwrap();
    let ended = guard.reconfigure(&Policy { keys, ..Policy::default() }, now);
    assert_eq!(ended.iter().map(|entry| entry.network).collect::<Vec<_>>(), [network("2001:db8::/64")]);
    assert_eq!(guard.admit(addr("2001:db8::1"), now), Admission::Open);
    assert!(matches!(guard.admit(addr("192.0.2.1"), now), Admission::Denied(_)));
    // Old counts could be those of a wider network: nobody starts with them.
    assert_eq!(counted(&guard.report(addr("192.0.2.9"), GUESS, now)), 1);
    assert_eq!(guard.stats(now).slots, slots, "nor does the old table stay");
}

#[test]
fn the_lists_never_hold_more_bans_than_configured_and_the_one_that_ends_first_goes() {
    let start = start();
    let policy = Policy { max_entries: 64, max_tracked: 512, ..model::small(1) };
    let guard = Guard::new(&policy, SEEDS, start);
    for host in 0..=255u8 {
        let source = IpAddr::from([192, 0, 2, host]);
        report_all(&guard, source, start, [i64::from(host), i64::from(host)].into_iter());
        assert!(matches!(guard.admit(source, after(start, host.into())), Admission::Denied(_)));
    }
    let stats = guard.stats(after(start, 255));
    assert!(stats.bans <= 64 && stats.bans > 32, "{stats:?}");
    assert_eq!(stats.bans as u64 + stats.bans_dropped, 256);

    // A reload that only makes the lists longer loses nothing.
    assert!(guard.reconfigure(&Policy { max_entries: 100_000, ..policy }, after(start, 255)).is_empty());
    assert_eq!(guard.stats(after(start, 255)), stats);
}

#[test]
fn counters_say_when_the_window_is_too_small() {
    let start = start();
    let guard = Guard::new(&model::small(20), SEEDS, start);
    for third in 0..4 {
        for fourth in 0..=255 {
            guard.report(IpAddr::from([10, 0, third, fourth]), GUESS, start);
        }
    }
    let stats = guard.stats(start);
    assert_eq!((stats.slots, stats.events), (512, 1024));
    assert_eq!(stats.tracked as u64 + stats.live_evictions, 1024);
    assert_eq!(guard.stats(after(start, 60_000)).tracked, 0);
}
