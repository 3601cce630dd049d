//! The file as it is written: one struct a table, every key in kebab-case, nothing unknown let through.
//!
//! These types say only what each key holds. What the keys mean together is judged in `check`.

#![allow(missing_docs, reason = "the keys are described where they are read by people: docs/CONFIG.md")]

use std::{net::IpAddr, num::NonZeroU16, path::PathBuf, time::Duration};

use rp_route::{name::Name, network::Network};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::value::{Binds, Fingerprint, FromText, OneOrMany, Size, Target, Text};
use crate::protocol::Protocol;

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct File {
    pub listen: Listen,
    pub tls: Tls,
    pub ldap: LdapTable,
    pub host: Vec<Spanned<HostRow>>,
    pub limits: Limits,
    pub log: Log,
    pub engine: Engine,
}

/// `[listen]`: no port, no service.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Listen {
    pub h323: Option<Spanned<Binds>>,
    pub h323s: Option<Spanned<Binds>>,
    pub sip: Option<Spanned<Binds>>,
    pub sips: Option<Spanned<Binds>>,
    pub ldap: Option<Spanned<Binds>>,
    pub ldaps: Option<Spanned<Binds>>,
    pub http: Option<Spanned<Binds>>,
    pub https: Option<Spanned<Binds>>,
    pub ipv4: Spanned<bool>,
    pub ipv6: Spanned<bool>,
    pub backlog: u16,
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            h323: None,
            h323s: None,
            sip: None,
            sips: None,
            ldap: None,
            ldaps: None,
            http: None,
            https: None,
            ipv4: Spanned::new(0..0, true),
            ipv6: Spanned::new(0..0, true),
            backlog: 1024,
        }
    }
}

/// `[tls]`: what this proxy shows, to clients and to targets.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Tls {
    pub certificate: Vec<Spanned<Certificate>>,
    pub trust_list: Vec<Spanned<PathBuf>>,
    pub request_client_certificate: Vec<Spanned<String>>,
    pub min_version: TlsVersion,
    pub client: Option<Spanned<ClientCertificate>>,
}

impl Default for Tls {
    fn default() -> Self {
        let asked = ["h323s", "sips"].map(|name| Spanned::new(0..0, name.to_owned()));
        Self {
            certificate: Vec::new(),
            trust_list: Vec::new(),
            request_client_certificate: asked.into(),
            min_version: TlsVersion::default(),
            client: None,
        }
    }
}

/// `[[tls.certificate]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Certificate {
    pub certificate: Spanned<PathBuf>,
    pub key: Spanned<PathBuf>,
    #[serde(default)]
    pub names: Vec<Spanned<Text<Name>>>,
    #[serde(default)]
    pub default: bool,
}

/// `[tls.client]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ClientCertificate {
    pub certificate: Spanned<PathBuf>,
    pub key: Spanned<PathBuf>,
}

/// The oldest TLS version that is spoken.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
pub enum TlsVersion {
    #[default]
    #[serde(rename = "1.2")]
    Tls12,
    #[serde(rename = "1.3")]
    Tls13,
}

/// `[ldap]`: what holds before a host is known.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct LdapTable {
    pub require_tls: bool,
}

/// `[[host]]`: one row of the table of hosts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct HostRow {
    #[serde(default)]
    pub names: Vec<Spanned<Text<Name>>>,
    pub target: Spanned<OneOrMany<Target>>,
    pub h323: Option<Spanned<H323>>,
    pub sip: Option<Spanned<Sip>>,
    pub ldap: Option<Spanned<Ldap>>,
    pub http: Option<Spanned<Http>>,
    pub tls: Option<Spanned<HostTls>>,
    #[serde(default)]
    pub default: Vec<Spanned<Protocol>>,
    pub source_address: Option<Text<IpAddr>>,
    #[serde(default = "yes")]
    pub enabled: bool,
    #[serde(default)]
    pub comment: String,
}

/// `host.h323`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct H323 {
    pub tcp: Option<NonZeroU16>,
    pub tls: Option<NonZeroU16>,
    pub networks: Option<Vec<Text<Network>>>,
    #[serde(default)]
    pub any_location: bool,
    #[serde(default)]
    pub check_certificate: bool,
    #[serde(default)]
    pub serial_names: bool,
}

