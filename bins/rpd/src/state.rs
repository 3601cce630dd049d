//! All that one configuration gives the sessions: look-up tables and TLS configurations, built whole.

use std::{hash::RandomState, sync::Arc};

use arc_swap::{ArcSwap, Guard};
use rp_route::table::Table;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;

use crate::{
    config::{Config, Elsewhere, Host, Target},
    connect::Resolver,
    handshakes::Handshakes,
    open_legs::{AllLegs, OpenLegs},
    parked::Parked,
    protocol::{ListenerKind, PerProtocol, Protocol},
    sightings::Sightings,
    tls::{self, ServerTls},
};

/// The state in force, which a reload replaces. Who waits holds this, so that no idle connection keeps a former state;
/// who has something to decide asks for the state, and decides by that one.
#[derive(Clone)]
pub struct Live(Arc<ArcSwap<State>>);

impl Live {
    /// Begins with this one.
    pub fn new(state: State) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(state)))
    }

    /// The one in force now.
    pub fn now(&self) -> Guard<Arc<State>> {
        self.0.load()
    }

    /// Puts another one in force, and returns the one that was.
    pub fn replace(&self, state: State) -> Arc<State> {
        self.0.swap(Arc::new(state))
    }
}

/// What sessions work with.
pub struct State {
    /// The configuration that this was built from.
    pub config: Config,
    /// DNS answers, kept for a while.
    pub resolver: Resolver,
    /// Connections to targets that wait for another request.
    pub parked: Arc<Parked>,
    /// What was last seen of the hosts.
    pub sightings: Arc<Sightings>,
    /// Places for TLS handshakes.
    pub handshakes: Arc<Handshakes>,
    /// For tags and the like, which nobody should foresee. A connection has the same all its life.
    pub random: RandomState,
    /// Connections to all targets, counted from the start of the proxy.
    pub legs: Arc<AllLegs>,
    /// The hosts, in the order of the file.
    pub hosts: Vec<Arc<Destination>>,
    tables: PerProtocol<Table<Arc<Destination>>>,
    server_tls: Vec<(ListenerKind, ServerTls)>,
}

/// A host, ready to be connected to.
pub struct Destination {
    /// Its row.
    pub host: Arc<Host>,
    /// The connections to it.
    pub legs: Arc<OpenLegs>,
    tls: Option<Arc<ClientConfig>>,
    /// Those of its URLs that lie elsewhere, in the order of `http.urls`.
    elsewhere: Vec<Option<Arc<Destination>>>,
}

impl Destination {
    /// This host, with what the configuration has for it. Targets that its URLs have of their own have no cap.
    pub fn new(config: &Config, host: Arc<Host>, legs: Arc<OpenLegs>, sightings: &Arc<Sightings>) -> Self {
        let entries = host.http.urls.iter().flat_map(|urls| &urls.entries);
        let elsewhere = entries.map(|entry| {
            let host = Arc::new(at(&host, entry.elsewhere.as_ref()?));
            let (legs, tls) = (Arc::new(legs.others()), tls::client_config(config, &host, sightings));
            Some(Arc::new(Self { tls, host, legs, elsewhere: Vec::new() }))
        });
        Self { tls: tls::client_config(config, &host, sightings), elsewhere: elsewhere.collect(), host, legs }
    }

    /// The target that this entry of `http.urls` has of its own.
    pub fn elsewhere(&self, entry: usize) -> Option<&Arc<Destination>> {
        self.elsewhere.get(entry)?.as_ref()
    }

    /// How to speak TLS with it; none where it has no rule for its certificate.
    pub fn client_tls(&self) -> Option<&Arc<ClientConfig>> {
        self.tls.as_ref()
    }

