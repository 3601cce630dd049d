//! What the administrator decides. All of it is checked when it is built, so that [`Guard`](crate::Guard)
//! has nothing to refuse.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::key::Keying;
use crate::network::Network;
use crate::ranges::Ranges;

/// The rules of a guard.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Whether to refuse, or only to note what would be refused.
    pub mode: Mode,
    /// What counts as one source.
    pub keys: Keying,
    /// How many events a source may have within a minute.
    pub thresholds: Thresholds,
    /// How long an automatic ban lasts. Every ban lasts the same.
    pub expiration: Duration,
    /// Sources that are counted at the same time: the slots of the window, rounded up to a multiple of
    /// 512. Each value in [`Thresholds`] other than the default has a table of a sixteenth of this.
    pub max_tracked: usize,
    /// The most automatic bans, rounded up to a multiple of 64, and the most manual entries.
    pub max_entries: usize,
    /// Networks that are always allowed.
    pub allow: Vec<Network>,
    /// Networks that are always blocked, where they are not allowed.
    pub block: Vec<Network>,
}

impl Default for Policy {
    /// More than 20 events within a minute block a source for an hour; 131,072 slots (8 MiB).
    fn default() -> Self {
        Self {
            mode: Mode::Enforce,
            keys: Keying::default(),
            thresholds: Thresholds::default(),
            expiration: Duration::from_secs(60 * 60),
            max_tracked: 131_072,
            max_entries: 100_000,
            allow: Vec::new(),
            block: Vec::new(),
        }
    }
}

/// Whether the guard refuses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Blocked sources are denied.
    #[default]
    Enforce,
    /// Nothing is denied. Bans are made with the mark `observed`, and are neither saved nor kept when the
    /// mode changes to `Enforce`.
    Observe,
}

/// How many events a source may have within a minute before it is blocked: one number for all, and others
/// for single networks.
///
/// ```
/// use rp_guard::Thresholds;
///
/// let office = "192.0.2.0/24".parse().unwrap();
/// let thresholds = Thresholds::new(20, &[(office, 200)]).unwrap();
/// assert_eq!(thresholds.at("192.0.2.7".parse().unwrap()), 200);
/// assert_eq!(thresholds.at("198.51.100.7".parse().unwrap()), 20);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thresholds {
    default: u8,
    networks: Vec<(Network, u8)>,
}

impl Thresholds {
    /// The most distinct values beside the default. Each has a table of its own in the window.
    pub const MAX_DISTINCT: usize = 8;

    /// `default` everywhere but in `networks`, of which the longest prefix wins. 0 is "not counted".
    ///
    /// # Errors
    /// More than [`MAX_DISTINCT`](Self::MAX_DISTINCT) distinct values, or one network with two.
    pub fn new(default: u8, networks: &[(Network, u8)]) -> Result<Self, ThresholdsError> {
        let mut networks = networks.to_vec();
        networks.sort_unstable();
        networks.dedup();
        let twice = networks.windows(2).find_map(|pair| match pair {
            [(one, _), (other, _)] if one == other => Some(*one),
            _ => None,
        });
        if let Some(network) = twice {
            return Err(ThresholdsError::Twice(network));
        }
        let thresholds = Self { default, networks };
        match thresholds.distinct().len() {
            0..=Self::MAX_DISTINCT => Ok(thresholds),
            distinct => Err(ThresholdsError::TooManyDistinct(distinct)),
        }
    }

    /// The threshold at `addr`, taken as it is (v4-mapped counts as IPv4, NAT64 does not).
    pub fn at(&self, addr: std::net::IpAddr) -> u8 {
        self.networks
            .iter()
            .filter(|(network, _)| network.contains(addr))
            .max_by_key(|(network, _)| network.prefix_len())
            .map_or(self.default, |(_, threshold)| *threshold)
    }

    /// The threshold of all that is in no network.
    pub fn default_threshold(&self) -> u8 {
        self.default
    }

    /// Values beside the default that need a table.
    pub(crate) fn distinct(&self) -> Vec<u8> {
        let mut values: Vec<u8> = self.networks.iter().map(|(_, threshold)| *threshold).collect();
        values.retain(|value| *value != 0 && *value != self.default);
        values.sort_unstable();
        values.dedup();
        values
    }

    /// The networks in the form for look-ups.
    pub(crate) fn ranges(&self, keys: &Keying) -> Ranges<u8> {
        Ranges::new(self.networks.iter().map(|(net, value)| (keys.unfold_network(*net), *value)).collect())
    }
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { default: 20, networks: Vec::new() }
    }
}

/// Why [`Thresholds`] cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ThresholdsError {
    /// So many distinct values beside the default.
    TooManyDistinct(usize),
    /// The network has two values.
    Twice(Network),
}

impl Error for ThresholdsError {}

impl fmt::Display for ThresholdsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyDistinct(distinct) => {
                let most = Thresholds::MAX_DISTINCT;
                write!(
                    f,
                    "{distinct} distinct thresholds beside the default; at most {most} can be told apart"
                )
            }
            Self::Twice(network) => write!(f, "{network} has two thresholds"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(at: u8) -> Network {
        format!("192.0.2.{at}").parse().unwrap()
    }

    #[test]
    fn the_longest_prefix_wins() {
        let networks = [("192.0.2.0/24", 40), ("192.0.2.128/25", 80), ("0.0.0.0/0", 10), ("192.0.2.200", 0)]
            .map(|(text, threshold)| (text.parse().unwrap(), threshold));
        let thresholds = Thresholds::new(20, &networks).unwrap();
        let ranges = thresholds.ranges(&Keying::default());
        let rows =
            [("192.0.2.1", 40), ("192.0.2.129", 80), ("192.0.2.200", 0), ("10.0.0.1", 10), ("::1", 20)];
        for (addr, threshold) in rows {
            let addr = addr.parse().unwrap();
            assert_eq!(thresholds.at(addr), threshold, "{addr}");
            assert_eq!(ranges.covering(addr).next().copied().unwrap_or(20), threshold, "{addr}");
        }
    }

    #[test]
    fn eight_distinct_values_fit_and_zero_and_the_default_are_free() {
        let mut networks: Vec<_> = (1..=8).map(|at| (network(at), 100 + at)).collect();
        networks.extend([(network(20), 0), (network(21), 20), (network(22), 101)]);
        assert_eq!(Thresholds::new(20, &networks).unwrap().distinct().len(), 8);
        networks.push((network(9), 109));
        assert_eq!(Thresholds::new(20, &networks), Err(ThresholdsError::TooManyDistinct(9)));
    }

    #[test]
    fn one_network_has_one_value() {
        let twice = [(network(1), 30), (network(2), 30), (network(1), 40)];
        assert_eq!(Thresholds::new(20, &twice), Err(ThresholdsError::Twice(network(1))));
        assert!(Thresholds::new(20, &[(network(1), 30), (network(1), 30)]).is_ok());
    }
}
