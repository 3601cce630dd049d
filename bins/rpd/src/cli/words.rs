//! Answers of a running proxy as people read them on a terminal.

use std::{fmt::Write as _, process::ExitCode};

use serde_json::Value;

use super::{UNREACHABLE, client::Failure};

/// Says what went wrong, and gives the exit code for it.
pub(super) fn failed(failure: &Failure) -> ExitCode {
    eprintln!("error: {failure}");
    match failure {
        Failure::Refused(_) => ExitCode::FAILURE,
        Failure::Unreachable(_) => ExitCode::from(UNREACHABLE),
    }
}

/// The elements of a list.
pub(super) fn rows(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Text as it is shown on a terminal.
pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().chars().filter(|c| !c.is_control()).collect()
}

/// In the two largest units.
pub(super) fn duration(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}min {}s", seconds % 60),
        (0, _, _) => format!("{hours}h {minutes}min"),
        _ => format!("{days}d {hours}h"),
    }
}

/// Columns as wide as their widest cell.
pub(super) fn columns<const N: usize>(table: &[[String; N]]) -> String {
    let width = |column: usize| table.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let mut words = String::new();
    for row in table {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            // Writing to a string cannot fail.
            let _ = write!(line, "{cell:width$}  ");
        }
        words.push_str(line.trim_end());
        words.push('\n');
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units() {
        let rows = [(59, "59s"), (61, "1min 1s"), (7_260, "2h 1min"), (90_000, "1d 1h")];
        for (seconds, words) in rows {
            assert_eq!(duration(seconds), words);
        }
    }
}
