//! What is built is read as it was said, and only what does not fit is not built.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rp_h323::{
    Alias, Answer, AnswerKind, Key, Kind, Text, UTF8_MAX, extract,
    messages::{
        AliasName, GatekeeperConfirm, GatekeeperRequest, Ras, Refusal, RegistrationConfirm,
        RegistrationRequest, Sender, facility, refusal,
    },
};

type Input<'a> = (u16, Option<&'a str>, Vec<(u8, &'a str)>, Option<&'a str>, Option<u32>, [bool; 2]);

fuzz_target!(|input: Input<'_>| {
    let (request_seq_num, gatekeeper_id, names, endpoint_id, time_to_live, [discovery_complete, keep_alive]) =
        input;
    let aliases: Vec<AliasName<'_>> = names.into_iter().map(|(kind, name)| alias_name(kind, name)).collect();
    let aliases = &aliases[..aliases.len().min(30)];
    let head_fits = request_seq_num > 0 && gatekeeper_id.is_none_or(is_identifier);
    let aliases_fit = aliases.iter().all(alias_fits);
    let time_fits = time_to_live != Some(0);

    let grq = GatekeeperRequest { request_seq_num, gatekeeper_id, aliases };
    let rrq = RegistrationRequest {
        request_seq_num,
        gatekeeper_id,
        aliases,
        discovery_complete,
        keep_alive,
        endpoint_id,
        time_to_live,
    };
    let gcf = GatekeeperConfirm { request_seq_num, gatekeeper_id };
    let endpoint = endpoint_id.unwrap_or_default();
    let call_signal_address = discovery_complete.then_some(([192, 0, 2, 1], 1720));
    let rcf = RegistrationConfirm {
        request_seq_num,
        gatekeeper_id,
        aliases,
        endpoint_id: endpoint,
        time_to_live,
        call_signal_address,
    };
    let rrq_fits = head_fits && aliases_fit && time_fits && endpoint_id.is_none_or(is_identifier);

    let bundle = [Ras::GatekeeperRequest(grq), Ras::RegistrationRequest(rrq)];
    let Some(octets) = build(Sender::Endpoint, &bundle, rrq_fits) else { return };
    let key = extract(&octets).expect("a key");
    let requests: Vec<Key<'_>> = key.requests().collect();
    let kinds: Vec<Kind> = requests.iter().map(|request| request.kind).collect();
    assert_eq!(kinds, [Kind::GatekeeperRequest, Kind::RegistrationRequest]);
    for request in &requests {
        assert_eq!((request.request_seq_num, request.version), (request_seq_num, Some(7)));
        assert_eq!(string(request.gatekeeper_id).as_deref(), gatekeeper_id);
        assert_eq!(request.aliases().count(), aliases.len());
        assert!(request.aliases().zip(aliases).all(|(alias, name)| is_same(alias, name)));
    }
    assert_eq!(requests[1].keep_alive(), keep_alive);
    assert_eq!(string(requests[1].endpoint_identifier()).as_deref(), endpoint_id);
    assert!(Answer::parse(&refusal(&key, Refusal::NotAllowed)).is_ok());

    let octets = build(Sender::Gatekeeper, &[Ras::GatekeeperConfirm(gcf)], head_fits).expect("it fits");
    let answer = Answer::parse(&octets).expect("an answer");
    assert_eq!((answer.kind, answer.request_seq_num), (AnswerKind::GatekeeperConfirm, request_seq_num));
    assert_eq!(string(answer.gatekeeper_id).as_deref(), gatekeeper_id);

    let rcf_fits = rrq_fits && is_identifier(endpoint);
    let Some(octets) = build(Sender::Gatekeeper, &[Ras::RegistrationConfirm(rcf)], rcf_fits) else { return };
    let answer = Answer::parse(&octets).expect("an answer");
    assert_eq!((answer.kind, answer.request_seq_num), (AnswerKind::RegistrationConfirm, request_seq_num));
    assert_eq!(answer.time_to_live, time_to_live);
    assert_eq!(string(answer.endpoint_id).as_deref(), Some(endpoint));
});

/// The octets, just if everything in them fits.
fn build(sender: Sender, messages: &[Ras<'_>], fits: bool) -> Option<Vec<u8>> {
    let octets = facility(sender, messages).ok();
    assert_eq!(octets.is_some(), fits, "{messages:?}");
    octets
}

fn alias_name(kind: u8, name: &str) -> AliasName<'_> {
    match kind % 4 {
        0 => AliasName::DialedDigits(name),
        1 => AliasName::H323Id(name),
        2 => AliasName::UrlId(name),
        _ => AliasName::EmailId(name),
    }
}

fn alias_fits(name: &AliasName<'_>) -> bool {
    match name {
        AliasName::DialedDigits(digits) => {
            (1..=128).contains(&digits.len()) && digits.bytes().all(|c| b"#*,0123456789".contains(&c))
        }
        AliasName::H323Id(name) => is_text(name, 256),
        AliasName::UrlId(text) | AliasName::EmailId(text) => {
            (1..=512).contains(&text.len()) && text.is_ascii()
        }
    }
}

fn is_identifier(text: &str) -> bool {
    is_text(text, 128)
}

/// U+FFFE and U+FFFF are no characters of a BMPString.
fn is_text(text: &str, max: usize) -> bool {
    let units = text.encode_utf16().count();
    (1..=max).contains(&units) && !text.contains(['\u{fffe}', '\u{ffff}'])
}

fn is_same(alias: Alias<'_>, name: &AliasName<'_>) -> bool {
    let (text, wanted) = match (alias, name) {
        (Alias::DialedDigits(text), AliasName::DialedDigits(name))
        | (Alias::H323Id(text), AliasName::H323Id(name))
        | (Alias::UrlId(text), AliasName::UrlId(name))
        | (Alias::EmailId(text), AliasName::EmailId(name)) => (text, *name),
        _ => return false,
    };
    string(Some(text)).as_deref() == Some(wanted)
}

fn string(text: Option<Text<'_>>) -> Option<String> {
    text?.to_str(&mut [0; UTF8_MAX]).map(str::to_owned)
}
