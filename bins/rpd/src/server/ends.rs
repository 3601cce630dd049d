//! The two ends of every connection: admitting it, and telling what became of it.

use std::{
    fmt, io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rp_guard::Verdict;
use socket2::SockRef;
use tokio::{net::TcpStream, time::timeout};

use super::capacity;
use crate::{
    cancel::{Cancel, Request},
    config::{Config, Listener},
    guard::{Cap, Closed, Gate},
    logging::{self, Judged},
    metrics::{Metrics, Watched},
    outcome::{End, Facts, Observation, Observer, Reason, Record, Refusal},
    places::{Place, Places},
    protocol::ListenerKind,
    proxy_protocol,
    recent::Recent,
    refused::Refused,
    rejects::Rejects,
    session::Session,
    sightings::Sightings,
    state::{Live, State},
    store::Store,
};

/// What both ends need: who comes in, and who is told how it went.
pub(super) struct Server {
    pub(super) live: Live,
    pub(super) gate: Arc<Gate>,
    pub(super) rejects: Arc<Rejects>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) next_id: AtomicU64,
    /// One a connection that is served: at the cap, accepting stops.
    pub(super) places: Arc<Places>,
    pub(super) refused: Recent<Refused>,
    /// The same through all reloads.
    sightings: Arc<Sightings>,
}

impl Server {
    pub(super) fn new(config: Config, gate: Arc<Gate>, store: Option<&Store>) -> Self {
        let places = Arc::new(Places::new(capacity(&config.limits)));
        let refused = Recent::new(config.log.keep_requests.into());
        let state = State::build(config, None);
        let sightings = state.sightings.clone();
        let live = Live::new(state);
        let unsaved = store.map(|store| store.unsaved().clone());
        let metrics = Metrics::new(Watched::new(gate.clone(), unsaved, live.clone()));
        Self {
            places,
            live,
            gate,
            rejects: Arc::default(),
            metrics: Arc::new(metrics),
            next_id: AtomicU64::new(1),
            refused,
            sightings,
        }
    }

    /// Takes a new connection in, or closes it at once, without a word, before TLS.
    pub(super) fn admit(
        self: &Arc<Self>,
        socket: TcpStream,
        source: SocketAddr,
        listener: Listener,
        place: Place,
    ) {
        let state = self.live.now();
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let destination = arrived_at(&socket, &listener);
        let (protocol, accepted) = (listener.kind.protocol(), Instant::now());
        let facts = Facts { id, listener: listener.kind, source, destination, via: None, protocol, accepted };
        let cancel = Arc::new(Cancel::new());
        let announced = state.config.proxies.expect_header(listener.kind, source.ip());
        let most = self.most(&state, source);
        if let Err(closed) = self.gate.enter(&facts, cancel.clone(), most) {
            abort(&socket);
            self.finish(&facts, &Record::default(), &closed.into());
            return;
        }
        self.metrics.entered(listener.kind);
        let entry = Entry { server: self.clone(), id, kind: listener.kind, _place: place };
        let (live, observer): (_, Arc<dyn Observer>) = (self.live.clone(), self.clone());
        // Made here and used where it lies: what a future moves once more inside, it holds twice for all its life.
        let socket = Some(socket);
        let mut session = Session { socket, facts, live, record: Record::default(), cancel, observer };
        let served = async move {
            if announced && let Err(end) = Box::pin(entry.introduce(&mut session)).await {
                entry.server.finish(&session.facts, &session.record, &end);
                return;
            }
            let end = session.run().await;
            entry.server.finish(&session.facts, &session.record, &end);
        };
        // In a box of its own: tasks are aligned to 128 octets, for which the allocator takes up to twice what they need.
        tokio::spawn(Box::pin(served));
    }

    /// The end of every connection.
    fn finish(&self, facts: &Facts, record: &Record, end: &End) {
        let judged = match end {
            End::Refused(refusal) => self.judge(facts, record, refusal),
            _ => Judged::default(),
        };
        if let End::Broken(detail) = end {
            self.see(record, Reason::TargetFailed, detail);
            self.refused.tell(Refused::broken(facts, record, detail));
        }
        self.metrics.ended(facts, record, end, &judged);
        logging::connection(&self.live.now().config.log, facts, record, end, &judged);
    }

    /// How many connections this source may have; a trusted proxy stands for many.
    fn most(&self, state: &State, source: SocketAddr) -> Cap {
        if state.config.proxies.trusted.contains(source.ip()) {
            return Cap::Exempt;
        }
        Cap::Most(state.config.limits.connections_per_source)
    }

