//! How binds end, and where one's own answers may be put.

mod support;

use rp_ldap::{
    Auth, BindAnswer, MAX_OPEN_BINDS, Reason, ResultCode, ServiceEvent, ServiceFollower, TooManyBinds,
};
use support::tlv;

const SIMPLE: Auth<'static> = Auth::Simple { empty_password: false };
const SASL: Auth<'static> = Auth::Sasl { mechanism: b"SCRAM-SHA-256" };

#[test]
fn the_answer_of_a_bind_is_told_when_its_code_is_there() {
    let octets = bind_response(1, 49);
    let mut service = ServiceFollower::new();
    service.open_bind(1, SIMPLE).unwrap();
    for at in 0..octets.len() {
        let step = service.step(&octets[at..=at]).unwrap();
        assert_eq!(step.octets, 1);
        assert_eq!(step.event.is_some(), at == 9, "{at}");
        assert_eq!(service.is_between_frames(), at + 1 == octets.len(), "{at}");
    }
}

#[test]
fn the_longest_head_is_read_in_pieces() {
    let number = |tag: u8, value: u8| [tag, 0x84, 0, 0, 0, 4, 0, 0, 0, value];
    let bind = [&[0x61, 0x84, 0, 0, 0, 14][..], &number(0x0a, 49), b"\x04\x00\x04\x00"].concat();
    let octets = [&[0x30, 0x84, 0, 0, 0, 30][..], &number(0x02, 1), &bind].concat();
    let mut service = follower(&[(1, SIMPLE)]);
    let told = octets.iter().position(|octet| service.step(&[*octet]).unwrap().event.is_some());
    assert_eq!(told, Some(31));
    assert!(!service.is_between_frames());
    assert_eq!(service.step(&octets[32..]).unwrap().octets, 4);
    assert!(service.is_between_frames());
}

#[test]
fn a_step_ends_where_a_message_does() {
    let two = [bind_response(1, 0), bind_response(2, 49)].concat();
    let mut service = follower(&[(1, SIMPLE), (2, SIMPLE)]);
    let step = service.step(&two).unwrap();
    assert_eq!((step.octets, step.event), (14, answered(1, 0, false)));
    assert!(service.is_between_frames());
    let step = service.step(&two[14..]).unwrap();
    assert_eq!((step.octets, step.event), (14, answered(2, 49, false)));
}

#[test]
fn content_of_any_size_passes() {
    let mut service = follower(&[(1, SIMPLE)]);
    let entry = message(2, &tlv(0x64, &vec![0x61; 200_000]));
    let step = service.step(&entry).unwrap();
    assert_eq!((step.octets, step.event), (entry.len(), None));
    let endless = b"\x30\x84\xff\xff\xff\xff\x02\x01\x01\x64\x84\xff\xff\xff\xf6";
    assert_eq!(service.step(endless).unwrap().octets, endless.len());
    assert!(!service.is_between_frames());
    assert_eq!(service.step(&entry).unwrap().octets, entry.len());
}

#[test]
fn an_answer_clears_older_binds() {
    // A service may answer only the last one of several binds.
    let mut service = follower(&[(1, SIMPLE), (2, SASL), (3, SIMPLE)]);
    assert_eq!(tell(&mut service, 2, 80), answered(2, 80, true));
    assert_eq!(tell(&mut service, 1, 49), None);
    assert_eq!(tell(&mut service, 3, 49), answered(3, 49, false));
    assert_eq!(tell(&mut service, 3, 49), None);
}

#[test]
fn a_sasl_exchange_stays_open_while_it_goes_on() {
    let mut service = follower(&[(1, SIMPLE), (2, SASL)]);
    assert_eq!(tell(&mut service, 2, 14), answered(2, 14, true));
    assert_eq!(tell(&mut service, 1, 49), None);
    assert_eq!(tell(&mut service, 2, 49), answered(2, 49, true));
    assert_eq!(tell(&mut service, 2, 49), None);
}

#[test]
fn steps_of_an_exchange_do_not_fill_the_list() {
    for same_id in [true, false] {
        let mut service = ServiceFollower::new();
        for step in 1..100 {
            let id = if same_id { 1 } else { step };
            service.open_bind(id, SASL).unwrap();
            assert_eq!(tell(&mut service, id, 14), answered(id, 14, true));
        }
        service.open_bind(1, SASL).unwrap();
        assert_eq!(tell(&mut service, 1, 49), answered(1, 49, true));
        assert_eq!(tell(&mut service, 1, 49), None);
    }
}

#[test]
fn a_bind_waits_while_the_list_is_full() {
    let mut service = ServiceFollower::new();
    let last = i32::try_from(MAX_OPEN_BINDS).unwrap();
    for id in 1..=last {
        service.open_bind(id, SIMPLE).unwrap();
    }
    assert_eq!(service.open_bind(100, SIMPLE), Err(TooManyBinds));
    assert_eq!(TooManyBinds.to_string(), "8 binds wait for their answers already");
    // None has been dropped for it.
    assert_eq!(tell(&mut service, 100, 49), None);
    assert_eq!(tell(&mut service, 1, 49), answered(1, 49, false));
    service.open_bind(100, SIMPLE).unwrap();
    for id in (2..=last).chain([100]) {
        assert_eq!(tell(&mut service, id, 49), answered(id, 49, false));
    }
}

