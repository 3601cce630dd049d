//! What passes on an H.323 connection that has its host: later registrations and calls are judged like the first
//! one, and the gatekeeper's answers tell whom it refuses.

use std::{mem, sync::Arc, time::Duration};

use rp_h323::{
    AnswerKind, ClientFollower, ClientStep, Invalid, Key, Kind, Name, Request, ServiceFollower, ServiceStep,
    Verdict, Verdicts, messages,
};
use tokio::time::Instant;

use super::{lookup, name, shown};
use crate::{
    outcome::{Cause, End, Note, Observation, Reason, Refusal},
    protocol::Protocol,
    session::{
        queue::Queue,
        relay::{Inspect, Patience, Step},
    },
    state::{Destination, Live},
};

/// Follows both directions of one connection.
pub(super) struct Follow {
    live: Live,
    destination: Arc<Destination>,
    /// The name that the first registration asked for. It stays with its host, whatever a reload makes of the host.
    came_by: Option<Box<str>>,
    /// The name on the certificate that opened a checked leg.
    checked: Option<String>,
    client: ClientFollower,
    service: ServiceFollower,
    verdicts: Verdicts,
    /// A gatekeeper may stay silent; a client that it has not confirmed by then may try anew.
    settled_by: Instant,
    /// It has been told that the gatekeeper took the client.
    proven: bool,
    refusals: u32,
    /// The call of somebody who has not registered.
    call: Call,
    answers: Queue<Vec<u8>>,
    notes: Queue<Note>,
}

impl Follow {
    pub(super) fn new(
        live: Live,
        destination: Arc<Destination>,
        came_by: Option<String>,
        checked: Option<String>,
    ) -> Self {
        Self {
            live,
            destination,
            came_by: came_by.map(String::into_boxed_str),
            checked,
            client: ClientFollower::new(),
            service: ServiceFollower::new(),
            verdicts: Verdicts::new(),
            settled_by: Instant::now() + UNREGISTERED,
            proven: false,
            refusals: 0,
            call: Call::None,
            answers: Queue::new(),
            notes: Queue::new(),
        }
    }

    /// Judges every request of a message. One bad request keeps the whole message here.
    fn judge(&mut self, message: &Request<'_>) -> Step {
        let mut elsewhere: Option<Arc<Destination>> = None;
        let mut stays = false;
        let mut refused = None;
        for request in message.requests() {
            match self.objection(&request) {
                None => stays = true,
                Some(Objection::Elsewhere(other)) => match &elsewhere {
                    Some(first) if !Arc::ptr_eq(first, &other) => stays = true,
                    _ => elsewhere = Some(other),
                },
                Some(Objection::Refuse(refusal)) => {
                    refused = Some((request, refusal));
                    break;
                }
            }
        }
        let first = message.first();
        match (refused, elsewhere) {
            (Some((request, refusal)), _) => self.refuse(message, &request, refusal),
            (None, Some(_)) if stays => {
                let refusal = Refusal::because(Reason::UnknownHost, "requests for two hosts in one message");
                self.refuse(message, &first, refusal)
            }
            (None, Some(_)) => Step::End(End::Served(Cause::Elsewhere)),
            (None, None) => {
                if first.kind == Kind::Setup {
                    (self.call, self.settled_by) = (Call::Asked, Instant::now() + UNREGISTERED);
                }
                Step::Pass(message.len())
            }
        }
    }

    /// Either side has said that it is over.
    fn call_ended(&mut self) {
        if matches!(self.call, Call::Asked | Call::Open) {
            self.call = Call::Over;
        }
    }

    /// Answers every request of the message in the place of the gatekeeper. The last refusal ends the connection.
    fn refuse(&mut self, message: &Request<'_>, request: &Key<'_>, refusal: Refusal) -> Step {
        let words = match refusal.reason {
            Reason::NoName => messages::Refusal::NoName,
            _ => messages::Refusal::NotAllowed,
        };
        self.answers.push(messages::refusal(&message.first(), words));
        self.refusals += 1;
        if self.refusals >= REFUSALS {
            return Step::End(End::Refused(refusal));
        }
        self.notes.push(note(request, refusal));
        Step::Drop(message.len())
    }

