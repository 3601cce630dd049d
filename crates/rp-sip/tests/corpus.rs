//! Every case of the corpus through `extract`, whole and on every prefix.

mod common;

use common::{cases, decide, endless_head, first_message, latin1, unescape};
use rp_sip::{Error, Key, Limits, Reason, extract, extract_within};
use rp_testkit::{corpus::Case, laws};
use serde_json::{Value, json};

#[test]
fn every_case_is_decided_as_said() {
    let mut keys = 0;
    let cases = cases();
    for case in &cases {
        let expected = &case.expected["extract"];
        let result = extract(&case.bytes);
        match (expected["result"].as_str(), case.expected["verdict"] == "either") {
            (Some("key"), refusable) => match result {
                Ok(key) => {
                    assert_fields(case, &key);
                    keys += 1;
                }
                Err(Error::Invalid(_)) if refusable => {}
                Err(error) => panic!("{}: {error:?}", case.name),
            },
            (Some("invalid"), _) => {
                let Err(Error::Invalid(invalid)) = result else { panic!("{}: {result:?}", case.name) };
                assert_class(case, invalid.reason);
            }
            (Some("incomplete"), _) => {
                assert!(matches!(result, Err(Error::Incomplete(_))), "{}: {result:?}", case.name);
            }
            // The cases that go to the phone say nothing of `extract`; they are sound requests and
            // responses all the same.
            (None, _) => match result {
                Ok(key) => assert_fields(case, &key),
                Err(Error::Invalid(invalid)) => assert_eq!(invalid.reason, Reason::Response, "{}", case.name),
                Err(error) => panic!("{}: {error:?}", case.name),
            },
            other => panic!("{}: {other:?}", case.name),
        }
    }
    assert_eq!(cases.len(), 215);
    assert!(keys >= 125, "{keys}");
}

#[test]
fn every_case_is_decided_in_time() {
    for case in cases() {
        let expected = &case.expected["extract"];
        let decided = |len: usize| !decide(&case.bytes[..len]).is_open();
        if let Some(at) = expected["at"].as_u64().map(|at| usize::try_from(at).unwrap()) {
            assert!(decided(at), "{}: not decided at {at}", case.name);
            assert!(!decided(at - 1), "{}: decided before {at}", case.name);
        }
        if let Some(by) = expected["by"].as_u64() {
            for len in usize::try_from(by).unwrap()..=case.bytes.len() {
                let result = extract(&case.bytes[..len]);
                assert!(matches!(result, Err(Error::Invalid(_))), "{} at {len}: {result:?}", case.name);
            }
        }
    }
}

#[test]
fn every_case_keeps_the_laws() {
    for case in cases() {
        laws::check(&case.bytes, decide);
    }
}

#[test]
fn a_head_without_end_is_refused_at_the_limit() {
    let input = endless_head();
    assert!(matches!(extract(&input[..Limits::MAX_HEAD - 1]), Err(Error::Incomplete(_))));
    for len in [Limits::MAX_HEAD, Limits::MAX_HEAD + 1, input.len()] {
        let Err(Error::Invalid(invalid)) = extract(&input[..len]) else { panic!("{len}") };
        assert_eq!((invalid.reason, invalid.offset), (Reason::HeadTooLarge, Limits::MAX_HEAD));
    }
    laws::check(&input, decide);
}

#[test]
fn a_limit_of_the_caller_holds_to_the_octet() {
    let case = cases().into_iter().find(|case| case.name == "phone-yealink-register-auth").unwrap();
    let mut input = b"\r\n\r\n".to_vec();
    input.extend_from_slice(&case.bytes);
    let limits = |head| Limits { head, ..Limits::default() };
    assert!(extract_within(&input, &limits(824)).is_ok());
    let Err(Error::Invalid(invalid)) = extract_within(&input, &limits(823)) else { panic!() };
    assert_eq!((invalid.reason, invalid.offset), (Reason::HeadTooLarge, 4 + 823));
    assert!(matches!(extract_within(&input[..4 + 822], &limits(823)), Err(Error::Incomplete(_))));

    let case = cases().into_iter().find(|case| case.name == "phone-pjsua-invite-auth").unwrap();
    let limits = |body| Limits { body, ..Limits::default() };
    assert!(extract_within(&case.bytes, &limits(236)).is_ok());
    let Err(Error::Invalid(invalid)) = extract_within(&case.bytes, &limits(235)) else { panic!() };
    assert_eq!(invalid.reason, Reason::BodyTooLarge);
}