    /// Tells the guard of a refusal, and whether the log has a line for it.
    fn judge(&self, facts: &Facts, record: &Record, refusal: &Refusal) -> Judged {
        // What a trusted proxy sends in its own name is not a client's.
        let own = self.live.now().config.proxies.trusted.contains(facts.source.ip());
        let verdict = if own { None } else { self.gate.judge(facts, record, refusal) };
        if let Some(Verdict::Banned(entry) | Verdict::Observed(entry)) = &verdict {
            logging::banned(entry);
        }
        let source = self.gate.guard.key(facts.source.ip());
        let judged = Judged { verdict, untold: self.rejects.note(source, refusal.reason, Instant::now()) };
        self.refused.tell(Refused::new(facts, record, refusal.reason, &refusal.detail, &judged));
        self.see(record, refusal.reason, &refusal.detail);
        judged
    }

    /// A refusal may be the target's fault.
    fn see(&self, record: &Record, reason: Reason, detail: &str) {
        let Some(host) = record.host.as_ref() else { return };
        match reason {
            Reason::TargetUnreachable => self.sightings.unreachable(host.label(), detail),
            Reason::TargetFailed => self.sightings.failed(host.label(), detail),
            _ => {}
        }
    }

    /// A connection leads to a target from now on.
    fn routed(&self, facts: &Facts, record: &Record) {
        if let (Some(host), Some(target)) = (record.host.as_ref(), record.target) {
            self.gate.registry.routed(facts.id, facts.protocol, host.label(), target);
            self.sightings.reached(host.label());
        }
    }
}

impl Observer for Server {
    fn observe(&self, facts: &Facts, record: &Record, observation: &Observation) {
        let judged = match observation {
            Observation::Refused(refusal) => self.judge(facts, record, refusal),
            _ => Judged::default(),
        };
        match observation {
            Observation::Proven => self.gate.registry.prove(facts.id),
            Observation::Reached(_) => {
                self.gate.reached(facts, record);
                self.routed(facts, record);
            }
            Observation::Reused => self.routed(facts, record),
            Observation::Forwarded | Observation::Refused(_) | Observation::Unawaited => {}
        }
        self.metrics.observed(facts, record, observation, &judged);
        if matches!(observation, Observation::Forwarded | Observation::Refused(_)) {
            logging::request(&self.live.now().config.log, facts, record, observation, &judged);
        }
    }
}

impl From<Closed> for End {
    fn from(closed: Closed) -> Self {
        match closed {
            Closed::Blocked => Self::Denied,
            Closed::TooMany => Refusal::because(Reason::SourceLimit, "limits.connections-per-source").into(),
        }
    }
}

/// Takes its connection out of the registry, also when its task ends by a panic.
struct Entry {
    server: Arc<Server>,
    id: u64,
    kind: ListenerKind,
    _place: Place,
}

impl Entry {
    /// Reads the PROXY header of a trusted proxy. From here on the client that it names counts, everywhere.
    async fn introduce(&self, session: &mut Session) -> Result<(), End> {
        let Session { socket: Some(socket), facts, live, cancel, .. } = session else {
            return Err(End::Gone);
        };
        let state = live.now();
        let refuse = |detail: &dyn fmt::Display| End::from(Refusal::because(Reason::ProxyHeader, detail));
        let header = tokio::select! {
            biased;
            () = cancel.asked(Request::ShutOut) => return Err(cancel.end()),
            header = timeout(state.config.limits.first_byte, proxy_protocol::receive(socket)) => header,
        };
        let header = match header {
            Ok(Ok(header)) => header,
            Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => return Err(refuse(&error)),
            Ok(Err(_)) => return Err(End::Gone),
            Err(_) => return Err(refuse(&"none within limits.first-byte")),
        };
        if let Some(client) = header.addresses {
            facts.via = Some(Box::new(facts.source));
            (facts.source, facts.destination) = (client.source, client.destination);
        }
        let most = self.server.most(&state, facts.source);
        self.server.gate.rename(facts, most).map_err(|closed| {
            abort(socket);
            closed.into()
        })
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.server.gate.registry.leave(self.id);
        self.server.metrics.left(self.kind, thread::panicking());
    }
}

/// Makes closing a reset, which leaves no TIME_WAIT behind.
fn abort(socket: &TcpStream) {
    let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
}

/// The address of ours that the client has called.
fn arrived_at(socket: &TcpStream, listener: &Listener) -> SocketAddr {
    let known = Some(listener.address).filter(|address| !address.ip().is_unspecified());
    known.or_else(|| socket.local_addr().ok()).unwrap_or(listener.address)
}
