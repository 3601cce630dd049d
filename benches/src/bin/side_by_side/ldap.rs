//! LDAP messages, RFC 4511: bind and search as a phone book is asked, and large ones in both directions.

use std::io;

/// The host that is asked for.
pub(crate) const NAME: &str = "bench.example.com";

/// A message of a bulk transfer, about.
const LARGE: usize = 60 << 10;
/// A small message, exactly.
const SMALL: usize = 200;

const BIND: u8 = 0x60;
const BIND_DONE: u8 = 0x61;
const UNBIND: u8 = 0x42;
const SEARCH: u8 = 0x63;
const ENTRY: u8 = 0x64;
const SEARCH_DONE: u8 = 0x65;
const ADD: u8 = 0x68;
const ADD_DONE: u8 = 0x69;

const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const ENUMERATED: u8 = 0x0a;
const BOOLEAN: u8 = 0x01;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;

/// A simple bind that names the host.
pub(crate) fn bind() -> Vec<u8> {
    let name = format!("{NAME}\\bench");
    message(1, BIND, &[element(INTEGER, &[3]), element(OCTETS, name.as_bytes()), element(0x80, b"secret")])
}

/// A search of 200 octets.
pub(crate) fn question(id: u32) -> Vec<u8> {
    padded(|padding| search(id, &format!("ou={padding}")))
}

/// A search for as many large entries.
pub(crate) fn bulk(entries: u32) -> Vec<u8> {
    search(2, &format!("{BULK}{entries}"))
}

/// Ends the connection.
pub(crate) fn unbind() -> Vec<u8> {
    message(3, UNBIND, &[])
}

/// What the service says to a bind, or to a search that is not for bulk: the base comes back.
pub(crate) fn answer(request: &[u8]) -> Option<Vec<u8>> {
    let request = Message::read(request)?;
    match request.operation {
        BIND => Some(message(request.id, BIND_DONE, &result("", ""))),
        SEARCH => Some(padded(|padding| search_done(request.id, padding, request.name))),
        _ => None,
    }
}

/// The search for bulk, if it is one: how many entries.
pub(crate) fn bulk_asked(request: &[u8]) -> Option<u32> {
    let request = Message::read(request)?;
    request.name.strip_prefix(BULK)?.parse().ok()
}

/// After the last entry.
pub(crate) fn bulk_done() -> Vec<u8> {
    message(2, SEARCH_DONE, &result("", ""))
}

/// A large entry, or a large request to add one, as it is for any number; [`Numbered::at`] makes it one.
pub(crate) fn entry() -> Numbered {
    Numbered::new(message(2, ENTRY, &[element(OCTETS, NUMBER.as_bytes()), attributes()]))
}

/// See [`entry`].
pub(crate) fn add() -> Numbered {
    Numbered::new(message(2, ADD, &[element(OCTETS, NUMBER.as_bytes()), attributes()]))
}

/// The answer to one [`add`].
pub(crate) fn added() -> Vec<u8> {
    message(2, ADD_DONE, &result("", ""))
}

pub(crate) fn is_add(request: &[u8]) -> bool {
    Message::read(request).is_some_and(|message| message.operation == ADD)
}

pub(crate) fn is_unbind(request: &[u8]) -> bool {
    Message::read(request).is_some_and(|message| message.operation == UNBIND)
}

/// A large message that carries a number.
pub(crate) struct Numbered {
    octets: Vec<u8>,
    at: usize,
}

impl Numbered {
    fn new(octets: Vec<u8>) -> Self {
        let found = octets.windows(NUMBER.len()).position(|window| window == NUMBER.as_bytes());
        Self { at: found.expect("the number was put in"), octets }
    }

    /// The message with this number.
    pub(crate) fn at(&mut self, number: u32) -> &[u8] {
        let text = format!("cn={number:09}");
        self.octets[self.at..self.at + NUMBER.len()].copy_from_slice(text.as_bytes());
        &self.octets
    }

    /// How many of them make so many octets.
    pub(crate) fn count_for(&self, octets: u64) -> u32 {
        u32::try_from(octets.div_ceil(self.octets.len() as u64)).unwrap_or(u32::MAX)
    }

    pub(crate) fn megabytes(&self, count: u32) -> f64 {
        f64::from(count) * self.octets.len() as f64 / 1e6
    }
}

const NUMBER: &str = "cn=000000000";
const BULK: &str = "ou=bulk-";