/// `host.sip`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Sip {
    pub tcp: Option<NonZeroU16>,
    pub tls: Option<NonZeroU16>,
    pub networks: Option<Vec<Text<Network>>>,
}

/// `host.ldap`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Ldap {
    pub tcp: Option<NonZeroU16>,
    pub tls: Option<NonZeroU16>,
    pub networks: Option<Vec<Text<Network>>>,
    #[serde(default)]
    pub user_at_domain: bool,
    #[serde(default = "suspicious_results")]
    pub suspicious_results: Vec<i32>,
    #[serde(default = "suspicious_results_sasl")]
    pub suspicious_results_sasl: Vec<i32>,
}

/// Results of a bind that tell of a wrong name or password; 34 is what OpenLDAP says to every `domain\user`.
fn suspicious_results() -> Vec<i32> {
    vec![19, 32, 34, 48, 49, 50, 53]
}

/// slapd's answer to an unknown SASL user.
fn suspicious_results_sasl() -> Vec<i32> {
    vec![80]
}

/// `host.http`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Http {
    pub tcp: Option<NonZeroU16>,
    pub tls: Option<NonZeroU16>,
    pub networks: Option<Vec<Text<Network>>>,
    pub urls: Option<Spanned<Vec<Spanned<String>>>>,
    #[serde(default)]
    pub encoded_slash: EncodedSlash,
}

/// What becomes of `%2f` in a path.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum EncodedSlash {
    #[default]
    Reject,
    Pass,
}

/// `host.tls`: how the target's certificate is judged, and what it gets to see of ours.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct HostTls {
    pub verify: Spanned<Verify>,
    #[serde(default)]
    pub trust: Vec<Spanned<PathBuf>>,
    pub fingerprints: Option<Spanned<OneOrMany<Fingerprint>>>,
    pub server_name: Option<Spanned<Text<Name>>>,
    #[serde(default = "yes")]
    pub present_certificate: bool,
}

/// `host.tls.verify`.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Verify {
    TrustList,
    Fingerprint,
    None,
}

/// `[limits]`: caps and time-outs. Every time-out has the name that the log gives it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Limits {
    /// Connections at the same time; at the cap accepting stops. Absent: 40 % of the open files.
    pub max_connections: Option<u32>,
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
    #[serde(deserialize_with = "sip_head")]
    pub sip_head: Size,
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
            sip_head: Size(16 * 1024),
            drain: Duration::from_secs(30),
        }
    }
}

/// `limits.idle`: without an octet in either direction; zero is no limit.
#[derive(Clone, Debug, Deserialize)]
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
#[derive(Clone, Debug, Deserialize)]
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

/// `[log]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Log {
    /// One line for each forwarded connection or request.
    pub forwarded: bool,
    /// One line for each rejected one.
    pub rejected: bool,
    pub level: Level,
    pub format: Format,
}

impl Default for Log {
    fn default() -> Self {
        Self { forwarded: false, rejected: true, level: Level::default(), format: Format::default() }
    }
}

/// `log.level`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
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
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Text, without time stamps where the journal adds its own.
    #[default]
    Auto,
    Text,
    Json,
}

/// `[engine]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Engine {
    /// Worker threads; absent: one a core.
    pub workers: Option<NonZeroU16>,
    pub runtime: Runtime,
}

/// `engine.runtime`.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Runtime {
    /// A connection stays on the worker that accepted it.
    #[default]
    PerCore,
    /// One work-stealing runtime.
    Shared,
}

fn text<'de, D: Deserializer<'de>, T: FromText>(deserializer: D) -> Result<T, D::Error> {
    Text::deserialize(deserializer).map(|text| text.0)
}

fn sip_head<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Size, D::Error> {
    let Size(size) = text(deserializer)?;
    if size > rp_sip::Limits::MAX_HEAD {
        return Err(serde::de::Error::custom("larger heads are never read; write \"64KiB\" or less"));
    }
    Ok(Size(size))
}

fn yes() -> bool {
    true
}
