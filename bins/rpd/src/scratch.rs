//! The one read buffer of a worker. Idle connections hold none: whoever has something to read borrows this for
//! the moment, and keeps only what could not be passed on.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, ReadBuf};

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Reads once from `stream` and hands what came to `with`; an empty slice is the end of the stream.
///
/// # Errors
/// The stream's.
pub fn poll_read_with<S: AsyncRead + Unpin, T>(
    stream: &mut S,
    cx: &mut Context<'_>,
    with: impl FnOnce(&mut Context<'_>, &[u8]) -> T,
) -> Poll<io::Result<T>> {
    lend(|buffer| {
        ready!(Pin::new(stream).poll_read(cx, buffer))?;
        Poll::Ready(Ok(with(cx, buffer.filled())))
    })
}

/// Lends the buffer to whoever reads himself.
///
/// It grows while reads fill it: bulk needs few large reads, everything else little memory.
pub fn lend<T>(with: impl FnOnce(&mut ReadBuf<'_>) -> T) -> T {
    SCRATCH.with_borrow_mut(|scratch| {
        if scratch.is_empty() {
            scratch.resize(SMALLEST, 0);
        }
        let mut buffer = ReadBuf::new(scratch);
        let result = with(&mut buffer);
        let full = buffer.remaining() == 0;
        if full && scratch.len() < LARGEST {
            let larger = scratch.len() * 2;
            scratch.resize(larger, 0);
        }
        result
    })
}

/// Deals with what was kept and the octets that have come behind it. `deal` says how many it is done with; the others
/// are to be kept.
pub fn with_kept(mut kept: Vec<u8>, octets: &[u8], deal: impl FnOnce(&[u8]) -> usize) -> Vec<u8> {
    if kept.is_empty() {
        let used = deal(octets);
        return octets[used..].to_vec();
    }
    kept.extend_from_slice(octets);
    let used = deal(&kept);
    kept.drain(..used);
    kept.shrink_to_fit();
    kept
}

const SMALLEST: usize = 64 * 1024;
/// What is read at once at most.
pub const LARGEST: usize = 256 * 1024;
