//! What passes on an LDAP connection that has its directory: binds are judged like the first one, and the
//! directory's answers to them tell whom it refuses.

use std::{collections::VecDeque, sync::Arc};

use rp_ldap::{
    Auth, Bind, BindAnswer, ClientFollower, ClientStep, Form, Key, MAX_DOMAIN, Request, ResultCode,
    ServiceEvent, ServiceFollower, messages,
};
use rp_route::leg::{Leg, Transport};

use super::named;
use crate::{
    outcome::{End, Note, Observation, Reason, Refusal},
    protocol::Protocol,
    session::relay::{Inspect, Patience, Step},
    state::{Destination, State},
};

/// Follows both directions of one connection.
pub(super) struct Follow {
    state: Arc<State>,
    destination: Arc<Destination>,
    leg: Leg,
    incoming: Transport,
    client: ClientFollower,
    service: ServiceFollower,
    /// The last bind that went on: in words, and its domain.
    bind: (String, Option<String>),
    /// Requests that were answered here.
    refusals: u32,
    /// The directory has said itself that it closes.
    noticed: bool,
    answers: VecDeque<Vec<u8>>,
    notes: VecDeque<Note>,
}

impl Follow {
    pub(super) fn new(
        state: Arc<State>,
        destination: Arc<Destination>,
        leg: Leg,
        incoming: Transport,
    ) -> Self {
        Self {
            state,
            destination,
            leg,
            incoming,
            client: ClientFollower::new(),
            service: ServiceFollower::new(),
            bind: (String::new(), None),
            refusals: 0,
            noticed: false,
            answers: VecDeque::new(),
            notes: VecDeque::new(),
        }
    }

    /// A bind of the same directory passes. Any other leaves it, whatever comes of it: on receipt of a bind the
    /// session is nobody's (RFC 4513 4), and must not go on as the former user's.
    fn stays(&self, bind: &Bind<'_>) -> bool {
        if bind.auth.is_sasl("EXTERNAL") || matches!(bind.auth, Auth::Other(_)) {
            return false;
        }
        if self.state.config.ldap_requires_tls && self.incoming == Transport::Tcp {
            return false;
        }
        let mut buffer = [0; MAX_DOMAIN];
        let default = self.state.table(Protocol::Ldap).default();
        match named(&self.state, bind, bind.domain.text(&mut buffer)) {
            Some(destination) => self.is_here(destination),
            // An anonymous bind ends a session here, and SASL has its names inside (RFC 4513 5.2.1.4).
            None if bind.domain.form == Form::Anonymous || matches!(bind.auth, Auth::Sasl { .. }) => true,
            None => default.is_some_and(|destination| self.is_here(destination)),
        }
    }

    fn is_here(&self, destination: &Arc<Destination>) -> bool {
        let ports = destination.host.services[Protocol::Ldap].as_ref().map(|service| service.ports);
        let leg = ports.and_then(|ports| ports.leg(self.incoming));
        Arc::ptr_eq(&destination.host, &self.destination.host) && leg == Some(self.leg)
    }

    fn judge(&mut self, answer: &BindAnswer) {
        let ldap = &self.destination.host.ldap;
        let ResultCode(code) = answer.code;
        if ldap.suspicious_results.contains(&code)
            || (answer.sasl && ldap.suspicious_results_sasl.contains(&code))
        {
            let (request, name) = self.bind.clone();
            let refusal = Refusal::because(Reason::Refused, format_args!("bind response {code}"));
            self.notes.push_back(Note {
                request: Some(request),
                name,
                observation: Observation::Refused(refusal),
            });
        }
    }
}

/// What becomes of a request that has to be decided.
enum Decision {
    Pass { id: i32, sasl: bool },
    Leave,
    Refuse(Vec<u8>),
}

impl Inspect for Follow {
    fn client_sent(&mut self, octets: &[u8]) -> Step {
        let mut client = std::mem::take(&mut self.client);
        let step = match client.step(octets) {
            Ok(ClientStep::Pass(n)) => Step::Pass(n),
            Ok(ClientStep::More(_)) => Step::More,
            Ok(ClientStep::Decide(key)) => self.decide(&key),
            Err(invalid) => {
                self.answers.push_back(messages::notice_of_disconnection(ResultCode::PROTOCOL_ERROR));
                Step::End(Refusal::because(Reason::Malformed, invalid).into())
            }
        };
        self.client = client;
        step
    }

    fn service_sent(&mut self, octets: &[u8]) -> Step {
        match self.service.step(octets) {
            Ok(step) => {
                match step.event {
                    Some(ServiceEvent::Bind(answer)) => {
                        if answer.may_begin_layer() {
                            self.client.layer_may_begin();
                        }
                        self.judge(&answer);
                    }
                    Some(ServiceEvent::Unsolicited(_)) => self.noticed = true,
                    _ => {}
                }
                Step::Pass(step.octets)
            }
            Err(invalid) => {
                self.answers.push_back(messages::notice_of_disconnection(ResultCode::UNAVAILABLE));
                Step::End(End::Broken(invalid.to_string()))
            }
        }
    }

    fn answer(&mut self) -> Option<Vec<u8>> {
        if self.service.is_between_frames() { self.answers.pop_front() } else { None }
    }

    fn note(&mut self) -> Option<Note> {
        self.notes.pop_front()
    }

    /// Clients take an abrupt end for a dead server, and some stay away from it for minutes.
    fn service_ended(&mut self) {
        if !self.noticed {
            self.answers.push_back(messages::notice_of_disconnection(ResultCode::UNAVAILABLE));
        }
    }

    fn may_leave(&self) -> bool {
        self.service.is_between_frames()
    }

    fn patience(&self) -> Patience {
        Patience::Idle
    }
}

impl Follow {
    fn decide(&mut self, key: &Key<'_>) -> Step {
        match self.decision(key) {
            Decision::Pass { id, sasl } => {
                let auth =
                    if sasl { Auth::Sasl { mechanism: b"" } } else { Auth::Simple { empty_password: false } };
                if self.service.open_bind(id, auth).is_err() {
                    return Step::Wait;
                }
                self.bind.0 = key.to_string();
                Step::Pass(key.frame_len)
            }
            Decision::Leave => Step::Leave,
            Decision::Refuse(answer) => {
                self.answers.push_back(answer);
                self.refusals += 1;
                // Who does not read his answers must not make us keep them.
                if self.refusals >= REFUSALS {
                    return Step::End(Refusal::because(Reason::Malformed, "StartTLS over and over").into());
                }
                Step::Drop(key.frame_len)
            }
        }
    }

    fn decision(&mut self, key: &Key<'_>) -> Decision {
        match key.request {
            Request::Bind(bind) if self.stays(&bind) => {
                self.bind.1 = bind.domain.text(&mut [0; MAX_DOMAIN]).map(str::to_owned);
                Decision::Pass { id: key.message_id, sasl: matches!(bind.auth, Auth::Sasl { .. }) }
            }
            Request::Bind(_) => Decision::Leave,
            // Behind a request that went on, operations may be open (RFC 4511 4.14.1).
            _ => Decision::Refuse(messages::start_tls_response(key.message_id, ResultCode::OPERATIONS_ERROR)),
        }
    }
}

/// So many requests are refused on one connection.
const REFUSALS: u32 = 16;
