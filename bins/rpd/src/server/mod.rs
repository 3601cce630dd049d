//! Starting the proxy, changing it while it runs, and ending it. What the workers do is in `worker`, what happens at the two
//! ends of each connection in `ends`.

mod ends;
mod worker;

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::SystemTime,
};

use tokio::{runtime, sync::watch};
use tracing::error;

use crate::{
    admin::{self, Admin, Audit},
    cancel::Request,
    config::{Config, Limits, Listener, Runtime},
    guard::Gate,
    housekeeping::Housekeeping,
    listeners::{Inherited, ListenError, Listeners},
    lock::lock,
    metrics::Metrics,
    open_files,
    recent::Recent,
    refused::Refused,
    reload::Change,
    state::State,
    store::{self, Store},
};
use ends::Server;

/// A proxy at work.
pub struct Running {
    control: Arc<Control>,
    workers: Vec<thread::JoinHandle<()>>,
    // In the order in which they end.
    housekeeping: Housekeeping,
    admin: Admin,
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
    /// A socket for administration or figures cannot be had.
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
    let workers = if config.runtime == Runtime::Shared { 1 } else { cores };
    let listeners = Listeners::new(workers, inherited).changed(&config.listeners, config.backlog)?;
    listeners.prepare(&config.limits.keepalive);
    let gate = Arc::new(Gate::new(&config.guard));
    let store = config.state_directory.as_deref().map(|folder| Store::open(folder, &gate)).transpose()?;
    let store = store.map(Arc::new);
    let in_state = || store.as_ref().map(|store| Audit::in_folder(store.folder()));
    let audit = Audit::new(config.admin.audit.clone().or_else(in_state));
    let control = Arc::new(Control {
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
    });
    let admin = Admin::start(&control, store.as_ref())?;
    let Server { gate, rejects, live, .. } = &*control.server;
    let housekeeping = Housekeeping::start(gate.clone(), rejects.clone(), live.clone())?;
    let workers = start_workers(&control).inspect_err(|_| Stop(control.clone()).close())?;
    Ok(Running { control, workers, housekeeping, admin, _store: store })
}

fn start_workers(control: &Arc<Control>) -> io::Result<Vec<thread::JoinHandle<()>>> {
    let kind = control.state().config.runtime;
    let start = |index| {
        let runtime = match kind {
            Runtime::PerCore => runtime::Builder::new_current_thread().enable_all().build()?,
            Runtime::Shared => {
                runtime::Builder::new_multi_thread().worker_threads(control.threads).enable_all().build()?
            }
        };
        let control = control.clone();
        let thread = thread::Builder::new().name(format!("worker-{index}"));
        thread.spawn(move || runtime.block_on(worker::serve(control, index)))
    };
    (0..control.answered.len()).map(start).collect()
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

/// Unless it is configured: 40 % of the open files, of which every connection takes two; at most 50,000.
fn capacity(limits: &Limits) -> u32 {
    let default = || {
        let files = open_files::raise();
        u32::try_from(files * 2 / 5).unwrap_or(u32::MAX).clamp(16, 50_000)
    };
    limits.max_connections.as_ref().map_or_else(default, |most| *most.get_ref())
}
