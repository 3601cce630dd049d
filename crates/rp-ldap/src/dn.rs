//! Distinguished names: the grammar of RFC 4514 3, and what RFC 2253 4 asks to accept from older clients:
//! `;` between RDNs, quoted values, spaces around separators, and `OID.` before a dotted type.
//!
//! ```text
//! DN    = RDN *( ( "," / ";" ) RDN )
//! RDN   = type "=" value *( "+" type "=" value )
//! value = *( octet / pair ) / DQUOTE *( octet / pair ) DQUOTE / "#" 1*( HEX HEX )
//! pair  = "\" ( special / HEX HEX )
//! ```

use core::{iter, str};

use crate::bind_name::{MAX_DOMAIN, MAX_LABEL, is_label_octet};

/// The end of `name` that holds its domain: from the first RDN behind the last one without a DC on.
/// None if `name` is no DN, or these RDNs are not such that they are a domain.
pub(crate) fn domain_components(name: &[u8]) -> Option<&[u8]> {
    let mut run: Option<Run<'_>> = None;
    let mut rest = Some(name);
    while let Some(start) = rest {
        let (rdn, behind) = Rdn::read(start)?;
        run = match rdn {
            Rdn::Foreign => None,
            // A value of a DC that shares its RDN, or is no label, leaves no domain. Were it skipped,
            // the rest would name a domain that is not the client's.
            Rdn::Mixed => Some(Run { start, length: None }),
            Rdn::Component(value) => {
                let run = run.unwrap_or(Run { start, length: Some(0) });
                Some(run.with(label_length(value)))
            }
        };
        rest = behind;
    }
    run.filter(|run| run.length.is_some()).map(|run| run.start)
}

/// Writes the values of `components`, which [`domain_components`] gave, joined by dots (RFC 2247 2).
pub(crate) fn join<'b>(components: &[u8], buffer: &'b mut [u8; MAX_DOMAIN]) -> Option<&'b str> {
    let mut free = buffer.iter_mut();
    let mut length = 0_usize;
    let mut rest = Some(components);
    while let Some(start) = rest {
        let (Rdn::Component(value), behind) = Rdn::read(start)? else { return None };
        let dot = (length > 0).then_some(b'.');
        for octet in dot.into_iter().chain(unescaped(value)) {
            *free.next()? = octet;
            length = length.saturating_add(1);
        }
        rest = behind;
    }
    str::from_utf8(buffer.get(..length)?).ok()
}

/// RDNs in a row that each have a DC.
struct Run<'a> {
    /// The name from the first of them on.
    start: &'a [u8],
    /// The length of the domain that they make, if they make one.
    length: Option<usize>,
}

impl<'a> Run<'a> {
    fn with(self, label: Option<usize>) -> Self {
        let length = match (self.length, label) {
            (Some(0), Some(label)) => Some(label),
            (Some(length), Some(label)) => length.checked_add(label).and_then(|sum| sum.checked_add(1)),
            _ => None,
        };
        Self { length: length.filter(|&length| length <= MAX_DOMAIN), ..self }
    }
}

/// A relative distinguished name, as far as it matters for the domain.
enum Rdn<'a> {
    /// A DC alone, with its value as written, without quotes.
    Component(&'a [u8]),
    /// A DC with other types or with another DC.
    Mixed,
    /// No DC at all.
    Foreign,
}

impl<'a> Rdn<'a> {
    /// The RDN at the front of `name`, and what stands behind the separator, if there is one.
    fn read(name: &'a [u8]) -> Option<(Self, Option<&'a [u8]>)> {
        let (mut is_component, value, mut rest) = attribute(name)?;
        let mut is_alone = true;
        while let [b'+', more @ ..] = rest {
            let (another, _, behind) = attribute(more)?;
            is_component |= another;
            is_alone = false;
            rest = behind;
        }
        let rdn = match (is_component, is_alone) {
            (true, true) => Self::Component(value),
            (true, false) => Self::Mixed,
            (false, _) => Self::Foreign,
        };
        match rest {
            [] => Some((rdn, None)),
            [b',' | b';', behind @ ..] => Some((rdn, Some(behind))),
            _ => None,
        }
    }
}

/// Reads `type=value` with the spaces around it: whether the type is DC, the value as written, the rest.
fn attribute(name: &[u8]) -> Option<(bool, &[u8], &[u8])> {
    let (kind, rest) = attribute_type(skip_spaces(name))?;
    let [b'=', rest @ ..] = skip_spaces(rest) else { return None };
    let (value, rest) = match skip_spaces(rest) {
        [b'"', quoted @ ..] => quoted_value(quoted)?,
        hex @ [b'#', ..] => hex_value(hex)?,
        plain => plain_value(plain)?,
    };
    Some((is_domain_component(kind), value, skip_spaces(rest)))
}

