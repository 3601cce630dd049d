//! `extract` beside rsip and sipx-sip on the same requests: with every field that the key has, and with
//! nothing but From. And what a message costs that is relayed: followed, rewritten, remembered and judged.

use std::{hint::black_box, time::Duration};

use rp_sip::{
    Answer, Circumstances, Follower, Head, Response, Status, Step, judge,
    open_requests::Up,
    route::{self, Listener, Token},
};
use rsip::{headers::ToTypedHeader, message::HeadersExt};
use sipx_sip::{
    Limits, StreamParser,
    headers::{CSeq, CallId, From, To, Via},
};

use crate::Case;

const REGISTER: &[u8] = include_bytes!("../../crates/rp-sip/tests/corpus/phone-yealink-register-auth.sip");
const INVITE: &[u8] = include_bytes!("../../crates/rp-sip/tests/corpus/phone-pjsua-invite-auth.sip");
const BYE: &[u8] = include_bytes!("../../crates/rp-sip/tests/corpus/rr-up-bye-list.sip");
const CALL: &[u8] = include_bytes!("../../crates/rp-sip/tests/corpus/rr-down-invite.sip");

const LISTENER: Listener<'_> = Listener { addresses: &["rp.example.com:5061", "192.0.2.10:5061"], tls: true };

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
        register_and_refusal(),
        Case::new("sip/bye-up/rp-sip", || {
            black_box(up(BYE));
        }),
        Case::new("sip/call-down/rp-sip", || {
            black_box(down(CALL));
        }),
        head_of_16_kib("sip/head-16k-whole/rp-sip", 16_384),
        head_of_16_kib("sip/head-16k-octet-by-octet/rp-sip", 1),
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
    let answer = Answer::to(black_box(input)).expect("an answer");
    let mut octets = 0;
    answer.write(Status::NOT_FOUND, 7, None, &mut |piece| octets += black_box(piece).len());
    black_box(octets);
}

/// A REGISTER on its way up and its 401 on its way down, with all that is done about them.
fn register_and_refusal() -> Case {
    let mut refusal = Vec::new();
    let answer = Answer::to(REGISTER).expect("an answer");
    answer.write(Status::UNAUTHORIZED, 7, None, &mut |piece| refusal.extend_from_slice(piece));
    let mut open = Up::new([7; 16]);
    Case::new("sip/register-and-refusal/rp-sip", move || {
        let request = up(REGISTER);
        open.enter(&request, 0, Duration::ZERO).expect("room");
        let response = down(&refusal).expect("a response");
        let asked = open.answered(&response, 0, Duration::ZERO).expect("an open request");
        black_box(judge(&response, &asked, Circumstances::default()));
    })
}

fn up(input: &[u8]) -> rp_sip::Request<'_> {
    let Ok(Step::Look(head)) = follower().step(black_box(input)) else { panic!("a head") };
    leave(route::up(&head, &LISTENER).pieces());
    let Head::Request(request) = head else { panic!("a request") };
    request
}

fn down(input: &[u8]) -> Option<Response<'_>> {
    let Ok(Step::Look(head)) = follower().step(black_box(input)) else { panic!("a head") };
    let token = Token::new(7);
    leave(route::down(&head, &LISTENER, &token).pieces());
    match head {
        Head::Response(response) => Some(response),
        Head::Request(_) => None,
    }
}

fn follower() -> Follower {
    Follower::new(rp_sip::Limits::default())
}

fn leave<'a>(pieces: impl Iterator<Item = &'a [u8]>) {
    for piece in pieces {
        black_box(piece);
    }
}

/// A head as large as a proxy takes one, in pieces of so many octets.
fn head_of_16_kib(name: &'static str, piece: usize) -> Case {
    let mut head = b"OPTIONS sip:a SIP/2.0\r\n".to_vec();
    while head.len() < 16_000 {
        head.extend_from_slice(b"Via: SIP/2.0/TLS 192.0.2.1:5061;branch=z9hG4bK776asdhds;rport\r\n");
    }
    head.extend_from_slice(b"Content-Length: 0\r\n\r\n");
    Case::new(name, move || {
        let mut follower = follower();
        for end in (piece..head.len()).step_by(piece) {
            assert!(matches!(follower.step(black_box(&head[..end])), Ok(Step::More)));
        }
        let Ok(Step::Look(whole)) = follower.step(&head) else { panic!("a head") };
        black_box(whole);
    })
}
