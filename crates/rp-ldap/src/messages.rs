//! Builds messages: the answers that a proxy gives itself, and what a probe or a stand-in directory says.
//!
//! `ldap3_proto` writes them; none of its types shows. All lengths and numbers are minimal, as RFC 4511 5.1
//! allows and every peer understands.

extern crate alloc;

use alloc::{string::String, vec::Vec};

use bytes::BytesMut;
use ldap3_proto::{
    LdapCodec,
    proto::{
        LdapBindCred, LdapBindRequest, LdapBindResponse, LdapDerefAliases, LdapExtendedRequest,
        LdapExtendedResponse, LdapFilter, LdapMsg, LdapOp, LdapPartialAttribute, LdapResult, LdapResultCode,
        LdapSearchRequest, LdapSearchResultEntry, LdapSearchScope,
    },
};
use tokio_util::codec::Encoder;

use crate::{
    ber::{ENUMERATED, OCTET_STRING},
    message::{NOTICE_OF_DISCONNECTION, ResultCode, START_TLS, Sender, Tag, head},
};

/// How far below its base a search goes (RFC 4511 4.5.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The base alone.
    Base,
    /// The entries right below the base.
    OneLevel,
    /// The base and all below it.
    Subtree,
}

/// Which entries a search wants (RFC 4511 4.5.1.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter<'a> {
    /// Those that have the attribute, `objectClass` for all entries.
    Present(&'a str),
    /// Those that have the attribute with this value.
    Equality(&'a str, &'a str),
}

/// The answer to a bind.
pub fn bind_response(message_id: i32, code: ResultCode, text: &str) -> Vec<u8> {
    answer(message_id, code, text, |res| LdapOp::BindResponse(LdapBindResponse { res, saslcreds: None }))
}

/// The answer that ends a request of the kind `request`; none if such a request gets no answer.
pub fn result(request: Tag, message_id: i32, code: ResultCode, text: &str) -> Option<Vec<u8>> {
    Some(match request {
        Tag::BIND_REQUEST => bind_response(message_id, code, text),
        Tag::SEARCH_REQUEST => search_done(message_id, code, text),
        Tag::MODIFY_REQUEST => answer(message_id, code, text, LdapOp::ModifyResponse),
        Tag::ADD_REQUEST => answer(message_id, code, text, LdapOp::AddResponse),
        Tag::DEL_REQUEST => answer(message_id, code, text, LdapOp::DelResponse),
        Tag::MODIFY_DN_REQUEST => answer(message_id, code, text, LdapOp::ModifyDNResponse),
        Tag::COMPARE_REQUEST => answer(message_id, code, text, LdapOp::CompareResult),
        Tag::EXTENDED_REQUEST => extended_response(message_id, code, text, None),
        _ => return None,
    })
}

/// The unsolicited notification that the connection ends (RFC 4511 4.4.1).
pub fn notice_of_disconnection(code: ResultCode) -> Vec<u8> {
    extended_response(0, code, "", Some(NOTICE_OF_DISCONNECTION))
}

/// The answer to a StartTLS request (RFC 4511 4.14.2).
pub fn start_tls_response(message_id: i32, code: ResultCode) -> Vec<u8> {
    extended_response(message_id, code, "", Some(START_TLS))
}

/// The answer that ends a search.
pub fn search_done(message_id: i32, code: ResultCode, text: &str) -> Vec<u8> {
    answer(message_id, code, text, LdapOp::SearchResultDone)
}

/// An entry that a search found: attributes with their values (RFC 4511 4.5.2).
pub fn search_entry(message_id: i32, dn: &str, attributes: &[(&str, &[&str])]) -> Vec<u8> {
    let attribute = |(name, values): &(&str, &[&str])| LdapPartialAttribute {
        atype: (*name).into(),
        vals: values.iter().map(|value| value.as_bytes().to_vec()).collect(),
    };
    let attributes = attributes.iter().map(attribute).collect();
    message(message_id, LdapOp::SearchResultEntry(LdapSearchResultEntry { dn: dn.into(), attributes }))
}

