//! The lists in a file, so that they outlive the process: readable, and whole at every instant.
//!
//! A thread of its own writes. Bans are gathered for up to a second, what an administrator does is written at once.
//! Whatever becomes of the file, the lists in memory are in force, and the proxy starts.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, BufWriter, ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime},
};

use rp_guard::Saved;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tracing::{error, info, warn};

use crate::{
    guard::{Gate, Listing, time_text},
    lock::lock,
};

/// The lists on disk, kept by a thread that ends with this.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    unsaved: Unsaved,
    thread: Option<JoinHandle<()>>,
    // Held until the end: two proxies must not write one file.
    _lock: File,
}

/// Why the state directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It is not there and cannot be made, or may not be opened.
    #[error("the state directory {}: {error}; write state-directory = a folder that this user may write to", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Another proxy works with it.
    #[error("the state directory {} belongs to another rpd that runs; write another state-directory", .0.display())]
    InUse(PathBuf),
}

impl Store {
    /// Opens the folder, hands what was kept to the guard, and keeps what changes from now on.
    ///
    /// # Errors
    /// The folder cannot be used. A file in it that cannot be read is none: it is put aside.
    pub fn open(folder: &Path, gate: &Arc<Gate>) -> Result<Self, OpenError> {
        let failed = |error| OpenError::Directory { path: folder.to_owned(), error };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        let lock = File::open(folder).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse(folder.to_owned())),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let restored = gate.guard.restore(load(folder), Instant::now(), SystemTime::now());
        let (taken, expired, skipped) = (restored.taken, restored.expired, restored.skipped);
        info!(taken, expired, skipped, "lists restored from {}", folder.join(FILE).display());
        let (sender, receiver) = channel();
        let unsaved =
            Unsaved { dirty: Arc::default(), failure: Arc::default(), failures: Arc::default(), sender };
        let mut writer = Writer {
            folder: folder.to_owned(),
            gate: gate.clone(),
            unsaved: unsaved.clone(),
            told: None,
            last: None,
        };
        let thread = thread::Builder::new().name("lists".to_owned());
        let thread = thread.spawn(move || writer.run(&receiver)).map_err(failed)?;
        gate.save_with(unsaved.clone());
        Ok(Self { folder: folder.to_owned(), unsaved, thread: Some(thread), _lock: lock })
    }

    /// The handle by which it is told of changes.
    pub fn unsaved(&self) -> &Unsaved {
        &self.unsaved
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Store {
    /// What is not saved yet is.
    fn drop(&mut self) {
        let _ = self.unsaved.sender.send(Message::End);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            error!("the writer of the lists ended by a panic");
        }
    }
}

/// Tells the writer that the lists have changed.
#[derive(Clone, Debug)]
pub struct Unsaved {
    dirty: Arc<AtomicBool>,
    failure: Arc<Mutex<Option<String>>>,
    failures: Arc<AtomicU64>,
    sender: Sender<Message>,
}

#[derive(Debug)]
enum Message {
    /// Something changed.
    Changed,
    /// Somebody waits until it is saved.
    Save(oneshot::Sender<Result<(), String>>),
    End,
}

impl Unsaved {
    /// To be saved when it suits. Never waits, and at most one message is on its way.
    pub fn note(&self) {
        if !self.dirty.swap(true, Ordering::AcqRel) {
            let _ = self.sender.send(Message::Changed);
        }
    }

    /// To be saved now.
    ///
    /// # Errors
    /// Why it is not saved. The change is in force all the same.
    pub async fn save(&self) -> Result<(), String> {
        let (reply, saved) = oneshot::channel();
        let _ = self.sender.send(Message::Save(reply));
        saved.await.unwrap_or_else(|_| Err("the writer of the lists has ended".to_owned()))
    }

    /// How many attempts to save have failed.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Why the last attempt to save failed, if it did.
    pub fn failure(&self) -> Option<String> {
        lock(&self.failure).clone()
    }
}

/// The thread that writes.
struct Writer {
    folder: PathBuf,
    gate: Arc<Gate>,
    unsaved: Unsaved,
    /// When a failure was last told.
    told: Option<Instant>,
    last: Option<Instant>,
}

