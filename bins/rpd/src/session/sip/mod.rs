//! SIP: one phone, and a connection to each host that it speaks with.
//!
//! Both directions are followed message by message for as long as the connection lives: From names the host of every
//! request outside a dialog (RFC 3261 8.1.1.3), each registration is held to the phone's certificate, the services'
//! answers tell what the phone is, and a dialog finds its way back by Record-Route.
//!
//! Polled by hand, like the relay of the other protocols: what is read into the worker's scratch is written at once, and
//! only what the other side does not take is kept. While such a rest exists, nothing more is read that would go there.

mod answers;
mod clocks;
mod down;
pub(super) mod explain;
mod legs;
mod peer;
mod place;
mod up;
mod verdicts;

use std::{
    future::poll_fn,
    mem,
    net::SocketAddr,
    task::{Context, Poll, ready},
    time::Duration,
};

use rp_route::leg::Transport;
use rp_sip::Limits;

use super::{Session, close, head::Head};
use crate::{
    cancel::Request,
    outcome::{Cause, End, Reason, Refusal},
    scratch,
    state::State,
    stream::Stream,
};
use answers::No;
use clocks::{Clocks, Late, Waits};
use legs::{Dial, Leg};
use peer::{Flow, Peer};
use verdicts::{Verdicts, now};

/// From the first octet to the end.
pub(super) fn serve(session: &mut Session, head: Head) -> impl Future<Output = End> {
    // Made here and used where it lies: what a future moves once more inside, it holds twice for all its life.
    let mut switch = Switch::new(session, head);
    async move {
        if switch.heard {
            poll_fn(|cx| {
                switch.phone_sent(session, &[], cx);
                Poll::Ready(())
            })
            .await;
        }
        let end = poll_fn(|cx| switch.poll(session, cx)).await;
        switch.tell_due(session, Duration::MAX);
        if switch.phone.output == Flow::Open && end != End::Served(Cause::Shutdown) {
            Box::pin(close::with_answer(switch.into_phone(), &[])).await;
        }
        end
    }
}

/// A phone and its legs.
pub(super) struct Switch {
    phone: Peer,
    legs: Vec<Leg>,
    /// The leg that gets the body of the phone's present message; none: nobody does.
    towards: Option<usize>,
    /// The leg whose message is on its way to the phone.
    speaking: Option<usize>,
    /// What we have to say to the phone, behind that message.
    answers: Vec<u8>,
    refusals: u8,
    hold: Hold,
    /// How it ends, when all is delivered.
    ending: Option<Box<End>>,
    verdicts: Verdicts,
    /// Every `host:port` by which the phone may know us; the first is announced.
    addresses: Box<[String]>,
    clocks: Clocks,
    /// Whether the phone has said anything.
    heard: bool,
}

/// Why the message at the front of what was kept of the phone waits.
enum Hold {
    Nothing,
    /// A leg is being opened for it.
    Dialling(Box<Dial>),
    /// The leg is there.
    Dialled,
    /// There will be none.
    Unreachable(Box<No>),
    /// Too many requests are open; the next one is over then.
    Full(Duration),
}

impl Switch {
    /// A phone of which `head` is read already.
    fn new(session: &Session, head: Head) -> Self {
        let addresses = addresses(session, head.stream.transport());
        let heard = !head.octets.is_empty();
        let mut phone = Peer::new(head.stream, limits(&session.state()));
        phone.kept = head.octets;
        Self {
            phone,
            legs: Vec::new(),
            towards: None,
            speaking: None,
            answers: Vec::new(),
            refusals: 0,
            hold: Hold::Nothing,
            ending: None,
            verdicts: Verdicts::default(),
            addresses,
            clocks: Clocks::new(session.facts.accepted.into()),
            heard,
        }
    }

    /// The phone alone. The services are closed.
    fn into_phone(self) -> Stream {
        self.phone.stream
    }

    fn poll(&mut self, session: &mut Session, cx: &mut Context<'_>) -> Poll<End> {
        if session.cancel.poll(Request::Close, cx).is_ready() {
            return Poll::Ready(End::Served(Cause::Shutdown));
        }
        for turn in 0.. {
            if turn == TURNS {
                // Others on this worker have theirs.
                cx.waker().wake_by_ref();
                break;
            }
            self.drain(cx);
            let phone = self.poll_phone(session, cx);
            let legs = self.poll_legs(session, cx);
            if !phone && !legs {
                break;
            }
        }
        self.look_at_tables(session);
        if let Some(end) = self.ended(session) {
            return Poll::Ready(end);
        }
        self.poll_clocks(session, cx)
    }

