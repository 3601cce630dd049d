//! Where the lines of the log go: to a file, which may be moved away and opened anew, or to standard error.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock, Mutex, PoisonError, RwLock},
};

use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};

use crate::lock::lock;

/// A file that is appended to.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    file: File,
}

impl LogFile {
    /// Opens it, or makes it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn open(path: &Path) -> io::Result<Self> {
        // Addresses of clients are nobody else's business.
        let file = OpenOptions::new().append(true).create(true).mode(0o640).open(path);
        let told = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        Ok(Self { path: path.to_owned(), file: file.map_err(told)? })
    }
}

/// Sends the lines there from now on; to standard error, if nowhere.
pub fn replace(file: Option<LogFile>) {
    *OUTPUT.write().unwrap_or_else(PoisonError::into_inner) = file.map(Arc::new);
}

/// Opens the file anew, after another program has moved it away.
///
/// # Errors
/// It cannot be opened; lines go on to the former one.
pub fn reopen() -> io::Result<()> {
    let path = OUTPUT.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(|file| file.path.clone());
    if let Some(path) = path {
        replace(Some(LogFile::open(&path)?));
    }
    Ok(())
}

/// Takes lines for the thread that writes them. Nobody who logs waits for a disk or a terminal: what does not fit into
/// its queue is lost, and counted.
pub fn writer() -> NonBlocking {
    let (writer, _) = &*WRITER;
    writer.clone()
}

/// Writes what is in the queue, and nothing more.
pub fn end() {
    let (_, guard) = &*WRITER;
    drop(lock(guard).take());
}

/// How many lines did not fit.
pub fn lost() -> usize {
    let (writer, _) = &*WRITER;
    writer.error_counter().dropped_lines()
}

/// Writes to wherever lines go at the moment.
#[derive(Clone, Copy, Debug)]
struct Output;

impl Write for Output {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        // Not held while writing: who opens another file need not wait for a slow one.
        let output = OUTPUT.read().unwrap_or_else(PoisonError::into_inner).clone();
        match output {
            Some(output) => (&output.file).write(octets),
            None => io::stderr().write(octets),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

static OUTPUT: RwLock<Option<Arc<LogFile>>> = RwLock::new(None);

static WRITER: LazyLock<(NonBlocking, Mutex<Option<WorkerGuard>>)> = LazyLock::new(|| {
    let queue = NonBlockingBuilder::default().lossy(true).buffered_lines_limit(QUEUE).thread_name("log");
    let (writer, guard) = queue.finish(Output);
    (writer, Mutex::new(Some(guard)))
});

/// Lines; a few megabytes when it is full.
const QUEUE: usize = 4096;
