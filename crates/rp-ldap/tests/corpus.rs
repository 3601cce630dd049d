//! Every case of the corpus through the readers, and every frame of the captured connections.

mod support;

use rp_ldap::{Answer, Auth, Bind, Error, Form, Key, Reason, Request, Tag, answer, extract};
use rp_testkit::laws;
use serde_json::Value;

#[test]
fn every_request_is_read_as_expected() {
    for case in support::corpus(false) {
        let read = extract(&case.bytes);
        let seen = describe(read, &case.bytes);
        check(&case.name, &case.expected, &seen);
        if let (Err(Error::Incomplete(n)), Some(need)) = (read, case.expected["expect"]["need"].as_u64()) {
            assert!(
                case.bytes.len() + n.get() <= usize::try_from(need).unwrap(),
                "{}: asks for too much",
                case.name
            );
        }
    }
}

#[test]
fn every_answer_is_read_as_expected() {
    for case in support::corpus(true) {
        let seen = describe_answer(&answer(&case.bytes).unwrap_or_else(|e| panic!("{}: {e}", case.name)));
        check(&case.name, &case.expected, &seen);
    }
}

#[test]
fn every_frame_of_a_captured_connection_is_found() {
    let mut frames = 0;
    for (of_service, case) in
        [false, true].into_iter().flat_map(|side| support::corpus(side).into_iter().map(move |c| (side, c)))
    {
        let Some(listed) = case.expected["frames"].as_array() else { continue };
        let mut at = 0;
        for frame in listed {
            let rest = &case.bytes[at..];
            let length = usize::try_from(frame["len"].as_u64().unwrap()).unwrap();
            if frame["kind"] == "opaque" {
                // A SASL security layer begins with a length, not with `30`.
                assert_eq!(reason(extract(rest).unwrap_err()), Reason::NotLdap, "{}", case.name);
                assert_eq!(reason(answer(rest).unwrap_err()), Reason::NotLdap, "{}", case.name);
            } else {
                let (id, frame_len, tag) = if of_service {
                    let answer = answer(rest).unwrap();
                    (answer.message_id, answer.frame_len, answer.operation)
                } else {
                    let key = extract(rest).unwrap();
                    (key.message_id, key.frame_len, key.operation())
                };
                assert_eq!((id.into(), frame_len), (frame["message_id"].as_i64().unwrap(), length));
                assert_eq!(Some(name(tag)), frame["op"].as_str(), "{}", case.name);
            }
            at += length;
            frames += 1;
        }
        assert_eq!(at, case.bytes.len(), "{}", case.name);
    }
    assert_eq!(frames, 48);
}

#[test]
fn every_case_keeps_the_laws() {
    for case in support::corpus(false) {
        laws::check(&case.bytes, support::extract);
    }
    for case in support::corpus(true) {
        laws::check(&case.bytes, support::answer);
    }
}

#[test]
fn every_case_in_long_form_reads_the_same() {
    for case in support::corpus(false) {
        let Ok(short) = extract(&case.bytes) else { continue };
        let octets = support::long_form(&case.bytes[..short.frame_len]);
        let long = extract(&octets).unwrap_or_else(|e| panic!("{}: {e}", case.name));
        assert_eq!(long.frame_len, octets.len(), "{}", case.name);
        assert_eq!(Key { frame_len: short.frame_len, ..long }, short, "{}", case.name);
    }
    for case in support::corpus(true) {
        let short = answer(&case.bytes).unwrap();
        let octets = support::long_form(&case.bytes[..short.frame_len]);
        let long = answer(&octets).unwrap();
        assert_eq!(Answer { frame_len: short.frame_len, ..long }, short, "{}", case.name);
        assert_eq!(long.frame_len, octets.len());
    }
}

/// Each key of `expect` must be seen. This reader needs none of the other readings in `also_ok`.
fn check(name: &str, expected: &Value, seen: &Value) {
    for (key, value) in expected["expect"].as_object().expect("an object") {
        let same = match key.as_str() {
            // For information, or checked elsewhere.
            "need" | "rest" | "controls" | "counts_suspicious" | "rebind" => true,
            "domain" => lower(value) == lower(&seen["domain"]),
            "oid" if seen["kind"] == "extended_response" => true,
            _ => *value == seen[key],
        };
        assert!(same, "{name}: {key} is {}, not {value}", seen[key]);
    }
}

