//! A body on its way: taken apart as it comes, put together as it leaves.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use rp_http::{
    Body, Invalid, ResponseFraming, Step,
    chunk::{DATA_END, LAST_CHUNK, SizeLine},
    forward,
};
use tokio::io::AsyncWrite;

use crate::stream::Stream;

/// One direction of an exchange.
pub(super) struct Flow {
    /// What is to be written before anything else: a head, what the other side did not take yet.
    pub(super) out: Vec<u8>,
    written: usize,
    unflushed: bool,
    body: Body,
    /// Leaves in chunks, whose last one is still to come.
    chunked: bool,
    /// Lines of trailers, for a receiver that takes them.
    trailers: Option<Vec<u8>>,
    /// Something of the body has been dealt with, if only its framing.
    pub(super) touched: bool,
    /// Octets of content that came.
    pub(super) content: u64,
    /// Octets that the receiver took, framing included.
    pub(super) taken: u64,
}

impl Flow {
    /// A body that comes framed like this, and leaves in chunks or as it is.
    pub(super) fn new(comes: ResponseFraming, chunked: bool) -> Self {
        Self {
            out: Vec::new(),
            written: 0,
            unflushed: false,
            body: Body::from(comes),
            chunked,
            trailers: None,
            touched: false,
            content: 0,
            taken: 0,
        }
    }

    /// Goes on with another body, behind what is to be written.
    pub(super) fn begin(&mut self, comes: ResponseFraming, chunked: bool, takes_trailers: bool) {
        self.body = Body::from(comes);
        self.chunked = chunked;
        self.trailers = (chunked && takes_trailers).then(Vec::new);
        self.end_chunks();
    }

    /// Nothing more goes out.
    pub(super) fn stop(&mut self) {
        self.out = Vec::new();
        self.written = 0;
        self.chunked = false;
        self.body = Body::from(ResponseFraming::None);
    }

    /// Nothing more of the body will come.
    pub(super) fn is_over(&self) -> bool {
        self.body.is_over()
    }

    /// Everything was taken, down to the last octet.
    pub(super) fn is_written(&self) -> bool {
        self.out.is_empty() && !self.unflushed
    }

    /// Takes what belongs to the body from the front of `input`, and writes what `to` takes; says how much it was.
    ///
    /// # Errors
    /// The body is malformed.
    pub(super) fn take(
        &mut self,
        input: &[u8],
        to: &mut Stream,
        cx: &mut Context<'_>,
    ) -> Result<usize, Invalid> {
        // All content of one read leaves as one chunk.
        let chunk = if self.chunked { content(self.body.clone(), input) } else { 0 };
        if chunk > 0 {
            self.out.extend_from_slice(SizeLine::new(chunk).as_bytes());
        }
        let mut used = 0;
        loop {
            let n = match self.body.step(&input[used..])? {
                Step::Skip(n) => n,
                Step::Pass(n) => {
                    self.pass(&input[used..used + n], to, cx);
                    n
                }
                Step::Trailer(n) => {
                    if let Some(trailers) = &mut self.trailers {
                        trailers.extend_from_slice(&input[used..used + n]);
                    }
                    n
                }
                Step::More | Step::End => break,
            };
            used += n;
        }
        self.touched |= used > 0;
        if chunk > 0 {
            self.out.extend_from_slice(DATA_END);
        }
        self.end_chunks();
        Ok(used)
    }

    /// Content that leaves as it came is written from where it stands, behind the head; all else goes through `out`.
    fn pass(&mut self, content: &[u8], to: &mut Stream, cx: &mut Context<'_>) {
        self.content += content.len() as u64;
        let mut taken = 0;
        if !self.chunked {
            let head = self.out.len() - self.written;
            let slices = [io::IoSlice::new(&self.out[self.written..]), io::IoSlice::new(content)];
            // A fault shows when `out` is written.
            if let Poll::Ready(Ok(n)) = Pin::new(&mut *to).poll_write_vectored(cx, &slices) {
                self.note_written(n, to);
                if n < head {
                    self.written += n;
                } else {
                    self.clear_out();
                    taken = n - head;
                }
            }
        }
        self.out.extend_from_slice(&content[taken..]);
    }

    /// The sender has ended.
    ///
    /// # Errors
    /// The body should have gone on.
    pub(super) fn end_of_input(&mut self) -> Result<(), Invalid> {
        self.body.end_of_input()?;
        self.end_chunks();
        Ok(())
    }

    fn end_chunks(&mut self) {
        if !self.chunked || !self.body.is_over() {
            return;
        }
        self.chunked = false;
        match self.trailers.take() {
            Some(lines) => forward::trailers(&lines, &mut |slice| self.out.extend_from_slice(slice)),
            None => self.out.extend_from_slice(LAST_CHUNK),
        }
    }

    /// Writes what is left, and what TLS still holds.
    ///
    /// # Errors
    /// The receiver's.
    pub(super) fn poll_out(&mut self, to: &mut Stream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.out.len() {
            let n = ready!(Pin::new(&mut *to).poll_write(cx, &self.out[self.written..]))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += n;
            self.note_written(n, to);
        }
        self.clear_out();
        if self.unflushed {
            ready!(Pin::new(to).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn note_written(&mut self, n: usize, to: &Stream) {
        self.taken += n as u64;
        self.unflushed = matches!(to, Stream::Tls(_));
    }

    fn clear_out(&mut self) {
        self.written = 0;
        self.out.clear();
    }

    /// Gives its room back: nothing comes for a while.
    pub(super) fn idle(&mut self) {
        if self.out.is_empty() {
            self.out = Vec::new();
        }
    }
}

/// The octets of content in `input`.
fn content(mut body: Body, mut input: &[u8]) -> usize {
    let mut content = 0;
    loop {
        let n = match body.step(input) {
            Ok(Step::Skip(n) | Step::Trailer(n)) => n,
            Ok(Step::Pass(n)) => {
                content += n;
                n
            }
            Ok(Step::More | Step::End) | Err(_) => return content,
        };
        input = &input[n..];
    }
}
