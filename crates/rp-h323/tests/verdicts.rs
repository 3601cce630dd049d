//! What the answers of a service say about its client: every reason there is, in every state of a connection.

mod support;

use rp_h323::{Answer, AnswerKind, Verdict, Verdicts};
use support::{PROTOCOL, Per, corpus, is_answer, q931, tunnel, user_user};

/// What becomes of a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Row {
    Normal,
    Refused,
    /// Normal the first time on a connection, of all such reasons together.
    Second,
    /// Until the client is registered.
    RefusedBefore,
}

/// RegistrationRejectReason by the order of its root and of its extensions.
const REGISTRATION_REJECT: [(Code, &str, Row); 20] = [
    (Code::Root(0), "discoveryRequired", Row::Normal),
    (Code::Root(1), "invalidRevision", Row::Normal),
    (Code::Root(2), "invalidCallSignalAddress", Row::Normal),
    (Code::Root(3), "invalidRASAddress", Row::Normal),
    (Code::Root(4), "duplicateAlias", Row::Second),
    (Code::Root(5), "invalidTerminalType", Row::Normal),
    (Code::Root(6), "undefinedReason", Row::Second),
    (Code::Root(7), "transportNotSupported", Row::Normal),
    (Code::Extension(0), "transportQOSNotSupported", Row::Normal),
    (Code::Extension(1), "resourceUnavailable", Row::Normal),
    (Code::Extension(2), "invalidAlias", Row::Refused),
    (Code::Extension(3), "securityDenial", Row::Refused),
    (Code::Extension(4), "fullRegistrationRequired", Row::Normal),
    (Code::Extension(5), "additiveRegistrationNotSupported", Row::Normal),
    (Code::Extension(6), "invalidTerminalAliases", Row::Refused),
    (Code::Extension(7), "genericDataReason", Row::Normal),
    (Code::Extension(8), "neededFeatureNotSupported", Row::Normal),
    (Code::Extension(9), "securityError", Row::Refused),
    (Code::Extension(10), "registerWithAssignedGK", Row::Normal),
    (Code::Extension(11), "reason 11", Row::Normal),
];

/// GatekeeperRejectReason likewise.
const GATEKEEPER_REJECT: [(Code, &str, Row); 9] = [
    (Code::Root(0), "resourceUnavailable", Row::Normal),
    (Code::Root(1), "terminalExcluded", Row::Refused),
    (Code::Root(2), "invalidRevision", Row::Normal),
    (Code::Root(3), "undefinedReason", Row::Second),
    (Code::Extension(0), "securityDenial", Row::Refused),
    (Code::Extension(1), "genericDataReason", Row::Normal),
    (Code::Extension(2), "neededFeatureNotSupported", Row::Normal),
    (Code::Extension(3), "securityError", Row::Refused),
    (Code::Extension(4), "reason 4", Row::Normal),
];

/// ReleaseCompleteReason likewise.
const RELEASE_COMPLETE: [(Code, &str, Row); 26] = [
    (Code::Root(0), "noBandwidth", Row::Normal),
    (Code::Root(1), "gatekeeperResources", Row::Normal),
    (Code::Root(2), "unreachableDestination", Row::Normal),
    (Code::Root(3), "destinationRejection", Row::Normal),
    (Code::Root(4), "invalidRevision", Row::Normal),
    (Code::Root(5), "noPermission", Row::RefusedBefore),
    (Code::Root(6), "unreachableGatekeeper", Row::Normal),
    (Code::Root(7), "gatewayResources", Row::Normal),
    (Code::Root(8), "badFormatAddress", Row::Normal),
    (Code::Root(9), "adaptiveBusy", Row::Normal),
    (Code::Root(10), "inConf", Row::Normal),
    (Code::Root(11), "undefinedReason", Row::Normal),
    (Code::Extension(0), "facilityCallDeflection", Row::Normal),
    (Code::Extension(1), "securityDenied", Row::RefusedBefore),
    (Code::Extension(2), "calledPartyNotRegistered", Row::Normal),
    (Code::Extension(3), "callerNotRegistered", Row::RefusedBefore),
    (Code::Extension(4), "newConnectionNeeded", Row::Normal),
    (Code::Extension(5), "nonStandardReason", Row::Normal),
    (Code::Extension(6), "replaceWithConferenceInvite", Row::Normal),
    (Code::Extension(7), "genericDataReason", Row::Normal),
    (Code::Extension(8), "neededFeatureNotSupported", Row::Normal),
    (Code::Extension(9), "tunnelledSignallingRejected", Row::Normal),
    (Code::Extension(10), "invalidCID", Row::Normal),
    (Code::Extension(11), "securityError", Row::RefusedBefore),
    (Code::Extension(12), "hopCountExceeded", Row::Normal),
    (Code::Extension(13), "reason 13", Row::Normal),
];

