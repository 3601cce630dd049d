//! The living connections: who they are, and the handle by which each is told to end.

use std::{
    collections::{
        HashMap,
        hash_map::Entry::{Occupied, Vacant},
    },
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant, SystemTime},
};

use foldhash::fast::RandomState;
use rp_guard::{Key, Keying, Network};

use super::ways::{Way, Ways};
use crate::{
    cancel::{Cancel, Request},
    lock::lock,
    outcome::Facts,
    protocol::{ListenerKind, Protocol},
};

/// All connections that are served now.
#[derive(Debug)]
pub struct Registry {
    connections: Mutex<Connections>,
    /// Times are counted from here: the same moment by both clocks, so that what is told of a connection stays the same.
    start: (Instant, SystemTime),
}

#[derive(Debug, Default)]
struct Connections {
    living: HashMap<u64, Living, RandomState>,
    /// Connections that count against the cap of their source.
    per_source: HashMap<Key, u32, RandomState>,
    ways: Ways,
}

/// One connection. Tens of thousands are held: an address without flow and scope, and seconds, are enough to tell.
#[derive(Debug)]
struct Living {
    key: Key,
    /// By which it is told to end.
    cancel: Arc<Cancel>,
    /// Where it leads, once it does.
    way: Option<Arc<Way>>,
    /// Whole seconds from the start.
    since: u32,
    /// The client, as far as it is known.
    address: IpAddr,
    port: u16,
    listener: ListenerKind,
    protocol: Option<Protocol>,
    /// Counts against the cap of its source.
    capped: bool,
    /// The service took the client for who he says he is.
    proven: bool,
}

/// What there is to tell of a connection.
#[derive(Clone, Debug)]
pub struct About {
    /// Its number.
    pub id: u64,
    /// Where it came in.
    pub listener: ListenerKind,
    /// What is spoken, as far as it is known.
    pub protocol: Option<Protocol>,
    /// The client.
    pub source: SocketAddr,
    /// Where it leads, once it does.
    pub way: Option<Arc<Way>>,
    /// When it came, to the second.
    pub since: SystemTime,
    /// The service took the client for who he says he is.
    pub proven: bool,
}

impl Default for Registry {
    fn default() -> Self {
        Self { connections: Mutex::default(), start: (Instant::now(), SystemTime::now()) }
    }
}

impl Registry {
    /// Takes a connection in, or says that its source has as many as it may have. `most` is no cap where there is none.
    pub fn enter(&self, facts: &Facts, key: Key, cancel: Arc<Cancel>, most: Option<u32>) -> bool {
        let since = facts.accepted.saturating_duration_since(self.start.0).as_secs();
        let living = Living {
            key,
            cancel,
            way: None,
            since: u32::try_from(since).unwrap_or(u32::MAX),
            address: facts.source.ip(),
            port: facts.source.port(),
            listener: facts.listener,
            protocol: facts.protocol,
            capped: most.is_some(),
            proven: false,
        };
        let mut connections = self.lock();
        let taken = connections.take_place(key, most);
        if taken {
            connections.living.insert(facts.id, living);
        }
        taken
    }

    /// The connection turns out to be somebody else's, behind a trusted proxy.
    pub fn rename(&self, id: u64, source: SocketAddr, key: Key, most: Option<u32>) -> bool {
        let mut connections = self.lock();
        if !connections.take_place(key, most) {
            return false;
        }
        let Some(living) = connections.living.get_mut(&id) else { return false };
        let before = (living.key, living.capped);
        (living.address, living.port) = (source.ip(), source.port());
        (living.key, living.capped) = (key, most.is_some());
        connections.free_place(before);
        true
    }

    /// It has ended.
    pub fn leave(&self, id: u64) {
        let mut connections = self.lock();
        if let Some(living) = connections.living.remove(&id) {
            connections.free_place((living.key, living.capped));
        }
    }

    /// It leads to this host now.
    pub fn routed(&self, id: u64, protocol: Option<Protocol>, host: &str, target: SocketAddr) {
        let mut connections = self.lock();
        let way = connections.ways.to(host, target);
        if let Some(living) = connections.living.get_mut(&id) {
            (living.protocol, living.way) = (protocol, Some(way));
        }
    }

    /// The service vouches for the client.
    pub fn prove(&self, id: u64) {
        if let Some(living) = self.lock().living.get_mut(&id) {
            living.proven = true;
        }
    }

