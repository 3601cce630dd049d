//! What passes to a service, what is decided first, and what ends a client's connection.

mod support;

use rp_ldap::{ClientFollower, ClientStep, MAX_FRAME, Reason, Request};
use support::{bind, message, tlv};

#[test]
fn a_search_passes_as_it_arrives() {
    let search = message(&tlv(0x63, &[0x30; 1000]));
    let mut client = ClientFollower::new();
    // Until the operation and its length are there, nothing is known.
    for end in 0..11 {
        assert!(matches!(client.step(&search[..end]), Ok(ClientStep::More(_))), "{end}");
    }
    assert_eq!(client.step(&search[..11]), Ok(ClientStep::Pass(11)));
    assert_eq!(client.step(&search[11..100]), Ok(ClientStep::Pass(89)));
    let rest = [&search[100..], &message(&tlv(0x42, b""))].concat();
    assert_eq!(client.step(&rest), Ok(ClientStep::Pass(rest.len() - 7)));
    assert_eq!(client.step(&rest[rest.len() - 7..]), Ok(ClientStep::Pass(7)));
}

#[test]
fn a_request_of_any_size_passes_uncounted() {
    let mut client = ClientFollower::new();
    let add = b"\x30\x84\xff\xff\xff\xff\x02\x01\x01\x68\x84\xff\xff\xff\xf6";
    assert_eq!(client.step(add), Ok(ClientStep::Pass(15)));
    let mebibyte = vec![0x30; 1 << 20];
    assert_eq!(client.step(&mebibyte), Ok(ClientStep::Pass(1 << 20)));
}

#[test]
fn a_bind_is_decided_when_it_is_whole() {
    let octets = bind(b"CN=a,DC=innovaphone,DC=com");
    let mut client = ClientFollower::new();
    for end in 13..octets.len() {
        let Ok(ClientStep::More(missing)) = client.step(&octets[..end]) else { panic!("{end}") };
        // The end of the first value is known before the end of the message would be needed.
        assert!(end + missing.get() <= octets.len());
    }
    let Ok(ClientStep::Decide(key)) = client.step(&octets) else { panic!("a bind") };
    assert_eq!(key, rp_ldap::extract(&octets).unwrap());
    // If it has to wait it is asked about again; if it is refused the next one comes.
    assert_eq!(client.step(&octets), Ok(ClientStep::Decide(key)));
    assert!(matches!(client.step(&bind(b"other")), Ok(ClientStep::Decide(_))));
}

#[test]
fn only_start_tls_is_decided_of_the_extended_requests() {
    let start_tls = message(&tlv(0x77, &tlv(0x80, b"1.3.6.1.4.1.1466.20037")));
    let Ok(ClientStep::Decide(key)) = ClientFollower::new().step(&start_tls) else { panic!("StartTLS") };
    assert!(key.is_start_tls() && matches!(key.request, Request::Extended { .. }));
    // Another length shows that it is something else, before the OID is there.
    let other = message(&tlv(0x77, &tlv(0x80, b"1.3.6.1.4.1.4203.1.11.3")));
    assert_eq!(ClientFollower::new().step(&other[..9]), Ok(ClientStep::Pass(9)));
    let same_length = message(&tlv(0x77, &tlv(0x80, b"1.3.6.1.4.1.1466.20036")));
    assert!(matches!(ClientFollower::new().step(&same_length[..30]), Ok(ClientStep::More(_))));
    assert_eq!(ClientFollower::new().step(&same_length[..31]), Ok(ClientStep::Pass(31)));
}

#[test]
fn fewer_than_fifty_octets_are_held_of_what_passes() {
    let id = [&[0x02, 0x84, 0, 0, 0, 4][..], &[0, 0, 0, 1]].concat();
    let oid = [&[0x80, 0x84, 0, 0, 0, 22][..], b"1.3.6.1.4.1.1466.20036"].concat();
    let request = [&[0x77, 0x84, 0, 0, 0, 28][..], &oid].concat();
    let octets = [&[0x30, 0x84, 0, 0, 0, 44][..], &id, &request].concat();
    assert_eq!(octets.len(), 50);
    let mut client = ClientFollower::new();
    assert_eq!(client.step(&octets[..49]), Ok(ClientStep::More(1.try_into().unwrap())));
    assert_eq!(client.step(&octets), Ok(ClientStep::Pass(50)));
}

