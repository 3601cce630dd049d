//! Who sends suspicious requests now.

use std::{sync::Arc, time::Instant};

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use rp_guard::Suspect;
use serde::{Deserialize, Serialize};

use super::{Desk, answer::No};
use crate::guard::event_words;

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
