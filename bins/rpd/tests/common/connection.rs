//! Connections on which nobody waits for ever.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use super::PATIENCE;

/// A connection, in clear or over TLS.
pub trait Connection: Read + Write + Send {}
impl<T: Read + Write + Send> Connection for T {}

/// A connection to whoever listens there.
///
/// # Panics
/// Nobody does.
pub fn connect(address: SocketAddr) -> TcpStream {
    patient(TcpStream::connect(address).expect("somebody listens"))
}

/// The same connection, whose reads fail when nothing comes.
pub fn patient(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    stream
}
