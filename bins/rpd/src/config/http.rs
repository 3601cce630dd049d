//! `host.http`.

#![allow(missing_docs, reason = "the keys are described where they are read by people: docs/CONFIG.md")]

use std::num::NonZeroU16;

use rp_route::{
    network::Network,
    url::{self, Nearest, Prefixes},
};
use serde::Deserialize;
use toml::Spanned;

use super::{check::Check, report::Finding, value::Text};
use crate::proxy_protocol::Version;

/// What only HTTP asks of a host.
#[derive(Clone, Debug, Default)]
pub struct Http {
    /// Whether `%2f` in a path is passed.
    pub encoded_slash: bool,
    /// The allowed URLs; none: every URL.
    pub urls: Option<Urls>,
}

/// The allowed URLs of a host.
#[derive(Clone, Debug)]
pub struct Urls {
    /// The compiled matcher.
    pub matcher: Prefixes,
    /// The entries as written, in the matcher's order.
    pub entries: Vec<String>,
}

impl Urls {
    /// Why no entry allows this path, for the log.
    pub fn why_not(&self, path: &[u8]) -> String {
        let entry = |at: usize| self.entries.get(at).map_or("", String::as_str);
        match self.matcher.nearest(path) {
            Some(Nearest::ClosingSlash(at)) => {
                format!("the entry {:?} ends in /, so it allows no further /", entry(at))
            }
            Some(Nearest::Head(at)) => format!("the nearest entry is {:?}", entry(at)),
            None => "urls is empty".to_owned(),
        }
    }
}

impl From<&HttpRow> for Http {
    fn from(row: &HttpRow) -> Self {
        let urls = row.urls.as_ref().map(|urls| {
            let entries: Vec<String> = urls.get_ref().iter().map(|entry| entry.get_ref().clone()).collect();
            Urls { matcher: Prefixes::new(entries.iter().map(String::as_bytes)), entries }
        });
        Self { encoded_slash: row.encoded_slash == EncodedSlash::Pass, urls }
    }
}

/// `host.http`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct HttpRow {
    pub tcp: Option<NonZeroU16>,
    pub tls: Option<NonZeroU16>,
    pub networks: Option<Vec<Text<Network>>>,
    pub send_proxy: Option<Version>,
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

impl Check<'_> {
    pub(super) fn urls(&mut self, http: &HttpRow) {
        let Some(urls) = &http.urls else { return };
        if urls.get_ref().is_empty() {
            self.findings.push(Finding::warning(
                urls.span(),
                "urls = [] allows no URL at all; leave the key out to allow every URL",
            ));
        }
        for entry in urls.get_ref() {
            let pass = http.encoded_slash == EncodedSlash::Pass;
            let path = entry.get_ref().split('?').next().unwrap_or_default();
            if let Err(fault) = url::check(entry.get_ref(), pass) {
                self.error(entry.span(), fault.to_string());
            } else if let Err(fault) = rp_http::target::check_path(path.as_bytes()) {
                self.error(
                    entry.span(),
                    format!("no request with this path gets through: {}", fault.reason.words()),
                );
            }
        }
    }
}
