//! How the proxy does, on one page.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Instant, SystemTime},
};

use axum::{
    Json,
    extract::{ConnectInfo, State},
};
use rp_guard::{Mode, Stats};
use serde::Serialize;

use super::{Desk, Peer};
use crate::{
    COMMIT,
    config::{Config, Role},
    guard::time_text,
    protocol::ListenerKind,
};

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Status {
    version: &'static str,
    commit: &'static str,
    started: String,
    state: &'static str,
    config: Reading,
    connections: usize,
    max_connections: u32,
    workers: usize,
    listeners: Vec<Listener>,
    guard: Guard,
    lists: Lists,
    totals: Totals,
    you: You,
}

/// The configuration in force.
#[derive(Serialize)]
struct Reading {
    file: String,
    read: String,
    /// Why the last reload changed nothing, if it did not.
    error: Option<String>,
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct Listener {
    name: &'static str,
    /// None, where one that is gone has connections left.
    addresses: Vec<String>,
    connections: i64,
}

#[derive(Serialize)]
struct Guard {
    mode: &'static str,
    threshold: u8,
    /// Whole seconds.
    expiration: u64,
    blocked: usize,
    allowed: usize,
    tracked: usize,
}

#[derive(Serialize)]
struct Lists {
    unsaved: Option<String>,
}

/// Since the start.
#[derive(Serialize)]
pub(super) struct Totals {
    connections: u64,
    requests: u64,
    refusals: u64,
    counted: u64,
}

#[derive(Serialize)]
struct You {
    name: String,
    role: Role,
}

/// What changes from second to second.
#[derive(Serialize)]
pub(super) struct Counters {
    time: String,
    connections: usize,
    totals: Totals,
    tracked: usize,
    blocked: usize,
}

/// `GET status`.
pub(super) async fn status(
    State(desk): State<Arc<Desk>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
) -> Json<Status> {
    let (control, state) = (&desk.control, desk.control.state());
    Json(Status {
        version: env!("CARGO_PKG_VERSION"),
        commit: COMMIT,
        started: time_text(control.started()),
        state: if control.is_ending() { "draining" } else { "running" },
        config: desk.reading(&state.config),
        connections: desk.gate.registry.len(),
        max_connections: control.max_connections(),
        workers: control.threads(),
        listeners: desk.listeners(),
        guard: desk.guard(&state.config),
        lists: Lists { unsaved: desk.store.as_ref().and_then(|store| store.unsaved().failure()) },
        totals: desk.totals(),
        you: You { name: peer.name, role: peer.role },
    })
}

impl Desk {
    pub(super) fn counters(&self) -> Counters {
        let stats = self.stats();
        Counters {
            time: time_text(SystemTime::now()),
            connections: self.gate.registry.len(),
            totals: self.totals(),
            tracked: stats.tracked,
            blocked: stats.blocked,
        }
    }

    fn reading(&self, config: &Config) -> Reading {
        Reading {
            file: config.path.display().to_string(),
            read: time_text(config.reading.time),
            error: self.control.reloads().borrow().clone(),
            warnings: config.reading.warnings.clone(),
        }
    }

    fn listeners(&self) -> Vec<Listener> {
        let mut addresses = BTreeMap::<usize, Vec<String>>::new();
        for listener in self.control.listeners() {
            addresses.entry(listener.kind.number()).or_default().push(listener.address.to_string());
        }
        let of = |kind: ListenerKind| {
            let addresses = addresses.remove(&kind.number()).unwrap_or_default();
            let connections = self.metrics.living(kind);
            let known = !addresses.is_empty() || connections > 0;
            known.then(|| Listener { name: kind.as_str(), addresses, connections })
        };
        ListenerKind::all().filter_map(of).collect()
    }

    fn guard(&self, config: &Config) -> Guard {
        let (policy, stats) = (&config.guard.policy, self.stats());
        Guard {
            mode: if policy.mode == Mode::Enforce { "enforce" } else { "observe" },
            threshold: policy.thresholds.default_threshold(),
            expiration: policy.expiration.as_secs(),
            blocked: stats.blocked,
            allowed: stats.allowed,
            tracked: stats.tracked,
        }
    }

    fn stats(&self) -> Stats {
        self.gate.guard.stats(Instant::now())
    }

    fn totals(&self) -> Totals {
        let totals = self.metrics.totals();
        Totals {
            connections: self.control.connections_so_far(),
            requests: totals.requests,
            refusals: totals.refusals,
            counted: totals.counted,
        }
    }
}