#[test]
fn guesses_that_share_an_id_are_told_one_by_one() {
    let mut service = follower(&[(1, SIMPLE); MAX_OPEN_BINDS]);
    for _ in 0..MAX_OPEN_BINDS {
        assert_eq!(tell(&mut service, 1, 49), answered(1, 49, false));
    }
    assert_eq!(tell(&mut service, 1, 49), None);
}

#[test]
fn results_of_other_operations_are_not_told() {
    let mut service = follower(&[(1, SIMPLE)]);
    for tag in [0x65, 0x67, 0x69, 0x6b, 0x6d, 0x6f, 0x78, 0x79] {
        let octets = message(1, &tlv(tag, &outcome(49)));
        assert_eq!(service.step(&octets).unwrap().event, None);
    }
    assert_eq!(tell(&mut service, 1, 49), answered(1, 49, false));
}

#[test]
fn an_unsolicited_notification_is_told() {
    let mut service = ServiceFollower::new();
    let notice = message(0, &tlv(0x78, &[outcome(52), tlv(0x8a, b"1.3.6.1.4.1.1466.20036")].concat()));
    let step = service.step(&notice).unwrap();
    assert_eq!(step.event, Some(ServiceEvent::Unsolicited(ResultCode::UNAVAILABLE)));
}

#[test]
fn a_security_layer_begins_behind_a_sasl_bind_that_succeeded() {
    let layer = b"\x00\x00\x00\x50\xd1\x0f";
    // What is no message breaks the stream behind every other bind: nobody can hide in a layer like that.
    for (auth, code) in [(SASL, 49), (SASL, 14), (SIMPLE, 0)] {
        let mut service = follower(&[(1, auth)]);
        tell(&mut service, 1, code);
        assert_eq!(service.step(layer).unwrap_err().reason, Reason::NotLdap);
        assert!(service.is_between_frames());
    }
    let mut service = follower(&[(1, SASL)]);
    let Some(ServiceEvent::Bind(answer)) = tell(&mut service, 1, 0) else { panic!("an answer") };
    assert!(answer.may_begin_layer());
    // An answer in clear leaves it open, and so does a bind that fails.
    service.open_bind(2, SIMPLE).unwrap();
    assert_eq!(tell(&mut service, 2, 49), answered(2, 49, false));
    assert!(!service.is_opaque());
    assert_eq!(service.step(layer).unwrap().octets, 6);
    assert!(service.is_opaque() && !service.is_between_frames());
    service.open_bind(3, SIMPLE).unwrap();
    assert_eq!(tell(&mut service, 3, 49), None);
}

#[test]
fn a_malformed_head_breaks_the_stream() {
    let cases: &[(&[u8], Reason, usize)] = &[
        (b"HTTP/1.1 400", Reason::NotLdap, 0),
        (b"\x30\x80", Reason::LengthForm, 1),
        (b"\x30\x0c\x02\x05", Reason::MessageId, 4),
        (b"\x30\x0c\x02\x01\x00\x61", Reason::MessageId, 4),
        (b"\x30\x0c\x02\x01\x01\x61\x07\x02", Reason::Structure, 7),
        (b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x05", Reason::Structure, 9),
    ];
    for (octets, reason, offset) in cases {
        let mut service = follower(&[(1, SIMPLE)]);
        service.step(&bind_response(1, 0)).unwrap();
        let invalid = service.step(octets).unwrap_err();
        assert_eq!((invalid.reason, invalid.offset), (*reason, *offset), "{octets:02x?}");
        assert!(service.is_between_frames(), "nothing of it has passed");
        assert_eq!(service.step(&bind_response(1, 0)), Err(invalid));
        // Octet by octet, all but the last one have passed.
        let mut service = ServiceFollower::new();
        let broken = octets.iter().find_map(|octet| service.step(&[*octet]).err());
        assert_eq!(broken, Some(invalid));
        assert_eq!(service.is_between_frames(), *reason == Reason::NotLdap);
    }
}

#[test]
fn the_state_is_small() {
    assert!(size_of::<ServiceFollower>() <= 128, "{}", size_of::<ServiceFollower>());
}

fn follower(binds: &[(i32, Auth<'_>)]) -> ServiceFollower {
    let mut service = ServiceFollower::new();
    for (id, auth) in binds {
        service.open_bind(*id, *auth).unwrap();
    }
    service
}

/// What is told of this answer to a bind.
fn tell(service: &mut ServiceFollower, message_id: i32, code: u8) -> Option<ServiceEvent> {
    service.step(&bind_response(message_id, code)).unwrap().event
}

fn answered(message_id: i32, code: i32, sasl: bool) -> Option<ServiceEvent> {
    Some(ServiceEvent::Bind(BindAnswer { message_id, code: ResultCode(code), sasl }))
}

fn bind_response(message_id: i32, code: u8) -> Vec<u8> {
    message(message_id, &tlv(0x61, &outcome(code)))
}

fn outcome(code: u8) -> Vec<u8> {
    [tlv(0x0a, &[code]), tlv(0x04, b""), tlv(0x04, b"")].concat()
}

fn message(id: i32, operation: &[u8]) -> Vec<u8> {
    let id = u8::try_from(id).expect("a short id");
    tlv(0x30, &[&tlv(0x02, &[id])[..], operation].concat())
}
