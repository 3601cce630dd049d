//! `host.http.urls`: what of a host can be reached, and what of it lies on another machine.

#![allow(missing_docs, reason = "the keys are described where they are read by people: docs/CONFIG.md")]

use std::{fmt, num::NonZeroU16, ops::Range, path::PathBuf};

use rp_route::{
    leg::Ports,
    name::Name,
    url::{self, Nearest, Prefixes},
};
use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::{
    check::Check,
    http::{EncodedSlash, HttpRow},
    listen::Listener,
    target_tls::{TargetTls, TargetTlsTable, VerifyMode},
    value::{Fingerprint, OneOrMany, Spanned, Target, Text},
};

/// The allowed URLs of a host.
#[derive(Clone, Debug)]
pub struct Urls {
    /// The compiled matcher.
    pub matcher: Prefixes,
    /// The entries, in the matcher's order.
    pub entries: Vec<UrlEntry>,
}

/// One of them.
#[derive(Clone, Debug)]
pub struct UrlEntry {
    /// As it is written.
    pub prefix: String,
    /// Where it leads, if not to the host's own target.
    pub elsewhere: Option<Elsewhere>,
}

/// The target of an entry of its own.
#[derive(Clone, Debug)]
pub struct Elsewhere {
    /// Tried in this order.
    pub targets: Vec<Target>,
    /// Its ports.
    pub ports: Ports,
    /// How its certificate is judged; set where a `tls` port is.
    pub tls: Option<TargetTls>,
}

impl Urls {
    /// An entry of the matcher as it is written.
    pub fn prefix(&self, entry: usize) -> &str {
        self.entries.get(entry).map_or("", |entry| entry.prefix.as_str())
    }

    /// Why no entry allows this path, for the log.
    pub fn why_not(&self, path: &[u8]) -> String {
        match self.matcher.nearest(path) {
            Some(Nearest::ClosingSlash(at)) => {
                format!("the entry {:?} ends in /, so it allows no further /", self.prefix(at))
            }
            Some(Nearest::Head(at)) => format!("the nearest entry is {:?}", self.prefix(at)),
            None => "urls is empty".to_owned(),
        }
    }
}

/// An entry as it is written: a text alone, or a table.
#[derive(Debug)]
pub enum UrlRow {
    Text(String),
    Table(Box<UrlTable>),
}

/// An entry with a target of its own.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct UrlTable {
    pub prefix: Spanned<String>,
    pub target: Option<Spanned<OneOrMany<Target>>>,
    pub tcp: Option<NonZeroU16>,
    pub tls: Option<NonZeroU16>,
    pub verify: Option<Spanned<VerifyMode>>,
    #[serde(default)]
    pub trust: Vec<Spanned<PathBuf>>,
    pub fingerprints: Option<Spanned<OneOrMany<Fingerprint>>>,
    pub server_name: Option<Spanned<Text<Name>>>,
}

impl<'de> Deserialize<'de> for UrlRow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RowVisitor;
        impl<'de> Visitor<'de> for RowVisitor {
            type Value = UrlRow;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the beginning of a path, or a table such as { prefix = \"/a\", target = \"10.0.0.9\", tcp = 80 }")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<UrlRow, E> {
                Ok(UrlRow::Text(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<UrlRow, A::Error> {
                UrlTable::deserialize(MapAccessDeserializer::new(map)).map(Box::new).map(UrlRow::Table)
            }
        }
        deserializer.deserialize_any(RowVisitor)
    }
}

impl UrlRow {
    fn prefix(&self) -> &str {
        match self {
            Self::Text(prefix) => prefix,
            Self::Table(table) => table.prefix.get_ref(),
        }
    }
}

impl UrlTable {
    fn ports(&self) -> Ports {
        Ports { tcp: self.tcp.map(NonZeroU16::get), tls: self.tls.map(NonZeroU16::get) }
    }

    /// The same keys as in `host.tls`, of which `verify` is needed.
    fn judged(&mut self) -> Option<TargetTlsTable> {
        Some(TargetTlsTable {
            verify: self.verify.take()?,
            trust: std::mem::take(&mut self.trust),
            fingerprints: self.fingerprints.take(),
            server_name: self.server_name.take(),
            present_certificate: true,
        })
    }
}

impl Check<'_> {
    pub(super) fn urls(&mut self, http: &HttpRow, listeners: &[Listener]) {
        let Some(urls) = &http.urls else { return };
        if urls.get_ref().is_empty() {
            self.warning(urls.span(), "urls = [] allows no URL at all; leave the key out to allow every URL");
        }
        let passes = http.encoded_slash == EncodedSlash::Pass;
        for (at, entry) in urls.get_ref().iter().enumerate() {
            let prefix = entry.get_ref().prefix();
            self.url_prefix(entry.span(), prefix, passes);
            if let UrlRow::Table(table) = entry.get_ref() {
                self.url_target(entry.span(), table, listeners);
            }
            if urls.get_ref().iter().take(at).any(|earlier| earlier.get_ref().prefix() == prefix) {
                let message = format!("{prefix:?} is in the list already, and the first one counts");
                self.warning(entry.span(), message);
            }
        }
    }

    fn url_prefix(&mut self, span: Range<usize>, prefix: &str, encoded_slash_passes: bool) {
        let path = prefix.split('?').next().unwrap_or_default();
        if let Err(fault) = url::check(prefix, encoded_slash_passes) {
            self.error(span, fault.to_string());
        } else if let Err(fault) = rp_http::target::check_path(path.as_bytes()) {
            self.error(span, format!("no request with this path gets through: {}", fault.reason.words()));
        }
    }

    fn url_target(&mut self, span: Range<usize>, table: &UrlTable, listeners: &[Listener]) {
        let ports = table.ports();
        let Some(target) = &table.target else {
            if ports != Ports::default() || table.verify.is_some() {
                self.error(span, "the entry has a port or verify, but no target; write target = \"10.0.0.9\" too, or the prefix alone");
            }
            return;
        };
        if ports == Ports::default() {
            self.error(
                span.clone(),
                "the entry has a target without a port; write tcp = 80 or tls = 443 too",
            );
        }
        if ports.tls.is_some() && table.verify.is_none() {
            self.error(span, "the entry has a tls port, but nothing says how the target's certificate is judged; write verify = \"trust-list\", \"fingerprint\" or \"none\" too");
        }
        if let Some(verify) = &table.verify {
            self.target_verify(verify, table.trust.is_empty(), table.fingerprints.as_ref());
        }
        self.target_server_name(table.server_name.as_ref());
        self.targets_elsewhere(target, ports, listeners);
    }

    /// Builds a list that [`Check::urls`] has found sound.
    pub(super) fn build_urls(&mut self, rows: Vec<Spanned<UrlRow>>) -> Urls {
        let entries: Vec<UrlEntry> = rows.into_iter().map(|row| self.build_url(row.into_inner())).collect();
        Urls { matcher: Prefixes::new(entries.iter().map(|entry| entry.prefix.as_bytes())), entries }
    }

    fn build_url(&mut self, row: UrlRow) -> UrlEntry {
        let mut table = match row {
            UrlRow::Text(prefix) => return UrlEntry { prefix, elsewhere: None },
            UrlRow::Table(table) => table,
        };
        let tls = table.judged().and_then(|judged| self.load_target_tls(judged));
        let ports = table.ports();
        let elsewhere = table.target.map(|target| Elsewhere { targets: target.into_inner().0, ports, tls });
        UrlEntry { prefix: table.prefix.into_inner(), elsewhere }
    }
}
