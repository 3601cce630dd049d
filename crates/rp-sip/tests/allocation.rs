//! Nothing is allocated, whatever comes.

mod common;

use std::time::Duration;

use common::cases;
use rp_sip::{
    Answer, Circumstances, Follower, Head, Limits, Response, Status, Step, extract,
    held::{Challenges, WrongPasswords},
    judge,
    open_requests::{Down, Up},
    route::{self, Listener, Token},
};

#[test]
fn nothing_is_allocated() {
    for case in cases() {
        let (mut octets, mut keys) = (0, 0);
        let info = allocation_counter::measure(|| {
            keys += usize::from(extract(&case.bytes).is_ok());
            keys += Response::parse(&case.bytes).map_or(0, |response| response.headers("Via").count());
            if let Some(answer) = Answer::to(&case.bytes) {
                answer.write(Status::BAD_REQUEST, 1, Some(5), &mut |piece| octets += piece.len());
            }
        });
        assert_eq!(info.count_total, 0, "{}: {keys} {octets}", case.name);
    }
}

#[test]
fn nothing_is_allocated_for_a_message_on_its_way() {
    let listener = Listener { addresses: &["rp.example.com:5061"], tls: true };
    for case in cases() {
        let mut octets = 0;
        let info = allocation_counter::measure(|| octets = relayed(&case.bytes, &listener));
        assert_eq!(info.count_total, 0, "{}: {octets}", case.name);
    }
}

/// All that is done with a message, in both directions; the octets that leave.
fn relayed(input: &[u8], listener: &Listener<'_>) -> usize {
    let token = Token::new(1);
    let (mut up, mut down) = (Up::new([1; 16]), Down::new([2; 16]));
    let (mut passwords, mut challenges) = (WrongPasswords::new([3; 16]), Challenges::new());
    let (mut follower, mut octets, mut rest) = (Follower::new(Limits::default()), 0, input);
    let now = Duration::ZERO;
    loop {
        let step = match follower.step(rest) {
            Ok(Step::More) | Err(_) => return octets,
            Ok(step) => step,
        };
        if let Step::Look(head) = &step {
            octets += route::up(head, listener).pieces().flatten().count();
            octets += route::down(head, listener, &token).pieces().flatten().count();
            match head {
                Head::Request(request) => {
                    let open = up.enter(request, 0, now).expect("room");
                    challenges.asked(&open);
                    down.enter(request, 0, now);
                }
                Head::Response(response) => {
                    let _ = down.leg_of(response, now);
                    if let Some(open) = up.answered(response, 0, now) {
                        let verdict = judge(response, &open, Circumstances::default());
                        passwords.note(verdict, response, &open, now);
                        challenges.challenged(response, &open, now);
                    }
                }
            }
        }
        rest = rest.get(step.octets()..).unwrap_or_default();
    }
}
