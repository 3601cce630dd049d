//! How the load connects to a proxy.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
};

use rustls::HandshakeKind;
use rustls_pki_types::ServerName;
use tokio::net::TcpSocket;
use tokio_rustls::TlsConnector;

use crate::{
    certificates,
    protocol::{Protocol, Wire},
    rows::{Front, Setup},
};

/// A client with its own TLS tickets.
pub(crate) struct Client {
    proxy: SocketAddr,
    protocol: Protocol,
    tls: Option<TlsConnector>,
    /// What every handshake after the first has to be.
    expected: HandshakeKind,
}

impl Client {
    pub(crate) fn new(proxy: SocketAddr, setup: Setup, folder: &Path, resumes: bool) -> io::Result<Self> {
        let tls = match setup.front {
            Front::Plain => None,
            front => {
                let with_certificate = front == Front::ClientCertificate;
                Some(TlsConnector::from(certificates::client_config(folder, with_certificate, resumes)?))
            }
        };
        let expected = if resumes { HandshakeKind::Resumed } else { HandshakeKind::Full };
        Ok(Self { proxy, protocol: setup.protocol, tls, expected })
    }

    /// A connection; its handshake must be of the kind that is measured.
    pub(crate) async fn connect(&self, source: Ipv4Addr) -> io::Result<Wire> {
        let (wire, kind) = self.open(source).await?;
        match kind {
            Some(kind) if kind != self.expected => {
                Err(io::Error::other(format!("a handshake was {kind:?} instead of {:?}", self.expected)))
            }
            _ => Ok(wire),
        }
    }

    /// One connection that does not count: the proxy is warm then, and the client may have a ticket.
    pub(crate) async fn prime(&self) -> io::Result<()> {
        let (mut wire, _) = self.open(Ipv4Addr::LOCALHOST).await?;
        wire.exchange(&self.protocol.greeting(0)).await?;
        wire.close().await
    }

    pub(crate) fn protocol(&self) -> Protocol {
        self.protocol
    }

    async fn open(&self, source: Ipv4Addr) -> io::Result<(Wire, Option<HandshakeKind>)> {
        let socket = TcpSocket::new_v4()?;
        // Bound only where it must be: the system finds a free port more easily when it connects.
        if source != Ipv4Addr::LOCALHOST {
            socket.bind(SocketAddr::new(IpAddr::V4(source), 0))?;
        }
        let stream = socket.connect(self.proxy).await?;
        stream.set_nodelay(true)?;
        let Some(tls) = &self.tls else { return Ok((Wire::new(Box::new(stream), self.protocol), None)) };
        let name = ServerName::try_from(certificates::NAME).map_err(io::Error::other)?;
        let stream = tls.connect(name, stream).await?;
        let kind = stream.get_ref().1.handshake_kind();
        Ok((Wire::new(Box::new(stream), self.protocol), kind))
    }
}
