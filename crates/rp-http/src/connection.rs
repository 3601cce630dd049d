//! Connection (RFC 9110 7.6.1): what concerns this connection only.

use crate::{Fields, Reason, Version, fields::Field, framing::FramingFields, octets::elements};

/// More options in the Connection fields of a head are refused: each is compared with each field.
const MAX_OPTIONS: u8 = 100;

/// What the Connection fields of a head ask for, taken together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connection {
    /// `close`: the connection ends after this exchange.
    pub close: bool,
    /// `keep-alive`: an HTTP/1.0 peer wants the connection to stay open.
    pub keep_alive: bool,
    /// `upgrade`: the Upgrade field is meant.
    pub upgrade: bool,
    /// Other options name fields that must not be passed on.
    pub(crate) names_fields: bool,
    count: u8,
}

impl Connection {
    /// Reads one Connection field more.
    pub(crate) fn read(&mut self, value: &[u8]) -> Result<(), Reason> {
        for option in elements(value) {
            self.count = self.count.saturating_add(1);
            if self.count > MAX_OPTIONS {
                return Err(Reason::TooManyFields);
            }
            self.read_option(option)?;
        }
        Ok(())
    }

    fn read_option(&mut self, option: &[u8]) -> Result<(), Reason> {
        let is = |word: &[u8]| option.eq_ignore_ascii_case(word);
        if is(b"close") {
            self.close = true;
        } else if is(b"keep-alive") {
            self.keep_alive = true;
        } else if is(b"upgrade") {
            self.upgrade = true;
        } else if is(b"host") || is(b"content-length") || is(b"transfer-encoding") {
            // Whoever obeyed would lose the framing or the host; no honest client does it.
            return Err(Reason::ConnectionNamesFraming);
        } else {
            self.names_fields = true;
        }
        Ok(())
    }

    /// RFC 9112 9.3.
    pub(crate) fn keeps_alive(&self, version: Version) -> bool {
        !self.close && (version == Version::Http11 || self.keep_alive)
    }

    /// Some Connection field of `fields` names the field `name`.
    pub(crate) fn names(&self, fields: Fields<'_>, name: &[u8]) -> bool {
        self.names_fields
            && fields
                .all(b"connection")
                .any(|value| elements(value).any(|option| option.eq_ignore_ascii_case(name)))
    }
}

/// What has been met in the fields of a head, request or answer, that frame the body or concern the
/// connection.
#[derive(Default)]
pub(crate) struct Hop {
    pub(crate) framing: FramingFields,
    pub(crate) connection: Connection,
    names_websocket: bool,
}

impl Hop {
    /// Takes a field if it is one of these.
    pub(crate) fn take(&mut self, field: &Field<'_>, version: Version) -> Result<(), Reason> {
        let is = |name: &[u8]| field.name.eq_ignore_ascii_case(name);
        match field.name.len() {
            7 if is(b"upgrade") => {
                self.names_websocket |=
                    elements(field.value).any(|protocol| protocol.eq_ignore_ascii_case(b"websocket"));
                Ok(())
            }
            10 if is(b"connection") => self.connection.read(field.value),
            14 if is(b"content-length") => self.framing.content_length(field.value),
            17 if is(b"transfer-encoding") => self.framing.transfer_encoding(field.value, version),
            _ => Ok(()),
        }
    }

    /// The head asks for, or grants, a WebSocket (RFC 6455 4). Upgrade means nothing without the option of
    /// Connection, nor in HTTP/1.0 (RFC 9110 7.8).
    pub(crate) fn upgrades_to_websocket(&self, version: Version) -> bool {
        self.names_websocket && self.connection.upgrade && version == Version::Http11
    }
}
