//! The request of an exchange, on its way to the service.

use std::{
    mem,
    task::{Context, Poll, ready},
};

use rp_http::{
    Framing, Head,
    forward::{self, Forwarding},
};

use super::{exchange::Fault, flow::Flow};
use crate::{scratch, stream::Stream};

/// A request that is being sent.
pub(super) struct Request {
    flow: Flow,
    /// The largest body.
    max_body: u64,
    /// The client waits for an interim answer before it sends the body.
    expects_continue: bool,
    begun: bool,
    progress: Progress,
}

/// How far it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    Sending,
    /// It has left, down to the last octet.
    Whole,
    /// The rest is not wanted.
    Stopped,
}

impl Request {
    /// A request with this head; `close` if nothing more is sent on the leg.
    pub(super) fn new(
        head: &Head<'_>,
        forwarding: &Forwarding<'_>,
        close: bool,
        max_body: Option<u64>,
    ) -> Self {
        let mut flow = Flow::new(head.framing.into(), head.framing == Framing::Chunked);
        flow.before.reserve(ROOM);
        forward::request(head, forwarding, close, &mut |slice| flow.before.extend_from_slice(slice));
        Self {
            flow,
            max_body: max_body.unwrap_or(u64::MAX),
            expects_continue: head.expects_continue(),
            begun: false,
            progress: Progress::Sending,
        }
    }

    /// Sends what has come: `sent` first, which is what the client has sent behind the head; what does not belong to
    /// the request stays there. Ready when there is nothing more to do.
    pub(super) fn poll(
        &mut self,
        client: &mut Stream,
        sent: &mut Vec<u8>,
        service: &mut Stream,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Fault>> {
        if !mem::replace(&mut self.begun, true) && !self.flow.is_over() && !sent.is_empty() {
            // The head and what has come of the body leave together.
            let used = self.take(sent, service, cx)?;
            sent.drain(..used);
        }
        while self.progress == Progress::Sending {
            if ready!(self.flow.poll_out(service, cx)).is_err() {
                // The service does not listen any more; perhaps it has answered early.
                self.stop();
                break;
            }
            if self.flow.is_over() {
                self.progress = Progress::Whole;
                break;
            }
            if !sent.is_empty() {
                let used = self.take(sent, service, cx)?;
                sent.drain(..used);
                continue;
            }
            let spliced = self.flow.poll_splice(client, service, cx);
            if spliced.is_pending() {
                self.flow.idle();
            }
            match ready!(spliced) {
                Ok(None) => {}
                Ok(Some(1..)) => {
                    self.within_limit()?;
                    continue;
                }
                Ok(Some(0)) | Err(_) => return Poll::Ready(Err(cut())),
            }
            let read = scratch::poll_read_with(client, cx, |cx, octets| {
                self.flow.came(octets.len());
                let used = if octets.is_empty() { return Ok(false) } else { self.take(octets, service, cx)? };
                sent.extend_from_slice(&octets[used..]);
                Ok(true)
            });
            if read.is_pending() {
                self.flow.idle();
            }
            match ready!(read) {
                Ok(Ok(true)) => {}
                Ok(Err(fault)) => return Poll::Ready(Err(fault)),
                Ok(Ok(false)) | Err(_) => return Poll::Ready(Err(cut())),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn take(&mut self, octets: &[u8], service: &mut Stream, cx: &mut Context<'_>) -> Result<usize, Fault> {
        let used =
            self.flow.take(octets, service, cx).map_err(|invalid| Fault::Request(invalid.to_string()))?;
        self.within_limit()?;
        Ok(used)
    }

    fn within_limit(&self) -> Result<(), Fault> {
        if self.flow.content > self.max_body { Err(Fault::TooLarge) } else { Ok(()) }
    }

    /// Nothing more of an unfinished request is sent: the service has answered, or does not listen.
    pub(super) fn stop(&mut self) {
        if self.progress == Progress::Sending {
            self.progress = Progress::Stopped;
            self.flow.stop();
        }
    }

    /// The service has it, down to the last octet.
    pub(super) fn is_whole(&self) -> bool {
        self.progress == Progress::Whole
    }

    /// Nothing of the body has been sent, so that all of it could be sent again.
    pub(super) fn is_untouched(&self) -> bool {
        !self.flow.touched
    }

    /// It is the client's turn to send more. One that waits to be told so has not been `told` yet.
    pub(super) fn waits_for_client(&self, told: bool) -> bool {
        let excused = self.expects_continue && !told && self.is_untouched();
        !excused && !self.flow.is_over() && self.flow.is_written()
    }

    /// Octets of the body that came from the client, and of everything that the service took.
    pub(super) fn octets(&self) -> (u64, u64) {
        (self.flow.content, self.flow.taken)
    }
}

fn cut() -> Fault {
    Fault::Request("the client closed inside the body".to_owned())
}

/// What most heads need.
const ROOM: usize = 512;
