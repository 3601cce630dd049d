//! The look-up of names, in examples and against its naive twin.

use std::net::Ipv6Addr;

use proptest::prelude::*;
use rp_route::name::Name;
use rp_route::table::Table;

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// A table in which every name stands for itself.
fn table<'a>(names: &[&'a str]) -> Table<&'a str> {
    let mut table = Table::new();
    for text in names {
        table.insert(&name(text), *text).unwrap();
    }
    table
}

#[test]
fn case_and_one_trailing_dot_make_no_difference() {
    let table = table(&["pbx.example.com", "example.com/branch", "münchen"]);
    for text in ["pbx.example.com", "PBX.EXAMPLE.COM", "pbx.example.com."] {
        assert_eq!(table.lookup(text), Some(&"pbx.example.com"), "{text}");
    }
    assert_eq!(table.lookup("Example.COM/Branch."), Some(&"example.com/branch"));
    assert_eq!(table.lookup("MüNCHEN"), Some(&"münchen"));
    for text in
        ["", ".", "pbx.example.com..", ".pbx.example.com", "pbx.example", "hq@pbx.example.com", "mÜnchen"]
    {
        assert_eq!(table.lookup(text), None, "{text}");
    }
}

#[test]
fn exact_beats_wildcard_and_longer_wildcard_beats_shorter() {
    let table = table(&["pbx.example.com", "*.example.com", "*.b.example.com", "*.com"]);
    assert_eq!(table.lookup("pbx.example.com"), Some(&"pbx.example.com"));
    assert_eq!(table.lookup("a.EXAMPLE.com."), Some(&"*.example.com"));
    assert_eq!(table.lookup("b.example.com"), Some(&"*.example.com"));
    assert_eq!(table.lookup("a.b.example.com"), Some(&"*.b.example.com"));
    assert_eq!(table.lookup("a.a.b.example.com"), Some(&"*.b.example.com"));
    assert_eq!(table.lookup("example.com"), Some(&"*.com"));
    assert_eq!(table.lookup("com"), None);
}

#[test]
fn a_star_stands_for_labels_never_for_a_slash_an_at_or_nothing() {
    let table = table(&["*.example.com", "*.example.com/branch"]);
    for text in [
        ".example.com",
        "..example.com",
        "a..example.com",
        ".a.example.com",
        "x/a.example.com",
        "a.x/b.example.com",
        "hq@a.example.com",
        "a.hq@b.example.com",
        "aexample.com",
        "a.example.com/other",
    ] {
        assert_eq!(table.lookup(text), None, "{text}");
    }
    assert_eq!(table.lookup("a.example.com/branch"), Some(&"*.example.com/branch"));
}

#[test]
fn literals_are_compared_as_addresses() {
    let table = table(&["192.0.2.10", "[2001:db8::10]"]);
    for text in ["[2001:db8::10]", "[2001:DB8::10]", "[2001:db8:0::10]", "[2001:0db8:0:0:0:0:0:10]"] {
        assert_eq!(table.lookup(text), Some(&"[2001:db8::10]"), "{text}");
    }
    assert_eq!(table.lookup("192.0.2.10"), Some(&"192.0.2.10"));
    for text in [
        "0300.0.2.012",
        "192.0.2.010",
        "192.0.522",
        "2001:db8::10",
        "[::ffff:192.0.2.10]",
        "[2001:db8::10",
        "[]",
    ] {
        assert_eq!(table.lookup(text), None, "{text}");
    }
}

#[test]
fn a_name_is_inserted_once_whatever_its_spelling() {
    let mut table = table(&["pbx.example.com", "[2001:db8::10]", "*.example.com"]);
    for text in ["PBX.example.com.", "[2001:db8:0::10]", "*.Example.com"] {
        let duplicate = table.insert(&name(text), "again").unwrap_err();
        assert_eq!((duplicate.value, Name::parse(duplicate.present)), ("again", Ok(name(text))));
    }
    assert_eq!(table.len(), 3);
}

#[test]
fn the_default_is_set_once_and_never_looked_up() {
    let mut table = Table::new();
    assert!(table.is_empty());
    table.set_default(1).unwrap();
    assert_eq!(table.set_default(2).unwrap_err().present, &1);
    assert_eq!((table.default(), table.lookup("anything")), (Some(&1), None));
    assert!(!table.is_empty());
}

#[test]
fn a_gatekeeper_location_without_a_host_goes_to_its_id_only_if_that_takes_any_location() {
    let table = table(&["open.example", "closed.example", "open.example/hq", "*.wild.example"]);
    let any_location = |name: &&str| !name.starts_with("closed");
    for (text, found) in [
        ("open.example", Some("open.example")),
        ("closed.example", Some("closed.example")),
        ("OPEN.example/HQ", Some("open.example/hq")),
        ("open.example/branch", Some("open.example")),
        ("a.wild.example/branch", Some("*.wild.example")),
        ("closed.example/branch", None),
        ("other.example/branch", None),
        ("hq@open.example/branch", None),
    ] {
        assert_eq!(table.lookup_gatekeeper(text, any_location).copied(), found, "{text}");
    }
    assert_eq!(table.lookup("open.example/branch"), None);
}

#[test]
fn a_name_longer_than_any_configured_one_can_be_matches_nothing() {
    let table = table(&["*.example.com"]);
    let longest = format!("{}.example.com", "a".repeat(253 - 12));
    assert_eq!(table.lookup(&longest), Some(&"*.example.com"));
    assert_eq!(table.lookup(&format!("{longest}.")), Some(&"*.example.com"));
    assert_eq!(table.lookup(&format!("a{longest}")), None);
}

/// Every configured name is asked in turn.
fn naive<'a>(names: &'a [Name], asked: &str) -> Option<&'a Name> {
    let asked = asked.strip_suffix('.').unwrap_or(asked).to_ascii_lowercase();
    let ipv6 = |text: &str| text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok();
    if let Some(address) = ipv6(&asked) {
        return names.iter().find(|name| ipv6(name.as_str()) == Some(address));
    }
    let covers = |name: &Name| {
        let star = name.wildcard_tail().and_then(|tail| asked.strip_suffix(tail));
        star.is_some_and(|star| !star.contains(['/', '@']) && star.split('.').all(|label| !label.is_empty()))
    };
    names
        .iter()
        .find(|name| name.as_str() == asked)
        .or_else(|| names.iter().filter(|name| covers(name)).max_by_key(|name| name.as_str().len()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_table_equals_its_naive_twin(
        written in prop::collection::vec("(\\*\\.)?[ab](\\.[abA]){0,3}(/[ab])?|\\[::[0-3]\\]", 0..12),
        asked in prop::collection::vec("[ab.A]{0,5}[ab/@.*]?[ab.]{0,5}\\.?|\\[(::|0::)0?[0-3]\\]", 20),
    ) {
        let mut names = Vec::new();
        let mut table = Table::new();
        for name in written.iter().map(|text| Name::parse(text).unwrap()) {
            let is_new = !names.contains(&name);
            prop_assert_eq!(table.insert(&name, name.clone()).is_ok(), is_new);
            if is_new {
                names.push(name);
            }
        }
        for asked in asked.iter().map(String::as_str).chain(written.iter().map(String::as_str)) {
            prop_assert_eq!(table.lookup(asked), naive(&names, asked), "{}", asked);
        }
    }
}
