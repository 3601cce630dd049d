//! What is built has to equal the octets of an independent encoder (pycrate), and what rasn reads has to be
//! what the borrowed walker reads.

extern crate std;

use alloc::{
    borrow::ToOwned,
    collections::BTreeMap,
    string::{String, ToString},
    vec::Vec,
};

use rasn::types::BmpString;
use rp_testkit::corpus;

use super::{
    asn1::{
        Content, GenericData, GenericIdentifier, H323UserInformation,
        endpoint::{AliasAddress, H221NonStandard, VendorIdentifier},
        ras::RasMessage,
    },
    *,
};
use crate::{Alias, Answer, AnswerKind, Kind, Text, extract, h225, q931, tpkt};

const GATEKEEPER: Option<&str> = Some("example.com");
const HQ: &[AliasName<'_>] = &[AliasName::H323Id("hq")];

fn corpus_file(name: &str) -> Vec<u8> {
    let cases = corpus::load(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus"), "bin");
    cases.into_iter().find(|case| case.name == name).unwrap().bytes
}

fn from_gatekeeper(message: Ras<'_>) -> Vec<u8> {
    facility(Sender::Gatekeeper, &[message]).unwrap()
}

fn registration_reject<'a>(
    request_seq_num: u16,
    reason: RegistrationRejectReason,
    aliases: &'a [AliasName<'a>],
) -> Ras<'a> {
    Ras::RegistrationReject(RegistrationReject {
        request_seq_num,
        gatekeeper_id: GATEKEEPER,
        reason,
        aliases,
    })
}

#[test]
fn registration_rejects_are_those_of_an_independent_encoder() {
    for (reason, file) in [
        (RegistrationRejectReason::SECURITY_DENIAL, "rrj_securityDenial"),
        (RegistrationRejectReason::DISCOVERY_REQUIRED, "rrj_discoveryRequired"),
        (RegistrationRejectReason::FULL_REGISTRATION_REQUIRED, "rrj_fullRegistrationRequired"),
    ] {
        assert_eq!(from_gatekeeper(registration_reject(1, reason, &[])), corpus_file(file), "{file}");
    }
    let duplicate = registration_reject(1, RegistrationRejectReason::DUPLICATE_ALIAS, HQ);
    assert_eq!(from_gatekeeper(duplicate), corpus_file("rrj_duplicateAlias"));
}

#[test]
fn a_gatekeeper_reject_is_that_of_an_independent_encoder() {
    let reject = from_gatekeeper(Ras::GatekeeperReject(GatekeeperReject {
        request_seq_num: 1,
        gatekeeper_id: GATEKEEPER,
        reason: GatekeeperRejectReason::TERMINAL_EXCLUDED,
    }));
    assert_eq!(reject, corpus_file("grj_terminalExcluded"));
}

#[test]
fn confirms_are_those_of_an_independent_encoder() {
    let gatekeeper = from_gatekeeper(Ras::GatekeeperConfirm(GatekeeperConfirm {
        request_seq_num: 1,
        gatekeeper_id: GATEKEEPER,
    }));
    assert_eq!(gatekeeper, corpus_file("gcf"));
    let registration = from_gatekeeper(Ras::RegistrationConfirm(RegistrationConfirm {
        request_seq_num: 1,
        gatekeeper_id: GATEKEEPER,
        aliases: HQ,
        endpoint_id: "ep1",
        time_to_live: Some(300),
        call_signal_address: Some(([192, 0, 2, 1], 1720)),
    }));
    assert_eq!(registration, corpus_file("rcf"));
}

#[test]
fn a_release_is_that_of_an_independent_encoder() {
    let release = ReleaseComplete {
        sender: Sender::Gatekeeper,
        call_reference: 0x1234,
        call_identifier: Some([0x33; 16]),
        reason: ReleaseCompleteReason::NO_PERMISSION,
    };
    assert_eq!(release.to_vec().unwrap(), corpus_file("release_complete_to_caller"));
}

#[test]
fn a_gatekeeper_request_is_that_of_an_independent_encoder() {
    let request = GatekeeperRequest { request_seq_num: 1, gatekeeper_id: GATEKEEPER, aliases: HQ };
    let built = facility(Sender::Endpoint, &[Ras::GatekeeperRequest(request)]).unwrap();
    assert_eq!(built, corpus_file("grq_v7_gkid"));
}

