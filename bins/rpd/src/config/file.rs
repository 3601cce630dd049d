//! The file as it is written: one struct a table, every key in kebab-case, nothing unknown let through.
//!
//! The structs say only what each key holds; what the keys mean together is judged by `check`. Both stand in one file
//! a table, with what comes out.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    admin::AdminTable, engine::Engine, guard::GuardTable, host::HostRow, ldap::LdapTable, limits::Limits,
    listen::ListenTable, log::Log, metrics::MetricsTable, sip::SipTable, tls::TlsTable, value::Spanned,
};

/// The whole file.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct File {
    pub listen: ListenTable,
    pub tls: TlsTable,
    pub sip: SipTable,
    pub ldap: LdapTable,
    pub host: Vec<Spanned<HostRow>>,
    pub guard: GuardTable,
    pub admin: AdminTable,
    pub state_directory: Option<PathBuf>,
    pub limits: Limits,
    pub log: Log,
    pub metrics: MetricsTable,
    pub engine: Engine,
}
