//! Every message of the corpus, made by an independent encoder, with what it says beside it.

mod support;

use rp_h323::{Alias, Answer, AnswerKind, Error, Key, Kind, Name, Reason, Text, UTF8_MAX, extract};
use serde_json::Value;
use support::corpus;

/// What the extractor says of messages without a key. Answers of a service cannot come first on a
/// connection from a client.
const NO_KEY: &[(&str, Option<Reason>)] = &[
    ("facility_empty", None),
    ("facility_generic_24", None),
    ("facility_no_generic", None),
    ("gcf", Some(Reason::OtherRas)),
    ("grj_altgk", Some(Reason::OtherRas)),
    ("grj_terminalExcluded", Some(Reason::OtherRas)),
    ("keepalive_empty_tpkt", None),
    ("rcf", Some(Reason::OtherRas)),
    ("release_complete", Some(Reason::MessageType)),
    ("release_complete_to_caller", Some(Reason::MessageType)),
    ("rrj_altgk_resourceUnavailable", Some(Reason::OtherRas)),
    ("rrj_altgk_securityDenial", Some(Reason::OtherRas)),
    ("rrj_assignedgk", Some(Reason::OtherRas)),
    ("rrj_challenge", Some(Reason::OtherRas)),
    ("rrj_discoveryRequired", Some(Reason::OtherRas)),
    ("rrj_duplicateAlias", Some(Reason::OtherRas)),
    ("rrj_fullRegistrationRequired", Some(Reason::OtherRas)),
    ("rrj_securityDenial", Some(Reason::OtherRas)),
    ("urq", Some(Reason::OtherRas)),
];

#[test]
fn every_message_has_the_key_that_is_expected_of_it() {
    let cases = corpus();
    assert_eq!(cases.len(), 73);
    let mut keys = 0;
    for case in &cases {
        let expected = &case.expected["expected"];
        if let Some((_, refused)) = NO_KEY.iter().find(|(name, _)| *name == case.name) {
            match (extract(&case.bytes), refused) {
                (Err(Error::Incomplete(n)), None) => assert_eq!(n.get(), 1, "{}", case.name),
                (Err(Error::Invalid(invalid)), Some(reason)) => assert_eq!(invalid.reason, *reason),
                (other, _) => panic!("{}: {other:?}", case.name),
            }
            continue;
        }
        let key = extract(&case.bytes).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        assert_eq!(key.len, case.bytes.len(), "{}", case.name);
        assert_eq!(usize::from(key.skipped) + 1, case.expected["tpkts"], "{}", case.name);
        assert_eq!(u64::from(key.call_reference), expected["call_reference"], "{}", case.name);
        check_name(&case.name, &key, expected);
        match key.kind {
            Kind::Setup => check_call(&case.name, &key, expected),
            _ => check_registrations(&case.name, &key, expected),
        }
        keys += 1;
    }
    assert_eq!(keys, 54);
}

fn check_name(case: &str, key: &Key<'_>, expected: &Value) {
    let is_surrogate = case.contains("surrogate");
    match (key.name, expected["routing"].as_str().unwrap(), &expected["route_name"]) {
        (Name::Given(name), "registration" | "call", Value::String(wanted)) => {
            assert_eq!(string(&name).as_deref(), Some(wanted.as_str()), "{case}");
            assert!(name.eq_ignore_ascii_case(&wanted.to_uppercase()) || !wanted.is_ascii(), "{case}");
        }
        (Name::Missing, "registration", Value::Null) if !is_surrogate => {}
        (Name::Missing, "none", Value::Null) => assert_eq!(key.kind, Kind::Setup, "{case}"),
        (Name::Unusable, "refuse", _) => {}
        other => panic!("{case}: {other:?}"),
    }
}

fn check_registrations(case: &str, key: &Key<'_>, expected: &Value) {
    let requests: Vec<Key<'_>> = key.requests().collect();
    let messages = expected["ras"].as_array().unwrap();
    assert_eq!(requests.len(), messages.len(), "{case}");
    for (request, expected) in requests.iter().zip(messages) {
        assert_eq!(request.kind.to_string(), expected["kind"], "{case}");
        assert_eq!(u64::from(request.request_seq_num), expected["request_seq_num"], "{case}");
        assert_eq!(request.version.map(u64::from), expected["protocol_version"].as_u64(), "{case}");
        check_text(case, request.gatekeeper_id, &expected["gatekeeper_id"]);
        check_text(case, request.endpoint_identifier(), &expected["endpoint_identifier"]);
        assert_eq!(request.keep_alive(), expected["keep_alive"].as_bool().unwrap_or(false), "{case}");
        check_aliases(case, request, expected["aliases"].as_array().unwrap());
        assert_eq!((request.len, request.skipped), (key.len, key.skipped), "{case}");
    }
    assert_eq!(requests.first().map(support::describe), Some(support::describe(key)), "{case}");
    assert_eq!((key.called_user().is_none(), key.call_identifier()), (true, None), "{case}");
}

