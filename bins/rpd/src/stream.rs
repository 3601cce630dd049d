//! A connection, in clear or over TLS, as one small type: the TLS state is boxed, so that an idle connection in
//! clear costs only its socket.

use std::{
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
    time::Duration,
};

use rp_route::leg::Transport;
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    task::coop::unconstrained,
};

use crate::{scratch, tls::TlsStream};

/// A connection to a client or a target.
#[derive(Debug)]
pub enum Stream {
    /// In clear.
    Tcp(TcpStream),
    /// Over TLS, either side of it.
    Tls(Box<TlsStream>),
}

impl Stream {
    /// In clear or over TLS.
    pub fn transport(&self) -> Transport {
        match self {
            Self::Tcp(_) => Transport::Tcp,
            Self::Tls(_) => Transport::Tls,
        }
    }

    /// The socket below.
    pub fn socket(&self) -> &TcpStream {
        match self {
            Self::Tcp(stream) => stream,
            Self::Tls(stream) => stream.socket(),
        }
    }

    /// The other end.
    ///
    /// # Errors
    /// The socket's, when it is not connected any more.
    pub fn peer(&self) -> io::Result<SocketAddr> {
        self.socket().peer_addr()
    }

    /// Our own address on it, as text.
    pub fn local(&self) -> Option<String> {
        Some(self.socket().local_addr().ok()?.ip().to_canonical().to_string())
    }

    /// Nothing has come that was not asked for, not even the end. What has come is lost.
    pub fn is_quiet(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        // A task that has had its turn would be told that nothing is there, whatever is.
        let read = unconstrained(poll_fn(|cx| scratch::poll_read_with(self, cx, |_, _| ())));
        pin!(read).poll(&mut cx).is_pending()
    }

    /// Holds back what is written from here on, so that it leaves in one packet with the end, which must follow at once.
    pub fn hold_for_the_end(&self) {
        let _ = SockRef::from(self.socket()).set_tcp_cork(true);
    }

    /// Makes the end of a connection in clear a reset, so that nobody takes it for the end of a message. Over TLS the
    /// missing close_notify says the same.
    pub fn end_by_reset(&self) {
        if let Self::Tcp(stream) = self {
            let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
        }
    }
}

impl From<TcpStream> for Stream {
    fn from(stream: TcpStream) -> Self {
        Self::Tcp(stream)
    }
}

impl From<TlsStream> for Stream {
    fn from(stream: TlsStream) -> Self {
        Self::Tls(Box::new(stream))
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, octets),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, octets),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::AsyncWriteExt,
        net::TcpListener,
        task::coop::{consume_budget, has_budget_remaining},
    };

    use super::*;

    #[tokio::test]
    async fn a_task_that_has_had_its_turn_hears_what_has_come() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let mut far = TcpStream::connect(address).await.expect("a connection");
        let (near, _) = listener.accept().await.expect("a connection");
        let mut stream = Stream::from(near);
        assert!(stream.is_quiet());
        far.write_all(b"x").await.expect("room");
        stream.socket().readable().await.expect("a socket");
        poll_fn(|cx| {
            while has_budget_remaining() {
                let _ = pin!(consume_budget()).poll(cx);
            }
            Poll::Ready(())
        })
        .await;
        assert!(!stream.is_quiet());
    }
}
