//! A body on its way: taken apart as it comes, put together as it leaves.

use std::{
    io, mem,
    task::{Context, Poll, ready},
};

use rp_http::{
    Body, Invalid, ResponseFraming, Step,
    chunk::{DATA_END, LAST_CHUNK, SizeLine},
    forward,
};

use crate::{
    session::{
        outbox::Outbox,
        splice::{Bulk, Spliced},
    },
    stream::Stream,
};

/// One direction of an exchange.
pub(super) struct Flow {
    /// What is to leave with the content that comes next, before it: a head, the size of a chunk.
    pub(super) before: Vec<u8>,
    /// What the other side did not take yet.
    outbox: Outbox,
    body: Body,
    bulk: Bulk,
    /// The receiver takes nothing any more.
    gone: bool,
    /// Leaves in chunks, whose last one is still to come.
    chunked: bool,
    /// Lines of trailers, for a receiver that takes them.
    trailers: Option<Vec<u8>>,
    /// The connection ends behind it.
    pub(super) is_last: bool,
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
            before: Vec::new(),
            outbox: Outbox::default(),
            body: Body::from(comes),
            bulk: Bulk::default(),
            gone: false,
            chunked,
            trailers: None,
            is_last: false,
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
        self.before = Vec::new();
        self.outbox = Outbox::default();
        self.chunked = false;
        self.body = Body::from(ResponseFraming::None);
    }

    /// Nothing more of the body will come.
    pub(super) fn is_over(&self) -> bool {
        self.body.is_over()
    }

    /// Everything was taken, down to the last octet.
    pub(super) fn is_written(&self) -> bool {
        self.before.is_empty() && self.outbox.is_drained()
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
            self.before.extend_from_slice(SizeLine::new(chunk).as_bytes());
        }
        let mut used = 0;
        loop {
            let n = match self.body.step(&input[used..])? {
                Step::Skip(n) => n,
                Step::Pass(n) => {
                    self.content += n as u64;
                    if self.chunked {
                        self.before.extend_from_slice(&input[used..used + n]);
                    } else {
                        self.send(&input[used..used + n], to, cx);
                    }
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
            self.before.extend_from_slice(DATA_END);
        }
        self.end_chunks();
        Ok(used)
    }

    /// Moves content that nobody has to look at, without reading it, and says how many octets that were; none, if the
    /// sender has ended. Nothing at all is moved where it is better read.
    ///
    /// # Errors
    /// The sender's.
    pub(super) fn poll_splice(
        &mut self,
        from: &Stream,
        to: &Stream,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Option<usize>>> {
        let passing = usize::try_from(self.body.passing()).unwrap_or(usize::MAX);
        if self.chunked || passing < WORTH_A_PIPE || !self.is_written() {
            return Poll::Ready(Ok(None));
        }
        let octets = match ready!(self.bulk.poll_splice(from, to, passing, cx))? {
            Spliced::No => return Poll::Ready(Ok(None)),
            Spliced::Ended => 0,
            Spliced::Piped(pipe) => {
                let octets = pipe.octets();
                self.body.passed(octets as u64);
                self.content += octets as u64;
                self.touched = true;
                self.outbox.push_pipe(pipe);
                octets
            }
        };
        Poll::Ready(Ok(Some(octets)))
    }

    /// So many octets have been read at once.
    pub(super) fn came(&mut self, octets: usize) {
        self.bulk.came(octets);
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
            Some(lines) => forward::trailers(&lines, &mut |slice| self.before.extend_from_slice(slice)),
            None => self.before.extend_from_slice(LAST_CHUNK),
        }
    }

    /// Writes what is left, and what TLS still holds.
    ///
    /// # Errors
    /// The receiver is gone.
    pub(super) fn poll_out(&mut self, to: &mut Stream, cx: &mut Context<'_>) -> Poll<Result<(), Gone>> {
        if !self.before.is_empty() {
            self.send(&[], to, cx);
        }
        let sent = self.outbox.drain(to, cx);
        self.note_sent(sent.ok());
        match self.gone {
            true => Poll::Ready(Err(Gone)),
            false if self.outbox.is_drained() => Poll::Ready(Ok(())),
            false => Poll::Pending,
        }
    }

    /// Content that leaves as it came is written from where it stands, behind what goes before it. A little is put to
    /// that: one piece is written sooner than two.
    fn send(&mut self, mut content: &[u8], to: &mut Stream, cx: &mut Context<'_>) {
        if !self.before.is_empty() && content.len() <= A_LITTLE {
            self.before.extend_from_slice(mem::take(&mut content));
        }
        if self.is_last && self.is_over() {
            to.hold_for_the_end();
        }
        let sent = self.outbox.send([&self.before, content].into_iter(), to, cx);
        self.before.clear();
        self.note_sent(sent.ok());
    }

    fn note_sent(&mut self, sent: Option<usize>) {
        match sent {
            Some(octets) => self.taken += octets as u64,
            None => self.gone = true,
        }
    }

    /// Gives its room back: nothing comes for a while.
    pub(super) fn idle(&mut self) {
        if self.before.is_empty() {
            self.before = Vec::new();
        }
    }
}

/// Who takes nothing any more.
pub(super) struct Gone;

/// With less of a body to come, a few large reads cost less than a pipe.
const WORTH_A_PIPE: usize = 1024 * 1024;

/// Of content: this much is copied rather than written as a piece of its own.
pub(super) const A_LITTLE: usize = 512;

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
