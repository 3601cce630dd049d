//! Configured names.

use proptest::prelude::*;
use rp_route::name::{Name, Reason};

#[test]
fn names_have_one_form() {
    for (written, name) in [
        ("pbx.example.com", "pbx.example.com"),
        ("PBX.Example.COM.", "pbx.example.com"),
        ("innovaphone", "innovaphone"),
        ("under_score.example", "under_score.example"),
        ("*.Example.com", "*.example.com"),
        ("192.0.2.10", "192.0.2.10"),
        ("192.0.2.10.", "192.0.2.10"),
        ("0300.0.2.012", "0300.0.2.012"),
        ("[2001:DB8:0::10]", "[2001:db8::10]"),
        ("[::ffff:192.0.2.1]", "[::ffff:192.0.2.1]"),
        ("Example.com/Branch", "example.com/branch"),
        ("example.com/PBX Berlin 2", "example.com/pbx berlin 2"),
        ("*.example.com/branch", "*.example.com/branch"),
        ("München", "münchen"),
    ] {
        assert_eq!(Name::parse(written).map(|name| name.to_string()), Ok(name.into()), "{written}");
    }
}

#[test]
fn a_name_knows_its_kind() {
    let name = |text| Name::parse(text).unwrap();
    assert!(name("*.example.com").is_wildcard() && name("*.example.com").is_dns());
    assert_eq!(name("*.example.com").wildcard_tail(), Some(".example.com"));
    assert!(name("example.com/hq").is_gatekeeper_location() && !name("example.com/hq").is_dns());
    assert_eq!(name("192.0.2.10").address(), Some("192.0.2.10".parse().unwrap()));
    assert_eq!(name("[2001:db8::10]").address(), Some("2001:db8::10".parse().unwrap()));
    assert!(!name("[2001:db8::10]").is_dns() && !name("192.0.2.10").is_dns() && !name("münchen").is_dns());
    assert_eq!(name("0300.0.2.012").address(), None);
    assert!(name("pbx.example.com").is_dns() && !name("pbx.example.com").is_wildcard());
}

#[test]
fn a_refused_name_comes_with_the_reason_and_what_was_meant() {
    let long = "a.".repeat(128);
    let label = format!("{}.com", "a".repeat(64));
    for (written, reason, instead) in [
        ("", Reason::Empty, None),
        (".", Reason::Empty, None),
        (&long, Reason::TooLong, None),
        (&label, Reason::LongLabel, None),
        ("https://pbx.example.com/PBX0/APPS", Reason::Scheme, Some("pbx.example.com")),
        ("https://user@[2001:db8::1]:8443/", Reason::Scheme, Some("[2001:db8::1]")),
        ("sip:pbx.example.com", Reason::Scheme, Some("pbx.example.com")),
        ("hq@example.com", Reason::PhysicalLocation, Some("example.com")),
        ("hq@example.com/branch", Reason::PhysicalLocation, Some("example.com/branch")),
        ("sip:user@example.com:5060", Reason::PhysicalLocation, Some("example.com")),
        ("hq@", Reason::PhysicalLocation, None),
        ("a@b@c", Reason::PhysicalLocation, None),
        ("pbx.example.com:443", Reason::Port, Some("pbx.example.com")),
        ("pbx.example.com:", Reason::Port, Some("pbx.example.com")),
        ("192.0.2.10:5060", Reason::Port, Some("192.0.2.10")),
        ("[2001:db8::10]:5060", Reason::Port, Some("[2001:db8::10]")),
        ("2001:db8::10", Reason::NoBrackets, Some("[2001:db8::10]")),
        ("[192.0.2.10]", Reason::Brackets, None),
        ("[fe80::1%eth0]", Reason::Brackets, None),
        ("[2001:db8::10", Reason::Brackets, None),
        ("*", Reason::LoneStar, None),
        ("pbx.*.example.com", Reason::Star, Some("*.example.com")),
        ("*pbx.example.com", Reason::Star, Some("*.pbx.example.com")),
        ("*.*.example.com", Reason::Star, Some("*.example.com")),
        ("/branch", Reason::Slash, None),
        ("example.com/", Reason::Slash, None),
        ("pbx.example.com/PBX0/APPS", Reason::Slash, None),
        ("*.", Reason::LoneStar, None),
        (".example.com", Reason::EmptyLabel, None),
        ("pbx..example.com", Reason::EmptyLabel, None),
        ("example.com..", Reason::EmptyLabel, None),
        ("example.com/hq..", Reason::EmptyLabel, None),
        ("*..example.com", Reason::EmptyLabel, None),
        ("pbx example.com", Reason::Character(' '), None),
        ("example.com/ branch", Reason::OuterSpace, Some("example.com/branch")),
        ("example.com/br\\anch", Reason::Character('\\'), None),
        ("pbx.example.com\n", Reason::Character('\n'), None),
    ] {
        let error = Name::parse(written).unwrap_err();
        assert_eq!((error.reason, error.write.as_ref().map(Name::as_str)), (reason, instead), "{written}");
    }
    assert_eq!(Name::parse(&"a.".repeat(127)).unwrap().as_str().len(), Name::LONGEST);
}

#[test]
fn a_refusal_reads_as_a_sentence() {
    for (written, sentence) in [
        ("hq@example.com", "the physical location is dropped before comparing; write `example.com`"),
        ("2001:db8::10", "an IPv6 address stands in brackets; write `[2001:db8::10]`"),
        ("pbx example.com", "a name cannot hold ' '"),
    ] {
        assert_eq!(Name::parse(written).unwrap_err().to_string(), sentence);
    }
}

proptest! {
    #[test]
    fn a_name_is_its_own_spelling(text in "([a-zäA*][a-z0-9_.*-]{0,6}|\\[[0-9a-f:]{2,9}\\])(/[ a-z.]{0,3})?\\.?") {
        if let Ok(name) = Name::parse(&text) {
            prop_assert_eq!(Name::parse(name.as_str()), Ok(name.clone()));
            prop_assert_eq!(Name::parse(&text.to_ascii_uppercase()), Ok(name));
        }
    }

    #[test]
    fn no_text_makes_the_reader_fail(text in "\\PC{0,20}|[a-z.:/@*\\[\\]0-9]{0,20}") {
        let _ = Name::parse(&text).map_err(|error| error.to_string());
    }
}