#[test]
fn registration_requests_are_those_of_an_independent_encoder() {
    let first = RegistrationRequest {
        request_seq_num: 1,
        gatekeeper_id: GATEKEEPER,
        aliases: &[AliasName::H323Id("hq"), AliasName::DialedDigits("4711")],
        time_to_live: Some(300),
        ..Default::default()
    };
    assert_eq!(registration_by_test_phone(&first), corpus_file("rrq_v7_gkid"));
    let light_weight = RegistrationRequest {
        request_seq_num: 77,
        gatekeeper_id: GATEKEEPER,
        discovery_complete: true,
        keep_alive: true,
        endpoint_id: Some("2211_example"),
        time_to_live: Some(60),
        ..Default::default()
    };
    assert_eq!(registration_by_test_phone(&light_weight), corpus_file("rrq_lightweight_keepalive"));
}

/// The endpoint of the corpus names its maker and has addresses, which ours does not.
fn registration_by_test_phone(request: &RegistrationRequest<'_>) -> Vec<u8> {
    let built = encode::ras(&Ras::RegistrationRequest(*request)).unwrap();
    let RasMessage::RegistrationRequest(mut built) = built else { panic!("another message") };
    let address = |ip, port| encode::address((ip, port));
    built.call_signal_address = [address([192, 0, 2, 10], 1720)].into();
    built.ras_address = [address([0; 4], 0)].into();
    built.endpoint_vendor = VendorIdentifier {
        vendor: H221NonStandard { t35_country_code: 4, t35_extension: 0, manufacturer_code: 24 },
        product_id: Some(b"Test Phone"[..].into()),
        version_id: Some(b"14r1"[..].into()),
        enterprise_number: None,
    };
    encode::facility(Sender::Endpoint, 0, &[RasMessage::RegistrationRequest(built)]).unwrap()
}

/// A reject or release for each reason, and a bundle, by `tests/pycrate/vectors.py`.
const VECTORS: &str = include_str!("../../tests/pycrate/vectors.txt");

#[test]
fn every_reason_is_that_of_an_independent_encoder_and_can_be_read_again() {
    let built = vectors();
    assert_eq!(VECTORS.lines().count(), built.len());
    for line in VECTORS.lines() {
        let (name, expected) = line.rsplit_once(' ').unwrap();
        let octets = built.get(name).unwrap_or_else(|| panic!("{name} is not built"));
        let hex: String = octets.iter().map(|octet| std::format!("{octet:02x}")).collect();
        assert_eq!(hex, expected, "{name}");
        let answer = Answer::parse(octets).unwrap();
        assert!(name == answer.to_string() || name == "bundle of-three", "{answer}");
    }
}

/// What the vectors say, built here.
fn vectors() -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for reason in (0..=11).chain(0x80..=0x8c).map(ReleaseCompleteReason::from_code) {
        let release = ReleaseComplete {
            sender: Sender::Gatekeeper,
            call_reference: 0x1234,
            call_identifier: Some([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]),
            reason,
        };
        if let Ok(octets) = release.to_vec() {
            all.insert(AnswerKind::ReleaseComplete(Some(reason)).to_string(), octets);
        }
    }
    for reason in (0..=7).chain(0x80..=0x8a).map(RegistrationRejectReason::from_code) {
        let octets = from_gatekeeper(registration_reject(65535, reason, HQ));
        all.insert(AnswerKind::RegistrationReject(reason).to_string(), octets);
    }
    let gatekeeper_reject = |request_seq_num, reason| {
        Ras::GatekeeperReject(GatekeeperReject { request_seq_num, gatekeeper_id: GATEKEEPER, reason })
    };
    for reason in (0..=3).chain(0x80..=0x83).map(GatekeeperRejectReason::from_code) {
        let octets = from_gatekeeper(gatekeeper_reject(256, reason));
        all.insert(AnswerKind::GatekeeperReject(reason).to_string(), octets);
    }
    let denied = |number| registration_reject(number, RegistrationRejectReason::SECURITY_DENIAL, &[]);
    let excluded = gatekeeper_reject(1, GatekeeperRejectReason::TERMINAL_EXCLUDED);
    let bundle = facility(Sender::Gatekeeper, &[excluded, denied(2), denied(3)]).unwrap();
    all.insert("bundle of-three".to_owned(), bundle);
    all
}

