//! Whether a certificate is that of the device that registers.

mod support;

use rp_h323::{Key, extract};
use support::{Per, Rrq, h323_id, ia5_alias, raw_h323_id};

fn matches(frame: &[u8], common_name: &str) -> bool {
    key(frame).matches_common_name(common_name, false)
}

fn key(frame: &[u8]) -> Key<'_> {
    extract(frame).expect("a registration")
}

fn rrq(aliases: fn(Per) -> Per) -> Vec<u8> {
    Rrq { aliases, ..Default::default() }.frame()
}

#[test]
fn a_name_matches_without_regard_to_ascii_case() {
    let frame = rrq(|per| h323_id(per.length(1), "Grüße-HQ"));
    for equal in ["Grüße-HQ", "grüße-hq", "GRüßE-hQ"] {
        assert!(matches(&frame, equal), "{equal}");
    }
    for other in ["GRÜSSE-HQ", "grÜße-hq", "Grüße-H", "Grüße-HQ ", " Grüße-HQ", "Grüße-HQ\0", ""] {
        assert!(!matches(&frame, other), "{other}");
    }
}

#[test]
fn a_number_matches_exactly() {
    // 4711#: five digits of four bits.
    let frame = rrq(|per| per.length(1).bits(0, 2).bits(4, 7).octets(&[0x7a, 0x44, 0x00]));
    assert!(matches(&frame, "4711#"));
    for other in ["4711", "4711#0", "04711#", "4711 #", "4711*", ""] {
        assert!(!matches(&frame, other), "{other}");
    }
}

#[test]
fn one_alias_of_several_is_enough() {
    for file in ["rrq_v7_gkid", "rrq_alias_every_type"] {
        let frame = support::corpus_file(file);
        assert!(matches(&frame, "HQ") && matches(&frame, "4711") && !matches(&frame, "hq4711"), "{file}");
    }
    assert!(matches(&support::corpus_file("grq_v7_gkid"), "hq"));
    let second = rrq(|per| h323_id(h323_id(per.length(2), "one"), "two"));
    assert!(matches(&second, "two"));
}

#[test]
fn other_types_of_alias_do_not_match() {
    for number in [0, 2] {
        let frame = Rrq { aliases: [url, email][number / 2], ..Default::default() }.frame();
        assert_eq!(key(&frame).aliases().next().expect("one").to_string(), "hq@example.com");
        assert!(!matches(&frame, "hq@example.com"));
    }
}

fn url(per: Per) -> Per {
    ia5_alias(per.length(1), 0, b"hq@example.com")
}

fn email(per: Per) -> Per {
    ia5_alias(per.length(1), 2, b"hq@example.com")
}

#[test]
fn text_that_is_no_unicode_matches_nothing() {
    let frame = rrq(|per| raw_h323_id(per.length(1), &[0xd8, 0x00]));
    for name in ["\u{fffd}", "", "\\u{d800}"] {
        assert!(!key(&frame).matches_common_name(name, false));
        assert!(!key(&frame).matches_common_name(name, true));
    }
}

#[test]
fn a_registration_without_an_alias_matches_nothing() {
    for frame in [rrq(|per| per.length(0)), support::corpus_file("rrq_v7_no_alias")] {
        assert!(key(&frame).aliases().is_empty());
        assert!(!matches(&frame, ""));
    }
    assert!(!key(&support::corpus_file("rrq_v7_gkid")).aliases().is_empty());
}

#[test]
fn whom_a_call_is_for_proves_nothing_of_the_caller() {
    let frame = support::corpus_file("setup_h323id");
    assert_eq!(key(&frame).aliases().next().expect("one").to_string(), "hq@example.com");
    assert!(!matches(&frame, "hq@example.com"));
    assert!(!key(&frame).matches_common_name("hq@example.com", true));
}

#[test]
fn each_request_of_a_bundle_is_asked_by_itself() {
    let other = Rrq { aliases: |per| h323_id(per.length(1), "branch"), ..Default::default() };
    let frame = support::tunnel(&[Rrq::default().ras(), other.ras()]);
    let matching: Vec<bool> =
        key(&frame).requests().map(|key| key.matches_common_name("hq", false)).collect();
    assert_eq!(matching, [true, false]);
}

#[test]
fn the_two_forms_of_a_serial_number_are_equal_where_that_is_wanted() {
    let plain = rrq(|per| h323_id(per.length(1), "0090330a1B2c"));
    let decorated = rrq(|per| h323_id(per.length(1), "ip222-0A-1b-2C"));
    for (frame, common_name) in [
        (&plain, "IPxxx-0a-1b-2c"),
        (&plain, "IP6000-0A-1B-2C"),
        (&plain, "ip110a-0a-1b-2c"),
        (&decorated, "0090330a1b2c"),
        (&decorated, "0090330A1B2C"),
    ] {
        assert!(key(frame).matches_common_name(common_name, true), "{common_name}");
        assert!(!key(frame).matches_common_name(common_name, false), "{common_name}");
    }
    // The same form is the same name, whether that is wanted or not.
    for serial_names in [false, true] {
        assert!(key(&plain).matches_common_name("0090330A1b2C", serial_names));
        assert!(key(&decorated).matches_common_name("IP222-0a-1b-2c", serial_names));
    }
}

#[test]
fn what_only_looks_like_a_serial_number_is_a_name_like_any_other() {
    let plain = rrq(|per| h323_id(per.length(1), "0090330a1b2c"));
    for common_name in [
        "IP222-0a-1b-2d",
        "IP-0a-1b-2c",
        "222-0a-1b-2c",
        "XIP222-0a-1b-2c",
        "IP222-0a-1b-2c-",
        "IP222-0a1b2c",
        "IP222-0a-1b",
        "IP222-a-1b-2c",
        "IP 22-0a-1b-2c",
        "IPä-0a-1b-2c",
        "ä-0a-1b-2c",
        "-0a-1b-2c",
        "0a-1b-2c",
        "0a1b2c",
        "0090340a1b2c",
        "",
    ] {
        assert!(!key(&plain).matches_common_name(common_name, true), "{common_name}");
    }
    let other_model = rrq(|per| h323_id(per.length(1), "IP222-0a-1b-2c"));
    assert!(!key(&other_model).matches_common_name("IP111-0a-1b-2c", true));
    assert!(!key(&other_model).matches_common_name("0090340a1b2c", true));
    let no_digits = rrq(|per| h323_id(per.length(1), "009033-a-b-c"));
    assert!(!key(&no_digits).matches_common_name("IP1--a--b--c", true));
    assert!(
        !key(&rrq(|per| h323_id(per.length(1), "009033gggggg"))).matches_common_name("IP1-gg-gg-gg", true)
    );
    // A number is no serial number.
    let number =
        rrq(|per| per.length(1).bits(0, 2).bits(11, 7).octets(&[0x33, 0xc3, 0x66, 0x45, 0x67, 0x89]));
    assert_eq!(key(&number).aliases().next().expect("one").to_string(), "009033123456");
    assert!(matches(&number, "009033123456"));
    assert!(!key(&number).matches_common_name("IP222-12-34-56", true));
}
