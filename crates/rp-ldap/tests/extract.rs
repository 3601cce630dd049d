//! The rules of the wire, octet by octet.

mod support;

use proptest::prelude::*;
use rp_ldap::{Auth, Domain, Error, Key, MAX_FRAME, Reason, Request, START_TLS, Tag, answer, extract};
use rp_testkit::laws;
use support::{bind, message, tlv};

#[test]
fn a_request_is_refused_at_the_first_octet_that_rules_it_out() {
    let cases: &[(&[u8], Reason, usize)] = &[
        (b"\x16", Reason::NotLdap, 0),
        (b"G", Reason::NotLdap, 0),
        (b"\x70", Reason::NotLdap, 0),
        (b"\x30\x80", Reason::LengthForm, 1),
        (b"\x30\xff", Reason::LengthForm, 1),
        (b"\x30\x85", Reason::LengthForm, 1),
        (b"\x30\x84\x00\x00\xff\xfb", Reason::TooLarge, 1),
        (b"\x30\x84\xff\xff\xff\xff", Reason::TooLarge, 1),
        (b"\x30\x00", Reason::Structure, 2),
        (b"\x30\x2e\x04", Reason::Structure, 2),
        (b"\x30\x2e\x02\x2d", Reason::Structure, 3),
        (b"\x30\x2e\x02\x80", Reason::LengthForm, 3),
        (b"\x30\x2e\x02\x00", Reason::MessageId, 4),
        (b"\x30\x2e\x02\x05", Reason::MessageId, 4),
        (b"\x30\x2e\x02\x04\x80", Reason::MessageId, 4),
        (b"\x30\x2e\x02\x01\x00", Reason::MessageId, 4),
        (b"\x30\x03\x02\x01\x01", Reason::Structure, 5),
        (b"\x30\x2e\x02\x01\x01\x04", Reason::Structure, 5),
        (b"\x30\x2e\x02\x01\x01\x30", Reason::Structure, 5),
        (b"\x30\x2e\x02\x01\x01\xa0", Reason::Structure, 5),
        (b"\x30\x2e\x02\x01\x01\x40", Reason::Structure, 5),
        (b"\x30\x2e\x02\x01\x01\x5f", Reason::Structure, 5),
        (b"\x30\x2e\x02\x01\x01\x7f", Reason::Structure, 5),
        (b"\x30\x2e\x02\x01\x01\x60\x2a", Reason::Structure, 6),
        (b"\x30\x2e\x02\x01\x01\x60\x84\xff\xff\xff\xff", Reason::Structure, 6),
        (b"\x30\x05\x02\x01\x01\x60\x00", Reason::Structure, 7),
        // the version of a bind
        (b"\x30\x2e\x02\x01\x01\x60\x29\x04", Reason::Structure, 7),
        (b"\x30\x2e\x02\x01\x01\x60\x29\x02\x00", Reason::Structure, 9),
        (b"\x30\x2e\x02\x01\x01\x60\x29\x02\x05", Reason::Structure, 9),
        (b"\x30\x2e\x02\x01\x01\x60\x29\x02\x01\xff", Reason::Structure, 9),
        // its name
        (b"\x30\x2e\x02\x01\x01\x60\x29\x02\x01\x03\x24", Reason::Structure, 10),
        (b"\x30\x2e\x02\x01\x01\x60\x29\x02\x01\x03\x04\x25", Reason::Structure, 11),
        // its authentication
        (b"\x30\x0a\x02\x01\x01\x60\x05\x02\x01\x03\x04\x00", Reason::Structure, 12),
        (b"\x30\x2e\x02\x01\x01\x60\x29\x02\x01\x03\x04\x00\x04", Reason::Structure, 12),
        (b"\x30\x2e\x02\x01\x01\x60\x29\x02\x01\x03\x04\x00\xa0", Reason::Structure, 12),
        (b"\x30\x2e\x02\x01\x01\x60\x29\x02\x01\x03\x04\x00\x83", Reason::Structure, 12),
        (b"\x30\x2e\x02\x01\x01\x60\x29\x02\x01\x03\x04\x00\x9f", Reason::Structure, 12),
        (b"\x30\x2e\x02\x01\x01\x60\x29\x02\x01\x03\x04\x00\x80\x7f", Reason::Structure, 13),
        (b"\x30\x2e\x02\x01\x01\x60\x29\x02\x01\x03\x04\x00\xa3\x00", Reason::Structure, 14),
        (b"\x30\x2e\x02\x01\x01\x60\x29\x02\x01\x03\x04\x00\xa3\x05\x30", Reason::Structure, 14),
        // other requests
        (b"\x30\x2e\x02\x01\x01\x50\x00", Reason::Structure, 7),
        (b"\x30\x2e\x02\x01\x01\x50\x05", Reason::Structure, 7),
        (b"\x30\x2e\x02\x01\x01\x77\x00", Reason::Structure, 7),
        (b"\x30\x2e\x02\x01\x01\x77\x18\x04", Reason::Structure, 7),
    ];
    for (octets, reason, offset) in cases {
        let refused = extract(octets);
        assert!(
            matches!(refused, Err(Error::Invalid(i)) if i.reason == *reason && i.offset == *offset),
            "{octets:02x?}: {refused:?}"
        );
        let before = extract(&octets[..octets.len() - 1]);
        assert!(
            matches!(before, Err(Error::Incomplete(_))),
            "{octets:02x?} is refused too early: {before:?}"
        );
        laws::check(octets, support::extract);
    }
}

