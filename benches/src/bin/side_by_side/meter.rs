//! What a proxy has used so far: its process, all threads, and all processes below it.

use std::{fs, io, time::Duration};

pub(crate) struct Meter {
    process: u32,
}

impl Meter {
    pub(crate) fn new(process: u32) -> Self {
        Self { process }
    }

    /// CPU time, from the scheduler's own account in nanoseconds; `utime` and `stime` tick in 10 ms.
    pub(crate) fn cpu(&self) -> io::Result<Duration> {
        let mut nanoseconds = 0;
        for process in family(self.process)? {
            for task in tasks(process)? {
                let account = fs::read_to_string(format!("{task}/schedstat"))?;
                let running = account.split_whitespace().next().and_then(|text| text.parse::<u64>().ok());
                nanoseconds += running.ok_or_else(|| io::Error::other("schedstat cannot be read"))?;
            }
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// Resident memory in KB of 1,024 octets.
    pub(crate) fn resident(&self) -> io::Result<f64> {
        let mut sum = 0.0;
        for process in family(self.process)? {
            let status = fs::read_to_string(format!("/proc/{process}/status"))?;
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
            let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
            sum += kilobytes.ok_or_else(|| io::Error::other("no VmRSS"))?;
        }
        Ok(sum)
    }
}

/// A process, and those that it has started.
fn family(process: u32) -> io::Result<Vec<u32>> {
    let mut all = vec![process];
    for task in tasks(process)? {
        let children = fs::read_to_string(format!("{task}/children"))?;
        for child in children.split_whitespace().filter_map(|child| child.parse().ok()) {
            all.extend(family(child)?);
        }
    }
    Ok(all)
}

fn tasks(process: u32) -> io::Result<Vec<String>> {
    let entries = fs::read_dir(format!("/proc/{process}/task"))?;
    entries.map(|entry| Ok(entry?.path().display().to_string())).collect()
}
