//! What happens, as it happens: one JSON object a line, for as long as somebody reads.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{ConnectInfo, State},
    http::{StatusCode, header},
    response::IntoResponse,
};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::{
    sync::{
        OwnedSemaphorePermit,
        broadcast::{Receiver, error::RecvError},
        watch,
    },
    time::{Interval, MissedTickBehavior, interval},
};

use super::{Desk, Peer, answer::No, log::Line, requests::Request};
use crate::{
    logging::kept::{self, lines},
    refused::Refused,
};

/// `GET events`.
pub(super) async fn events(
    State(desk): State<Arc<Desk>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
) -> Result<impl IntoResponse, No> {
    let full = |_| No::new(StatusCode::SERVICE_UNAVAILABLE, format!("{MOST} listen already"));
    let place = desk.listening.clone().try_acquire_owned().map_err(full)?;
    let lines = stream::unfold(Listener::new(desk, &peer, place), |mut listener| async {
        let line = listener.next().await?;
        Some((Ok::<_, Infallible>(line), listener))
    });
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)))
}

/// Somebody who reads. What he does not read in time is lost to him; nobody waits.
struct Listener {
    desk: Arc<Desk>,
    seconds: Interval,
    requests: Receiver<Arc<Refused>>,
    lines: Receiver<Arc<kept::Line>>,
    lists: watch::Receiver<()>,
    reloads: watch::Receiver<Option<String>>,
    /// He has shown who he is, and does so again when the configuration has changed.
    is_remote: bool,
    has_ended: bool,
    _place: OwnedSemaphorePermit,
}

impl Listener {
    fn new(desk: Arc<Desk>, peer: &Peer, place: OwnedSemaphorePermit) -> Self {
        let mut seconds = interval(Duration::from_secs(1));
        seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            seconds,
            requests: desk.control.refused().listen(),
            lines: lines().listen(),
            lists: desk.gate.lists().subscribe(),
            reloads: desk.control.reloads().subscribe(),
            is_remote: peer.address.is_some(),
            has_ended: false,
            desk,
            _place: place,
        }
    }

    /// The next line; none, where nothing can come any more.
    async fn next(&mut self) -> Option<String> {
        if self.has_ended {
            return None;
        }
        let event = tokio::select! {
            _ = self.seconds.tick() => json!({ "counters": self.desk.counters() }),
            heard = self.requests.recv() => event(heard, |request| json!({ "request": Request::from(request) }))?,
            heard = self.lines.recv() => event(heard, |line| json!({ "log": Line::from(line) }))?,
            Ok(()) = self.lists.changed() => json!({ "lists": {} }),
            Ok(()) = self.reloads.changed() => {
                let error = self.reloads.borrow_and_update().clone();
                self.has_ended = self.is_remote && error.is_none();
                json!({ "reload": { "error": error } })
            }
        };
        Some(format!("{event}\n"))
    }
}

fn event<T>(heard: Result<Arc<T>, RecvError>, words: impl FnOnce(&T) -> Value) -> Option<Value> {
    match heard {
        Ok(event) => Some(words(&event)),
        Err(RecvError::Lagged(lost)) => Some(json!({ "lost": lost })),
        Err(RecvError::Closed) => None,
    }
}

/// At a time. Each costs a look at all counters a second, and some hundred events that wait for it.
pub(super) const MOST: usize = 32;
