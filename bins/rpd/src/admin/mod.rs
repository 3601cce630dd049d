//! The administration of a running proxy: a small HTTP service on a Unix socket. Whoever may open the socket may
//! administer; the log and the record of changes name the user.
//!
//! It has a thread and a runtime of its own, so that no connection ever waits for it. One file a subject.

mod answer;
mod audit;
mod exposed;
mod lists;
mod page;
mod reload;
mod requests;
mod role;
mod same_origin;

use std::{
    fs,
    io::{self, ErrorKind},
    net::SocketAddr,
    os::unix::fs::{FileTypeExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    sync::Arc,
    thread::{self, JoinHandle},
};

use axum::{
    Router,
    extract::{State, connect_info::Connected},
    http::{StatusCode, header},
    middleware,
    response::IntoResponse,
    routing::{delete, get, patch, post},
    serve::IncomingStream,
};
use tokio::{
    net::{UnixListener, UnixStream},
    runtime,
    sync::oneshot,
};
use tracing::{error, info};

use crate::{
    config::{self, Place},
    guard::Gate,
    metrics::Metrics,
    server::Control,
    store::Store,
};
use audit::Audit;
use role::Role;

/// The service, until this is dropped.
#[derive(Debug)]
pub struct Admin {
    socket: Option<PathBuf>,
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
    audit: Audit,
    metrics: Arc<Metrics>,
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
        let state = control.state();
        let config = &state.config;
        let socket = match &config.admin.socket {
            Place::At(path) => Some(path.clone()),
            Place::Usual | Place::Nowhere => None,
        };
        let bound = |path: &PathBuf| {
            listen(path, &config.admin).map_err(|error| StartError::Socket { path: path.clone(), error })
        };
        let listener = socket.as_ref().map(bound).transpose()?;
        let exposed = config.metrics.iter().map(|address| {
            exposed::listen(*address).map_err(|error| StartError::Metrics { address: *address, error })
        });
        let exposed = exposed.collect::<Result<Vec<_>, _>>()?;
        let desk = Desk {
            control: control.clone(),
            gate: control.gate().clone(),
            store: store.cloned(),
            audit: Audit::new(store.map(|store| store.folder())),
            metrics: control.metrics().clone(),
        };
        let (stop, stopped) = oneshot::channel();
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = thread::Builder::new().name("admin".to_owned());
        let thread =
            thread.spawn(move || runtime.block_on(serve(listener, exposed, Arc::new(desk), stopped)));
        if let Some(path) = &socket {
            info!("administration on {}", path.display());
        }
        Ok(Self { socket, stop: Some(stop), thread: Some(thread?) })
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

/// A socket that has its owner and mode before anybody can find it.
fn listen(path: &Path, config: &config::Admin) -> io::Result<std::os::unix::net::UnixListener> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    make_way(path)?;
    let hidden = path.with_extension("new");
    make_way(&hidden)?;
    let listener = std::os::unix::net::UnixListener::bind(&hidden)?;
    fs::set_permissions(&hidden, fs::Permissions::from_mode(config.mode.0))?;
    chown(&hidden, None, config.group)?;
    fs::rename(&hidden, path)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Removes a socket that nobody listens on any more.
fn make_way(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(there) if !there.file_type().is_socket() => {
            Err(io::Error::other("there is a file of this name that is no socket"))
        }
        Ok(_) => match std::os::unix::net::UnixStream::connect(path) {
            Ok(_) => Err(ErrorKind::AddrInUse.into()),
            Err(_) => fs::remove_file(path),
        },
    }
}

async fn serve(
    listener: Option<std::os::unix::net::UnixListener>,
    exposed: Vec<std::net::TcpListener>,
    desk: Arc<Desk>,
    stopped: oneshot::Receiver<()>,
) {
    for listener in exposed {
        tokio::spawn(exposed::serve(listener, desk.clone()));
    }
    let Some(listener) = listener else {
        let _ = stopped.await;
        return;
    };
    let served = match UnixListener::from_std(listener) {
        Ok(listener) => {
            let service = routes(desk).into_make_service_with_connect_info::<Peer>();
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
fn routes(desk: Arc<Desk>) -> Router {
    let group =
        |role, paths: Router<Arc<Desk>>| paths.route_layer(middleware::from_fn_with_state(role, role::check));
    let read = Router::new().route("/lists", get(lists::list)).route("/requests/top", get(requests::top));
    let operate = Router::new()
        .route("/lists", post(lists::put))
        .route("/lists/bulk", post(lists::bulk))
        .route("/lists/{network}", patch(lists::amend).delete(lists::remove))
        .route("/lists/{network}/flip", post(lists::flip))
        .route("/addresses/{network}", delete(lists::forget));
    let admin = Router::new().route("/reload", post(reload::reload));
    let api = group(Role::Read, read).merge(group(Role::Operate, operate)).merge(group(Role::Admin, admin));
    Router::new()
        .nest("/api/v1", api)
        .merge(page::routes())
        .route("/metrics", get(metrics))
        .route("/health", get(health))
        .fallback(answer::unknown_path)
        .method_not_allowed_fallback(answer::wrong_method)
        .layer(middleware::from_fn(same_origin::check))
        .with_state(desk)
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
    /// The user at the other end of the socket, as the system knows it.
    name: String,
    role: Role,
}

impl Connected<IncomingStream<'_, UnixListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        let io: &UnixStream = stream.io();
        let name = match io.peer_cred() {
            Ok(peer) => format!("uid {}", peer.uid()),
            Err(_) => "somebody".to_owned(),
        };
        // Who may open the socket may do everything: its permissions say who that is.
        Self { name, role: Role::Admin }
    }
}
