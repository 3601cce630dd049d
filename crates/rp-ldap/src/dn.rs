//! Distinguished names: the grammar of RFC 4514 3, and what RFC 2253 4 asks to accept from older clients:
//! `;` between RDNs, quoted values, spaces around separators, and `OID.` before a dotted type.
//!
//! ```text
//! DN    = RDN *( ( "," / ";" ) RDN )
//! RDN   = type "=" value *( "+" type "=" value )
//! value = *( octet / pair ) / DQUOTE *( octet / pair ) DQUOTE / "#" 1*( HEX HEX )
//! pair  = "\" ( special / HEX HEX )      ; within quotes too, RFC 2253 3
//! ```

use core::{iter, str};

use crate::bind_name::{MAX_DOMAIN, MAX_LABEL, is_label_octet};

/// The end of `name` that holds its domain: from the first RDN behind the last one without a DC on.
/// None if `name` is no DN, or these RDNs are not such that they are a domain.
pub(crate) fn domain_components(name: &[u8]) -> Option<&[u8]> {
    // Where the DCs begin, and the length of their labels, each with a dot behind it.
    let (mut run, mut length) = (None, 0_usize);
    let mut rest = Some(name);
    while let Some(start) = rest {
        let (rdn, behind) = Rdn::read(start)?;
        match rdn {
            Rdn::Foreign => (run, length) = (None, 0),
            Rdn::Component { label } => {
                run = run.or(Some(start));
                // A DC that is no label leaves no domain. Were it skipped, the others would make a domain
                // that is not the client's.
                let label = label.map_or(usize::MAX, |label| label.saturating_add(1));
                length = length.saturating_add(label);
            }
        }
        rest = behind;
    }
    run.filter(|_| length <= MAX_DOMAIN.saturating_add(1))
}

/// Writes the values of `components`, which [`domain_components`] gave, joined by dots (RFC 2247 2).
///
/// They are known to be labels. So a separator is one, and what is neither space nor quote nor escaped is
/// an octet of a label.
pub(crate) fn join<'b>(components: &[u8], buffer: &'b mut [u8; MAX_DOMAIN]) -> Option<&'b str> {
    let mut free = buffer.as_mut_slice();
    let mut rest = components;
    'components: loop {
        rest = match rest {
            // `DC=`, and not one of its longer spellings.
            [_, _, b'=', value @ ..] => value,
            _ => rest.get(rest.iter().position(|&octet| octet == b'=')?..)?.get(1..)?,
        };
        loop {
            let (octets, behind) = split_at_label_end(rest)?;
            free = put(octets, free)?;
            rest = match behind {
                [] => break 'components,
                [b',' | b';', next @ ..] => {
                    free = put(b".", free)?;
                    rest = next;
                    break;
                }
                [b' ' | b'"', more @ ..] => more,
                [_backslash, more @ ..] => {
                    let (octet, more) = pair(more)?;
                    free = put(&[octet], free)?;
                    more
                }
            };
        }
    }
    let length = MAX_DOMAIN.checked_sub(free.len())?;
    str::from_utf8(buffer.get(..length)?).ok()
}

/// Writes `octets` at the front of `free`, and returns the rest of it.
fn put<'b>(octets: &[u8], free: &'b mut [u8]) -> Option<&'b mut [u8]> {
    let (place, free) = free.split_at_mut_checked(octets.len())?;
    place.copy_from_slice(octets);
    Some(free)
}

/// A relative distinguished name, as far as it matters for the domain.
enum Rdn {
    /// It has a DC. If that stands alone and is a label, then the length of the label.
    Component { label: Option<usize> },
    /// It has no DC.
    Foreign,
}

impl Rdn {
    /// The RDN at the front of `name`, and what stands behind the separator, if there is one.
    fn read(name: &[u8]) -> Option<(Self, Option<&[u8]>)> {
        let (mut has_component, mut is_alone, mut rest) = (false, true, name);
        loop {
            let attribute = Attribute::read(rest)?;
            has_component |= attribute.is_component;
            let next = match attribute.rest {
                [] => None,
                [b',' | b';', next @ ..] => Some(next),
                [b'+', more @ ..] => {
                    is_alone = false;
                    rest = more;
                    continue;
                }
                _ => return None,
            };
            let label = attribute.label.filter(|_| is_alone);
            return Some((if has_component { Self::Component { label } } else { Self::Foreign }, next));
        }
    }
}

/// A type and its value.
struct Attribute<'a> {
    is_component: bool,
    /// The length of the label that the value stands for, if it is one.
    label: Option<usize>,
    /// What stands behind the value and its spaces.
    rest: &'a [u8],
}