    /// Asks one connection, and says whether it is there.
    pub fn ask(&self, id: u64, request: Request) -> bool {
        let connections = self.lock();
        let living = connections.living.get(&id);
        living.inspect(|living| living.cancel.ask(request)).is_some()
    }

    /// Asks every connection.
    pub fn ask_all(&self, request: Request) {
        self.ask_where(request, |_| true);
    }

    /// The source of connection `cause` is shut out: that one ends, and so do its others; those that are proven only
    /// if `all` do.
    pub fn shut_out(&self, key: Key, cause: u64, all: bool) {
        let others = self.lock().per_source.get(&key).is_some_and(|count| *count > 1);
        if others {
            self.ask_where(Request::ShutOut, |living| living.key == key && (all || !living.proven));
        }
        self.ask(cause, Request::ShutOut);
    }

    /// An administrator has blocked `network`, which is read as the lists read it.
    pub fn shut_out_network(&self, network: Network, keys: &Keying, all: bool) {
        let inside = |living: &Living| keys.covers(network, living.address) && (all || !living.proven);
        self.ask_where(Request::ShutOut, inside);
    }

    /// From now on these say what one source is.
    pub fn rekey(&self, keys: &Keying) {
        let Connections { living, per_source, .. } = &mut *self.lock();
        per_source.clear();
        for living in living.values_mut() {
            living.key = keys.key(living.address);
            if living.capped {
                *per_source.entry(living.key).or_default() += 1;
            }
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.lock().living.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many lead to each host.
    pub fn per_host(&self) -> HashMap<String, usize> {
        self.lock().ways.taken()
    }

    /// One connection.
    pub fn find(&self, id: u64) -> Option<About> {
        self.lock().living.get(&id).map(|living| living.about(id, self.start.1))
    }

    /// The connections of these sources to this host, as far as it is given: how many, and the newest of them. Workers
    /// wait while all are looked at, so no more is done meanwhile than must be.
    pub fn list(&self, source: Option<Network>, host: Option<&str>, most: usize) -> (usize, Vec<About>) {
        let wanted = |living: &Living| {
            source.is_none_or(|network| network.contains(living.address))
                && host.is_none_or(|host| living.way.as_ref().is_some_and(|way| *way.host == *host))
        };
        let all = self.lock().living.iter().filter(|(_, living)| wanted(living)).map(|(id, _)| *id).collect();
        let mut ids: Vec<u64> = all;
        let total = ids.len();
        ids.sort_unstable_by_key(|id| std::cmp::Reverse(*id));
        ids.truncate(most);
        let connections = self.lock();
        let about = |id: u64| connections.living.get(&id).map(|living| living.about(id, self.start.1));
        (total, ids.into_iter().filter_map(about).collect())
    }

    fn ask_where(&self, request: Request, meant: impl Fn(&Living) -> bool) {
        let connections = self.lock();
        connections
            .living
            .values()
            .filter(|living| meant(living))
            .for_each(|living| living.cancel.ask(request));
    }

    fn lock(&self) -> MutexGuard<'_, Connections> {
        lock(&self.connections)
    }
}

impl Living {
    /// Of this one, where times count from `start`.
    fn about(&self, id: u64, start: SystemTime) -> About {
        About {
            id,
            listener: self.listener,
            protocol: self.protocol,
            source: SocketAddr::new(self.address, self.port),
            way: self.way.clone(),
            since: start + Duration::from_secs(self.since.into()),
            proven: self.proven,
        }
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
    use super::*;

    fn address(source: &str) -> SocketAddr {
        source.parse().expect("an address")
    }

    fn key(source: &str) -> Key {
        Keying::default().key(address(source).ip())
    }

    /// Takes `source` in and gives the handle back.
    fn enter(registry: &Registry, id: u64, source: &str, most: Option<u32>) -> Option<Arc<Cancel>> {
        let here = address("127.0.0.1:5060");
        let facts = Facts {
            id,
            listener: ListenerKind::Any,
            source: address(source),
            destination: here,
            via: None,
            protocol: None,
            accepted: registry.start.0 + Duration::from_secs(5),
        };
        let cancel = Arc::new(Cancel::new());
        registry.enter(&facts, key(source), cancel.clone(), most).then_some(cancel)
    }

    /// Tens of thousands of these are held, in a table that is half full.
    #[test]
    fn a_connection_takes_few_octets() {
        assert!(size_of::<(u64, Living)>() <= 80, "{}", size_of::<(u64, Living)>());
    }

    #[test]
    fn the_newest_are_listed_of_those_that_are_asked_for() {
        let registry = Registry::default();
        for id in 1..=5 {
            let source = if id < 4 { "192.0.2.1:1" } else { "192.0.2.9:1" };
            assert!(enter(&registry, id, source, None).is_some());
        }
        registry.routed(2, Some(Protocol::Sip), "pbx", address("192.0.2.200:5060"));
        registry.routed(5, Some(Protocol::Ldap), "pbx", address("192.0.2.200:389"));
        registry.routed(9, Some(Protocol::Ldap), "pbx", address("192.0.2.200:389"));
        let list = |source: Option<&str>, host, most| {
            let source = source.map(|source| source.parse().expect("a network"));
            let (total, listed) = registry.list(source, host, most);
            (total, listed.iter().map(|about| about.id).collect::<Vec<_>>())
        };
        assert_eq!(list(None, None, 3), (5, vec![5, 4, 3]));
        assert_eq!(list(Some("192.0.2.1"), None, 9), (3, vec![3, 2, 1]));
        assert_eq!(list(None, Some("pbx"), 9), (2, vec![5, 2]));
        assert_eq!(registry.per_host(), HashMap::from([("pbx".to_owned(), 2)]));
        let about = registry.find(2).expect("it lives");
        assert_eq!((about.protocol, about.source), (Some(Protocol::Sip), address("192.0.2.1:1")));
        assert_eq!(about.way.expect("a way").target, address("192.0.2.200:5060"));
        assert!(registry.find(6).is_none() && !registry.ask(6, Request::Close));
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
        assert!(registry.lock().per_source.is_empty() && registry.lock().living.is_empty());
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
        let key = key("192.0.2.1:9");
        let asked = || cancels.iter().map(|cancel| cancel.request()).collect::<Vec<_>>();
        registry.shut_out(key, 3, false);
        assert_eq!(asked(), [Request::ShutOut, Request::None, Request::ShutOut, Request::None]);
        registry.shut_out(key, 3, true);
        assert_eq!(asked(), [Request::ShutOut, Request::ShutOut, Request::ShutOut, Request::None]);
        registry.shut_out_network("192.0.2.0/24".parse().expect("a network"), &Keying::default(), false);
        assert_eq!(asked()[3], Request::ShutOut);
    }

    #[test]
    fn a_blocked_network_is_left_in_nat64_clothes_too() {
        let registry = Registry::default();
        let [inside, outside] = [(1, "[64:ff9b::192.0.2.1]:1"), (2, "[64:ff9b::198.51.100.1]:1")]
            .map(|(id, source)| enter(&registry, id, source, None).expect("a place"));
        registry.shut_out_network("192.0.2.0/24".parse().expect("a network"), &Keying::default(), false);
        assert_eq!((inside.request(), outside.request()), (Request::ShutOut, Request::None));
    }

    #[test]
    fn who_is_one_source_by_another_configuration_shares_its_cap_and_its_ban() {
        let registry = Registry::default();
        let [first, second] = [(1, "[2001:db8:0:1::1]:1"), (2, "[2001:db8:0:2::1]:1")]
            .map(|(id, source)| enter(&registry, id, source, Some(2)).expect("a place"));
        let sites = Keying::new(32, 48, &[]).expect("prefixes");
        registry.rekey(&sites);
        let site = sites.key(address("[2001:db8::1]:1").ip());
        assert_eq!(registry.lock().per_source, HashMap::from_iter([(site, 2)]));
        registry.shut_out(site, 2, false);
        assert_eq!((first.request(), second.request()), (Request::ShutOut, Request::ShutOut));
        [1, 2].into_iter().for_each(|id| registry.leave(id));
        assert!(registry.lock().per_source.is_empty());
    }

    #[test]
    fn behind_a_proxy_the_cap_is_that_of_the_address_it_names() {
        let registry = Registry::default();
        for id in 1..=3 {
            assert!(enter(&registry, id, "10.0.0.1:1", None).is_some());
        }
        let client = "192.0.2.1:1".parse().expect("an address");
        assert!(registry.rename(1, client, key("192.0.2.1:1"), Some(2)));
        assert!(registry.rename(2, client, key("192.0.2.1:1"), Some(2)));
        assert!(!registry.rename(3, client, key("192.0.2.1:1"), Some(2)));
        (1..=3).for_each(|id| registry.leave(id));
        assert!(registry.lock().per_source.is_empty());
    }
}