fn lower(value: &Value) -> Option<String> {
    value.as_str().map(str::to_ascii_lowercase)
}

fn describe(read: Result<Key<'_>, Error>, octets: &[u8]) -> Value {
    let mut seen = serde_json::json!({});
    let key = match read {
        Ok(key) => key,
        Err(Error::Incomplete(_)) => {
            seen["kind"] = "incomplete".into();
            return seen;
        }
        Err(error) => {
            seen["kind"] = "error".into();
            seen["error"] = match reason(error) {
                Reason::NotLdap => "not_ldap",
                Reason::LengthForm => "length_form",
                Reason::TooLarge => "too_large",
                Reason::MessageId => "message_id",
                Reason::Structure => "structure",
                _ => "new",
            }
            .into();
            return seen;
        }
    };
    seen["message_id"] = key.message_id.into();
    seen["frame_len"] = key.frame_len.into();
    assert!(key.frame_len <= octets.len());
    match key.request {
        Request::Bind(bind) => describe_bind(&mut seen, &bind),
        Request::Unbind => seen["kind"] = "unbind".into(),
        Request::Search => seen["kind"] = "search".into(),
        Request::Abandon { message_id } => {
            seen["kind"] = "abandon".into();
            seen["abandons"] = message_id.into();
        }
        Request::Extended { oid } => {
            seen["kind"] = "extended".into();
            seen["oid"] = text(oid);
        }
        Request::Other(_) => seen["kind"] = "other".into(),
    }
    seen
}

fn describe_bind(seen: &mut Value, bind: &Bind<'_>) {
    seen["kind"] = "bind".into();
    seen["version"] = bind.version.into();
    seen["bind_name"] = text(bind.name);
    seen["bind_name_hex"] = bind.name.iter().map(|octet| format!("{octet:02x}")).collect::<String>().into();
    seen["domain"] = bind.domain.text(&mut [0; 253]).into();
    seen["domain_form"] = match bind.domain.form {
        Form::Backslash => "backslash",
        Form::Dn => "dn",
        Form::Upn => "upn",
        Form::Anonymous => "anonymous",
        Form::None => "none",
    }
    .into();
    match bind.auth {
        Auth::Simple { .. } => seen["auth"] = "simple".into(),
        Auth::Sasl { mechanism } => {
            seen["auth"] = "sasl".into();
            seen["sasl_mechanism"] = text(mechanism);
        }
        Auth::Other(number) => seen["auth"] = format!("other:{number}").into(),
    }
}

fn describe_answer(answer: &Answer<'_>) -> Value {
    serde_json::json!({
        "kind": match answer.operation {
            Tag::BIND_RESPONSE => "bind_response",
            Tag::SEARCH_RESULT_DONE => "search_done",
            Tag::SEARCH_RESULT_ENTRY => "search_entry",
            Tag::EXTENDED_RESPONSE => "extended_response",
            Tag::INTERMEDIATE_RESPONSE => "intermediate",
            _ => "other",
        },
        "message_id": answer.message_id,
        "frame_len": answer.frame_len,
        "result": answer.result.map(|result| result.code.0),
    })
}

/// Null if it is not UTF-8.
fn text(octets: &[u8]) -> Value {
    std::str::from_utf8(octets).ok().into()
}

fn reason(error: Error) -> Reason {
    match error {
        Error::Invalid(invalid) => invalid.reason,
        Error::Incomplete(n) => panic!("{n} octets more are asked for"),
    }
}

fn name(tag: Tag) -> &'static str {
    match tag {
        Tag::BIND_REQUEST => "bindRequest",
        Tag::BIND_RESPONSE => "bindResponse",
        Tag::SEARCH_REQUEST => "searchRequest",
        Tag::SEARCH_RESULT_ENTRY => "searchResEntry",
        Tag::SEARCH_RESULT_DONE => "searchResDone",
        Tag::UNBIND_REQUEST => "unbindRequest",
        _ => "other",
    }
}
