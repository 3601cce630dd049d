//! Other readers of LDAP on the well-formed cases. Each difference is listed by name.
//!
//! What those readers make of malformed input is not compared: being stricter there is why this crate
//! does not use them.

mod support;

use ldap3_proto::proto::{LdapBindCred, LdapMsg, LdapOp};
use rasn_ldap::{AuthenticationChoice, LdapMessage, ProtocolOp};
use rp_ldap::{Auth, Request, Tag};

/// A message in words, so that three readers can be compared.
type Words = Option<String>;

#[test]
fn ldap3_proto_reads_the_same_but_for_listed_differences() {
    let differences = differences(ldap3_proto_reads);
    assert_eq!(
        differences,
        [
            // Authentication choices that it does not know lose their number.
            "bind_krbv4",
            "bind_sicily_discovery",
            "bind_sicily_negotiate",
            "cap_ldap3py_ntlm_sicily",
            // Names must be UTF-8.
            "name_latin1_user",
            // Operations must be known.
            "op_unknown",
        ]
    );
}

#[test]
fn rasn_ldap_reads_the_same_but_for_listed_differences() {
    let differences = differences(rasn_ldap_reads);
    assert_eq!(
        differences,
        [
            // Nothing may follow the authentication, though RFC 4511 4 has extensions ignored.
            "ber_trailing_in_bind",
            // Authentication choices must be known.
            "bind_krbv4",
            "bind_sicily_discovery",
            "bind_sicily_negotiate",
            "cap_ldap3py_ntlm_sicily",
            // Names must be UTF-8.
            "name_latin1_user",
            // Operations must be known.
            "op_unknown",
            // Result codes must be known.
            "resp_bind_118",
            "resp_bind_4096",
        ]
    );
}

/// The names of the cases that are well-formed and that `oracle` reads otherwise.
fn differences(oracle: fn(&[u8]) -> Words) -> Vec<String> {
    let mut names = Vec::new();
    let mut compared = 0;
    for case in support::corpus(false).into_iter().chain(support::corpus(true)) {
        let read = if case.name.starts_with("resp_") || case.name.ends_with("_s2c") {
            this_crate_reads_answer(&case.bytes)
        } else {
            this_crate_reads(&case.bytes)
        };
        let Some((words, frame)) = read else { continue };
        compared += 1;
        if oracle(frame).as_deref() != Some(&words) {
            println!("{}: {words} here, {:?} there", case.name, oracle(frame));
            names.push(case.name);
        }
    }
    assert!(compared > 100, "only {compared} cases");
    names
}

fn this_crate_reads(octets: &[u8]) -> Option<(String, &[u8])> {
    let key = rp_ldap::extract(octets).ok()?;
    let words = match key.request {
        Request::Bind(bind) => {
            let auth = match bind.auth {
                Auth::Simple { empty_password } => format!("simple, empty: {empty_password}"),
                Auth::Sasl { mechanism } => format!("sasl {}", mechanism.escape_ascii()),
                Auth::Other(number) => format!("other {number}"),
            };
            bind_words(bind.version.into(), bind.name, &auth)
        }
        Request::Unbind => "unbind".into(),
        Request::Search => "search".into(),
        Request::Abandon { message_id } => format!("abandon {message_id}"),
        Request::Extended { oid } => format!("extended {}", oid.escape_ascii()),
        Request::Other(tag) => format!("{tag:?}"),
    };
    Some((format!("{} {words}", key.message_id), &octets[..key.frame_len]))
}

fn this_crate_reads_answer(octets: &[u8]) -> Option<(String, &[u8])> {
    let answer = rp_ldap::answer(octets).ok()?;
    let words = match answer.result {
        Some(result) => result_words(answer.operation, result.code.0.into(), result.diagnostic),
        None => format!("{:?}", answer.operation),
    };
    Some((format!("{} {words}", answer.message_id), &octets[..answer.frame_len]))
}

fn ldap3_proto_reads(frame: &[u8]) -> Words {
    // The public way in besides its codec takes a message without the header around it.
    let header = if frame[1] < 0x80 { 2 } else { 2 + usize::from(frame[1] - 0x80) };
    let message = LdapMsg::try_from_openldap_mem_dump(&frame[header..]).ok()?;
    let result = |tag, result: ldap3_proto::proto::LdapResult| {
        result_words(tag, result.code as i64, result.message.as_bytes())
    };
    let words = match message.op {
        LdapOp::BindRequest(bind) => {
            let auth = match bind.cred {
                LdapBindCred::Simple(password) => format!("simple, empty: {}", password.is_empty()),
                LdapBindCred::SASL(sasl) => format!("sasl {}", sasl.mechanism.as_bytes().escape_ascii()),
                LdapBindCred::Unsupported => "unsupported".into(),
            };
            bind_words(bind.version, bind.dn.as_bytes(), &auth)
        }
        LdapOp::UnbindRequest => "unbind".into(),
        LdapOp::SearchRequest(_) => "search".into(),
        LdapOp::AbandonRequest(id) => format!("abandon {id}"),
        LdapOp::ExtendedRequest(request) => format!("extended {}", request.name),
        LdapOp::BindResponse(response) => result(Tag::BIND_RESPONSE, response.res),
        LdapOp::SearchResultDone(done) => result(Tag::SEARCH_RESULT_DONE, done),
        LdapOp::ExtendedResponse(response) => result(Tag::EXTENDED_RESPONSE, response.res),
        other => format!("{other:?}"),
    };
    Some(format!("{} {words}", message.msgid))
}

fn rasn_ldap_reads(frame: &[u8]) -> Words {
    let message: LdapMessage = rasn::ber::decode(frame).ok()?;
    let words = match message.protocol_op {
        ProtocolOp::BindRequest(bind) => {
            let auth = match bind.authentication {
                AuthenticationChoice::Simple(password) => format!("simple, empty: {}", password.is_empty()),
                AuthenticationChoice::Sasl(sasl) => {
                    format!("sasl {}", sasl.mechanism.as_bytes().escape_ascii())
                }
                _ => "unknown".into(),
            };
            bind_words(bind.version.into(), bind.name.as_bytes(), &auth)
        }
        ProtocolOp::UnbindRequest(_) => "unbind".into(),
        ProtocolOp::SearchRequest(_) => "search".into(),
        ProtocolOp::AbandonRequest(request) => format!("abandon {}", request.0),
        ProtocolOp::ExtendedReq(request) => format!("extended {}", request.request_name.escape_ascii()),
        ProtocolOp::BindResponse(r) => {
            result_words(Tag::BIND_RESPONSE, r.result_code as i64, r.diagnostic_message.as_bytes())
        }
        ProtocolOp::SearchResDone(done) => result_words(
            Tag::SEARCH_RESULT_DONE,
            done.0.result_code as i64,
            done.0.diagnostic_message.as_bytes(),
        ),
        ProtocolOp::ExtendedResp(r) => {
            result_words(Tag::EXTENDED_RESPONSE, r.result_code as i64, r.diagnostic_message.as_bytes())
        }
        other => format!("{other:?}"),
    };
    Some(format!("{} {words}", message.message_id))
}

fn bind_words(version: i64, name: &[u8], auth: &str) -> String {
    format!("bind {version} {} {auth}", name.escape_ascii())
}

fn result_words(tag: Tag, code: i64, diagnostic: &[u8]) -> String {
    format!("{tag:?} {code} {}", diagnostic.escape_ascii())
}
