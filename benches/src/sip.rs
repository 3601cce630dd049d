//! `extract` beside rsip and sipx-sip on the same requests: with every field that the key has, and with
//! nothing but From.

use std::hint::black_box;

use rsip::{headers::ToTypedHeader, message::HeadersExt};
use sipx_sip::{
    Limits, StreamParser,
    headers::{CSeq, CallId, From, To, Via},
};

use crate::Case;

const REGISTER: &[u8] = include_bytes!("../../crates/rp-sip/tests/corpus/phone-yealink-register-auth.sip");
const INVITE: &[u8] = include_bytes!("../../crates/rp-sip/tests/corpus/phone-pjsua-invite-auth.sip");

/// The cases of this protocol.
pub fn cases() -> Vec<Case> {
    vec![
        Case::new("sip/register/rp-sip", || rp_sip(REGISTER)),
        Case::new("sip/register/rsip", || rsip(REGISTER)),
        Case::new("sip/register/rsip-only-from", || rsip_from(REGISTER)),
        Case::new("sip/register/sipx-sip", || sipx_sip(REGISTER)),
        Case::new("sip/register/sipx-sip-only-from", || sipx_sip_from(REGISTER)),
        Case::new("sip/invite/rp-sip", || rp_sip(INVITE)),
        Case::new("sip/invite/rsip", || rsip(INVITE)),
        Case::new("sip/invite/rsip-only-from", || rsip_from(INVITE)),
        Case::new("sip/invite/sipx-sip", || sipx_sip(INVITE)),
        Case::new("sip/invite/sipx-sip-only-from", || sipx_sip_from(INVITE)),
        Case::new("sip/answer/rp-sip", || answer(REGISTER)),
    ]
}

fn rp_sip(input: &[u8]) {
    black_box(rp_sip::extract(black_box(input))).expect("a key");
}

fn rsip(input: &[u8]) {
    let request = rsip::Request::try_from(black_box(input)).expect("a request");
    let from = request.from_header().expect("a From").typed().expect("an address");
    let to = request.to_header().expect("a To").typed().expect("an address");
    let branch = request.transaction_id().expect("a Via");
    let cseq = request.cseq_header().expect("a CSeq").typed().expect("a number and a method");
    let call_id = request.call_id_header().expect("a Call-ID");
    black_box((from, to, branch, cseq, call_id));
}

fn rsip_from(input: &[u8]) {
    let request = rsip::Request::try_from(black_box(input)).expect("a request");
    black_box(request.from_header().expect("a From").typed().expect("an address"));
}

fn sipx_sip(input: &[u8]) {
    let mut parser = StreamParser::new(Limits::stream());
    let messages = parser.push(black_box(input)).expect("a message");
    let headers = messages.first().expect("a whole message").headers();
    let from = headers.typed::<From>().expect("a From").expect("an address");
    let to = headers.typed::<To>().expect("a To").expect("an address");
    let via = headers.typed_all::<Via>().next().expect("a Via").expect("a sent-by");
    let cseq = headers.typed::<CSeq>().expect("a CSeq").expect("a number and a method");
    let call_id = headers.typed::<CallId>().expect("a Call-ID").expect("a word");
    black_box((from, to, via, cseq, call_id));
}

fn sipx_sip_from(input: &[u8]) {
    let mut parser = StreamParser::new(Limits::stream());
    let messages = parser.push(black_box(input)).expect("a message");
    let headers = messages.first().expect("a whole message").headers();
    black_box(headers.typed::<From>().expect("a From").expect("an address"));
}

fn answer(input: &[u8]) {
    let answer = rp_sip::Answer::to(black_box(input)).expect("an answer");
    let mut octets = 0;
    answer.write(rp_sip::Status::NOT_FOUND, 7, None, &mut |piece| octets += black_box(piece).len());
    black_box(octets);
}
