//! `host.h323`.

#![allow(missing_docs, reason = "the keys are described where they are read by people: docs/CONFIG.md")]

use std::num::NonZeroU16;

use rp_route::network::Network;
use schemars::JsonSchema;
use serde::Deserialize;

use super::value::Text;
use crate::proxy_protocol::Version;

/// What only H.323 asks of a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct H323 {
    /// It takes `id/location` for every location without a host of its own.
    pub any_location: bool,
    /// Only a phone that shows a trusted certificate of its name gets the TLS leg.
    pub check_certificate: bool,
    /// `IPxxx-aa-bb-cc` in a certificate is the phone `009033aabbcc`.
    pub serial_names: bool,
}

impl From<&H323Row> for H323 {
    fn from(row: &H323Row) -> Self {
        Self {
            any_location: row.any_location,
            check_certificate: row.check_certificate,
            serial_names: row.serial_names,
        }
    }
}

/// `host.h323`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct H323Row {
    pub tcp: Option<NonZeroU16>,
    pub tls: Option<NonZeroU16>,
    pub networks: Option<Vec<Text<Network>>>,
    pub send_proxy: Option<Version>,
    #[serde(default)]
    pub any_location: bool,
    #[serde(default)]
    pub check_certificate: bool,
    #[serde(default)]
    pub serial_names: bool,
}
