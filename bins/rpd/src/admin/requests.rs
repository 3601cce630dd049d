//! The last requests that were refused, and who sends suspicious ones now.

use std::{sync::Arc, time::Instant};

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use rp_guard::Suspect;
use serde::{Deserialize, Serialize};

use super::{Desk, answer::No};
use crate::{
    guard::{event_words, time_text},
    protocol::Protocol,
    refused::Refused,
};

/// How many of the last ones are asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Last {
    #[serde(default = "all")]
    pub(super) limit: usize,
}

fn all() -> usize {
    usize::MAX
}

/// A request that was refused, or that its service broke off.
#[derive(Serialize)]
pub(super) struct Request {
    time: String,
    /// The number of its connection.
    conn: u64,
    listener: &'static str,
    protocol: Option<&'static str>,
    source: String,
    name: Option<String>,
    /// What was asked, in the protocol's own words; in them is the user.
    request: Option<String>,
    host: Option<String>,
    outcome: &'static str,
    reason: &'static str,
    detail: String,
    /// `yes`, or why not.
    counted: &'static str,
    /// How many within the minute, and of how many.
    count: Option<String>,
}

impl From<&Refused> for Request {
    fn from(refused: &Refused) -> Self {
        let refused = refused.clone();
        Self {
            time: time_text(refused.time),
            conn: refused.conn,
            listener: refused.listener.as_str(),
            protocol: refused.protocol.map(Protocol::as_str),
            source: refused.source.to_string(),
            name: refused.name,
            request: refused.request,
            host: refused.host,
            outcome: refused.outcome,
            reason: refused.reason.as_str(),
            detail: refused.detail,
            counted: refused.counted,
            count: refused.count,
        }
    }
}

/// `GET requests`: the newest first.
pub(super) async fn last(
    State(desk): State<Arc<Desk>>,
    wanted: Result<Query<Last>, QueryRejection>,
) -> Result<Json<Vec<Request>>, No> {
    let Query(wanted) = wanted?;
    let last = desk.control.refused().last(wanted.limit);
    Ok(Json(last.iter().rev().map(|refused| Request::from(&**refused)).collect()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    #[serde(default = "ten")]
    n: usize,
}

fn ten() -> usize {
    10
}

/// A source with suspicious requests within the last minute.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Source {
    network: String,
    count: u8,
    threshold: u8,
    reason: Option<String>,
    protocol: Option<String>,
    /// Seconds since the first and the last of them.
    first: u64,
    last: u64,
}

impl From<Suspect> for Source {
    fn from(suspect: Suspect) -> Self {
        let (reason, protocol) = event_words(Some(suspect.event));
        Self {
            network: suspect.network.to_string(),
            count: suspect.count,
            threshold: suspect.threshold,
            reason,
            protocol,
            first: suspect.first.as_secs(),
            last: suspect.last.as_secs(),
        }
    }
}

/// `GET requests/top`: those with the most, the most first.
pub(super) async fn top(
    State(desk): State<Arc<Desk>>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<Vec<Source>>, No> {
    let Query(wanted) = wanted?;
    let top = desk.gate.guard.top(wanted.n.min(MOST), Instant::now());
    Ok(Json(top.into_iter().map(Source::from).collect()))
}

const MOST: usize = 1000;
