//! Messages that no encoder makes, made systematically: cut short, with every length wrong, with every
//! count at its bound and one over it.

mod support;

use rp_h323::{Error, Key, Name, Reason, extract};
use rp_testkit::laws;
use support::{
    FACILITY, PROTOCOL, Per, Rrq, SETUP, corpus, decide, describe, facility, generic_data, h323_id, invalid,
    parameter, q931, ras_parameter, reason, setup, tpkt, tunnel, user_user,
};

fn key(frame: &[u8]) -> Key<'_> {
    extract(frame).unwrap_or_else(|error| panic!("{error}"))
}

/// Everything that is read from a key but its length, which changes with what is cut off.
fn essence(frame: &[u8]) -> Option<String> {
    extract(frame).ok().map(|key| format!("{} {:?} {}", key, key.gatekeeper_id, key.aliases().count()))
}

#[test]
fn other_protocols_are_refused_at_their_first_octet() {
    for octet in (0..=255).filter(|octet| *octet != 3) {
        let refused = invalid(&[octet]);
        assert_eq!((refused.reason, refused.offset), (Reason::NotTpkt, 0));
    }
    for (octets, offset) in [(&b"\x03\0\0\x0b\x06\xe0\0\0"[..], 4), (b"\x03\0\0\x10\x08\x01", 5)] {
        assert_eq!(invalid(octets).offset, offset); // RDP, and a call reference of one octet
    }
}

#[test]
fn a_tpkt_is_empty_or_has_room_for_a_message() {
    for len in 0..=9_u8 {
        match (len, extract(&[3, 0, 0, len])) {
            (4 | 9, Err(Error::Incomplete(n))) => assert_eq!(n.get(), 1),
            (_, Err(Error::Invalid(invalid))) => assert_eq!(invalid.reason, Reason::TpktLength),
            (_, other) => panic!("{len}: {other:?}"),
        }
    }
    for reserved in 0..=255 {
        let mut frame = Rrq::default().frame();
        frame[1] = reserved;
        assert_eq!(key(&frame).len, frame.len());
    }
}

#[test]
fn a_head_is_judged_octet_by_octet() {
    let frame = Rrq::default().frame();
    for len in 0..9 {
        assert_eq!(decide(&frame[..len]), rp_testkit::Decision::Incomplete(1), "{len}");
    }
    assert_eq!(decide(&frame[..9]), rp_testkit::Decision::Incomplete(frame.len() - 9));
    for (at, reason) in [(4, Reason::NotQ931), (5, Reason::CallReferenceLength)] {
        let mut broken = frame[..=at].to_vec();
        broken[at] ^= 0x80;
        assert_eq!((invalid(&broken).reason, invalid(&broken).offset), (reason, at));
    }
}

#[test]
fn only_some_messages_come_before_a_request() {
    let request = Rrq::default().frame();
    for message_type in 0..=255 {
        let before = q931(message_type, &[]);
        let head = &before[..9];
        match message_type {
            0x00 | 0x62 | 0x6e | 0x75 | 0x7b | 0x7d => {
                assert_eq!(key(&[&before[..], &request].concat()).skipped, 1, "{message_type:#x}");
            }
            SETUP => assert_eq!(reason(&before), Reason::NoUserUser),
            _ => {
                let refused = invalid(head);
                assert_eq!((refused.reason, refused.offset), (Reason::MessageType, 8));
            }
        }
    }
}

#[test]
fn sixteen_messages_are_skipped_and_no_more() {
    let request = Rrq::default().frame();
    for keep_alive in [tpkt(&[]), q931(0x7b, &[]), q931(FACILITY, &[]), facility(&[0])] {
        let sixteen = keep_alive.repeat(16);
        let frames = [&sixteen[..], &request].concat();
        assert_eq!((key(&frames).skipped, key(&frames).len), (16, frames.len()));
        assert_eq!(decide(&sixteen), rp_testkit::Decision::Incomplete(1));
        assert_eq!(reason(&[&sixteen[..], &keep_alive].concat()), Reason::TooManySkipped);
        laws::check(&[&sixteen[..], &keep_alive, &request].concat(), decide);
    }
}

#[test]
fn what_follows_the_deciding_message_is_not_looked_at() {
    let frame = Rrq::default().frame();
    for tail in [&b"\x16\x03\x01"[..], b"GET / HTTP/1.1", &[0xff; 100], &frame] {
        assert_eq!(decide(&[&frame[..], tail].concat()), decide(&frame));
    }
}

