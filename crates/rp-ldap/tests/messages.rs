//! What is built, octet by octet, and read back by others.

#![cfg(feature = "messages")]

mod support;

use ldap3_proto::proto::{LdapFilter, LdapMsg, LdapOp, LdapResultCode, LdapSearchScope};
use rp_ldap::{
    Answer, Error, Key, Request, ResultCode, Tag, answer, extract,
    messages::{
        Filter, Scope, bind_response, notice_of_disconnection, result, search_done, search_entry,
        search_request, simple_bind_request, start_tls_request, start_tls_response, unbind_request,
    },
};
use rp_testkit::laws;

#[test]
fn refusals_have_the_octets_that_every_client_knows() {
    assert_eq!(
        bind_response(1, ResultCode::INVALID_CREDENTIALS, ""),
        b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x31\x04\x00\x04\x00"
    );
    assert_eq!(
        result(Tag::SEARCH_REQUEST, 2, ResultCode::OPERATIONS_ERROR, "").unwrap(),
        b"\x30\x0c\x02\x01\x02\x65\x07\x0a\x01\x01\x04\x00\x04\x00"
    );
    assert_eq!(
        start_tls_response(1, ResultCode::SUCCESS),
        b"\x30\x24\x02\x01\x01\x78\x1f\x0a\x01\x00\x04\x00\x04\x00\x8a\x161.3.6.1.4.1.1466.20037"
    );
    assert_eq!(
        notice_of_disconnection(ResultCode::PROTOCOL_ERROR),
        b"\x30\x24\x02\x01\x00\x78\x1f\x0a\x01\x02\x04\x00\x04\x00\x8a\x161.3.6.1.4.1.1466.20036"
    );
    assert_eq!(
        bind_response(1, ResultCode::UNAVAILABLE, "no way"),
        b"\x30\x12\x02\x01\x01\x61\x0d\x0a\x01\x34\x04\x00\x04\x06no way"
    );
}

#[test]
fn each_request_is_answered_in_its_own_kind() {
    let pairs =
        [(0x60, 0x61), (0x63, 0x65), (0x66, 0x67), (0x68, 0x69), (0x4a, 0x6b), (0x6c, 0x6d), (0x6e, 0x6f)];
    for (request, tag) in pairs.into_iter().chain([(0x77, 0x78)]) {
        let octets = result(Tag(request), 2, ResultCode::OPERATIONS_ERROR, "").unwrap();
        assert_eq!(
            octets,
            [b"\x30\x0c\x02\x01\x02", &[tag][..], b"\x07\x0a\x01\x01\x04\x00\x04\x00"].concat()
        );
    }
    for request in [0x42, 0x50, 0x61, 0x43] {
        assert_eq!(result(Tag(request), 2, ResultCode::OPERATIONS_ERROR, ""), None);
    }
}

#[test]
fn message_ids_are_minimal() {
    for (id, octets) in [
        (1, &b"\x02\x01\x01"[..]),
        (127, b"\x02\x01\x7f"),
        (128, b"\x02\x02\x00\x80"),
        (65_536, b"\x02\x03\x01\x00\x00"),
        (i32::MAX, b"\x02\x04\x7f\xff\xff\xff"),
    ] {
        assert_eq!(unbind_request(id), support::tlv(0x30, &[octets, b"\x42\x00"].concat()));
    }
}

#[test]
fn lengths_are_minimal() {
    let cases = [
        (0, &b"\x30\x0c"[..]),
        (115, b"\x30\x7f"),
        (116, b"\x30\x81\x80"),
        (120, b"\x30\x81\x84"),
        (300, b"\x30\x82\x01\x3c"),
        (70_000, b"\x30\x83\x01\x11\x82"),
    ];
    for (size, header) in cases {
        let text = "a".repeat(size);
        let octets = bind_response(1, ResultCode::OTHER, &text);
        let read = answer(&octets).unwrap();
        assert_eq!(read.frame_len, octets.len());
        assert_eq!(octets[..header.len()], *header, "{size}: {:02x?}", &octets[..6]);
        assert_eq!(read.result.unwrap().diagnostic, text.as_bytes());
    }
}

#[test]
fn captured_requests_are_built_again() {
    let captured = include_bytes!("corpus/cap_ldapsearch_anonymous.ber");
    assert_eq!(simple_bind_request(1, "", ""), captured[..14]);
    let bind = include_bytes!("corpus/name_domain_user.ber");
    assert_eq!(extract(bind), extract(&simple_bind_request(1, r"innovaphone.com\ldap-guest", "password")));
    assert_eq!(start_tls_request(1), include_bytes!("corpus/op_starttls.ber"));
    assert_eq!(unbind_request(3), include_bytes!("corpus/op_unbind.ber"));
}

#[test]
fn requests_are_read_back_in_short_and_long_form() {
    for octets in requests() {
        let key = extract(&octets).unwrap();
        assert_eq!(key.frame_len, octets.len());
        let octets = support::long_form(&octets);
        let long = extract(&octets).unwrap();
        assert_eq!(long.frame_len, octets.len());
        assert_eq!(Key { frame_len: key.frame_len, ..long }, key);
        laws::check(&octets, support::extract);
    }
}

#[test]
fn answers_are_read_back_in_short_and_long_form() {
    for octets in answers() {
        let read = answer(&octets).unwrap();
        assert_eq!(read.frame_len, octets.len());
        let octets = support::long_form(&octets);
        let long = answer(&octets).unwrap();
        assert_eq!(long.frame_len, octets.len());
        assert_eq!(Answer { frame_len: read.frame_len, ..long }, read);
        laws::check(&octets, support::answer);
    }
}

