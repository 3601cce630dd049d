//! `host.tls`: how the target's certificate is judged, and what it gets to see of ours.

#![allow(missing_docs, reason = "the keys are described where they are read by people: docs/CONFIG.md")]

use std::{path::PathBuf, sync::Arc};

use rp_route::name::Name;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    check::Check,
    value::{Fingerprint, OneOrMany, Spanned, Text, yes},
};
use crate::tls::TrustList;

/// How a target's certificate is judged, and what it sees of ours.
#[derive(Clone, Debug)]
pub struct TargetTls {
    /// The rule.
    pub verify: Verify,
    /// The name that its certificate must hold, and SNI.
    pub server_name: Option<String>,
    /// Whether our certificate is shown when it asks.
    pub present_certificate: bool,
}

/// When a target's certificate is good.
#[derive(Clone, Debug)]
pub enum Verify {
    /// A path to one of these, or one of these itself.
    TrustList(Arc<TrustList>),
    /// One of exactly these.
    Fingerprint(Vec<Fingerprint>),
    /// Always.
    None,
}

/// `host.tls`: how the target's certificate is judged, and what it gets to see of ours.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TargetTlsTable {
    pub verify: Spanned<VerifyMode>,
    #[serde(default)]
    pub trust: Vec<Spanned<PathBuf>>,
    pub fingerprints: Option<Spanned<OneOrMany<Fingerprint>>>,
    pub server_name: Option<Spanned<Text<Name>>>,
    #[serde(default = "yes")]
    pub present_certificate: bool,
}

/// `host.tls.verify`.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum VerifyMode {
    TrustList,
    Fingerprint,
    None,
}

impl Check<'_> {
    pub(super) fn target_tls(&mut self, tls: &Spanned<TargetTlsTable>) {
        let row = tls.get_ref();
        self.target_verify(&row.verify, row.trust.is_empty(), row.fingerprints.as_ref());
        self.target_server_name(row.server_name.as_ref());
    }

    /// Each rule needs its data.
    pub(super) fn target_verify(
        &mut self,
        verify: &Spanned<VerifyMode>,
        trusts_nobody: bool,
        fingerprints: Option<&Spanned<OneOrMany<Fingerprint>>>,
    ) {
        match verify.get_ref() {
            VerifyMode::TrustList if trusts_nobody => {
                self.error(verify.span(), "verify = \"trust-list\" needs the certificates to trust; write trust = [\"trust/ca.pem\"]");
            }
            VerifyMode::Fingerprint if fingerprints.is_none_or(|list| list.get_ref().0.is_empty()) => {
                self.error(
                    verify.span(),
                    "verify = \"fingerprint\" needs the fingerprints; write fingerprints = [\"sha256:…\"]",
                );
            }
            VerifyMode::None => self.warning(
                verify.span(),
                "verify = \"none\": whoever answers at the target's address is taken for it",
            ),
            VerifyMode::TrustList | VerifyMode::Fingerprint => {}
        }
    }

    pub(super) fn target_server_name(&mut self, name: Option<&Spanned<Text<Name>>>) {
        if let Some(name) = name
            && (!name.get_ref().0.is_dns() || name.get_ref().0.is_wildcard())
        {
            self.error(name.span(), "server-name is a DNS name; write \"pbx.example.com\"");
        }
    }

    pub(super) fn load_target_tls(&mut self, row: TargetTlsTable) -> Option<TargetTls> {
        let verify = match row.verify.get_ref() {
            VerifyMode::None => Verify::None,
            VerifyMode::Fingerprint => Verify::Fingerprint(row.fingerprints?.into_inner().0),
            VerifyMode::TrustList => {
                let trusted = self.trust_list(&row.trust);
                Verify::TrustList(trusted.unwrap_or_else(|| Arc::new(TrustList::new(Vec::new()))))
            }
        };
        let server_name = row.server_name.map(|name| name.into_inner().0.as_str().to_owned());
        Some(TargetTls { verify, server_name, present_certificate: row.present_certificate })
    }
}
