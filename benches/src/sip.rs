//! `extract` with every field, beside rsip and sipx-sip that read only From of the same request.

use std::hint::black_box;

use rsip::{headers::ToTypedHeader, message::HeadersExt};

use crate::Case;

const REGISTER: &[u8] =
    include_bytes!("../../crates/rp-sip/tests/corpus/phone-yealink-register-auth.sip");
const INVITE: &[u8] = include_bytes!("../../crates/rp-sip/tests/corpus/phone-pjsua-invite-auth.sip");

/// The cases of this protocol.
pub fn cases() -> Vec<Case> {
    vec![
        Case::new("sip/register/rp-sip", || rp_sip(REGISTER)),
        Case::new("sip/register/rsip", || rsip(REGISTER)),
        Case::new("sip/register/sipx-sip", || sipx_sip(REGISTER)),
        Case::new("sip/invite/rp-sip", || rp_sip(INVITE)),
        Case::new("sip/invite/rsip", || rsip(INVITE)),
        Case::new("sip/invite/sipx-sip", || sipx_sip(INVITE)),
        Case::new("sip/answer/rp-sip", || answer(REGISTER)),
    ]
}

fn rp_sip(input: &[u8]) {
    black_box(rp_sip::extract(black_box(input))).expect("a key");
}

fn rsip(input: &[u8]) {
    let request = rsip::Request::try_from(black_box(input)).expect("a request");
    let from = request.from_header().expect("a From").typed().expect("an address");
    black_box((request, from));
}

fn sipx_sip(input: &[u8]) {
    let mut parser = sipx_sip::StreamParser::new(sipx_sip::Limits::stream());
    let messages = parser.push(black_box(input)).expect("a message");
    let headers = messages.first().expect("a whole message").headers();
    let from = headers.typed::<sipx_sip::headers::From>().expect("a From").expect("an address");
    black_box((&messages, from));
}

fn answer(input: &[u8]) {
    let answer = rp_sip::Answer::to(black_box(input)).expect("an answer");
    let mut octets = 0;
    answer.write(rp_sip::Status::NOT_FOUND, 7, None, &mut |piece| octets += black_box(piece).len());
    black_box(octets);
}
