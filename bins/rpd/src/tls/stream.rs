//! A TCP connection that carries TLS, either side of it.
//!
//! Records are opened and sealed in buffers of the worker's. A connection that waits keeps none: only the beginning of a
//! record, sealed ones that the socket did not take, and opened octets that nobody has read.

use std::{
    cell::RefCell,
    fmt,
    future::poll_fn,
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Buf, BytesMut};
use rustls::{
    ClientConfig, CommonState, InvalidMessage, ProtocolVersion, ServerConfig,
    client::UnbufferedClientConnection, server::UnbufferedServerConnection,
};
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use super::session::{LONGEST_MESSAGE, Say, Sealed, Session, Turn};
use crate::scratch;

/// A TCP connection that carries TLS.
pub struct TlsStream {
    socket: TcpStream,
    session: Session,
    /// The beginning of something that is not whole yet.
    records: BytesMut,
    /// Of the peer, for whoever reads next.
    opened: BytesMut,
    /// For the peer, when the socket takes more.
    sealed: BytesMut,
    input: Input,
    /// Nothing more is said: we have ended our side, or the session is broken.
    mute: bool,
}

/// Whether there is more to be heard of the peer.
enum Input {
    Open,
    /// No: the peer has ended his side.
    Ended,
    /// No: the session is broken, and must not be asked for anything again.
    Failed(Box<rustls::Error>),
}

impl TlsStream {
    fn new(socket: TcpStream, session: Session, records: BytesMut) -> Self {
        let (opened, sealed) = (BytesMut::new(), BytesMut::new());
        Self { socket, session, records, opened, sealed, input: Input::Open, mute: false }
    }

    /// The connection to the server of this name.
    ///
    /// # Errors
    /// The socket's; [`rustls::Error`] where the handshake fails.
    pub async fn connect(
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
        socket: TcpStream,
    ) -> io::Result<Self> {
        let session = UnbufferedClientConnection::new(config, name).map_err(wrong)?;
        Self::new(socket, Session::Client(session), BytesMut::new()).shake_hands().await
    }

    /// The connection to a client of whom these `records` have come.
    pub(super) async fn accept(
        config: Arc<ServerConfig>,
        records: BytesMut,
        socket: TcpStream,
    ) -> io::Result<Self> {
        let session = UnbufferedServerConnection::new(config).map_err(wrong)?;
        Self::new(socket, Session::Server(session), records).shake_hands().await
    }

    /// The socket below.
    pub fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// What was agreed in the handshake.
    pub fn state(&self) -> &CommonState {
        self.session.state()
    }

    async fn shake_hands(mut self) -> io::Result<Self> {
        // What there is already: a server's has come with the hello, a client's first word needs nothing.
        poll_fn(|cx| Poll::Ready(self.say(Say::Nothing, cx))).await?;
        poll_fn(|cx| self.poll_handshake(cx)).await?;
        Ok(self)
    }

    fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            self.fault()?;
            if !self.state().is_handshaking() {
                return if self.only_tickets_wait() { Poll::Ready(Ok(())) } else { self.poll_send(cx) };
            }
            ready!(self.poll_send(cx))?;
            // What comes behind the handshake is kept.
            ready!(self.poll_receive(&mut ReadBuf::new(&mut []), cx))?;
        }
    }

    /// Whether nobody waits for what a handshake has left to be sent: tickets for later sessions (RFC 8446 4.6.1), which go in
    /// one packet with the first answer.
    fn only_tickets_wait(&self) -> bool {
        let is_server = matches!(self.session, Session::Server(_));
        is_server && self.state().protocol_version() == Some(ProtocolVersion::TLSv1_3)
    }

    /// Reads once from the socket, and puts what that opens into `to`, and what has no room there into `opened`.
    fn poll_receive(&mut self, to: &mut ReadBuf<'_>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        RECORDS.with_borrow_mut(|room| {
            let kept = self.records.len();
            let most = to.remaining().clamp(SMALLEST_READ, scratch::LARGEST);
            let mut fresh = ReadBuf::new(&mut room[kept..kept + most]);
            ready!(Pin::new(&mut self.socket).poll_read(cx, &mut fresh))?;
            let come = fresh.filled().len();
            if come == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            room[..kept].copy_from_slice(&self.records);
            let records = &mut room[..kept + come];
            let opened = &mut self.opened;
            let in_handshake = self.session.state().is_handshaking();
            let mut turn = with_sealed(|sealed| {
                let turn = self.session.turn(records, Say::Nothing, sealed, |octets| {
                    let (now, later) = octets.split_at(octets.len().min(to.remaining()));
                    to.put_slice(now);
                    opened.extend_from_slice(later);
                });
                if in_handshake {
                    self.sealed.extend_from_slice(sealed.records());
                } else {
                    send(&mut self.sealed, &mut self.socket, sealed.records(), cx);
                }
                turn
            });
            let kept = &records[turn.used..];
            if kept.len() > self.session.longest_message() {
                turn.fault.get_or_insert(InvalidMessage::MessageTooLarge.into());
            }
            self.records = kept.into();
            self.went(turn, cx);
            Poll::Ready(Ok(()))
        })
    }

    /// Takes note of how a turn went.
    fn went(&mut self, Turn { ended, fault, .. }: Turn, cx: &mut Context<'_>) {
        if let Some(fault) = fault {
            (self.input, self.mute) = (Input::Failed(Box::new(fault)), true);
            // The alert, which goes at once or not at all.
            let _ = self.poll_send(cx);
        } else if ended {
            self.input = Input::Ended;
        }
        if !matches!(self.input, Input::Open) {
            // Nothing that comes behind the end is heard (RFC 8446 6.1).
            self.records = BytesMut::new();
        }
    }

    /// Why the session is broken, if it is.
    fn fault(&self) -> io::Result<()> {
        match &self.input {
            Input::Failed(error) => Err(wrong(rustls::Error::clone(error))),
            _ => Ok(()),
        }
    }

    /// Seals this and sends it, as far as the socket takes it.
    fn say(&mut self, say: Say<'_>, cx: &mut Context<'_>) -> io::Result<()> {
        let opened = &mut self.opened;
        let turn = with_sealed(|sealed| {
            let turn =
                self.session.turn(&mut self.records, say, sealed, |octets| opened.extend_from_slice(octets));
            send(&mut self.sealed, &mut self.socket, sealed.records(), cx);
            turn
        });
        self.records.advance(turn.used);
        let spoken = turn.said || matches!(say, Say::Nothing);
        self.went(turn, cx);
        self.fault()?;
        if spoken { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
    }

    /// Sends what waits.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.sealed.is_empty() {
            let taken = ready!(Pin::new(&mut self.socket).poll_write(cx, &self.sealed))?;
            if taken == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sealed.advance(taken);
        }
        // What it has grown to is not kept.
        self.sealed = BytesMut::new();
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for TlsStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.opened.is_empty() {
            let now = this.opened.len().min(to.remaining());
            to.put_slice(&this.opened[..now]);
            this.opened.advance(now);
            if this.opened.is_empty() {
                this.opened = BytesMut::new();
            }
            return Poll::Ready(Ok(()));
        }
        let before = to.filled().len();
        while to.remaining() > 0 && to.filled().len() == before {
            match this.input {
                Input::Open => ready!(this.poll_receive(to, cx))?,
                Input::Ended => break,
                Input::Failed(_) => return Poll::Ready(this.fault()),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for TlsStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.mute {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let mut taken = 0;
        loop {
            let room = WAITING.saturating_sub(this.sealed.len());
            let now = room.min(octets.len() - taken);
            if now > 0 {
                this.say(Say::Octets(&octets[taken..taken + now]), cx)?;
                taken += now;
            }
            let sent = this.poll_send(cx)?;
            if taken == octets.len() || taken > 0 && sent.is_pending() {
                return Poll::Ready(Ok(taken));
            }
            ready!(sent);
        }
    }

    /// Gathered first: what is sealed apart takes records of its own, and tells how long each piece is.
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let [piece] = pieces {
            return self.poll_write(cx, piece);
        }
        let mut octets = Vec::new();
        for piece in pieces {
            octets.extend_from_slice(&piece[..piece.len().min(WAITING - octets.len())]);
        }
        self.poll_write(cx, &octets)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_send(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.mute {
            this.mute = true;
            this.say(Say::End, cx)?;
        }
        ready!(this.poll_send(cx))?;
        Pin::new(&mut this.socket).poll_shutdown(cx)
    }
}

impl fmt::Debug for TlsStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsStream").field("socket", &self.socket).finish_non_exhaustive()
    }
}

/// Sends what the socket takes, behind what waits already. The rest waits, and a fault shows again when it is sent.
fn send(waiting: &mut BytesMut, socket: &mut TcpStream, mut records: &[u8], cx: &mut Context<'_>) {
    while waiting.is_empty() && !records.is_empty() {
        let Poll::Ready(Ok(taken @ 1..)) = Pin::new(&mut *socket).poll_write(cx, records) else { break };
        records = &records[taken..];
    }
    waiting.extend_from_slice(records);
}

fn with_sealed<T>(with: impl FnOnce(&mut Sealed) -> T) -> T {
    SEALED.with_borrow_mut(|sealed| {
        sealed.clear();
        with(sealed)
    })
}

/// As callers look for it.
pub(super) fn wrong(error: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

thread_local! {
    static RECORDS: RefCell<Vec<u8>> = RefCell::new(vec![0; ROOM]);
    static SEALED: RefCell<Sealed> = const { RefCell::new(Sealed::new()) };
}

/// Whoever has room for less gets the rest of a record later.
const SMALLEST_READ: usize = 16 * 1024;
const ROOM: usize = LONGEST_MESSAGE + scratch::LARGEST;
/// Sealed octets that wait for a peer who does not read; as much is sealed at once.
const WAITING: usize = 64 * 1024;

#[cfg(test)]
mod tests;
