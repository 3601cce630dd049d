//! Listeners, workers, and the two ends of every connection: admitting it, and telling what became of it.

use std::{
    fmt, io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rp_guard::Verdict;
use socket2::{Domain, SockRef, Socket, Type};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime,
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
    time::{sleep, timeout},
};
use tracing::{error, warn};

use crate::{
    admin::{self, Admin},
    cancel::{Cancel, Request},
    config::{Config, Listener, Place, Runtime},
    connect,
    guard::{Cap, Closed, Gate},
    housekeeping::Housekeeping,
    logging::{self, Judged},
    outcome::{End, Facts, Observation, Observer, Reason, Record, Refusal},
    protocol::Protocol,
    proxy_protocol,
    rejects::Rejects,
    session::Session,
    state::{Live, State},
    store::{self, Store},
};

/// A proxy at work.
pub struct Running {
    listeners: Vec<Listener>,
    phase: watch::Sender<Request>,
    workers: Vec<JoinHandle<()>>,
    gate: Arc<Gate>,
    // In the order in which they end.
    _admin: Option<Admin>,
    housekeeping: Housekeeping,
    _store: Option<Arc<Store>>,
}

/// Why nothing was started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("listen.{}: {} cannot be listened on: {error}{}", listener.kind, listener.address, remedy(error))]
    Listen {
        /// Which.
        listener: Listener,
        /// What the system says.
        error: io::Error,
    },
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

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            " (another program has this port: stop it, or listen on another port and map it on the router)"
        }
        io::ErrorKind::PermissionDenied => {
            " (ports below 1024 need CAP_NET_BIND_SERVICE or systemd's socket activation)"
        }
        io::ErrorKind::AddrNotAvailable => " (this machine has no such address)",
        _ => "",
    }
}

/// Starts the proxy: every listener is bound before any is served.
///
/// # Errors
/// The first thing that could not be had; nothing is left running then.
pub fn start(config: Config) -> Result<Running, StartError> {
    let workers = config.workers.or_else(|| Some(thread::available_parallelism().ok()?.get())).unwrap_or(1);
    let first = config.listeners.iter().map(|listener| bind_first(listener, &config));
    let mut bound = vec![first.collect::<Result<Vec<_>, _>>()?];
    let listeners: Vec<Listener> = bound[0].iter().map(|(listener, _)| *listener).collect();
    let sockets = if config.runtime == Runtime::Shared { 1 } else { workers };
    for _ in 1..sockets {
        let more = listeners.iter().map(|listener| Ok((*listener, bind(listener, true, &config)?)));
        bound.push(more.collect::<Result<Vec<_>, StartError>>()?);
    }
    let (phase, _) = watch::channel(Request::None);
    let runtime = config.runtime;
    let gate = Arc::new(Gate::new(&config.guard));
    let store = config.state_directory.as_deref().map(|folder| Store::open(folder, &gate)).transpose()?;
    let store = store.map(Arc::new);
    let admin = match &config.admin.socket {
        Place::At(path) => Some(Admin::start(path, &config.admin, &gate, store.as_ref())?),
        Place::Usual | Place::Nowhere => None,
    };
    let server = Arc::new(Server::new(config, gate.clone()));
    let housekeeping = Housekeeping::start(server.gate.clone(), server.rejects.clone())?;
    let mut threads = Vec::new();
    for (index, sockets) in bound.into_iter().enumerate() {
        let runtime = match runtime {
            Runtime::PerCore => runtime::Builder::new_current_thread().enable_all().build()?,
            Runtime::Shared => {
                runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build()?
            }
        };
        let (server, phase) = (server.clone(), phase.subscribe());
        let thread = thread::Builder::new().name(format!("worker-{index}"));
        threads.push(thread.spawn(move || runtime.block_on(worker(server, sockets, phase)))?);
    }
    Ok(Running { listeners, phase, workers: threads, gate, _admin: admin, housekeeping, _store: store })
}

impl Running {
    /// The listeners with the ports that they really have.
    pub fn listeners(&self) -> &[Listener] {
        &self.listeners
    }

    /// Who is let in, and who is shut out.
    pub fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// A handle to end it from elsewhere.
    pub fn stop(&self) -> Stop {
        Stop(self.phase.clone())
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
#[derive(Clone, Debug)]
pub struct Stop(watch::Sender<Request>);

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
        self.0.send_if_modified(|phase| {
            let more = *phase < request;
            *phase = request.max(*phase);
            more
        });
    }
}

struct Server {
    live: Live,
    gate: Arc<Gate>,
    rejects: Arc<Rejects>,
    next_id: AtomicU64,
    /// One a connection that is served: at the cap, accepting stops.
    permits: Arc<Semaphore>,
    capacity: u32,
}

impl Server {
    fn new(config: Config, gate: Arc<Gate>) -> Self {
        let capacity =
            config.limits.max_connections.as_ref().map_or_else(default_capacity, |most| *most.get_ref());
        Self {
            live: Live::new(State::build(config)),
            gate,
            rejects: Arc::default(),
            next_id: AtomicU64::new(1),
            permits: Arc::new(Semaphore::new(capacity as usize)),
            capacity,
        }
    }

