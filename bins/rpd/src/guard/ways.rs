//! Where connections lead. Thousands lead to the same target of the same host, so that each holds no more than a
//! pointer.

use std::{collections::HashMap, net::SocketAddr, sync::Arc};

use foldhash::fast::RandomState;

/// A target of a host.
#[derive(Debug, PartialEq, Eq)]
pub struct Way {
    /// The host's first name.
    pub host: Box<str>,
    /// The address of its target.
    pub target: SocketAddr,
}

/// Those that a connection takes, or has taken lately.
#[derive(Debug, Default)]
pub(super) struct Ways(HashMap<SocketAddr, Vec<Arc<Way>>, RandomState>);

impl Ways {
    pub(super) fn to(&mut self, host: &str, target: SocketAddr) -> Arc<Way> {
        let known = self.0.get(&target).and_then(|ways| ways.iter().find(|way| *way.host == *host));
        known.cloned().unwrap_or_else(|| self.make(host, target))
    }

    fn make(&mut self, host: &str, target: SocketAddr) -> Arc<Way> {
        // Targets by name move, and rows come and go.
        self.0.retain(|_, ways| {
            ways.retain(|way| Arc::strong_count(way) > 1);
            !ways.is_empty()
        });
        let way = Arc::new(Way { host: host.into(), target });
        self.0.entry(target).or_default().push(way.clone());
        way
    }

    /// How many connections lead to each host.
    pub(super) fn taken(&self) -> HashMap<String, usize> {
        let mut taken = HashMap::new();
        for way in self.0.values().flatten() {
            // One is this table's own.
            *taken.entry(way.host.to_string()).or_default() += Arc::strong_count(way) - 1;
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_is_held_once_and_only_as_long_as_somebody_takes_it() {
        let target = |port| SocketAddr::from(([192, 0, 2, 1], port));
        let mut ways = Ways::default();
        let taken = [ways.to("a", target(1)), ways.to("a", target(1)), ways.to("b", target(1))];
        assert!(Arc::ptr_eq(&taken[0], &taken[1]) && *taken[0] != *taken[2]);
        assert_eq!(ways.taken(), HashMap::from([("a".to_owned(), 2), ("b".to_owned(), 1)]));
        drop(taken);
        let last = ways.to("a", target(2));
        assert_eq!((ways.0.len(), ways.taken()["a"]), (1, 1));
        drop(last);
    }
}
