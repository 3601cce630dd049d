//! From the services: their messages reach the phone whole, one after the other, and their answers tell what they think
//! of it.

use std::{iter, mem, task::Context};

use rp_sip::{
    Head, Response, Step,
    route::{self, Listener},
};

use super::{
    Switch,
    answers::{refused, shortened},
    up::leg_number,
    verdicts::Said,
};
use crate::{
    outcome::{End, Observation},
    scratch,
    session::Session,
};

impl Switch {
    /// Octets have come from a service.
    pub(super) fn leg_sent(
        &mut self,
        session: &mut Session,
        leg: usize,
        octets: &[u8],
        cx: &mut Context<'_>,
    ) {
        let kept = mem::take(&mut self.legs[leg].peer.kept);
        let kept = scratch::with_kept(kept, octets, |octets| self.sort_down(session, leg, octets, cx));
        self.legs[leg].peer.kept = kept;
    }

    /// Says how many octets are dealt with.
    fn sort_down(&mut self, session: &mut Session, leg: usize, octets: &[u8], cx: &mut Context<'_>) -> usize {
        let mut at = 0;
        while self.ending.is_none() || self.speaking == Some(leg) {
            let rest = &octets[at..];
            match self.legs[leg].peer.follower.step(rest) {
                Ok(Step::More) => break,
                Ok(Step::Crlf | Step::Ping) => {
                    self.crlf(leg, cx);
                    at += 2;
                }
                Ok(Step::Pass(body)) => {
                    session.record.octets.1 += self.phone.send(iter::once(&rest[..body]), cx);
                    at += body;
                }
                Ok(Step::Look(head)) => {
                    self.say_answers(cx);
                    at += self.head_down(session, leg, &head, rest, cx);
                }
                Err(invalid) => {
                    self.ending.get_or_insert_with(|| Box::new(End::Broken(invalid.to_string())));
                    break;
                }
            }
            let within = !self.legs[leg].peer.follower.is_between_messages();
            self.speaking = within.then_some(leg);
        }
        at
    }

    /// A whole head, at the front of `octets`. Says how many of them are dealt with.
    fn head_down(
        &mut self,
        session: &mut Session,
        leg: usize,
        head: &Head<'_>,
        octets: &[u8],
        cx: &mut Context<'_>,
    ) -> usize {
        match head {
            Head::Request(request) => self.verdicts.called(session, request, leg_number(leg)),
            Head::Response(response) => self.judge(session, leg, response),
        }
        let tls = self.is_tls();
        let (from, connection) = (&mut self.legs[leg], self.addresses.first());
        from.speaks();
        let body = from.peer.body(&octets[head.octets().len()..]);
        let announced = from.public.as_deref().or(connection.map(String::as_str));
        let addresses = announced.filter(|_| from.records_route());
        let (addresses, token) = (addresses.as_slice(), from.token);
        let rewritten = route::down(head, &Listener { addresses, tls }, &token);
        let pieces = rewritten.pieces().chain(iter::once(body));
        session.record.octets.1 += self.phone.send(pieces, cx);
        head.octets().len() + body.len()
    }

    fn judge(&mut self, session: &Session, leg: usize, response: &Response<'_>) {
        let checked = self.legs[leg].checked.is_some();
        let Some(said) = self.verdicts.answered(session, response, leg_number(leg), checked) else { return };
        let method =
            response.cseq.map_or_else(|_| String::new(), |cseq| cseq.method.escape_ascii().to_string());
        let observation = match said {
            Said::Proven => Observation::Proven,
            Said::Refused => Observation::Refused(refused(response.status, &method)),
        };
        let from = shortened(response.headers("From").next().unwrap_or_default());
        let call_id = shortened(response.call_id.unwrap_or_default());
        self.tell(session, leg, format!("{method} from {from}, Call-ID {call_id}"), &observation);
    }

    /// A CR LF of a service goes no further. Its ping is answered, unless it stands within a message of the phone, or does
    /// not read.
    fn crlf(&mut self, leg: usize, cx: &mut Context<'_>) {
        let within = self.towards == Some(leg) && !self.phone.follower.is_between_messages();
        if self.legs[leg].is_pinged() && !within && self.legs[leg].peer.takes_more() {
            self.legs[leg].peer.send(iter::once(&b"\r\n"[..]), cx);
        }
    }
}
