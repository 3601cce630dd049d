//! Both directions of a connection, however they are cut, as the twins see them whole.

mod follow;
mod support;

use follow::{Seen, naive};
use proptest::prelude::*;
use rp_h323::{
    ANSWER_MAX, AnswerKind, ClientFollower, ClientStep, Kind, Reason, RegistrationRejectReason,
    ServiceFollower, ServiceStep,
};
use rp_testkit::chunks;
use support::{
    FACILITY, Per, Rrq, SETUP, corpus, corpus_file, facility, generic_data, h323_id, parameter, q931,
    ras_parameter, setup, tpkt, tunnel, user_user,
};

const RELEASE_COMPLETE: u8 = 0x5a;
const ALERTING: u8 = 0x01;
const INFORMATION: u8 = 0x7b;
const EMPTY: &[u8] = &[3, 0, 0, 4];

#[test]
fn every_message_is_followed_the_same_however_it_is_cut() {
    for case in corpus() {
        for registered in [None, Some(0)] {
            check_requests(&case.bytes, registered);
        }
        check_answers(&case.bytes);
    }
}

#[test]
fn all_messages_in_a_row_are_followed_the_same_however_they_are_cut() {
    let (answers, requests): (Vec<_>, Vec<_>) = corpus().into_iter().partition(support::is_answer);
    let requests: Vec<u8> = requests.into_iter().flat_map(|case| case.bytes).collect();
    for registered in [None, Some(30)] {
        let seen = check_requests(&requests, registered);
        assert_eq!((seen.octets, seen.broken), (requests.len(), None));
    }
    let answers: Vec<u8> = answers.into_iter().flat_map(|case| case.bytes).collect();
    let seen = check_answers(&answers);
    assert_eq!((seen.octets, seen.shown.len(), seen.broken), (answers.len(), 14, None));
}

#[test]
fn every_request_of_the_corpus_is_shown_and_nothing_else_of_it() {
    let (mut shown, mut passed) = (0, 0);
    for case in corpus().iter().filter(|case| !support::is_answer(case)) {
        let expected = &case.expected["expected"];
        let is_request = ["Setup", "GRQ", "RRQ"].iter().any(|kind| expected["kind"] == *kind);
        let seen = follow::requests(&[&case.bytes], None);
        assert_eq!((seen.octets, seen.broken), (case.bytes.len(), None), "{}", case.name);
        assert_eq!(seen.ends.len(), case.expected["tpkts"], "{}", case.name);
        assert_eq!(seen.shown.len(), usize::from(is_request), "{}: {}", case.name, expected["kind"]);
        let ras = expected["ras"].as_array().map_or(0, Vec::len);
        if let Some((start, end, asked)) = seen.shown.first() {
            assert_eq!(*end, case.bytes.len(), "{}", case.name);
            assert!(seen.ends.len() == 1 || *start > 0, "{}", case.name);
            assert_eq!(asked.len(), ras.max(1), "{}", case.name);
            shown += 1;
        } else {
            passed += 1;
        }
    }
    assert_eq!((shown, passed), (54, 5));
}

#[test]
fn calls_pass_once_the_client_is_registered() {
    let mut client = ClientFollower::new();
    let call = corpus_file("setup_h323id");
    let Ok(ClientStep::Look(request)) = client.step(&call) else { panic!("a call") };
    assert_eq!((request.len(), request.first().kind), (call.len(), Kind::Setup));
    client.calls_pass();
    assert!(matches!(client.step(&call[..8]), Ok(ClientStep::More(_))));
    assert!(matches!(client.step(&call[..9]), Ok(ClientStep::Pass(9))));
    let Ok(ClientStep::Pass(rest)) = client.step(&call[9..]) else { panic!("the rest of the call") };
    assert_eq!(rest, call.len() - 9);
    // Registrations are looked at as ever.
    assert!(matches!(client.step(&Rrq::default().frame()), Ok(ClientStep::Look(_))));
}

#[test]
fn a_client_that_ends_a_call_is_told_of_once() {
    let release = q931(RELEASE_COMPLETE, &[]);
    let mut client = ClientFollower::new();
    for sent in [EMPTY, &q931(ALERTING, &[])] {
        assert!(matches!(client.step(sent), Ok(ClientStep::Pass(_))) && !client.has_released());
    }
    assert!(matches!(client.step(&release), Ok(ClientStep::Pass(octets)) if octets == release.len()));
    assert!(client.has_released() && !client.has_released());
}

