//! `host.sip`.

#![allow(missing_docs, reason = "the keys are described where they are read by people: docs/CONFIG.md")]

use std::num::NonZeroU16;

use rp_route::network::Network;
use serde::Deserialize;

use super::value::Text;
use crate::proxy_protocol::Version;

/// `host.sip`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SipRow {
    pub tcp: Option<NonZeroU16>,
    pub tls: Option<NonZeroU16>,
    pub networks: Option<Vec<Text<Network>>>,
    pub send_proxy: Option<Version>,
}
