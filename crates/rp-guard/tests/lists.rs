//! What administrators do with the lists, and who wins.

mod model;

use std::time::{Duration, Instant};

use model::{SEEDS, addr, after, guard, network, start};
use rp_guard::{
    Actor, Admission, Change, Event, Filter, Guard, Kind, Origin, Policy, Refused, Thresholds, Verdict,
};

const HOUR: Duration = Duration::from_secs(3600);

const ADMIN: Actor<'_> = Actor { name: "token:ops", addr: None, force: false };

fn put(guard: &Guard, text: &str, kind: Kind, now: Instant) -> Change {
    guard.put(network(text), kind, None, "", &ADMIN, now).unwrap()
}

fn ban(guard: &Guard, source: &str, now: Instant) {
    let last = (0..21).map(|_| guard.report(addr(source), Event::default(), now)).last();
    assert!(matches!(last, Some(Verdict::Banned(_))), "{source}: {last:?}");
}

fn denied(guard: &Guard, source: &str, now: Instant) -> bool {
    matches!(guard.admit(addr(source), now), Admission::Denied(_))
}

fn names(entries: &[rp_guard::Entry]) -> Vec<String> {
    entries.iter().map(|entry| entry.network.to_string()).collect()
}

#[test]
fn allowed_sources_are_never_denied_and_never_counted() {
    let allow = Policy { allow: vec![network("203.0.113.0/24")], ..Policy::default() };
    let start = start();
    let guard = Guard::new(&allow, SEEDS, start);
    put(&guard, "192.0.2.0/24", Kind::Allow, start);
    for source in ["192.0.2.7", "203.0.113.7", "::ffff:203.0.113.7", "64:ff9b::203.0.113.7"] {
        for _ in 0..100 {
            assert_eq!(guard.report(addr(source), Event::default(), start), Verdict::Allowed);
        }
        assert_eq!(guard.admit(addr(source), start), Admission::Allowed);
    }
    assert!(guard.top(10, start).is_empty());
}

#[test]
fn allow_wins_over_block_however_long_the_prefixes_are() {
    let (guard, start) = guard();
    put(&guard, "192.0.2.0/24", Kind::Allow, start);
    put(&guard, "192.0.2.7", Kind::Block, start);
    assert_eq!(guard.admit(addr("192.0.2.7"), start), Admission::Allowed);
    put(&guard, "198.51.100.0/24", Kind::Block, start);
    put(&guard, "198.51.100.7", Kind::Allow, start);
    assert_eq!(guard.admit(addr("198.51.100.7"), start), Admission::Allowed);
    assert!(denied(&guard, "198.51.100.8", start));
}

#[test]
fn an_allow_entry_lifts_the_bans_inside() {
    let (guard, start) = guard();
    for source in ["192.0.2.7", "192.0.2.8", "198.51.100.7", "2001:db8::1"] {
        ban(&guard, source, start);
    }
    guard.report(addr("192.0.2.9"), Event::default(), start);
    let change = put(&guard, "192.0.2.0/24", Kind::Allow, start);
    let mut lifted = names(&change.lifted);
    lifted.sort();
    assert_eq!(lifted, ["192.0.2.7/32", "192.0.2.8/32"]);
    assert!(change.before.is_none());
    assert!(denied(&guard, "198.51.100.7", start) && denied(&guard, "2001:db8::1", start));

    // Nor does anything of before come back when the entry goes.
    guard.remove(network("192.0.2.0/24"), start).unwrap();
    assert_eq!(guard.admit(addr("192.0.2.7"), start), Admission::Open);
    let first = guard.report(addr("192.0.2.9"), Event::default(), start);
    assert_eq!(first, Verdict::Counted { count: 1, threshold: 20 });
}