#[test]
fn elements_stay_inside_their_message() {
    for elements in [&b"\x28"[..], b"\x28\x05abcd", b"\x7e", b"\x7e\0", b"\x7e\0\x02\x05", b"\x96\x01"] {
        assert_eq!(reason(&q931(FACILITY, elements)), Reason::ElementLength, "{elements:x?}");
        assert_eq!(reason(&q931(0x7b, elements)), Reason::ElementLength, "{elements:x?}");
    }
    for elements in [&b"\xa1"[..], b"\x28\x03abc", b"\x90\x28\0", b"\xa1\x28\0\xa0"] {
        let frames = [q931(FACILITY, elements), Rrq::default().frame()].concat();
        assert_eq!(key(&frames).skipped, 1, "{elements:x?}");
    }
}

#[test]
fn there_is_one_user_user_element_and_receivers_agree_on_it() {
    let frame = Rrq::default().frame();
    let element = &frame[9..];
    let empty = user_user(&[]);
    for elements in [[element, element].concat(), [element, &empty].concat(), [&empty, element].concat()] {
        assert_eq!(reason(&q931(FACILITY, &elements)), Reason::SecondUserUser);
    }
    for before in [&b"\x96"[..], b"\x9e", b"\x9f", b"\x96\x28\0", b"\x9e\xa1\x9e", b"\x91", b"\x90\x99"] {
        let elements = [before, element].concat();
        assert_eq!(reason(&q931(FACILITY, &elements)), Reason::ShiftedUserUser, "{before:x?}");
    }
    for before in [&b"\x90"[..], b"\x98", b"\x9e\x28\0", b"\x96\x90", b"\x96\x98", b"\x9e\xa1"] {
        let elements = [before, element].concat();
        assert_eq!(key(&q931(FACILITY, &elements)).skipped, 0, "{before:x?}");
    }
    for element in [&b"\x7e\0\0"[..], b"\x7e\0\x01\x04", b"\x7e\0\x02\x00\x05"] {
        assert_eq!(reason(&q931(FACILITY, element)), Reason::UserUser, "{element:x?}");
    }
}

/// Cuts `contents` at every length and puts the lengths around it right: there is one length from which on
/// there is a key, always the same one, and below it every cut is refused.
fn cut_everywhere(contents: &[u8], wrap: impl Fn(&[u8]) -> Vec<u8>) -> usize {
    let whole = essence(&wrap(contents));
    assert!(whole.is_some());
    let enough = (0..=contents.len()).find(|len| extract(&wrap(&contents[..*len])).is_ok()).unwrap();
    for len in 0..contents.len() {
        let cut = wrap(&contents[..len]);
        if len < enough {
            assert_eq!(reason(&cut), Reason::Truncated, "cut to {len} octets");
        } else {
            assert_eq!(essence(&cut), whole, "cut to {len} octets");
        }
    }
    enough
}

#[test]
fn a_message_cut_before_its_key_is_refused_and_behind_it_keeps_it() {
    let mut cut = 0;
    for case in corpus() {
        let Ok(found) = extract(&case.bytes) else { continue };
        if found.skipped > 0 {
            continue;
        }
        // The user-user element comes last in these; what is before it stays.
        let at = case.bytes.windows(4).position(|head| {
            head[0] == 0x7e && head[3] == 0x05 && u16::from_be_bytes([head[1], head[2]]) > 50
        });
        let (before, element) = case.bytes.split_at(at.unwrap());
        let message_type = before[8];
        let wrap = |contents: &[u8]| q931(message_type, &[&before[9..], &user_user(contents)].concat());
        if message_type == SETUP {
            cut_everywhere(&element[4..], wrap);
        } else {
            // Generic data is an open type at the very end: cut inside, it leaves the element.
            let contents = &element[4..];
            for len in 0..contents.len() {
                assert!(extract(&wrap(&contents[..len])).is_err(), "{}: {len}", case.name);
            }
        }
        cut += 1;
    }
    assert_eq!(cut, 52);
}

#[test]
fn a_ras_message_cut_before_its_key_is_refused_and_behind_it_keeps_it() {
    let with_rest = Rrq { rest: Some(|per| per.full_additions(27)), ..Rrq::default() };
    for ras in [Rrq::default().ras(), with_rest.ras()] {
        let enough = cut_everywhere(&ras, |ras| tunnel(&[ras.to_vec()]));
        assert!(enough < ras.len() - 4, "the vendor stands behind the key");
        cut_everywhere(&ras, |cut| tunnel(&[ras.clone(), cut.to_vec()]).clone());
    }
}

