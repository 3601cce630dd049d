//! `[limits]`: caps and time-outs.

#![allow(missing_docs, reason = "the keys are described where they are read by people: docs/CONFIG.md")]

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::{
    check::Check,
    value::{Size, Spanned, text},
};
use crate::open_files;

/// `[limits]`: caps and time-outs. Every time-out has the name that the log gives it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Limits {
    /// Connections at the same time; at the cap accepting stops. Absent: 40 % of the open files.
    pub max_connections: Option<Spanned<u32>>,
    pub connections_per_source: u32,
    pub handshakes: u32,
    #[serde(deserialize_with = "text")]
    pub handshake: Duration,
    #[serde(deserialize_with = "text")]
    pub first_byte: Duration,
    #[serde(deserialize_with = "text")]
    pub first_message: Duration,
    #[serde(deserialize_with = "text")]
    pub connect: Duration,
    pub idle: Idle,
    pub keepalive: Keepalive,
    #[serde(deserialize_with = "text")]
    pub http_head: Duration,
    #[serde(deserialize_with = "text")]
    pub http_response: Duration,
    /// Octets a second that a client sends or takes at least, while it is waited for.
    #[serde(deserialize_with = "text")]
    pub http_body_rate: Size,
    #[serde(deserialize_with = "text")]
    pub http_parked: Duration,
    #[serde(deserialize_with = "sip_head")]
    pub sip_head: Size,
    #[serde(deserialize_with = "text")]
    pub sip_body: Size,
    #[serde(deserialize_with = "text")]
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: None,
            connections_per_source: 2048,
            handshakes: 1000,
            handshake: Duration::from_secs(10),
            first_byte: Duration::from_secs(10),
            first_message: Duration::from_secs(15),
            connect: Duration::from_secs(5),
            idle: Idle::default(),
            keepalive: Keepalive::default(),
            http_head: Duration::from_secs(10),
            http_response: Duration::from_secs(60),
            http_body_rate: Size(500),
            http_parked: Duration::from_secs(30),
            sip_head: Size(16 * 1024),
            sip_body: Size(1024 * 1024),
            drain: Duration::from_secs(30),
        }
    }
}

/// `limits.idle`: without an octet in either direction; zero is no limit.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Idle {
    #[serde(deserialize_with = "text")]
    pub h323: Duration,
    #[serde(deserialize_with = "text")]
    pub sip: Duration,
    #[serde(deserialize_with = "text")]
    pub ldap: Duration,
    #[serde(deserialize_with = "text")]
    pub http: Duration,
    #[serde(deserialize_with = "text")]
    pub tunnel: Duration,
}

impl Default for Idle {
    fn default() -> Self {
        Self {
            h323: Duration::from_secs(3600),
            sip: Duration::from_secs(2 * 3600),
            ldap: Duration::from_secs(15 * 60),
            http: Duration::from_secs(75),
            tunnel: Duration::from_secs(3600),
        }
    }
}

/// `limits.keepalive`: silence before the first TCP keep-alive probe, on both legs.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Keepalive {
    #[serde(deserialize_with = "text")]
    pub h323: Duration,
    #[serde(deserialize_with = "text")]
    pub sip: Duration,
    #[serde(deserialize_with = "text")]
    pub ldap: Duration,
    #[serde(deserialize_with = "text")]
    pub http: Duration,
}

impl Default for Keepalive {
    fn default() -> Self {
        let five_minutes = Duration::from_secs(300);
        Self { h323: five_minutes, sip: Duration::from_secs(60), ldap: five_minutes, http: five_minutes }
    }
}

impl Check<'_> {
    /// A connection takes two open files: the client's and the target's.
    pub(super) fn capacity(&mut self, limits: &Limits) {
        let Some(wanted) = &limits.max_connections else { return };
        let files = open_files::most();
        let most = files.saturating_sub(FILES_ASIDE) / 2;
        if u64::from(*wanted.get_ref()) > most {
            let message = format!(
                "{} connections need twice as many open files, and the system allows {files} (ulimit -Hn, LimitNOFILE); write max-connections = {most} or less, or raise the limit",
                wanted.get_ref()
            );
            self.warning(wanted.span(), message);
        }
    }
}

/// For listeners, log, lists and the administrator.
const FILES_ASIDE: u64 = 64;

fn sip_head<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Size, D::Error> {
    let Size(size) = text(deserializer)?;
    if size > rp_sip::Limits::MAX_HEAD {
        return Err(serde::de::Error::custom("larger heads are never read; write \"64KiB\" or less"));
    }
    Ok(Size(size))
}