    fn objection(&self, request: &Key<'_>) -> Option<Objection> {
        let asked = match name(request) {
            Ok(asked) => asked,
            Err(refusal) => return Some(Objection::Refuse(refusal)),
        };
        let unnamed = matches!(request.name, Name::Missing) && request.kind != Kind::Setup;
        let state = self.live.now();
        let found = lookup(&state, request.kind, asked.as_deref());
        match found {
            _ if unnamed || self.has_registered_as(request, asked.as_deref()) => {}
            Some(other) if other.host.is(&self.destination.host, Protocol::H323) => {}
            // The gatekeeper may just have sent the phone to another one, and the phone kept its connection.
            Some(other) if request.kind != Kind::Setup && !self.verdicts.is_registered() => {
                return Some(Objection::Elsewhere(other.clone()));
            }
            Some(other) => {
                let detail = format!("another host than that of the connection: line {}", other.host.line);
                return Some(Objection::Refuse(Refusal::because(Reason::UnknownHost, detail)));
            }
            None if matches!(request.name, Name::Missing) => {
                return Some(Objection::Refuse(Refusal::new(Reason::NoName)));
            }
            None => return Some(Objection::Refuse(Refusal::new(Reason::UnknownHost))),
        }
        self.mismatch(request).map(Objection::Refuse)
    }

    fn has_registered_as(&self, request: &Key<'_>, asked: Option<&str>) -> bool {
        let same =
            asked.zip(self.came_by.as_deref()).is_some_and(|(asked, came)| asked.eq_ignore_ascii_case(came));
        same && request.kind != Kind::Setup && self.verdicts.is_registered()
    }

    /// On a checked leg the gatekeeper takes the proxy's word for who registers.
    fn mismatch(&self, request: &Key<'_>) -> Option<Refusal> {
        let name = self.checked.as_deref().filter(|_| request.kind != Kind::Setup)?;
        let refresh = request.kind == Kind::RegistrationRequest && request.keep_alive();
        let unnamed = request.aliases().next().is_none();
        if request.matches_common_name(name, self.destination.host.h323.serial_names) || (unnamed && refresh)
        {
            return None;
        }
        Some(Refusal::because(Reason::Certificate, format_args!("client certificate {name:?} is another's")))
    }
}

/// What has become of the call of somebody who has not registered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Call {
    None,
    /// The gatekeeper has said nothing yet.
    Asked,
    Open,
    Over,
}

/// Why a request does not go on.
enum Objection {
    /// It is for another host: the phone has to connect again, and is then routed afresh.
    Elsewhere(Arc<Destination>),
    Refuse(Refusal),
}

impl Inspect for Follow {
    fn client_sent(&mut self, octets: &[u8]) -> Step {
        let mut client = mem::take(&mut self.client);
        let step = match client.step(octets) {
            Ok(ClientStep::Pass(n)) => Step::Pass(n),
            Ok(ClientStep::More(_)) => Step::More,
            Ok(ClientStep::Look(message)) => self.judge(&message),
            Err(invalid) => Step::End(malformed(invalid)),
        };
        if client.has_released() {
            self.call_ended();
        }
        self.client = client;
        step
    }

    fn service_sent(&mut self, octets: &[u8]) -> Step {
        if self.call == Call::Asked {
            self.call = Call::Open;
        }
        let step = match self.service.step(octets) {
            Ok(ServiceStep::Pass(n)) => Step::Pass(n),
            Ok(ServiceStep::More(_)) => Step::More,
            Ok(ServiceStep::Look(message)) => {
                for answer in &message {
                    if matches!(answer.kind, AnswerKind::ReleaseComplete(_)) {
                        self.call_ended();
                    }
                    let observation = match self.verdicts.judge(&answer) {
                        Verdict::Refused => Observation::Refused(Refusal::because(Reason::Refused, answer)),
                        Verdict::Success if !mem::replace(&mut self.proven, true) => Observation::Proven,
                        Verdict::Success | Verdict::Normal => continue,
                    };
                    self.notes.push(Note { request: None, name: None, observation });
                }
                Step::Pass(message.len())
            }
            Err(invalid) => Step::End(End::Broken(invalid.to_string())),
        };
        if self.verdicts.is_registered() {
            // Where a registered phone may call is the gatekeeper's business.
            self.client.calls_pass();
        }
        step
    }

    fn answer(&mut self) -> Option<Vec<u8>> {
        if self.service.is_between_frames() { self.answers.pop() } else { None }
    }

    fn note(&mut self) -> Option<Note> {
        self.notes.pop()
    }

    fn patience(&self) -> Patience {
        match (self.verdicts.is_registered(), self.call) {
            // A call says nothing while people talk.
            (false, Call::Open) => Patience::Endless,
            (false, Call::None | Call::Asked) => Patience::Unsettled { by: self.settled_by },
            // A registration is refreshed far more often.
            (true, _) | (false, Call::Over) => Patience::Idle,
        }
    }
}

fn malformed(invalid: Invalid) -> End {
    Refusal::because(Reason::Malformed, invalid).into()
}

fn note(request: &Key<'_>, refusal: Refusal) -> Note {
    Note {
        request: Some(request.to_string().into()),
        name: shown(request),
        observation: Observation::Refused(refusal),
    }
}

/// For the gatekeeper.
const UNREGISTERED: Duration = Duration::from_secs(60);

/// So many requests are refused on one connection.
const REFUSALS: u32 = 16;
