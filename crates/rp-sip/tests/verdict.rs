//! What answers mean: the table, row by row, and what is held back.

use std::time::Duration;

use rp_sip::{
    Circumstances, Response, Status, Verdict,
    held::{CAPACITY, Challenges, FREE_USERS, Refusal, WrongPasswords},
    judge,
    open_requests::{Method, Open},
};

const REGISTER: Open = Open { method: Method::Register, credentials: false, user: 101 };
const GUESS: Open = Open { credentials: true, ..REGISTER };
const INVITE: Open = Open { method: Method::Invite, ..REGISTER };

const METHODS: [Method; 4] = [Method::Register, Method::Invite, Method::Subscribe, Method::Other];

fn octets(status: u16, call_id: &str, lines: &str) -> Vec<u8> {
    format!("SIP/2.0 {status} x\r\nCall-ID: {call_id}\r\n{lines}Content-Length: 0\r\n\r\n").into_bytes()
}

fn verdict(status: u16, request: &Open, circumstances: Circumstances) -> Verdict {
    judge(&Response::parse(&octets(status, "1", "")).unwrap(), request, circumstances)
}

/// The statuses from 200 on with which the verdict is this one, for each method, with and without credentials.
fn statuses(wanted: Verdict, circumstances: Circumstances, credentials: bool) -> [Vec<u16>; 4] {
    METHODS.map(|method| {
        let request = Open { method, credentials, user: 101 };
        (200..700).filter(|&status| verdict(status, &request, circumstances) == wanted).collect()
    })
}

const STRANGER: Circumstances = Circumstances { proven: false, checked: false };
const PROVEN: Circumstances = Circumstances { proven: true, checked: false };
const CHECKED: Circumstances = Circumstances { proven: false, checked: true };

#[test]
fn a_challenge_is_one_without_credentials_and_a_wrong_password_with_them() {
    for circumstances in [STRANGER, PROVEN, CHECKED] {
        let both = [vec![401, 407], vec![401, 407], vec![401, 407], vec![401, 407]];
        let none: [Vec<u16>; 4] = Default::default();
        assert_eq!(statuses(Verdict::Challenge, circumstances, false), both);
        assert_eq!(statuses(Verdict::Challenge, circumstances, true), none);
        assert_eq!(statuses(Verdict::WrongPassword, circumstances, true), both);
        assert_eq!(statuses(Verdict::WrongPassword, circumstances, false), none);
    }
    let stale = octets(401, "1", "WWW-Authenticate: Digest realm=\"a\", stale=TRUE\r\n");
    let stale = Response::parse(&stale).unwrap();
    assert_eq!(judge(&stale, &GUESS, STRANGER), Verdict::Normal);
    assert_eq!(judge(&stale, &REGISTER, STRANGER), Verdict::Challenge);
}

#[test]
fn refusals_of_a_proven_connection_are_those_of_passwords_and_accounts() {
    let refused = [vec![403, 404, 604], vec![403], vec![403], vec![]];
    for credentials in [false, true] {
        assert_eq!(statuses(Verdict::Refused, PROVEN, credentials), refused);
    }
}

#[test]
fn on_a_connection_that_is_not_proven_unknown_numbers_and_faults_count_too() {
    let refused = |other| {
        [
            vec![400, 403, 404, 405, 483, 604],
            vec![400, 403, 404, 405, 480, 483, 484, 486, 603],
            vec![400, 403, 405, 483],
            other,
        ]
    };
    for circumstances in [STRANGER, CHECKED] {
        assert_eq!(statuses(Verdict::Refused, circumstances, false), refused(vec![400, 405, 483]));
        // A password may be guessed by any method.
        assert_eq!(statuses(Verdict::Refused, circumstances, true), refused(vec![400, 403, 405, 483]));
    }
}

#[test]
fn success_takes_credentials_or_a_certificate() {
    let all: Vec<u16> = (200..300).collect();
    let none = Vec::new();
    for circumstances in [STRANGER, PROVEN] {
        let with = [all.clone(), all.clone(), none.clone(), none.clone()];
        assert_eq!(statuses(Verdict::Success, circumstances, true), with);
        assert_eq!(statuses(Verdict::Success, circumstances, false), <[Vec<u16>; 4]>::default());
    }
    let without = [all, none.clone(), none.clone(), none];
    assert_eq!(statuses(Verdict::Success, CHECKED, false), without);
}