#[test]
fn a_cut_message_asks_for_what_the_next_decision_needs() {
    let octets =
        b"\x30\x84\x00\x00\x00\x1f\x02\x01\x01\x60\x1a\x02\x01\x03\x04\x0ccn=a,dc=b.cd\x80\x07secret!abcde";
    let asked = |len: usize| match extract(&octets[..len]) {
        Err(Error::Incomplete(n)) => n.get(),
        decided => panic!("{len}: {decided:?}"),
    };
    assert_eq!(asked(0), 1);
    assert_eq!(asked(1), 1);
    assert_eq!(asked(2), 4, "the length");
    assert_eq!(asked(6), 1, "the tag of the message id");
    assert_eq!(asked(17), 11, "the name");
    assert_eq!(asked(28), 1, "the tag behind it");
    assert_eq!(asked(30), 7, "all the rest");
    assert!(extract(&octets[..37]).is_ok());
}

#[test]
fn lengths_may_take_up_to_four_octets_at_any_level() {
    let short = bind(b"innovaphone.com\\user");
    let long = support::long_form(&short);
    let (short, long) = (extract(&short).unwrap(), extract(&long).unwrap());
    assert_eq!(Key { frame_len: short.frame_len, ..long }, short);
}

#[test]
fn a_message_id_may_have_leading_zeros_and_all_31_bits() {
    let unbind = |id: &[u8]| tlv(0x30, &[tlv(0x02, id), tlv(0x42, b"")].concat());
    for (id, value) in
        [(&b"\x01"[..], 1), (b"\x00\x00\x00\x01", 1), (b"\x00\xff", 255), (b"\x7f\xff\xff\xff", i32::MAX)]
    {
        assert_eq!(extract(&unbind(id)).map(|key| key.message_id), Ok(value));
    }
}

#[test]
fn a_request_of_64_kib_passes_and_a_larger_one_does_not() {
    let name = vec![b'a'; MAX_FRAME - 28];
    let octets = bind(&name);
    assert_eq!(octets.len(), MAX_FRAME + 1);
    assert!(matches!(extract(&octets[..4]), Err(Error::Invalid(i)) if i.reason == Reason::TooLarge));
    let octets = bind(&name[1..]);
    assert_eq!(octets.len(), MAX_FRAME);
    assert_eq!(extract(&octets).map(|key| key.frame_len), Ok(MAX_FRAME));
    laws::check(&octets, support::extract);
}

#[test]
fn an_answer_may_have_any_size() {
    let entry = message(&tlv(0x64, &tlv(0x04, &vec![b'a'; 200_000])));
    let read = answer(&entry).unwrap();
    assert_eq!((read.operation, read.result, read.frame_len), (Tag::SEARCH_RESULT_ENTRY, None, entry.len()));
    // An announcement costs nothing.
    assert_eq!(
        answer(b"\x30\x84\xff\xff\xff\xff\x02\x01\x01\x64\x84\xff\xff\xff\xf6").unwrap_err(),
        Error::Incomplete(0xffff_ffff_usize.saturating_sub(9).try_into().unwrap())
    );
}