#[test]
fn a_length_around_the_ras_message_that_is_one_off_never_changes_the_name() {
    let frame = support::corpus_file("rrq_v7_gkid");
    // TPKT, user-user element, body, h245Tunneling, genericData, raw.
    let raw = frame.len() - 102;
    for (at, by) in [3, 11, 15, 19, 21, raw - 1].into_iter().flat_map(|at| [(at, 1), (at, -1)]) {
        let mut broken = frame.clone();
        broken[at] = broken[at].wrapping_add_signed(by);
        laws::check(&broken, decide);
        match extract(&broken) {
            Ok(key) => {
                let Name::Given(name) = key.name else { panic!("octet {at} {by:+}: {key}") };
                assert!(name.eq_ignore_ascii_case("example.com"), "octet {at} {by:+}: {key}");
            }
            // One octet of the TPKT, or of the head behind a Facility that has lost its RAS.
            Err(Error::Incomplete(n)) => assert_eq!(n.get(), 1),
            Err(Error::Invalid(_)) => {}
        }
    }
}

#[test]
fn reserved_forms_of_a_length_are_refused_at_every_level() {
    let frame = support::corpus_file("rrq_v7_gkid");
    let raw = frame.len() - 102;
    for at in [15, 19, 21, 22, raw - 1, raw + 4] {
        for form in [0xc0].into_iter().chain(0xc5..=0xff) {
            let mut broken = frame.clone();
            broken[at] = form;
            assert_eq!(reason(&broken), Reason::LengthForm, "octet {at}: {form:#x}");
        }
        for form in 0xc1..=0xc4 {
            let mut broken = frame.clone();
            broken[at] = form;
            let refused = reason(&broken);
            // What is only left out may come in fragments; here there is not enough of it.
            assert!([Reason::Fragmented, Reason::Truncated].contains(&refused), "octet {at}: {refused:?}");
        }
    }
}

#[test]
fn what_is_left_out_may_come_in_fragments() {
    // nonStandardData of the PDU: 16 K and 100 octets, then 32 K and nothing.
    for (fragment, len, last) in [(0xc1_u8, 16 * 1024, 100), (0xc2, 32 * 1024, 0)] {
        let pdu = Per::new().bits(0b0011, 4).bits(0b1000_0001, 8).string(&[0]);
        let pdu = pdu.bits(0b01, 2).bits(0, 1).octets(&[0; 4]);
        let pdu = pdu.octets(&[fragment]).octets(&vec![0xaa; len]).string(&vec![0xbb; last]);
        let pdu = pdu.additions(&[false, true, false, false, false, false, false, false, true]);
        let data = ras_parameter(generic_data(Per::new().length(1), 17, 1), &Rrq::default().ras()).build();
        let pdu = pdu.string(&[0x80]).string(&data).build();
        let frame = q931(FACILITY, &user_user(&pdu));
        assert_eq!(essence(&frame), essence(&Rrq::default().frame()));
        assert_eq!(decide(&frame[..frame.len() - 1]), rp_testkit::Decision::Incomplete(1));
    }
}

#[test]
fn tunnelled_ras_in_any_other_form_than_raw_is_refused() {
    for form in 1..12 {
        let per = parameter(generic_data(Per::new().length(1), 17, 1), 1).bits(form, 5);
        let data = per.octets(&[0; 40]).build();
        assert_eq!(reason(&facility(&data)), Reason::NotRaw, "{form}");
    }
    let extension = parameter(generic_data(Per::new().length(1), 17, 1), 1).bits(0b1000_0000, 8);
    assert_eq!(reason(&facility(&extension.string(&Rrq::default().ras()).build())), Reason::NotRaw);
}

