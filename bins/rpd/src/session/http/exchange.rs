//! One request and its answer. Both bodies may be under way at the same time, so this is polled by hand: each
//! direction moves what it can.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use rp_http::{
    Body, Error, Framing, Head, ResponseFraming, Step, Version,
    chunk::SizeLine,
    forward::{self, Forwarding},
    response::{self, Asked, Response},
};
use tokio::{
    io::AsyncWrite,
    time::{Instant, Sleep, sleep_until},
};

use crate::{
    cancel::{Cancel, Request},
    outcome::Cause,
    scratch,
    stream::Stream,
};

/// A request that is about to be sent.
pub(super) struct Exchange {
    asked: Asked,
    version: Version,
    client_stays: bool,
    /// The request has left to its last octet.
    request_whole: bool,
    up: Flow,
    down: Flow,
    answer: Answer,
    /// What the service has sent and nobody has looked at yet.
    received: Vec<u8>,
    interims: u32,
    patience: Duration,
}

enum Answer {
    Awaited,
    Passing { status: u16, service_stays: bool },
    Switched,
}

/// An exchange that came to its end.
pub(super) struct Exchanged {
    pub(super) status: u16,
    pub(super) octets: (u64, u64),
    pub(super) outcome: Outcome,
}

/// What can come next.
pub(super) enum Outcome {
    /// Another request; the leg too, if it can take one.
    Kept(Option<Stream>),
    /// The client's connection ends here.
    Close,
    /// Octets both ways; `received` have come from the service already.
    Tunnel { service: Stream, received: Vec<u8> },
}

/// Why an exchange failed.
pub(super) enum Fault {
    /// The service ended without an octet, and no octet of a body was sent.
    Untouched,
    /// The client's body is malformed or cut; no answer has begun.
    Request(String),
    /// The service's answer is none; nothing of it went out.
    Service(String),
    /// No answer in time; nothing of one went out.
    TimedOut,
    /// An answer had begun. The client must see that it is not whole.
    Broken(Cause),
}

impl Exchange {
    /// An exchange for this request. Nothing may stand still for longer than `patience`.
    pub(super) fn new(head: &Head<'_>, forwarding: &Forwarding<'_>, patience: Duration) -> Self {
        let mut up = Flow::new(head.framing.into(), head.framing == Framing::Chunked);
        forward::request(head, forwarding, false, &mut |slice| up.out.extend_from_slice(slice));
        Self {
            asked: Asked::from(head),
            version: head.version,
            client_stays: head.keeps_alive(),
            request_whole: false,
            up,
            down: Flow::new(ResponseFraming::None, false),
            answer: Answer::Awaited,
            received: Vec::new(),
            interims: 0,
            patience,
        }
    }

    /// Sends the request, whose body begins with `sent`, and passes the answer. What the client has sent beyond the
    /// request is left in `sent`.
    pub(super) async fn run(
        mut self,
        client: &mut Stream,
        sent: &mut Vec<u8>,
        mut service: Stream,
        cancel: &Cancel,
    ) -> Result<Exchanged, Fault> {
        let mut timer = Box::pin(sleep_until(Instant::now() + self.patience));
        poll_fn(|cx| {
            if cancel.poll(Request::Close, cx).is_ready() {
                return Poll::Ready(Err(Fault::Broken(Cause::Shutdown)));
            }
            self.poll(client, sent, &mut service, timer.as_mut(), cancel, cx)
        })
        .await?;
        Ok(self.finish(service))
    }

