//! Programs under callgrind.

use std::{
    ffi::OsStr,
    process::{Child, Command, Stdio},
};

const SHORT: u64 = 32;
const LONG: u64 = 132;
/// What is built takes a little more or less each time, as it is seeded at random; so often it does not show.
const LONG_OF_SEEDED: u64 = 32 + 6_400;

/// User instructions of one case, done once.
pub(crate) fn case(name: &str) -> Result<u64, String> {
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let collected = |repetitions: u64| {
        let repetitions = repetitions.to_string();
        finish(start(this.as_os_str(), &["--run", name, &repetitions].map(OsStr::new))?)
    };
    let long = if name.starts_with("route/") { LONG_OF_SEEDED } else { LONG };
    Ok((collected(long)? - collected(SHORT)?) / (long - SHORT))
}

/// A program under callgrind.
pub(crate) fn start(program: &OsStr, arguments: &[&OsStr]) -> Result<Child, String> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(program).args(arguments);
    let child = valgrind.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    child.map_err(|error| format!("valgrind cannot be started: {error} (Debian package valgrind)"))
}

/// Waits for its end, and says how many instructions it was.
pub(crate) fn finish(program: Child) -> Result<u64, String> {
    let output = program.wait_with_output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let collected = text.lines().find_map(|line| line.split("Collected :").nth(1));
    collected.and_then(|count| count.trim().parse().ok()).ok_or(text)
}