impl<'a> Attribute<'a> {
    fn read(name: &'a [u8]) -> Option<Self> {
        let (is_component, start) = read_type(skip_spaces(name))?;
        let start = skip_spaces(start);
        // Most values are labels and nothing else; one look at each of their octets is enough.
        if let (label, rest @ ([] | [b',' | b';' | b'+', ..])) = split_at_label_end(start)? {
            return Some(Self { is_component, label: sound_length(label.len()), rest });
        }
        let (value, rest) = match start {
            [b'"', quoted @ ..] => quoted_value(quoted)?,
            [b'#', ..] => hex_value(start)?,
            _ => plain_value(start)?,
        };
        Some(Self { is_component, label: label_length(value), rest: skip_spaces(rest) })
    }
}

/// Whether the type at the front of `name` is a DC, and what stands behind its `=`.
fn read_type(name: &[u8]) -> Option<(bool, &[u8])> {
    // Most types have two letters, `CN`, `OU` and `DC` itself, and nothing around them.
    if let [first @ (b'A'..=b'Z' | b'a'..=b'z'), second @ (b'A'..=b'Z' | b'a'..=b'z'), b'=', rest @ ..] = name
    {
        return Some((matches!([first, second], [b'D' | b'd', b'C' | b'c']), rest));
    }
    let (kind, rest) = name.split_at_checked(name.iter().position(|&octet| octet == b'=')?)?;
    Some((is_domain_component(trim_spaces_behind(kind))?, rest.get(1..)?))
}

/// Whether a type is a DC (RFC 4519 2.4); none if it is no type at all. Letter case plays no part.
///
/// RFC 4512 1.4: a descriptor begins with a letter, an OID is numbers joined by dots. RFC 2253 4 allows
/// `OID.` before the latter. An option, as in `CN;lang-en`, is no part of a DN.
fn is_domain_component(kind: &[u8]) -> Option<bool> {
    let is_descriptor_octet = |octet: &u8| octet.is_ascii_alphanumeric() || *octet == b'-';
    match kind {
        [b'D' | b'd', b'C' | b'c'] => Some(true),
        [b'A'..=b'Z' | b'a'..=b'z', rest @ ..] if rest.iter().all(is_descriptor_octet) => {
            Some(kind.eq_ignore_ascii_case(b"domainComponent"))
        }
        [b'O' | b'o', b'I' | b'i', b'D' | b'd', b'.', number @ ..] | number => {
            is_oid(number).then_some(number == b"0.9.2342.19200300.100.1.25")
        }
    }
}

fn is_oid(number: &[u8]) -> bool {
    let is_arc = |arc: &[u8]| !arc.is_empty() && arc.iter().all(u8::is_ascii_digit);
    number.contains(&b'.') && number.split(|&octet| octet == b'.').all(is_arc)
}

/// A value up to the next separator that is not escaped, without the spaces behind it.
fn plain_value(start: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut rest = start;
    loop {
        let (octets, behind) = rest.split_at_checked(bare_octets(rest))?;
        match behind {
            [b'\\', more @ ..] => rest = pair(more)?.1,
            [b'"' | 0, ..] => return None,
            _ => {
                // Only behind the last pair spaces are bare.
                let spaces = octets.len().checked_sub(trim_spaces_behind(octets).len())?;
                let length = start.len().checked_sub(behind.len())?.checked_sub(spaces)?;
                return Some((start.get(..length)?, behind));
            }
        }
    }
}

/// How many octets come before one that ends a plain value, or may not be in it.
fn bare_octets(value: &[u8]) -> usize {
    let is_bare = |octet: &u8| !matches!(octet, b',' | b';' | b'+' | b'\\' | b'"' | 0);
    value.iter().take_while(|octet| is_bare(octet)).count()
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

/// The octets up to the first one that no label has, and the rest.
fn split_at_label_end(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = octets.iter().position(|&octet| !is_label_octet(octet)).unwrap_or(octets.len());
    octets.split_at_checked(end)
}

/// The length of the label that a value stands for, if it stands for one.
fn label_length(value: &[u8]) -> Option<usize> {
    unescaped(value).all(is_label_octet).then(|| unescaped(value).count()).and_then(sound_length)
}

fn sound_length(label: usize) -> Option<usize> {
    (1..=MAX_LABEL).contains(&label).then_some(label)
}

fn skip_spaces(mut name: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] = name {
        name = rest;
    }
    name
}

fn trim_spaces_behind(mut name: &[u8]) -> &[u8] {
    while let [rest @ .., b' '] = name {
        name = rest;
    }
    name
}