    fn poll(
        &mut self,
        client: &mut Stream,
        sent: &mut Vec<u8>,
        service: &mut Stream,
        mut timer: Pin<&mut Sleep>,
        cancel: &Cancel,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Fault>> {
        let before = self.up.moved + self.down.moved;
        let _ = self.poll_up(client, sent, service, cx)?;
        if self.poll_down(client, service, cancel, cx)?.is_ready() {
            return Poll::Ready(Ok(()));
        }
        if self.up.moved + self.down.moved != before {
            timer.as_mut().reset(Instant::now() + self.patience);
        }
        if timer.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(match self.answer {
                Answer::Awaited => Fault::TimedOut,
                _ => Fault::Broken(Cause::TimedOut("limits.http-response")),
            }));
        }
        Poll::Pending
    }

    /// The request, to its end.
    fn poll_up(
        &mut self,
        client: &mut Stream,
        sent: &mut Vec<u8>,
        service: &mut Stream,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Fault>> {
        loop {
            match self.up.poll_out(service, cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Pending => return Poll::Pending,
                // The service does not listen any more; perhaps it has answered early.
                Poll::Ready(Err(_)) => {
                    self.up.abandon();
                    return Poll::Ready(Ok(()));
                }
            }
            if self.up.body.is_over() {
                self.request_whole = !self.up.abandoned;
                return Poll::Ready(Ok(()));
            }
            if !sent.is_empty() {
                let used = self.up.take(sent, service, cx).map_err(|e| self.bad_request(e))?;
                sent.drain(..used);
                continue;
            }
            let read = scratch::poll_read_with(client, cx, |cx, octets| {
                let used = if octets.is_empty() { Ok(0) } else { self.up.take(octets, service, cx) };
                used.map(|used| {
                    sent.extend_from_slice(&octets[used..]);
                    octets.is_empty()
                })
            });
            match ready!(read) {
                Ok(Ok(false)) => {}
                Ok(Ok(true)) | Err(_) => {
                    return Poll::Ready(
                        Err(self.bad_request("the client closed inside the body".to_owned())),
                    );
                }
                Ok(Err(fault)) => return Poll::Ready(Err(self.bad_request(fault))),
            }
        }
    }

    fn bad_request(&self, detail: String) -> Fault {
        match self.answer {
            Answer::Awaited => Fault::Request(detail),
            _ => Fault::Broken(Cause::ClientLost),
        }
    }

    /// The answer, to its end.
    fn poll_down(
        &mut self,
        client: &mut Stream,
        service: &mut Stream,
        cancel: &Cancel,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Fault>> {
        loop {
            if ready!(self.down.poll_out(client, cx)).is_err() {
                return Poll::Ready(Err(Fault::Broken(Cause::ClientLost)));
            }
            let passing = match self.answer {
                Answer::Switched => return Poll::Ready(Ok(())),
                Answer::Passing { .. } if self.down.body.is_over() => return Poll::Ready(Ok(())),
                Answer::Passing { .. } => true,
                Answer::Awaited => false,
            };
            if !passing && self.read_head(cancel)? {
                continue;
            }
            if passing && !self.received.is_empty() {
                let used = self
                    .down
                    .take(&self.received, client, cx)
                    .map_err(|_| Fault::Broken(Cause::TargetLost))?;
                self.received.drain(..used);
                continue;
            }
            let read = scratch::poll_read_with(service, cx, |cx, octets| {
                if octets.is_empty() {
                    return Ok(false);
                }
                let used = if passing { self.down.take(octets, client, cx)? } else { 0 };
                self.down.moved += 1;
                self.received.extend_from_slice(&octets[used..]);
                Ok(true)
            });
            match ready!(read) {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) => self.service_ended()?,
                Ok(Err::<bool, String>(_)) => return Poll::Ready(Err(Fault::Broken(Cause::TargetLost))),
                Err(error) => return Poll::Ready(Err(self.service_lost(&error))),
            }
        }
    }

    /// Looks for a head in what has been received; whether one was there.
    fn read_head(&mut self, cancel: &Cancel) -> Result<bool, Fault> {
        let answer = match response::extract(&self.received, self.asked) {
            Ok(answer) => answer,
            Err(Error::Incomplete(_)) => return Ok(false),
            Err(Error::Invalid(invalid)) => {
                return Err(Fault::Service(format!("the target's answer: {invalid}")));
            }
        };
        let out = &mut self.down.out;
        let mut sink = |slice: &[u8]| out.extend_from_slice(slice);
        let head_len = answer.head_len;
        if answer.is_interim() {
            self.interims += 1;
            if self.interims > INTERIMS {
                return Err(Fault::Service(format!("more than {INTERIMS} interim answers")));
            }
            if self.version == Version::Http11 {
                forward::interim(&answer, &mut sink);
            }
        } else if answer.switches() {
            forward::switching(&answer, &mut sink);
            self.answer = Answer::Switched;
        } else {
            // What comes behind an unfinished request cannot be told from its body.
            let stays = self.client_stays && self.request_whole && cancel.request() == Request::None;
            let client = forward::Client { version: self.version, close: !stays };
            let framing = forward::response(&answer, client, &mut sink);
            self.client_stays = stays && framing != ResponseFraming::UntilClose;
            self.answer = Answer::Passing {
                status: answer.status,
                service_stays: answer.keeps_alive() && self.request_whole,
            };
            self.down.begin(&answer, framing);
        }
        self.received.drain(..head_len);
        Ok(true)
    }

    fn service_ended(&mut self) -> Result<(), Fault> {
        match self.answer {
            Answer::Awaited if self.received.is_empty() && self.interims == 0 && !self.up.touched => {
                Err(Fault::Untouched)
            }
            Answer::Awaited => Err(Fault::Service("the target closed inside its answer".to_owned())),
            _ => self.down.end_of_input().map_err(|_| Fault::Broken(Cause::TargetLost)),
        }
    }

    fn service_lost(&self, error: &io::Error) -> Fault {
        match self.answer {
            Answer::Awaited if self.received.is_empty() && self.interims == 0 && !self.up.touched => {
                Fault::Untouched
            }
            Answer::Awaited => Fault::Service(format!("the target's connection: {error}")),
            _ => Fault::Broken(Cause::TargetLost),
        }
    }

    fn finish(self, service: Stream) -> Exchanged {
        let octets = (self.up.data, self.down.data);
        let (status, outcome) = match self.answer {
            Answer::Passing { status, .. } if !self.client_stays => (status, Outcome::Close),
            Answer::Passing { status, service_stays } => {
                // Octets behind a complete answer would be read as the answer to the next request.
                let clean = service_stays && self.received.is_empty() && self.up.out.is_empty();
                (status, Outcome::Kept(clean.then_some(service)))
            }
            _ => (101, Outcome::Tunnel { service, received: self.received }),
        };
        Exchanged { status, octets, outcome }
    }
}