#[test]
fn one_click_turns_a_ban_into_a_whitelist_entry_and_back() {
    let (guard, start) = guard();
    ban(&guard, "192.0.2.7", start);
    let change = guard.flip(network("192.0.2.7"), None, &ADMIN, after(start, 5_000)).unwrap();
    let (before, after_flip) = (change.before.unwrap(), change.after.unwrap());
    assert_eq!((before.kind, before.origin), (Kind::Block, Origin::Auto));
    assert_eq!((after_flip.kind, after_flip.origin, after_flip.left), (Kind::Allow, Origin::Manual, None));
    assert_eq!((after_flip.count, after_flip.age), (21, Duration::from_secs(5)), "it is the same entry");
    assert_eq!(after_flip.by, "token:ops");
    assert_eq!(guard.admit(addr("192.0.2.7"), after(start, 5_000)), Admission::Allowed);
    assert_eq!(guard.entries(&Filter::default(), after(start, 5_000)).len(), 1);

    // The time-out of an allow entry stays when it becomes a block entry.
    let timed = guard.put(network("192.0.2.8"), Kind::Allow, Some(HOUR), "", &ADMIN, start).unwrap();
    assert_eq!(timed.after.unwrap().left, Some(HOUR));
    let change = guard.flip(network("192.0.2.8"), None, &ADMIN, after(start, 600_000)).unwrap();
    assert_eq!(change.after.unwrap().left, Some(HOUR - Duration::from_secs(600)));
    assert!(denied(&guard, "192.0.2.8", after(start, 3_599_999)));
    assert!(!denied(&guard, "192.0.2.8", after(start, 3_600_000)));
}

#[test]
fn a_flip_may_give_a_new_time_out() {
    let (guard, start) = guard();
    ban(&guard, "192.0.2.7", start);
    let change = guard.flip(network("192.0.2.7"), Some(HOUR), &ADMIN, after(start, 1_000)).unwrap();
    assert_eq!(change.after.unwrap().left, Some(HOUR));
    assert_eq!(guard.admit(addr("192.0.2.7"), after(start, 3_600_999)), Admission::Allowed);
    assert_eq!(guard.admit(addr("192.0.2.7"), after(start, 3_601_000)), Admission::Open);
}

#[test]
fn a_block_entry_replaces_the_ban_of_that_source() {
    let (guard, start) = guard();
    ban(&guard, "192.0.2.7", start);
    let change = put(&guard, "192.0.2.7", Kind::Block, start);
    assert_eq!(change.before.unwrap().origin, Origin::Auto);
    let entries = guard.entries(&Filter::default(), start);
    assert_eq!(
        entries.iter().map(|entry| (entry.origin, entry.left)).collect::<Vec<_>>(),
        [(Origin::Manual, None)]
    );
    // For ever, and no event of a source that is blocked counts.
    assert!(denied(&guard, "192.0.2.7", after(start, 1 << 40)));
    assert_eq!(guard.report(addr("192.0.2.7"), Event::default(), start), Verdict::Blocked);
}

#[test]
fn a_removed_entry_leaves_nothing_behind() {
    let (guard, start) = guard();
    ban(&guard, "192.0.2.7", start);
    put(&guard, "198.51.100.0/24", Kind::Block, start);
    assert_eq!(guard.remove(network("192.0.2.7"), start).unwrap().before.unwrap().origin, Origin::Auto);
    assert_eq!(
        guard.remove(network("198.51.100.0/24"), start).unwrap().before.unwrap().origin,
        Origin::Manual
    );
    assert!(!denied(&guard, "192.0.2.7", start) && !denied(&guard, "198.51.100.7", start));
    assert_eq!(guard.remove(network("192.0.2.7"), start), Err(Refused::Unknown(network("192.0.2.7"))));
    let first = guard.report(addr("192.0.2.7"), Event::default(), start);
    assert_eq!(first, Verdict::Counted { count: 1, threshold: 20 });
}

#[test]
fn what_is_forgotten_was_never_there() {
    let (guard, start) = guard();
    ban(&guard, "192.0.2.7", start);
    guard.report(addr("192.0.2.8"), Event::default(), start);
    guard.report(addr("198.51.100.8"), Event::default(), start);
    put(&guard, "192.0.2.128/25", Kind::Block, start);
    put(&guard, "192.0.0.0/16", Kind::Block, start);
    let forgotten = guard.forget(network("192.0.2.0/24"), start);
    assert_eq!(names(&forgotten.entries), ["192.0.2.128/25", "192.0.2.7/32"]);
    assert_eq!(forgotten.windows, 1);
    assert_eq!(guard.top(10, start).len(), 1);
    assert_eq!(names(&guard.entries(&Filter::default(), start)), ["192.0.0.0/16"]);
}