/// How long the message is, once its header is there.
pub(crate) fn length(octets: &[u8]) -> io::Result<Option<usize>> {
    match octets {
        [] | [SEQUENCE] | [SEQUENCE, 0x81..=0x84] => Ok(None),
        [SEQUENCE, short @ ..=0x7f, ..] => Ok(Some(2 + usize::from(*short))),
        [SEQUENCE, long @ 0x81..=0x84, rest @ ..] => {
            let Some(length) = rest.get(..usize::from(long & 0x7f)) else { return Ok(None) };
            let value = length.iter().fold(0, |value, octet| value << 8 | usize::from(*octet));
            Ok(Some(2 + length.len() + value))
        }
        _ => Err(io::Error::other("not LDAP")),
    }
}

/// What is read of a request: the name is that of the bind, the base or the new entry.
struct Message<'a> {
    id: u32,
    operation: u8,
    name: &'a str,
}

impl<'a> Message<'a> {
    fn read(octets: &'a [u8]) -> Option<Self> {
        let (_, body, _) = split(octets)?;
        let (_, id, rest) = split(body)?;
        let id = id.iter().fold(0, |value, octet| value << 8 | u32::from(*octet));
        let (operation, content, _) = split(rest)?;
        let content = if operation == BIND { split(content)?.2 } else { content };
        let name = split(content).map_or(&b""[..], |(_, name, _)| name);
        Some(Self { id, operation, name: std::str::from_utf8(name).ok()? })
    }
}

/// The element at the front: tag, content, what follows.
fn split(octets: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = octets.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        ..=0x7f => (usize::from(first), rest),
        _ => {
            let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (length.iter().fold(0, |value, octet| value << 8 | usize::from(*octet)), rest)
        }
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

fn search(id: u32, base: &str) -> Vec<u8> {
    let parts = [
        element(OCTETS, base.as_bytes()),
        element(ENUMERATED, &[2]),
        element(ENUMERATED, &[0]),
        element(INTEGER, &[0]),
        element(INTEGER, &[0]),
        element(BOOLEAN, &[0]),
        element(0x87, b"objectClass"),
        element(SEQUENCE, b""),
    ];
    message(id, SEARCH, &parts)
}

fn search_done(id: u32, matched: &str, text: &str) -> Vec<u8> {
    message(id, SEARCH_DONE, &result(matched, text))
}

fn result(matched: &str, text: &str) -> [Vec<u8>; 3] {
    [element(ENUMERATED, &[0]), element(OCTETS, matched.as_bytes()), element(OCTETS, text.as_bytes())]
}

/// One attribute that is nearly all of a large message.
fn attributes() -> Vec<u8> {
    let value = [b'x'; LARGE - 64];
    let attribute = [element(OCTETS, b"description"), element(SET, &element(OCTETS, &value))].concat();
    element(SEQUENCE, &element(SEQUENCE, &attribute))
}

/// The message with as much padding as makes it [`SMALL`].
fn padded(build: impl Fn(&str) -> Vec<u8>) -> Vec<u8> {
    let padding = ["p"; SMALL].concat();
    let mut missing = SMALL.saturating_sub(build("").len());
    loop {
        // Lengths of 128 and more take more octets themselves.
        let message = build(&padding[..missing]);
        if message.len() <= SMALL || missing == 0 {
            return message;
        }
        missing -= 1;
    }
}

fn message(id: u32, operation: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    let id = id.to_be_bytes();
    // The shortest form that stays positive.
    let start = (0..3).take_while(|at| id[*at] == 0 && id[at + 1] < 0x80).count();
    element(SEQUENCE, &[element(INTEGER, &id[start..]), element(operation, &parts.concat())].concat())
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let zeros = length.iter().take_while(|octet| **octet == 0).count();
    let mut octets = vec![tag];
    match &length[zeros..] {
        [] => octets.push(0),
        [short @ ..=0x7f] => octets.push(*short),
        long => {
            octets.extend((0x80..).nth(long.len()));
            octets.extend_from_slice(long);
        }
    }
    octets.extend_from_slice(content);
    octets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parser_takes_what_is_sent() {
        for message in
            [bind(), question(1 << 20), bulk(3), unbind(), add().octets, entry().octets, bulk_done()]
        {
            assert_eq!(length(&message).unwrap(), Some(message.len()));
            assert!(Message::read(&message).is_some());
        }
        let bind = bind();
        let Ok(rp_ldap::Key { request: rp_ldap::Request::Bind(bind), .. }) = rp_ldap::extract(&bind) else {
            panic!("no bind");
        };
        assert_eq!(bind.domain.text(&mut [0; rp_ldap::MAX_DOMAIN]), Some(NAME));
    }

    #[test]
    fn a_question_and_its_answer_have_200_octets() {
        for id in [2, 200, 1 << 20] {
            let question = question(id);
            assert_eq!((question.len(), answer(&question).unwrap().len()), (SMALL, SMALL));
        }
    }
}