#[test]
fn an_identifier_in_extended_form_is_refused_if_it_could_be_taken_for_another_one() {
    let ras = Rrq::default().ras();
    for (number, refused) in [
        (&[17][..], true),
        (&[0, 17], true),
        (&[0, 0, 0, 1], true),
        (&[0x3f, 0xff], true),
        (&[0x40, 0x00], false),
        (&[0, 0x40, 0x00], false),
        (&[1, 0, 17], false),
        (&[], true),
    ] {
        let id = Per::new().length(1).bits(0b01, 2).bits(0b0001, 4).string(number).number16(0);
        let frames = [facility(&ras_parameter(id, &ras).build()), Rrq::default().frame()].concat();
        let id = generic_data(Per::new().length(1), 17, 1).bits(0b01, 2).bits(0b0001, 4).string(number);
        let parameters = [facility(&id.bits(0, 5).string(&ras).build()), Rrq::default().frame()].concat();
        for frames in [frames, parameters] {
            if refused {
                assert_eq!(reason(&frames), Reason::ExtendedIdentifier, "{number:x?}");
            } else {
                assert_eq!(key(&frames).skipped, 1, "{number:x?}");
            }
        }
    }
}

#[test]
fn other_generic_data_is_no_ras_whatever_it_holds() {
    let ras = Rrq::default().ras();
    for (id, number) in [(18, 1), (17, 2), (1, 17), (0, 0), (16383, 1)] {
        let per = parameter(generic_data(Per::new().length(1), id, 1), number).bits(0, 5).string(&ras);
        let frames = [facility(&per.build()), Rrq::default().frame()].concat();
        assert_eq!(key(&frames).skipped, 1, "{id}, {number}");
    }
    // An object identifier, sixteen octets, and an identifier of a kind to come.
    let ids: [fn(Per) -> Per; 3] = [
        |per| per.bits(0b001, 3).string(&[0x2a, 0x03]),
        |per| per.bits(0b010, 3).octets(&[17; 16]),
        |per| per.bits(0b1000_0000, 8).string(&[17]),
    ];
    for id in ids {
        let per = id(Per::new().length(1).bits(0b01, 2)).number16(0);
        let frames = [facility(&ras_parameter(per, &ras).build()), Rrq::default().frame()].concat();
        assert_eq!(key(&frames).skipped, 1);
    }
}

#[test]
fn every_form_of_content_is_walked_over() {
    let forms: [fn(Per) -> Per; 13] = [
        |per| per.bits(0, 5).string(b"raw"),
        |per| per.bits(1, 5).string(b"text"),
        |per| per.bits(2, 5).length(2).octets(&[0, b'a', 0, b'b']),
        |per| per.bits(3, 5).bits(1, 1),
        |per| per.bits(4, 5).octets(&[8]),
        |per| per.bits(5, 5).octets(&[1, 6]),
        |per| per.bits(6, 5).bits(3, 2).octets(&[1, 2, 3, 4]),
        |per| per.bits(7, 5).bits(0, 4).number16(17),
        |per| h323_id(per.bits(8, 5), "alias"),
        |per| per.bits(9, 5).bits(0, 4).octets(&[192, 0, 2, 1, 6, 184]),
        |per| parameter(per.bits(10, 5).number16(0), 7).bits(3, 5).bits(0, 1),
        |per| per.bits(11, 5).bits(0, 4).bits(0b00, 2).bits(0, 4).number16(17),
        |per| per.bits(0b1000_0111, 8).string(b"to come"),
    ];
    for (number, form) in forms.into_iter().enumerate() {
        let per = form(parameter(generic_data(Per::new().length(2), 24, 1), 1));
        let per = ras_parameter(generic_data(per, 17, 1), &Rrq::default().ras());
        assert_eq!(essence(&facility(&per.build())), essence(&Rrq::default().frame()), "{number}");
    }
    for form in 12..16 {
        let per = parameter(generic_data(Per::new().length(1), 24, 1), 1).bits(form, 5);
        assert_eq!(reason(&facility(&per.octets(&[0; 40]).build())), Reason::Alternative);
    }
}

