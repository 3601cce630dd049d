//! What rsip and sipx-sip read from the same octets.

mod common;

use common::{cases, first_message, latin1, oracle};
use rp_sip::{Error, extract};
use rp_testkit::corpus::Case;
use rsip::{headers::ToTypedHeader, message::HeadersExt};
use sipx_sip::headers::{CSeq, CallId, From, To, Via};

/// Method, user and domain, the domain in lower case without a trailing dot.
type Identity = (String, Option<String>, String);

#[test]
fn rsip_reads_the_same_identity_where_it_can() {
    let names = oracle("rsip-key");
    let mut keys = 0;
    for case in cases().iter().filter(|case| names.contains(&case.name.as_str())) {
        let theirs = rsip_identity(&case.bytes).unwrap_or_else(|| panic!("{}: rsip refuses", case.name));
        assert_eq!(Some(&theirs), demanded(case).as_ref(), "{}", case.name);
        if let Ok(key) = extract(&case.bytes) {
            let user = key.from.user.map(latin1);
            assert_eq!(theirs, (key.method.into(), user, domain(key.from.host)), "{}", case.name);
            keys += 1;
        }
    }
    assert_eq!(names.len(), 103);
    assert!(keys > 85, "{keys}");
}

#[test]
fn sipx_reads_the_same_identity_but_for_known_cases() {
    let differs = oracle("sipx-differs");
    let found: Vec<String> = cases()
        .iter()
        .filter(|case| sipx_identity(&case.bytes) != demanded(case))
        .map(|case| case.name.clone())
        .collect();
    assert_eq!(found, differs);
}

#[test]
fn sipx_reads_the_same_fields_of_every_key() {
    let differs = oracle("sipx-differs");
    let mut compared = 0;
    for case in cases().iter().filter(|case| !differs.contains(&case.name.as_str())) {
        let (Ok(key), Some(request)) = (extract(&case.bytes), sipx_request(&case.bytes)) else { continue };
        let name = &case.name;
        let to = request.headers.typed::<To>().unwrap();
        // sipx-sip judges the URI of To, which is not ours to judge.
        if let Ok(to) = to {
            assert_eq!(key.to.tag.filter(|tag| !tag.is_empty()), to.0.tag(), "{name}");
            // It also takes a user before a host that is none.
            if key.to.user.is_some() {
                assert_eq!(key.to.user, to.0.uri.user(), "{name}");
            }
        }
        if let Ok(via) = request.headers.typed_all::<Via>().next().unwrap() {
            let theirs = via.branch().filter(|branch| *branch != b"z9hG4bK");
            assert_eq!(key.branch, theirs, "{name}");
        }
        assert_eq!(key.call_id, request.headers.typed::<CallId>().unwrap().unwrap().0, "{name}");
        if let Ok(cseq) = request.headers.typed::<CSeq>().unwrap() {
            let ours = (latin1(key.cseq.number).parse::<u32>().unwrap(), key.cseq.method);
            assert_eq!(ours, (cseq.sequence, cseq.method.as_bytes()), "{name}");
        }
        compared += 1;
    }
    assert!(compared > 115, "{compared}");
}

/// `extract` refuses no request in which sipx-sip sees every field, but where the corpus says so too.
#[test]
fn what_only_sipx_accepts_is_meant_to_be_refused() {
    for case in cases() {
        if let (Err(Error::Invalid(invalid)), Some(_)) = (extract(&case.bytes), sipx_identity(&case.bytes)) {
            let expected = &case.expected;
            let meant = expected["extract"]["result"] == "invalid" || expected["verdict"] == "either";
            assert!(meant, "{}: {invalid}", case.name);
        }
    }
}

/// What the corpus demands of the first message, as far as From goes.
fn demanded(case: &Case) -> Option<Identity> {
    let message = first_message(case)?;
    let from = message["from"].as_object().filter(|_| message["kind"] == "request")?;
    let text = |name: &str| from[name].as_str().map(String::from);
    Some((message["method"].as_str()?.into(), text("user"), text("domain")?))
}

fn domain(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_lowercase()
}

fn rsip_identity(octets: &[u8]) -> Option<Identity> {
    let request = rsip::Request::try_from(octets).ok()?;
    let from = request.from_header().ok()?.typed().ok()?;
    let user = from.uri.user().map(String::from);
    Some((request.method().to_string(), user, domain(&from.uri.host().to_string())))
}

/// The first message; a body that is cut short is filled up, because sipx-sip waits for it.
fn sipx_request(octets: &[u8]) -> Option<sipx_sip::Request> {
    let mut parser = sipx_sip::StreamParser::new(sipx_sip::Limits::stream());
    let mut messages = parser.push(octets).ok()?;
    if let Ok(key) = extract(octets)
        && messages.is_empty()
    {
        let missing = (key.start + key.head_len + key.body_len).checked_sub(octets.len())?;
        messages = parser.push(&vec![b'.'; missing]).ok()?;
    }
    messages.into_iter().next()?.as_request().cloned()
}

fn sipx_identity(octets: &[u8]) -> Option<Identity> {
    let request = sipx_request(octets)?;
    let from = request.headers.typed::<From>()?.ok()?.0;
    let user = from.uri.user().map(latin1);
    Some((latin1(request.method.as_bytes()), user, domain(&from.uri.host()?.to_string())))
}
