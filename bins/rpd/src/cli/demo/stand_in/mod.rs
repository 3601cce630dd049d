//! Stand-ins for what is behind the proxy: gatekeeper, registrar, directory and web server of one made-up PBX.
//!
//! Each answers like the real thing as far as a probe or a test can tell, and says in every answer which PBX it
//! belongs to. They are no services: nothing is kept, and anybody may log in as `ldap-guest`.

mod directory;
mod gatekeeper;
mod registrar;
mod web;

use std::{io, path::Path, sync::Arc, thread};

use rp_route::leg::Transport;
use rustls::{ServerConfig, server::NoClientAuth};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime,
    sync::oneshot,
};

use crate::{
    protocol::{Kind, PerProtocol, Protocol},
    stream::Stream,
    tls::{self, Greeted},
};

/// All services of one made-up PBX, on loopback. They stop when it is dropped.
pub struct StandIn {
    /// Where they listen.
    pub ports: Ports,
    _running: oneshot::Sender<()>,
}

/// The ports of a stand-in.
#[derive(Clone, Debug, Default)]
pub struct Ports(PerProtocol<[u16; 2]>);

impl Ports {
    /// The port for a protocol and transport.
    pub fn of(&self, kind: Kind) -> u16 {
        self.0[kind.protocol][kind.transport as usize]
    }
}

impl StandIn {
    /// Starts the services of the PBX `name`, with this certificate and key (PEM files).
    ///
    /// # Errors
    /// The certificate cannot be read, or a port cannot be had.
    pub fn start(name: &'static str, certificate: &Path, key: &Path) -> io::Result<Self> {
        let chain = tls::read_certificates(certificate).map_err(io::Error::other)?;
        let key = tls::read_key(key, chain).map_err(io::Error::other)?;
        let config =
            ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(io::Error::other)?
                .with_client_cert_verifier(Arc::new(NoClientAuth))
                .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(key)));
        let config = Arc::new(config);

        let mut ports = Ports::default();
        let mut sockets = Vec::new();
        for kind in Kind::all() {
            let socket = std::net::TcpListener::bind("127.0.0.1:0")?;
            socket.set_nonblocking(true)?;
            ports.0[kind.protocol][kind.transport as usize] = socket.local_addr()?.port();
            sockets.push((kind, socket));
        }
        let (running, mut stopped) = oneshot::channel::<()>();
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        thread::Builder::new().name(format!("stand-in {name}")).spawn(move || {
            runtime.block_on(async {
                for (kind, socket) in sockets {
                    if let Ok(socket) = TcpListener::from_std(socket) {
                        tokio::spawn(accept(name, kind, socket, config.clone()));
                    }
                }
                let _ = (&mut stopped).await;
            });
        })?;
        Ok(Self { ports, _running: running })
    }
}

async fn accept(name: &'static str, kind: Kind, socket: TcpListener, config: Arc<ServerConfig>) {
    while let Ok((stream, _)) = socket.accept().await {
        let config = config.clone();
        tokio::spawn(async move {
            // A client that goes away in the middle is no fault here.
            let _ = serve(name, kind, stream, config).await;
        });
    }
}

async fn serve(name: &str, kind: Kind, socket: TcpStream, config: Arc<ServerConfig>) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let mut stream = match kind.transport {
        Transport::Tcp => Stream::from(socket),
        Transport::Tls => Greeted::listen(socket).await?.answer(config).await?.into(),
    };
    let mut received = Vec::new();
    loop {
        let reply = match kind.protocol {
            Protocol::H323 => gatekeeper::reply(name, &received),
            Protocol::Sip => registrar::reply(name, &received),
            Protocol::Ldap => directory::reply(name, &received),
            Protocol::Http => web::reply(name, &received),
        };
        match reply {
            Reply::More => {
                if stream.read_buf(&mut received).await? == 0 {
                    return stream.shutdown().await;
                }
            }
            Reply::Send { used, answer } => {
                received.drain(..used);
                stream.write_all(&answer).await?;
                stream.flush().await?;
            }
            Reply::End => return stream.shutdown().await,
        }
    }
}

/// What a stand-in does with what it has received.
enum Reply {
    /// Wait for more.
    More,
    /// So many octets are dealt with; this is the answer.
    Send { used: usize, answer: Vec<u8> },
    /// Close.
    End,
}