#[test]
fn entries_end_at_their_time_without_a_sweep_and_uncover_what_is_around_them() {
    let (guard, start) = guard();
    let minute = Some(Duration::from_secs(60));
    put(&guard, "192.0.2.0/24", Kind::Block, start);
    guard.put(network("192.0.2.0/28"), Kind::Block, minute, "", &ADMIN, start).unwrap();
    guard.put(network("192.0.2.7"), Kind::Allow, minute, "", &ADMIN, start).unwrap();
    let covering = |now| match guard.admit(addr("192.0.2.7"), now) {
        Admission::Denied(denial) => Some(denial.network),
        _ => None,
    };
    assert_eq!(covering(after(start, 59_999)), None);
    assert_eq!(covering(after(start, 60_000)), Some(network("192.0.2.0/24")));
    assert_eq!(names(&guard.sweep(after(start, 60_000))), ["192.0.2.0/28", "192.0.2.7/32"]);
    assert_eq!(covering(after(start, 60_000)), Some(network("192.0.2.0/24")));
}

#[test]
fn all_ipv6_is_not_ipv4() {
    let (guard, start) = guard();
    let force = Actor { force: true, ..ADMIN };
    guard.put(network("::/0"), Kind::Block, None, "", &force, start).unwrap();
    assert!(denied(&guard, "2001:db8::1", start));
    for source in ["192.0.2.1", "::ffff:192.0.2.1", "64:ff9b::192.0.2.1"] {
        assert!(!denied(&guard, source, start), "{source}");
    }
}

#[test]
fn an_entry_in_nat64_clothes_is_in_force() {
    let (guard, start) = guard();
    let change = put(&guard, "64:ff9b::192.0.2.0/120", Kind::Block, start);
    assert_eq!(change.after.unwrap().network, network("192.0.2.0/24"));
    assert!(denied(&guard, "192.0.2.1", start) && denied(&guard, "64:ff9b::192.0.2.1", start));
    guard.remove(network("64:ff9b::192.0.2.0/120"), start).unwrap();
    // It is all of IPv4, and dangerous as that is.
    let all = guard.put(network("64:ff9b::/96"), Kind::Block, None, "", &ADMIN, start);
    assert_eq!(all, Err(Refused::TooWide(network("0.0.0.0/0"))));
}

#[test]
fn dangerous_entries_need_force() {
    let (guard, start) = guard();
    let force = Actor { force: true, ..ADMIN };
    for wide in ["0.0.0.0/0", "::/0", "10.0.0.0/7", "2001:d00::/31"].map(network) {
        for kind in [Kind::Block, Kind::Allow] {
            assert_eq!(guard.put(wide, kind, None, "", &ADMIN, start), Err(Refused::TooWide(wide)));
        }
        guard.put(wide, Kind::Allow, None, "", &force, start).unwrap();
    }
    let own = Actor { addr: Some(addr("192.0.2.5")), ..ADMIN };
    let office = network("192.0.2.0/24");
    assert_eq!(guard.put(office, Kind::Block, None, "", &own, start), Err(Refused::CoversActor(office)));
    guard.put(office, Kind::Allow, None, "", &own, start).unwrap();
    assert_eq!(guard.flip(office, None, &own, start), Err(Refused::CoversActor(office)));
    assert_eq!(
        guard.entries(&Filter { inside: Some(office), ..Filter::default() }, start)[0].kind,
        Kind::Allow
    );
    assert!(guard.put(office, Kind::Block, None, "", &Actor { force: true, ..own }, start).is_ok());
}

