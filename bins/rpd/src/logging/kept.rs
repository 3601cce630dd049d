//! The last lines of the log, for who administers from elsewhere. They are those that the log has, without the time,
//! which stands beside them.

use std::{io, sync::LazyLock, time::SystemTime};

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

use crate::recent::Recent;

/// A line.
#[derive(Clone, Debug)]
pub struct Line {
    /// When it was written.
    pub time: SystemTime,
    /// How urgent it is.
    pub level: Level,
    /// What it says.
    pub text: String,
}

/// Of this process, as the log is.
pub fn lines() -> &'static Recent<Line> {
    static LINES: LazyLock<Recent<Line>> = LazyLock::new(|| Recent::new(0));
    &LINES
}

/// Where a layer writes for these.
pub struct Keep;

impl<'a> MakeWriter<'a> for Keep {
    type Writer = Keeping;

    fn make_writer(&'a self) -> Keeping {
        Keeping(Level::INFO)
    }

    fn make_writer_for(&'a self, about: &Metadata<'_>) -> Keeping {
        Keeping(*about.level())
    }
}

/// Keeps one line.
pub struct Keeping(Level);

impl io::Write for Keeping {
    /// A layer writes each line as a whole.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line).trim().to_owned();
        lines().tell(Line { time: SystemTime::now(), level: self.0, text });
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