#[test]
fn only_an_unsolicited_notification_has_the_id_zero() {
    let result = [tlv(0x0a, &[52]), tlv(0x04, b""), tlv(0x04, b"closing")].concat();
    let with_id = |tag, id| tlv(0x30, &[tlv(0x02, &[id]), tlv(tag, &result)].concat());
    let notice = with_id(0x78, 0);
    let read = answer(&notice).unwrap();
    assert_eq!((read.message_id, read.operation), (0, Tag::EXTENDED_RESPONSE));
    let outcome = read.result.unwrap();
    assert_eq!((outcome.code.0, outcome.diagnostic), (52, &b"closing"[..]));
    assert!(matches!(answer(&with_id(0x61, 0)), Err(Error::Invalid(i)) if i.reason == Reason::MessageId));
    for octets in [notice, with_id(0x61, 0), with_id(0x61, 1)] {
        laws::check(&octets, support::answer);
    }
}

#[test]
fn each_answer_that_ends_an_operation_has_its_result_read() {
    let result = [tlv(0x0a, &[0x10, 0x00]), tlv(0x04, b"dc=com"), tlv(0x04, b"no")].concat();
    for tag in [0x61, 0x65, 0x67, 0x69, 0x6b, 0x6d, 0x6f, 0x78] {
        let octets = message(&tlv(tag, &result));
        let outcome = answer(&octets).unwrap().result.unwrap();
        assert_eq!((outcome.code.0, outcome.diagnostic), (4096, &b"no"[..]), "{tag:02x}");
        let cut = message(&tlv(tag, &result[..4]));
        assert!(matches!(answer(&cut), Err(Error::Invalid(i)) if i.reason == Reason::Structure));
    }
    for tag in [0x64, 0x73, 0x79] {
        assert_eq!(answer(&message(&tlv(tag, b""))).unwrap().result, None);
    }
}

#[test]
fn what_follows_the_operation_or_the_authentication_is_not_read() {
    let bind = tlv(0x60, b"\x02\x01\x03\x04\x03a@b\x80\x00\x00\x80garbage");
    for trailer in [&b""[..], b"\xa0\x80\xff", b"\x00\x00", b"\x30"] {
        let octets = message(&[&bind, trailer].concat());
        let key = extract(&octets).unwrap();
        assert_eq!(key.frame_len, octets.len());
        assert!(matches!(key.request, Request::Bind(bind) if bind.domain == Domain::of(b"a@b")));
    }
}

