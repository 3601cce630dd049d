//! Open requests: which response belongs to which request, against a naive list.

mod common;

use std::time::Duration;

use common::cases;
use proptest::prelude::*;
use rp_sip::{
    Answer, Follower, Head, Limits, Request, Response, Status, Step,
    open_requests::{CAPACITY, Down, Full, Method, Open, Up},
};

const KEY: [u8; 16] = *b"0123456789abcdef";

/// What tells one request from another here.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Made {
    method: &'static str,
    /// None: no branch, so that Call-ID and number name the request.
    branch: Option<u8>,
    call: u8,
    number: u8,
    user: u8,
    credentials: bool,
}

impl Made {
    fn request(&self) -> Vec<u8> {
        let Self { method, call, number, user, .. } = self;
        let branch = self.branch.map_or(String::new(), |branch| format!(";branch=z9hG4bK{branch}"));
        let credentials = if self.credentials { "Authorization: Digest x=y\r\n" } else { "" };
        format!(
            "{method} sip:a SIP/2.0\r\nVia: SIP/2.0/TCP h{branch}\r\nFrom: <sip:{user}@a>\r\nTo: <sip:b@a>\r\n\
             Call-ID: {call}\r\nCSeq: {number} {method}\r\n{credentials}Content-Length: 0\r\n\r\n"
        )
        .into_bytes()
    }

    fn response(&self, status: u16) -> Vec<u8> {
        // A service may change what is behind the branch.
        let request = String::from_utf8(self.request()).unwrap();
        let (_, lines) = request.split_once("\r\n").unwrap();
        format!("SIP/2.0 {status} x\r\n{lines}").replacen("TCP h", "TCP h;received=192.0.2.1", 1).into_bytes()
    }

    fn is_named_as(&self, other: &Self) -> bool {
        let calls = |made: &Self| (made.call, made.number);
        self.method == other.method
            && self.branch == other.branch
            && (self.branch.is_some() || calls(self) == calls(other))
    }
}