    /// The name for SNI and for resumption: the configured one, else the target's own. Addresses send no SNI.
    pub fn server_name(&self, target: &Target) -> Option<ServerName<'static>> {
        let configured = self.host.tls.as_ref().and_then(|tls| tls.server_name.as_ref());
        match (configured, target) {
            (Some(name), _) | (None, Target::Name(name)) => ServerName::try_from(name.clone()).ok(),
            (None, Target::Address(address)) => Some(ServerName::from(*address)),
        }
    }
}

impl State {
    /// Builds everything; nothing can fail here that was not told when the configuration was read. What must not
    /// change while a connection lives goes on from the former state.
    pub fn build(config: Config, former: Option<&Self>) -> Self {
        let legs = former.map(|former| former.legs.clone()).unwrap_or_default();
        let sightings = former.map_or_else(Arc::default, |former| former.sightings.clone());
        sightings.keep(|name| config.hosts.iter().any(|host| host.label() == name));
        let destination = |host: &Arc<Host>| {
            let known = former.and_then(|former| former.legs_of(host));
            let own = known.unwrap_or_else(|| Arc::new(OpenLegs::new(legs.clone())));
            own.limit(host.max_connections);
            Arc::new(Destination::new(&config, host.clone(), own, &sightings))
        };
        let hosts: Vec<_> = config.hosts.iter().map(destination).collect();
        let mut tables = PerProtocol::new(Protocol::ALL.map(|_| Table::new()));
        for destination in &hosts {
            for protocol in Protocol::ALL {
                insert(&mut tables[protocol], protocol, destination);
            }
        }
        let tls_before = |kind| former.and_then(|former| former.server_tls(kind));
        let server_tls = ListenerKind::all()
            .filter_map(|kind| Some((kind, ServerTls::new(&config, kind, tls_before(kind))?)))
            .collect();
        let (most, keys) = (config.limits.handshakes, &config.guard.policy.keys);
        let handshakes =
            former.map(|former| former.handshakes.clone()).filter(|former| former.are(most, keys));
        Self {
            resolver: Resolver::default(),
            parked: Arc::default(),
            sightings,
            random: former.map_or_else(RandomState::new, |former| former.random.clone()),
            handshakes: handshakes.unwrap_or_else(|| Arc::new(Handshakes::new(most, keys.clone()))),
            legs,
            hosts,
            tables,
            server_tls,
            config,
        }
    }

    /// The hosts of a protocol, by name.
    pub fn table(&self, protocol: Protocol) -> &Table<Arc<Destination>> {
        &self.tables[protocol]
    }

    /// The connections that there are to a host of another configuration.
    fn legs_of(&self, host: &Host) -> Option<Arc<OpenLegs>> {
        let known = self.hosts.iter().find(|known| host.descends_from(&known.host));
        known.map(|known| known.legs.clone())
    }

    /// How to take TLS connections on a listener of this kind.
    pub fn server_tls(&self, kind: ListenerKind) -> Option<&ServerTls> {
        self.server_tls.iter().find(|(of, _)| *of == kind).map(|(_, tls)| tls)
    }
}

/// The same host with another target for HTTP.
fn at(host: &Host, elsewhere: &Elsewhere) -> Host {
    let mut host = host.clone();
    if let Some(service) = &mut host.services[Protocol::Http] {
        service.ports = elsewhere.ports;
        service.send_proxy = None;
    }
    host.targets.clone_from(&elsewhere.targets);
    host.tls.clone_from(&elsewhere.tls);
    host.http.urls = None;
    host
}

/// A name is in the table of a protocol only if the host forwards it: hosts may share a name and divide the
/// protocols.
fn insert(table: &mut Table<Arc<Destination>>, protocol: Protocol, destination: &Arc<Destination>) {
    if destination.host.services[protocol].is_none() {
        return;
    }
    for name in &destination.host.names {
        // The configuration has no name twice in a protocol.
        let _ = table.insert(name, destination.clone());
    }
    if destination.host.default.contains(&protocol) {
        let _ = table.set_default(destination.clone());
    }
}