impl Writer {
    fn run(&mut self, messages: &Receiver<Message>) {
        loop {
            let retry = if self.unsaved.failure().is_some() { RETRY } else { Duration::MAX };
            let first = match messages.recv_timeout(retry) {
                Ok(message) => Some(message),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let (waiting, end) = self.gather(first, messages);
            let saved = self.save();
            for reply in waiting {
                // Whoever asked may have gone.
                let _ = reply.send(saved.clone());
            }
            if end {
                return;
            }
        }
    }

    /// Who waits for the save that is due: at once if anybody does, else when a second has passed since the last one.
    fn gather(
        &self,
        first: Option<Message>,
        messages: &Receiver<Message>,
    ) -> (Vec<oneshot::Sender<Result<(), String>>>, bool) {
        let (mut waiting, mut end) = (Vec::new(), false);
        let due = self.last.map_or_else(Instant::now, |last| last + APART);
        let mut next = first;
        loop {
            match next {
                Some(Message::Save(reply)) => waiting.push(reply),
                Some(Message::End) => end = true,
                Some(Message::Changed) | None => {}
            }
            let now = Instant::now();
            let patience =
                if end || !waiting.is_empty() { Duration::ZERO } else { due.saturating_duration_since(now) };
            match messages.recv_timeout(patience) {
                Ok(message) => next = Some(message),
                Err(_) => return (waiting, end),
            }
        }
    }

    fn save(&mut self) -> Result<(), String> {
        // What changes from here on is another save's.
        self.unsaved.dirty.store(false, Ordering::Release);
        let wall = SystemTime::now();
        let saved = write(&self.folder, &self.gate.guard.snapshot(Instant::now(), wall), wall);
        self.last = Some(Instant::now());
        let failure =
            saved.as_ref().err().map(|error| format!("{}: {error}", self.folder.join(FILE).display()));
        match &failure {
            Some(failure) if self.told.is_none_or(|told| told.elapsed() >= TOLD_APART) => {
                error!("the lists are in force, but cannot be saved: {failure}");
                self.told = Some(Instant::now());
            }
            None if self.told.take().is_some() => info!("the lists are saved again"),
            _ => {}
        }
        self.unsaved.failures.fetch_add(u64::from(failure.is_some()), Ordering::Relaxed);
        *lock(&self.unsaved.failure) = failure.clone();
        failure.map_or(Ok(()), Err)
    }
}

/// Replaces the file. At every instant there is the old one or the new one, whole.
///
/// # Errors
/// The system's; the old file is still there.
pub fn write(folder: &Path, entries: &[Saved], wall: SystemTime) -> io::Result<()> {
    let (file, new, old) = (folder.join(FILE), folder.join(NEW), folder.join(OLD));
    let mut writer =
        BufWriter::new(OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?);
    let header = Header { version: VERSION, written: time_text(wall) };
    serde_json::to_writer(&mut writer, &header)?;
    for entry in entries {
        writer.write_all(b"\n")?;
        serde_json::to_writer(&mut writer, &Listing::of_saved(entry))?;
    }
    writer.write_all(b"\n")?;
    writer.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    keep_old(&file, &old)?;
    fs::rename(&new, &file)?;
    File::open(folder)?.sync_all()
}

/// The present file under a second name, for the case that a disk forgets the new one.
fn keep_old(file: &Path, old: &Path) -> io::Result<()> {
    match fs::remove_file(old) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    match fs::hard_link(file, old) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// What was kept. A file that is damaged or is none of ours is put aside.
fn load(folder: &Path) -> Vec<Saved> {
    let (file, old, bad) = (folder.join(FILE), folder.join(OLD), folder.join(BAD));
    let unreadable = match read(&file) {
        Ok((entries, lines)) => {
            if !lines.is_empty() {
                warn!(
                    "{}: lines that cannot be read are left out: {}; the file is kept as {}",
                    file.display(),
                    numbers(&lines),
                    bad.display()
                );
                aside(fs::copy(&file, &bad).map(drop), &bad);
            }
            return entries;
        }
        Err(error) if error.kind() == ErrorKind::NotFound => return Vec::new(),
        Err(error) => error,
    };
    error!(
        "{}: {unreadable}; it is kept as {}, and {} is read instead",
        file.display(),
        bad.display(),
        old.display()
    );
    aside(fs::rename(&file, &bad), &bad);
    match read(&old) {
        Ok((entries, _)) => entries,
        Err(error) => {
            error!("{}: {error}; the lists start with what the configuration has", old.display());
            Vec::new()
        }
    }
}

fn aside(kept: io::Result<()>, bad: &Path) {
    if let Err(error) = kept {
        warn!("{}: {error}", bad.display());
    }
}

/// The entries of a file, and the numbers of the lines that are none.
///
/// # Errors
/// It cannot be read, or is not one of ours.
pub fn read(file: &Path) -> io::Result<(Vec<Saved>, Vec<usize>)> {
    let octets = fs::read(file)?;
    let mut lines = octets.split(|octet| *octet == b'\n').enumerate().filter(|(_, line)| !line.is_empty());
    let header = lines.next().and_then(|(_, line)| serde_json::from_slice::<Header>(line).ok());
    if header.is_none_or(|header| header.version != VERSION) {
        return Err(io::Error::new(ErrorKind::InvalidData, "not a file of lists"));
    }
    let (mut entries, mut bad) = (Vec::new(), Vec::new());
    for (at, line) in lines {
        match serde_json::from_slice::<Listing>(line).ok().and_then(Listing::saved) {
            Some(entry) => entries.push(entry),
            None => bad.push(at + 1),
        }
    }
    Ok((entries, bad))
}

fn numbers(lines: &[usize]) -> String {
    let shown: Vec<String> = lines.iter().take(LINES_TOLD).map(usize::to_string).collect();
    let more = if lines.len() > LINES_TOLD { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

/// The first line of the file.
#[derive(Serialize, Deserialize)]
struct Header {
    #[serde(rename = "rpd-lists")]
    version: u32,
    written: String,
}

const VERSION: u32 = 1;

/// The file, the one that becomes it, the one before, and one that could not be read.
const FILE: &str = "lists.jsonl";
const NEW: &str = "lists.jsonl.tmp";
const OLD: &str = "lists.jsonl.bak";
const BAD: &str = "lists.jsonl.bad";

/// Between two saves that nobody waits for.
const APART: Duration = Duration::from_secs(1);
/// Between two attempts while saving fails.
const RETRY: Duration = Duration::from_secs(10);
/// Between two lines in the log about that.
const TOLD_APART: Duration = Duration::from_secs(60);
const LINES_TOLD: usize = 10;
