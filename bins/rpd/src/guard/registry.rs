//! The living connections: who they are, and the handle by which each is told to end.

use std::{
    collections::{
        HashMap,
        hash_map::Entry::{Occupied, Vacant},
    },
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use foldhash::fast::RandomState;
use rp_guard::{Key, Network};

use crate::{
    cancel::{Cancel, Request},
    lock::lock,
};

/// All connections that are served now.
#[derive(Debug, Default)]
pub struct Registry(Mutex<Connections>);

#[derive(Debug, Default)]
struct Connections {
    living: HashMap<u64, Living, RandomState>,
    /// Connections that count against the cap of their source.
    per_source: HashMap<Key, u32, RandomState>,
}

/// One connection. Tens of thousands are held.
#[derive(Debug)]
pub struct Living {
    /// The client, as far as it is known.
    pub source: SocketAddr,
    /// What it is counted under.
    pub key: Key,
    /// By which it is told to end.
    pub cancel: Arc<Cancel>,
    /// Counts against the cap of its source.
    pub capped: bool,
    /// The service took the client for who he says he is.
    pub proven: bool,
}

impl Registry {
    /// Takes a connection in, or says that its source has as many as it may have. `most` is no cap where there is none.
    pub fn enter(&self, id: u64, living: Living, most: Option<u32>) -> bool {
        let mut connections = lock(&self.0);
        let living = Living { capped: most.is_some(), ..living };
        let taken = connections.take_place(living.key, most);
        if taken {
            connections.living.insert(id, living);
        }
        taken
    }

    /// The connection turns out to be somebody else's, behind a trusted proxy.
    pub fn rename(&self, id: u64, source: SocketAddr, key: Key, most: Option<u32>) -> bool {
        let mut connections = lock(&self.0);
        if !connections.take_place(key, most) {
            return false;
        }
        let Some(living) = connections.living.get_mut(&id) else { return false };
        let before = (living.key, living.capped);
        (living.source, living.key, living.capped) = (source, key, most.is_some());
        connections.free_place(before);
        true
    }

    /// It has ended.
    pub fn leave(&self, id: u64) {
        let mut connections = lock(&self.0);
        if let Some(living) = connections.living.remove(&id) {
            connections.free_place((living.key, living.capped));
        }
    }

    /// The service vouches for the client.
    pub fn prove(&self, id: u64) {
        if let Some(living) = lock(&self.0).living.get_mut(&id) {
            living.proven = true;
        }
    }

    /// Asks one connection.
    pub fn ask(&self, id: u64, request: Request) {
        if let Some(living) = lock(&self.0).living.get(&id) {
            living.cancel.ask(request);
        }
    }

    /// Asks every connection.
    pub fn ask_all(&self, request: Request) {
        self.ask_where(request, |_| true);
    }

    /// The source of connection `cause` is shut out: that one ends, and so do its others; those that are proven only
    /// if `all` do.
    pub fn shut_out(&self, key: Key, cause: u64, all: bool) {
        let others = lock(&self.0).per_source.get(&key).is_some_and(|count| *count > 1);
        if others {
            self.ask_where(Request::ShutOut, |living| living.key == key && (all || !living.proven));
        }
        self.ask(cause, Request::ShutOut);
    }

    /// An administrator has blocked `network`.
    pub fn shut_out_network(&self, network: Network, all: bool) {
        let inside = |living: &Living| network.contains(living.source.ip()) && (all || !living.proven);
        self.ask_where(Request::ShutOut, inside);
    }

    fn ask_where(&self, request: Request, meant: impl Fn(&Living) -> bool) {
        let connections = lock(&self.0);
        connections
            .living
            .values()
            .filter(|living| meant(living))
            .for_each(|living| living.cancel.ask(request));
    }
}

impl Connections {
    fn take_place(&mut self, key: Key, most: Option<u32>) -> bool {
        let Some(most) = most else { return true };
        match self.per_source.entry(key) {
            Occupied(mut count) if *count.get() < most => *count.get_mut() += 1,
            Vacant(place) if most > 0 => _ = place.insert(1),
            Occupied(_) | Vacant(_) => return false,
        }
        true
    }

    fn free_place(&mut self, (key, capped): (Key, bool)) {
        if !capped {
            return;
        }
        match self.per_source.entry(key) {
            Occupied(mut count) if *count.get() > 1 => *count.get_mut() -= 1,
            Occupied(last) => _ = last.remove(),
            Vacant(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use rp_guard::Keying;

    use super::*;

    fn living(source: &str) -> Living {
        let source: SocketAddr = source.parse().expect("an address");
        let (key, cancel) = (Keying::default().key(source.ip()), Arc::new(Cancel::new()));
        Living { source, key, cancel, capped: false, proven: false }
    }

    /// Takes `source` in and gives the handle back.
    fn enter(registry: &Registry, id: u64, source: &str, most: Option<u32>) -> Option<Arc<Cancel>> {
        let living = living(source);
        let cancel = living.cancel.clone();
        registry.enter(id, living, most).then_some(cancel)
    }

    #[test]
    fn a_source_has_its_cap_and_a_place_becomes_free() {
        let registry = Registry::default();
        assert!(enter(&registry, 1, "192.0.2.1:1", Some(2)).is_some());
        assert!(enter(&registry, 2, "192.0.2.1:2", Some(2)).is_some());
        assert!(enter(&registry, 3, "192.0.2.1:3", Some(2)).is_none());
        assert!(enter(&registry, 4, "192.0.2.2:1", Some(2)).is_some());
        assert!(enter(&registry, 5, "192.0.2.1:5", None).is_some(), "exempt, and not counted");
        registry.leave(1);
        registry.leave(1);
        assert!(enter(&registry, 6, "192.0.2.1:6", Some(2)).is_some());
        assert!(enter(&registry, 7, "192.0.2.1:7", Some(2)).is_none());
        [2, 4, 5, 6].into_iter().for_each(|id| registry.leave(id));
        assert!(lock(&registry.0).per_source.is_empty() && lock(&registry.0).living.is_empty());
    }

    #[test]
    fn a_ban_ends_what_is_not_proven_and_what_caused_it() {
        let registry = Registry::default();
        let cancels: Vec<_> =
            [(1, "192.0.2.1:1"), (2, "192.0.2.1:2"), (3, "192.0.2.1:3"), (4, "192.0.2.2:1")]
                .map(|(id, source)| enter(&registry, id, source, Some(9)).expect("a place"))
                .into();
        registry.prove(2);
        registry.prove(3);
        let key = living("192.0.2.1:9").key;
        let asked = || cancels.iter().map(|cancel| cancel.request()).collect::<Vec<_>>();
        registry.shut_out(key, 3, false);
        assert_eq!(asked(), [Request::ShutOut, Request::None, Request::ShutOut, Request::None]);
        registry.shut_out(key, 3, true);
        assert_eq!(asked(), [Request::ShutOut, Request::ShutOut, Request::ShutOut, Request::None]);
        registry.shut_out_network("192.0.2.0/24".parse().expect("a network"), false);
        assert_eq!(asked()[3], Request::ShutOut);
    }

    #[test]
    fn behind_a_proxy_the_cap_is_that_of_the_address_it_names() {
        let registry = Registry::default();
        let key = |source: &str| living(source).key;
        for id in 1..=3 {
            assert!(enter(&registry, id, "10.0.0.1:1", None).is_some());
        }
        let client = "192.0.2.1:1".parse().expect("an address");
        assert!(registry.rename(1, client, key("192.0.2.1:1"), Some(2)));
        assert!(registry.rename(2, client, key("192.0.2.1:1"), Some(2)));
        assert!(!registry.rename(3, client, key("192.0.2.1:1"), Some(2)));
        (1..=3).for_each(|id| registry.leave(id));
        assert!(lock(&registry.0).per_source.is_empty());
    }
}
