//! What the lists refuse, told once a minute instead of once a connection.

use std::collections::HashMap;

use rp_guard::{Entry, Network};

/// How often each entry had refused when it was last told.
#[derive(Debug, Default)]
pub struct Summary {
    told: HashMap<Network, u32>,
}

/// What one entry has refused since it was last told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusing {
    /// The entry.
    pub entry: Entry,
    /// Connections since then.
    pub since: u32,
}

impl Summary {
    /// What is new, the most first: a few entries at most, and how many connections all the others refused.
    pub fn of(&mut self, entries: Vec<Entry>) -> (Vec<Refusing>, u64) {
        let before = std::mem::take(&mut self.told);
        let mut news = Vec::new();
        for entry in entries.into_iter().filter(|entry| entry.refused > 0) {
            // A new entry of the same network counts from zero.
            let told = before.get(&entry.network).copied().filter(|told| *told <= entry.refused);
            let since = entry.refused - told.unwrap_or(0);
            self.told.insert(entry.network, entry.refused);
            if since > 0 {
                news.push(Refusing { entry, since });
            }
        }
        news.sort_by_key(|refusing| std::cmp::Reverse(refusing.since));
        let others = news.iter().skip(LINES).map(|refusing| u64::from(refusing.since)).sum();
        news.truncate(LINES);
        (news, others)
    }
}

/// So many entries are told one by one.
const LINES: usize = 20;

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use rp_guard::{Actor, Filter, Guard, Kind, Policy, Seeds};

    use super::*;

    #[test]
    fn only_what_is_new_is_told_the_most_first() {
        let now = Instant::now();
        let guard = Guard::new(&Policy::default(), Seeds { hash: [1, 2] }, now);
        let address = |last: u8| std::net::IpAddr::from([192, 0, 2, last]);
        for last in 0..=30 {
            let network = Network::host(address(last));
            guard.put(network, Kind::Block, None, "", &Actor::default(), now).expect("a place");
        }
        let mut summary = Summary::default();
        let refuse = |last: u8, times: u8| (0..times).for_each(|_| _ = guard.admit(address(last), now));
        let mut news = || {
            let (news, others) = summary.of(guard.entries(&Filter::default(), now));
            (news.iter().map(|refusing| refusing.since).collect::<Vec<_>>(), others)
        };
        assert_eq!(news(), (vec![], 0));
        refuse(1, 2);
        refuse(2, 5);
        assert_eq!(news(), (vec![5, 2], 0));
        refuse(1, 1);
        assert_eq!(news(), (vec![1], 0));
        (0..=30).for_each(|last| refuse(last, 1));
        let (told, others) = news();
        assert_eq!((told.len(), others), (LINES, 11));
        guard.remove(Network::host(address(2)), now).expect("the entry");
        let network = Network::host(address(2));
        let hour = Some(Duration::from_secs(3600));
        guard.put(network, Kind::Block, hour, "", &Actor::default(), now).expect("a place");
        refuse(2, 3);
        assert_eq!(news(), (vec![3], 0));
    }
}
