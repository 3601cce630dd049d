//! What is said on a connection, by protocol; and a connection that speaks in whole messages.

use std::io;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::{http, ldap, sip};

/// The protocols that are measured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Ldap,
    Sip,
    Http,
}

impl Protocol {
    /// The first message of a connection, which names the host; `number` tells connections apart.
    pub(crate) fn greeting(self, number: u32) -> Vec<u8> {
        match self {
            Self::Ldap => ldap::bind(),
            Self::Sip => sip::request("REGISTER", number, 1, b""),
            Self::Http => http::request(crate::rows::Shape::Small, number),
        }
    }

    /// A message of about 200 octets that is answered by another one.
    pub(crate) fn question(self, number: u32, sequence: u32) -> Vec<u8> {
        match self {
            Self::Ldap => ldap::question(sequence),
            Self::Sip => sip::request("OPTIONS", number, sequence, &[b'b'; 200]),
            Self::Http => http::request(crate::rows::Shape::Small, number),
        }
    }

    /// Whether this is what the service answers.
    pub(crate) fn check(self, request: &[u8], answer: &[u8]) -> io::Result<()> {
        let right = match self {
            Self::Ldap => ldap::answer(request).is_some_and(|expected| expected == answer),
            Self::Sip => sip::answers(request, answer),
            Self::Http => http::answers(request, answer),
        };
        right.then_some(()).ok_or_else(|| {
            let shown = answer[..answer.len().min(120)].escape_ascii();
            io::Error::other(format!("a wrong answer: {shown}"))
        })
    }

    /// The last message, if there is one.
    pub(crate) fn farewell(self) -> Vec<u8> {
        match self {
            Self::Ldap => ldap::unbind(),
            Self::Sip | Self::Http => Vec::new(),
        }
    }

    /// How long the message is that begins here; none if it cannot be told yet.
    fn length(self, octets: &[u8]) -> io::Result<Option<usize>> {
        match self {
            Self::Ldap => ldap::length(octets),
            Self::Sip | Self::Http => http::length(octets),
        }
    }
}

/// Anything that octets can be sent over.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection that speaks in whole messages.
pub(crate) struct Wire {
    stream: Box<dyn Stream>,
    protocol: Protocol,
    received: BytesMut,
    /// How much is asked for at least with each read.
    reads: usize,
}

impl Wire {
    pub(crate) fn new(stream: Box<dyn Stream>, protocol: Protocol) -> Self {
        Self { stream, protocol, received: BytesMut::new(), reads: 2 << 10 }
    }

    /// For many large messages in a row.
    pub(crate) fn read_much(&mut self) {
        self.reads = 256 << 10;
    }

    pub(crate) async fn send(&mut self, octets: &[u8]) -> io::Result<()> {
        self.stream.write_all(octets).await?;
        self.stream.flush().await
    }

    /// The next message; none at the end.
    pub(crate) async fn receive(&mut self) -> io::Result<Option<BytesMut>> {
        loop {
            let length = self.protocol.length(&self.received)?;
            if let Some(length) = length.filter(|length| self.received.len() >= *length) {
                return Ok(Some(self.received.split_to(length)));
            }
            let missing = length.map_or(0, |length| length - self.received.len());
            self.received.reserve(missing.max(self.reads));
            if self.stream.read_buf(&mut self.received).await? == 0 {
                let whole = self.received.is_empty();
                return if whole { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
        }
    }

    /// Sends a request and checks its answer.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> io::Result<()> {
        self.send(request).await?;
        let answer = self.receive().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        self.protocol.check(request, &answer)
    }

    /// Says farewell, and waits until the other side has ended too. Whoever has said farewell reads nothing more.
    pub(crate) async fn close(mut self) -> io::Result<()> {
        let farewell = self.protocol.farewell();
        self.stream.write_all(&farewell).await?;
        self.stream.shutdown().await?;
        let mut ignored = [0; 256];
        while self.stream.read(&mut ignored).await.or_else(end_without_close_notify)? > 0 {}
        Ok(())
    }

    /// Waits for the end, and takes nothing else.
    pub(crate) async fn ended(mut self) -> io::Result<()> {
        match self.stream.read(&mut [0]).await.or_else(end_without_close_notify)? {
            0 if self.received.is_empty() => Ok(()),
            _ => Err(io::Error::other("more than was asked for")),
        }
    }
}

/// nginx leaves it out.
fn end_without_close_notify(error: io::Error) -> io::Result<usize> {
    if error.kind() == io::ErrorKind::UnexpectedEof { Ok(0) } else { Err(error) }
}
