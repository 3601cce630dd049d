//! What the tests share: a folder with certificates, the proxy itself, and programs that end with the test.

#![allow(dead_code, unreachable_pub, unused_imports, reason = "each test file uses a part of this")]

pub mod admin;
pub mod browser;
mod capture;
mod certificates;
mod connection;
mod directories;
pub mod guarded;
mod log;
mod port;
mod process;
mod program;
mod proxy;
pub mod remote;
pub mod sip;
pub mod stage;
pub mod web;

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, time::Duration};

pub use capture::Capture;
pub use certificates::{
    SERVICE_NAME, certificates, client_certificate, client_certificate_file, client_certificate_with, key,
    self_signed, service_files, stand_in,
};
pub use connection::{Connection, connect, patient};
pub use directories::{Directories, NAMES, dn, suffix};
pub use log::Log;
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

/// Writes a file of a test into its folder; a private key as one should be kept.
pub fn write(folder: &std::path::Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    let mode = if name.ends_with(".key") { 0o600 } else { 0o644 };
    let written =
        fs::write(&path, text).and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(mode)));
    written.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    path
}

/// The folder of examples in a temporary place, with the private key as one should be kept: a checkout has no modes.
pub fn examples() -> tempfile::TempDir {
    let (from, to) = (
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples"),
        tempfile::tempdir().expect("a folder"),
    );
    for folder in ["", "tls"] {
        fs::create_dir_all(to.path().join(folder)).expect("a folder");
        for entry in
            fs::read_dir(from.join(folder)).expect("the examples").map(|entry| entry.expect("a file").path())
        {
            if let (Some(name), true) = (entry.file_name().and_then(|name| name.to_str()), entry.is_file()) {
                write(&to.path().join(folder), name, &fs::read_to_string(&entry).expect("text"));
            }
        }
    }
    to
}
