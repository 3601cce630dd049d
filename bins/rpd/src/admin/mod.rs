//! The administration of a running proxy: a small HTTP service on a Unix socket, and over TCP if that is configured.
//! Whoever may open the socket may administer; over TCP it takes a token or a certificate. The log and the record of
//! changes name who it was.
//!
//! It has a thread and a runtime of its own, so that no connection ever waits for it. One file a subject.

mod answer;
mod attempts;
mod audit;
mod certificates;
mod connections;
mod events;
mod explain;
mod exposed;
mod guests;
mod hosts;
mod lists;
mod log;
mod page;
mod reload;
mod remote;
mod requests;
mod role;
mod same_origin;
mod socket;
mod status;
mod taker;

use std::{
    fs,
    io::{self, ErrorKind},
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    thread::{self, JoinHandle},
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    middleware,
    response::IntoResponse,
    routing::{delete, get, patch, post},
};
use tokio::{
    net::UnixListener,
    runtime,
    sync::{Semaphore, oneshot},
};
use tracing::{error, info};

use crate::{
    config::{AdminSocket, Config, Role},
    guard::Gate,
    metrics::Metrics,
    server::Control,
    store::Store,
};
use attempts::Attempts;
pub use audit::Audit;
use remote::Door;
use same_origin::Here;

