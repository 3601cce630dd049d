//! One request and its answer. Both bodies may be under way at the same time, so this is polled by hand: each
//! direction moves what it can.

use std::{
    future::poll_fn,
    task::{Context, Poll},
    time::Instant,
};

use super::{
    pace::{Pace, Turn},
    request::Request,
    response::{Passing, Response, Stage},
};
use crate::{
    alarm::Alarm,
    cancel::{self, Cancel},
    outcome::Cause,
    session::head::Head,
    stream::Stream,
};

/// A request that is about to be sent, and its answer.
pub(super) struct Exchange {
    pub(super) request: Request,
    pub(super) response: Response,
    pub(super) pace: Pace,
    /// The client lets its connection stay.
    pub(super) client_stays: bool,
}

/// An exchange that came to its end.
pub(super) struct Exchanged {
    /// Octets of content: of the request, of the answer.
    pub(super) octets: (u64, u64),
    pub(super) outcome: Outcome,
}

/// What has become of the two connections.
pub(super) enum Outcome {
    /// An answer; `leg_stays` if the service takes another request on the leg.
    Answered { answer: Passing, leg_stays: bool },
    /// Octets both ways; `received` have come from the service already.
    Tunnel { received: Vec<u8> },
}

/// Why an exchange failed.
pub(super) enum Fault {
    /// The service ended without an octet.
    Unanswered,
    /// The client's body is malformed or cut; no answer has begun.
    Request(String),
    /// The client's body is larger than the host allows.
    TooLarge,
    /// The client's body comes too slowly.
    TooSlow(&'static str),
    /// The service's answer is none; nothing of it went out.
    Service(String),
    /// No answer in time; nothing of one went out.
    TimedOut(&'static str),
    /// An answer had begun. The client must see that it is not whole.
    Broken(Cause),
}

impl Exchange {
    /// Sends the request, whose body begins with the octets of the head, and passes the answer. What the client has sent
    /// beyond the request is left there.
    pub(super) async fn run(
        &mut self,
        Head { stream: client, octets: sent, alarm }: &mut Head,
        service: &mut Stream,
        cancel: &Cancel,
    ) -> Result<(), Fault> {
        let done = poll_fn(|cx| {
            if cancel.poll(cancel::Request::Close, cx).is_ready() {
                return Poll::Ready(Err(Fault::Broken(Cause::Shutdown)));
            }
            if let Poll::Ready(done) = self.poll(client, sent, service, cancel, cx) {
                return Poll::Ready(done);
            }
            self.poll_pace(alarm, cx)
        })
        .await;
        if done.is_err() && self.response.needs_a_reset() {
            client.end_by_reset();
        }
        done
    }

    fn poll(
        &mut self,
        client: &mut Stream,
        sent: &mut Vec<u8>,
        service: &mut Stream,
        cancel: &Cancel,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Fault>> {
        let _ = self.request.poll(client, sent, service, cx)?;
        // What comes behind an unfinished request cannot be told from its body.
        let stays =
            || self.client_stays && self.request.is_whole() && cancel.request() == cancel::Request::None;
        let done = self.response.poll(service, client, stays, cx);
        if !self.response.is_awaited() {
            self.request.stop();
        }
        done
    }

    fn poll_pace(&mut self, alarm: &mut Alarm, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        let (turn, progress) = self.turn();
        let limit = match self.pace.look(Instant::now(), turn, progress) {
            Err(limit) => limit,
            Ok(due) => {
                if alarm.poll(due.into(), cx).is_ready() {
                    // Looked at again: its clock is a little coarser.
                    cx.waker().wake_by_ref();
                }
                return Poll::Pending;
            }
        };
        Poll::Ready(Err(match turn {
            _ if !self.response.is_awaited() => Fault::Broken(Cause::TimedOut(limit)),
            Turn::Service => Fault::TimedOut(limit),
            Turn::ClientSends | Turn::ClientTakes => Fault::TooSlow(limit),
        }))
    }

    /// Who is waited for, and how many octets of his there were.
    fn turn(&self) -> (Turn, u64) {
        let (uploaded, sent) = self.request.octets();
        let (came, _, taken) = self.response.octets();
        let interims = self.response.interims();
        if self.response.waits_for_client() {
            (Turn::ClientTakes, taken)
        } else if self.response.is_awaited() && self.request.waits_for_client(interims > 0) {
            (Turn::ClientSends, uploaded)
        } else if self.response.is_awaited() {
            // A head has to be whole in time, however it dribbles.
            (Turn::Service, sent + u64::from(interims))
        } else {
            (Turn::Service, came)
        }
    }

    /// The request can be sent again as if it had never been sent.
    pub(super) fn may_be_repeated(&self) -> bool {
        self.request.is_untouched()
    }

    /// What came of it, once it ran to its end.
    pub(super) fn finish(self) -> Exchanged {
        let (_, content, _) = self.response.octets();
        let octets = (self.request.octets().0, content);
        let stage = self.response.stage;
        let received = self.response.into_surplus();
        let outcome = match stage {
            Stage::Passing(answer) => {
                // Octets behind a complete answer would be read as the answer to the next request.
                let leg_stays = answer.service_stays && received.is_empty() && self.request.is_whole();
                Outcome::Answered { answer, leg_stays }
            }
            Stage::Awaited | Stage::Switched => Outcome::Tunnel { received },
        };
        Exchanged { octets, outcome }
    }
}
