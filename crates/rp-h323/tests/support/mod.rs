//! A small writer of aligned PER, so that tests can say things that no encoder would.
#![allow(dead_code, reason = "each test file uses a part")]

use std::fmt::Write as _;

use rp_h323::{Error, Invalid, Key, Reason, extract};
use rp_testkit::{Decision, corpus};

pub(crate) fn corpus() -> Vec<corpus::Case> {
    corpus::load(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus"), "bin")
}

pub(crate) fn corpus_file(name: &str) -> Vec<u8> {
    corpus().into_iter().find(|case| case.name == name).unwrap_or_else(|| panic!("no case {name}")).bytes
}

/// Whether a service sends it.
pub(crate) fn is_answer(case: &corpus::Case) -> bool {
    ["rcf", "gcf", "rrj_", "grj_", "release_complete"].iter().any(|prefix| case.name.starts_with(prefix))
}

/// Everything that can be read from a key, as text.
pub(crate) fn describe(key: &Key<'_>) -> String {
    let mut text = String::new();
    for request in key.requests() {
        writeln!(
            text,
            "{request:?} {} {:?} {:?} {:?}",
            request.keep_alive(),
            request.endpoint_identifier(),
            request.call_identifier(),
            request.called_user()
        )
        .unwrap();
    }
    text
}

pub(crate) fn decide(input: &[u8]) -> Decision {
    match extract(input) {
        Ok(key) => Decision::key((key, describe(&key))),
        Err(Error::Incomplete(n)) => Decision::Incomplete(n.get()),
        Err(Error::Invalid(invalid)) => Decision::invalid(invalid),
    }
}

pub(crate) fn invalid(input: &[u8]) -> Invalid {
    match extract(input) {
        Err(Error::Invalid(invalid)) => invalid,
        other => panic!("not refused: {other:?}"),
    }
}

pub(crate) fn reason(input: &[u8]) -> Reason {
    invalid(input).reason
}

/// Bits, then octets: every method that writes octets aligns first.
#[derive(Clone, Default)]
pub(crate) struct Per {
    octets: Vec<u8>,
    free: u32,
}

impl Per {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn bits(mut self, value: u32, count: u32) -> Self {
        for place in (0..count).rev() {
            if self.free == 0 {
                self.octets.push(0);
                self.free = 8;
            }
            self.free -= 1;
            let bit = ((value >> place) & 1) as u8;
            *self.octets.last_mut().unwrap() |= bit << self.free;
        }
        self
    }

    pub(crate) fn octets(mut self, octets: &[u8]) -> Self {
        self.octets.extend_from_slice(octets);
        self.free = 0;
        self
    }

    pub(crate) fn number16(self, value: usize) -> Self {
        self.octets(&u16::try_from(value).unwrap().to_be_bytes())
    }

    pub(crate) fn length(self, len: usize) -> Self {
        match len {
            0..0x80 => self.octets(&[u8::try_from(len).unwrap()]),
            _ => self.number16(0x8000 | len),
        }
    }

    pub(crate) fn string(self, octets: &[u8]) -> Self {
        self.length(octets.len()).octets(octets)
    }

    /// As many times as said.
    pub(crate) fn times(self, count: usize, write: impl Fn(Self) -> Self) -> Self {
        (0..count).fold(self, |per, _| write(per))
    }

    /// The number of additions, and which are there.
    pub(crate) fn additions(self, present: &[bool]) -> Self {
        let count = u32::try_from(present.len() - 1).unwrap();
        assert!(count < 64);
        present.iter().fold(self.bits(count, 7), |per, bit| per.bits(u32::from(*bit), 1))
    }

    /// `count` additions, all there and empty but for one octet.
    pub(crate) fn full_additions(self, count: usize) -> Self {
        self.additions(&vec![true; count]).times(count, |per| per.string(&[0]))
    }

    pub(crate) fn build(self) -> Vec<u8> {
        self.octets
    }
}

pub(crate) fn tpkt(message: &[u8]) -> Vec<u8> {
    let len = u16::try_from(message.len() + 4).unwrap();
    [&[3, 0][..], &len.to_be_bytes(), message].concat()
}

pub(crate) fn q931(message_type: u8, elements: &[u8]) -> Vec<u8> {
    tpkt(&[&[0x08, 0x02, 0, 0, message_type][..], elements].concat())
}

pub(crate) fn user_user(contents: &[u8]) -> Vec<u8> {
    let len = u16::try_from(contents.len() + 1).unwrap();
    [&[0x7e][..], &len.to_be_bytes(), &[0x05], contents].concat()
}

pub(crate) const FACILITY: u8 = 0x62;
pub(crate) const SETUP: u8 = 0x05;
pub(crate) const PROTOCOL: &[u8] = &[0x00, 0x08, 0x91, 0x4a, 0x00, 0x07];

/// A Facility with an empty body and these contents of genericData.
pub(crate) fn facility(generic_data: &[u8]) -> Vec<u8> {
    let pdu = Per::new().bits(0b0010, 4).bits(0b1000_0001, 8).string(&[0]);
    let pdu = pdu.additions(&[false, true, false, false, false, false, false, false, true]);
    let pdu = pdu.string(&[0x80]).string(generic_data);
    q931(FACILITY, &user_user(&pdu.build()))
}

/// The head of one GenericData with so many parameters and this standard identifier.
pub(crate) fn generic_data(per: Per, id: usize, parameters: usize) -> Per {
    let per = per.bits(0b01, 2).bits(0b0000, 4).number16(id);
    per.number16(parameters - 1)
}

/// Parameter 1 with a RAS message in it.
pub(crate) fn ras_parameter(per: Per, ras: &[u8]) -> Per {
    parameter(per, 1).bits(0, 5).string(ras)
}

/// The head of a parameter with this standard identifier; its content follows.
pub(crate) fn parameter(per: Per, id: usize) -> Per {
    per.bits(0b01, 2).bits(0b0000, 4).number16(id)
}

/// What H.460.17 makes of these RAS messages.
pub(crate) fn tunnel(messages: &[Vec<u8>]) -> Vec<u8> {
    let per = generic_data(Per::new().length(1), 17, messages.len());
    facility(&messages.iter().fold(per, |per, ras| ras_parameter(per, ras)).build())
}

/// A registration request, whose parts are written by whoever wants them strange.
pub(crate) struct Rrq {
    pub(crate) addresses: fn(Per) -> Per,
    pub(crate) terminal: fn(Per) -> Per,
    pub(crate) aliases: fn(Per) -> Per,
    pub(crate) gatekeeper_id: &'static str,
    /// From endpointVendor on, if there are additions.
    pub(crate) rest: Option<fn(Per) -> Per>,
}

impl Default for Rrq {
    fn default() -> Self {
        Self {
            addresses: |per| per.length(0),
            terminal,
            aliases: |per| h323_id(per.length(1), "hq"),
            gatekeeper_id: "example.com",
            rest: None,
        }
    }
}

impl Rrq {
    pub(crate) fn ras(&self) -> Vec<u8> {
        let per = Per::new().bits(3, 6).bits(u32::from(self.rest.is_some()), 1).bits(0b011, 3);
        let per = per.number16(0).string(PROTOCOL).bits(0, 1);
        let per = (self.addresses)(per).length(0);
        let per = (self.terminal)(per);
        let per = identifier((self.aliases)(per), self.gatekeeper_id);
        match self.rest {
            Some(rest) => rest(per.bits(0, 3).bits(0, 1).octets(&[0; 4])).build(),
            None => per.bits(0, 3).bits(0, 1).octets(&[0; 4]).build(),
        }
    }

    pub(crate) fn frame(&self) -> Vec<u8> {
        tunnel(&[self.ras()])
    }
}

/// EndpointType of a terminal.
pub(crate) fn terminal(per: Per) -> Per {
    per.bits(0b000_0001, 7).bits(0, 2).bits(0, 2)
}

pub(crate) fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

pub(crate) fn identifier(per: Per, text: &str) -> Per {
    let octets = utf16(text);
    per.bits(u32::try_from(octets.len() / 2 - 1).unwrap(), 7).octets(&octets)
}

pub(crate) fn h323_id(per: Per, text: &str) -> Per {
    raw_h323_id(per, &utf16(text))
}

pub(crate) fn raw_h323_id(per: Per, octets: &[u8]) -> Per {
    per.bits(0b01, 2).octets(&[u8::try_from(octets.len() / 2 - 1).unwrap()]).octets(octets)
}

/// url-ID (0) or email-ID (2).
pub(crate) fn ia5_alias(per: Per, number: u32, text: &[u8]) -> Per {
    let contents = Per::new().number16(text.len() - 1).octets(text).build();
    per.bits(0b1, 1).bits(number, 7).string(&contents)
}

/// A Setup that calls these aliases.
pub(crate) fn setup(aliases: impl Fn(Per) -> Per) -> Vec<u8> {
    let per = Per::new().bits(0, 4).bits(0b0000, 4).bits(0b0001_0000, 8).string(PROTOCOL);
    q931(SETUP, &user_user(&aliases(terminal(per)).build()))
}