/// The service, until this is dropped.
#[derive(Debug)]
pub struct Admin {
    socket: Option<PathBuf>,
    addresses: Vec<SocketAddr>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Why it cannot be.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The socket cannot be had.
    #[error("admin.socket {}: {error}{}", path.display(), remedy(error))]
    Socket {
        /// Where.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// An address for administration cannot be had.
    #[error("admin.listen: {address} cannot be listened on: {error}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// The address for figures cannot be had.
    #[error("metrics.listen: {address} cannot be listened on: {error}")]
    Metrics {
        /// Which.
        address: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// There is no thread for it.
    #[error("the administration could not be started: {0}")]
    Thread(#[from] io::Error),
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::AddrInUse => " (another rpd that runs has it: write another path, or \"\" for none)",
        ErrorKind::PermissionDenied => {
            " (write a path in a folder that this user may write to, or \"\" for none)"
        }
        _ => "",
    }
}

/// What the routes work with.
struct Desk {
    control: Arc<Control>,
    gate: Arc<Gate>,
    store: Option<Arc<Store>>,
    attempts: Attempts,
    metrics: Arc<Metrics>,
    /// Places for those who listen to what happens.
    listening: Arc<Semaphore>,
}

impl Desk {
    /// Whether new connections are welcome: who spreads them over several proxies asks this.
    fn health(&self) -> (StatusCode, &'static str) {
        if self.control.is_ending() {
            return (StatusCode::SERVICE_UNAVAILABLE, "draining\n");
        }
        (StatusCode::OK, "ok\n")
    }
}

impl Admin {
    /// Listens where the configuration says and answers from now on.
    ///
    /// # Errors
    /// A socket cannot be had.
    pub fn start(control: &Arc<Control>, store: Option<&Arc<Store>>) -> Result<Self, StartError> {
        let sockets = Sockets::bind(&control.state().config)?;
        let socket = sockets.unix.as_ref().map(|(path, _)| path.clone());
        let addresses: Vec<_> = sockets.doors.iter().map(|door| door.address).collect();
        let desk = Desk {
            control: control.clone(),
            gate: control.gate().clone(),
            store: store.cloned(),
            attempts: Attempts::default(),
            metrics: control.metrics().clone(),
            listening: Arc::new(Semaphore::new(events::MOST)),
        };
        let (stop, stopped) = oneshot::channel();
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = thread::Builder::new().name("admin".to_owned());
        let thread = thread.spawn(move || runtime.block_on(serve(sockets, Arc::new(desk), stopped)))?;
        if let Some(path) = &socket {
            info!("administration on {}", path.display());
        }
        for address in &addresses {
            info!("administration on {address}");
        }
        Ok(Self { socket, addresses, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens over TCP.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            error!("the administration ended by a panic");
        }
        // The next start would take the place of what is left.
        if let Some(socket) = &self.socket {
            let _ = fs::remove_file(socket);
        }
    }
}

/// All that is listened on.
struct Sockets {
    unix: Option<(PathBuf, std::os::unix::net::UnixListener)>,
    doors: Vec<Door>,
    exposed: Vec<std::net::TcpListener>,
}

impl Sockets {
    fn bind(config: &Config) -> Result<Self, StartError> {
        let unix = match &config.admin.socket {
            AdminSocket::At(path) => {
                let refused = |error| StartError::Socket { path: path.clone(), error };
                Some((path.clone(), socket::listen(path, &config.admin).map_err(refused)?))
            }
            AdminSocket::Usual | AdminSocket::Nowhere => None,
        };
        let exposed = config
            .metrics
            .iter()
            .map(|&address| exposed::listen(address).map_err(|error| StartError::Metrics { address, error }));
        let exposed = exposed.collect::<Result<_, _>>()?;
        let doors = config.admin.listen.iter().map(|&address| {
            Door::open(address, &config.access).map_err(|error| StartError::Listen { address, error })
        });
        Ok(Self { unix, exposed, doors: doors.collect::<Result<_, _>>()? })
    }
}

async fn serve(sockets: Sockets, desk: Arc<Desk>, stopped: oneshot::Receiver<()>) {
    let Sockets { unix, doors, exposed } = sockets;
    for listener in exposed {
        tokio::spawn(exposed::serve(listener, desk.clone()));
    }
    for door in doors {
        let identified = routes(&desk).layer(middleware::from_fn_with_state(desk.clone(), remote::identify));
        let service = with_page(identified, &desk, door.over_tls);
        tokio::spawn(door.serve(service, desk.clone()));
    }
    let Some((_, listener)) = unix else {
        let _ = stopped.await;
        return;
    };
    let served = match UnixListener::from_std(listener) {
        Ok(listener) => {
            let service =
                with_page(routes(&desk), &desk, false).into_make_service_with_connect_info::<Peer>();
            tokio::select! {
                served = axum::serve(listener, service).into_future() => served,
                // An answer that is still under way is lost with its client's question unanswered, as on any end.
                _ = stopped => Ok(()),
            }
        }
        Err(error) => Err(error),
    };
    if let Err(error) = served {
        error!(%error, "the administration has ended");
    }
}

/// Every path stands in the group of those who may ask for it.
fn routes(desk: &Arc<Desk>) -> Router {
    let group =
        |role, paths: Router<Arc<Desk>>| paths.route_layer(middleware::from_fn_with_state(role, role::check));
    let read = Router::new()
        .route("/status", get(status::status))
        .route("/hosts", get(hosts::hosts))
        .route("/connections", get(connections::list))
        .route("/certificates", get(certificates::certificates))
        .route("/requests", get(requests::last))
        .route("/requests/top", get(requests::top))
        .route("/lists", get(lists::list))
        .route("/log", get(log::log))
        .route("/events", get(events::events))
        .route("/explain", post(explain::explain));
    let operate = Router::new()
        .route("/lists", post(lists::put))
        .route("/lists/bulk", post(lists::bulk))
        .route("/lists/{network}", patch(lists::amend).delete(lists::remove))
        .route("/lists/{network}/flip", post(lists::flip))
        .route("/addresses/{network}", delete(lists::forget))
        .route("/connections/{id}", delete(connections::close));
    let admin = Router::new().route("/reload", post(reload::reload));
    let api = group(Role::Read, read).merge(group(Role::Operate, operate)).merge(group(Role::Admin, admin));
    Router::new()
        .nest("/api/v1", api)
        .route("/metrics", get(metrics))
        .route("/health", get(health))
        .method_not_allowed_fallback(answer::wrong_method)
        .with_state(desk.clone())
}

/// With the page, which is for everybody, and can do nothing that these routes do not let it.
fn with_page(routes: Router, desk: &Arc<Desk>, over_tls: bool) -> Router {
    let here = Here { desk: desk.clone(), over_tls };
    routes
        .merge(page::routes())
        .fallback(answer::unknown_path)
        .layer(middleware::from_fn_with_state(here, same_origin::check))
}

async fn health(State(desk): State<Arc<Desk>>) -> impl IntoResponse {
    desk.health()
}

async fn metrics(State(desk): State<Arc<Desk>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, exposed::TEXT)], desk.metrics.text())
}

/// Who asks.
#[derive(Clone, Debug)]
struct Peer {
    /// The user at the other end of the socket, as the system knows it; else whose token or certificate it is.
    name: String,
    role: Role,
    /// Through the socket nobody has an address to lock out.
    address: Option<IpAddr>,
}