#[test]
fn what_is_to_be_decided_must_not_be_large() {
    let name = vec![b'a'; 70_000];
    let large = bind(&name);
    let mut client = ClientFollower::new();
    let invalid = client.step(&large[..15]).unwrap_err();
    assert_eq!((invalid.reason, invalid.offset), (Reason::TooLarge, 1));
    assert_eq!(client.step(b""), Err(invalid));
    let start_tls = tlv(0x77, &[tlv(0x80, b"1.3.6.1.4.1.1466.20037"), tlv(0x81, &name)].concat());
    let invalid = ClientFollower::new().step(&message(&start_tls)[..60]).unwrap_err();
    assert_eq!(invalid.reason, Reason::TooLarge);
    let largest = bind(&vec![b'a'; MAX_FRAME - 28]);
    assert_eq!(largest.len(), MAX_FRAME + 1);
    assert!(ClientFollower::new().step(&largest).is_err());
    let largest = bind(&vec![b'a'; MAX_FRAME - 29]);
    assert_eq!(largest.len(), MAX_FRAME);
    assert!(matches!(ClientFollower::new().step(&largest), Ok(ClientStep::Decide(_))));
}

#[test]
fn a_malformed_head_breaks_the_stream() {
    let cases: &[(&[u8], Reason, usize)] = &[
        (b"GET / HTTP/1.1", Reason::NotLdap, 0),
        (b"\x30\x80", Reason::LengthForm, 1),
        (b"\x30\x0c\x02\x01\x00", Reason::MessageId, 4),
        (b"\x30\x05\x02\x01\x01\x04\x00", Reason::Structure, 5),
        (b"\x30\x07\x02\x01\x01\x63\x03", Reason::Structure, 6),
        (b"\x30\x0c\x02\x01\x01\x60\x07\x04", Reason::Structure, 7),
        (b"\x30\x0c\x02\x01\x01\x77\x07\x04", Reason::Structure, 7),
        (b"\x30\x0c\x02\x01\x01\x77\x07\x80\x16", Reason::Structure, 8),
    ];
    for (octets, reason, offset) in cases {
        let mut client = ClientFollower::new();
        let unbind = message(&tlv(0x42, b""));
        assert_eq!(client.step(&unbind), Ok(ClientStep::Pass(7)));
        let invalid = client.step(octets).unwrap_err();
        assert_eq!((invalid.reason, invalid.offset), (*reason, *offset), "{octets:02x?}");
        assert_eq!(client.step(&unbind), Err(invalid));
    }
}

#[test]
fn a_security_layer_is_believed_only_behind_a_sasl_bind_that_succeeded() {
    let layer = b"\x00\x00\x00\x50\xd1\x0f";
    assert!(ClientFollower::new().step(layer).is_err());

    let mut client = ClientFollower::new();
    client.layer_may_begin();
    // Without a layer the client goes on in clear.
    assert_eq!(client.step(&message(&tlv(0x42, b""))), Ok(ClientStep::Pass(7)));
    assert!(matches!(client.step(&bind(b"cn=a")), Ok(ClientStep::Decide(_))));
    assert!(!client.is_opaque());
    assert_eq!(client.step(layer), Ok(ClientStep::Pass(6)));
    assert!(client.is_opaque());
    // What looks like a bind now is cipher text.
    let octets = bind(b"cn=a");
    assert_eq!(client.step(&octets), Ok(ClientStep::Pass(octets.len())));
}

#[test]
fn a_layer_does_not_begin_within_a_message() {
    let mut client = ClientFollower::new();
    let search = message(&tlv(0x63, &[0; 20]));
    assert_eq!(client.step(&search[..10]), Ok(ClientStep::Pass(10)));
    client.layer_may_begin();
    assert_eq!(client.step(&search[10..]), Ok(ClientStep::Pass(search.len() - 10)));
    assert!(!client.is_opaque());
}

#[test]
fn the_state_is_small() {
    assert!(size_of::<ClientFollower>() <= 128, "{}", size_of::<ClientFollower>());
}
