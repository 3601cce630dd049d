//! What rsip and sipx-sip read from the same octets.

mod common;

use common::{cases, first_message, latin1, mutated, oracle, sipx};
use proptest::prelude::*;
use rp_sip::{Error, Follower, Head, Limits, Step, extract};
use rp_testkit::corpus::Case;
use rsip::{headers::ToTypedHeader, message::HeadersExt};
use sipx_sip::headers::From;

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
        println!("{}", case.name);
        sipx::assert_same(&key, &request);
        compared += 1;
    }
    assert!(compared > 115, "{compared}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4_000) })]

    #[test]
    fn sipx_reads_the_same_fields_of_mutated_requests(input in mutated()) {
        if let (Ok(key), Some(request)) = (extract(&input), sipx_request(&input)) {
            sipx::assert_same(&key, &request);
        }
    }
}

/// The second table of the README.
#[test]
fn all_three_agree_with_the_corpus_as_often_as_the_readme_says() {
    let row = |name: &str, agreement: Agreement| {
        let Agreement { as_demanded, another, takes_faulty, refuses_sound } = agreement;
        let row = format!("| {name} | {as_demanded} | {another} | {takes_faulty} | {refuses_sound} |");
        assert!(include_str!("../README.md").lines().any(|line| line == row), "the README lacks {row}");
    };
    row("rp-sip", Agreement::of(our_identity));
    row("rsip 0.4", Agreement::of(rsip_identity));
    row("sipx-sip 1.0", Agreement::of(sipx_identity));
}

/// How often the identity in the first message is read as the corpus demands, or in what other way.
#[derive(Default)]
struct Agreement {
    as_demanded: usize,
    another: usize,
    takes_faulty: usize,
    refuses_sound: usize,
}

impl Agreement {
    fn of(identity: impl Fn(&[u8]) -> Option<Identity>) -> Self {
        let mut agreement = Self::default();
        for case in cases() {
            let count = match (demanded(&case), identity(&case.bytes)) {
                (wanted, found) if wanted == found => &mut agreement.as_demanded,
                // Refusing and going on are both sound there.
                (_, None) if case.expected["verdict"] == "either" => &mut agreement.as_demanded,
                (Some(_), Some(_)) => &mut agreement.another,
                (None, Some(_)) => &mut agreement.takes_faulty,
                _ => &mut agreement.refuses_sound,
            };
            *count += 1;
        }
        agreement
    }
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

/// Of the head alone: what besides From is at fault in a request plays no part here.
fn our_identity(octets: &[u8]) -> Option<Identity> {
    let mut follower = Follower::new(Limits::default());
    let mut rest = octets;
    loop {
        match follower.step(rest).ok()? {
            Step::Look(Head::Request(request)) => {
                let from = request.from.ok()?;
                return Some((request.method.into(), from.user.map(latin1), domain(from.host)));
            }
            Step::Look(Head::Response(_)) | Step::More => return None,
            step => rest = &rest[step.octets()..],
        }
    }
}

fn sipx_request(octets: &[u8]) -> Option<sipx_sip::Request> {
    sipx::request(octets, extract(octets).map_or(0, |key| sipx::missing(octets, &key)))
}

fn sipx_identity(octets: &[u8]) -> Option<Identity> {
    let request = sipx_request(octets)?;
    let from = request.headers.typed::<From>()?.ok()?.0;
    let user = from.uri.user().map(latin1);
    Some((latin1(request.method.as_bytes()), user, domain(&from.uri.host()?.to_string())))
}