/// A bind with a password, LDAP version 3 (RFC 4511 4.2). With two empty texts it is the anonymous bind.
pub fn simple_bind_request(message_id: i32, name: &str, password: &str) -> Vec<u8> {
    let cred = LdapBindCred::Simple(password.into());
    message(message_id, LdapOp::BindRequest(LdapBindRequest { version: 3, dn: name.into(), cred }))
}

/// The request that ends a connection.
pub fn unbind_request(message_id: i32) -> Vec<u8> {
    message(message_id, LdapOp::UnbindRequest)
}

/// The request to go on with TLS.
pub fn start_tls_request(message_id: i32) -> Vec<u8> {
    message(message_id, LdapOp::ExtendedRequest(LdapExtendedRequest { name: oid(START_TLS), value: None }))
}

/// A search for all attributes, without limits of size and time, that follows no aliases
/// (RFC 4511 4.5.1).
pub fn search_request(message_id: i32, base: &str, scope: Scope, filter: Filter<'_>) -> Vec<u8> {
    let search = LdapSearchRequest {
        base: base.into(),
        scope: match scope {
            Scope::Base => LdapSearchScope::Base,
            Scope::OneLevel => LdapSearchScope::OneLevel,
            Scope::Subtree => LdapSearchScope::Subtree,
        },
        aliases: LdapDerefAliases::Never,
        sizelimit: 0,
        timelimit: 0,
        typesonly: false,
        filter: match filter {
            Filter::Present(name) => LdapFilter::Present(name.into()),
            Filter::Equality(name, value) => LdapFilter::Equality(name.into(), value.into()),
        },
        attrs: Vec::new(),
    };
    message(message_id, LdapOp::SearchRequest(search))
}

fn extended_response(message_id: i32, code: ResultCode, text: &str, name: Option<&[u8]>) -> Vec<u8> {
    answer(message_id, code, text, |res| {
        LdapOp::ExtendedResponse(LdapExtendedResponse { res, name: name.map(oid), value: None })
    })
}

/// An answer without a matched DN.
fn answer(
    message_id: i32,
    code: ResultCode,
    text: &str,
    operation: impl FnOnce(LdapResult) -> LdapOp,
) -> Vec<u8> {
    let result = |code, matcheddn| LdapResult { code, matcheddn, message: text.into(), referral: Vec::new() };
    if let Ok(code) = LdapResultCode::try_from(i64::from(code.0)) {
        return message(message_id, operation(result(code, String::new())));
    }
    // ldap3_proto can only say codes that it has a name for, but services have codes of their own. So the
    // code is put in afterwards, where a matched DN has kept its room: `0a 01 00 04 01 20` becomes
    // `0a 02 xx xx 04 00`.
    let bits = code.0.to_be_bytes();
    let code = minimal(&bits);
    let room = " ".repeat(code.len().saturating_sub(1));
    let mut octets = message(message_id, operation(result(LdapResultCode::Success, room)));
    let place = head(&octets, Sender::Service, usize::MAX).map_or(usize::MAX, |head| head.content.offset());
    let length = code.iter().fold(0, |length: u8, _| length.saturating_add(1));
    let code = [ENUMERATED, length].into_iter().chain(code.iter().copied()).chain([OCTET_STRING, 0]);
    octets.iter_mut().skip(place).zip(code).for_each(|(octet, code)| *octet = code);
    octets
}

/// An INTEGER in as few octets as it needs (X.690 8.3.2).
fn minimal(mut octets: &[u8]) -> &[u8] {
    while let [0x00, 0x00..=0x7f, ..] | [0xff, 0x80..=0xff, ..] = octets {
        octets = octets.get(1..).unwrap_or_default();
    }
    octets
}

fn message(message_id: i32, op: LdapOp) -> Vec<u8> {
    let mut octets = BytesMut::new();
    let written =
        LdapCodec::default().encode(LdapMsg { msgid: message_id, op, ctrl: Vec::new() }, &mut octets);
    debug_assert!(written.is_ok(), "a buffer in memory takes everything");
    octets.into()
}

fn oid(octets: &[u8]) -> String {
    octets.iter().copied().map(char::from).collect()
}
