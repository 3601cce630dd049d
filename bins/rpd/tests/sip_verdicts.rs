//! What a PBX's answers say of a phone: which of them are told as refusals of the service, and when.

mod common;

use common::{
    Log, client_certificate,
    sip::{Stage, Wire, request, response},
};

const CREDENTIALS: &str = "Authorization: Digest username=\"x\"\r\n";
const CHALLENGE: &str = "WWW-Authenticate: Digest realm=\"pbx\", nonce=\"n\"\r\n";
const STALE: &str = "WWW-Authenticate: Digest realm=\"pbx\", nonce=\"n\", stale=TRUE\r\n";

/// A phone of `one.example`, and its PBX.
struct Line {
    phone: Wire,
    pbx: Option<Wire>,
    asked: usize,
}

impl Line {
    fn new(phone: Wire) -> Self {
        Self { phone, pbx: None, asked: 0 }
    }

    /// The phone of `user` asks and the PBX answers, each with these lines. Every request is a transaction of its own.
    fn ask(&mut self, stage: &Stage, method: &str, user: &str, lines: &str, status: u16, answer: &str) {
        self.asked += 1;
        let own = format!("sip:{user}@one.example");
        let branch = format!("{method}{}", self.asked);
        let request = request(method, &own, &own, &branch, lines, "");
        let request = request.replace(&format!("Call-ID: call-{branch}"), "Call-ID: always-the-same");
        self.phone.send(&request);
        let pbx = self.pbx.get_or_insert_with(|| stage.one.line().1);
        let arrived = pbx.message();
        assert_eq!(String::from_utf8_lossy(&arrived), request);
        let answer = response(&arrived, &format!("{status} Whatever"), answer);
        pbx.send(&answer);
        assert_eq!(self.phone.start_line(), format!("SIP/2.0 {status} Whatever"));
    }

    /// So many refusals have been told when all is over.
    fn count(self) -> usize {
        let log = Log::of(self.phone.address());
        drop(self);
        log.wait_for(&["forwarded", "end="]);
        log.count(&["refused", "reason=refused"])
    }
}

/// Each row: a method, credentials or not, a status; whether it counts on a connection that is not proven, and on one
/// that is.
#[test]
fn each_answer_of_a_service_means_what_it_means() {
    let stage = Stage::set();
    for (method, credentials, status, counts) in [
        ("REGISTER", "", 401, [0, 0]),
        ("INVITE", "", 407, [0, 0]),
        ("REGISTER", CREDENTIALS, 401, [1, 1]),
        ("INVITE", CREDENTIALS, 407, [1, 1]),
        ("REGISTER", CREDENTIALS, 403, [1, 1]),
        ("INVITE", "", 403, [1, 1]),
        ("SUBSCRIBE", CREDENTIALS, 403, [1, 1]),
        ("OPTIONS", "", 403, [0, 0]),
        ("REGISTER", "", 404, [1, 1]),
        ("REGISTER", CREDENTIALS, 604, [1, 1]),
        ("OPTIONS", "", 404, [0, 0]),
        ("INVITE", CREDENTIALS, 404, [1, 0]),
        ("INVITE", "", 480, [1, 0]),
        ("INVITE", "", 484, [1, 0]),
        ("INVITE", "", 486, [1, 0]),
        ("INVITE", "", 603, [1, 0]),
        ("OPTIONS", "", 400, [1, 0]),
        ("REGISTER", "", 405, [1, 0]),
        ("INVITE", "", 483, [1, 0]),
        ("INVITE", "", 302, [0, 0]),
        ("REGISTER", CREDENTIALS, 423, [0, 0]),
        ("INVITE", "", 481, [0, 0]),
        ("INVITE", "", 488, [0, 0]),
        ("REGISTER", CREDENTIALS, 500, [0, 0]),
        ("INVITE", "", 503, [0, 0]),
        ("INVITE", "", 180, [0, 0]),
        ("INVITE", CREDENTIALS, 200, [0, 0]),
    ] {
        for (is_proven, counts) in [false, true].into_iter().zip(counts) {
            let mut line = Line::new(stage.phone("sip"));
            if is_proven {
                line.ask(&stage, "REGISTER", "101", CREDENTIALS, 200, "");
            }
            line.ask(&stage, method, "101", credentials, status, CHALLENGE);
            let log = Log::of(line.phone.address());
            assert_eq!(line.count(), counts, "{method} {credentials:?} {status} {is_proven}");
            assert_eq!(log.count(&[&format!("sip {status} {method}")]), counts);
        }
    }
}

