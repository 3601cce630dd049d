//! The fields of a head (RFC 9110 5, RFC 9112 5).

use core::fmt;

use crate::{
    Error, Reason,
    octets::{Cursor, TOKEN, text_run, trim},
};

/// A head with more fields is refused.
const MAX_FIELDS: usize = 100;

/// The fields of a head that was read, in the order received.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fields<'a> {
    /// Whole lines of well-formed fields, each with its CRLF.
    lines: &'a [u8],
    names: Names,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(lines: &'a [u8]) -> Self {
        Self { lines, names: Names::ANY }
    }

    /// All fields as name and value, without white space around the value.
    pub fn iter(&self) -> Iter<'a> {
        Iter { lines: self.lines }
    }

    /// The values of all fields of this name, in whatever letter case.
    pub fn all<'n>(&self, name: &'n [u8]) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        let lines = if self.names.may_have(name) { self.lines } else { &[] };
        Iter { lines }.filter(move |(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The value of the first field of this name, in whatever letter case.
    pub fn first(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.all(name).next()
    }
}

impl<'a> IntoIterator for Fields<'a> {
    type Item = (&'a [u8], &'a [u8]);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// Names only: values may be secrets.
impl fmt::Debug for Fields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.debug_list();
        for (name, _) in *self {
            list.entry(&format_args!("{}", name.escape_ascii()));
        }
        list.finish()
    }
}

/// Names and values of [`Fields`].
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    lines: &'a [u8],
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        // What is in `lines` was checked: a colon ends each name, a carriage return each line.
        let (name, behind) = self.lines.split_at_checked(memchr::memchr(b':', self.lines)?)?;
        let (value, line_end) = behind.split_at_checked(memchr::memchr(b'\r', behind)?)?;
        self.lines = line_end.get(2..)?;
        Some((name, trim(value.get(1..)?)))
    }
}

/// Names that occur, by a bit for each first letter and length: most names that are looked for do not occur, and no line
/// has to be read to know it.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Names(u64);

impl Names {
    const ANY: Self = Self(u64::MAX);

    fn add(&mut self, name: &[u8]) {
        self.0 |= Self::bit(name);
    }

    fn may_have(self, name: &[u8]) -> bool {
        self.0 & Self::bit(name) != 0
    }

    /// The same in each letter case.
    fn bit(name: &[u8]) -> u64 {
        let letter = name.first().map_or(0, |octet| u32::from(octet & 0x1f));
        let length = u32::try_from(name.len() & 0xf).unwrap_or(0);
        1_u64.rotate_left(letter.wrapping_add(length << 2))
    }
}

/// A field as it is read.
pub(crate) struct Field<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) value: &'a [u8],
}

/// Reads the fields one by one up to the empty line, hands each to `found`, and returns them all.
pub(crate) fn read<'a>(
    cursor: &mut Cursor<'a>,
    mut found: impl FnMut(&Field<'a>) -> Result<(), Reason>,
) -> Result<Fields<'a>, Error> {
    let lines = cursor.rest();
    let start = cursor.offset();
    let (mut count, mut names) = (0_usize, Names::default());
    loop {
        if matches!(cursor.peek()?, b'\r' | b'\n') {
            let len = cursor.offset().saturating_sub(start);
            cursor.line_end(Reason::FieldName)?;
            return Ok(Fields { lines: lines.get(..len).unwrap_or_default(), names });
        }
        if count == MAX_FIELDS {
            return Err(cursor.refuse(Reason::TooManyFields));
        }
        count = count.saturating_add(1);
        let start = *cursor;
        let field = read_one(cursor)?;
        names.add(field.name);
        found(&field).map_err(|reason| start.refuse(reason))?;
    }
}

/// `field-line = field-name ":" OWS field-value OWS` (RFC 9112 5) and its CRLF.
fn read_one<'a>(cursor: &mut Cursor<'a>) -> Result<Field<'a>, Error> {
    let name = cursor.take(TOKEN.run(cursor.rest()));
    match cursor.peek()? {
        b':' if !name.is_empty() => {}
        // RFC 9112 5.2: refused instead of replaced by spaces, since not everybody sees that it is one field.
        b' ' | b'\t' if name.is_empty() => return Err(cursor.refuse(Reason::Folded)),
        // RFC 9112 5.1: no white space before the colon.
        _ => return Err(cursor.refuse(Reason::FieldName)),
    }
    cursor.take(1);
    let value = trim(cursor.take(text_run(cursor.rest())));
    cursor.line_end(Reason::FieldValue)?;
    Ok(Field { name, value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{format, string::String, vec::Vec};

    #[test]
    fn a_name_is_found_in_whatever_letter_case_and_no_other_is() {
        let lengths = (0..70).map(|length| format!("x{}", "-".repeat(length)));
        let known = ["Host", "TE", "EXPECT", "Accept", "Authorization", "!#$%", "9"].map(String::from);
        let names: Vec<_> = lengths.chain(known).collect();
        for name in &names {
            let lines = format!("{name}: 1\r\n{name}: 2\r\n\r\n");
            let fields = read(&mut Cursor::new(lines.as_bytes()), |_| Ok(())).unwrap();
            for asked in &names {
                let count = if asked == name { 2 } else { 0 };
                for asked in [asked.to_ascii_lowercase(), asked.to_ascii_uppercase()] {
                    assert_eq!(fields.all(asked.as_bytes()).count(), count, "{asked} of {name}");
                }
            }
        }
    }
}
