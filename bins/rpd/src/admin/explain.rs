//! What would become of a message, by the configuration and the lists of this moment.

use std::sync::Arc;

use axum::{
    Json,
    extract::{State, rejection::JsonRejection},
};
use rustls_pki_types::CertificateDer;
use serde::Deserialize;

use super::{Desk, answer::No};
use crate::{
    explain::{Explanation, Question, address, octets_of_hex},
    protocol::ListenerKind,
    tls,
};

/// A message, and how it came.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Asked {
    listener: String,
    source: String,
    /// Its octets.
    hex: String,
    /// PEM.
    certificate: Option<String>,
    server_name: Option<String>,
    #[serde(default)]
    tls: bool,
}

impl TryFrom<Asked> for Question {
    type Error = String;

    fn try_from(asked: Asked) -> Result<Self, String> {
        let certificates = asked.certificate.map_or(Ok(Vec::new()), |pem| certificates(&pem))?;
        Ok(Self {
            listener: asked.listener.parse::<ListenerKind>()?,
            source: address(&asked.source)?,
            octets: octets_of_hex(&asked.hex)?,
            tls: asked.tls,
            server_name: asked.server_name,
            certificates,
        })
    }
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    match tls::parse_certificates(pem.as_bytes()) {
        Ok(all) if all.is_empty() => {
            Err("certificate holds none; write PEM (-----BEGIN CERTIFICATE-----)".to_owned())
        }
        all => all.map_err(|error| format!("certificate: {error}")),
    }
}

/// `POST explain`: nothing is opened, logged or counted.
pub(super) async fn explain(
    State(desk): State<Arc<Desk>>,
    asked: Result<Json<Asked>, JsonRejection>,
) -> Result<Json<Explanation>, No> {
    let Json(asked) = asked?;
    let question = Question::try_from(asked).map_err(No::bad)?;
    question.answer(&desk.control.state(), &desk.gate).map(Json).map_err(No::bad)
}