#[test]
fn a_refusal_is_told_when_it_happens_and_says_of_whom() {
    let stage = Stage::set();
    let mut line = Line::new(stage.phone("sips"));
    line.ask(&stage, "REGISTER", "eve", CREDENTIALS, 403, "");
    let parts = [
        "refused",
        "reason=refused",
        "sip 403 REGISTER",
        "<sip:eve@one.example>",
        "Call-ID always-the-same",
        "host=one.example",
    ];
    Log::of(line.phone.address()).wait_for(&parts);
}

#[test]
fn a_first_wrong_password_is_forgiven_if_the_next_is_right_and_counts_otherwise() {
    let stage = Stage::set();
    let answers = |statuses: &[u16]| {
        let mut line = Line::new(stage.phone("sip"));
        for status in statuses {
            line.ask(&stage, "REGISTER", "101", CREDENTIALS, *status, CHALLENGE);
        }
        line.count()
    };
    assert_eq!(answers(&[401, 200]), 0);
    assert_eq!(answers(&[401]), 1);
    assert_eq!(answers(&[401, 401]), 2);
    assert_eq!(answers(&[401, 401, 401, 200]), 3);
    // Nobody waits for the end of the connection, or for any time, once there are two.
    let mut line = Line::new(stage.phone("sip"));
    line.ask(&stage, "REGISTER", "101", CREDENTIALS, 401, CHALLENGE);
    line.ask(&stage, "REGISTER", "101", CREDENTIALS, 401, CHALLENGE);
    Log::of(line.phone.address()).wait_for_all(2, &["refused", "sip 401 REGISTER"]);
}

#[test]
fn an_old_nonce_is_no_wrong_password() {
    let stage = Stage::set();
    let mut line = Line::new(stage.phone("sip"));
    for _ in 0..3 {
        line.ask(&stage, "REGISTER", "101", CREDENTIALS, 401, STALE);
    }
    assert_eq!(line.count(), 0);
}

#[test]
fn users_that_are_challenged_and_never_answer_count_from_the_fifth_on() {
    let stage = Stage::set();
    for (users, answered, counted) in [(4, 0, 0), (7, 0, 3), (7, 4, 0)] {
        let mut line = Line::new(stage.phone("sip"));
        for user in 0..users {
            line.ask(&stage, "REGISTER", &format!("user{user}"), "", 401, CHALLENGE);
            if user < answered {
                line.ask(&stage, "REGISTER", &format!("user{user}"), CREDENTIALS, 200, "");
            }
        }
        assert_eq!(line.count(), counted, "{users} users, {answered} answered");
    }
}

#[test]
fn a_registration_on_a_checked_leg_proves_the_connection_without_a_password() {
    let keys = "tcp = ONE_TCP, tls = ONE_TLS, check-certificate = true";
    let stage = Stage::with("[tls]\ntrust-list = [\"ca.pem\"]", keys);
    let alice = client_certificate(stage.folder.path(), "alice");
    for (certificate, counted) in [(Some(&alice), 0), (None, 1)] {
        let mut line = Line::new(Wire::secure_phone(&stage.proxy, certificate));
        line.ask(&stage, "REGISTER", "alice", "", 200, "");
        line.ask(&stage, "INVITE", "alice", "", 404, "");
        assert_eq!(line.count(), counted);
    }
}

#[test]
fn an_answer_to_nothing_is_relayed_and_says_nothing() {
    let stage = Stage::set();
    let (mut phone, mut pbx) = stage.registered("sip");
    let nothing = request("REGISTER", "sip:101@one.example", "sip:101@one.example", "never", "", "");
    let answer = response(nothing.as_bytes(), "403 Forbidden", "");
    pbx.send(&answer);
    assert_eq!(phone.text_message(), answer);
    assert_eq!(Line { phone, pbx: Some(pbx), asked: 0 }.count(), 0);
}
