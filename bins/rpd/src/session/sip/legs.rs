//! The services behind one phone: one connection a host, opened by the first request for it.

use std::{
    hash::BuildHasher,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use rp_sip::{Request, route::Token};

use super::{
    Switch,
    answers::{No, about, observe},
    limits,
    peer::Peer,
    place::{Way, matching, registers, route},
};
use crate::{
    alarm::Alarm,
    connect::Unreachable,
    open_legs::OpenLeg,
    outcome::{Observation, Reason, Record, Refusal},
    protocol::Protocol,
    proxy_protocol::Addresses,
    session::{
        Session,
        leg::{self, Opened},
    },
    state::Destination,
};

/// A connection to one host on behalf of the phone.
pub(super) struct Leg {
    pub(super) peer: Peer,
    pub(super) destination: Arc<Destination>,
    /// The domain that it was opened for. It stays with this host, whatever a reload makes of the host.
    domain: Option<Box<str>>,
    /// Its name in Record-Route.
    pub(super) token: Token,
    /// The name on the phone's certificate, if that is what opened the TLS leg. Then every registration has to match.
    pub(super) checked: Option<Box<str>>,
    /// Where phones of this host reach the proxy, if its row says so.
    pub(super) public: Option<Box<str>>,
    /// A ping of ours is not answered yet.
    pub(super) awaits_pong: bool,
    /// Among the connections to its host.
    _place: OpenLeg,
    /// The octets before were half a ping.
    half_ping: bool,
}

impl Leg {
    /// Whether it was opened for this domain.
    pub(super) fn is_for(&self, domain: &str) -> bool {
        self.domain.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(domain))
    }

    /// Whether the phone learns to send the requests of a dialog this way.
    pub(super) fn records_route(&self) -> bool {
        self.destination.host.sip.record_route
    }

    /// Whether a CR LF of the service completes a ping. The first one behind a ping of ours is the answer to that.
    pub(super) fn is_pinged(&mut self) -> bool {
        if mem::take(&mut self.awaits_pong) {
            return false;
        }
        self.half_ping = !self.half_ping;
        !self.half_ping
    }

    pub(super) fn speaks(&mut self) {
        self.half_ping = false;
    }

    /// A PBX that takes certificates for passwords takes the proxy's word for who registers.
    pub(super) fn objection(&self, request: &Request<'_>) -> Option<String> {
        let name = self.checked.as_deref().filter(|_| registers(request))?;
        matching(request, name).err()
    }
}

/// A leg that is being opened.
pub(super) struct Dial {
    connecting: Pin<Box<dyn Future<Output = Result<Opened, Unreachable>> + Send>>,
    destination: Arc<Destination>,
    domain: Option<Box<str>>,
    checked: Option<Box<str>>,
    /// What is known of the request that opens it.
    about: Record,
}

impl Switch {
    /// Begins to open a leg to the host found, if every rule of the host says yes.
    pub(super) fn dial(
        &mut self,
        session: &mut Session,
        request: &Request<'_>,
        found: Option<&Arc<Destination>>,
    ) -> Result<Dial, Box<No>> {
        if self.legs.is_empty() && found.is_some() {
            session.key_found();
        }
        let mut about = about(&session.record, request);
        let way = session.decide_about(&mut about, |case| route(case, request, found));
        let too_many = || {
            let detail = format_args!("more than {LEGS} hosts on one connection");
            Refusal::because(Reason::SourceLimit, detail)
        };
        let way = way.and_then(|way| if self.legs.len() < LEGS { Ok(way) } else { Err(too_many()) });
        let placed = way.and_then(|way| Ok((leg::place(&way.destination, Protocol::Sip)?, way)));
        let (place, Way { destination, leg, checked }) = match placed {
            Ok(placed) => placed,
            Err(refusal) => return Err(Box::new(No { refusal, about })),
        };
        if self.legs.is_empty() {
            session.record = about.clone();
        }
        let (live, host) = (session.live.clone(), destination.clone());
        let client = Addresses { source: session.facts.source, destination: session.facts.destination };
        let connecting = Box::pin(async move {
            let state = live.now();
            leg::dial(&state, Protocol::Sip, &host, leg, &client, place, &mut Alarm::default()).await
        });
        let domain = about.name.as_deref().map(Box::from);
        Ok(Dial { connecting, destination, domain, checked, about })
    }

    /// Ready when a leg is there, or will not be.
    pub(super) fn poll_dial(
        &mut self,
        session: &mut Session,
        dial: &mut Dial,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Box<No>>> {
        dial.connecting.as_mut().poll(cx).map(|opened| match opened {
            Ok(opened) => {
                self.opened(session, dial, opened);
                Ok(())
            }
            Err(unreachable) => {
                let refusal = Refusal::because(Reason::TargetUnreachable, unreachable);
                Err(Box::new(No { refusal, about: mem::take(&mut dial.about) }))
            }
        })
    }

    fn opened(&mut self, session: &mut Session, dial: &mut Dial, opened: Opened) {
        let Opened { stream, target, place, after } = opened;
        dial.about.target = Some(target);
        observe(session, &dial.about, &Observation::Reached(after));
        if self.legs.is_empty() {
            session.record.target = dial.about.target;
        } else {
            observe(session, &dial.about, &Observation::Forwarded);
        }
        let kind = self.phone.stream.transport();
        let port = session.facts.destination.port();
        let public = dial.destination.host.sip.public_address.announced(kind, port);
        let announced = self.addresses.first();
        let token = session.state().random.hash_one((session.facts.id, "token", self.legs.len()));
        // Most phones have one, and a vector that grows by itself begins with room for four.
        self.legs.reserve_exact(1);
        self.legs.push(Leg {
            peer: Peer::new(stream, limits(&session.state())),
            destination: dial.destination.clone(),
            domain: dial.domain.take(),
            token: Token::new(token),
            checked: dial.checked.take(),
            public: public.filter(|public| Some(public) != announced).map(String::into_boxed_str),
            awaits_pong: false,
            _place: place,
            half_ping: false,
        });
    }
}

/// So many requests are refused on one connection.
pub(super) const REFUSALS: u8 = 16;

/// So many hosts a phone may have on one connection.
const LEGS: usize = 8;