#[test]
fn counts_are_accepted_at_their_bound_and_refused_over_it() {
    let ras = Rrq::default().ras();
    let whole = essence(&Rrq::default().frame());

    // 64 genericData: 63 empty ones and the request.
    let many_data = |count: usize| {
        let per = Per::new().length(count).times(count - 1, |per| per.bits(0, 2).bits(0, 4).number16(24));
        facility(&ras_parameter(generic_data(per, 17, 1), &ras).build())
    };
    assert_eq!(essence(&many_data(64)), whole);
    assert_eq!(reason(&many_data(65)), Reason::TooManyGenericData);

    assert_eq!(key(&tunnel(&vec![ras.clone(); 16])).requests().count(), 16);
    assert_eq!(reason(&tunnel(&vec![ras.clone(); 17])), Reason::TooManyRasMessages);
    // The bound holds across several genericData, and for messages without a key.
    let other = Per::new().bits(6, 6).build();
    let split = |count| {
        let per = generic_data(Per::new().length(2), 17, 1);
        let per = generic_data(ras_parameter(per, &ras), 17, count);
        facility(&per.times(count, |per| ras_parameter(per, &other)).build())
    };
    assert_eq!(essence(&split(15)), whole);
    assert_eq!(reason(&split(16)), Reason::TooManyRasMessages);

    let many_parameters = |count: usize| {
        let per = generic_data(Per::new().length(1), 17, count);
        let per = per.times(count - 1, |per| per.bits(0, 2).bits(0, 4).number16(2));
        facility(&ras_parameter(per, &ras).build())
    };
    assert_eq!(essence(&many_parameters(512)), whole);
    assert_eq!(reason(&many_parameters(513)), Reason::TooManyParameters);
}

#[test]
fn lists_of_a_request_are_accepted_at_their_bound_and_refused_over_it() {
    let aliases = |count: usize| setup(|per| per.length(count).times(count, |per| h323_id(per, "a")));
    assert_eq!(key(&aliases(512)).aliases().count(), 512);
    assert_eq!(reason(&aliases(513)), Reason::TooManyAliases);

    let addresses = |count: usize| {
        let per = Per::new().bits(3, 6).bits(0b0001, 4).number16(0).string(PROTOCOL).bits(0, 1);
        let per = per.length(count).times(count, |per| per.bits(0, 4).octets(&[0; 6])).length(0);
        tunnel(&[support::identifier(support::terminal(per), "example.com").build()])
    };
    assert_eq!(key(&addresses(256)).name.to_string(), "example.com");
    assert_eq!(reason(&addresses(257)), Reason::TooManyTransportAddresses);

    let source_route = |hops: usize| {
        let per = Per::new().bits(3, 6).bits(0b0001, 4).number16(0).string(PROTOCOL).bits(0, 1);
        let per = per.length(1).bits(0b0001, 4).bits(0, 1).octets(&[0; 6]).length(hops);
        let per = per.times(hops, |per| per.octets(&[0; 4])).bits(0, 2).length(0);
        tunnel(&[support::identifier(support::terminal(per), "example.com").build()])
    };
    assert_eq!(key(&source_route(64)).name.to_string(), "example.com");
    assert_eq!(reason(&source_route(65)), Reason::TooManySourceRouteHops);
}

#[test]
fn every_kind_of_transport_address_is_walked_over() {
    let kinds: [fn(Per) -> Per; 10] = [
        |per| per.bits(0, 4).octets(&[0; 6]),
        |per| per.bits(1, 4).bits(0, 1).octets(&[0; 6]).length(1).octets(&[0; 4]).bits(0, 2),
        |per| {
            per.bits(1, 4)
                .bits(1, 1)
                .octets(&[0; 6])
                .length(0)
                .bits(0b1000_0000, 8)
                .string(&[0])
                .full_additions(2)
        },
        |per| per.bits(2, 4).octets(&[0; 12]),
        |per| per.bits(3, 4).bits(0, 1).octets(&[0; 18]),
        |per| per.bits(3, 4).bits(1, 1).octets(&[0; 18]).full_additions(1),
        |per| per.bits(4, 4).octets(&[0; 16]),
        |per| per.bits(5, 4).bits(19, 5).octets(&[0; 20]),
        |per| per.bits(6, 4).bits(0, 2).string(&[0x2a, 3]).string(b"data"),
        |per| per.bits(0b1000_0000, 8).string(b"to come"),
    ];
    for (number, kind) in kinds.into_iter().enumerate() {
        let per = Per::new().bits(3, 6).bits(0b0001, 4).number16(0).string(PROTOCOL).bits(0, 1);
        let per = kind(kind(per.length(2))).length(0);
        let frame = tunnel(&[support::identifier(support::terminal(per), "example.com").build()]);
        assert_eq!(key(&frame).name.to_string(), "example.com", "{number}");
    }
    let kinds: [fn(Per) -> Per; 2] = [|per| per.bits(7, 4), |per| per.bits(5, 4).bits(20, 5)];
    for (kind, refused) in kinds.into_iter().zip([Reason::Alternative, Reason::Range]) {
        let per = Per::new().bits(3, 6).bits(0b0001, 4).number16(0).string(PROTOCOL).bits(0, 1);
        let frame = tunnel(&[kind(per.length(1)).octets(&[0; 60]).build()]);
        assert_eq!(reason(&frame), refused);
    }
}

