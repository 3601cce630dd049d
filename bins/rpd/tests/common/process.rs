//! The proxy as a program, for what it logs.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Mutex,
        mpsc::{self, Receiver},
    },
    thread,
};

use rustix::process::{Pid, Signal, kill_process};

use super::PATIENCE;

/// A proxy in a process of its own, with its log. It ends with this.
pub struct Process {
    child: Child,
    /// Locked by nobody: a proxy is shared with the threads of a test.
    log: Mutex<Receiver<String>>,
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
        let lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        // A line is taken when the test asks for it: what becomes of a log that nobody takes is a question of its own.
        let (told, log) = mpsc::sync_channel(0);
        thread::spawn(move || lines.map_while(Result::ok).for_each(|line| _ = told.send(line)));
        Self { child, log: log.into() }
    }

    /// The next line that holds `part`.
    pub fn line(&mut self, part: &str) -> String {
        loop {
            match self.log.get_mut().expect("nobody locks it").recv_timeout(PATIENCE) {
                Ok(line) if line.contains(part) => return line,
                Ok(_) => {}
                Err(why) => panic!("rpd has not said {part:?}: {why}"),
            }
        }
    }

    /// Where it listens for `kind`.
    pub fn address(&mut self, kind: &str) -> SocketAddr {
        let line = self.line(&format!("{kind} on "));
        let text = line.split(&format!("{kind} on ")).nth(1).and_then(|rest| rest.split('"').next());
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
