//! What the proxy tells of a connection: its log lines, as they come.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{Condvar, LazyLock, Mutex, Once},
};

use tracing_subscriber::fmt::MakeWriter;

use super::PATIENCE;

/// The lines about one client.
#[derive(Clone, Copy)]
pub struct Log {
    client: SocketAddr,
    /// Older lines are about somebody else, who had the same port.
    since: usize,
}

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());
static NEWS: Condvar = Condvar::new();
static BEGUN: LazyLock<Mutex<HashMap<SocketAddr, usize>>> = LazyLock::new(Mutex::default);

impl Log {
    /// Of the client with this address. The first call starts the log, so make it before anything can happen.
    pub fn of(client: SocketAddr) -> Self {
        Self::start();
        let since = BEGUN.lock().expect("clients").get(&client).copied().unwrap_or(0);
        Self { client, since }
    }

    /// A connection from this address begins now.
    pub fn begins(client: SocketAddr) {
        let since = LINES.lock().expect("lines").len();
        BEGUN.lock().expect("clients").insert(client, since);
    }

    /// From now on lines are kept.
    pub fn start() {
        static STARTED: Once = Once::new();
        STARTED.call_once(|| {
            let lines = tracing_subscriber::fmt()
                .with_writer(Lines)
                .with_ansi(false)
                .with_max_level(tracing::Level::DEBUG);
            lines.init();
        });
    }

    /// Waits for a line with all these parts.
    ///
    /// # Panics
    /// None came.
    pub fn wait_for(self, parts: &[&str]) {
        self.wait_for_all(1, parts);
    }

    /// Waits for so many lines, each with all these parts.
    ///
    /// # Panics
    /// Fewer came.
    pub fn wait_for_all(self, count: usize, parts: &[&str]) {
        let lines = LINES.lock().expect("lines");
        let missing = |lines: &mut Vec<String>| self.among(lines, parts) < count;
        let (lines, waited) = NEWS.wait_timeout_while(lines, PATIENCE, missing).expect("lines");
        assert!(!waited.timed_out(), "no {count} lines with {parts:?} in {:#?}", self.mine(&lines));
    }

    /// So many lines have all these parts by now.
    pub fn count(self, parts: &[&str]) -> usize {
        let lines = LINES.lock().expect("lines");
        self.among(&lines, parts)
    }

    fn among(self, lines: &[String], parts: &[&str]) -> usize {
        self.mine(lines).into_iter().filter(|line| parts.iter().all(|part| line.contains(part))).count()
    }

    fn mine(self, lines: &[String]) -> Vec<String> {
        let source = format!("source={} ", self.client);
        lines[self.since..].iter().filter(|line| format!("{line} ").contains(&source)).cloned().collect()
    }
}

/// Where the log writes, a line at a time.
struct Lines;

impl io::Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        LINES.lock().expect("lines").push(String::from_utf8_lossy(line).trim_end().to_owned());
        NEWS.notify_all();
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        Self
    }
}
