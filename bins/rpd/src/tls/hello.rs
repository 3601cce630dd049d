//! What a client says first, and what is chosen by that.

use std::{io, sync::Arc};

use bytes::{BufMut, BytesMut};
use rustls::{
    InvalidMessage, ServerConfig,
    server::{Accepted, Acceptor, ClientHello},
};
use tokio::{io::AsyncReadExt, net::TcpStream};

use super::stream::{TlsStream, wrong};

/// A client that has said hello.
pub struct Greeted {
    socket: TcpStream,
    /// The hello again, and what has come behind it.
    records: BytesMut,
    accepted: Accepted,
}

impl Greeted {
    /// Waits for the hello.
    ///
    /// # Errors
    /// The socket's; [`rustls::Error`] where it is no hello.
    pub async fn listen(mut socket: TcpStream) -> io::Result<Self> {
        let mut records = BytesMut::new();
        let mut acceptor = Acceptor::default();
        loop {
            let from = records.len();
            if from > LARGEST_HELLO {
                return Err(wrong(InvalidMessage::HandshakePayloadTooLarge.into()));
            }
            records.reserve(USUAL_HELLO);
            if socket.read_buf(&mut (&mut records).limit(USUAL_HELLO)).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let mut fresh = &records[from..];
            while !fresh.is_empty() {
                acceptor.read_tls(&mut fresh)?;
                match acceptor.accept() {
                    Ok(Some(accepted)) => return Ok(Self { socket, records, accepted }),
                    Ok(None) => {}
                    Err((error, mut alert)) => {
                        let mut words = Vec::new();
                        alert.write_all(&mut words)?;
                        // Short as it is, it goes at once or not at all.
                        let _ = socket.try_write(&words);
                        return Err(wrong(error));
                    }
                }
            }
        }
    }

    /// What was said.
    pub fn hello(&self) -> ClientHello<'_> {
        self.accepted.client_hello()
    }

    /// The connection, when the handshake is done.
    ///
    /// # Errors
    /// The socket's; [`rustls::Error`] where the handshake fails.
    pub async fn answer(self, config: Arc<ServerConfig>) -> io::Result<TlsStream> {
        // rustls has no way from one to the other: the session reads the hello again.
        let Self { socket, records, accepted } = self;
        drop(accepted);
        TlsStream::accept(config, records, socket).await
    }
}

/// With key shares for X25519 and for its hybrid with ML-KEM.
const USUAL_HELLO: usize = 2048;
/// With a ticket in which there is a chain of certificates.
pub(super) const LARGEST_HELLO: usize = 32 * 1024;