#[test]
fn authentication_is_told_apart() {
    let auth = |choice: &[u8]| {
        let octets = message(&tlv(0x60, &[b"\x02\x01\x03\x04\x00", choice].concat()));
        match extract(&octets).unwrap().request {
            Request::Bind(bind) => format!("{:?} {}", bind.auth, bind.auth.is_sasl("external")),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(auth(b"\x80\x00"), "Simple { empty_password: true } false");
    assert_eq!(auth(b"\x80\x01p"), "Simple { empty_password: false } false");
    assert_eq!(auth(b"\xa3\x0a\x04\x08External"), format!("Sasl {{ mechanism: {:?} }} true", b"External"));
    assert_eq!(auth(b"\x81\x00"), "Other(1) false");
    assert_eq!(auth(b"\xa9\x00"), "Other(9) false");
    assert_eq!(auth(b"\x8b\x00"), "Other(11) false");
}

#[test]
fn no_text_shows_the_password_or_credentials() {
    let simple = bind(b"cn=a,dc=b");
    let sasl = message(&tlv(0x60, b"\x02\x01\x03\x04\x00\xa3\x12\x04\x05PLAIN\x04\x09secret123"));
    for octets in [&simple, &sasl] {
        let key = extract(octets).unwrap();
        // Debug prints octets as numbers.
        let debug = format!("{key:?}");
        assert!(!debug.contains("115, 101, 99, 114, 101, 116") && !debug.contains("secret"), "{debug}");
        assert!(!format!("{key}").contains("secret"), "{key}");
    }
}

#[test]
fn names_are_escaped_and_cut_in_logs() {
    let octets = bind(b"innovaphone.com\\a\r\n\0\xfc");
    let key = extract(&octets).unwrap();
    assert_eq!(key.to_string(), r#"bind as "innovaphone.com\\a\r\n\x00\xfc" with a password (message 1)"#);
    let octets = bind(&[b'a'; 1000]);
    let key = extract(&octets).unwrap();
    assert!(key.to_string().contains("\" and 744 octets more with"), "{key}");
}

#[test]
fn refusals_read_as_sentences() {
    let text = |octets: &[u8]| extract(octets).unwrap_err().to_string();
    assert_eq!(
        text(b"GET"),
        "this is not LDAP: every LDAP message begins with the octet 30 (at octet 0 of the message)"
    );
    assert_eq!(text(b"\x30"), "the message is cut off, at least 1 more octets are needed");
}

#[test]
fn the_outer_header_is_told_from_the_rest() {
    let outer = |octets: &[u8]| match extract(octets) {
        Err(Error::Invalid(invalid)) => invalid.in_outer_header(),
        other => panic!("{other:?}"),
    };
    assert!(outer(b"GET") && outer(b"\x30\x80") && outer(b"\x30\x83\x10\x00\x00"));
    assert!(!outer(b"\x30\x2e\x02\x80") && !outer(b"\x30\x00") && !outer(b"\x30\x2e\x02\x01\x00"));
}

#[test]
fn start_tls_is_known_by_its_whole_oid() {
    let extended = |oid: &[u8]| message(&tlv(0x77, &tlv(0x80, oid)));
    assert!(extract(&extended(START_TLS)).unwrap().is_start_tls());
    assert!(!extract(&extended(&START_TLS[..21])).unwrap().is_start_tls());
    assert!(!extract(&extended(b"1.3.6.1.4.1.1466.200370")).unwrap().is_start_tls());
}

#[test]
fn operations_that_are_none_of_a_client_have_no_answer() {
    for tag in 0x41..=0x7e_u8 {
        let octets = message(&tlv(tag, b"\x02\x01\x01"));
        let Ok(key) = extract(&octets) else { continue };
        let known = [0x42, 0x63, 0x66, 0x68, 0x4a, 0x6c, 0x6e, 0x50];
        let expected =
            known.contains(&tag) && !matches!(key.request, Request::Unbind | Request::Abandon { .. });
        assert_eq!(key.operation().answer().is_some(), expected, "{tag:02x}");
        assert_eq!(key.operation(), Tag(tag));
    }
}

#[test]
fn two_thousand_nested_sequences_are_refused_at_the_first() {
    let nested = (0..2_000).fold(Vec::new(), |inner, _| tlv(0x30, &inner));
    let refused = extract(&nested).unwrap_err();
    assert!(
        matches!(refused, Error::Invalid(i) if i.reason == Reason::Structure && i.offset == 4),
        "{refused:?}"
    );
    // Where content is not read, its depth plays no part.
    let search = message(&tlv(0x63, &nested));
    assert_eq!(extract(&search).map(|key| key.request), Ok(Request::Search));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn mutated_requests_keep_the_laws(octets in mutation(false)) {
        laws::check(&octets, support::extract);
    }

    #[test]
    fn mutated_answers_keep_the_laws(octets in mutation(true)) {
        laws::check(&octets, support::answer);
    }

    #[test]
    fn what_is_built_is_read_back(
        id in 1..=i32::MAX,
        version in 0..=i32::MAX,
        name in prop::collection::vec(any::<u8>(), 0..300),
        auth in prop_oneof![Just(Auth::Simple { empty_password: false }), Just(Auth::Sasl { mechanism: b"PLAIN" })],
        long in any::<bool>(),
    ) {
        let choice = match auth {
            Auth::Sasl { mechanism } => tlv(0xa3, &[tlv(0x04, mechanism), tlv(0x04, b"p")].concat()),
            _ => tlv(0x80, b"p"),
        };
        let content = [tlv(0x02, &version.to_be_bytes()), tlv(0x04, &name), choice].concat();
        let mut octets = tlv(0x30, &[tlv(0x02, &id.to_be_bytes()), tlv(0x60, &content)].concat());
        if long {
            octets = support::long_form(&octets);
        }
        let key = extract(&octets).unwrap();
        prop_assert_eq!((key.message_id, key.frame_len), (id, octets.len()));
        let Request::Bind(bind) = key.request else { panic!("{key}") };
        prop_assert_eq!((bind.version, bind.name, bind.auth), (version, &name[..], auth));
        prop_assert_eq!(bind.domain, Domain::of(&name));
    }
}

/// A case of the corpus with some octets changed, dropped or doubled.
fn mutation(of_service: bool) -> impl Strategy<Value = Vec<u8>> {
    let mut cases = support::corpus(of_service);
    cases.retain(|case| (1..=512).contains(&case.bytes.len()));
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 1..4);
    (prop::sample::select(cases), changes).prop_map(|(case, changes)| {
        let mut octets = case.bytes;
        for (at, octet, kind) in changes {
            let at = at.index(octets.len().max(1));
            match kind {
                0 if !octets.is_empty() => drop(octets.remove(at)),
                1 => octets.insert(at, octet),
                _ => octets.iter_mut().skip(at).take(1).for_each(|o| *o = octet),
            }
        }
        octets
    })
}
