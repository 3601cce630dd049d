//! `[metrics]`: where figures are told to everybody.

#![allow(missing_docs, reason = "the keys are described where they are read by people: docs/CONFIG.md")]

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    check::Check,
    value::{Binds, Spanned},
};

/// `[metrics]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct MetricsTable {
    pub listen: Option<Spanned<Binds>>,
}

impl Check<'_> {
    /// Only addresses that are written: figures are for whoever reaches the port.
    pub(super) fn metrics(&mut self, table: &MetricsTable) -> Vec<SocketAddr> {
        let Some(binds) = &table.listen else { return Vec::new() };
        self.written_addresses(binds, "metrics.listen: everybody could read the figures")
    }
}