/// An EndpointType with everything in it, each SEQUENCE with so many additions.
fn full_endpoint(per: Per, protocols: usize, additions: usize) -> Per {
    let non_standard = |per: Per| per.bits(0b01, 2).bits(0, 1).octets(&[0; 4]).string(b"data");
    let info = |per: Per| non_standard(per.bits(0b11, 2)).full_additions(additions);
    let per = non_standard(per.bits(0b111_1111, 7));
    // vendor: its H221NonStandard has additions as well
    let per = per.bits(0b111, 3).bits(1, 1).octets(&[0; 4]).full_additions(additions);
    let per = per.octets(&[0, b'p']).octets(&[1, b'v', b'1']).full_additions(additions);
    let per = info(per).bits(0b111, 3).length(protocols);
    let per = per.times(protocols.saturating_sub(2), |per| per.bits(5, 5).bits(0, 2));
    let per = if protocols > 1 { info(per.bits(8, 5)) } else { per };
    let per = if protocols > 0 { non_standard(per.bits(0, 5)) } else { per };
    let per = non_standard(per).full_additions(additions);
    info(info(per)).bits(0, 2).full_additions(additions)
}

fn call_by(endpoint: impl Fn(Per) -> Per) -> Vec<u8> {
    let per = Per::new().bits(0, 4).bits(0b0000, 4).bits(0b0001_0000, 8).string(PROTOCOL);
    let per = h323_id(endpoint(per).length(1), "hq@example.com");
    q931(SETUP, &user_user(&per.build()))
}

#[test]
fn an_endpoint_that_says_everything_is_walked_over() {
    for (protocols, additions) in [(0, 1), (1, 9), (12, 64), (64, 64)] {
        let frame = call_by(|per| full_endpoint(per, protocols, additions));
        assert_eq!(key(&frame).name.to_string(), "example.com", "{protocols}, {additions}");
    }
    let frame = call_by(|per| full_endpoint(per, 65, 1));
    assert_eq!(reason(&frame), Reason::TooManyProtocols);
    // More than 64 additions are counted in another form.
    let frame = call_by(|per| per.bits(0b100_0000, 7).bits(0, 2).bits(1, 1).length(65).octets(&[0; 80]));
    assert_eq!(reason(&frame), Reason::TooManyAdditions);
}

#[test]
fn contents_nest_four_deep_and_no_deeper() {
    let compound = |levels: usize| {
        let per = parameter(generic_data(Per::new().length(2), 24, 1), 1);
        let per = per.times(levels, |per| parameter(per.bits(10, 5).number16(0), 1)).bits(3, 5).bits(0, 1);
        facility(&ras_parameter(generic_data(per, 17, 1), &Rrq::default().ras()).build())
    };
    let nested = |levels: usize| {
        let per = parameter(generic_data(Per::new().length(2), 24, 1), 1);
        let open = |per: Per| parameter(generic_data(per.bits(11, 5).bits(0, 4), 24, 1), 1);
        let per = per.times(levels, open).bits(3, 5).bits(0, 1);
        facility(&ras_parameter(generic_data(per, 17, 1), &Rrq::default().ras()).build())
    };
    for frames in [compound as fn(usize) -> Vec<u8>, nested] {
        for levels in 0..=4 {
            assert_eq!(essence(&frames(levels)), essence(&Rrq::default().frame()), "{levels}");
        }
        assert_eq!(reason(&frames(5)), Reason::TooManyLevels);
        assert_eq!(reason(&frames(500)), Reason::TooManyLevels);
    }
}

#[test]
fn additions_of_a_request_never_matter_for_its_key() {
    let rests: [fn(Per) -> Per; 5] = [
        |per| per.full_additions(27),
        |per| per.full_additions(64),
        |per| per.bits(1, 1).length(100).octets(&[0xff; 13]).octets(&[1; 200]), // a hundred
        |per| per.bits(0x7f, 7).octets(&[0xff; 3]),
        |per| per,
    ];
    for rest in rests {
        let frame = Rrq { rest: Some(rest), ..Rrq::default() }.frame();
        assert_eq!(essence(&frame), essence(&Rrq::default().frame()));
        assert!(!key(&frame).keep_alive());
    }
    let keep_alive: fn(Per) -> Per =
        |per| per.additions(&[false, true, false, false, false, true]).string(&[0x40, 1, 43]).string(&[0x80]);
    assert!(key(&Rrq { rest: Some(keep_alive), ..Rrq::default() }.frame()).keep_alive());
}