    /// Writes what waits, everywhere; and passes on the phone's end.
    fn drain(&mut self, cx: &mut Context<'_>) {
        let down = self.phone.drain(cx);
        let mut up = false;
        for leg in &mut self.legs {
            up |= leg.peer.drain(cx);
            if self.phone.input == Flow::Ended {
                leg.peer.end(cx);
            }
        }
        self.clocks.moved(up, down);
    }

    /// Whether anything moved.
    fn poll_phone(&mut self, session: &mut Session, cx: &mut Context<'_>) -> bool {
        let said = self.say_answers(cx);
        let heard = match mem::replace(&mut self.hold, Hold::Nothing) {
            Hold::Nothing => self.hear_phone(session, cx),
            Hold::Dialling(mut dial) => {
                self.hold = match self.poll_dial(session, &mut dial, cx) {
                    Poll::Pending => Hold::Dialling(dial),
                    Poll::Ready(Ok(())) => Hold::Dialled,
                    Poll::Ready(Err(no)) => Hold::Unreachable(no),
                };
                !matches!(self.hold, Hold::Dialling(_))
            }
            held => {
                self.hold = held;
                let kept = self.phone.kept.len();
                self.phone_sent(session, &[], cx);
                self.phone.kept.len() != kept
            }
        };
        said || heard
    }

    fn hear_phone(&mut self, session: &mut Session, cx: &mut Context<'_>) -> bool {
        let crowded = self.answers.len() > ANSWERS || self.legs.iter().any(|leg| !leg.peer.takes_more());
        if self.phone.input != Flow::Open || self.ending.is_some() || crowded {
            return false;
        }
        scratch::lend(|buffer| {
            if self.phone.poll_read(buffer, cx).is_pending() {
                return false;
            }
            self.heard |= !buffer.filled().is_empty();
            self.phone_sent(session, buffer.filled(), cx);
            self.clocks.moved(true, false);
            true
        })
    }

    /// Whether anything moved.
    fn poll_legs(&mut self, session: &mut Session, cx: &mut Context<'_>) -> bool {
        let mut moved = false;
        for leg in 0..self.legs.len() {
            moved |= self.may_speak(leg) && self.hear_leg(session, leg, cx);
        }
        moved
    }

    /// The phone hears one leg at a time, and no faster than it can.
    fn may_speak(&self, leg: usize) -> bool {
        let its_turn = self.speaking.is_none_or(|speaking| speaking == leg);
        let goes_on = self.ending.is_none() || self.speaking == Some(leg);
        self.legs[leg].peer.input == Flow::Open && self.phone.takes_more() && its_turn && goes_on
    }

    fn hear_leg(&mut self, session: &mut Session, leg: usize, cx: &mut Context<'_>) -> bool {
        scratch::lend(|buffer| {
            if self.legs[leg].peer.poll_read(buffer, cx).is_pending() {
                return false;
            }
            if buffer.filled().is_empty() {
                self.leg_ended(leg);
            } else {
                self.leg_sent(session, leg, buffer.filled(), cx);
            }
            self.clocks.moved(false, true);
            true
        })
    }

    /// A flow that fails must reach the phone, so that it registers anew (RFC 5626 4.4.1).
    fn leg_ended(&mut self, leg: usize) {
        if self.speaking == Some(leg) {
            // Nothing may follow half a message.
            self.speaking = None;
            self.answers = Vec::new();
        }
        let cause = match (self.phone.input, self.legs[leg].peer.input) {
            (Flow::Ended, _) => return,
            (_, Flow::Failed) => Cause::TargetLost,
            _ => Cause::Closed,
        };
        self.ending.get_or_insert_with(|| Box::new(End::Served(cause)));
    }

    fn ended(&mut self, session: &Session) -> Option<End> {
        if self.phone.input == Flow::Failed || self.phone.output == Flow::Failed {
            return Some(End::Served(Cause::ClientLost));
        }
        if self.ending.is_none() {
            self.ending = self.reason_to_end(session).map(Box::new);
        }
        let delivered = self.phone.is_drained() && self.answers.is_empty() && self.speaking.is_none();
        self.ending.take_if(|_| delivered).map(|end| *end)
    }

