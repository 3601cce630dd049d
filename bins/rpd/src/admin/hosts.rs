//! The rows of the table of hosts, and how their targets do.

use std::{collections::HashMap, sync::Arc};

use axum::{Json, extract::State};
use serde::Serialize;

use super::Desk;
use crate::{
    config::{Host, Service},
    guard::time_text,
    protocol::Protocol,
    sightings::{Sighting, Sightings},
};

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Row {
    /// The first of its names.
    name: String,
    names: Vec<String>,
    comment: String,
    enabled: bool,
    /// In the file.
    line: usize,
    /// Protocols of which it takes what names nobody.
    default: Vec<&'static str>,
    target: Vec<String>,
    protocols: Vec<Spoken>,
    connections: usize,
    /// Whether the last connection to the target succeeded; nothing before the first.
    up: Option<bool>,
    last_error: Option<Fault>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Spoken {
    protocol: &'static str,
    tcp: Option<u16>,
    tls: Option<u16>,
    /// None: everybody may use it.
    networks: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    check_certificate: Option<bool>,
    /// None: all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    urls: Option<Vec<String>>,
}

#[derive(Serialize)]
struct Fault {
    time: String,
    text: String,
}

/// `GET hosts`: in the order of the file.
pub(super) async fn hosts(State(desk): State<Arc<Desk>>) -> Json<Vec<Row>> {
    let (state, connections) = (desk.control.state(), desk.gate.registry.per_host());
    let row = |host: &Arc<Host>| row(host, &state.sightings, &connections);
    let mut rows: Vec<Row> = state.config.hosts.iter().map(row).collect();
    rows.extend(state.config.disabled_hosts.iter().map(|host| Row { enabled: false, ..Row::alone(host) }));
    rows.sort_by_key(|row| row.line);
    Json(rows)
}

fn row(host: &Host, sightings: &Sightings, connections: &HashMap<String, usize>) -> Row {
    let Sighting { up, last_error, .. } = &*sightings.of(host.label());
    let fault = |(time, text): &(_, String)| Fault { time: time_text(*time), text: text.clone() };
    Row {
        connections: connections.get(host.label()).copied().unwrap_or(0),
        up: *up,
        last_error: last_error.as_ref().map(fault),
        ..Row::alone(host)
    }
}

impl Row {
    /// As it is written, and nothing else known of it.
    fn alone(host: &Host) -> Self {
        let spoken = |protocol| Spoken::of(host, protocol, host.services[protocol].as_ref()?);
        Self {
            name: host.label().to_owned(),
            names: host.names.iter().map(ToString::to_string).collect(),
            comment: host.comment.clone(),
            enabled: true,
            line: host.line,
            default: host.default.iter().map(|protocol| protocol.as_str()).collect(),
            target: host.targets.iter().map(ToString::to_string).collect(),
            protocols: Protocol::ALL.into_iter().filter_map(spoken).collect(),
            connections: 0,
            up: None,
            last_error: None,
        }
    }
}

impl Spoken {
    fn of(host: &Host, protocol: Protocol, service: &Service) -> Option<Self> {
        let networks = service.networks.as_ref();
        let urls = host.http.urls.as_ref().filter(|_| protocol == Protocol::Http);
        Some(Self {
            protocol: protocol.as_str(),
            tcp: service.ports.tcp,
            tls: service.ports.tls,
            networks: networks.map(|networks| networks.iter().map(ToString::to_string).collect()),
            check_certificate: match protocol {
                Protocol::H323 => Some(host.h323.check_certificate),
                Protocol::Sip => Some(host.sip.check_certificate),
                Protocol::Ldap | Protocol::Http => None,
            },
            urls: urls.map(|urls| urls.entries.iter().map(|entry| entry.prefix.clone()).collect()),
        })
    }
}
