//! The LDAP cases: binds as phones and directory clients send them, read by `rp-ldap`, `ldap3_proto` and
//! `rasn-ldap`.
//!
//! `ldap3_proto` gets the message without its outermost header, which is how its public API decodes without
//! a tokio codec around it.

use std::hint::black_box;

use ldap3_proto::proto::LdapMsg;
use rasn_ldap::LdapMessage;
use rp_ldap::{Auth, ClientFollower, ClientStep, MAX_DOMAIN, Request, ServiceFollower, extract};

use crate::Case;

/// `CN=ldap-guest,OU=phones,DC=innovaphone,DC=com` with the password `secret123`, 68 octets.
const DN: &[u8] =
    b"\x30\x42\x02\x01\x01\x60\x3d\x02\x01\x03\x04\x2dCN=ldap-guest,OU=phones,DC=innovaphone,DC=com\
                    \x80\x09secret123";

/// `innovaphone.com\ldap-guest` with the password `secret123`, 49 octets.
const DOMAIN_USER: &[u8] =
    b"\x30\x2f\x02\x01\x01\x60\x2a\x02\x01\x03\x04\x1ainnovaphone.com\\ldap-guest\x80\x09secret123";

/// The bind of a client without a name.
const ANONYMOUS: &[u8] = include_bytes!("../../crates/rp-ldap/tests/corpus/bind_anonymous.ber");

/// A bind by DN, a search and an unbind, as ldapsearch sends them.
const REQUESTS: &[u8] = include_bytes!("../../crates/rp-ldap/tests/corpus/cap_ldapsearch_dn.ber");

/// What slapd answers: the bind, entries, and the end of the search.
const ANSWERS: &[u8] = include_bytes!("../../crates/rp-ldap/tests/corpus/cap_slapd_search_s2c.ber");

/// The cases of this protocol.
pub fn cases() -> Vec<Case> {
    vec![
        Case::new("ldap/dn-bind/rp-ldap", || key(DN)),
        Case::new("ldap/dn-bind/rp-ldap-with-text", || text(DN)),
        Case::new("ldap/dn-bind/ldap3_proto", || ldap3_proto(DN)),
        Case::new("ldap/dn-bind/rasn-ldap", || rasn_ldap(DN)),
        Case::new("ldap/domain-user-bind/rp-ldap", || key(DOMAIN_USER)),
        Case::new("ldap/domain-user-bind/rp-ldap-with-text", || text(DOMAIN_USER)),
        Case::new("ldap/domain-user-bind/ldap3_proto", || ldap3_proto(DOMAIN_USER)),
        Case::new("ldap/domain-user-bind/rasn-ldap", || rasn_ldap(DOMAIN_USER)),
        Case::new("ldap/anonymous-bind/rp-ldap", || key(ANONYMOUS)),
        Case::new("ldap/anonymous-bind/ldap3_proto", || ldap3_proto(ANONYMOUS)),
        Case::new("ldap/anonymous-bind/rasn-ldap", || rasn_ldap(ANONYMOUS)),
        Case::new("ldap/follow-requests/rp-ldap", || follow_requests(REQUESTS)),
        Case::new("ldap/follow-answers/rp-ldap", || follow_answers(ANSWERS)),
    ]
}

fn key(octets: &[u8]) {
    black_box(extract(black_box(octets)).expect("a key"));
}

fn text(octets: &[u8]) {
    let Ok(key) = extract(black_box(octets)) else { panic!("no key") };
    let Request::Bind(bind) = key.request else { panic!("no bind") };
    let mut buffer = [0; MAX_DOMAIN];
    black_box(bind.domain.text(&mut buffer).expect("a domain"));
}

fn ldap3_proto(octets: &[u8]) {
    let [_, _, content @ ..] = black_box(octets) else { panic!("no message") };
    black_box(LdapMsg::try_from_openldap_mem_dump(content).expect("a message"));
}

fn rasn_ldap(octets: &[u8]) {
    black_box(rasn::ber::decode::<LdapMessage>(black_box(octets)).expect("a message"));
}

fn follow_requests(octets: &[u8]) {
    let mut client = ClientFollower::new();
    let mut rest = black_box(octets);
    loop {
        let passed = match client.step(rest).expect("requests") {
            ClientStep::Pass(octets) => octets,
            ClientStep::Decide(key) => key.frame_len,
            ClientStep::More(_) => break,
        };
        rest = rest.get(passed..).expect("a whole message");
    }
    black_box(client);
}

fn follow_answers(octets: &[u8]) {
    let mut service = ServiceFollower::new();
    service.open_bind(1, Auth::Simple { empty_password: false }).expect("the first bind");
    let mut rest = black_box(octets);
    while !rest.is_empty() {
        let step = service.step(rest).expect("answers");
        black_box(step.event);
        rest = rest.get(step.octets..).expect("no more than there is");
    }
}