/// A driven clock, and responses of a service.
struct Service {
    held: WrongPasswords,
}

impl Service {
    fn new() -> Self {
        Self { held: WrongPasswords::new([3; 16]) }
    }

    /// How many count when this response comes.
    fn responds(&mut self, status: u16, call_id: &str, request: &Open, now: u64) -> u32 {
        let octets = octets(status, call_id, "");
        let response = Response::parse(&octets).unwrap();
        let now = Duration::from_secs(now);
        let verdict = judge(&response, request, PROVEN);
        u32::from(self.held.note(verdict, &response, request, now)) + self.due(now)
    }

    fn due(&mut self, now: Duration) -> u32 {
        let mut due = 0;
        while let Some(refusal) = self.held.due(now) {
            assert_eq!(refusal, Refusal { status: Status::UNAUTHORIZED, method: Method::Register });
            due += 1;
        }
        due
    }

    fn waits(&mut self, until: u64) -> u32 {
        self.due(Duration::from_secs(until))
    }
}

#[test]
fn a_password_that_is_right_at_the_second_try_does_not_count() {
    let mut service = Service::new();
    assert_eq!(service.responds(401, "a", &GUESS, 0), 0);
    assert_eq!(service.held.next_due(), Some(Duration::from_secs(10)));
    assert_eq!(service.responds(200, "a", &GUESS, 9), 0);
    assert_eq!(service.held.next_due(), None);
    assert_eq!(service.waits(u64::MAX), 0);
}

#[test]
fn a_password_that_stays_wrong_counts_each_time() {
    let mut service = Service::new();
    assert_eq!(service.responds(401, "a", &GUESS, 0), 0);
    assert_eq!(service.responds(401, "a", &GUESS, 1), 2);
    assert_eq!(service.responds(401, "a", &GUESS, 2), 1);
    // No second chance soon after the first.
    assert_eq!(service.responds(200, "a", &GUESS, 3), 0);
    assert_eq!(service.responds(401, "a", &GUESS, 4), 1);
    assert_eq!(service.waits(u64::MAX), 0);
}

#[test]
fn a_guess_that_is_not_followed_up_counts_after_ten_seconds_or_at_the_end() {
    let mut service = Service::new();
    assert_eq!(service.responds(401, "a", &GUESS, 0), 0);
    assert_eq!(service.waits(9), 0);
    assert_eq!(service.waits(10), 1);
    assert_eq!(service.responds(401, "b", &GUESS, 11), 0);
    assert_eq!(service.waits(u64::MAX), 1);
}

/// What anybody gets without a password forgives nothing.
#[test]
fn only_a_success_of_the_same_call_user_and_method_forgives() {
    let other_user = Open { user: 102, ..GUESS };
    let options = Open { method: Method::Other, ..GUESS };
    let invite = Open { method: Method::Invite, ..GUESS };
    for (call_id, request) in
        [("b", GUESS), ("a", other_user), ("a", options), ("a", invite), ("a", REGISTER), ("A", GUESS)]
    {
        let mut service = Service::new();
        assert_eq!(service.responds(401, "a", &GUESS, 0), 0);
        assert_eq!(service.responds(200, call_id, &request, 1), 0, "{call_id} {request:?}");
        assert_eq!(service.waits(10), 1, "{call_id} {request:?}");
    }
}

#[test]
fn another_refusal_makes_a_held_one_count() {
    let mut service = Service::new();
    assert_eq!(service.responds(401, "a", &GUESS, 0), 0);
    assert_eq!(service.responds(403, "b", &GUESS, 1), 1);
    assert_eq!(service.responds(403, "a", &GUESS, 1), 2);
}