fn with_request<T>(octets: &[u8], work: impl FnOnce(&Request<'_>) -> T) -> T {
    let Ok(Head::Request(request)) = Head::parse(octets, &Limits::default()) else { panic!() };
    work(&request)
}

fn method(made: &Made) -> Method {
    match made.method {
        "REGISTER" => Method::Register,
        "INVITE" => Method::Invite,
        "SUBSCRIBE" => Method::Subscribe,
        _ => Method::Other,
    }
}

/// An entry of the naive list.
#[derive(Clone, Copy, Debug)]
struct Entry {
    made: Made,
    leg: u8,
    since: u64,
    /// Rings (up), or has been answered (down).
    marked: bool,
}

fn is_invite(entry: &Entry) -> bool {
    entry.made.method == "INVITE"
}

#[derive(Clone, Debug)]
enum Action {
    Enter(Made, u8),
    Answer(Made, u16, u8),
    Wait(u64),
}

fn made() -> impl Strategy<Value = Made> {
    let method = prop::sample::select(vec!["REGISTER", "INVITE", "SUBSCRIBE", "CANCEL", "MESSAGE", "ACK"]);
    (method, prop::option::weighted(0.8, 0..60_u8), 0..2_u8, 0..3_u8, 0..2_u8, any::<bool>()).prop_map(
        |(method, branch, call, number, user, credentials)| Made {
            method,
            branch,
            call,
            number,
            user,
            credentials,
        },
    )
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let status = prop::sample::select(vec![100_u16, 180, 183, 200, 202, 302, 401, 486, 603]);
    let action = prop_oneof![
        6 => (made(), 0..3_u8).prop_map(|(made, leg)| Action::Enter(made, leg)),
        4 => (made(), status, 0..3_u8).prop_map(|(made, status, leg)| Action::Answer(made, status, leg)),
        1 => prop_oneof![9 => 1..4_u64, 1 => 20..200_u64].prop_map(Action::Wait),
    ];
    prop::collection::vec(action, 0..400)
}

/// The answer to something that was asked, more often than to what was not.
fn aim(entries: &[Entry], made: Made, leg: u8) -> (Made, u8) {
    match entries.get(usize::from(made.call) + usize::from(made.number) * 7) {
        Some(entry) if made.user == 0 => (entry.made, entry.leg),
        _ => (made, leg),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(150) })]

    #[test]
    fn up_finds_what_a_naive_list_finds(actions in actions()) {
        let (mut up, mut list, mut now) = (Up::new(KEY), Vec::<Entry>::new(), 0);
        let lifetime = |entry: &Entry| if is_invite(entry) { 180 } else { 32 };
        for action in actions {
            list.retain(|entry| now - entry.since <= lifetime(entry));
            match action {
                Action::Wait(seconds) => now += seconds,
                Action::Enter(made, leg) => {
                    let entered = with_request(&made.request(), |request| up.enter(request, leg, at(now)));
                    let entry = Entry { made, leg, since: now, marked: false };
                    if made.method == "ACK" {
                        prop_assert!(entered.is_ok());
                        continue;
                    }
                    if list.len() == CAPACITY && let Some(ringing) = list.iter().position(|entry| entry.marked) {
                        list.remove(ringing);
                    }
                    if list.len() == CAPACITY {
                        let until = list.iter().map(|entry| entry.since + lifetime(entry) + 1).min().unwrap();
                        prop_assert_eq!(entered, Err(Full { until: at(until) }));
                    } else {
                        list.push(entry);
                        let open = entered.unwrap();
                        prop_assert_eq!((open.method, open.credentials), (method(&made), made.credentials));
                    }
                }
                Action::Answer(made, status, leg) => {
                    let (made, leg) = aim(&list, made, leg);
                    let response = made.response(status);
                    let found = up.answered(&Response::parse(&response).unwrap(), leg, at(now));
                    let is_it = |entry: &Entry| entry.leg == leg && entry.made.is_named_as(&made);
                    let wanted = list
                        .iter()
                        .position(|entry| is_it(entry) && entry.made.credentials)
                        .or_else(|| list.iter().position(is_it));
                    match wanted {
                        Some(at) if status >= 200 => {
                            let entry = list.remove(at);
                            let open = found.expect("an open request");
                            prop_assert_eq!(open.method, method(&entry.made));
                            prop_assert_eq!(open.credentials, entry.made.credentials);
                        }
                        Some(at) if status > 100 && is_invite(&list[at]) => {
                            list[at].marked = true;
                            list[at].since = now;
                            prop_assert_eq!(found, None);
                        }
                        _ => prop_assert_eq!(found, None),
                    }
                }
            }
            up.expire(at(now));
            list.retain(|entry| now - entry.since <= lifetime(entry));
            prop_assert_eq!(up.is_empty(), list.is_empty());
        }
    }

    #[test]
    fn down_finds_what_a_naive_list_finds(actions in actions()) {
        let (mut down, mut list, mut now) = (Down::new(KEY), Vec::<Entry>::new(), 0);
        for action in actions {
            list.retain(|entry| is_invite(entry) && !entry.marked || now - entry.since <= 32);
            match action {
                Action::Wait(seconds) => now += seconds,
                Action::Enter(made, leg) => {
                    with_request(&made.request(), |request| down.enter(request, leg, at(now)));
                    if made.method != "ACK" {
                        if list.len() == CAPACITY {
                            list.remove(0);
                        }
                        list.push(Entry { made, leg, since: now, marked: false });
                    }
                }
                Action::Answer(made, status, leg) => {
                    let (made, _) = aim(&list, made, leg);
                    let response = made.response(status);
                    let found = down.leg_of(&Response::parse(&response).unwrap(), at(now));
                    let wanted = list.iter().position(|entry| entry.made.is_named_as(&made));
                    prop_assert_eq!(found, wanted.map(|at| list[at].leg));
                    match wanted {
                        Some(at) if is_invite(&list[at]) && (200..300).contains(&status) => {
                            if !list[at].marked {
                                list[at].since = now;
                            }
                            list[at].marked = true;
                        }
                        Some(at) if status >= 200 => drop(list.remove(at)),
                        _ => {}
                    }
                }
            }
            down.expire(at(now));
            list.retain(|entry| is_invite(entry) && !entry.marked || now - entry.since <= 32);
            prop_assert_eq!(down.is_empty(), list.is_empty());
        }
    }
}

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn made_up(method: &'static str, branch: u8) -> Made {
    Made { method, branch: Some(branch), call: 0, number: 1, user: 1, credentials: false }
}

fn enter(up: &mut Up, made: &Made, now: u64) -> Result<Open, Full> {
    with_request(&made.request(), |request| up.enter(request, 0, at(now)))
}

fn answered(up: &mut Up, made: &Made, status: u16, now: u64) -> Option<Open> {
    up.answered(&Response::parse(&made.response(status)).unwrap(), 0, at(now))
}

#[test]
fn a_full_table_stops_the_phone_until_an_answer_comes() {
    let mut up = Up::new(KEY);
    for branch in 0..64 {
        assert!(enter(&mut up, &made_up("REGISTER", branch), 5).is_ok());
    }
    assert_eq!(enter(&mut up, &made_up("REGISTER", 64), 6), Err(Full { until: at(38) }));
    assert!(answered(&mut up, &made_up("REGISTER", 7), 401, 6).is_some());
    assert!(enter(&mut up, &made_up("REGISTER", 64), 6).is_ok());
    // Not a single refusal is unseen.
    for branch in (0..=64).filter(|&branch| branch != 7) {
        assert!(answered(&mut up, &made_up("REGISTER", branch), 401, 6).is_some(), "{branch}");
    }
    assert!(up.is_empty());
}

#[test]
fn a_full_table_frees_an_entry_when_it_says() {
    let mut up = Up::new(KEY);
    for branch in 0..64 {
        assert!(enter(&mut up, &made_up("REGISTER", branch), 5).is_ok());
    }
    let Err(Full { until }) = enter(&mut up, &made_up("REGISTER", 64), 20) else { panic!() };
    assert!(enter(&mut up, &made_up("REGISTER", 64), until.as_secs() - 1).is_err());
    assert!(enter(&mut up, &made_up("REGISTER", 64), until.as_secs()).is_ok());
}

