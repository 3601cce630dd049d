//! What the system knows of this process.

use std::fs;

use rustix::{
    param::{clock_ticks_per_second, page_size},
    process::{Resource, getrlimit},
};

/// What is used, as of now.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Process {
    pub(super) open_files: f64,
    pub(super) open_files_limit: f64,
    pub(super) resident_octets: f64,
    pub(super) cpu_seconds: f64,
}

impl Process {
    /// As of now; nothing where the system does not say.
    pub(super) fn now() -> Option<Self> {
        let fields = |path, skipped| fs::read_to_string(path).ok().map(|text: String| fields(&text, skipped));
        let (pages, times) = (fields("/proc/self/statm", 1)?, fields("/proc/self/stat", 13)?);
        // One of them is the folder that is being read.
        let open = fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1);
        Some(Self {
            open_files: open as f64,
            open_files_limit: getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX) as f64,
            resident_octets: pages.first()? * page_size() as f64,
            cpu_seconds: times.iter().take(2).sum::<f64>() / clock_ticks_per_second() as f64,
        })
    }
}

/// The numbers of a line of `proc(5)` after so many others. A program's name, in parentheses, may hold spaces.
fn fields(line: &str, skipped: usize) -> Vec<f64> {
    let (before, rest) = line.rsplit_once(") ").unwrap_or(("", line));
    let named = if before.is_empty() { 0 } else { 2 };
    rest.split_whitespace().skip(skipped - named).map_while(|word| word.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_past_a_name_with_spaces() {
        let line = "7 (a ) b) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20";
        assert_eq!(fields(line, 13)[..2], [250.0, 50.0]);
        assert_eq!(fields("300 40 20 1 0 9 0\n", 1)[0], 40.0);
        let now = Process::now().expect("this is Linux");
        assert!(now.open_files >= 3.0 && now.resident_octets > 1e6 && now.open_files <= now.open_files_limit);
    }
}
