//! The proxy as a program, for what it logs.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, ChildStderr, Command, ExitStatus, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

/// A proxy in a process of its own, with its log. It ends with this.
pub struct Process {
    child: Child,
    log: BufReader<ChildStderr>,
}

impl Process {
    /// Starts it with this file.
    pub fn start(file: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_rpd"))
            .args(["run", "--config"])
            .arg(file)
            // Two of them must not share a folder or a socket, and none may touch the machine's.
            .env("STATE_DIRECTORY", file.with_extension("state"))
            .env("RUNTIME_DIRECTORY", file.with_extension("run"))
            .stderr(Stdio::piped())
            .spawn()
            .expect("rpd");
        let log = BufReader::new(child.stderr.take().expect("a pipe"));
        Self { child, log }
    }

    /// The next line that holds `part`.
    pub fn line(&mut self, part: &str) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            assert!(self.log.read_line(&mut line).expect("text") > 0, "rpd ended before it said {part:?}");
            if line.contains(part) {
                return line;
            }
        }
    }

    /// Where it listens for `kind`.
    pub fn address(&mut self, kind: &str) -> SocketAddr {
        let line = self.line(&format!("{kind} on "));
        let text = line.split(&format!("{kind} on ")).nth(1).and_then(|rest| rest.split(['"', '\n']).next());
        text.expect("an address").trim().parse().expect("an address")
    }

    /// The most memory that it has had resident, in KiB.
    pub fn most_resident(&self) -> u64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("its status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("a signal");
    }
}

impl Process {
    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        self.child.wait().expect("an end")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
