//! Bulk between two sockets in clear: it goes through a pipe, and is never copied to where this program could read it.
//!
//! Readiness is where splicing goes wrong, because EAGAIN can mean the socket or the pipe. Here it means the socket
//! always: a pipe is filled only when it is empty, and drained only when it is not. So the reactor is right to forget,
//! at EAGAIN, that the socket was ready, nobody ever waits for a pipe, and nobody tries again without having waited.
//!
//! Nobody holds a pipe while he waits for more to come: it is filled and drained at once, and kept only for as long as
//! the receiver does not take all that is in it.

use std::{
    cell::RefCell,
    io::{self, ErrorKind},
    os::fd::OwnedFd,
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Poll, ready},
};

use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};
use tokio::{io::Interest, net::TcpStream};

use crate::stream::Stream;

/// Whether what comes from one side is bulk: some large reads in a row are.
#[derive(Clone, Copy, Default)]
pub(super) struct Bulk {
    large: u8,
}

/// What a splice did.
pub(super) enum Spliced {
    /// Octets are on their way.
    Piped(Pipe),
    /// The stream has ended.
    Ended,
    /// They are to be read: this is no bulk, or too little of it, or TLS, or there is no pipe.
    No,
}

impl Bulk {
    /// So many octets have come at once.
    pub(super) fn came(&mut self, octets: usize) {
        self.large = if octets >= LARGE { (self.large + 1).min(IN_A_ROW) } else { 0 };
    }

    /// Whether it pays to know what may pass unread.
    pub(super) fn is_on(self, from: &Stream, to: &Stream) -> bool {
        self.large == IN_A_ROW && matches!((from, to), (Stream::Tcp(_), Stream::Tcp(_)))
    }

    /// Moves octets into a pipe, at most `most`, of which nobody has to look at one.
    ///
    /// # Errors
    /// The socket's.
    pub(super) fn poll_splice(
        &mut self,
        from: &Stream,
        to: &Stream,
        most: usize,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Spliced>> {
        if most < LARGE || !self.is_on(from, to) {
            return Poll::Ready(Ok(Spliced::No));
        }
        let Some(mut pipe) = Pipe::take() else { return Poll::Ready(Ok(Spliced::No)) };
        let filled = pipe.poll_fill(from.socket(), most, cx);
        if pipe.is_empty() {
            pipe.give_back();
            return match ready!(filled) {
                Ok(_) => Poll::Ready(Ok(Spliced::Ended)),
                // Not every system can splice.
                Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => {
                    self.large = 0;
                    Poll::Ready(Ok(Spliced::No))
                }
                Err(error) => Poll::Ready(Err(error)),
            };
        }
        if pipe.octets < most {
            self.came(pipe.octets);
        }
        Poll::Ready(Ok(Spliced::Piped(pipe)))
    }
}

/// As much at once is bulk, when it comes so often in a row.
const LARGE: usize = 16 * 1024;
const IN_A_ROW: u8 = 4;

/// A pipe with octets between two sockets.
pub(super) struct Pipe {
    ends: Ends,
    octets: usize,
}

impl Pipe {
    /// An empty one, unless there are too many, or no more files.
    fn take() -> Option<Self> {
        let kept = POOL.with_borrow_mut(Vec::pop);
        Some(Self { ends: kept.or_else(Ends::new)?, octets: 0 })
    }

    /// For others on this worker. One that is not empty is closed.
    pub(super) fn give_back(self) {
        if self.is_empty() {
            POOL.with_borrow_mut(|pool| {
                if pool.len() < KEPT {
                    pool.push(self.ends);
                }
            });
        }
    }

    /// How many octets are in it.
    pub(super) fn octets(&self) -> usize {
        self.octets
    }

    pub(super) fn is_empty(&self) -> bool {
        self.octets == 0
    }

    /// Takes at most so many octets from a socket into the empty pipe; none when the socket's stream has ended.
    fn poll_fill(&mut self, from: &TcpStream, most: usize, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        debug_assert!(self.is_empty(), "EAGAIN would have two meanings");
        loop {
            ready!(from.poll_read_ready(cx))?;
            let filled = from.try_io(Interest::READABLE, || {
                Ok(splice(from, None, &self.ends.write, None, most.min(SIZE), SpliceFlags::NONBLOCK)?)
            });
            match filled {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                filled => {
                    self.octets = *filled.as_ref().unwrap_or(&0);
                    return Poll::Ready(filled);
                }
            }
        }
    }