/// A body on its way: taken apart as it comes, put together as it leaves.
struct Flow {
    body: Body,
    chunked: bool,
    /// What could not be written yet.
    out: Vec<u8>,
    written: usize,
    unflushed: bool,
    /// The receiver is gone; what remains of the body is not wanted.
    abandoned: bool,
    /// Something of the body has been dealt with, if only its framing.
    touched: bool,
    /// Octets of the body that were passed.
    data: u64,
    /// Grows with every step, whatever moved.
    moved: u64,
}

impl Flow {
    fn new(framing: ResponseFraming, chunked: bool) -> Self {
        Self {
            body: Body::from(framing),
            chunked,
            out: Vec::new(),
            written: 0,
            unflushed: false,
            abandoned: false,
            touched: false,
            data: 0,
            moved: 0,
        }
    }

    fn begin(&mut self, answer: &Response<'_>, leaves_as: ResponseFraming) {
        self.body = Body::from(answer.framing);
        self.chunked = leaves_as == ResponseFraming::Chunked;
        self.end_chunks();
    }

    fn abandon(&mut self) {
        self.out.clear();
        self.written = 0;
        self.abandoned = true;
        self.body = Body::from(ResponseFraming::None);
    }

    /// Takes what belongs to the body from the front of `input`; says how much.
    fn take(&mut self, input: &[u8], to: &mut Stream, cx: &mut Context<'_>) -> Result<usize, String> {
        // All content of one read leaves as one chunk.
        let chunk = if self.chunked { content(self.body.clone(), input) } else { 0 };
        if chunk > 0 {
            self.out.extend_from_slice(SizeLine::new(chunk).as_bytes());
        }
        let mut used = 0;
        loop {
            match self.body.step(&input[used..]).map_err(|invalid| invalid.to_string())? {
                Step::Skip(n) => used += n,
                Step::Pass(n) => {
                    self.pass(&input[used..used + n], to, cx);
                    used += n;
                }
                Step::More | Step::End => break,
            }
        }
        self.touched |= used > 0;
        if chunk > 0 {
            self.out.extend_from_slice(rp_http::chunk::DATA_END);
        }
        self.end_chunks();
        Ok(used)
    }

    /// Content of a body that leaves as it came is written from where it stands; all else goes through `out`.
    fn pass(&mut self, data: &[u8], to: &mut Stream, cx: &mut Context<'_>) {
        self.data += data.len() as u64;
        self.moved += 1;
        let mut taken = 0;
        if self.out.is_empty()
            && !self.chunked
            && let Poll::Ready(Ok(n)) = Pin::new(&mut *to).poll_write(cx, data)
        {
            taken = n;
            self.unflushed = matches!(to, Stream::Tls(_));
        }
        self.out.extend_from_slice(&data[taken..]);
    }

    fn end_of_input(&mut self) -> Result<(), String> {
        self.body.end_of_input().map_err(|invalid| invalid.to_string())?;
        self.end_chunks();
        Ok(())
    }

    fn end_chunks(&mut self) {
        if self.chunked && self.body.is_over() {
            self.out.extend_from_slice(rp_http::chunk::LAST_CHUNK);
            self.chunked = false;
        }
    }

    /// Writes out what is left, and what TLS still holds.
    fn poll_out(&mut self, to: &mut Stream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.out.len() {
            let n = ready!(Pin::new(&mut *to).poll_write(cx, &self.out[self.written..]))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += n;
            self.moved += 1;
            self.unflushed = matches!(to, Stream::Tls(_));
        }
        self.out.clear();
        self.written = 0;
        if self.unflushed {
            ready!(Pin::new(to).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }
}

/// The octets of content in `input`.
fn content(mut body: Body, mut input: &[u8]) -> usize {
    let mut content = 0;
    loop {
        let n = match body.step(input) {
            Ok(Step::Skip(n)) => n,
            Ok(Step::Pass(n)) => {
                content += n;
                n
            }
            Ok(Step::More | Step::End) | Err(_) => return content,
        };
        input = &input[n..];
    }
}

/// So many interim answers to one request are passed.
const INTERIMS: u32 = 10;
