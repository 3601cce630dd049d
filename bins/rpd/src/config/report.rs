//! What is wrong with a configuration: file, line, column, the fault, and what to write instead.

use std::{fmt, ops::Range, path::Path};

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing starts or reloads with this.
    Error,
    /// Works, but hardly as meant.
    Warning,
}

/// One finding, with the place it is about as octets of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Error or warning.
    pub severity: Severity,
    /// The octets of the file that it is about.
    pub span: Range<usize>,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to write or do instead.
    pub remedy: Option<String>,
}

impl Finding {
    /// An error; a part of `message` behind `"; write "` becomes the remedy.
    pub fn error(span: Range<usize>, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, span, message.into())
    }

    /// A warning, read like [`Finding::error`].
    pub fn warning(span: Range<usize>, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, span, message.into())
    }

    fn new(severity: Severity, span: Range<usize>, message: String) -> Self {
        match message.split_once(REMEDY) {
            Some((message, remedy)) => {
                Self { severity, span, message: message.to_owned(), remedy: Some(format!("write {remedy}")) }
            }
            None => Self { severity, span, message, remedy: None },
        }
    }

    /// The same finding with something to do about it.
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

/// The findings about one file, at most fifty, sorted by place; displayed as `rpd check` prints them.
#[derive(Clone, Debug)]
pub struct Report {
    file: String,
    text: String,
    findings: Vec<Finding>,
}

impl Report {
    /// A report on `text`, which was read from `path`.
    pub fn new(path: &Path, text: &str, mut findings: Vec<Finding>) -> Self {
        findings.sort_by_key(|finding| (finding.span.start, finding.severity));
        findings.dedup();
        findings.truncate(MOST);
        Self { file: path.display().to_string(), text: text.to_owned(), findings }
    }

    /// A report on a file that could not be read at all.
    pub fn unreadable(path: &Path, error: &std::io::Error) -> Self {
        let mut finding = Finding::error(0..0, format!("the file cannot be read: {error}"));
        if error.kind() == std::io::ErrorKind::NotFound {
            finding = finding.remedy("`rpd init` prints one to begin with");
        }
        Self::new(path, "", vec![finding])
    }

    /// The findings, sorted by place.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Whether anything in it forbids to start.
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// Line and column (in characters), both from 1, of an octet of the file.
    pub fn line_and_column(&self, at: usize) -> (usize, usize) {
        line_and_column(&self.text, at)
    }
}

/// Line and column (in characters), both from 1, of an octet of `text`.
pub fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |rest| rest.chars().count()) + 1;
    (line, column)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            let (line, column) = self.line_and_column(finding.span.start);
            let word = match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            writeln!(f, "{word}: {}:{line}:{column}: {}", self.file, finding.message)?;
            let source = self.text.lines().nth(line - 1).unwrap_or_default();
            let width = line.to_string().len().max(4);
            if !source.trim().is_empty() {
                let room = source.chars().count().saturating_sub(column - 1).max(1);
                let marks = "^".repeat(finding.span.len().clamp(1, room));
                writeln!(f, "{line:>width$} | {source}")?;
                write!(f, "{:>width$} | {:column$}{marks}", "", "", column = column - 1)?;
                writeln!(f, "{}", finding.remedy.as_ref().map_or(String::new(), |text| format!("  {text}")))?;
            } else if let Some(remedy) = &finding.remedy {
                writeln!(f, "{:>width$} | {remedy}", "")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Report {}

/// More findings than this help nobody.
const MOST: usize = 50;

/// What separates a fault from its cure in the messages of value types.
const REMEDY: &str = "; write ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_shows_line_mark_and_remedy() {
        let text = "[guard]\nthreshold = \"20\"\n";
        let at = text.find("\"20\"").unwrap();
        let finding = Finding::error(at..at + 4, "guard.threshold is text; write threshold = 20");
        let report = Report::new(Path::new("rpd.toml"), text, vec![finding]);
        assert_eq!(
            report.to_string(),
            "error: rpd.toml:2:13: guard.threshold is text\n   2 | threshold = \"20\"\n     |             ^^^^  write threshold = 20\n"
        );
    }
}
