//! The living connections: looking at them, and closing one.

use std::sync::Arc;

use axum::{
    Json,
    extract::{
        ConnectInfo, Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::StatusCode,
};
use rp_guard::Network;
use serde::{Deserialize, Serialize};

use super::{Desk, Peer, answer::No, audit::Done};
use crate::{
    cancel::Request,
    config::Listener,
    guard::{About, time_text},
    protocol::Protocol,
    state::State as Proxy,
};

/// Which connections are asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    #[serde(default = "some")]
    limit: usize,
    /// An address or a network.
    source: Option<String>,
    /// By its first name.
    host: Option<String>,
}

fn some() -> usize {
    500
}

#[derive(Serialize)]
pub(super) struct Connections {
    /// How many there are of those that are asked for.
    total: usize,
    /// The newest of them.
    connections: Vec<Connection>,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Connection {
    id: u64,
    listener: &'static str,
    protocol: Option<&'static str>,
    source: String,
    host: Option<String>,
    target: Option<String>,
    since: String,
    /// The service took the client for who he says he is.
    proven: bool,
    /// Its host or its listener is gone from the configuration.
    stale: bool,
}

/// `GET connections`.
pub(super) async fn list(
    State(desk): State<Arc<Desk>>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<Connections>, No> {
    let Query(wanted) = wanted?;
    let source = wanted.source.as_deref().map(str::parse::<Network>).transpose()?;
    let (total, found) = desk.gate.registry.list(source, wanted.host.as_deref(), wanted.limit.min(MOST));
    let look = Look::new(&desk);
    Ok(Json(Connections { total, connections: found.iter().map(|about| look.at(about)).collect() }))
}

#[derive(Serialize)]
pub(super) struct Closed {
    closed: Connection,
}

/// `DELETE connections/{id}`.
pub(super) async fn close(
    State(desk): State<Arc<Desk>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    id: Result<Path<u64>, PathRejection>,
) -> Result<Json<Closed>, No> {
    let Path(id) = id?;
    let gone = || No::new(StatusCode::NOT_FOUND, format!("there is no connection {id}; it may have ended"));
    let closed = Look::new(&desk).at(&desk.gate.registry.find(id).ok_or_else(gone)?);
    if !desk.gate.registry.ask(id, Request::Close) {
        return Err(gone());
    }
    desk.control.audit().write(&[Done::closed(&peer, &closed)]);
    Ok(Json(Closed { closed }))
}

/// By which it is told whether a connection is one of today.
struct Look {
    state: Arc<Proxy>,
    /// None, where all of them are closed because this is the end.
    listeners: Option<Vec<Listener>>,
}

impl Look {
    fn new(desk: &Desk) -> Self {
        let listeners = (!desk.control.is_ending()).then(|| desk.control.listeners());
        Self { state: desk.control.state(), listeners }
    }

    fn at(&self, about: &About) -> Connection {
        Connection {
            id: about.id,
            listener: about.listener.as_str(),
            protocol: about.protocol.map(Protocol::as_str),
            source: about.source.to_string(),
            host: about.way.as_ref().map(|way| way.host.to_string()),
            target: about.way.as_ref().map(|way| way.target.to_string()),
            since: time_text(about.since),
            proven: about.proven,
            stale: self.is_stale(about),
        }
    }

    fn is_stale(&self, about: &About) -> bool {
        let is_there = |name: &str| {
            let mut rows = self.state.config.hosts.iter().filter(|host| host.label() == name);
            rows.any(|host| about.protocol.is_none_or(|protocol| host.services[protocol].is_some()))
        };
        let listens =
            |listeners: &Vec<Listener>| listeners.iter().any(|listener| listener.kind == about.listener);
        about.way.as_ref().is_some_and(|way| !is_there(&way.host))
            || self.listeners.as_ref().is_some_and(|listeners| !listens(listeners))
    }
}

/// In one answer.
const MOST: usize = 20_000;
