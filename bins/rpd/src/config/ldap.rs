//! `[ldap]` and `host.ldap`.

#![allow(missing_docs, reason = "the keys are described where they are read by people: docs/CONFIG.md")]

use std::num::NonZeroU16;

use rp_route::network::Network;
use schemars::JsonSchema;
use serde::Deserialize;

use super::value::Text;
use crate::proxy_protocol::Version;

/// `[ldap]`: what holds before a host is known.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct LdapTable {
    pub require_tls: bool,
}

/// `host.ldap`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LdapRow {
    pub tcp: Option<NonZeroU16>,
    pub tls: Option<NonZeroU16>,
    pub networks: Option<Vec<Text<Network>>>,
    pub send_proxy: Option<Version>,
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

/// What only LDAP asks of a host.
#[derive(Clone, Debug, Default)]
pub struct Ldap {
    /// A bind name `user@domain` names it too.
    pub user_at_domain: bool,
    /// Results of binds that are told.
    pub suspicious_results: Vec<i32>,
    /// Those that are told after SASL binds alone.
    pub suspicious_results_sasl: Vec<i32>,
}

impl From<&LdapRow> for Ldap {
    fn from(row: &LdapRow) -> Self {
        Self {
            user_at_domain: row.user_at_domain,
            suspicious_results: row.suspicious_results.clone(),
            suspicious_results_sasl: row.suspicious_results_sasl.clone(),
        }
    }
}
