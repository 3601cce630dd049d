//! Which name a request asks for.

mod support;

use rp_h323::{Key, Kind, Name, UTF8_MAX, extract};
use support::{Per, Rrq, h323_id, ia5_alias, raw_h323_id, setup, tunnel};

fn name(key: &Key<'_>) -> String {
    match key.name {
        Name::Given(name) => name.to_str(&mut [0; UTF8_MAX]).unwrap().to_owned(),
        other => other.to_string(),
    }
}

const MISSING: &str = "(no name)";
const UNUSABLE: &str = "(unusable name)";

#[test]
fn the_name_is_what_stands_behind_the_first_at_of_a_gatekeeper_identifier() {
    for (gatekeeper_id, expected) in [
        ("example.com", "example.com"),
        ("hq@example.com", "example.com"),
        ("hq@example.com/branch", "example.com/branch"),
        ("a@b@example.com", "b@example.com"),
        ("@example.com", "example.com"),
        ("hq@", UNUSABLE),
        ("@", UNUSABLE),
        ("@@", "@"),
        ("x", "x"),
        ("m\u{fc}nchen.example", "m\u{fc}nchen.example"),
        ("hq@\u{1f4de}", "\u{1f4de}"),
        ("\u{4000}\u{40}x", "x"), // a unit of 4000 is no @
    ] {
        let frame = Rrq { gatekeeper_id, ..Rrq::default() }.frame();
        let key = extract(&frame).unwrap();
        assert_eq!(name(&key), expected, "{gatekeeper_id}");
        let sent = key.gatekeeper_id.unwrap();
        assert_eq!(sent.to_str(&mut [0; UTF8_MAX]), Some(gatekeeper_id), "as it was sent");
    }
}

#[test]
fn a_call_is_routed_by_the_domain_of_the_alias_with_an_at() {
    for (alias, user, expected) in [
        ("hq@example.com", "hq", "example.com"),
        ("hq@example.com:1720", "hq", "example.com"),
        ("hq@example.com;user=phone", "hq", "example.com"),
        ("hq@example.com/branch", "hq", "example.com"),
        ("hq@example.com:1720/branch;x=y:z", "hq", "example.com"),
        ("hq@example.com;x=a/b:c", "hq", "example.com"),
        ("@example.com", "", "example.com"),
        ("hq@[2001:db8::1]:1720", "hq", "[2001:db8::1]"),
        ("hq@[2001:db8::1]", "hq", "[2001:db8::1]"),
        ("hq@[2001:db8::1", "hq", UNUSABLE),
        ("hq@", "hq", UNUSABLE),
        ("hq@:1720", "hq", UNUSABLE),
        ("hq@/branch", "hq", UNUSABLE),
        ("hq@;user=phone", "hq", UNUSABLE),
        ("a@b@example.com", "a", UNUSABLE),
        ("hq@example.com;x=@", "hq", UNUSABLE),
        ("hq%40@example.com", "hq%40", "example.com"),
    ] {
        let as_name = setup(|per| h323_id(per.length(1), alias));
        let as_address = setup(|per| ia5_alias(per.length(1), 2, alias.as_bytes()));
        let as_url = setup(|per| ia5_alias(per.length(1), 0, alias.as_bytes()));
        for frame in [as_name, as_address, as_url] {
            let key = extract(&frame).unwrap();
            assert_eq!((key.kind, name(&key).as_str()), (Kind::Setup, expected), "{alias}");
            assert_eq!(key.called_user().unwrap().to_string(), user, "{alias}");
        }
    }
}

#[test]
fn only_a_url_has_a_scheme() {
    for (alias, user) in
        [("h323:hq@example.com", "hq"), ("sip:a:b@example.com", "a:b"), (":hq@example.com", "hq")]
    {
        let url = setup(|per| ia5_alias(per.length(1), 0, alias.as_bytes()));
        let key = extract(&url).unwrap();
        assert_eq!(
            (name(&key).as_str(), key.called_user().unwrap().to_string().as_str()),
            ("example.com", user)
        );
        let address = setup(|per| ia5_alias(per.length(1), 2, alias.as_bytes()));
        let whole = alias.split('@').next().unwrap();
        assert_eq!(extract(&address).unwrap().called_user().unwrap().to_string(), whole);
    }
}

#[test]
fn the_first_alias_with_an_at_decides_and_no_later_one_is_tried() {
    let frame = setup(|per| {
        let per = h323_id(per.length(3), "hq");
        ia5_alias(h323_id(per, "a@b@example.com"), 2, b"hq@example.com")
    });
    assert_eq!(name(&extract(&frame).unwrap()), UNUSABLE);
    let frame = setup(|per| ia5_alias(h323_id(per.length(2), "hq"), 2, b"hq@example.com"));
    assert_eq!(name(&extract(&frame).unwrap()), "example.com");
    let frame = setup(|per| h323_id(per.length(1), "hq"));
    assert_eq!(name(&extract(&frame).unwrap()), MISSING);
    let frame = setup(|per| per.length(0));
    assert_eq!(name(&extract(&frame).unwrap()), MISSING);
}