#[test]
fn other_readers_find_every_message_well_formed() {
    for octets in requests().into_iter().chain(answers()) {
        let message = LdapMsg::try_from_openldap_mem_dump(&octets[2..]).unwrap();
        let other: rasn_ldap::LdapMessage = rasn::ber::decode(&octets).unwrap();
        assert_eq!(message.msgid, i32::try_from(other.message_id).unwrap());
        // Both write the same octets, so there is nothing in them that is not canonical.
        assert_eq!(rasn::ber::encode(&other).unwrap(), octets);
    }
}

#[test]
fn a_search_says_what_is_looked_for() {
    let search = |octets: &[u8]| match LdapMsg::try_from_openldap_mem_dump(&octets[2..]).unwrap().op {
        LdapOp::SearchRequest(search) => search,
        other => panic!("{other:?}"),
    };
    let root = search(&search_request(1, "", Scope::Base, Filter::Present("objectClass")));
    assert_eq!((root.base.as_str(), root.scope), ("", LdapSearchScope::Base));
    assert_eq!(root.filter, LdapFilter::Present("objectClass".into()));
    assert!(root.attrs.is_empty() && !root.typesonly && root.sizelimit == 0);
    let user = search(&search_request(1, "dc=com", Scope::Subtree, Filter::Equality("cn", "a*b")));
    assert_eq!((user.base.as_str(), user.scope), ("dc=com", LdapSearchScope::Subtree));
    assert_eq!(user.filter, LdapFilter::Equality("cn".into(), "a*b".into()));
}

#[test]
fn an_entry_carries_its_attributes() {
    let octets =
        search_entry(7, "cn=a,dc=com", &[("cn", &["a"]), ("telephoneNumber", &["1", "2"]), ("x", &[])]);
    let LdapOp::SearchResultEntry(entry) = LdapMsg::try_from_openldap_mem_dump(&octets[2..]).unwrap().op
    else {
        panic!("no entry")
    };
    assert_eq!(entry.dn, "cn=a,dc=com");
    let values = |at: usize| (entry.attributes[at].atype.clone(), entry.attributes[at].vals.clone());
    assert_eq!(values(1), ("telephoneNumber".into(), vec![b"1".to_vec(), b"2".to_vec()]));
    assert_eq!(values(2), ("x".into(), Vec::new()));
}

#[test]
fn codes_without_a_name_are_written_as_they_are() {
    for code in [0, 9, 118, 127, 128, 4096, 65_536, i32::MAX] {
        let octets = bind_response(1, ResultCode(code), "why");
        let read = answer(&octets).unwrap();
        assert_eq!(read.frame_len, octets.len());
        let outcome = read.result.unwrap();
        assert_eq!((outcome.code, outcome.diagnostic), (ResultCode(code), &b"why"[..]));
    }
    assert_eq!(
        bind_response(1, ResultCode(0x1234), ""),
        b"\x30\x0d\x02\x01\x01\x61\x08\x0a\x02\x12\x34\x04\x00\x04\x00"
    );
    assert_eq!(
        notice_of_disconnection(ResultCode(200)),
        b"\x30\x25\x02\x01\x00\x78\x20\x0a\x02\x00\xc8\x04\x00\x04\x00\x8a\x161.3.6.1.4.1.1466.20036"
    );
    assert_eq!(LdapResultCode::InvalidCredentials as i32, ResultCode::INVALID_CREDENTIALS.0);
    // A code below zero has no meaning, and is not read back.
    assert!(matches!(answer(&bind_response(1, ResultCode(-1), "")), Err(Error::Invalid(_))));
}

#[test]
fn start_tls_is_asked_and_granted() {
    assert!(extract(&start_tls_request(1)).unwrap().is_start_tls());
    let read = start_tls_response(1, ResultCode::SUCCESS);
    assert_eq!(answer(&read).unwrap().result.unwrap().code, ResultCode::SUCCESS);
    assert!(matches!(extract(&unbind_request(1)).unwrap().request, Request::Unbind));
}

fn requests() -> Vec<Vec<u8>> {
    vec![
        simple_bind_request(1, "", ""),
        simple_bind_request(128, "CN=ldap-guest,DC=innovaphone,DC=com", "secret123"),
        unbind_request(2),
        start_tls_request(3),
        search_request(4, "", Scope::Base, Filter::Present("objectClass")),
        search_request(5, "dc=innovaphone,dc=com", Scope::Subtree, Filter::Equality("telephoneNumber", "42")),
        search_request(6, "dc=com", Scope::OneLevel, Filter::Present("cn")),
    ]
}

fn answers() -> Vec<Vec<u8>> {
    vec![
        bind_response(1, ResultCode::INVALID_CREDENTIALS, ""),
        bind_response(300, ResultCode::AUTH_METHOD_NOT_SUPPORTED, "no"),
        result(Tag::DEL_REQUEST, 1, ResultCode::OPERATIONS_ERROR, "").unwrap(),
        result(Tag::COMPARE_REQUEST, 1, ResultCode::OPERATIONS_ERROR, "").unwrap(),
        notice_of_disconnection(ResultCode::UNAVAILABLE),
        start_tls_response(1, ResultCode::SUCCESS),
        search_entry(2, "cn=a,dc=com", &[("cn", &["a"]), ("mail", &["a@b", "a@c"])]),
        search_done(2, ResultCode::SUCCESS, ""),
    ]
}
