//! socat between a phone and the proxy: a router, and TLS.

use std::net::SocketAddr;

use tempfile::TempDir;

use crate::common::{Port, Program};

/// A router that maps a port of its own to one of the proxy's.
pub struct Router {
    _socat: Program,
    _port: Port,
}

impl Router {
    /// Maps `port`.
    pub fn from(port: Port, proxy: SocketAddr) -> Self {
        let listen = format!("TCP4-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork");
        let socat = Program::start("socat", [listen, format!("TCP4:{proxy}")]).listening(port.number());
        Self { _socat: socat, _port: port }
    }
}

/// TLS for a client that has none: every connection to `port` becomes one of its own to the proxy.
pub struct Tunnel {
    _socat: Program,
    port: Port,
}

impl Tunnel {
    /// `options` may name the certificate that is shown.
    pub fn to(proxy: SocketAddr, folder: &TempDir, options: &str) -> Self {
        let port = Port::reserve();
        let ca = folder.path().join("ca.pem");
        let from = format!("TCP4-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork");
        let names = "snihost=example.com,commonname=example.com";
        let to = format!("OPENSSL:{proxy},cafile={},{names}{options}", ca.display());
        Self { _socat: Program::start("socat", [from, to]).listening(port.number()), port }
    }

    /// Where clients connect to.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}