fn check_call(case: &str, key: &Key<'_>, expected: &Value) {
    check_aliases(case, key, expected["called"].as_array().unwrap());
    assert_eq!(key.version.map(u64::from), expected["protocol_version"].as_u64(), "{case}");
    assert_eq!(key.call_identifier(), Some([0x33; 16]), "{case}");
    if let Value::String(user) = &expected["called_key"]["user"] {
        assert_eq!(key.called_user().and_then(|user| string(&user)).as_ref(), Some(user), "{case}");
    }
    assert_eq!(key.requests().count(), 1, "{case}");
    assert_eq!(
        (key.request_seq_num, key.keep_alive(), key.endpoint_identifier().is_none()),
        (0, false, true)
    );
}

fn check_aliases(case: &str, key: &Key<'_>, expected: &[Value]) {
    let aliases: Vec<Alias<'_>> = key.aliases().collect();
    assert_eq!(aliases.len(), expected.len(), "{case}");
    for (alias, expected) in aliases.iter().zip(expected) {
        let (kind, text) = match alias {
            Alias::DialedDigits(text) => ("dialedDigits", Some(*text)),
            Alias::H323Id(text) => ("h323-ID", Some(*text)),
            Alias::UrlId(text) => ("url-ID", Some(*text)),
            Alias::EmailId(text) => ("email-ID", Some(*text)),
            Alias::Other(1) => ("transportID", None),
            Alias::Other(3) => ("partyNumber", None),
            Alias::Other(4) => ("mobileUIM", None),
            Alias::Other(5) => ("isupNumber", None),
            Alias::Other(number) => panic!("{case}: alias of type {number}"),
        };
        assert_eq!(kind, expected["type"], "{case}");
        check_text(case, text, &expected["value"]);
    }
}

fn check_text(case: &str, text: Option<Text<'_>>, expected: &Value) {
    assert_eq!(text.and_then(|text| string(&text)).as_deref(), expected.as_str(), "{case}");
    if let Some(text) = text {
        assert_eq!(text.chars().collect::<String>(), expected.as_str().unwrap_or_default(), "{case}");
    }
}

fn string(text: &Text<'_>) -> Option<String> {
    text.to_str(&mut [0; UTF8_MAX]).map(str::to_owned)
}

#[test]
fn every_answer_says_what_is_expected_of_it() {
    let mut answers = 0;
    for case in corpus().into_iter().filter(support::is_answer) {
        let expected = &case.expected["expected"];
        let answer = Answer::parse(&case.bytes).unwrap();
        assert_eq!(answer.len, case.bytes.len(), "{}", case.name);
        assert_eq!(u64::from(answer.call_reference), expected["call_reference"], "{}", case.name);
        let ras = &expected["ras"][0];
        let (kind, reason) = match answer.kind {
            AnswerKind::GatekeeperConfirm => ("GCF", None),
            AnswerKind::GatekeeperReject(reason) => ("GRJ", reason.name()),
            AnswerKind::RegistrationConfirm => ("RCF", None),
            AnswerKind::RegistrationReject(reason) => ("RRJ", reason.name()),
            AnswerKind::ReleaseComplete(reason) => ("releaseComplete", reason.unwrap().name()),
            other => panic!("{other:?}"),
        };
        assert_eq!(kind, expected["kind"], "{}", case.name);
        if kind != "releaseComplete" {
            assert_eq!(reason, ras["reject_reason"].as_str(), "{}", case.name);
            assert_eq!(u64::from(answer.request_seq_num), ras["request_seq_num"], "{}", case.name);
            check_text(&case.name, answer.gatekeeper_id, &ras["gatekeeper_id"]);
            check_text(&case.name, answer.endpoint_id, &ras["endpoint_identifier"]);
        }
        let redirects = case.name.contains("altgk") || case.name.contains("assignedgk");
        assert_eq!((answer.redirects, answer.challenges), (redirects, case.name == "rrj_challenge"));
        assert_eq!(answer.time_to_live, (case.name == "rcf").then_some(300));
        answers += 1;
    }
    assert_eq!(answers, 14);
}

#[test]
fn a_decoy_is_never_the_name() {
    for case in corpus() {
        if let Ok(key) = extract(&case.bytes)
            && let Name::Given(name) = key.name
        {
            assert!(!name.to_string().contains("decoy"), "{}", case.name);
            assert!(!name.to_string().contains("example.net"), "{}", case.name);
        }
    }
}

#[test]
fn a_key_is_told_in_one_line() {
    let told = |name| extract(&support::corpus_file(name)).unwrap().to_string();
    assert_eq!(told("rrq_v7_gkid"), "RRQ for example.com, request 1, alias hq 4711");
    assert_eq!(told("grq_v7_no_gkid"), "GRQ for (no name), request 1, alias hq");
    assert_eq!(told("setup_url"), "Setup for example.com, call 0x1234, alias h323:hq@example.com");
    assert_eq!(told("setup_empty_domain"), "Setup for (unusable name), call 0x1234, alias hq@");
}

#[test]
fn an_answer_is_told_in_words() {
    let told = |name| Answer::parse(&support::corpus_file(name)).unwrap().to_string();
    assert_eq!(told("rcf"), "RCF, registered as ep1, for 300 s");
    assert_eq!(told("rrj_securityDenial"), "RRJ securityDenial");
    assert_eq!(told("rrj_challenge"), "RRJ securityDenial, with a challenge");
    assert_eq!(told("rrj_assignedgk"), "RRJ registerWithAssignedGK, to another gatekeeper");
    assert_eq!(told("release_complete"), "ReleaseComplete securityDenied");
}
