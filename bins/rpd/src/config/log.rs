//! `[log]`: what is logged, and how.

#![allow(missing_docs, reason = "the keys are described where they are read by people: docs/CONFIG.md")]

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

/// `[log]`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Log {
    /// One line for each forwarded connection or request.
    pub forwarded: bool,
    /// One line for each rejected one.
    pub rejected: bool,
    pub level: Level,
    pub format: Format,
    /// Where the lines go; none: to standard error.
    pub file: Option<PathBuf>,
    /// What of a client's address a line tells.
    pub client_address: ClientAddress,
    /// How many refused requests, and how many lines, can be looked at.
    pub keep_requests: u16,
}

/// `log.client-address`.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum ClientAddress {
    /// All of it.
    #[default]
    Full,
    /// Its network: /24, /48.
    Masked,
    /// A word that is the same for a day.
    Hashed,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            forwarded: false,
            rejected: true,
            level: Level::default(),
            format: Format::default(),
            file: None,
            client_address: ClientAddress::default(),
            keep_requests: 200,
        }
    }
}

/// `log.level`.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

/// `log.format`.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Text, without time stamps where the journal adds its own.
    #[default]
    Auto,
    Text,
    Json,
}