    /// Takes a new connection in, or closes it at once, without a word, before TLS.
    fn admit(
        self: &Arc<Self>,
        socket: TcpStream,
        source: SocketAddr,
        listener: Listener,
        permit: OwnedSemaphorePermit,
    ) {
        let state = self.live.now();
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let destination = arrived_at(&socket, &listener);
        let facts = Facts { id, listener, source, destination, via: None, accepted: Instant::now() };
        let cancel = Arc::new(Cancel::new());
        let announced = state.config.proxies.expect_header(listener.kind, source.ip());
        let most = self.most(&state, source);
        if let Err(closed) = self.gate.enter(&facts, cancel.clone(), most) {
            abort(&socket);
            self.finish(&facts, &Record::default(), &closed.into());
            return;
        }
        let entry = Entry { server: self.clone(), id, _permit: permit };
        let (live, observer): (_, Arc<dyn Observer>) = (self.live.clone(), self.clone());
        // Made here and used where it lies: what a task moves once more inside, it holds twice for all its life.
        let mut session =
            Session { socket: Some(socket), facts, live, record: Record::default(), cancel, observer };
        tokio::spawn(async move {
            if announced && let Err(end) = Box::pin(entry.introduce(&mut session)).await {
                entry.server.finish(&session.facts, &session.record, &end);
                return;
            }
            let end = session.run().await;
            entry.server.finish(&session.facts, &session.record, &end);
        });
    }

    /// The end of every connection.
    fn finish(&self, facts: &Facts, record: &Record, end: &End) {
        let judged = match end {
            End::Refused(refusal) => self.judge(facts, record, refusal),
            _ => Judged::default(),
        };
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
        Judged { verdict, untold: self.rejects.note(source, refusal.reason, Instant::now()) }
    }

    /// Waits until the last connection is gone.
    async fn emptied(&self) {
        let _ = self.permits.acquire_many(self.capacity).await;
    }
}

impl Observer for Server {
    fn observe(&self, facts: &Facts, _: Protocol, record: &Record, observation: &Observation) {
        let judged = match observation {
            Observation::Refused(refusal) => self.judge(facts, record, refusal),
            _ => Judged::default(),
        };
        match observation {
            Observation::Proven => self.gate.registry.prove(facts.id),
            Observation::Reached => self.gate.reached(facts, record),
            Observation::Forwarded | Observation::Refused(_) => {}
        }
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
    _permit: OwnedSemaphorePermit,
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
async fn worker(
    server: Arc<Server>,
    sockets: Vec<(Listener, std::net::TcpListener)>,
    mut phase: watch::Receiver<Request>,
) {
    let mut accepting = JoinSet::new();
    for (listener, socket) in sockets {
        match TcpListener::from_std(socket) {
            Ok(socket) => {
                accepting.spawn(accept(server.clone(), listener, socket));
            }
            Err(error) => error!(listener = %listener.kind, %error, "a listener could not be started"),
        }
    }
    let _ = phase.wait_for(|phase| *phase >= Request::Drain).await;
    accepting.shutdown().await;
    server.gate.registry.ask_all(Request::Drain);
    tokio::select! {
        () = server.emptied() => return,
        _ = phase.wait_for(|phase| *phase == Request::Close) => {}
        () = sleep(server.live.now().config.limits.drain) => {}
    }
    server.gate.registry.ask_all(Request::Close);
    let _ = timeout(LAST_WORDS, server.emptied()).await;
}

async fn accept(server: Arc<Server>, listener: Listener, socket: TcpListener) {
    let mut pause = SHORTEST_PAUSE;
    loop {
        match socket.accept().await {
            Ok((stream, source)) => {
                pause = SHORTEST_PAUSE;
                // At the cap this one waits here, and those behind it in the backlog.
                let Ok(permit) = server.permits.clone().acquire_owned().await else { return };
                server.admit(stream, source, listener, permit);
            }
            Err(error) => {
                // Out of files, most likely. The connection stays in the backlog, so trying at once would spin.
                warn!(listener = %listener.kind, %error, "accepting failed");
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// For connections that were told to close.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// The first socket of a listener. Workers share its port by `SO_REUSEPORT`, with which a second proxy of the same user
/// would silently take half of the connections; so a port of ours is bound once without it before. A port that the
/// system chooses nobody else has.
fn bind_first(listener: &Listener, config: &Config) -> Result<(Listener, std::net::TcpListener), StartError> {
    if listener.address.port() != 0 {
        drop(bind(listener, false, config)?);
    }
    let socket = bind(listener, true, config)?;
    let address = socket.local_addr().map_err(|error| StartError::Listen { listener: *listener, error })?;
    Ok((Listener { address, ..*listener }, socket))
}

fn bind(listener: &Listener, shared: bool, config: &Config) -> Result<std::net::TcpListener, StartError> {
    let bind = || {
        let socket = Socket::new(Domain::for_address(listener.address), Type::STREAM, None)?;
        if listener.address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(shared)?;
        socket.set_nonblocking(true)?;
        socket.bind(&listener.address.into())?;
        // What is accepted inherits this.
        connect::prepare(&SockRef::from(&socket), listener.kind.protocol, &config.limits.keepalive)?;
        socket.listen(i32::from(config.backlog))?;
        Ok(socket.into())
    };
    bind().map_err(|error| StartError::Listen { listener: *listener, error })
}

/// 40 % of the open files, of which every connection takes two; at most 50,000.
fn default_capacity() -> u32 {
    let files = crate::limits::raise_open_files();
    u32::try_from(files * 2 / 5).unwrap_or(u32::MAX).clamp(16, 50_000)
}