#[test]
fn a_bundle_is_shown_as_one_with_all_that_it_asks_for() {
    let bundle = corpus_file("rrq_grq_bundled");
    let Ok(ClientStep::Look(request)) = ClientFollower::new().step(&bundle) else { panic!("requests") };
    let kinds: Vec<Kind> = request.requests().map(|key| key.kind).collect();
    assert_eq!(kinds, [Kind::GatekeeperRequest, Kind::RegistrationRequest]);
    // Other RAS beside a registration goes the way of the whole frame.
    let mixed = tunnel(&[unregistration(), Rrq::default().ras(), unregistration()]);
    let Ok(ClientStep::Look(request)) = ClientFollower::new().step(&mixed) else { panic!("requests") };
    assert_eq!((request.len(), request.requests().count()), (mixed.len(), 1));
}

#[test]
fn a_facility_without_a_request_passes_whole() {
    let frames = [
        q931(FACILITY, &[]),
        tunnel(&[unregistration()]),
        corpus_file("facility_empty"),
        corpus_file("facility_generic_24"),
        corpus_file("facility_no_generic"),
        corpus_file("rcf"),
        corpus_file("urq"),
    ];
    for frame in frames {
        let mut client = ClientFollower::new();
        let Ok(ClientStep::More(missing)) = client.step(&frame[..frame.len() - 1]) else {
            panic!("not held: {frame:02x?}")
        };
        assert_eq!(missing.get(), 1);
        let Ok(ClientStep::Pass(octets)) = client.step(&frame) else { panic!("not passed: {frame:02x?}") };
        assert_eq!(octets, frame.len());
    }
}

#[test]
fn what_the_extractor_refuses_is_refused_in_the_middle_of_a_connection_too() {
    let not_raw =
        facility(&parameter(generic_data(Per::new().length(1), 17, 1), 1).bits(3, 5).bits(1, 1).build());
    let empty_list = facility(&Per::new().octets(&[0xc0]).build());
    let two = [user_user(&[0]), user_user(&[0])].concat();
    let shifted = [&[0x96][..], &user_user(&[0])].concat();
    for (frame, reason) in [
        (not_raw, Reason::NotRaw),
        (empty_list, Reason::LengthForm),
        (q931(FACILITY, &two), Reason::SecondUserUser),
        (q931(SETUP, &shifted), Reason::ShiftedUserUser),
        (q931(SETUP, &[]), Reason::NoUserUser),
        (q931(FACILITY, &user_user(&[0, 0])), Reason::Body),
        (tunnel(&[vec![0x7c]]), Reason::Alternative),
        (tunnel(&[Rrq::default().ras(), vec![0x0c]]), Reason::Truncated),
    ] {
        assert_eq!(support::reason(&frame), reason);
        let front = [EMPTY, &q931(INFORMATION, &[0x14, 1, 1]), &Rrq::default().frame()].concat();
        let seen = check_requests(&[&front[..], &frame, EMPTY].concat(), Some(2));
        let (found, at) = seen.broken.expect("refused");
        assert_eq!((found, seen.octets), (reason, front.len()));
        assert!((front.len()..=front.len() + frame.len()).contains(&at));
        // In the other direction it is for the client to judge.
        let seen = check_answers(&[&frame[..], EMPTY].concat());
        assert_eq!((seen.octets, seen.broken), (frame.len() + 4, None));
    }
}

#[test]
fn a_broken_head_is_refused_at_its_first_wrong_octet_in_both_directions() {
    let message = q931(ALERTING, &[]);
    for (at, octet, reason, offset) in [
        (0, 2, Reason::NotTpkt, 0),
        (3, 0, Reason::TpktLength, 2),
        (3, 3, Reason::TpktLength, 2),
        (3, 5, Reason::TpktLength, 2),
        (3, 8, Reason::TpktLength, 2),
        (4, 9, Reason::NotQ931, 4),
        (5, 1, Reason::CallReferenceLength, 5),
    ] {
        let mut broken = message.clone();
        broken[at] = octet;
        let stream = [&message[..], EMPTY, &broken].concat();
        let before = message.len() + 4;
        let seen = check_requests(&stream, None);
        assert_eq!((seen.octets, seen.broken), (before, Some((reason, before + offset))));
        assert_eq!(check_answers(&stream), seen);
        // Not an octet earlier, not an octet later.
        assert_eq!(follow::requests(&[&stream[..before + at]], None).broken, None);
        assert_eq!(follow::requests(&[&stream[..=before + at]], None).broken, seen.broken);
    }
}