#[test]
fn values_outside_their_range_are_refused() {
    let mut ras = Rrq::default().ras();
    ras[2..4].copy_from_slice(&[0xff, 0xff]); // requestSeqNum 65536
    assert_eq!(reason(&tunnel(&[ras])), Reason::Range);
    let sixteen_thousand = Per::new().length(1).bits(0, 2).bits(0, 4).number16(16384).build();
    assert_eq!(reason(&facility(&sixteen_thousand)), Reason::Range);
    for digits in [&[0xd0][..], &[0x0f], &[0x33, 0xe3]] {
        let count = u32::try_from(digits.len() * 2 - 1).unwrap();
        let frame = setup(|per| per.length(1).bits(0, 2).bits(count, 7).octets(digits));
        assert_eq!(reason(&frame), Reason::Range, "{digits:x?}");
    }
    // Half an octet that no digit stands in may hold anything.
    let odd = setup(|per| per.length(1).bits(0, 2).bits(0, 7).octets(&[0x3f]));
    assert_eq!(key(&odd).aliases().next().unwrap().to_string(), "0");
    for kind in 25..32 {
        assert_eq!(reason(&tunnel(&[Per::new().bits(kind, 6).build()])), Reason::Alternative);
    }
}

#[test]
fn a_long_alias_ends_where_its_open_type_ends() {
    let alias = |inner: usize, outer: usize| {
        setup(|per| {
            let contents = Per::new().number16(inner - 1).octets(&b"hq@example.com".repeat(40)[..outer]);
            per.length(1).bits(0b1000_0010, 8).string(&contents.build())
        })
    };
    assert_eq!(key(&alias(14, 14)).name.to_string(), "example.com");
    assert_eq!(key(&alias(512, 512)).aliases().count(), 1);
    assert_eq!(reason(&alias(14, 15)), Reason::AliasLength);
    assert_eq!(reason(&alias(14, 13)), Reason::Truncated);
    assert_eq!(reason(&alias(513, 513)), Reason::Range);
    // Aliases of other types are not read, and neither are those to come.
    for number in [1, 3, 4, 5, 6, 63] {
        let frame = setup(|per| per.length(1).bits(0b1, 1).bits(number, 7).string(b"hq@example.com"));
        assert_eq!(key(&frame).name.to_string(), "(no name)");
    }
    let frame = setup(|per| per.length(1).bits(0b11, 2).octets(&[0; 20]));
    assert_eq!(reason(&frame), Reason::TooManyAdditions);
}

#[test]
fn bodies_belong_to_their_message() {
    // A Setup in a Facility, and a Facility in a Setup.
    let setup_frame = setup(|per| h323_id(per.length(1), "hq@example.com"));
    assert_eq!(reason(&q931(FACILITY, &setup_frame[9..])), Reason::Body);
    assert_eq!(reason(&q931(SETUP, &Rrq::default().frame()[9..])), Reason::Body);
    for body in [0, 1, 2, 3, 4, 5, 7] {
        let contents = Per::new().bits(0b0010, 4).bits(body, 4).octets(&[0; 40]).build();
        assert_eq!(reason(&q931(FACILITY, &user_user(&contents))), Reason::Body, "{body}");
    }
}

#[test]
fn ras_without_a_request_is_refused() {
    let other = |kind| Per::new().bits(kind, 6).build();
    for kind in [1, 2, 4, 5, 6, 9, 22, 24] {
        assert_eq!(reason(&tunnel(&[other(kind)])), Reason::OtherRas, "{kind}");
    }
    let extension = Per::new().bits(0b1000_0001, 8).string(&[0]).build();
    assert_eq!(reason(&tunnel(&[extension])), Reason::OtherRas);
    assert_eq!(describe(&key(&tunnel(&[other(6), Rrq::default().ras()]))).lines().count(), 1);
}

#[test]
fn parameter_1_without_content_is_no_ras() {
    let per = generic_data(Per::new().length(1), 17, 1).bits(0b00, 2).bits(0, 4).number16(1);
    let frames = [facility(&per.build()), Rrq::default().frame()].concat();
    assert_eq!(key(&frames).skipped, 1);
}
