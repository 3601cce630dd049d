//! Counts user instructions with valgrind's callgrind (Debian package `valgrind`): of each case, and of one short
//! connection through the real `rpd`, which has to lie beside this program.
//!
//! `cargo run --release -p rp-benches --bin instructions [FILTER]` prints a line a case. With `--check` the cases of
//! ours are compared with `benches/instructions.txt`, and more than 5 % above it fails; `--update` writes that file.
//! Start-up does not count: a figure is the difference of a long and a short run.

mod callgrind;
mod committed;
mod connection;

use std::{
    path::PathBuf,
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use clap::Parser;

use crate::committed::Committed;

/// User instructions of the cases and of a connection.
#[derive(Parser)]
struct Arguments {
    /// Only what has this in its name.
    #[arg(default_value = "")]
    filter: String,
    /// Compares with benches/instructions.txt.
    #[arg(long, conflicts_with_all = ["update", "filter"])]
    check: bool,
    /// Writes benches/instructions.txt.
    #[arg(long, conflicts_with = "filter")]
    update: bool,
    /// The rpd of the connection [default: beside this program].
    #[arg(long)]
    rpd: Option<PathBuf>,
    /// Does the work of one case so often: what runs under callgrind.
    #[arg(long, hide = true, num_args = 2, value_names = ["CASE", "REPETITIONS"])]
    run: Option<Vec<String>>,
}

/// What has been counted.
struct Count {
    name: String,
    instructions: Result<u64, String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some([name, repetitions]) = arguments.run.as_deref() {
        return run(name, repetitions);
    }
    // What the parsers are held against may change with its version; it has no bound.
    let gate = arguments.check || arguments.update;
    let chosen = |name: &str| if gate { committed::is_ours(name) } else { name.contains(&arguments.filter) };
    let names =
        rp_benches::cases().iter().map(|case| case.name).filter(|name| chosen(name)).collect::<Vec<_>>();
    let mut counts = count_all(&names);
    if chosen(connection::NAME) {
        let beside = std::env::current_exe().unwrap_or_default().with_file_name("rpd");
        let rpd = arguments.rpd.unwrap_or(beside);
        counts.push(Count { name: connection::NAME.to_owned(), instructions: connection::count(&rpd) });
    }
    let counted: Result<Vec<_>, _> = counts
        .into_iter()
        .map(|Count { name, instructions }| match instructions {
            Ok(instructions) => Ok((name, instructions)),
            Err(error) => Err(format!("{name}: {error}")),
        })
        .collect();
    let outcome = counted.and_then(|counted| {
        if arguments.check {
            Committed::read()?.check(&counted)
        } else if arguments.update {
            committed::write(&counted)
        } else {
            for (name, instructions) in counted {
                println!("{instructions:>10}  {name}");
            }
            Ok(())
        }
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(name: &str, repetitions: &str) -> ExitCode {
    let mut case =
        rp_benches::cases().into_iter().find(|case| case.name == name).expect("a case of this name");
    for _ in 0..repetitions.parse().expect("a number of repetitions") {
        (case.run)();
    }
    ExitCode::SUCCESS
}

/// Counts on all cores: other work changes the time, not the count.
fn count_all(names: &[&str]) -> Vec<Count> {
    let (next, counts) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let count = Count { name: (*name).to_owned(), instructions: callgrind::case(name) };
                    counts.lock().unwrap_or_else(PoisonError::into_inner).push(count);
                }
            });
        }
    });
    let mut counts = counts.into_inner().unwrap_or_else(PoisonError::into_inner);
    counts.sort_by_key(|count| names.iter().position(|name| *name == count.name));
    counts
}