#[test]
fn configured_entries_change_only_in_the_configuration() {
    let start = start();
    let (bad, good) = (network("198.51.100.0/24"), network("203.0.113.0/24"));
    let policy = Policy { allow: vec![good], block: vec![bad], ..Policy::default() };
    let guard = Guard::new(&policy, SEEDS, start);
    for listed in [bad, good] {
        assert_eq!(guard.put(listed, Kind::Allow, None, "", &ADMIN, start), Err(Refused::Configured(listed)));
        assert_eq!(guard.flip(listed, None, &ADMIN, start), Err(Refused::Configured(listed)));
        assert_eq!(guard.remove(listed, start), Err(Refused::Configured(listed)));
        assert!(guard.forget(listed, start).entries.is_empty());
    }
    put(&guard, "192.0.2.1", Kind::Block, start);
    assert!(denied(&guard, "198.51.100.1", start));
    let entries = guard.entries(&Filter { origin: Some(Origin::Config), ..Filter::default() }, start);
    assert_eq!(names(&entries), ["198.51.100.0/24", "203.0.113.0/24"]);
    assert_eq!(entries[0].refused, 1);

    // A reload goes by the new ones, lets manual ones be, and what stays keeps what it counted.
    guard.reconfigure(&Policy { allow: Vec::new(), ..policy }, start);
    let entries = guard.entries(&Filter::default(), start);
    assert_eq!(names(&entries), ["192.0.2.1/32", "198.51.100.0/24"]);
    assert_eq!(entries[1].refused, 1);
}

#[test]
fn manual_entries_are_bounded_and_never_dropped() {
    let start = start();
    let guard = Guard::new(&Policy { max_entries: 3, ..Policy::default() }, SEEDS, start);
    guard.put(network("192.0.2.0"), Kind::Block, Some(HOUR), "", &ADMIN, start).unwrap();
    put(&guard, "192.0.2.1", Kind::Block, start);
    put(&guard, "192.0.2.2", Kind::Block, start);
    let another = |now| guard.put(network("192.0.2.3"), Kind::Block, None, "", &ADMIN, now);
    assert_eq!(another(start), Err(Refused::Full(3)));
    put(&guard, "192.0.2.2", Kind::Allow, start);
    // What ran out makes room.
    assert!(another(start + HOUR).is_ok());
    assert_eq!(guard.entries(&Filter::default(), start + HOUR).len(), 3);
}

#[test]
fn a_comment_has_an_end() {
    let (guard, start) = guard();
    let put = |comment: &str| guard.put(network("192.0.2.1"), Kind::Block, None, comment, &ADMIN, start);
    assert_eq!(put(&"ä".repeat(201)), Err(Refused::CommentTooLong(201)));
    assert_eq!(put(&"ä".repeat(200)).unwrap().after.unwrap().comment.chars().count(), 200);
}

#[test]
fn entries_are_found_by_kind_origin_address_and_network() {
    let (guard, start) = guard();
    ban(&guard, "192.0.2.7", start);
    put(&guard, "192.0.2.0/24", Kind::Block, start);
    put(&guard, "198.51.100.0/24", Kind::Allow, start);
    let found = |filter: Filter| names(&guard.entries(&filter, start));
    let all = Filter::default();
    assert_eq!(found(all), ["192.0.2.0/24", "192.0.2.7/32", "198.51.100.0/24"]);
    assert_eq!(found(Filter { kind: Some(Kind::Allow), ..all }), ["198.51.100.0/24"]);
    assert_eq!(found(Filter { origin: Some(Origin::Auto), ..all }), ["192.0.2.7/32"]);
    let covering = Some(addr("64:ff9b::192.0.2.7"));
    assert_eq!(found(Filter { covering, ..all }), ["192.0.2.0/24", "192.0.2.7/32"]);
    assert_eq!(found(Filter { inside: Some(network("192.0.2.4/30")), ..all }), ["192.0.2.7/32"]);
}

#[test]
fn refusals_read_as_sentences() {
    let rows = [
        (Refused::Unknown(network("192.0.2.1")), "there is no entry 192.0.2.1/32"),
        (Refused::Full(3), "the lists hold 3 manual entries, as many as max-entries allows; remove some"),
    ];
    for (refused, sentence) in rows {
        assert_eq!(refused.to_string(), sentence);
    }
}

#[test]
fn a_block_entry_holds_where_detection_is_off() {
    let start = start();
    let off = Policy { thresholds: Thresholds::new(0, &[]).unwrap(), ..Policy::default() };
    let guard = Guard::new(&off, SEEDS, start);
    put(&guard, "192.0.2.7", Kind::Block, start);
    assert!(denied(&guard, "192.0.2.7", start));
    assert_eq!(guard.report(addr("192.0.2.7"), Event::default(), start), Verdict::Blocked);
}