#[test]
fn every_reason_has_its_verdict() {
    for (code, name, row) in REGISTRATION_REJECT {
        check(&rrj(code, &[]), &format!("RRJ {name}"), row);
    }
    for (code, name, row) in GATEKEEPER_REJECT {
        check(&grj(code, &[]), &format!("GRJ {name}"), row);
    }
    for (code, name, row) in RELEASE_COMPLETE {
        check(&release(Some(code)), &format!("ReleaseComplete {name}"), row);
    }
    check(&release(None), "ReleaseComplete", Row::Normal);
    check(&q931(0x5a, &[]), "ReleaseComplete", Row::Normal);
    check(&support::corpus_file("gcf"), "GCF", Row::Normal);
}

#[test]
fn a_redirection_is_normal_whatever_its_reason() {
    for (code, name, _) in REGISTRATION_REJECT {
        check(&rrj(code, &[ALT_GK_INFO]), &format!("RRJ {name}, to another gatekeeper"), Row::Normal);
        check(&rrj(code, &[ASSIGNED_GATEKEEPER]), &format!("RRJ {name}, to another gatekeeper"), Row::Normal);
    }
    for (code, name, _) in GATEKEEPER_REJECT {
        check(&grj(code, &[ALT_GK_INFO]), &format!("GRJ {name}, to another gatekeeper"), Row::Normal);
    }
}

#[test]
fn a_gatekeeper_reject_has_no_assigned_gatekeeper() {
    check(&grj(Code::Root(1), &[ASSIGNED_GATEKEEPER]), "GRJ terminalExcluded", Row::Refused);
}

#[test]
fn tokens_make_a_challenge_of_a_security_denial_and_of_nothing_else() {
    for tokens in [TOKENS, CRYPTO_TOKENS] {
        for (code, name, row) in REGISTRATION_REJECT {
            let row = if name == "securityDenial" { Row::Normal } else { row };
            check(&rrj(code, &[tokens]), &format!("RRJ {name}, with a challenge"), row);
        }
        for (code, name, row) in GATEKEEPER_REJECT {
            let row = if name == "securityDenial" { Row::Normal } else { row };
            check(&grj(code, &[tokens]), &format!("GRJ {name}, with a challenge"), row);
        }
    }
}

#[test]
fn what_is_normal_once_is_counted_together() {
    let duplicate_alias = rrj(Code::Root(4), &[]);
    let undefined = [rrj(Code::Root(6), &[]), grj(Code::Root(3), &[])];
    for first in undefined.iter().chain([&duplicate_alias]) {
        for second in undefined.iter().chain([&duplicate_alias]) {
            let mut verdicts = Verdicts::new();
            assert_eq!(judge(&mut verdicts, first), Verdict::Normal);
            assert_eq!(judge(&mut verdicts, second), Verdict::Refused);
            assert_eq!(judge(&mut verdicts, first), Verdict::Refused);
        }
    }
}

#[test]
fn a_redirection_is_not_the_one_time_that_is_normal() {
    let mut verdicts = Verdicts::new();
    assert_eq!(judge(&mut verdicts, &rrj(Code::Root(6), &[ALT_GK_INFO])), Verdict::Normal);
    assert_eq!(judge(&mut verdicts, &rrj(Code::Root(6), &[])), Verdict::Normal);
    assert_eq!(judge(&mut verdicts, &rrj(Code::Root(6), &[])), Verdict::Refused);
}

#[test]
fn each_confirmation_is_a_success_and_only_a_registration_registers() {
    let mut verdicts = Verdicts::new();
    for answer in ["gcf", "rrj_fullRegistrationRequired", "rrj_securityDenial", "release_complete"] {
        judge(&mut verdicts, &support::corpus_file(answer));
        assert!(!verdicts.is_registered(), "{answer}");
    }
    for _ in 0..2 {
        assert_eq!(judge(&mut verdicts, &support::corpus_file("rcf")), Verdict::Success);
        assert!(verdicts.is_registered());
    }
    // A registration that is lost later does not undo what was proved.
    assert_eq!(judge(&mut verdicts, &support::corpus_file("rrj_securityDenial")), Verdict::Refused);
    assert!(verdicts.is_registered());
}