fn assert_fields(case: &Case, key: &Key<'_>) {
    let message = first_message(case).unwrap_or_else(|| panic!("{}: a key, but no message", case.name));
    let text = |octets: Option<&[u8]>| octets.map(latin1);
    let found = json!({
        "method": key.method,
        "head_len": key.head_len,
        "body_len": key.body_len,
        "offset": key.start,
        "from": {
            "scheme": format!("{:?}", key.from.scheme).to_lowercase(),
            "user": text(key.from.user),
            "user_decoded": key.from.user.map(|user| latin1(&unescape(user))),
            "host": key.from.host,
            "domain": key.from.domain().to_lowercase(),
            "port": key.from.port,
        },
        "to": {
            "user": text(key.to.user),
            "user_decoded": key.to.user.map(|user| latin1(&unescape(user))),
            "tag": key.to.tag.is_some(),
        },
        "via_branch": text(key.branch),
        "cseq": [latin1(key.cseq.number), latin1(key.cseq.method)],
        "call_id": latin1(key.call_id),
        "authorization": key.credentials,
    });
    for (field, found) in found.as_object().unwrap() {
        assert_eq!(found, &message[field], "{}: {field}", case.name);
    }
    assert_spans(case, key, message);
    if let Some(user) = key.from.user.map(unescape).and_then(|user| String::from_utf8(user).ok()) {
        assert!(key.user_is(&user), "{}: user_is {user:?}", case.name);
        assert!(!key.user_is(&format!("{user}x")) && !key.user_is(""), "{}", case.name);
    }
}

/// The spans begin and end at line ends, and the lines in them are those of the values.
fn assert_spans(case: &Case, key: &Key<'_>, message: &Value) {
    for (span, field) in [(key.route, "routes"), (key.record_route, "record_routes")] {
        assert_eq!(span.is_some(), message[field].is_array(), "{}: {field}", case.name);
        let Some(span) = span else { continue };
        let lines = span.of(&case.bytes);
        assert!(case.bytes[..span.start].ends_with(b"\r\n") && lines.ends_with(b"\r\n"), "{}", case.name);
        assert!(!matches!(case.bytes[span.end], b' ' | b'\t'), "{}: a fold is cut off", case.name);
        let values: Vec<&str> =
            message[field].as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect();
        let lines = latin1(lines).replace("\r\n ", " ");
        assert!(lines.contains(values[0]), "{}: {lines}", case.name);
        if field == "record_routes" {
            let last = values.last().unwrap();
            assert!(lines.trim_end().ends_with(last), "{}: {lines} {last}", case.name);
        }
    }
}

/// The class of the corpus is a hint of the cause; the answer must be the one for it.
fn assert_class(case: &Case, reason: Reason) {
    let class = case.expected["extract"]["class"].as_str().unwrap();
    let fits = match class {
        "bad_version" => reason == Reason::Version,
        "head_too_large" => reason == Reason::HeadTooLarge,
        "body_too_large" => reason == Reason::BodyTooLarge,
        "response" => reason == Reason::Response,
        "no_domain" => reason == Reason::NoDomain,
        "unsupported_scheme" => reason == Reason::UnsupportedScheme,
        "bad_from" => reason == Reason::BadFrom,
        "bad_to" => reason == Reason::BadTo,
        "bad_cseq" => reason == Reason::BadCSeq,
        "bad_content_length" => reason == Reason::BadContentLength,
        "bad_header" => matches!(reason, Reason::HeaderName | Reason::StartLine),
        "bad_start_line" => matches!(reason, Reason::StartLine | Reason::Response),
        // Whatever rules a TLS handshake out.
        "bare_cr_lf" => matches!(reason, Reason::LineEnd | Reason::StartLine),
        _ if class.starts_with("missing_") => matches!(reason, Reason::Missing(_)),
        _ if class.starts_with("duplicate_") => matches!(reason, Reason::Repeated(_)),
        _ => panic!("{}: class {class}", case.name),
    };
    assert!(fits, "{}: {class}, not {reason:?}", case.name);
}