    /// Writes what the stream takes, and says how many octets that were.
    ///
    /// # Errors
    /// The socket's.
    pub(super) fn drain(&mut self, to: &Stream, cx: &mut Context<'_>) -> io::Result<usize> {
        let (to, before) = (to.socket(), self.octets);
        while self.octets > 0 && to.poll_write_ready(cx)?.is_ready() {
            // A peer that is gone is an error here and no signal: Rust programs ignore SIGPIPE.
            let taken = to.try_io(Interest::WRITABLE, || {
                Ok(splice(&self.ends.read, None, to, None, self.octets, SpliceFlags::NONBLOCK)?)
            });
            match taken {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(taken) => self.octets -= taken,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(before - self.octets)
    }

    /// What is in it.
    pub(super) fn into_octets(mut self) -> Vec<u8> {
        let mut octets = vec![0; self.octets];
        let mut at = 0;
        while at < octets.len() {
            match rustix::io::read(&self.ends.read, &mut octets[at..]) {
                Ok(0) | Err(_) => break,
                Ok(read) => at += read,
            }
        }
        octets.truncate(at);
        self.octets = 0;
        self.give_back();
        octets
    }
}

/// Both ends of a pipe of [`SIZE`].
struct Ends {
    read: OwnedFd,
    write: OwnedFd,
    _counted: Counted,
}

impl Ends {
    fn new() -> Option<Self> {
        let counted = Counted::new()?;
        let (read, write) = pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC).ok()?;
        // Refused where a user has many pipes; a small one is no gain.
        fcntl_setpipe_size(&write, SIZE).ok()?;
        Some(Self { read, write, _counted: counted })
    }
}

/// One of the pipes that there are.
struct Counted;

impl Counted {
    fn new() -> Option<Self> {
        let counted = Self;
        // Dropped at once if it is one too many.
        (ALL.fetch_add(1, Ordering::Relaxed) < AT_MOST).then_some(counted)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        ALL.fetch_sub(1, Ordering::Relaxed);
    }
}

thread_local! {
    static POOL: RefCell<Vec<Ends>> = const { RefCell::new(Vec::new()) };
}

static ALL: AtomicUsize = AtomicUsize::new(0);

/// Pipes of all workers together. Each takes two files, and the system grants a user 64 MiB of them by default.
const AT_MOST: usize = 200;
/// Empty pipes that a worker keeps.
const KEPT: usize = 8;
const SIZE: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let far = TcpStream::connect(address).await.expect("a connection");
        (listener.accept().await.expect("a connection").0, far)
    }

    #[tokio::test]
    async fn what_a_receiver_does_not_take_stays_in_the_pipe_and_in_order() {
        let ((near, mut sender), (to, mut receiver)) = (pair().await, pair().await);
        let to = Stream::from(to);
        let block: Vec<u8> = (0..=250).cycle().take(50_000).collect();
        let (mut moved, mut kept) = (0, None);
        while kept.is_none() {
            sender.write_all(&block).await.expect("room");
            let mut pipe = Pipe::take().expect("a pipe");
            poll_fn(|cx| pipe.poll_fill(&near, block.len(), cx)).await.expect("octets");
            moved += poll_fn(|cx| Poll::Ready(pipe.drain(&to, cx))).await.expect("a receiver");
            kept = (!pipe.is_empty()).then_some(pipe);
        }
        let mut received = vec![0; moved];
        receiver.read_exact(&mut received).await.expect("what went");
        received.extend(kept.map_or_else(Vec::new, Pipe::into_octets));
        let mut rest = vec![0; (block.len() - received.len() % block.len()) % block.len()];
        { near }.read_exact(&mut rest).await.expect("what nobody took");
        received.extend(rest);
        assert!(received.chunks(block.len()).all(|chunk| chunk == block));
    }

    #[tokio::test]
    async fn there_are_so_many_pipes_and_no_more() {
        let mut pipes: Vec<_> = std::iter::from_fn(Pipe::take).take(AT_MOST + 1).collect();
        assert!(pipes.len() <= AT_MOST);
        pipes.pop().expect("a pipe").give_back();
        assert!(Pipe::take().is_some(), "one was given back");
    }
}