#[test]
fn values_that_do_not_fit_are_not_encoded() {
    let long = "x".repeat(129);
    for request in [
        RegistrationRequest { request_seq_num: 0, ..Default::default() },
        RegistrationRequest { request_seq_num: 1, gatekeeper_id: Some(&long), ..Default::default() },
        RegistrationRequest { request_seq_num: 1, gatekeeper_id: Some(""), ..Default::default() },
        RegistrationRequest { request_seq_num: 1, time_to_live: Some(0), ..Default::default() },
        RegistrationRequest {
            request_seq_num: 1,
            aliases: &[AliasName::DialedDigits("12a")],
            ..Default::default()
        },
        RegistrationRequest {
            request_seq_num: 1,
            aliases: &[AliasName::EmailId("m\u{fc}ller@example.com")],
            ..Default::default()
        },
    ] {
        let built = facility(Sender::Endpoint, &[Ras::RegistrationRequest(request)]);
        assert_eq!(built, Err(NotEncodable(())), "{request:?}");
    }
    assert_eq!(facility(Sender::Endpoint, &[]), Err(NotEncodable(())));
}

#[test]
fn refusals_have_the_reasons_of_their_request() {
    for (file, refused, expected) in [
        ("grq_v7_gkid", Refusal::NotAllowed, "GRJ terminalExcluded"),
        ("grq_v7_gkid", Refusal::NoName, "GRJ terminalExcluded"),
        ("grq_v7_gkid", Refusal::Certificate, "GRJ securityDenial"),
        ("grq_v7_gkid", Refusal::Unreachable, "GRJ resourceUnavailable"),
        ("rrq_v7_gkid", Refusal::NotAllowed, "RRJ securityDenial"),
        ("rrq_v7_gkid", Refusal::NoName, "RRJ securityDenial"),
        ("rrq_v7_gkid", Refusal::Certificate, "RRJ securityDenial"),
        ("rrq_v7_gkid", Refusal::Unreachable, "RRJ resourceUnavailable"),
        ("setup_h323id", Refusal::NotAllowed, "ReleaseComplete noPermission"),
        ("setup_h323id", Refusal::NoName, "ReleaseComplete badFormatAddress"),
        ("setup_h323id", Refusal::Certificate, "ReleaseComplete securityDenied"),
        ("setup_h323id", Refusal::Unreachable, "ReleaseComplete unreachableDestination"),
        ("grq_v7_gkid", Refusal::Busy, "GRJ resourceUnavailable"),
        ("rrq_v7_gkid", Refusal::Busy, "RRJ resourceUnavailable"),
        ("setup_h323id", Refusal::Busy, "ReleaseComplete gatekeeperResources"),
    ] {
        let request = corpus_file(file);
        let octets = refusal(&extract(&request).unwrap(), refused);
        let answer = Answer::parse(&octets).unwrap();
        assert_eq!(answer.to_string(), expected, "{file} {refused:?}");
        assert_eq!(answer.len, octets.len());
    }
}

#[test]
fn a_refusal_is_that_of_an_independent_encoder() {
    let request = corpus_file("rrq_v7_gkid");
    let key = extract(&request).unwrap();
    assert_eq!(refusal(&key, Refusal::NotAllowed), corpus_file("rrj_securityDenial"));
    let request = corpus_file("grq_v7_gkid");
    let key = extract(&request).unwrap();
    assert_eq!(refusal(&key, Refusal::NotAllowed), corpus_file("grj_terminalExcluded"));
    let request = corpus_file("setup_h323id");
    let key = extract(&request).unwrap();
    assert_eq!(refusal(&key, Refusal::NotAllowed), corpus_file("release_complete_to_caller"));
}

#[test]
fn the_causes_of_refused_calls_are_those_of_q850() {
    let request = corpus_file("setup_h323id");
    let key = extract(&request).unwrap();
    for (refused, cause) in [
        (Refusal::NotAllowed, 0x95),
        (Refusal::Certificate, 0x95),
        (Refusal::NoName, 0x9c),
        (Refusal::Unreachable, 0x83),
        (Refusal::Busy, 0xaf),
    ] {
        assert_eq!(refusal(&key, refused)[9..13], [0x08, 0x02, 0x80, cause], "{refused:?}");
    }
}

