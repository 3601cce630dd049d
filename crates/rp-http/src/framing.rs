//! How a body ends (RFC 9112 6).

use crate::{
    Reason, Version,
    octets::{TOKEN, trim},
};

/// How the body of a request ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    None,
    /// After so many octets.
    Length(u64),
    /// With the last chunk.
    Chunked,
}

/// How the body of an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseFraming {
    /// There is no body.
    None,
    /// After so many octets.
    Length(u64),
    /// With the last chunk.
    Chunked,
    /// With the connection.
    UntilClose,
}

impl From<Framing> for ResponseFraming {
    fn from(framing: Framing) -> Self {
        match framing {
            Framing::None => Self::None,
            Framing::Length(length) => Self::Length(length),
            Framing::Chunked => Self::Chunked,
        }
    }
}

/// The framing fields met so far in a head.
#[derive(Clone, Copy, Default)]
pub(crate) struct FramingFields {
    length: Option<u64>,
    codings: Option<Codings>,
}

/// What a well-formed Transfer-Encoding says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Codings {
    Chunked,
    /// Something that others may know.
    Unknown,
}

impl FramingFields {
    /// Content-Length (RFC 9110 8.6).
    pub(crate) fn content_length(&mut self, value: &[u8]) -> Result<(), Reason> {
        // RFC 9112 6.3 item 5 would allow equal ones; whoever takes the first and whoever takes the last of
        // two do not agree, and no client sends two.
        if self.length.is_some() {
            return Err(Reason::ContentLengthRepeated);
        }
        self.length = Some(parse_length(value).ok_or(Reason::ContentLengthSyntax)?);
        Ok(())
    }

    /// Transfer-Encoding (RFC 9112 6.1).
    pub(crate) fn transfer_encoding(&mut self, value: &[u8], version: Version) -> Result<(), Reason> {
        if self.codings.is_some() {
            return Err(Reason::TransferEncodingRepeated);
        }
        // RFC 9112 6.1: in HTTP/1.0 the framing is faulty.
        if version == Version::Http10 {
            return Err(Reason::TransferEncodingIn10);
        }
        self.codings = Some(parse_codings(value)?);
        Ok(())
    }

    /// The framing of a request, after the last field (RFC 9112 6.3).
    pub(crate) fn of_request(self) -> Result<Framing, Reason> {
        match (self.codings, self.length) {
            // RFC 9112 6.1: not implemented.
            (Some(Codings::Unknown), _) => Err(Reason::TransferCodingUnknown),
            // Item 3 lets Transfer-Encoding win, and warns that both together are an attempt at smuggling.
            (Some(Codings::Chunked), Some(_)) => Err(Reason::TwoFramings),
            (Some(Codings::Chunked), None) => Ok(Framing::Chunked),
            (None, Some(length)) => Ok(Framing::Length(length)),
            // Item 7: a request that says nothing has no body.
            (None, None) => Ok(Framing::None),
        }
    }

    /// The framing of an answer that may have a body (RFC 9112 6.3).
    pub(crate) fn of_response(self) -> Result<ResponseFraming, Reason> {
        match self.of_request()? {
            // Item 8: an answer that says nothing ends with the connection.
            Framing::None => Ok(ResponseFraming::UntilClose),
            framing => Ok(framing.into()),
        }
    }

    pub(crate) fn length(self) -> Option<u64> {
        self.length
    }
}

/// `Content-Length = 1*DIGIT` (RFC 9110 8.6), at most 18, so that no reader's number overflows.
fn parse_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() || value.len() > 18 {
        return None;
    }
    value.iter().try_fold(0_u64, |length, octet| {
        let digit = octet.checked_sub(b'0').filter(|&digit| digit <= 9)?;
        length.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// Only `chunked` alone is a coding that is known here; `chunked` must be last, and once (RFC 9112 6.1).
fn parse_codings(value: &[u8]) -> Result<Codings, Reason> {
    if value.eq_ignore_ascii_case(b"chunked") {
        return Ok(Codings::Chunked);
    }
    let mut chunked_before = false;
    for coding in value.split(|&octet| octet == b',').map(trim) {
        if coding.is_empty() || TOKEN.run(coding) != coding.len() || chunked_before {
            return Err(Reason::TransferEncodingSyntax);
        }
        chunked_before = coding.eq_ignore_ascii_case(b"chunked");
    }
    Ok(Codings::Unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_plain_decimal_numbers() {
        assert_eq!(parse_length(b"0"), Some(0));
        assert_eq!(parse_length(b"005"), Some(5));
        assert_eq!(parse_length(b"999999999999999999"), Some(999_999_999_999_999_999));
        for value in [
            "",
            "+5",
            "-5",
            "0x5",
            "5.0",
            "1_0",
            "\"5\"",
            "5 5",
            "5,5",
            "5, 5",
            "\u{b2}",
            "0000000000000000005",
        ] {
            assert_eq!(parse_length(value.as_bytes()), None, "{value}");
        }
    }

    #[test]
    fn only_chunked_is_taken_and_lists_are_not_implemented() {
        for value in ["chunked", "CHUNKED", "cHuNkEd"] {
            assert_eq!(parse_codings(value.as_bytes()), Ok(Codings::Chunked), "{value}");
        }
        for value in ["gzip", "identity", "xchunked", "gzip, chunked", "gzip ,\tdeflate,chunked"] {
            assert_eq!(parse_codings(value.as_bytes()), Ok(Codings::Unknown), "{value}");
        }
        for value in [
            "",
            ",",
            ", chunked",
            "chunked,",
            "chunked, chunked",
            "chunked, gzip",
            "chunked;q=1",
            "\"chunked\"",
            "gzip;q=1, chunked",
            "gzip chunked",
            "chunked\u{a0}",
        ] {
            assert_eq!(parse_codings(value.as_bytes()), Err(Reason::TransferEncodingSyntax), "{value}");
        }
    }
}
