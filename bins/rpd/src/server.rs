//! Listeners, workers, and the two ends of every connection: admitting it, and telling what became of it.

use std::{
    fmt,
    future::poll_fn,
    io, mem,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

use rp_guard::Verdict;
use socket2::SockRef;
use tokio::{
    net::{TcpListener, TcpStream},
    runtime,
    sync::{oneshot, watch},
    task::JoinHandle,
    time::{sleep, timeout},
};
use tracing::{error, warn};

use crate::{
    admin::{self, Admin, Audit},
    cancel::{Cancel, Request},
    config::{Config, Limits, Listener, Runtime},
    guard::{Cap, Closed, Gate},
    housekeeping::Housekeeping,
    listeners::{Inherited, ListenError, Listeners},
    lock::lock,
    logging::{self, Judged},
    metrics::{Metrics, Watched},
    outcome::{End, Facts, Observation, Observer, Reason, Record, Refusal},
    places::{Place, Places},
    protocol::ListenerKind,
    proxy_protocol,
    recent::Recent,
    refused::Refused,
    rejects::Rejects,
    reload::Change,
    session::Session,
    state::{Live, State},
    store::{self, Store},
};

/// A proxy at work.
pub struct Running {
    control: Arc<Control>,
    workers: Vec<thread::JoinHandle<()>>,
    // In the order in which they end.
    admin: Admin,
    housekeeping: Housekeeping,
    _store: Option<Arc<Store>>,
}

/// Why nothing was started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("{0}")]
    Listen(#[from] ListenError),
    /// What changes at run time cannot be kept.
    #[error("{0}")]
    Store(#[from] store::OpenError),
    /// The socket for administration cannot be had.
    #[error("{0}")]
    Admin(#[from] admin::StartError),
    /// A thread or runtime could not be made.
    #[error("a worker could not be started: {0}")]
    Worker(#[from] io::Error),
}

/// Starts the proxy: every listener is bound before any is served.
///
/// # Errors
/// The first thing that could not be had; nothing is left running then.
pub fn start(config: Config) -> Result<Running, StartError> {
    start_with(config, Vec::new())
}

/// The same with listening sockets that are there already.
///
/// # Errors
/// As [`start`].
pub fn start_with(config: Config, inherited: Vec<Inherited>) -> Result<Running, StartError> {
    let cores = config.workers.or_else(|| Some(thread::available_parallelism().ok()?.get())).unwrap_or(1);
    let (runtime, workers) = (config.runtime, if config.runtime == Runtime::Shared { 1 } else { cores });
    let listeners = Listeners::new(workers, inherited).changed(&config.listeners, config.backlog)?;
    listeners.prepare(&config.limits.keepalive);
    let gate = Arc::new(Gate::new(&config.guard));
    let store = config.state_directory.as_deref().map(|folder| Store::open(folder, &gate)).transpose()?;
    let store = store.map(Arc::new);
    let in_state = || store.as_ref().map(|store| Audit::in_folder(store.folder()));
    let audit = Audit::new(config.admin.audit.clone().or_else(in_state));
    let control = Control {
        server: Arc::new(Server::new(config, gate, store.as_deref())),
        listeners: watch::Sender::new(listeners),
        phase: watch::Sender::new(Request::None),
        beat: watch::Sender::new(0),
        answered: (0..workers).map(|_| AtomicU64::new(0)).collect(),
        changing: Mutex::default(),
        reloads: watch::Sender::new(None),
        audit,
        started: SystemTime::now(),
        threads: cores,
    };
    let control = Arc::new(control);
    let admin = Admin::start(&control, store.as_ref())?;
    let housekeeping = Housekeeping::start(
        control.server.gate.clone(),
        control.server.rejects.clone(),
        control.server.live.clone(),
    )?;
    let mut threads = Vec::new();
    for index in 0..workers {
        let runtime = match runtime {
            Runtime::PerCore => runtime::Builder::new_current_thread().enable_all().build()?,
            Runtime::Shared => {
                runtime::Builder::new_multi_thread().worker_threads(cores).enable_all().build()?
            }
        };
        let control = control.clone();
        let thread = thread::Builder::new().name(format!("worker-{index}"));
        threads.push(thread.spawn(move || runtime.block_on(worker(control, index)))?);
    }
    Ok(Running { control, workers: threads, admin, housekeeping, _store: store })
}

impl Running {
    /// The listeners with the ports that they really have.
    pub fn listeners(&self) -> Vec<Listener> {
        self.control.listeners.borrow().listeners()
    }

    /// Where it is administered over TCP.
    pub fn admin_addresses(&self) -> &[SocketAddr] {
        self.admin.addresses()
    }

    /// Who is let in, and who is shut out.
    pub fn gate(&self) -> &Arc<Gate> {
        &self.control.server.gate
    }

    /// By which it is changed while it runs.
    pub fn control(&self) -> &Arc<Control> {
        &self.control
    }

    /// A handle to end it from elsewhere.
    pub fn stop(&self) -> Stop {
        Stop(self.control.clone())
    }

    /// Waits for the end that [`Stop::drain`] or [`Stop::close`] began.
    pub fn join(self) {
        for worker in self.workers {
            if worker.join().is_err() {
                error!("a worker ended by a panic");
            }
        }
        self.housekeeping.end();
    }
}

/// Ends a proxy.
#[derive(Clone)]
pub struct Stop(Arc<Control>);

impl Stop {
    /// Stops accepting, lets exchanges end, and closes what is left after `limits.drain`.
    pub fn drain(&self) {
        self.ask(Request::Drain);
    }

    /// Closes everything now.
    pub fn close(&self) {
        self.ask(Request::Close);
    }

    fn ask(&self, request: Request) {
        let _one_at_a_time = lock(&self.0.changing);
        self.0.phase.send_if_modified(|phase| {
            let more = *phase < request;
            *phase = request.max(*phase);
            more
        });
        // What is not accepted by now is refused, or waits for the next process where the sockets are not ours.
        self.0.listeners.send_replace(Listeners::default());
    }
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// An address cannot be listened on.
    #[error("{0}")]
    Listen(#[from] ListenError),
    /// The proxy ends.
    #[error("the proxy is shutting down")]
    Ending,
}

/// Changes a proxy that runs, and asks how it does.
pub struct Control {
    server: Arc<Server>,
    listeners: watch::Sender<Listeners>,
    phase: watch::Sender<Request>,
    beat: watch::Sender<u64>,
    /// The last beat that each worker has felt.
    answered: Box<[AtomicU64]>,
    /// One change at a time.
    changing: Mutex<()>,
    /// Why the last reload changed nothing, if it did not.
    reloads: watch::Sender<Option<String>>,
    audit: Audit,
    started: SystemTime,
    /// Threads that serve connections.
    threads: usize,
}

impl Control {
    /// Puts another configuration in force, whole or not at all: new addresses are bound first, and once they are
    /// nothing can fail any more. Whatever is open stays open.
    ///
    /// # Errors
    /// An address cannot be listened on, or the end has begun.
    pub fn change(&self, config: Config) -> Result<Change, ChangeError> {
        let _one_at_a_time = lock(&self.changing);
        if self.is_ending() {
            return Err(ChangeError::Ending);
        }
        let listeners = self.listeners.borrow().changed(&config.listeners, config.backlog)?;
        listeners.prepare(&config.limits.keepalive);
        let state = State::build(config, Some(&self.server.live.now()));
        let former = self.server.live.replace(state);
        let config = &self.server.live.now().config;
        self.server.places.resize(capacity(&config.limits));
        self.server.gate.reconfigure(&config.guard);
        self.server.refused.resize(config.log.keep_requests.into());
        let change = Change::between(&former.config, config, &self.listeners(), &listeners.listeners());
        self.listeners.send_replace(listeners);
        Ok(change)
    }

    /// The state in force.
    pub fn state(&self) -> Arc<State> {
        self.server.live.now().clone()
    }

    /// Who is let in, and who is shut out.
    pub fn gate(&self) -> &Arc<Gate> {
        &self.server.gate
    }

    /// Whether it accepts no more, and goes on only until what is open has ended.
    pub fn is_ending(&self) -> bool {
        *self.phase.borrow() != Request::None
    }

    /// What is counted.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.server.metrics
    }

    /// Where it listens.
    pub fn listeners(&self) -> Vec<Listener> {
        self.listeners.borrow().listeners()
    }

    /// The connections that may be served at a time.
    pub fn max_connections(&self) -> u32 {
        self.server.places.number()
    }

    /// Connections that came so far, also those that were closed at once.
    pub fn connections_so_far(&self) -> u64 {
        self.server.next_id.load(Ordering::Relaxed) - 1
    }

    /// Threads that serve connections.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// When this began.
    pub fn started(&self) -> SystemTime {
        self.started
    }

    /// The last requests that were refused.
    pub fn refused(&self) -> &Recent<Refused> {
        &self.server.refused
    }

    /// Why the last reload changed nothing, if it did not; and every time that one has come to its end.
    pub fn reloads(&self) -> &watch::Sender<Option<String>> {
        &self.reloads
    }

    /// Who changed what.
    pub fn audit(&self) -> &Audit {
        &self.audit
    }

    /// Whether every worker has answered since this was asked before.
    pub fn is_alive(&self) -> bool {
        let last = *self.beat.borrow();
        let answered = self.answered.iter().all(|answered| answered.load(Ordering::Relaxed) >= last);
        self.beat.send_replace(last + 1);
        answered
    }
}

struct Server {
    live: Live,
    gate: Arc<Gate>,
    rejects: Arc<Rejects>,
    metrics: Arc<Metrics>,
    next_id: AtomicU64,
    /// One a connection that is served: at the cap, accepting stops.
    places: Arc<Places>,
    refused: Recent<Refused>,
}

impl Server {
    fn new(config: Config, gate: Arc<Gate>, store: Option<&Store>) -> Self {
        let places = Arc::new(Places::new(capacity(&config.limits)));
        let refused = Recent::new(config.log.keep_requests.into());
        let live = Live::new(State::build(config, None));
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
        }
    }

    /// Takes a new connection in, or closes it at once, without a word, before TLS.
    fn admit(self: &Arc<Self>, socket: TcpStream, source: SocketAddr, listener: Listener, place: Place) {
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
            Reason::TargetUnreachable => self.live.now().sightings.unreachable(host.label(), detail),
            Reason::TargetFailed => self.live.now().sightings.failed(host.label(), detail),
            _ => {}
        }
    }

    /// A connection leads to a target from now on.
    fn routed(&self, facts: &Facts, record: &Record) {
        if let (Some(host), Some(target)) = (record.host.as_ref(), record.target) {
            self.gate.registry.routed(facts.id, facts.protocol, host.label(), target);
            self.live.now().sightings.reached(host.label());
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
        logging::request(&self.live.now().config.log, facts, record, observation, &judged);
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

/// One worker: accepts until told to stop, then waits for its connections.
async fn worker(control: Arc<Control>, index: usize) {
    tokio::spawn(answer(control.clone(), index));
    tokio::spawn(stir());
    let server = &control.server;
    let (mut phase, mut listeners) = (control.phase.subscribe(), control.listeners.subscribe());
    let mut accepting = Accepting::default();
    loop {
        accepting.follow(server, &listeners.borrow_and_update(), index);
        tokio::select! {
            _ = phase.wait_for(|phase| *phase >= Request::Drain) => break,
            _ = listeners.changed() => {}
        }
    }
    accepting.end().await;
    server.gate.registry.ask_all(Request::Drain);
    let drain = server.live.now().config.limits.drain;
    tokio::select! {
        () = server.places.all_free() => return,
        _ = phase.wait_for(|phase| *phase == Request::Close) => {}
        () = sleep(drain) => {}
    }
    server.gate.registry.ask_all(Request::Close);
    let _ = timeout(LAST_WORDS, server.places.all_free()).await;
}

/// Feels every beat, for as long as the worker does anything.
async fn answer(control: Arc<Control>, index: usize) {
    let mut beat = control.beat.subscribe();
    while beat.changed().await.is_ok() {
        control.answered[index].store(*beat.borrow_and_update(), Ordering::Relaxed);
    }
}

/// Wakes the worker now and then, for nothing. A timer that is due before the worker would wake by itself makes it wake
/// itself at once, by a write to an event descriptor: two system calls for each connection, as all its timers are longer
/// than this.
async fn stir() {
    loop {
        sleep(STIRRED_EVERY).await;
    }
}

const STIRRED_EVERY: Duration = Duration::from_secs(4);

/// What one worker accepts on.
#[derive(Default)]
struct Accepting(Vec<Accept>);

struct Accept {
    listener: Listener,
    socket: Arc<std::net::TcpListener>,
    /// Dropped to end it.
    _going_on: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Accepting {
    /// Goes on with the listeners that are kept, ends the others, and begins with the new ones.
    fn follow(&mut self, server: &Arc<Server>, listeners: &Listeners, worker: usize) {
        let mut former = mem::take(&mut self.0);
        for (listener, socket) in listeners.of(worker) {
            let same = |known: &Accept| known.listener == listener && Arc::ptr_eq(&known.socket, socket);
            match former.iter().position(same) {
                Some(at) => self.0.push(former.swap_remove(at)),
                None => match socket.try_clone().and_then(TcpListener::from_std) {
                    Ok(own) => {
                        let (_going_on, end) = oneshot::channel();
                        let task = tokio::spawn(accept(server.clone(), listener, own, end));
                        self.0.push(Accept { listener, socket: socket.clone(), _going_on, task });
                    }
                    Err(error) => {
                        error!(listener = %listener.kind, %error, "a listener could not be started");
                    }
                },
            }
        }
    }

    /// Waits until the sockets are closed.
    async fn end(self) {
        for Accept { _going_on, task, .. } in self.0 {
            drop(_going_on);
            let _ = task.await;
        }
    }
}

async fn accept(
    server: Arc<Server>,
    listener: Listener,
    socket: TcpListener,
    mut end: oneshot::Receiver<()>,
) {
    let mut pause = SHORTEST_PAUSE;
    loop {
        let accepted = tokio::select! {
            biased;
            // First: while clients come faster than they are taken in, nobody would hear of it behind them.
            _ = &mut end => break,
            accepted = poll_fn(|cx| socket.poll_accept(cx)) => accepted,
        };
        match accepted {
            Ok((stream, source)) => {
                pause = SHORTEST_PAUSE;
                // At the cap this one waits here, and those behind it in the backlog.
                let place = match server.places.try_take() {
                    Some(place) => place,
                    None => {
                        server.metrics.full();
                        tokio::select! {
                            biased;
                            place = server.places.take() => place,
                            _ = &mut end => return,
                        }
                    }
                };
                server.admit(stream, source, listener, place);
            }
            Err(error) => {
                // Out of files, most likely. The connection stays in the backlog, so trying at once would spin.
                server.metrics.not_accepted(&error);
                warn!(listener = %listener.kind, %error, "accepting failed");
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
    // Whoever is in the queue thinks that he is connected.
    let _ = socket.into_std().map(|socket| accept_waiting(&server, listener, &socket));
}

fn accept_waiting(server: &Arc<Server>, listener: Listener, socket: &std::net::TcpListener) {
    while let Ok((stream, source)) = socket.accept() {
        let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
        let (Ok(stream), Some(place)) = (stream, server.places.try_take()) else { return };
        server.admit(stream, source, listener, place);
    }
}

const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// For connections that were told to close.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Unless it is configured: 40 % of the open files, of which every connection takes two; at most 50,000.
fn capacity(limits: &Limits) -> u32 {
    let default = || {
        let files = crate::limits::raise_open_files();
        u32::try_from(files * 2 / 5).unwrap_or(u32::MAX).clamp(16, 50_000)
    };
    limits.max_connections.as_ref().map_or_else(default, |most| *most.get_ref())
}