#[test]
fn every_request_of_a_bundle_is_answered_in_its_order() {
    let request = corpus_file("rrq_grq_bundled");
    let octets = refusal(&extract(&request).unwrap(), Refusal::NotAllowed);
    let answers: Vec<String> = ras_messages(&octets)
        .iter()
        .map(|message| match rasn::aper::decode::<RasMessage>(message).unwrap() {
            RasMessage::GatekeeperReject(reject) => std::format!("GRJ {}", reject.request_seq_num),
            RasMessage::RegistrationReject(reject) => std::format!("RRJ {}", reject.request_seq_num),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(answers, ["GRJ 1", "RRJ 2"]);
}

#[test]
fn a_refusal_repeats_a_gatekeeper_id_that_is_no_text() {
    let mut request = corpus_file("rrq_v7_gkid");
    let at = request.windows(4).position(|units| units == [0, b'e', 0, b'x']).unwrap();
    request[at..at + 2].copy_from_slice(&[0xd8, 0x3d]); // an unpaired surrogate
    let octets = refusal(&extract(&request).unwrap(), Refusal::NotAllowed);
    let answer = Answer::parse(&octets).unwrap();
    assert_eq!(answer.gatekeeper_id.unwrap().to_string(), "\\u{d83d}xample.com");

    request[at..at + 2].copy_from_slice(&[0xff, 0xff]);
    let octets = refusal(&extract(&request).unwrap(), Refusal::NotAllowed);
    let answer = Answer::parse(&octets).unwrap();
    assert_eq!((answer.request_seq_num, answer.gatekeeper_id.is_none()), (1, true));
}

#[test]
fn all_corpus_requests_can_be_refused() {
    let cases = corpus::load(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus"), "bin");
    let mut refused = 0;
    for case in cases {
        let Ok(key) = extract(&case.bytes) else { continue };
        for reason in
            [Refusal::NotAllowed, Refusal::NoName, Refusal::Certificate, Refusal::Unreachable, Refusal::Busy]
        {
            let octets = refusal(&key, reason);
            let answer = Answer::parse(&octets).unwrap();
            assert_eq!(answer.call_reference, key.call_reference, "{}", case.name);
            assert_eq!(answer.request_seq_num, key.request_seq_num, "{}", case.name);
            assert_eq!(octets[6] & 0x80, 0x80, "{}: the flag of the call reference", case.name);
        }
        refused += 1;
    }
    assert_eq!(refused, 54);
}

/// The RAS messages of a frame, or `None` if rasn's declarations do not reach that far.
fn decoded(frame: &[u8]) -> Option<Vec<(Vec<u8>, RasMessage)>> {
    let len = tpkt::length(frame, 0).ok()?;
    let contents = q931::user_user(tpkt::message(frame, len).ok()?, len).ok()??;
    let information: H323UserInformation = rasn::aper::decode(contents.rest()).ok()?;
    assert_eq!(rasn::aper::encode(&information).unwrap(), contents.rest());
    let generic_data = information.h323_uu_pdu.generic_data.unwrap_or_default();
    let parameters = generic_data.into_iter().filter(is_ras_over_h225);
    parameters
        .flat_map(|data| data.parameters.unwrap_or_default())
        .filter_map(|parameter| match parameter.content {
            Some(Content::Raw(raw)) => Some(raw.as_ref().to_owned()),
            _ => None,
        })
        .map(|raw| Some((raw.clone(), rasn::aper::decode::<RasMessage>(&raw).ok()?)))
        .collect()
}

fn is_ras_over_h225(data: &GenericData) -> bool {
    data.id == GenericIdentifier::Standard(17.into())
}

fn ras_messages(frame: &[u8]) -> Vec<Vec<u8>> {
    let len = tpkt::length(frame, 0).unwrap();
    let contents = q931::user_user(tpkt::message(frame, len).unwrap(), len).unwrap().unwrap();
    let mut messages = h225::read_facility(contents).unwrap().unwrap();
    let mut all = Vec::new();
    while let Some(message) = messages.next().unwrap() {
        all.push(message.rest().to_owned());
    }
    all
}

/// Corpus cases that rasn's declarations here do not read in full, and why.
const NOT_DECLARED: &[(&str, &str)] = &[
    ("facility_no_generic", "the body facility"),
    ("grj_altgk", "altGKInfo"),
    ("keepalive_empty_tpkt", "no message"),
    ("rrj_altgk_resourceUnavailable", "altGKInfo"),
    ("rrj_altgk_securityDenial", "altGKInfo"),
    ("rrj_assignedgk", "assignedGatekeeper"),
    ("rrj_challenge", "tokens"),
    ("rrq_after_all_keepalives", "the first frame is empty"),
    ("rrq_after_keepalive", "the first frame is empty"),
    ("rrq_alias_every_type", "partyNumber, mobileUIM, isupNumber"),
    ("rrq_body_facility", "the body facility"),
    ("rrq_many_optional", "tokens, featureSet, assignedGatekeeper, language"),
    ("urq", "unregistrationRequest"),
];

#[test]
fn rasn_and_the_walker_read_the_same() {
    let cases = corpus::load(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus"), "bin");
    let mut compared = 0;
    for case in &cases {
        let excepted = case.name.starts_with("setup_") // Setup-UUIE
            || NOT_DECLARED.iter().any(|(name, _)| *name == case.name);
        let Some(messages) = decoded(&case.bytes) else {
            assert!(excepted, "{}: not read by rasn", case.name);
            continue;
        };
        assert!(!excepted, "{}: read by rasn", case.name);
        for (raw, message) in messages {
            assert_eq!(rasn::aper::encode(&message).unwrap(), raw, "{}", case.name);
        }
        compare(case);
        compared += 1;
    }
    assert_eq!(compared, 44);
}

/// What the walker says of the first request or answer beside what rasn says.
fn compare(case: &corpus::Case) {
    let messages = decoded(&case.bytes).unwrap();
    let walked: Vec<_> = extract(&case.bytes).map(|key| key.requests().collect()).unwrap_or_default();
    let mut walked = walked.into_iter();
    for (_, message) in &messages {
        let (kind, seq, gatekeeper_id, aliases, keep_alive, endpoint_id) = match message {
            RasMessage::GatekeeperRequest(m) => (
                Kind::GatekeeperRequest,
                m.request_seq_num,
                &m.gatekeeper_identifier,
                &m.endpoint_alias,
                None,
                &None,
            ),
            RasMessage::RegistrationRequest(m) => (
                Kind::RegistrationRequest,
                m.request_seq_num,
                &m.gatekeeper_identifier,
                &m.terminal_alias,
                m.keep_alive,
                &m.endpoint_identifier,
            ),
            _ => continue,
        };
        let key = walked.next().unwrap();
        assert_eq!((key.kind, key.request_seq_num), (kind, seq), "{}", case.name);
        assert_eq!(
            octets(key.gatekeeper_id),
            gatekeeper_id.as_ref().map(BmpString::to_bytes),
            "{}",
            case.name
        );
        assert_eq!(octets(key.endpoint_identifier()), endpoint_id.as_ref().map(BmpString::to_bytes));
        assert_eq!(key.keep_alive(), keep_alive.unwrap_or(false), "{}", case.name);
        let declared: Vec<String> = aliases.iter().flatten().map(alias_text).collect();
        let read: Vec<String> = key.aliases().map(|alias| std::format!("{alias:?}")).collect();
        assert_eq!(read, declared, "{}", case.name);
    }
    assert!(walked.next().is_none(), "{}", case.name);
}

fn octets(text: Option<Text<'_>>) -> Option<Vec<u8>> {
    text.map(|text| text.octets().to_owned())
}

/// As [`Alias`]'s `Debug` has it.
fn alias_text(alias: &AliasAddress) -> String {
    match alias {
        AliasAddress::DialedDigits(digits) => std::format!("DialedDigits(\"{digits}\")"),
        AliasAddress::H323Id(name) => {
            std::format!("{:?}", Alias::H323Id(Text::utf16(&name.to_bytes())))
        }
        AliasAddress::UrlId(url) => std::format!("UrlId(\"{url}\")"),
        AliasAddress::EmailId(address) => std::format!("EmailId(\"{address}\")"),
        other => panic!("{other:?}"),
    }
}
