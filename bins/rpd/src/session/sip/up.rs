//! From the phone: every request outside a dialog goes to the host of its From, every one inside to where its dialog is.

use std::{iter, mem, task::Context};

use rp_sip::{
    Head, Limits, Request, Response, Step,
    route::{self, Listener, Rewritten, Token},
};

use super::{
    Hold, Switch,
    answers::{No, about, is_own_tag},
    place::{BOUND, Place, place, sound},
};
use crate::{
    outcome::{Observation, Reason, Refusal},
    scratch,
    session::Session,
};

/// What becomes of a message of the phone.
enum Way {
    Leg(usize),
    /// It is read and dropped.
    Nowhere,
    /// It waits, and so does everything behind it.
    Held,
}

impl Switch {
    /// Octets have come from the phone; or none, and what was kept is to be looked at again.
    pub(super) fn phone_sent(&mut self, session: &mut Session, octets: &[u8], cx: &mut Context<'_>) {
        let kept = mem::take(&mut self.phone.kept);
        self.phone.kept = scratch::with_kept(kept, octets, |octets| self.sort_up(session, octets, cx));
    }

    /// Says how many octets are dealt with.
    fn sort_up(&mut self, session: &mut Session, octets: &[u8], cx: &mut Context<'_>) -> usize {
        let (mut at, mut pinged) = (0, false);
        while self.ending.is_none() {
            let rest = &octets[at..];
            let step = match self.hold {
                Hold::Nothing => self.phone.follower.step(rest),
                // The follower is behind this head already.
                _ => match Head::parse(rest, &JUDGED) {
                    Ok(head) => Ok(Step::Look(head)),
                    Err(_) => break,
                },
            };
            match step {
                Ok(Step::More) => break,
                Ok(Step::Crlf) => at += 2,
                Ok(Step::Ping) => {
                    self.answers.extend_from_slice(b"\r\n");
                    // Once is enough, however many have come at once.
                    if !mem::replace(&mut pinged, true) {
                        self.ping_legs(cx);
                    }
                    at += 2;
                }
                Ok(Step::Pass(body)) => {
                    self.send_up(session, iter::once(&rest[..body]), cx);
                    at += body;
                }
                Ok(Step::Look(head)) => match self.head_up(session, &head, rest, cx) {
                    Some(used) => at += used,
                    None => break,
                },
                Err(invalid) => self.refuse_stream(session, rest, invalid),
            }
        }
        at
    }

    /// A whole head, at the front of `octets`. Says how many of them are dealt with; none, and it has to wait.
    fn head_up(
        &mut self,
        session: &mut Session,
        head: &Head<'_>,
        octets: &[u8],
        cx: &mut Context<'_>,
    ) -> Option<usize> {
        let rewritten = self.without_us(head);
        let way = match head {
            Head::Request(request) => self.request(session, request, rewritten.token),
            Head::Response(response) => self.response(session, response),
        };
        self.towards = match way {
            Way::Held => return None,
            Way::Nowhere => None,
            Way::Leg(leg) => Some(leg),
        };
        let (head, behind) = octets.split_at(head.octets().len());
        let body = self.phone.body(behind);
        match self.towards {
            Some(leg) if self.legs[leg].records_route() => {
                self.send_up(session, rewritten.pieces().chain(iter::once(body)), cx);
            }
            _ => self.send_up(session, [head, body].into_iter(), cx),
        }
        Some(head.len() + body.len())
    }

    fn request(&mut self, session: &mut Session, request: &Request<'_>, token: Option<Token>) -> Way {
        if let Hold::Unreachable(no) = mem::replace(&mut self.hold, Hold::Nothing) {
            self.refuse(session, request, *no);
            return Way::Nowhere;
        }
        if let Err(invalid) = sound(request) {
            session.record.request = about(&session.record, request).request;
            self.refuse_stream(session, request.octets(), invalid);
            return Way::Nowhere;
        }
        if request.method == "ACK" && is_own_tag(session, request) {
            return Way::Nowhere;
        }
        let found = match place(&session.state(), &self.legs, request, token) {
            Place::Leg(leg) => return self.pass_request(session, request, leg),
            Place::Host(host) => Some(host),
            Place::Nowhere => None,
        };
        match self.dial(session, request, found.as_ref()) {
            Ok(dial) => {
                self.hold = Hold::Dialling(Box::new(dial));
                Way::Held
            }
            Err(no) => {
                self.refuse(session, request, *no);
                Way::Nowhere
            }
        }
    }

    fn pass_request(&mut self, session: &mut Session, request: &Request<'_>, leg: usize) -> Way {
        if let Some(why) = self.legs[leg].objection(request) {
            let refusal = Refusal::because(Reason::Certificate, why);
            self.refuse(session, request, No { refusal, about: about(&session.record, request) });
            return Way::Nowhere;
        }
        match self.verdicts.asked(session, request, leg_number(leg)) {
            Ok(()) => Way::Leg(leg),
            Err(full) => {
                self.hold = Hold::Full(full.until);
                Way::Held
            }
        }
    }

    /// Only who has a leg can be answering.
    fn response(&mut self, session: &mut Session, response: &Response<'_>) -> Way {
        if self.legs.is_empty() {
            self.ending = Some(Box::new(unasked().into()));
            return Way::Nowhere;
        }
        let asked = self.verdicts.leg_of(session, response).map(usize::from);
        match asked.or((self.legs.len() == 1).then_some(BOUND)) {
            Some(leg) => Way::Leg(leg),
            None => {
                session.observe(&Observation::Unawaited);
                Way::Nowhere
            }
        }
    }

    /// The head without the Route, or Record-Route, that names us.
    fn without_us<'a>(&self, head: &Head<'a>) -> Rewritten<'a> {
        let mut ours = [""; ADDRESSES];
        let all = self.addresses.iter().map(String::as_str);
        let all = all.chain(self.legs.iter().filter_map(|leg| leg.public.as_deref()));
        for (place, address) in ours.iter_mut().zip(all) {
            *place = address;
        }
        route::up(head, &Listener { addresses: &ours, tls: self.is_tls() })
    }

    fn send_up<'a>(
        &mut self,
        session: &mut Session,
        pieces: impl Iterator<Item = &'a [u8]>,
        cx: &mut Context<'_>,
    ) {
        if let Some(leg) = self.towards {
            session.record.octets.0 += self.legs[leg].peer.send(pieces, cx);
        }
    }

    /// The legs are kept alive by the phone's pings. None of them is within a message, because the phone is not.
    fn ping_legs(&mut self, cx: &mut Context<'_>) {
        for leg in &mut self.legs {
            leg.awaits_pong = true;
            leg.peer.send(iter::once(&b"\r\n\r\n"[..]), cx);
        }
    }
}

/// Nobody has asked a phone anything that it could answer in its first message.
pub(super) fn unasked() -> Refusal {
    Refusal::because(Reason::Malformed, "the first message is a response")
}

/// For a head that the follower has taken: the limits that hold by now may be others.
const JUDGED: Limits = Limits { head: Limits::MAX_HEAD, body: usize::MAX };

/// There are few legs.
pub(super) fn leg_number(leg: usize) -> u8 {
    u8::try_from(leg).unwrap_or(u8::MAX)
}

/// Two of the connection, and one of each leg.
const ADDRESSES: usize = 10;
