//! The sockets that are listened on. All are bound before any is served; what a reload keeps is never closed, because a
//! listener that closes drops the connections in its queue.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use socket2::{Domain, SockRef, Socket, Type};

use crate::{
    config::{Keepalive, Listener, clash},
    connect,
    protocol::{ListenerKind, Protocol},
};

/// Every listener with its sockets.
#[derive(Clone, Debug, Default)]
pub struct Listeners {
    bound: Vec<Bound>,
    inherited: Arc<[Inherited]>,
    /// So many workers want a socket of their own.
    workers: usize,
}

/// One listening address.
#[derive(Clone, Debug)]
struct Bound {
    /// As it is configured: the port may be one that the system chooses.
    wanted: SocketAddr,
    /// With the port that it really has.
    listener: Listener,
    /// One a worker; or one for all, where it was inherited.
    sockets: Vec<Arc<TcpListener>>,
}

impl Bound {
    /// The socket of a worker.
    fn socket(&self, worker: usize) -> Option<&Arc<TcpListener>> {
        self.sockets.get(worker % self.sockets.len().max(1))
    }
}

/// A socket that was there before this process.
#[derive(Debug)]
pub struct Inherited {
    /// What whoever made it calls it.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// Itself.
    pub socket: Arc<TcpListener>,
}

/// Why an address is not listened on.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The system refuses.
    #[error("listen.{}: {} cannot be listened on: {error}{}", listener.kind, listener.address, remedy(error))]
    Refused {
        /// Which.
        listener: Listener,
        /// What the system says.
        error: io::Error,
    },
    /// The socket was made for something else.
    #[error("listen.{} has {}, but the inherited socket there is called {name:?}; write FileDescriptorName={}", listener.kind, listener.address, listener.kind)]
    OtherName {
        /// What is configured.
        listener: Listener,
        /// What the socket is called.
        name: String,
    },
    /// Connections would wait there for ever.
    #[error(
        "a socket called {name:?} was inherited that listens on {address}, which no listener has; take it out of the socket unit, or write the address in [listen]"
    )]
    Unknown {
        /// What it is called.
        name: String,
        /// Where it listens.
        address: SocketAddr,
    },
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

impl Listeners {
    /// None yet, for so many workers; sockets that are there already will be used before others are made.
    pub fn new(workers: usize, inherited: Vec<Inherited>) -> Self {
        Self { bound: Vec::new(), inherited: inherited.into(), workers }
    }

    /// What a configuration wants: sockets that are there are shared with what was before, others are made.
    ///
    /// # Errors
    /// The first address that cannot be had. Nothing has changed then.
    pub fn changed(&self, wanted: &[Listener], backlog: u16) -> Result<Self, ListenError> {
        let mut present = self.bound.clone();
        let bound = wanted.iter().map(|listener| match take(&mut present, listener) {
            Some(kept) => Ok(Bound { listener: Listener { kind: listener.kind, ..kept.listener }, ..kept }),
            None => self.had_or_made(listener, backlog),
        });
        let bound: Vec<Bound> = bound.collect::<Result<_, _>>()?;
        let unused = |inherited: &&Inherited| bound.iter().all(|bound| bound.wanted != inherited.address);
        match self.inherited.iter().find(unused) {
            Some(Inherited { name, address, .. }) => {
                Err(ListenError::Unknown { name: name.clone(), address: *address })
            }
            None => Ok(Self { bound, inherited: self.inherited.clone(), workers: self.workers }),
        }
    }

    /// Gives the sockets what is accepted from them inherits.
    pub fn prepare(&self, keepalive: &Keepalive) {
        for bound in &self.bound {
            for socket in &bound.sockets {
                // Every TCP socket takes these. On `listen.any` the session sets them anew when it knows.
                let protocol = bound.listener.kind.protocol().unwrap_or(Protocol::Http);
                let _ = connect::prepare(&SockRef::from(&**socket), protocol, keepalive);
            }
        }
    }

    /// What a worker accepts on.
    pub fn of(&self, worker: usize) -> impl Iterator<Item = (Listener, &Arc<TcpListener>)> {
        self.bound.iter().filter_map(move |bound| Some((bound.listener, bound.socket(worker)?)))
    }

    /// Where they listen.
    pub fn listeners(&self) -> Vec<Listener> {
        self.bound.iter().map(|bound| bound.listener).collect()
    }

    fn had_or_made(&self, listener: &Listener, backlog: u16) -> Result<Bound, ListenError> {
        let refused = |error| ListenError::Refused { listener: *listener, error };
        if let Some(inherited) = self.inherited.iter().find(|socket| socket.address == listener.address) {
            return inherit(listener, inherited);
        }
        // A second proxy of the same user would share the port too, and silently take half of the connections. So it
        // is bound once without sharing before; a port that the system chooses nobody else has.
        let ours = self.bound.iter().any(|bound| clash(bound.listener.address, listener.address));
        if listener.address.port() != 0 && !ours {
            drop(bind(listener.address, false, 1).map_err(refused)?);
        }
        let first = bind(listener.address, true, backlog).map_err(refused)?;
        let address = first.local_addr().map_err(refused)?;
        let mut sockets = vec![Arc::new(first)];
        for _ in 1..self.workers {
            sockets.push(Arc::new(bind(address, true, backlog).map_err(refused)?));
        }
        Ok(Bound { wanted: listener.address, listener: Listener { address, ..*listener }, sockets })
    }
}

/// Who listens where this one is wanted. Ports that the system chose are told apart by what is spoken there.
fn take(present: &mut Vec<Bound>, listener: &Listener) -> Option<Bound> {
    let fits = |bound: &Bound| {
        let same_kind = bound.listener.kind == listener.kind;
        bound.wanted == listener.address && (same_kind || listener.address.port() != 0)
    };
    let at = present.iter().position(fits)?;
    Some(present.remove(at))
}

/// systemd calls all sockets of a unit alike: what is no key of `[listen]` says nothing.
fn inherit(listener: &Listener, inherited: &Inherited) -> Result<Bound, ListenError> {
    let other = ListenerKind::all().any(|kind| kind != listener.kind && kind.as_str() == inherited.name);
    if other {
        return Err(ListenError::OtherName { listener: *listener, name: inherited.name.clone() });
    }
    let sockets = vec![inherited.socket.clone()];
    Ok(Bound { wanted: listener.address, listener: *listener, sockets })
}

fn bind(address: SocketAddr, shared: bool, backlog: u16) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(i32::from(backlog))?;
    Ok(socket.into())
}