#[test]
fn every_verdict_of_the_corpus_is_right() {
    let mut judged = 0;
    for case in corpus().iter().filter(|case| is_answer(case)) {
        let expected = &case.expected["expected"];
        let expected = expected["ras"][0].get("verdict").or_else(|| expected.get("verdict"));
        let expected = match expected.and_then(|verdict| verdict.as_str()) {
            Some("success") => [Verdict::Success; 2],
            Some("normal") => [Verdict::Normal; 2],
            Some("refused") => [Verdict::Refused; 2],
            Some("second") => [Verdict::Normal, Verdict::Refused],
            other => panic!("{}: {other:?}", case.name),
        };
        let mut verdicts = Verdicts::new();
        let said = [judge(&mut verdicts, &case.bytes), judge(&mut verdicts, &case.bytes)];
        assert_eq!(said, expected, "{}", case.name);
        judged += 1;
    }
    assert_eq!(judged, 14);
}

/// The first and second time on a connection, and both once the client is registered.
fn check(frame: &[u8], told: &str, row: Row) {
    let (before, after) = match row {
        Row::Normal => ([Verdict::Normal; 2], [Verdict::Normal; 2]),
        Row::Refused => ([Verdict::Refused; 2], [Verdict::Refused; 2]),
        Row::Second => ([Verdict::Normal, Verdict::Refused], [Verdict::Normal, Verdict::Refused]),
        Row::RefusedBefore => ([Verdict::Refused; 2], [Verdict::Normal; 2]),
    };
    assert_eq!(Answer::parse(frame).expect("an answer").to_string(), told);
    let mut fresh = Verdicts::new();
    assert_eq!([judge(&mut fresh, frame), judge(&mut fresh, frame)], before, "{told}");
    let mut registered = Verdicts::new();
    judge(&mut registered, &support::corpus_file("rcf"));
    assert_eq!([judge(&mut registered, frame), judge(&mut registered, frame)], after, "{told}, registered");
    assert!(!fresh.is_registered() && registered.is_registered());
}

fn judge(verdicts: &mut Verdicts, frame: &[u8]) -> Verdict {
    let answer = Answer::parse(frame).expect("an answer");
    assert!(answer.kind != AnswerKind::RegistrationConfirm || answer.time_to_live == Some(300));
    verdicts.judge(&answer)
}

/// An alternative of a CHOICE.
#[derive(Clone, Copy)]
enum Code {
    Root(u32),
    Extension(u32),
}

const ALT_GK_INFO: usize = 0;
const TOKENS: usize = 1;
const CRYPTO_TOKENS: usize = 2;
const ASSIGNED_GATEKEEPER: usize = 6;

fn rrj(reason: Code, additions: &[usize]) -> Vec<u8> {
    let per = reject_head(5, additions);
    let per = match reason {
        Code::Root(4) => per.bits(4, 4).length(0),
        _ => choice(per, reason, 3),
    };
    tunnel(&[with_additions(per, additions)])
}

fn grj(reason: Code, additions: &[usize]) -> Vec<u8> {
    let per = reject_head(2, additions);
    tunnel(&[with_additions(choice(per, reason, 2), additions)])
}

fn release(reason: Option<Code>) -> Vec<u8> {
    let per = Per::new().bits(0, 4).bits(5, 4).bits(0, 1).bits(u32::from(reason.is_some()), 1);
    let per = per.string(PROTOCOL);
    let per = reason.map_or(per.clone(), |reason| choice(per, reason, 4));
    q931(0x5a, &user_user(&per.build()))
}

/// A RAS message with requestSeqNum and protocolIdentifier. Of the two bits for OPTIONAL fields that both
/// rejects have, none is set.
fn reject_head(index: u32, additions: &[usize]) -> Per {
    let per = Per::new().bits(index, 6).bits(u32::from(!additions.is_empty()), 1).bits(0, 2);
    per.number16(0).string(PROTOCOL)
}

fn choice(per: Per, code: Code, root_bits: u32) -> Per {
    match code {
        Code::Root(index) => per.bits(index, root_bits + 1),
        Code::Extension(number) => per.bits(1, 1).bits(number, 7).string(&[0]),
    }
}

fn with_additions(per: Per, additions: &[usize]) -> Vec<u8> {
    if additions.is_empty() {
        return per.build();
    }
    let present: Vec<bool> = (0..7).map(|number| additions.contains(&number)).collect();
    per.additions(&present).times(additions.len(), |per| per.string(&[0])).build()
}
