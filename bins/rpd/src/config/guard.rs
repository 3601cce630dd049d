//! `[guard]`: when a source is shut out, and for how long.

#![allow(missing_docs, reason = "the keys are described where they are read by people: docs/CONFIG.md")]

use std::{net::IpAddr, time::Duration};

use rp_guard::{CountTargetDown, Keying, KeyingError, Mode, Policy, Thresholds, ThresholdsError};
use rp_route::network::Network;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    check::Check,
    value::{Spanned, Text, text},
};

/// What is counted, what follows from it, and who is exempt.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    /// What the library goes by.
    pub policy: Policy,
    /// Whether a failed connection to a target counts.
    pub count_target_down: CountTargetDown,
    /// A ban ends proven connections, too.
    pub close_established: bool,
    /// Caps of single networks that replace `limits.connections-per-source`.
    pub max_connections: Vec<(rp_guard::Network, u32)>,
}

impl Guard {
    /// How many connections this source may have, if a network has a cap of its own: that with the longest prefix.
    pub fn max_connections(&self, source: IpAddr) -> Option<u32> {
        let caps = self.max_connections.iter().filter(|(network, _)| network.contains(source));
        caps.max_by_key(|(network, _)| network.prefix_len()).map(|(_, most)| *most)
    }
}

/// `[guard]`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct GuardTable {
    pub mode: ModeWord,
    pub threshold: u8,
    pub expiration: Spanned<Text<Duration>>,
    pub count_target_down: CountTargetDownWord,
    pub close_established: bool,
    pub ipv4_prefix: Spanned<u8>,
    pub ipv6_prefix: Spanned<u8>,
    pub nat64: Spanned<Vec<Text<Network>>>,
    pub max_tracked: Spanned<u32>,
    pub max_entries: Spanned<u32>,
    pub allow: Vec<Spanned<Text<Network>>>,
    pub block: Vec<Spanned<Text<Network>>>,
    pub network: Vec<Spanned<NetworkRow>>,
}

/// `[[guard.network]]`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct NetworkRow {
    #[serde(deserialize_with = "text")]
    #[schemars(with = "Text<Network>")]
    pub network: Network,
    pub threshold: Option<u8>,
    pub max_connections: Option<u32>,
    /// For people; read, and not used.
    #[serde(default, rename = "comment")]
    pub _comment: String,
}

/// `guard.mode`.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ModeWord {
    #[default]
    Enforce,
    Observe,
}

/// `guard.count-target-down`.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CountTargetDownWord {
    Never,
    #[default]
    Smart,
    Always,
}

impl Default for GuardTable {
    fn default() -> Self {
        // RFC 6052 2.1: the well-known prefix.
        let nat64 = Network::parse("64:ff9b::/96").into_iter().map(Text).collect();
        Self {
            mode: ModeWord::default(),
            threshold: 20,
            expiration: Spanned::unwritten(Text(Duration::from_secs(3600))),
            count_target_down: CountTargetDownWord::default(),
            close_established: false,
            ipv4_prefix: Spanned::unwritten(32),
            ipv6_prefix: Spanned::unwritten(64),
            nat64: Spanned::unwritten(nat64),
            max_tracked: Spanned::unwritten(131_072),
            max_entries: Spanned::unwritten(100_000),
            allow: Vec::new(),
            block: Vec::new(),
            network: Vec::new(),
        }
    }
}

impl Check<'_> {
    pub(super) fn guard(&mut self, table: &GuardTable) -> Guard {
        if table.expiration.get_ref().0.is_zero() {
            self.error(
                table.expiration.span(),
                "a ban of no time bans nobody; write \"60min\", or threshold = 0",
            );
        }
        self.within("guard.max-tracked", &table.max_tracked, 512..=MOST_TRACKED);
        self.within("guard.max-entries", &table.max_entries, 64..=MOST_ENTRIES);
        for network in &table.allow {
            if network.get_ref().0.prefix_length() == 0 {
                let message =
                    "nobody of this family is ever counted or refused; write the networks that you trust";
                self.warning(network.span(), message);
            }
        }
        let policy = Policy {
            mode: match table.mode {
                ModeWord::Enforce => Mode::Enforce,
                ModeWord::Observe => Mode::Observe,
            },
            keys: self.keys(table),
            thresholds: self.thresholds(table),
            expiration: table.expiration.get_ref().0,
            max_tracked: *table.max_tracked.get_ref() as usize,
            max_entries: *table.max_entries.get_ref() as usize,
            allow: table.allow.iter().map(|network| listed(network.get_ref().0)).collect(),
            block: table.block.iter().map(|network| listed(network.get_ref().0)).collect(),
        };
        let caps = table.network.iter().map(Spanned::get_ref);
        Guard {
            policy,
            count_target_down: match table.count_target_down {
                CountTargetDownWord::Never => CountTargetDown::Never,
                CountTargetDownWord::Smart => CountTargetDown::Smart,
                CountTargetDownWord::Always => CountTargetDown::Always,
            },
            close_established: table.close_established,
            max_connections: caps
                .filter_map(|row| Some((listed(row.network), row.max_connections?)))
                .collect(),
        }
    }

    fn keys(&mut self, table: &GuardTable) -> Keying {
        let nat64: Vec<_> = table.nat64.get_ref().iter().map(|Text(network)| listed(*network)).collect();
        let keys = Keying::new(*table.ipv4_prefix.get_ref(), *table.ipv6_prefix.get_ref(), &nat64);
        keys.unwrap_or_else(|error| {
            let (key, span) = match error {
                KeyingError::Ipv4Prefix(_) => ("guard.ipv4-prefix", table.ipv4_prefix.span()),
                KeyingError::Ipv6Prefix(_) => ("guard.ipv6-prefix", table.ipv6_prefix.span()),
                _ => ("guard.nat64", table.nat64.span()),
            };
            self.error(span, format!("{key}: {error}"));
            Keying::default()
        })
    }

    fn thresholds(&mut self, table: &GuardTable) -> Thresholds {
        let rows = table.network.iter().map(Spanned::get_ref);
        let networks: Vec<_> =
            rows.map(|row| (listed(row.network), row.threshold.unwrap_or(table.threshold))).collect();
        let last = |wanted: Option<rp_guard::Network>| {
            let named = |row: &&Spanned<NetworkRow>| {
                wanted.is_none_or(|network| listed(row.get_ref().network) == network)
            };
            table.network.iter().rfind(named).map(Spanned::span).unwrap_or_default()
        };
        Thresholds::new(table.threshold, &networks).unwrap_or_else(|error| {
            let span = match error {
                ThresholdsError::Twice(network) => last(Some(network)),
                _ => last(None),
            };
            self.error(span, format!("guard.network: {error}"));
            Thresholds::default()
        })
    }

    fn within(&mut self, key: &str, value: &Spanned<u32>, range: std::ops::RangeInclusive<u32>) {
        if !range.contains(value.get_ref()) {
            let (least, most) = (range.start(), range.end());
            self.error(value.span(), format!("{key} is {}; write {least} to {most}", value.get_ref()));
        }
    }
}

/// The same network in the guard's own type.
fn listed(network: Network) -> rp_guard::Network {
    // Both types have no host bits, and the same spelling.
    network.to_string().parse().unwrap_or_else(|_| rp_guard::Network::host(IpAddr::from([0; 4])))
}

/// A quarter of a gigabyte at the default threshold.
const MOST_TRACKED: u32 = 4_194_304;
/// 128 MiB, taken at start.
const MOST_ENTRIES: u32 = 1_000_000;
