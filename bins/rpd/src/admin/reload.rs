//! Reading the configuration anew.

use std::sync::Arc;

use axum::{
    Json,
    extract::{ConnectInfo, State},
    http::StatusCode,
};
use serde_json::{Value, json};
use tokio::task::spawn_blocking;
use tracing::info;

use super::{Desk, Peer, answer::No};
use crate::{config::Listener, reload};

/// Answers when the new configuration is in force, or why it is not.
pub(super) async fn reload(
    State(desk): State<Arc<Desk>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
) -> Result<Json<Value>, No> {
    info!(actor = peer.name, "asked to reload");
    let control = desk.control.clone();
    let failed = |error: &dyn ToString| No::new(StatusCode::CONFLICT, error.to_string());
    let change =
        spawn_blocking(move || reload::reload(&control, &peer.name)).await.map_err(|error| failed(&error))?;
    let change = change.map_err(|error| failed(&error))?;
    let all = |listeners: &[Listener]| -> Vec<String> {
        listeners.iter().map(|listener| format!("{} on {}", listener.kind, listener.address)).collect()
    };
    Ok(Json(json!({ "opened": all(&change.opened), "closed": all(&change.closed), "notes": change.notes })))
}
