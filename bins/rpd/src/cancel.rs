//! The handle by which a living connection is told to end. One atomic and one waker: tens of thousands are held.

use std::{
    fmt,
    future::poll_fn,
    sync::atomic::{AtomicU8, Ordering},
    task::{Context, Poll},
};

use atomic_waker::AtomicWaker;

use crate::outcome::{Cause, End, Reason, Refusal};

/// What a connection is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Request {
    /// Go on.
    None = 0,
    /// End as soon as no exchange is under way.
    Drain = 1,
    /// End as soon as an answer on its way has left: the source was shut out.
    ShutOut = 2,
    /// End now.
    Close = 3,
}

/// Shared by a connection's task and the registry of connections.
pub struct Cancel {
    request: AtomicU8,
    waker: AtomicWaker,
}

impl Cancel {
    /// A handle that asks for nothing yet.
    pub fn new() -> Self {
        Self { request: AtomicU8::new(Request::None as u8), waker: AtomicWaker::new() }
    }

    /// Asks for more; never takes a request back.
    pub fn ask(&self, request: Request) {
        self.request.fetch_max(request as u8, Ordering::AcqRel);
        self.waker.wake();
    }

    /// What is asked now.
    pub fn request(&self) -> Request {
        match self.request.load(Ordering::Acquire) {
            0 => Request::None,
            1 => Request::Drain,
            2 => Request::ShutOut,
            _ => Request::Close,
        }
    }

    /// How a connection ends that does as it is asked.
    pub fn end(&self) -> End {
        match self.request() {
            Request::ShutOut => Refusal::new(Reason::Blocked).into(),
            Request::None | Request::Drain | Request::Close => End::Served(Cause::Shutdown),
        }
    }

    /// Ready when at least `wanted` is asked. One task waits at a time.
    pub fn poll(&self, wanted: Request, cx: &mut Context<'_>) -> Poll<()> {
        if self.request() >= wanted {
            return Poll::Ready(());
        }
        self.waker.register(cx.waker());
        if self.request() >= wanted { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Waits until at least `wanted` is asked.
    pub async fn asked(&self, wanted: Request) {
        poll_fn(|cx| self.poll(wanted, cx)).await;
    }
}

impl Default for Cancel {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Cancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cancel").field(&self.request()).finish()
    }
}
