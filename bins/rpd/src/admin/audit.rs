//! Who changed what: one JSON line a change, behind one another, on disk before the change is answered.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    net::IpAddr,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::SystemTime,
};

use rp_guard::Entry;
use serde::Serialize;
use tracing::{error, info};

use crate::guard::{Listing, time_text};

/// The file; none without a state directory.
pub(super) struct Audit(Option<PathBuf>);

/// One change.
#[derive(Serialize)]
pub(super) struct Done<'a> {
    pub(super) actor: &'a str,
    /// Where from; nowhere through the socket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<IpAddr>,
    pub(super) action: &'static str,
    pub(super) network: String,
    pub(super) before: Option<Listing>,
    pub(super) after: Option<Listing>,
}

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    #[serde(flatten)]
    done: &'a Done<'a>,
}

impl Audit {
    pub(super) fn new(folder: Option<&Path>) -> Self {
        Self(folder.map(|folder| folder.join(FILE)))
    }

    /// Writes down what was done. A change that is in force is not taken back because the disk is full.
    pub(super) fn write(&self, done: &[Done<'_>]) {
        for done in done {
            info!(actor = done.actor, network = done.network, "the lists were changed: {}", done.action);
        }
        if let Some(path) = &self.0
            && let Err(error) = append(path, done)
        {
            error!("{}: {error}", path.display());
        }
    }
}

fn append(path: &Path, done: &[Done<'_>]) -> io::Result<()> {
    let time = time_text(SystemTime::now());
    let mut lines = Vec::new();
    for done in done {
        serde_json::to_writer(&mut lines, &Line { time: time.clone(), done })?;
        lines.push(b'\n');
    }
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    file.write_all(&lines)?;
    file.sync_data()
}

/// The entry in words.
pub(super) fn listing(entry: Option<&Entry>) -> Option<Listing> {
    entry.map(|entry| Listing::of(entry, SystemTime::now()))
}

const FILE: &str = "audit.jsonl";
