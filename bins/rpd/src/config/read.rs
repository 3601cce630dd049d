//! Text to [`File`], telling every mistake of form at once.
//!
//! The parser and serde stop at the first fault. So the fault is noted, the key that holds it is taken out
//! of a copy of the table, and reading starts again, until nothing is left to complain of.

use std::ops::Range;

use serde::Deserialize;
use toml::{
    Spanned,
    de::{DeTable, DeValue, Deserializer},
};

use super::{file::File, report::Finding};

/// Reads the text of a configuration file.
///
/// # Errors
/// Everything that is wrong with its syntax; or else all unknown keys, wrong types and malformed values.
pub fn read(text: &str) -> Result<File, Vec<Finding>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return Err(errors.iter().map(|e| Finding::error(e.span().unwrap_or(0..0), e.message())).collect());
    }
    let mut left = table;
    let mut findings = Vec::new();
    let mut removed: Vec<(String, usize)> = Vec::new();
    loop {
        let error = match File::deserialize(Deserializer::from(left.clone())) {
            Ok(file) if findings.is_empty() => return Ok(file),
            Ok(_) => return Err(findings),
            Err(error) => error,
        };
        let span = error.span().unwrap_or(0..0);
        let Some(path) = remove(left.get_mut(), &span) else {
            findings.push(Finding::error(span, error.message()));
            return Err(findings);
        };
        // A key that was taken out for its value is not missing.
        let missing = missing_field(error.message()).map(|field| format!("{path}.{field}"));
        if !removed.iter().any(|(key, at)| Some(key) == missing.as_ref() && *at > span.start) {
            findings.push(explain(&path, span.clone(), error.message()));
        }
        removed.push((path, span.start));
    }
}

/// Takes out the innermost key or array element that holds `span`, and says its path. The span of a
/// `[table]` is only its header, so children come first.
fn remove(table: &mut DeTable<'_>, span: &Range<usize>) -> Option<String> {
    let mut found = None;
    for (key, value) in table.iter_mut() {
        if let Some(rest) = remove_inside(value, span) {
            return Some(format!("{}{rest}", key.get_ref()));
        }
        if holds(&key.span(), span) || holds(&value.span(), span) {
            found = Some(key.clone());
        }
    }
    let key = found?;
    table.remove(&key);
    Some(key.get_ref().to_string())
}

fn remove_inside(value: &mut Spanned<DeValue<'_>>, span: &Range<usize>) -> Option<String> {
    match value.get_mut() {
        DeValue::Table(table) => remove(table, span).map(|path| format!(".{path}")),
        DeValue::Array(array) => {
            for element in array.iter_mut() {
                if let Some(rest) = remove_inside(element, span) {
                    return Some(rest);
                }
            }
            let at = array.iter().position(|element| holds(&element.span(), span))?;
            let left = array
                .iter()
                .enumerate()
                .filter(|(index, _)| *index != at)
                .map(|(_, element)| element.clone());
            *array = left.collect();
            Some(String::new())
        }
        _ => None,
    }
}

fn holds(outer: &Range<usize>, inner: &Range<usize>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end && !outer.is_empty()
}

/// serde's words in ours.
fn explain(path: &str, span: Range<usize>, message: &str) -> Finding {
    if let Some((unknown, expected)) = unknown_field(message) {
        let finding = Finding::error(span, format!("unknown key {path}"));
        return match nearest(unknown, &expected) {
            Some(meant) => finding.remedy(format!("did you mean {meant}?")),
            None => finding.remedy(format!("known here: {}", expected.join(", "))),
        };
    }
    if let Some(field) = missing_field(message) {
        return Finding::error(span, format!("{path} has no {field}"));
    }
    if let Some((found, wanted)) = type_mismatch(message) {
        return Finding::error(span, format!("{path} is {found}, wanted is {wanted}"));
    }
    Finding::error(span, format!("{path}: {message}"))
}

fn unknown_field(message: &str) -> Option<(&str, Vec<&str>)> {
    let rest = message.strip_prefix("unknown field `")?;
    let (unknown, rest) = rest.split_once('`')?;
    Some((unknown, rest.split('`').skip(1).step_by(2).collect()))
}

fn missing_field(message: &str) -> Option<&str> {
    Some(message.strip_prefix("missing field ")?.trim_matches('`'))
}

fn type_mismatch(message: &str) -> Option<(String, String)> {
    let rest = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "))?;
    let (found, wanted) = rest.split_once(", expected ")?;
    let found = found.replacen("string ", "text ", 1).replacen("integer ", "number ", 1).replace('`', "");
    let wanted = match wanted {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "a nonzero u16" => "a whole number from 1 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "a nonzero u32" => "a whole number from 1 to 4294967295",
        "a boolean" => "true or false",
        "a string" | "path string" => "text in quotes",
        other => other,
    };
    Some((found, wanted.to_owned()))
}

/// The expected name that differs by at most two letters.
fn nearest<'a>(unknown: &str, expected: &[&'a str]) -> Option<&'a str> {
    let (distance, name) = expected.iter().map(|name| (edit_distance(unknown, name), *name)).min()?;
    (distance <= 2).then_some(name)
}

/// Letters to insert, leave out, replace or exchange with their neighbour (optimal string alignment), row by row.
fn edit_distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut next = vec![i + 1];
        for j in 0..b.len() {
            let replaced = row[j] + usize::from(a[i] != b[j]);
            let mut least = replaced.min(row[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                least = least.min(before[j - 1] + 1);
            }
            next.push(least);
        }
        before = std::mem::replace(&mut row, next);
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(text: &str) -> Vec<String> {
        let findings = read(text).expect_err("a file with mistakes");
        findings
            .into_iter()
            .map(|f| match f.remedy {
                Some(remedy) => format!("{} | {remedy}", f.message),
                None => f.message,
            })
            .collect()
    }

    #[test]
    fn every_mistake_of_form_is_told_at_once() {
        let text = r#"
[listen]
h233 = 1720
sip = "5060"
https = 70000

[[host]]
names = ["example.com"]
h323 = { tcp = 1720, tsl = 1300 }

[[host]]
names = ["hq@example.com"]
target = "10.0.0.1:80"

[limits]
connect = 5
handshake = "10"

[hosts]
"#;
        let mut found = messages(text);
        found.sort();
        assert_eq!(found.len(), 10, "{found:#?}");
        let all = found.join("\n");
        for part in [
            "unknown key listen.h233 | did you mean h323?",
            "listen.sip: the port is text | write 5060 without quotes",
            "listen.https is number 70000, wanted is a port from 1 to 65535",
            "unknown key host.h323.tsl | did you mean tls?",
            "host has no target",
            "host.names: ",
            "host.target: \"10.0.0.1:80\" names a port",
            "limits.connect is number 5, wanted is a duration",
            "limits.handshake: the duration \"10\" has no unit | write \"10s\"",
            "unknown key hosts | did you mean host?",
        ] {
            assert!(all.contains(part), "{part}\n{all}");
        }
    }

    #[test]
    fn syntax_errors_are_told_before_anything_else() {
        let found = messages("[listen\nsip = \n[foo]\nbar = 1\n");
        assert!(!found.is_empty() && found.iter().all(|message| !message.contains("unknown key")));
    }

    #[test]
    fn edit_distance_counts_letters() {
        assert_eq!(edit_distance("h233", "h323"), 1);
        assert_eq!(edit_distance("tsl", "tls"), 1);
        assert_eq!(edit_distance("hsot", "host"), 1);
        assert_eq!(edit_distance("name", "names"), 1);
        assert_eq!(edit_distance("", "abc"), 3);
    }
}
