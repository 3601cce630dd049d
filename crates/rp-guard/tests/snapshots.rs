//! What outlives a restart, whatever the wall clock did meanwhile.

mod model;

use std::time::{Duration, SystemTime};

use model::{SEEDS, addr, after, network, start};
use proptest::prelude::*;
use rp_guard::{
    Actor, Admission, Event, Filter, Guard, Kind, Mode, Origin, Policy, Protocol, Reason, Restored, Saved,
};

const HOUR: Duration = Duration::from_secs(3600);

const GUESS: Event = Event { reason: Reason(4), protocol: Protocol(2) };

fn wall() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn guard() -> Guard {
    Guard::new(&Policy::default(), SEEDS, start())
}

fn saved(text: &str, origin: Origin, until: Option<Duration>) -> Saved {
    Saved {
        network: network(text),
        kind: Kind::Block,
        origin,
        created: wall(),
        until: until.map(|until| wall() + until),
        event: Some(GUESS),
        count: 21,
        by: String::new(),
        comment: String::new(),
    }
}

#[test]
fn bans_and_manual_entries_come_back_as_they_were() {
    let start = start();
    let first = Guard::new(&Policy::default(), SEEDS, start);
    for _ in 0..21 {
        first.report(addr("2001:db8::7"), GUESS, start);
    }
    let admin = Actor { name: "uid:0", ..Actor::default() };
    first.put(network("192.0.2.0/24"), Kind::Allow, None, "office", &admin, start).unwrap();
    first.put(network("198.51.100.0/24"), Kind::Block, Some(HOUR), "", &admin, start).unwrap();
    let later = after(start, 600_000);
    let lines = first.snapshot(later, wall());
    assert_eq!(lines.len(), 3);

    let second = guard();
    let now = model::start();
    let restored = second.restore(lines.clone(), now, wall() + Duration::from_secs(60));
    assert_eq!(restored, Restored { taken: 3, expired: 0, skipped: 0 });
    let entries = second.entries(&Filter::default(), now);
    let (mut before, minute) = (first.entries(&Filter::default(), later), Duration::from_secs(60));
    for entry in &mut before {
        entry.age += minute;
        entry.left = entry.left.map(|left| left - minute);
    }
    assert_eq!(entries, before);
    assert!(matches!(second.admit(addr("2001:db8::1"), now), Admission::Denied(_)));
    assert_eq!(second.admit(addr("192.0.2.1"), now), Admission::Allowed);
    // And once more the same, at the same moment.
    assert_eq!(second.snapshot(now, wall() + minute), lines);
}

#[test]
fn what_ran_out_meanwhile_does_not_come_back() {
    let second = guard();
    let restored = second.restore([saved("192.0.2.7", Origin::Auto, Some(HOUR))], start(), wall() + HOUR);
    assert_eq!(restored, Restored { taken: 0, expired: 1, skipped: 0 });
}

#[test]
fn neither_observed_bans_nor_the_configuration_nor_windows_are_saved() {
    let start = start();
    let block = vec![network("198.51.100.0/24")];
    let guard = Guard::new(&Policy { mode: Mode::Observe, block, ..Policy::default() }, SEEDS, start);
    for _ in 0..21 {
        guard.report(addr("192.0.2.7"), GUESS, start);
    }
    guard.report(addr("192.0.2.8"), GUESS, start);
    assert_eq!(guard.entries(&Filter::default(), start).len(), 2);
    assert_eq!(guard.snapshot(start, wall()), []);
}

#[test]
fn what_does_not_fit_is_skipped_and_the_rest_is_taken() {
    let block = vec![network("198.51.100.0/24")];
    let guard = Guard::new(&Policy { max_entries: 2, block, ..Policy::default() }, SEEDS, start());
    let mut allowed_ban = saved("192.0.2.1", Origin::Auto, Some(HOUR));
    allowed_ban.kind = Kind::Allow;
    let lines = [
        saved("192.0.2.0/24", Origin::Auto, Some(HOUR)), // not one source
        saved("192.0.2.1", Origin::Auto, None),          // a ban for ever
        allowed_ban,
        saved("203.0.113.0/24", Origin::Config, None),
        saved("198.51.100.0/24", Origin::Manual, None), // configured here
        saved("192.0.2.2", Origin::Auto, Some(HOUR)),   // good
        saved("192.0.2.2", Origin::Auto, Some(HOUR)),   // twice
        saved("192.0.2.3", Origin::Manual, None),       // good
        saved("192.0.2.3", Origin::Manual, None),       // twice
        saved("192.0.2.4", Origin::Manual, None),       // good
        saved("192.0.2.5", Origin::Manual, None),       // one too many
    ];
    let now = start();
    assert_eq!(guard.restore(lines, now, wall()), Restored { taken: 3, expired: 0, skipped: 8 });
    let manual = guard.entries(&Filter { origin: Some(Origin::Manual), ..Filter::default() }, now);
    assert_eq!(manual.len(), 2);
}

#[test]
fn texts_from_outside_are_cut() {
    let guard = guard();
    let mut line = saved("192.0.2.1", Origin::Manual, None);
    line.by = "x".repeat(10_000);
    line.comment = "y".repeat(10_000);
    let now = start();
    guard.restore([line], now, wall());
    let entry = &guard.entries(&Filter::default(), now)[0];
    assert_eq!((entry.by.len(), entry.comment.len()), (120, 200));
}

proptest! {
    #[test]
    fn no_jump_of_the_wall_clock_makes_an_entry_last_longer_than_it_was_to(
        lifetime in 1..86_400u64,
        passed in -7_200..90_000i64,
        origin in prop_oneof![Just(Origin::Auto), Just(Origin::Manual)],
    ) {
        let lifetime = Duration::from_secs(lifetime);
        let jumped = Duration::from_secs(passed.unsigned_abs());
        let wall_then = if passed < 0 { wall() - jumped } else { wall() + jumped };
        let (guard, now) = (guard(), start());
        let restored = guard.restore([saved("192.0.2.7", origin, Some(lifetime))], now, wall_then);
        let entries = guard.entries(&Filter::default(), now);
        prop_assert_eq!(restored.taken, entries.len());
        // With a clock that ran on, what is left is what is left; one that was set back gives all of it again.
        let left = if passed < 0 { lifetime } else { lifetime.saturating_sub(jumped) };
        prop_assert_eq!(entries.first().and_then(|entry| entry.left).unwrap_or_default(), left);
        prop_assert!(!matches!(guard.admit(addr("192.0.2.7"), now + lifetime), Admission::Denied(_)));
        // Nor does the next snapshot make it longer.
        for line in guard.snapshot(now, wall_then) {
            prop_assert!(line.until.unwrap().duration_since(line.created).unwrap() <= lifetime);
        }
    }
}
