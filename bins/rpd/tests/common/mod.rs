//! What the tests share: a folder with certificates, the proxy itself, and programs that end with the test.

#![allow(dead_code, unreachable_pub, unused_imports, reason = "each test file uses a part of this")]

mod capture;
mod certificates;
mod port;
mod process;
mod program;
mod proxy;

use std::{fs, path::PathBuf, time::Duration};

pub use capture::Capture;
pub use certificates::{SERVICE_NAME, certificates, client_certificate, self_signed};
pub use port::Port;
pub use process::Process;
pub use program::{Finished, Program, run, run_with};
pub use proxy::Proxy;

/// Whatever a test waits for has come by then, or never will.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The text with every `@KEY@` replaced.
///
/// # Panics
/// A key is left over, or one is not in the text: the test and its template do not belong together.
pub fn fill(template: &str, values: &[(&str, &dyn std::fmt::Display)]) -> String {
    let filled = values.iter().fold(template.to_owned(), |text, (key, value)| {
        let key = format!("@{key}@");
        assert!(text.contains(&key), "the template has no {key}");
        text.replace(&key, &value.to_string())
    });
    let mut between: Vec<&str> = filled.split('@').skip(1).collect();
    between.pop();
    let left = between.into_iter().find(|text| is_key(text));
    assert!(left.is_none(), "the template wants @{}@ too", left.unwrap_or_default());
    filled
}

fn is_key(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|c| c.is_ascii_uppercase() || c == b'_')
}

/// Writes a file of a test into its folder.
pub fn write(folder: &std::path::Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    path
}
