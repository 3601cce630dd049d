//! Who changed what: one JSON line a change, behind one another, on disk before the change is answered.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    net::IpAddr,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::SystemTime,
};

use rp_guard::{Entry, Network};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use tracing::{error, info};

use super::{Peer, connections::Connection};
use crate::{
    config::Reading,
    guard::{Listing, time_text},
    logging,
};

/// The file; none without a state directory.
#[derive(Debug)]
pub struct Audit(Option<PathBuf>);

/// One change.
#[derive(Serialize)]
pub(super) struct Done<'a> {
    actor: &'a str,
    /// Where from; nowhere through the socket.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<IpAddr>,
    action: &'static str,
    /// Of which network the entry was changed.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "text")]
    network: Option<Network>,
    before: Value,
    after: Value,
    /// Why there was no change.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    #[serde(flatten)]
    done: &'a Done<'a>,
}

impl<'a> Done<'a> {
    /// An entry of the lists.
    pub(super) fn listed(
        peer: &'a Peer,
        action: &'static str,
        network: Network,
        (before, after): (Option<&Entry>, Option<&Entry>),
    ) -> Self {
        let entry = |entry: Option<&Entry>| json!(entry.map(|entry| Listing::of(entry, SystemTime::now())));
        Self { network: Some(network), before: entry(before), after: entry(after), ..Self::by(peer, action) }
    }

    /// A connection that was closed.
    pub(super) fn closed(peer: &'a Peer, connection: &Connection) -> Self {
        Self { before: json!(connection), ..Self::by(peer, "close") }
    }

    fn by(peer: &'a Peer, action: &'static str) -> Self {
        let (actor, source) = (peer.name.as_str(), peer.address);
        Self { actor, source, action, network: None, before: Value::Null, after: Value::Null, error: None }
    }
}

impl Audit {
    /// In this file.
    pub fn new(file: Option<PathBuf>) -> Self {
        Self(file)
    }

    /// In a file of this folder.
    pub fn in_folder(folder: &Path) -> PathBuf {
        folder.join(FILE)
    }

    /// The configuration was read anew. What was in force and what is are told by the digests of the texts.
    pub fn reloaded(&self, actor: &str, before: &Reading, after: &Reading, error: Option<&str>) {
        let words = |reading: &Reading| json!({ "read": time_text(reading.time), "digest": reading.digest.to_string() });
        let (before, after) = (words(before), words(after));
        self.append(&[Done { actor, source: None, action: "reload", network: None, before, after, error }]);
    }

    /// Writes down what was done, and tells the log.
    pub(super) fn write(&self, done: &[Done<'_>]) {
        for done in done {
            match &done.network {
                Some(network) => logging::listed(done.actor, done.action, *network),
                None => info!(actor = done.actor, conn = done.before["id"].as_u64(), "{}", done.action),
            }
        }
        self.append(done);
    }

    /// A change that is in force is not taken back because the disk is full.
    fn append(&self, done: &[Done<'_>]) {
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

fn text<S: Serializer>(network: &Option<Network>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&network.map(|network| network.to_string()).unwrap_or_default())
}

const FILE: &str = "audit.jsonl";
