//! What more hosts and more sources cost: nanoseconds and octets, at ten and at a million.
//!
//! `cargo run --release -p rp-benches --bin growth`. What more connections cost is measured by `side_by_side`, rows
//! `messages` and `idle` with `--connections`. Memory is what was asked of the allocator.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use allocation_counter::measure;
use rp_benches::{
    guard::{NaiveStream, Stream},
    route,
};

fn main() {
    println!("| hosts | a name found | memory |\n|---|---|---|");
    for hosts in [10, 100, 1_000, 10_000, 100_000] {
        hosts_row(hosts);
    }
    println!(
        "\n| sources | an event, rp-guard | memory | live evictions | hash map of queues | memory |\n|---|---|---|---|---|---|"
    );
    for sources in [10, 1_000, 100_000, 1_000_000] {
        sources_row(sources);
    }
}

fn hosts_row(hosts: u32) {
    let (table, octets) = built(|| route::table(hosts));
    let names: Vec<_> =
        (0..ASKED).map(|at| format!("pbx-{:06}.example.com", (mixed(at) % hosts) | 1)).collect();
    let mut turn = names.iter().cycle();
    let ns = nanoseconds(|| black_box(turn.next().and_then(|name| table.lookup(name)).is_some()));
    println!("| {hosts} | {ns:.0} ns | {} |", kib(octets));
}

fn sources_row(sources: u32) {
    let (mut ours, octets) = built(|| Stream::new(sources));
    let ns = nanoseconds(|| black_box(ours.record()));
    let evictions = ours.evictions();
    drop(ours);
    let (mut naive, naive_octets) = built(|| NaiveStream::new(sources));
    let naive_ns = nanoseconds(|| black_box(naive.record()));
    println!(
        "| {sources} | {ns:.0} ns | {} | {evictions} | {naive_ns:.0} ns | {} |",
        kib(octets),
        kib(naive_octets)
    );
}

/// What is built, and the octets that it holds.
fn built<T>(build: impl FnOnce() -> T) -> (T, u64) {
    let mut built = None;
    let allocations = measure(|| built = Some(build()));
    (built.expect("it was built"), u64::try_from(allocations.bytes_current).unwrap_or_default())
}

/// The fastest of several runs: others can only slow it down.
fn nanoseconds<T>(mut work: impl FnMut() -> T) -> f64 {
    let run = |_| {
        let start = Instant::now();
        for _ in 0..REPETITIONS {
            work();
        }
        start.elapsed()
    };
    let fastest = (0..RUNS).map(run).min().unwrap_or(Duration::ZERO);
    fastest.as_secs_f64() * 1e9 / f64::from(REPETITIONS)
}

/// Numbers in no order.
fn mixed(at: u32) -> u32 {
    at.wrapping_mul(0x9e37_79b1).rotate_left(15)
}

fn kib(octets: u64) -> String {
    format!("{} KiB", octets.div_ceil(1024))
}

const RUNS: u32 = 7;
const REPETITIONS: u32 = 200_000;
/// How many names are asked for in turn: more than the caches of a core hold of a large table.
const ASKED: u32 = 100_000;