/// RFC 4512 1.4: a descriptor begins with a letter, an OID is numbers joined by dots. RFC 2253 4 allows
/// `OID.` before the latter. An option, as in `CN;lang-en`, is no part of a DN.
fn attribute_type(name: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = name.iter().position(|&o| !(o.is_ascii_alphanumeric() || matches!(o, b'-' | b'.')));
    let (kind, rest) = name.split_at_checked(end?)?;
    let number = match kind.split_first_chunk::<4>() {
        Some((prefix, number)) if prefix.eq_ignore_ascii_case(b"OID.") => number,
        _ => kind,
    };
    let is_descriptor = kind.first()?.is_ascii_alphabetic() && !kind.contains(&b'.');
    (is_descriptor || is_oid(number)).then_some((if is_descriptor { kind } else { number }, rest))
}

fn is_oid(number: &[u8]) -> bool {
    let is_arc = |arc: &[u8]| !arc.is_empty() && arc.iter().all(u8::is_ascii_digit);
    number.contains(&b'.') && number.split(|&octet| octet == b'.').all(is_arc)
}

/// The names of the domain component (RFC 4519 2.4), in any letter case.
fn is_domain_component(kind: &[u8]) -> bool {
    match kind.len() {
        2 => kind.eq_ignore_ascii_case(b"dc"),
        _ => kind.eq_ignore_ascii_case(b"domainComponent") || kind == b"0.9.2342.19200300.100.1.25",
    }
}

/// A value up to the next separator that is not escaped, without the spaces behind it.
fn plain_value(start: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut rest = start;
    // What follows the last octet that is not a bare space.
    let mut behind = start;
    loop {
        rest = match rest {
            [] | [b',' | b';' | b'+', ..] => break,
            [b'"' | 0, ..] => return None,
            [b' ', more @ ..] => {
                rest = more;
                continue;
            }
            [b'\\', more @ ..] => pair(more)?.1,
            [_, more @ ..] => more,
        };
        behind = rest;
    }
    let value = start.get(..start.len().checked_sub(behind.len())?)?;
    Some((value, rest))
}

/// A value up to the closing quote, from behind the opening one.
fn quoted_value(start: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut rest = start;
    loop {
        rest = match rest {
            [] => return None,
            [b'"', behind @ ..] => {
                let value = start.get(..start.len().checked_sub(rest.len())?)?;
                return Some((value, behind));
            }
            [b'\\', more @ ..] => pair(more)?.1,
            [_, more @ ..] => more,
        };
    }
}

/// A BER encoding in hexadecimal, with the `#` before it. It is never read as a label: its octets hold a
/// tag and a length.
fn hex_value(start: &[u8]) -> Option<(&[u8], &[u8])> {
    let digits = start.iter().skip(1).take_while(|octet| octet.is_ascii_hexdigit()).count();
    let sound = digits > 0 && digits.is_multiple_of(2);
    sound.then(|| start.split_at_checked(digits.checked_add(1)?)).flatten()
}

/// What stands behind a `\`: one of the special characters or two hexadecimal digits; and the rest.
fn pair(behind_backslash: &[u8]) -> Option<(u8, &[u8])> {
    match behind_backslash {
        [special @ (b' ' | b'"' | b'#' | b'+' | b',' | b';' | b'<' | b'=' | b'>' | b'\\'), rest @ ..] => {
            Some((*special, rest))
        }
        [high, low, rest @ ..] => Some(((hex_digit(*high)? << 4) | hex_digit(*low)?, rest)),
        _ => None,
    }
}

fn hex_digit(octet: u8) -> Option<u8> {
    char::from(octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// The octets that a value stands for.
fn unescaped(mut value: &[u8]) -> impl Iterator<Item = u8> {
    iter::from_fn(move || {
        let (octet, rest) = match value {
            [b'\\', more @ ..] => pair(more)?,
            [octet, more @ ..] => (*octet, more),
            [] => return None,
        };
        value = rest;
        Some(octet)
    })
}

/// The length of the label that a value stands for.
fn label_length(value: &[u8]) -> Option<usize> {
    let mut length = 0_usize;
    for octet in unescaped(value) {
        if !is_label_octet(octet) {
            return None;
        }
        length = length.saturating_add(1);
    }
    (1..=MAX_LABEL).contains(&length).then_some(length)
}

fn skip_spaces(mut name: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] = name {
        name = rest;
    }
    name
}
