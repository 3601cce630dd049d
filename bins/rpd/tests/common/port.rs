//! Ports for programs that cannot be told to take any that is free.

use std::{fmt, net::SocketAddr};

use socket2::{Domain, Socket, Type};

/// A port of 127.0.0.1 that nobody else gets while this lives.
///
/// It is bound but not listened on. Linux then hands it to nobody who asks for just any port, and lets a program
/// that asks for this one listen on it if it sets `SO_REUSEADDR`, as servers do. So between choosing the port
/// and the program's start no other test can take it.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _bound: Socket,
}

impl Port {
    /// Reserves a port.
    pub fn reserve() -> Self {
        let reserve = || {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
            socket.set_reuse_address(true)?;
            socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
            Ok((socket.local_addr()?, socket))
        };
        let (address, socket) = reserve().unwrap_or_else(|error: std::io::Error| panic!("no port: {error}"));
        let number = address.as_socket().map_or(0, |address| address.port());
        Self { number, _bound: socket }
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.number
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number.fmt(f)
    }
}