#[test]
fn sixteen_are_held_and_the_seventeenth_counts_at_once() {
    let mut service = Service::new();
    for call in 0..CAPACITY {
        assert_eq!(service.responds(401, &call.to_string(), &GUESS, 0), 0);
    }
    assert_eq!(service.responds(401, "x", &GUESS, 0), 1);
    // Being forgiven gives no room for another guess before ten minutes are over.
    assert_eq!(service.responds(200, "3", &GUESS, 1), 0);
    assert_eq!(service.responds(401, "y", &GUESS, 2), 1);
    assert_eq!(service.responds(401, "z", &GUESS, 600), 15);
    assert_eq!(service.waits(610), 1);
    assert!(!service.held.is_empty());
    assert_eq!(service.responds(200, "z", &GUESS, 1_200), 0);
    assert!(service.held.is_empty());
}

/// Users that are challenged, one a second, and how many have counted when so much time has passed.
fn unanswered(users: u16, answer: impl Fn(u16) -> bool) -> u32 {
    let mut challenges = Challenges::new();
    let mut counted = 0;
    for user in 0..users {
        let now = Duration::from_secs(u64::from(user));
        challenge(&mut challenges, user, now);
        if answer(user) {
            challenges.asked(&Open { credentials: true, user, ..REGISTER });
        } else {
            challenges.asked(&Open { credentials: false, user, ..REGISTER });
        }
        counted += due(&mut challenges, now);
    }
    counted + due(&mut challenges, Duration::MAX)
}

fn challenge(challenges: &mut Challenges, user: u16, now: Duration) {
    let octets = octets(407, "a", "");
    challenges.challenged(&Response::parse(&octets).unwrap(), &Open { user, ..INVITE }, now);
}

fn due(challenges: &mut Challenges, now: Duration) -> u32 {
    let mut due = 0;
    while let Some(refusal) = challenges.due(now) {
        assert_eq!(refusal.status, Status::PROXY_AUTHENTICATION_REQUIRED);
        assert_eq!(refusal.method, Method::Invite);
        due += 1;
    }
    due
}

#[test]
fn who_leaves_the_challenges_of_many_users_without_an_answer_counts_from_the_fifth_on() {
    assert_eq!(unanswered(4, |_| false), 0);
    assert_eq!(unanswered(5, |_| false), 1);
    assert_eq!(unanswered(300, |_| false), 300 - FREE_USERS);
    assert_eq!(unanswered(300, |user| user % 2 == 0), 150 - FREE_USERS);
    assert_eq!(unanswered(300, |_| true), 0);
}

#[test]
fn a_user_counts_once_and_has_five_seconds() {
    let mut challenges = Challenges::new();
    assert!(challenges.is_empty());
    for user in 0..5 {
        challenge(&mut challenges, user, Duration::ZERO);
    }
    assert_eq!(challenges.next_due(), Some(Duration::from_secs(5)));
    assert_eq!(due(&mut challenges, Duration::from_millis(4_999)), 0);
    assert_eq!(due(&mut challenges, Duration::from_secs(5)), 1);
    challenge(&mut challenges, 4, Duration::from_secs(6));
    assert_eq!(due(&mut challenges, Duration::MAX), 0);
    challenges.asked(&Open { credentials: true, user: 4, ..REGISTER });
    challenge(&mut challenges, 4, Duration::from_secs(7));
    assert_eq!(due(&mut challenges, Duration::MAX), 0);
    assert!(!challenges.is_empty());
}

/// A gateway registers all its accounts at once; none of them may count because others wait.
#[test]
fn many_users_at_once_do_not_count_if_they_answer() {
    let mut challenges = Challenges::new();
    for user in 0..500 {
        challenge(&mut challenges, user, Duration::ZERO);
    }
    for user in 0..500 {
        challenges.asked(&Open { credentials: true, user, ..REGISTER });
    }
    assert_eq!(due(&mut challenges, Duration::MAX), 0);
    assert!(challenges.is_empty());
}

/// Whoever tries users faster than they become due must not push them out.
#[test]
fn a_flood_of_users_counts_as_well() {
    let mut challenges = Challenges::new();
    let mut counted = 0;
    for user in 0..1_000 {
        let now = Duration::from_millis(u64::from(user) * 10);
        challenge(&mut challenges, user, now);
        counted += due(&mut challenges, now);
    }
    assert_eq!(counted, 12);
}
