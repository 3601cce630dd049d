//! `[engine]`: workers.

#![allow(missing_docs, reason = "the keys are described where they are read by people: docs/CONFIG.md")]

use std::num::NonZeroU16;

use schemars::JsonSchema;
use serde::Deserialize;

/// `[engine]`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Engine {
    /// Worker threads; absent: one a core.
    pub workers: Option<NonZeroU16>,
    pub runtime: Runtime,
}

/// `engine.runtime`.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Runtime {
    /// A connection stays on the worker that accepted it.
    #[default]
    PerCore,
    /// One work-stealing runtime.
    Shared,
}
