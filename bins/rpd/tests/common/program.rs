//! Programs that a test starts. None outlives it.

use std::{
    ffi::OsStr,
    io::{BufRead, BufReader, Read},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use super::PATIENCE;

/// A program that serves until this is dropped.
pub struct Program {
    name: String,
    child: Child,
    said: Arc<Said>,
    listeners: Vec<JoinHandle<()>>,
}

/// The lines that a program has written so far, to either of its outputs.
#[derive(Default)]
struct Said {
    lines: Mutex<Vec<String>>,
    more: Condvar,
}

impl Program {
    /// Starts a program.
    ///
    /// # Panics
    /// It cannot be started; most likely its package is not installed.
    pub fn start<S: AsRef<OsStr>>(name: &str, arguments: impl IntoIterator<Item = S>) -> Self {
        let mut command = bounded(name, arguments);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("timeout {name}: {error}"));
        let said = Arc::new(Said::default());
        let outputs: [Option<Box<dyn Read + Send>>; 2] = [
            child.stdout.take().map(|output| Box::new(output) as _),
            child.stderr.take().map(|output| Box::new(output) as _),
        ];
        let listen = |output| {
            let said = said.clone();
            thread::spawn(move || said.listen(output))
        };
        let listeners = outputs.into_iter().flatten().map(listen).collect();
        Self { name: name.to_owned(), child, said, listeners }
    }

    /// Waits until it accepts connections on this port of 127.0.0.1.
    ///
    /// # Panics
    /// It ends before, or does not in time.
    pub fn listening(mut self, port: u16) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        self.wait_until("listen", |_| TcpStream::connect(address).is_ok());
        self
    }

    /// Asks `done` again and again, for what cannot be waited for, until the program does what it should.
    ///
    /// # Panics
    /// It ends before, or does not in time.
    pub fn wait_until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !done(self) {
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("{} ended with {status}:\n{}", self.name, self.lines().join("\n"));
            }
            assert!(Instant::now() < deadline, "{} does not {what}:\n{}", self.name, self.lines().join("\n"));
            thread::sleep(BETWEEN_ATTEMPTS);
        }
    }

    /// Waits for a line that holds `part`, and returns it.
    ///
    /// # Panics
    /// None comes in time.
    pub fn wait_for(&self, part: &str) -> String {
        let lines = self.said.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = |lines: &mut Vec<String>| !lines.iter().any(|line| line.contains(part));
        let (lines, _) = self
            .said
            .more
            .wait_timeout_while(lines, PATIENCE, missing)
            .unwrap_or_else(PoisonError::into_inner);
        match lines.iter().find(|line| line.contains(part)) {
            Some(line) => line.clone(),
            None => panic!("{} did not say {part:?}:\n{}", self.name, lines.join("\n")),
        }
    }

    /// Ends it, and returns all that it has said.
    pub fn end(mut self) -> Vec<String> {
        self.stop();
        for listener in self.listeners.drain(..) {
            listener.join().expect("listening does not panic");
        }
        self.lines()
    }

    /// Whether a line so far holds `part`.
    pub fn said(&self, part: &str) -> bool {
        self.lines().iter().any(|line| line.contains(part))
    }

    /// All that it has said so far.
    pub fn lines(&self) -> Vec<String> {
        self.said.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends it, and waits for its end.
    pub fn stop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // timeout(1) passes the signal on to its whole process group, and kills who does not heed it.
            let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
            let _ = self.child.wait();
        }
    }
}

impl Said {
    fn listen(&self, output: impl Read) {
        for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            self.lines
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(String::from_utf8_lossy(&line).into_owned());
            self.more.notify_all();
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What became of a program that ran to its end.
#[derive(Debug)]
pub struct Finished {
    /// Its exit code; 124 when it took too long.
    pub code: Option<i32>,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl Finished {
    /// Its standard output, provided that it was content.
    ///
    /// # Panics
    /// Another exit code than 0.
    #[track_caller]
    pub fn ok(self) -> String {
        self.expect(0).out
    }

    /// Itself, provided that it ended with this code.
    ///
    /// # Panics
    /// Another exit code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "standard output:\n{}\nstandard error:\n{}", self.out, self.err);
        self
    }
}

/// Runs a program to its end.
///
/// # Panics
/// It cannot be started.
pub fn run<S: AsRef<OsStr>>(name: &str, arguments: impl IntoIterator<Item = S>) -> Finished {
    run_with(name, arguments, &[])
}

/// Runs a program to its end, with these variables in its environment.
///
/// # Panics
/// It cannot be started.
pub fn run_with<S: AsRef<OsStr>>(
    name: &str,
    arguments: impl IntoIterator<Item = S>,
    environment: &[(&str, &OsStr)],
) -> Finished {
    let output = bounded(name, arguments).envs(environment.iter().copied()).output();
    let output = output.unwrap_or_else(|error| panic!("timeout {name}: {error}"));
    Finished {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A program under timeout(1): so it ends even if the test is killed.
fn bounded<S: AsRef<OsStr>>(name: &str, arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new("timeout");
    // Servers lie where the PATH of an ordinary user does not look.
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin:/sbin"));
    command.args(["--kill-after=2", "120", name]).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What is asked for may need a core to happen.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(10);