    fn reason_to_end(&self, session: &Session) -> Option<End> {
        // Whoever keeps a request open at all times would otherwise guess on.
        if session.cancel.request() >= Request::ShutOut {
            return Some(session.cancel.end());
        }
        let phone_ended = self.phone.input == Flow::Ended;
        if self.legs.is_empty() && phone_ended {
            return Some(End::Gone);
        }
        if phone_ended && self.legs.iter().all(|leg| leg.peer.input != Flow::Open) {
            return Some(End::Served(Cause::Closed));
        }
        // What it has sent is read by now, but for what the phone could not take.
        if self.phone.takes_more() && self.legs.iter().any(|leg| leg.peer.output == Flow::Failed) {
            return Some(End::Served(Cause::TargetLost));
        }
        (session.cancel.request() >= Request::Drain && self.is_quiet())
            .then_some(End::Served(Cause::Shutdown))
    }

    /// Whether no exchange is under way.
    fn is_quiet(&self) -> bool {
        let is_still = |peer: &Peer| !peer.has_begun() && peer.is_drained();
        let legs_are = self.legs.iter().all(|leg| is_still(&leg.peer));
        matches!(self.hold, Hold::Nothing) && self.verdicts.is_quiet() && is_still(&self.phone) && legs_are
    }

    fn look_at_tables(&mut self, session: &Session) {
        let now = now(session);
        self.tell_due(session, now);
        self.verdicts.tidy(now);
    }

    fn poll_clocks(&mut self, session: &mut Session, cx: &mut Context<'_>) -> Poll<End> {
        let state = session.state();
        let limits = &state.config.limits;
        loop {
            let late = ready!(self.clocks.poll(&self.waits(session), limits, cx));
            // An end that the phone does not hear of is one all the same.
            let end = match (late, self.ending.take()) {
                (Late::Tables, ending) => {
                    self.ending = ending;
                    self.look_at_tables(session);
                    if matches!(self.hold, Hold::Full(_)) {
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    continue;
                }
                (_, Some(end)) => *end,
                (Late::FirstByte, None) => Refusal::because(Reason::Silent, "limits.first-byte").into(),
                (Late::FirstMessage, None) => {
                    Refusal::because(Reason::FirstMessageTimeout, "limits.first-message").into()
                }
                (Late::Silence(limit), None) => End::Served(Cause::TimedOut(limit)),
            };
            return Poll::Ready(end);
        }
    }

    fn waits(&self, session: &Session) -> Waits {
        let accepted = session.facts.accepted;
        let held = !matches!(self.hold, Hold::Nothing);
        let room = match self.hold {
            Hold::Full(until) => Some(until),
            _ => None,
        };
        let tables = [room, self.verdicts.next_look()].into_iter().flatten().min();
        Waits {
            unrouted: (self.legs.is_empty() && !held).then_some((accepted.into(), self.heard)),
            up_begun: (self.phone.has_begun() && !held) || self.legs.iter().any(|leg| !leg.peer.is_drained()),
            down_begun: !self.phone.is_drained() || self.legs.iter().any(|leg| leg.peer.has_begun()),
            tables: tables.map(|since| (accepted + since).into()),
        }
    }

    fn is_tls(&self) -> bool {
        self.phone.stream.transport() == Transport::Tls
    }
}

/// Where the phone may think that we are: at the address that is made public, and at the one that it came in by.
fn addresses(session: &Session, kind: Transport) -> Box<[String]> {
    let local = session.facts.destination;
    let public = session.state().config.sip_public_address.announced(kind, local.port());
    // A scope of an IPv6 address has no place in a URI.
    public.into_iter().chain([SocketAddr::new(local.ip(), local.port()).to_string()]).collect()
}

fn limits(state: &State) -> Limits {
    let limits = &state.config.limits;
    Limits { head: limits.sip_head.0, body: limits.sip_body.0 }
}

/// Reads in a row.
const TURNS: u32 = 8;

/// While so much is to be said to the phone, it is not heard.
const ANSWERS: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    /// Tens of thousands of phones wait. Whoever makes them larger should know.
    #[test]
    fn what_an_idle_phone_keeps_is_small() {
        assert!(size_of::<Switch>() <= 368, "{}", size_of::<Switch>());
        assert!(size_of::<Leg>() <= 240, "{}", size_of::<Leg>());
    }
}