#[test]
fn an_invite_that_rings_makes_room() {
    let mut up = Up::new(KEY);
    for branch in 0..64 {
        assert!(enter(&mut up, &made_up("INVITE", branch), 0).is_ok());
    }
    assert_eq!(answered(&mut up, &made_up("INVITE", 3), 100, 0), None);
    assert!(enter(&mut up, &made_up("INVITE", 64), 1).is_err());
    assert_eq!(answered(&mut up, &made_up("INVITE", 3), 180, 1), None);
    assert!(enter(&mut up, &made_up("INVITE", 64), 1).is_ok());
    assert_eq!(answered(&mut up, &made_up("INVITE", 3), 200, 1), None);
}

/// 13.3.1.4: the phone sends its 2xx again until the ACK comes, for 32 seconds from the first on.
#[test]
fn an_answer_to_a_call_finds_its_leg_for_as_long_as_it_is_sent_again() {
    let mut down = Down::new(KEY);
    let invite = made_up("INVITE", 1);
    with_request(&invite.request(), |request| down.enter(request, 5, at(0)));
    let mut answer =
        |status: u16, now: u64| down.leg_of(&Response::parse(&invite.response(status)).unwrap(), at(now));
    assert_eq!(answer(180, 1_000), Some(5));
    assert_eq!(answer(200, 2_000), Some(5));
    assert_eq!(answer(200, 2_016), Some(5));
    assert_eq!(answer(200, 2_032), Some(5));
    assert_eq!(answer(200, 2_033), None);
    assert!(down.is_empty());
}

/// The phone chooses the branch; a request without credentials must not stand in front of a guess.
#[test]
fn a_guess_does_not_hide_behind_a_request_of_the_same_name() {
    let mut up = Up::new(KEY);
    let harmless = made_up("REGISTER", 1);
    let guess = Made { credentials: true, ..harmless };
    for made in [harmless, guess, harmless] {
        assert!(enter(&mut up, &made, 0).is_ok());
    }
    assert!(answered(&mut up, &guess, 401, 0).unwrap().credentials);
    assert!(!answered(&mut up, &guess, 401, 0).unwrap().credentials);
}

#[test]
fn a_response_of_another_leg_or_another_method_answers_nothing() {
    let mut up = Up::new(KEY);
    let invite = made_up("INVITE", 1);
    assert!(enter(&mut up, &invite, 0).is_ok());
    let cancel = Made { method: "CANCEL", ..invite };
    assert_eq!(answered(&mut up, &cancel, 200, 0), None);
    let response = invite.response(200);
    let response = Response::parse(&response).unwrap();
    assert_eq!(up.answered(&response, 1, at(0)), None);
    assert!(up.answered(&response, 0, at(0)).is_some());
    assert_eq!(up.answered(&response, 0, at(0)), None);
}

#[test]
fn users_are_told_apart_and_keys_matter() {
    let user = |key, user| {
        let made = Made { user, ..made_up("REGISTER", 1) };
        with_request(&made.request(), |request| Up::new(key).enter(request, 0, at(0))).unwrap().user
    };
    assert_eq!(user(KEY, 1), user(KEY, 1));
    assert_ne!(user(KEY, 1), user(KEY, 2));
    assert_ne!(user(KEY, 1), user([7; 16], 1));
}

/// The requests of a case, each answered with 401 by the service, in this order.
fn challenged(name: &str, order: &[usize]) -> Vec<Option<(Method, bool)>> {
    let case = cases().into_iter().find(|case| case.name == name).unwrap();
    let (mut up, mut follower, mut rest) = (Up::new(KEY), Follower::new(Limits::default()), &case.bytes[..]);
    let mut answers = Vec::new();
    while !rest.is_empty() {
        let step = follower.step(rest).unwrap();
        if let Step::Look(Head::Request(request)) = &step {
            up.enter(request, 0, at(0)).unwrap();
            let mut answer = Vec::new();
            if let Some(words) = Answer::to(request.octets()) {
                words.write(Status::UNAUTHORIZED, 1, None, &mut |piece| answer.extend_from_slice(piece));
            }
            answers.push(answer);
        }
        rest = &rest[step.octets()..];
    }
    let judged = order.iter().map(|&at| {
        let open = up.answered(&Response::parse(&answers[at]).unwrap(), 0, Duration::ZERO)?;
        Some((open.method, open.credentials))
    });
    let judged = judged.collect();
    assert!(up.is_empty(), "{name}");
    judged
}

#[test]
fn every_try_of_a_guesser_is_seen_whatever_order_the_answers_come_in() {
    let guess = Some((Method::Register, true));
    assert_eq!(challenged("dialog-same-cseq-other-branch", &[3, 1, 0, 2]), [guess; 4]);
    assert_eq!(challenged("dialog-challenge-and-answer", &[1, 0]), [guess, Some((Method::Register, false))]);
}

#[test]
fn cancel_and_invite_are_two_requests_and_ack_is_none() {
    assert_eq!(
        challenged("dialog-cancel", &[1, 0]),
        [Some((Method::Other, false)), Some((Method::Invite, false))]
    );
}