#[test]
fn the_reserved_octet_of_a_frame_is_not_looked_at() {
    let mut frame = Rrq::default().frame();
    frame[1] = 0xff;
    assert_eq!(check_requests(&frame, None).shown.len(), 1);
}

#[test]
fn several_frames_come_in_one_segment_and_each_is_passed_by_itself() {
    let alerting = q931(ALERTING, &[0x34, 1, 1]);
    let stream = [&alerting[..], EMPTY, EMPTY, &alerting].concat();
    let mut client = ClientFollower::new();
    let mut service = ServiceFollower::new();
    let mut rest = &stream[..];
    for len in [alerting.len(), 4, 4, alerting.len()] {
        assert!(matches!(client.step(rest), Ok(ClientStep::Pass(octets)) if octets == len));
        assert!(matches!(service.step(rest), Ok(ServiceStep::Pass(octets)) if octets == len));
        assert!(service.is_between_frames());
        rest = &rest[len..];
    }
    assert!(matches!(client.step(rest), Ok(ClientStep::More(missing)) if missing.get() == 1));
    assert!(matches!(service.step(rest), Ok(ServiceStep::More(missing)) if missing.get() == 1));
}

#[test]
fn one_frame_may_come_in_many_segments() {
    for message_type in [INFORMATION, ALERTING, SETUP, FACILITY, RELEASE_COMPLETE] {
        let frame = tpkt(&[&[8, 2, 0, 0, message_type][..], &[0x90; 65_526]].concat());
        assert_eq!(frame.len(), 65_535);
        let stream = [&frame[..], EMPTY].concat();
        for size in [1, 7, 1460, 65_534, 65_535, 65_536] {
            let pieces: Vec<&[u8]> = stream.chunks(size).collect();
            assert_eq!(follow::requests(&pieces, Some(0)), naive::requests(&stream, Some(0)));
            assert_eq!(follow::answers(&pieces), naive::answers(&stream));
        }
    }
}

#[test]
fn a_frame_over_the_limit_passes_to_the_client_unread() {
    let of =
        |message_type, len: usize| tpkt(&[&[8, 2, 0, 0, message_type][..], &vec![0x90; len - 9]].concat());
    for message_type in [FACILITY, RELEASE_COMPLETE] {
        let at_limit = of(message_type, ANSWER_MAX);
        let Ok(ServiceStep::More(missing)) = ServiceFollower::new().step(&at_limit[..9]) else {
            panic!("held")
        };
        assert_eq!(missing.get(), ANSWER_MAX - 9);
        assert!(matches!(ServiceFollower::new().step(&at_limit), Ok(ServiceStep::Look(_))));
        let over = of(message_type, ANSWER_MAX + 1);
        let mut service = ServiceFollower::new();
        assert!(matches!(service.step(&over[..9]), Ok(ServiceStep::Pass(9))));
        assert!(
            matches!(service.step(&over[9..]), Ok(ServiceStep::Pass(octets)) if octets == ANSWER_MAX - 8)
        );
        assert!(service.is_between_frames());
    }
}

#[test]
fn all_answers_of_a_message_are_told_and_one_that_cannot_be_read_is_left_out() {
    let reject = |number| {
        Per::new().bits(5, 6).bits(0, 4).number16(number).string(support::PROTOCOL).bits(6, 4).build()
    };
    let frame = tunnel(&[reject(1), unregistration(), vec![0x14], reject(2)]);
    let Ok(ServiceStep::Look(answers)) = ServiceFollower::new().step(&frame) else { panic!("answers") };
    assert_eq!(answers.len(), frame.len());
    let told: Vec<(u16, AnswerKind)> =
        answers.into_iter().map(|answer| (answer.request_seq_num, answer.kind)).collect();
    let undefined = AnswerKind::RegistrationReject(RegistrationRejectReason::UNDEFINED_REASON);
    assert_eq!(told, [(2, undefined), (3, undefined)]);
    assert_eq!(answers.fault().map(|fault| fault.reason), Some(Reason::Truncated));
    // The list ends where it is broken.
    let list = ras_parameter(generic_data(Per::new().length(1), 17, 2), &reject(1)).build();
    let frame = facility(&list);
    let Ok(ServiceStep::Look(answers)) = ServiceFollower::new().step(&frame) else { panic!("answers") };
    let mut told = answers.iter();
    assert_eq!(told.by_ref().map(|answer| answer.request_seq_num).collect::<Vec<_>>(), [2]);
    assert!(told.next().is_none());
    assert_eq!(answers.fault().map(|fault| fault.reason), Some(Reason::Truncated));
}

