//! The lists: looking at them, and every way to change them.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use axum::{
    Json,
    extract::{
        ConnectInfo, Path, Query, State,
        rejection::{JsonRejection, QueryRejection},
    },
};
use rp_guard::{Actor, Change, Entry, Filter, Kind, Network};
use serde::{Deserialize, Serialize};

use super::{Desk, Peer, answer::No, audit::Done};
use crate::{
    config::FromText,
    guard::{KindWord, Listing, OriginWord},
};

/// Which entries are asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    kind: Option<KindWord>,
    origin: Option<OriginWord>,
    covering: Option<IpAddr>,
    inside: Option<String>,
}

/// An entry in force.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct InForce {
    #[serde(flatten)]
    listing: Listing,
    /// None is for ever.
    seconds_left: Option<u64>,
    /// Only noted: nothing is refused.
    observed: bool,
    /// Connections, since the proxy was started.
    refused: u32,
    /// Seconds since the last of them.
    last_refused: Option<u64>,
}

impl From<&Entry> for InForce {
    fn from(entry: &Entry) -> Self {
        Self {
            listing: Listing::of(entry, SystemTime::now()),
            seconds_left: entry.left.map(|left| left.as_secs()),
            observed: entry.observed,
            refused: entry.refused,
            last_refused: entry.last_refused.map(|ago| ago.as_secs()),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Lists {
    entries: Vec<InForce>,
    /// Why what is in force is not on disk.
    unsaved: Option<String>,
}

/// `GET lists`.
pub(super) async fn list(
    State(desk): State<Arc<Desk>>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<Lists>, No> {
    let Query(wanted) = wanted?;
    let filter = Filter {
        kind: wanted.kind.map(Kind::from),
        origin: wanted.origin.map(Into::into),
        covering: wanted.covering,
        inside: wanted.inside.map(|text| text.parse()).transpose()?,
    };
    let entries = desk.gate.guard.entries(&filter, Instant::now());
    let unsaved = desk.store.as_ref().and_then(|store| store.unsaved().failure());
    Ok(Json(Lists { entries: entries.iter().map(InForce::from).collect(), unsaved }))
}

/// How an entry is to be.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct How {
    /// A duration such as `2h`; absent or `never`: for ever.
    r#for: Option<String>,
    comment: Option<String>,
    /// Do it although it is dangerous.
    force: bool,
}

impl How {
    fn lifetime(&self) -> Result<Option<Duration>, No> {
        match self.r#for.as_deref() {
            None | Some("never") => Ok(None),
            Some(text) => Duration::from_text(text).map(Some).map_err(No::bad),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct New {
    network: String,
    kind: KindWord,
    #[serde(flatten)]
    how: How,
}

/// What was done.
#[derive(Serialize)]
pub(super) struct Changed {
    before: Option<InForce>,
    after: Option<InForce>,
    /// Bans inside the network that were lifted along with it.
    lifted: Vec<InForce>,
    /// Why the change is in force but not on disk.
    unsaved: Option<String>,
}

/// A change that an administrator asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Action {
    Block,
    Allow,
    Amend,
    Flip,
    Remove,
    Forget,
}

impl Action {
    fn as_str(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Allow => "allow",
            Self::Amend => "amend",
            Self::Flip => "flip",
            Self::Remove => "remove",
            Self::Forget => "forget",
        }
    }
}

/// `POST lists`.
pub(super) async fn put(
    State(desk): State<Arc<Desk>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    new: Result<Json<New>, JsonRejection>,
) -> Result<Json<Changed>, No> {
    let Json(new) = new?;
    let action = match new.kind {
        KindWord::Block => Action::Block,
        KindWord::Allow => Action::Allow,
    };
    desk.one(&peer, action, &new.network, &new.how).await
}

/// `PATCH lists/{network}`: another end or comment.
pub(super) async fn amend(
    State(desk): State<Arc<Desk>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Path(network): Path<String>,
    how: Result<Json<How>, JsonRejection>,
) -> Result<Json<Changed>, No> {
    let Json(how) = how?;
    desk.one(&peer, Action::Amend, &network, &how).await
}

/// `POST lists/{network}/flip`.
pub(super) async fn flip(
    State(desk): State<Arc<Desk>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Path(network): Path<String>,
    how: Result<Json<How>, JsonRejection>,
) -> Result<Json<Changed>, No> {
    let Json(how) = how?;
    desk.one(&peer, Action::Flip, &network, &how).await
}

/// `DELETE lists/{network}`.
pub(super) async fn remove(
    State(desk): State<Arc<Desk>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Path(network): Path<String>,
) -> Result<Json<Changed>, No> {
    desk.one(&peer, Action::Remove, &network, &How::default()).await
}

/// `DELETE addresses/{network}`: everything that is known of it.
pub(super) async fn forget(
    State(desk): State<Arc<Desk>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Path(network): Path<String>,
) -> Result<Json<Changed>, No> {
    desk.one(&peer, Action::Forget, &network, &How::default()).await
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Bulk {
    action: Action,
    networks: Vec<String>,
    #[serde(flatten)]
    how: How,
}

#[derive(Serialize)]
pub(super) struct BulkDone {
    done: usize,
    /// Those that were not changed, and why.
    failed: Vec<Failed>,
    unsaved: Option<String>,
}

#[derive(Serialize)]
struct Failed {
    network: String,
    error: String,
}

/// `POST lists/bulk`: one change for many networks, saved once.
pub(super) async fn bulk(
    State(desk): State<Arc<Desk>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    bulk: Result<Json<Bulk>, JsonRejection>,
) -> Result<Json<BulkDone>, No> {
    let Json(bulk) = bulk?;
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    for text in bulk.networks {
        match desk.change(&peer, bulk.action, &text, &bulk.how) {
            Ok((network, change)) => done.push(record(&peer, bulk.action, network, &change)),
            Err(no) => failed.push(Failed { network: text, error: no.message().to_owned() }),
        }
    }
    let unsaved = desk.keep(&done).await;
    Ok(Json(BulkDone { done: done.len(), failed, unsaved }))
}

impl Desk {
    /// Makes one change, writes it down, and answers when it is on disk.
    async fn one(&self, peer: &Peer, action: Action, network: &str, how: &How) -> Result<Json<Changed>, No> {
        let (network, change) = self.change(peer, action, network, how)?;
        let unsaved = self.keep(&[record(peer, action, network, &change)]).await;
        Ok(Json(Changed {
            before: change.before.as_ref().map(InForce::from),
            after: change.after.as_ref().map(InForce::from),
            lifted: change.lifted.iter().map(InForce::from).collect(),
            unsaved,
        }))
    }

    /// Makes one change; from here on it is in force.
    fn change(&self, peer: &Peer, action: Action, network: &str, how: &How) -> Result<(Network, Change), No> {
        let (guard, now) = (&self.gate.guard, Instant::now());
        let network: Network = network.parse()?;
        let lifetime = how.lifetime()?;
        let actor = Actor { name: &peer.name, addr: peer.address, force: how.force };
        let comment = how.comment.as_deref().unwrap_or_default();
        let change = match action {
            Action::Block => guard.put(network, Kind::Block, lifetime, comment, &actor, now)?,
            Action::Allow => guard.put(network, Kind::Allow, lifetime, comment, &actor, now)?,
            Action::Amend => {
                let lifetime = how.r#for.as_ref().map(|_| lifetime);
                guard.amend(network, lifetime, how.comment.as_deref(), &actor, now)?
            }
            Action::Flip => guard.flip(network, lifetime, &actor, now)?,
            Action::Remove => guard.remove(network, now)?,
            Action::Forget => {
                let forgotten = guard.forget(network, now);
                self.control.refused().retain(|refused| !network.contains(refused.source.ip()));
                Change { before: None, after: None, lifted: forgotten.entries }
            }
        };
        if change.after.as_ref().is_some_and(|entry| entry.kind == Kind::Block) && action != Action::Amend {
            self.gate.shut_out(network);
        }
        Ok((network, change))
    }

    /// Writes down what was done, and waits until the lists are on disk; or says why they are not.
    async fn keep(&self, done: &[Done<'_>]) -> Option<String> {
        if done.is_empty() {
            return None;
        }
        self.control.audit().write(done);
        self.gate.lists().send_replace(());
        match &self.store {
            Some(store) => store.unsaved().save().await.err(),
            None => Some("there is no state-directory".to_owned()),
        }
    }
}

fn record<'a>(peer: &'a Peer, action: Action, network: Network, change: &Change) -> Done<'a> {
    Done::listed(peer, action.as_str(), network, (change.before.as_ref(), change.after.as_ref()))
}
