//! Builds messages: the answers that a proxy gives itself, and what a probe or a stand-in directory says.
//!
//! All lengths and numbers are minimal, as RFC 4511 5.1 allows and every peer understands.

extern crate alloc;

use alloc::vec::Vec;

use crate::{
    ber::{CONTEXT, ENUMERATED, INTEGER, OCTET_STRING, SEQUENCE},
    message::{NOTICE_OF_DISCONNECTION, ResultCode, START_TLS, Tag},
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
    message(message_id, &element(Tag::BIND_RESPONSE.0, &[&outcome(code, text)]))
}

/// The answer that ends a request of the kind `request`; none if such a request gets no answer.
pub fn result(request: Tag, message_id: i32, code: ResultCode, text: &str) -> Option<Vec<u8>> {
    let answer = request.answer()?;
    Some(message(message_id, &element(answer.0, &[&outcome(code, text)])))
}

/// The unsolicited notification that the connection ends (RFC 4511 4.4.1).
pub fn notice_of_disconnection(code: ResultCode) -> Vec<u8> {
    extended_response(0, code, NOTICE_OF_DISCONNECTION)
}

/// The answer to a StartTLS request (RFC 4511 4.14.2).
pub fn start_tls_response(message_id: i32, code: ResultCode) -> Vec<u8> {
    extended_response(message_id, code, START_TLS)
}

/// The answer that ends a search.
pub fn search_done(message_id: i32, code: ResultCode, text: &str) -> Vec<u8> {
    message(message_id, &element(Tag::SEARCH_RESULT_DONE.0, &[&outcome(code, text)]))
}

/// An entry that a search found: attributes with their values (RFC 4511 4.5.2).
pub fn search_entry(message_id: i32, dn: &str, attributes: &[(&str, &[&str])]) -> Vec<u8> {
    const SET: u8 = 0x31;
    let mut list = Vec::new();
    for (name, values) in attributes {
        let values: Vec<u8> = values.iter().flat_map(|value| string(value.as_bytes())).collect();
        list.extend(element(SEQUENCE, &[&string(name.as_bytes()), &element(SET, &[&values])]));
    }
    let content: [&[u8]; 2] = [&string(dn.as_bytes()), &element(SEQUENCE, &[&list])];
    message(message_id, &element(Tag::SEARCH_RESULT_ENTRY.0, &content))
}

/// A bind with a password, LDAP version 3 (RFC 4511 4.2). With two empty texts it is the anonymous bind.
pub fn simple_bind_request(message_id: i32, name: &str, password: &str) -> Vec<u8> {
    let content: [&[u8]; 3] =
        [&number(INTEGER, 3), &string(name.as_bytes()), &element(CONTEXT, &[password.as_bytes()])];
    message(message_id, &element(Tag::BIND_REQUEST.0, &content))
}

/// The request that ends a connection.
pub fn unbind_request(message_id: i32) -> Vec<u8> {
    message(message_id, &element(Tag::UNBIND_REQUEST.0, &[]))
}

/// The request to go on with TLS.
pub fn start_tls_request(message_id: i32) -> Vec<u8> {
    message(message_id, &element(Tag::EXTENDED_REQUEST.0, &[&element(CONTEXT, &[START_TLS])]))
}

/// A search for all attributes, without limits of size and time, that follows no aliases
/// (RFC 4511 4.5.1).
pub fn search_request(message_id: i32, base: &str, scope: Scope, filter: Filter<'_>) -> Vec<u8> {
    const BOOLEAN: u8 = 0x01;
    let scope = match scope {
        Scope::Base => 0,
        Scope::OneLevel => 1,
        Scope::Subtree => 2,
    };
    let content: [&[u8]; 8] = [
        &string(base.as_bytes()),
        &number(ENUMERATED, scope),
        &number(ENUMERATED, 0),
        &number(INTEGER, 0),
        &number(INTEGER, 0),
        &element(BOOLEAN, &[&[0]]),
        &filter_octets(filter),
        &element(SEQUENCE, &[]),
    ];
    message(message_id, &element(Tag::SEARCH_REQUEST.0, &content))
}

fn filter_octets(filter: Filter<'_>) -> Vec<u8> {
    const PRESENT: u8 = 0x87;
    const EQUALITY: u8 = 0xa3;
    match filter {
        Filter::Present(name) => element(PRESENT, &[name.as_bytes()]),
        Filter::Equality(name, value) => {
            element(EQUALITY, &[&string(name.as_bytes()), &string(value.as_bytes())])
        }
    }
}

/// `ExtendedResponse ::= [APPLICATION 24] SEQUENCE { COMPONENTS OF LDAPResult, responseName [10] LDAPOID
/// OPTIONAL, ... }` (RFC 4511 4.12).
fn extended_response(message_id: i32, code: ResultCode, oid: &[u8]) -> Vec<u8> {
    const RESPONSE_NAME: u8 = 0x8a;
    let content: [&[u8]; 2] = [&outcome(code, ""), &element(RESPONSE_NAME, &[oid])];
    message(message_id, &element(Tag::EXTENDED_RESPONSE.0, &content))
}

/// The components of an LDAPResult (RFC 4511 4.1.9), without a matched DN.
fn outcome(code: ResultCode, text: &str) -> Vec<u8> {
    [number(ENUMERATED, code.0), string(b""), string(text.as_bytes())].concat()
}

fn message(message_id: i32, operation: &[u8]) -> Vec<u8> {
    element(SEQUENCE, &[&number(INTEGER, message_id), operation])
}

fn string(octets: &[u8]) -> Vec<u8> {
    element(OCTET_STRING, &[octets])
}

/// An INTEGER or ENUMERATED in as few octets as it needs (X.690 8.3.2).
fn number(tag: u8, value: i32) -> Vec<u8> {
    let octets = value.to_be_bytes();
    let mut content = octets.as_slice();
    while let [0x00, 0x00..=0x7f, ..] | [0xff, 0x80..=0xff, ..] = content {
        content = content.get(1..).unwrap_or_default();
    }
    element(tag, &[content])
}

fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length = parts.iter().map(|part| part.len()).sum::<usize>();
    let mut octets = Vec::with_capacity(length.saturating_add(6));
    octets.push(tag);
    push_length(&mut octets, length);
    parts.iter().for_each(|part| octets.extend_from_slice(part));
    octets
}

/// X.690 8.1.3: below 128 one octet, otherwise as few as needed, with their number before them.
fn push_length(octets: &mut Vec<u8>, length: usize) {
    match u8::try_from(length) {
        Ok(short @ 0..=0x7f) => octets.push(short),
        _ => {
            let long = length.to_be_bytes();
            let significant = || long.iter().copied().skip_while(|&octet| octet == 0);
            octets.push(significant().fold(0x80, |first: u8, _| first.saturating_add(1)));
            octets.extend(significant());
        }
    }
}