#[test]
fn a_release_without_a_reason_is_told_with_its_call() {
    let frame = tpkt(&[8, 2, 0x92, 0x34, RELEASE_COMPLETE, 0x08, 2, 0x80, 0x90]);
    let Ok(ServiceStep::Look(answers)) = ServiceFollower::new().step(&frame) else { panic!("a release") };
    let told: Vec<_> =
        answers.iter().map(|answer| (answer.kind, answer.call_reference, answer.len)).collect();
    assert_eq!(told, [(AnswerKind::ReleaseComplete(None), 0x1234, 13)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_requests_are_followed_as_the_twin_sees_them(
        frames in prop::collection::vec(frame(), 1..8),
        registered in prop::option::of(0..4_usize),
        changes in changes(),
        pieces in prop::collection::vec(1..200_usize, 0..60),
    ) {
        let stream = changed(frames.concat(), &changes);
        let whole = naive::requests(&stream, registered);
        for pieces in [vec![&stream[..]], cut(&stream, &pieces), stream.chunks(1).collect()] {
            prop_assert_eq!(&follow::requests(&pieces, registered), &whole);
        }
    }

    #[test]
    fn any_answers_are_followed_as_the_twin_sees_them(
        frames in prop::collection::vec(frame(), 1..8),
        changes in changes(),
        pieces in prop::collection::vec(1..200_usize, 0..60),
    ) {
        let stream = changed(frames.concat(), &changes);
        let whole = naive::answers(&stream);
        for pieces in [vec![&stream[..]], cut(&stream, &pieces), stream.chunks(1).collect()] {
            prop_assert_eq!(&follow::answers(&pieces), &whole);
        }
    }
}

/// Follows a stream cut in every way; all must see what the twin sees.
fn check_requests(stream: &[u8], registered: Option<usize>) -> Seen {
    let whole = naive::requests(stream, registered);
    for sizes in chunks::sizes(stream.len()) {
        let seen = follow::requests(&chunks::cut(stream, &sizes), registered);
        assert_eq!(seen, whole, "cut as {sizes:?}");
    }
    whole
}

fn check_answers(stream: &[u8]) -> Seen {
    let whole = naive::answers(stream);
    for sizes in chunks::sizes(stream.len()) {
        assert_eq!(follow::answers(&chunks::cut(stream, &sizes)), whole, "cut as {sizes:?}");
    }
    whole
}

/// A RAS message that is neither a request nor an answer of the kind that is read.
fn unregistration() -> Vec<u8> {
    Per::new().bits(6, 6).octets(&[0; 4]).build()
}

/// Pieces of these sizes, and then what is left.
fn cut<'a>(mut stream: &'a [u8], sizes: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for size in sizes {
        let (piece, rest) = stream.split_at((*size).min(stream.len()));
        pieces.push(piece);
        stream = rest;
    }
    pieces.push(stream);
    pieces
}

fn frame() -> impl Strategy<Value = Vec<u8>> {
    let messages: Vec<Vec<u8>> =
        corpus().into_iter().map(|case| case.bytes).filter(|bytes| bytes.len() < 500).collect();
    let types = [FACILITY, SETUP, RELEASE_COMPLETE, ALERTING, INFORMATION, 0x00];
    let element = prop_oneof![
        (0..40_usize).prop_map(|len| [&[0x1c, u8::try_from(len).unwrap()][..], &vec![1; len]].concat()),
        prop::collection::vec(any::<u8>(), 0..12).prop_map(|contents| user_user(&contents)),
        Just(vec![0x96]),
    ];
    prop_oneof![
        8 => prop::sample::select(messages),
        4 => (prop::sample::select(types.to_vec()), prop::collection::vec(element, 0..3))
            .prop_map(|(message_type, elements)| q931(message_type, &elements.concat())),
        1 => Just(setup(|per| h323_id(per.length(1), "hq@example.com"))),
        1 => Just(EMPTY.to_vec()),
        1 => (prop::sample::select(types.to_vec()), 16_380..16_390_usize)
            .prop_map(|(message_type, len)| tpkt(&[&[8, 2, 0, 0, message_type][..], &vec![0x90; len - 9]].concat())),
    ]
}

/// Few octets changed, in half of all streams none.
fn changes() -> impl Strategy<Value = Vec<(prop::sample::Index, u8)>> {
    prop_oneof![Just(Vec::new()), prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..3)]
}

fn changed(mut stream: Vec<u8>, changes: &[(prop::sample::Index, u8)]) -> Vec<u8> {
    for (at, octet) in changes {
        let at = at.index(stream.len());
        stream[at] = *octet;
    }
    stream
}
