//! The answer of an exchange, on its way to the client.

use std::{
    io, mem,
    task::{Context, Poll, ready},
};

use rp_http::{
    Error, Head, HeadEnd, Response as ResponseHead, ResponseFraming, Version, forward,
    response::{self, Asked},
};

use super::{
    exchange::Fault,
    flow::{A_LITTLE, Flow},
};
use crate::{outcome::Cause, scratch, stream::Stream};

/// An answer that is awaited or passed.
pub(super) struct Response {
    asked: Asked,
    version: Version,
    takes_trailers: bool,
    flow: Flow,
    pub(super) stage: Stage,
    /// What the service has sent and nobody has looked at yet.
    received: Vec<u8>,
    /// Watches over a head that has not come in one piece.
    head_end: Option<HeadEnd>,
    interims: u32,
    /// Its body is malformed; what came before goes out all the same.
    broken: bool,
    /// Octets that have come.
    came: u64,
}

/// How far it is.
#[derive(Clone, Copy)]
pub(super) enum Stage {
    /// No final head yet.
    Awaited,
    /// Its head has gone out, and the body follows.
    Passing(Passing),
    /// The connection has become a WebSocket.
    Switched,
}

/// What a final head said.
#[derive(Clone, Copy)]
pub(super) struct Passing {
    pub(super) status: u16,
    /// Another request may follow on the client's connection.
    pub(super) client_stays: bool,
    /// The service takes another one.
    pub(super) service_stays: bool,
    /// Only the end of the connection ends it.
    until_close: bool,
    /// It is a step of a login, and not a refusal.
    pub(super) continues_login: bool,
    /// It offers to log in the connection instead of the request.
    pub(super) binds_connection: bool,
}

impl Response {
    /// The answer to a request.
    pub(super) fn to(request: &Head<'_>) -> Self {
        Self {
            asked: Asked::from(request),
            version: request.version,
            takes_trailers: request.takes_trailers(),
            flow: Flow::new(ResponseFraming::None, false),
            stage: Stage::Awaited,
            received: Vec::new(),
            head_end: None,
            interims: 0,
            broken: false,
            came: 0,
        }
    }

