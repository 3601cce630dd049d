//! Networks of any length, flattened into disjoint sorted ranges: a look-up is one binary search.

use std::net::IpAddr;

use crate::network::Network;

/// Values by network. What covers an address is found from the longest prefix to the shortest.
#[derive(Debug)]
pub(crate) struct Ranges<T> {
    ipv4: Vec<Boundary>,
    ipv6: Vec<Boundary>,
    nodes: Vec<Node<T>>,
}

/// From `start` to the next boundary this node is the longest prefix.
#[derive(Debug)]
struct Boundary {
    start: u128,
    node: Option<u32>,
}

#[derive(Debug)]
struct Node<T> {
    value: T,
    /// The next shorter prefix around this one.
    parent: Option<u32>,
}

impl<T> Ranges<T> {
    /// Flattens `networks`. The last one wins where the same network comes twice.
    pub(crate) fn new(mut networks: Vec<(Network, T)>) -> Self {
        // Prefixes nest or are disjoint, never overlap in part; sorted, each follows what is around it.
        networks.sort_by_key(|(network, _)| *network);
        let mut ranges =
            Self { ipv4: Vec::new(), ipv6: Vec::new(), nodes: Vec::with_capacity(networks.len()) };
        let mut open = Open::default();
        for (network, value) in networks {
            let first = number(network.addr());
            if network.addr().is_ipv6() != open.ipv6 {
                open.close_before(u128::MAX, &mut ranges.ipv4);
                open = Open { ipv6: true, ..Open::default() };
            }
            let boundaries = if open.ipv6 { &mut ranges.ipv6 } else { &mut ranges.ipv4 };
            open.close_before(first, boundaries);
            let node = index(ranges.nodes.len());
            ranges.nodes.push(Node { value, parent: open.innermost() });
            mark(boundaries, first, node);
            open.stack.push((number(network.last()), node));
        }
        let boundaries = if open.ipv6 { &mut ranges.ipv6 } else { &mut ranges.ipv4 };
        open.close_before(u128::MAX, boundaries);
        ranges
    }

    /// What covers `addr`, the longest prefix first.
    pub(crate) fn covering(&self, addr: IpAddr) -> impl Iterator<Item = &T> {
        let boundaries = if addr.is_ipv6() { &self.ipv6 } else { &self.ipv4 };
        let addr = number(addr);
        let after = boundaries.partition_point(|boundary| boundary.start <= addr);
        let longest = after.checked_sub(1).and_then(|at| boundaries.get(at)).and_then(|found| found.node);
        let mut next = self.node(longest);
        std::iter::from_fn(move || {
            let node = next?;
            next = self.node(node.parent);
            Some(&node.value)
        })
    }

    fn node(&self, at: Option<u32>) -> Option<&Node<T>> {
        self.nodes.get(at? as usize)
    }
}

/// The networks around the place that the flattening has reached, the innermost last.
#[derive(Default)]
struct Open {
    ipv6: bool,
    stack: Vec<(u128, Option<u32>)>,
}

impl Open {
    fn innermost(&self) -> Option<u32> {
        self.stack.last().and_then(|(_, node)| *node)
    }

    /// Ends what lies wholly before `first`: behind it begins what is around it.
    fn close_before(&mut self, first: u128, boundaries: &mut Vec<Boundary>) {
        while let Some((last, _)) = self.stack.pop_if(|(last, _)| *last < first) {
            mark(boundaries, last.saturating_add(1), self.innermost());
        }
    }
}

fn mark(boundaries: &mut Vec<Boundary>, start: u128, node: Option<u32>) {
    match boundaries.last_mut() {
        Some(last) if last.start == start => last.node = node,
        _ => boundaries.push(Boundary { start, node }),
    }
}

fn number(addr: IpAddr) -> u128 {
    match addr {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// More than 2^32 networks do not fit into memory; those behind them would find no value.
fn index(at: usize) -> Option<u32> {
    u32::try_from(at).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(networks: &[&str], addr: &str) -> Vec<usize> {
        let networks = networks.iter().enumerate().map(|(at, text)| (text.parse().unwrap(), at)).collect();
        Ranges::new(networks).covering(addr.parse().unwrap()).copied().collect()
    }

    #[test]
    fn the_longest_prefix_comes_first_then_what_is_around_it() {
        let networks = ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32", "0.0.0.0/0", "2001:db8::/32", "::/0"];
        assert_eq!(found(&networks, "10.1.2.3"), [2, 1, 0, 3]);
        assert_eq!(found(&networks, "10.1.2.4"), [1, 0, 3]);
        assert_eq!(found(&networks, "10.2.0.0"), [0, 3]);
        assert_eq!(found(&networks, "11.0.0.0"), [3]);
        assert_eq!(found(&networks, "255.255.255.255"), [3]);
        assert_eq!(found(&networks, "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"), [4, 5]);
        assert_eq!(found(&networks, "2001:db9::"), [5]);
        assert_eq!(found(&networks, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), [5]);
    }

    #[test]
    fn no_network_covers_nothing() {
        assert!(found(&[], "10.0.0.0").is_empty());
        assert!(found(&["10.0.0.0/8"], "9.255.255.255").is_empty());
        assert!(found(&["10.0.0.0/8"], "11.0.0.0").is_empty());
        assert!(found(&["10.0.0.0/8"], "::").is_empty());
        assert!(found(&["::/0"], "10.0.0.0").is_empty());
    }

    #[test]
    fn the_same_network_twice_is_found_twice() {
        assert_eq!(found(&["10.0.0.0/8", "10.0.0.0/8"], "10.1.1.1"), [1, 0]);
    }

    /// Few enough bits that networks nest often.
    fn some_network() -> impl Strategy<Value = Network> {
        let ipv4 = (0..64u32, 24..=32u8)
            .prop_map(|(bits, prefix)| Network::around(IpAddr::V4((0xc000_0200 | bits).into()), prefix));
        let ipv6 = (0..64u128, 120..=128u8)
            .prop_map(|(bits, prefix)| Network::around(IpAddr::V6((u128::MAX << 6 | bits).into()), prefix));
        prop_oneof![ipv4, ipv6]
    }

    proptest! {
        #[test]
        fn a_look_up_finds_what_a_walk_through_all_networks_finds(
            networks in prop::collection::vec(some_network(), 0..40)
        ) {
            let ranges = Ranges::new(networks.iter().copied().map(|network| (network, network)).collect());
            let ipv4 = (0..=255u32).map(|bits| IpAddr::V4((0xc000_0200 | bits).into()));
            let ipv6 = (0..=255u128).map(|bits| IpAddr::V6((u128::MAX << 8 | bits).into()));
            for addr in ipv4.chain(ipv6) {
                let mut all: Vec<Network> = networks.iter().copied().filter(|n| n.contains(addr)).collect();
                all.sort_by_key(|network| std::cmp::Reverse(network.prefix_len()));
                prop_assert_eq!(ranges.covering(addr).copied().collect::<Vec<_>>(), all);
            }
        }
    }
}
