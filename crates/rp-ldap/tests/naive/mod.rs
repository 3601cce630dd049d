//! The rules of bind names once more, with allocations and several passes, so that each is easy to see.

use rp_ldap::Form;

pub(crate) fn domain(name: &[u8]) -> (Form, Option<String>) {
    if name.is_empty() {
        return (Form::Anonymous, None);
    }
    let deciding: Vec<u8> = name.iter().copied().filter(|octet| b"\\=,".contains(octet)).collect();
    let (form, domain) = if deciding.first() == Some(&b'\\') {
        (Form::Backslash, backslash(name))
    } else if deciding.contains(&b'=') {
        (Form::Dn, dn(name))
    } else {
        (Form::Upn, upn(name))
    };
    match domain {
        Some(domain) if domain.len() <= 253 => (form, Some(domain)),
        _ => (Form::None, None),
    }
}

fn backslash(name: &[u8]) -> Option<String> {
    let domain = name.split(|&octet| octet == b'\\').next()?;
    let sound = !domain.is_empty() && domain.iter().all(|octet| (0x21..=0x7e).contains(octet));
    sound.then(|| String::from_utf8(domain.to_vec()).expect("ASCII"))
}

fn upn(name: &[u8]) -> Option<String> {
    let mut parts: Vec<&[u8]> = name.split(|&octet| octet == b'@').collect();
    let domain = parts.pop()?;
    let user = parts.join(&b'@');
    let labels: Option<Vec<String>> = domain.split(|&octet| octet == b'.').map(label).collect();
    (!user.is_empty()).then(|| labels.map(|labels| labels.join("."))).flatten()
}

fn label(octets: &[u8]) -> Option<String> {
    let text = String::from_utf8(octets.to_vec()).ok()?;
    let sound = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    (sound && (1..=63).contains(&text.len())).then_some(text)
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Unit {
    /// An octet that may have a meaning for the grammar.
    Bare(u8),
    /// An octet that has not: it was escaped or quoted.
    Literal(u8),
    /// A quote that opens or closes.
    Quote,
}

fn dn(name: &[u8]) -> Option<String> {
    let units = units(name)?;
    let mut domain: Vec<Option<String>> = Vec::new();
    for rdn in units.split(|unit| matches!(unit, Unit::Bare(b',' | b';'))) {
        let attributes: Option<Vec<(String, Option<String>)>> =
            rdn.split(|unit| *unit == Unit::Bare(b'+')).map(attribute).collect();
        match attributes?.as_slice() {
            rdn if rdn.iter().all(|(kind, _)| !is_dc(kind)) => domain.clear(),
            [(_, label)] => domain.push(label.clone()),
            _ => domain.push(None),
        }
    }
    let labels: Vec<String> = domain.into_iter().collect::<Option<_>>()?;
    (!labels.is_empty()).then(|| labels.join("."))
}

fn units(name: &[u8]) -> Option<Vec<Unit>> {
    let mut units = Vec::new();
    let mut quoted = false;
    let mut octets = name.iter().copied().peekable();
    while let Some(octet) = octets.next() {
        match octet {
            b'\\' => {
                let next = octets.next()?;
                if b" \"#+,;<=>\\".contains(&next) {
                    units.push(Unit::Literal(next));
                } else {
                    let digits = [next, octets.next()?];
                    let sound = digits.iter().all(u8::is_ascii_hexdigit);
                    let digits = std::str::from_utf8(&digits).ok().filter(|_| sound)?;
                    units.push(Unit::Literal(u8::from_str_radix(digits, 16).ok()?));
                }
            }
            b'"' => {
                quoted = !quoted;
                units.push(Unit::Quote);
            }
            octet => units.push(if quoted { Unit::Literal(octet) } else { Unit::Bare(octet) }),
        }
    }
    (!quoted).then_some(units)
}

/// The type, and the value if it is a label.
fn attribute(units: &[Unit]) -> Option<(String, Option<String>)> {
    let equals = units.iter().position(|unit| *unit == Unit::Bare(b'='))?;
    let kind = kind(trim(&units[..equals]))?;
    let octets = |units: &[Unit]| -> Vec<u8> {
        let octet = |unit: &Unit| match unit {
            Unit::Bare(octet) | Unit::Literal(octet) => *octet,
            Unit::Quote => unreachable!(),
        };
        units.iter().map(octet).collect()
    };
    let value = match trim(&units[equals + 1..]) {
        [Unit::Quote, quoted @ .., Unit::Quote] if !quoted.contains(&Unit::Quote) => quoted,
        value if value.contains(&Unit::Quote) || value.contains(&Unit::Bare(0)) => return None,
        [Unit::Bare(b'#'), digits @ ..] => {
            let is_digit = |unit: &Unit| matches!(unit, Unit::Bare(o) if o.is_ascii_hexdigit());
            let sound = digits.iter().all(is_digit) && !digits.is_empty() && digits.len() % 2 == 0;
            return sound.then_some((kind, None));
        }
        plain => plain,
    };
    Some((kind, label(&octets(value))))
}

fn kind(units: &[Unit]) -> Option<String> {
    let bare = |unit: &Unit| match unit {
        Unit::Bare(octet) => Some(char::from(*octet)),
        _ => None,
    };
    let text: String = units.iter().map(bare).collect::<Option<_>>()?;
    let lower = text.to_ascii_lowercase();
    let oid = lower.strip_prefix("oid.").unwrap_or(&lower);
    let arcs: Vec<&str> = oid.split('.').collect();
    let is_arc = |arc: &&str| !arc.is_empty() && arc.bytes().all(|octet| octet.is_ascii_digit());
    if arcs.len() > 1 && arcs.iter().all(is_arc) {
        return Some(oid.to_owned());
    }
    let is_word = lower.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-');
    (is_word && lower.starts_with(|c: char| c.is_ascii_alphabetic())).then_some(lower)
}

fn is_dc(kind: &str) -> bool {
    ["dc", "domaincomponent", "0.9.2342.19200300.100.1.25"].contains(&kind)
}

fn trim(mut units: &[Unit]) -> &[Unit] {
    while let [Unit::Bare(b' '), rest @ ..] | [rest @ .., Unit::Bare(b' ')] = units {
        units = rest;
    }
    units
}