    /// Passes what comes. `stays` says, once a final head is there, whether another request may follow on the client's
    /// connection. Ready when the answer is out to its last octet.
    pub(super) fn poll(
        &mut self,
        service: &mut Stream,
        client: &mut Stream,
        stays: impl Fn() -> bool,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Fault>> {
        loop {
            if ready!(self.flow.poll_out(client, cx)).is_err() {
                return Poll::Ready(Err(Fault::Broken(Cause::ClientLost)));
            }
            if self.broken {
                return Poll::Ready(Err(TARGET_LOST));
            }
            if self.is_over() {
                return Poll::Ready(Ok(()));
            }
            let spliced = self.flow.poll_splice(service, client, cx);
            if spliced.is_pending() {
                self.flow.idle();
            }
            match ready!(spliced) {
                Ok(None) => {}
                Ok(Some(0)) => {
                    self.service_ended()?;
                    continue;
                }
                Ok(Some(octets)) => {
                    self.came += octets as u64;
                    continue;
                }
                Err(error) => return Poll::Ready(Err(self.service_lost(&error))),
            }
            let read = scratch::poll_read_with(service, cx, |cx, octets| {
                self.came += octets.len() as u64;
                self.flow.came(octets.len());
                if octets.is_empty() {
                    self.service_ended()
                } else {
                    self.receive(octets, client, &stays, cx)
                }
            });
            if read.is_pending() {
                self.flow.idle();
            }
            ready!(read).unwrap_or_else(|error| Err(self.service_lost(&error)))?;
        }
    }

    fn is_over(&self) -> bool {
        match self.stage {
            Stage::Awaited => false,
            Stage::Passing(_) => self.flow.is_over(),
            Stage::Switched => true,
        }
    }

    /// Deals with `octets`, which have come behind what is kept, and keeps what cannot be dealt with.
    fn receive(
        &mut self,
        octets: &[u8],
        client: &mut Stream,
        stays: &impl Fn() -> bool,
        cx: &mut Context<'_>,
    ) -> Result<(), Fault> {
        let mut dealt = Ok(());
        self.received = scratch::with_kept(mem::take(&mut self.received), octets, |octets| {
            self.deal_with(octets, client, stays, cx).unwrap_or_else(|fault| {
                dealt = Err(fault);
                octets.len()
            })
        });
        dealt
    }

    /// Says how many octets are dealt with.
    fn deal_with(
        &mut self,
        octets: &[u8],
        client: &mut Stream,
        stays: &impl Fn() -> bool,
        cx: &mut Context<'_>,
    ) -> Result<usize, Fault> {
        let mut used = 0;
        while self.is_awaited() {
            match self.read_head(&octets[used..], stays)? {
                0 => return Ok(used),
                n => used += n,
            }
        }
        if matches!(self.stage, Stage::Passing(_)) {
            match self.flow.take(&octets[used..], client, cx) {
                Ok(taken) => used += taken,
                Err(_) => self.broken = true,
            }
        }
        Ok(used)
    }

    /// Takes the head that stands in front, if it is whole; says how long it was.
    fn read_head(&mut self, octets: &[u8], stays: &impl Fn() -> bool) -> Result<usize, Fault> {
        if self.head_end.as_mut().is_some_and(|end| !end.is_due(octets)) {
            return Ok(0);
        }
        let head = match response::extract(octets, self.asked) {
            Ok(head) => head,
            Err(Error::Incomplete(_)) => {
                self.head_end.get_or_insert_default();
                return Ok(0);
            }
            Err(Error::Invalid(invalid)) => {
                return Err(Fault::Service(format!("the target's answer: {invalid}")));
            }
        };
        self.head_end = None;
        if head.is_interim() {
            self.pass_interim(&head)?;
        } else if head.switches() {
            forward::switching(&head, &mut |slice| self.flow.before.extend_from_slice(slice));
            self.stage = Stage::Switched;
        } else {
            self.begin(&head, stays());
        }
        Ok(head.head_len)
    }

    /// HTTP/1.0 knows no interim answers (RFC 9110 15.2).
    fn pass_interim(&mut self, head: &ResponseHead<'_>) -> Result<(), Fault> {
        self.interims += 1;
        if self.interims > INTERIMS {
            return Err(Fault::Service(format!("more than {INTERIMS} interim answers")));
        }
        if self.version == Version::Http11 {
            forward::interim(head, &mut |slice| self.flow.before.extend_from_slice(slice));
        }
        Ok(())
    }

    fn begin(&mut self, head: &ResponseHead<'_>, stays: bool) {
        let client = forward::Client { version: self.version, close: !stays };
        self.flow.before.reserve(head.head_len + A_LITTLE);
        let leaves = forward::response(head, client, &mut |slice| self.flow.before.extend_from_slice(slice));
        let client_stays = stays && leaves != ResponseFraming::UntilClose;
        self.flow.is_last = !client_stays;
        self.stage = Stage::Passing(Passing {
            status: head.status,
            client_stays,
            service_stays: head.keeps_alive(),
            until_close: leaves == ResponseFraming::UntilClose,
            continues_login: head.continues_login(),
            binds_connection: head.binds_connection(),
        });
        self.flow.begin(head.framing, leaves == ResponseFraming::Chunked, self.takes_trailers);
    }

    fn service_ended(&mut self) -> Result<(), Fault> {
        match self.stage {
            Stage::Awaited if self.came == 0 => Err(Fault::Unanswered),
            Stage::Awaited => Err(Fault::Service("the target closed inside its answer".to_owned())),
            _ => self.flow.end_of_input().map_err(|_| TARGET_LOST),
        }
    }

    fn service_lost(&self, error: &io::Error) -> Fault {
        match self.stage {
            Stage::Awaited if self.came == 0 => Fault::Unanswered,
            Stage::Awaited => Fault::Service(format!("the target's connection: {error}")),
            _ => TARGET_LOST,
        }
    }

    /// Nothing of a final answer has gone out.
    pub(super) fn is_awaited(&self) -> bool {
        matches!(self.stage, Stage::Awaited)
    }

    /// What its head said, if that has gone out.
    pub(super) fn passing(&self) -> Option<Passing> {
        match self.stage {
            Stage::Passing(passing) => Some(passing),
            Stage::Awaited | Stage::Switched => None,
        }
    }

    /// It was to end with the connection, so that its end must not look like that.
    pub(super) fn needs_a_reset(&self) -> bool {
        matches!(self.stage, Stage::Passing(Passing { until_close: true, .. }))
    }

    /// The client has not taken yet what has come.
    pub(super) fn waits_for_client(&self) -> bool {
        !self.flow.is_written()
    }

    /// Interim answers that have come.
    pub(super) fn interims(&self) -> u32 {
        self.interims
    }

    /// Octets that came, those of them that are content, and those that the client took.
    pub(super) fn octets(&self) -> (u64, u64, u64) {
        (self.came, self.flow.content, self.flow.taken)
    }

    /// What the service sent and did not belong to the answer.
    pub(super) fn into_surplus(self) -> Vec<u8> {
        self.received
    }
}

const TARGET_LOST: Fault = Fault::Broken(Cause::TargetLost);

/// So many interim answers to one request are passed.
const INTERIMS: u32 = 10;
