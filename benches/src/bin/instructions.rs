//! Counts user instructions per case with valgrind's callgrind (Debian package `valgrind`).
//!
//! `cargo run --profile bench -p rp-benches --bin instructions [FILTER]` prints a line a case: the
//! difference of a run of 1,100 and one of 100 repetitions, divided by 1,000, so that start-up does not
//! count. The numbers repeat exactly for the same binary.

use std::process::{Command, ExitCode, Stdio};

const SHORT: u64 = 100;
const LONG: u64 = 1_100;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, name, count] = args.as_slice()
        && flag == "--run"
    {
        return run(name, count.parse().expect("a number of repetitions"));
    }
    let filter = args.first().map_or("", String::as_str);
    let mut failed = false;
    for case in rp_benches::cases().iter().filter(|case| case.name.contains(filter)) {
        match (count(case.name, SHORT), count(case.name, LONG)) {
            (Some(short), Some(long)) => println!("{:>10}  {}", (long - short) / (LONG - SHORT), case.name),
            _ => {
                eprintln!("valgrind failed on {} (Debian package valgrind)", case.name);
                failed = true;
            }
        }
    }
    ExitCode::from(u8::from(failed))
}

fn run(name: &str, count: u64) -> ExitCode {
    let mut case =
        rp_benches::cases().into_iter().find(|case| case.name == name).expect("a case of this name");
    for _ in 0..count {
        (case.run)();
    }
    ExitCode::SUCCESS
}

/// Instructions of this program running `name` so many times, as callgrind's summary says.
fn count(name: &str, repetitions: u64) -> Option<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().ok()?)
        .args(["--run", name, &repetitions.to_string()])
        .stdout(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let collected = text.lines().find_map(|line| line.split("Collected :").nth(1))?;
    collected.trim().parse().ok()
}
