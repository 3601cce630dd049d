//! Where the lines of the log go: to a file, which may be moved away and opened anew, or to standard error.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{PoisonError, RwLock},
};

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
    *OUTPUT.write().unwrap_or_else(PoisonError::into_inner) = file;
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

/// Writes to wherever lines go at the moment.
#[derive(Clone, Copy, Debug)]
pub struct Output;

impl Write for Output {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        match OUTPUT.read().unwrap_or_else(PoisonError::into_inner).as_ref() {
            Some(LogFile { file, .. }) => (&*file).write(octets),
            None => io::stderr().write(octets),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

static OUTPUT: RwLock<Option<LogFile>> = RwLock::new(None);