#[test]
fn text_that_is_none_equals_no_name() {
    let surrogate = raw_h323_id_call(&[0, b'@', 0xd8, 0x3d]);
    let frame = setup(|per| ia5_alias(per.length(1), 2, b"hq@m\xfcnchen.example"));
    for frame in [surrogate, frame] {
        let key = extract(&frame).unwrap();
        let Name::Given(name) = key.name else { panic!("{key}") };
        assert_eq!(name.to_str(&mut [0; UTF8_MAX]), None);
        assert!(name.chars().any(|c| c == '\u{fffd}'));
        let seen: String = name.chars().collect();
        assert!(!name.eq_ignore_ascii_case(&seen), "{key}");
    }
}

fn raw_h323_id_call(octets: &[u8]) -> Vec<u8> {
    setup(|per| raw_h323_id(per.length(1), octets))
}

#[test]
fn names_are_compared_without_regard_to_ascii_case_alone() {
    let frame = Rrq { gatekeeper_id: "M\u{dc}nchen.Example", ..Rrq::default() }.frame();
    let Name::Given(name) = extract(&frame).unwrap().name else { panic!("no name") };
    assert!(name.eq_ignore_ascii_case("m\u{dc}NCHEN.example"));
    for other in ["m\u{fc}nchen.example", "m\u{dc}nchen.exampl", "m\u{dc}nchen.example.", ""] {
        assert!(!name.eq_ignore_ascii_case(other), "{other}");
    }
}

#[test]
fn logs_show_no_control_direction_or_half_character() {
    let frame =
        raw_h323_id_call(&[0, b'a', 0, 0, 0, b'\n', 0x20, 0x2e, 0xdc, 0x01, 0, b'\\', 0, b'"', 0, b'\'']);
    let key = extract(&frame).unwrap();
    let shown = key.to_string();
    assert!(shown.ends_with(r#"alias a\0\n\u{202e}\u{dc01}\\"'"#), "{shown}");
    let frame = setup(|per| ia5_alias(per.length(1), 2, b"\x1b\xff\x7f"));
    assert!(extract(&frame).unwrap().to_string().ends_with(r"alias \u{1b}\xff\u{7f}"));
}

#[test]
fn the_longest_texts_fit_the_buffer() {
    let longest = "\u{ffef}".repeat(256);
    let frame = setup(|per| h323_id(per.length(1), &longest));
    let key = extract(&frame).unwrap();
    let Some(rp_h323::Alias::H323Id(text)) = key.aliases().next() else { panic!("{key}") };
    assert_eq!(text.to_str(&mut [0; UTF8_MAX]), Some(longest.as_str()));
    assert_eq!(longest.len(), UTF8_MAX);
}

#[test]
fn digits_are_packed_and_of_any_number() {
    for digits in ["0", "47", "471", "0123456789#*,", "#"] {
        let code = |digit| b"#*,0123456789".iter().zip(0..).find(|(d, _)| **d == digit).unwrap().1;
        let frame = setup(|per| {
            let count = u32::try_from(digits.len()).unwrap();
            let per = per.length(2).bits(0, 2).bits(count - 1, 7).octets(&[]);
            // What follows an odd count begins in the half octet that is left over.
            h323_id(digits.bytes().fold(per, |per, digit| per.bits(code(digit), 4)), "hq@example.com")
        });
        let key = extract(&frame).unwrap();
        assert_eq!(key.aliases().next().unwrap().to_string(), digits);
        assert_eq!(name(&key), "example.com", "{digits}");
    }
}

#[test]
fn the_first_request_of_a_bundle_decides_and_all_can_be_read() {
    let first = Rrq { gatekeeper_id: "one.example", ..Rrq::default() }.ras();
    let second = Rrq { gatekeeper_id: "two.example", ..Rrq::default() }.ras();
    let other = Per::new().bits(6, 6).build(); // an unregistration request, which is not read
    let frame = tunnel(&[other.clone(), first, other, second]);
    let key = extract(&frame).unwrap();
    assert_eq!(name(&key), "one.example");
    let names: Vec<String> = key.requests().map(|request| name(&request)).collect();
    assert_eq!(names, ["one.example", "two.example"]);
    // From any of them, all are found.
    assert_eq!(key.requests().last().unwrap().requests().count(), 2);
}

#[test]
fn requests_in_several_generic_data_are_all_read() {
    let ras = |gatekeeper_id| Rrq { gatekeeper_id, ..Rrq::default() }.ras();
    let per = support::generic_data(Per::new().length(2), 17, 1);
    let per = support::ras_parameter(per, &ras("one.example"));
    let per = support::ras_parameter(support::generic_data(per, 17, 1), &ras("two.example"));
    let frame = support::facility(&per.build());
    let names: Vec<String> = extract(&frame).unwrap().requests().map(|request| name(&request)).collect();
    assert_eq!(names, ["one.example", "two.example"]);
}
