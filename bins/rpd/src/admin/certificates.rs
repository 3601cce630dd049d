//! Certificates: those that clients see, those that are trusted, and those that targets have shown.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::Serialize;

use super::Desk;
use crate::{guard::time_text, tls::About};

#[derive(Serialize)]
pub(super) struct Certificates {
    ours: Vec<Ours>,
    trust: Vec<Trusted>,
    targets: Vec<Shown>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Certificate {
    names: Vec<String>,
    subject: String,
    issuer: String,
    not_before: String,
    not_after: String,
    fingerprint: String,
    key: String,
}

#[derive(Serialize)]
struct Ours {
    #[serde(flatten)]
    certificate: Certificate,
    /// The one for names that no other covers.
    default: bool,
    path: String,
}

#[derive(Serialize)]
struct Trusted {
    #[serde(flatten)]
    certificate: Certificate,
    path: String,
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    certificate: Certificate,
    /// By which host, by its first name.
    host: String,
    /// When it was last shown; a session that is resumed shows none.
    seen: String,
}

/// `GET certificates`.
pub(super) async fn certificates(State(desk): State<Arc<Desk>>) -> Json<Certificates> {
    let state = desk.control.state();
    let (tls, hosts) = (&state.config.tls, &state.config.hosts);
    let ours = tls.certificates.iter().enumerate().filter_map(|(at, own)| {
        let certificate = Certificate { names: own.names.clone(), ..about(own.key.cert.first()?)? };
        Some(Ours { certificate, default: at == 0, path: own.path.display().to_string() })
    });
    let trust = tls.trusted.iter().filter_map(|(path, der)| {
        Some(Trusted { certificate: about(der)?, path: path.display().to_string() })
    });
    let targets = hosts.iter().filter_map(|host| {
        let sighting = state.sightings.of(host.label());
        let (seen, der) = sighting.certificate.as_ref()?;
        Some(Shown { certificate: about(der)?, host: host.label().to_owned(), seen: time_text(*seen) })
    });
    Json(Certificates { ours: ours.collect(), trust: trust.collect(), targets: targets.collect() })
}

fn about(der: &[u8]) -> Option<Certificate> {
    let about = About::of(der)?;
    Some(Certificate {
        names: about.names,
        subject: about.subject,
        issuer: about.issuer,
        not_before: time_text(about.not_before),
        not_after: time_text(about.not_after),
        fingerprint: about.fingerprint.to_string(),
        key: about.key,
    })
}
