//! What passes on an LDAP connection that has its directory: binds are judged like the first one, and the
//! directory's answers to them tell whom it refuses.

use std::{iter, mem, sync::Arc};

use rp_ldap::{
    Auth, Bind, BindAnswer, ClientFollower, ClientStep, Form, Key, MAX_DOMAIN, Request, ResultCode,
    ServiceEvent, ServiceFollower, TooManyBinds, messages,
};
use rp_route::leg::{Leg, Transport};

use super::{last_words, named, words};
use crate::{
    outcome::{End, Note, Observation, Reason, Refusal, Words},
    protocol::Protocol,
    session::{
        queue::Queue,
        relay::{Inspect, Patience, Side, Step},
    },
    state::{Destination, Live},
};

/// Follows both directions of one connection.
pub(super) struct Follow {
    live: Live,
    destination: Arc<Destination>,
    leg: Leg,
    incoming: Transport,
    client: ClientFollower,
    service: ServiceFollower,
    /// The binds that the directory has not answered, oldest first.
    binds: Queue<OpenBind>,
    /// Requests that were answered here.
    refusals: u32,
    /// The directory may close: it has said so itself, or the client has no more to say.
    may_end: bool,
    answers: Queue<Vec<u8>>,
    notes: Queue<Note>,
}

/// A bind that went on: what is told of it when the answer comes.
struct OpenBind {
    message_id: i32,
    /// Its success proves who the client is.
    proves: bool,
    /// None, where the record tells of it.
    said: Option<Box<Said>>,
}

/// What a bind says of itself.
struct Said {
    words: Words,
    domain: Option<String>,
}

impl Follow {
    pub(super) fn new(live: Live, destination: Arc<Destination>, leg: Leg, incoming: Transport) -> Self {
        Self {
            live,
            destination,
            leg,
            incoming,
            client: ClientFollower::new(),
            service: ServiceFollower::new(),
            binds: Queue::new(),
            refusals: 0,
            may_end: false,
            answers: Queue::new(),
            notes: Queue::new(),
        }
    }

    /// The same, where the connection was routed by this request. A bind has been judged then, and is in the record.
    pub(super) fn routed_by(mut self, key: &Key<'_>) -> Self {
        if let Request::Bind(bind) = &key.request
            && self.open_bind(key.message_id, bind, None).is_ok()
        {
            self.client.decided(key.frame_len);
        }
        self
    }

    /// A bind goes on, unless too many wait for their answers. `said` is told with its answer.
    fn open_bind(
        &mut self,
        message_id: i32,
        bind: &Bind<'_>,
        said: Option<Box<Said>>,
    ) -> Result<(), TooManyBinds> {
        self.service.open_bind(message_id, bind.auth)?;
        self.binds.push(OpenBind { message_id, proves: proves(bind), said });
        Ok(())
    }

    /// A bind of the same directory passes. Any other leaves it, whatever comes of it: on receipt of a bind the
    /// session is nobody's (RFC 4513 4), and must not go on as the former user's.
    fn stays(&self, bind: &Bind<'_>) -> bool {
        if bind.auth.is_sasl("EXTERNAL") || matches!(bind.auth, Auth::Other(_)) {
            return false;
        }
        let state = self.live.now();
        if state.config.ldap_requires_tls && self.incoming == Transport::Tcp {
            return false;
        }
        let mut buffer = [0; MAX_DOMAIN];
        let default = state.table(Protocol::Ldap).default();
        match named(&state, bind, bind.domain.text(&mut buffer)) {
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
        let Some(bind) = self.answered(answer.message_id) else { return };
        let ldap = &self.destination.host.ldap;
        let ResultCode(code) = answer.code;
        let suspicious = ldap.suspicious_results.contains(&code)
            || (answer.sasl && ldap.suspicious_results_sasl.contains(&code));
        let observation = if suspicious {
            Observation::Refused(Refusal::because(Reason::Refused, format_args!("bind response {code}")))
        } else if answer.code == ResultCode::SUCCESS && bind.proves {
            Observation::Proven
        } else {
            return;
        };
        let said = bind.said.map(|said| (said.words, said.domain));
        let (request, name) = said.unzip();
        self.notes.push(Note { request, name: name.flatten(), observation });
    }

    /// The bind with this id; older ones get no answer any more (RFC 4511 4.2.1).
    fn answered(&mut self, message_id: i32) -> Option<OpenBind> {
        let is_it = |bind: &OpenBind| bind.message_id == message_id;
        if !self.binds.iter().any(is_it) {
            return None;
        }
        iter::from_fn(|| self.binds.pop()).find(is_it)
    }
}

/// What becomes of a request that has to be decided.
enum Decision<'a> {
    Pass(Bind<'a>),
    Leave,
    Refuse(Vec<u8>),
}

impl Inspect for Follow {
    fn client_sent(&mut self, octets: &[u8]) -> Step {
        let mut client = mem::take(&mut self.client);
        let step = match client.step(octets) {
            Ok(ClientStep::Pass(n)) => Step::Pass(n),
            Ok(ClientStep::More(_)) => Step::More,
            Ok(ClientStep::Decide(key)) => self.decide(&key),
            Err(invalid) => {
                let (notice, refusal) = last_words(&invalid);
                if let Some(notice) = notice {
                    self.answers.push(notice);
                }
                Step::End(refusal.into())
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
                    Some(ServiceEvent::Unsolicited(_)) => self.may_end = true,
                    _ => {}
                }
                Step::Pass(step.octets)
            }
            Err(invalid) => {
                self.answers.push(messages::notice_of_disconnection(ResultCode::UNAVAILABLE));
                Step::End(End::Broken(invalid.to_string()))
            }
        }
    }

    fn answer(&mut self) -> Option<Vec<u8>> {
        if self.service.is_between_frames() { self.answers.pop() } else { None }
    }

    fn note(&mut self) -> Option<Note> {
        self.notes.pop()
    }

    fn passing(&self, side: Side, front: &[u8]) -> usize {
        match side {
            Side::Client => self.client.passing(front),
            Side::Service => self.service.passing(front),
        }
    }

    fn passed(&mut self, side: Side, octets: usize, of: usize) {
        match side {
            Side::Client => self.client.passed(octets, of),
            Side::Service => self.service.passed(octets, of),
        }
    }

    fn client_ended(&mut self) {
        self.may_end = true;
    }

    /// Clients take an abrupt end for a dead server, and some stay away from it for minutes.
    fn service_ended(&mut self) {
        if !self.may_end && !self.client.has_unbound() {
            self.answers.push(messages::notice_of_disconnection(ResultCode::UNAVAILABLE));
        }
    }

    fn closing(&mut self) {
        self.service_ended();
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
            Decision::Pass(bind) => match self.open_bind(key.message_id, &bind, Some(Said::by(key, &bind))) {
                Ok(()) => Step::Pass(key.frame_len),
                Err(TooManyBinds) => Step::Wait,
            },
            Decision::Leave => Step::Leave,
            Decision::Refuse(answer) => {
                self.answers.push(answer);
                self.refusals += 1;
                // Who does not read his answers must not make us keep them.
                if self.refusals >= REFUSALS {
                    return Step::End(Refusal::because(Reason::Malformed, "StartTLS over and over").into());
                }
                Step::Drop(key.frame_len)
            }
        }
    }

    fn decision<'a>(&self, key: &Key<'a>) -> Decision<'a> {
        match key.request {
            Request::Bind(bind) if self.stays(&bind) => Decision::Pass(bind),
            Request::Bind(_) => Decision::Leave,
            // Behind a request that went on, operations may be open (RFC 4511 4.14.1).
            _ => Decision::Refuse(messages::start_tls_response(key.message_id, ResultCode::OPERATIONS_ERROR)),
        }
    }
}

impl Said {
    fn by(key: &Key<'_>, bind: &Bind<'_>) -> Box<Self> {
        let domain = bind.domain.text(&mut [0; MAX_DOMAIN]).map(str::to_owned);
        Box::new(Self { words: words(key), domain })
    }
}

/// Whether a success says who the client is: not without a name or a password (RFC 4513 5.1), nor where SASL says
/// that it does not (RFC 4505).
fn proves(bind: &Bind<'_>) -> bool {
    match bind.auth {
        Auth::Simple { empty_password } => !empty_password && bind.domain.form != Form::Anonymous,
        Auth::Sasl { .. } => !bind.auth.is_sasl("ANONYMOUS"),
        Auth::Other(_) => false,
    }
}

/// So many requests are refused on one connection.
const REFUSALS: u32 = 16;

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{config::Config, state::State};

    fn follow() -> Follow {
        let text = "[listen]\nldap = 1389\n[[host]]\nnames = [\"a.example\"]\ntarget = \"192.0.2.1\"\nldap = { tcp = 389 }\n";
        let (config, _) = Config::parse(text, Path::new("")).expect("a configuration");
        let live = Live::new(State::build(config, None));
        let destination = live.now().table(Protocol::Ldap).lookup("a.example").expect("a host").clone();
        let leg = Leg { transport: Transport::Tcp, port: 389 };
        Follow::new(live, destination, leg, Transport::Tcp)
    }

    /// What comes of binds that are answered in turn with a code each.
    fn told(binds: &[Vec<u8>], codes: &[(i32, i32)]) -> Vec<(String, Observation)> {
        let mut follow = follow();
        for bind in binds {
            assert!(matches!(follow.client_sent(bind), Step::Pass(n) if n == bind.len()));
        }
        for &(id, code) in codes {
            let answer = messages::bind_response(id, ResultCode(code), "");
            assert!(matches!(follow.service_sent(&answer), Step::Pass(n) if n == answer.len()));
        }
        iter::from_fn(|| follow.note())
            .map(|note| {
                (note.request.map(|words| words.text().into_owned()).unwrap_or_default(), note.observation)
            })
            .collect()
    }

    fn simple(id: i32, name: &str, password: &str) -> Vec<u8> {
        messages::simple_bind_request(id, name, password)
    }

    fn sasl(id: u8, mechanism: &str) -> Vec<u8> {
        let length = u8::try_from(mechanism.len()).expect("a short name");
        let head =
            [0x30, length + 14, 2, 1, id, 0x60, length + 9, 2, 1, 3, 4, 0, 0xa3, length + 2, 4, length];
        [&head, mechanism.as_bytes()].concat()
    }

    #[test]
    fn a_success_proves_who_somebody_is_if_he_has_shown_it() {
        for (bind, proves) in [
            (simple(1, "a.example\\one", "secret"), true),
            (simple(1, "a.example\\one", ""), false),
            (simple(1, "", ""), false),
            (simple(1, "", "secret"), false),
            (sasl(1, "DIGEST-MD5"), true),
            (sasl(1, "anonymous"), false),
        ] {
            let told = told(&[bind], &[(1, 0)]);
            let proven = told.iter().any(|(_, observation)| *observation == Observation::Proven);
            assert_eq!((proven, told.len()), (proves, usize::from(proves)), "{told:?}");
        }
    }

    #[test]
    fn the_request_that_a_connection_was_routed_by_is_not_judged_again() {
        // By this name it would lead elsewhere now.
        let bind = simple(1, "b.example\\one", "guess");
        assert!(matches!(follow().client_sent(&bind), Step::Leave));
        let mut routed = follow().routed_by(&rp_ldap::extract(&bind).expect("a bind"));
        assert!(matches!(routed.client_sent(&bind), Step::Pass(n) if n == bind.len()));
        let answer = messages::bind_response(1, ResultCode(49), "");
        assert!(matches!(routed.service_sent(&answer), Step::Pass(_)));
        let note = routed.note().expect("a refusal");
        assert!(note.request.is_none() && routed.note().is_none(), "the record tells of it, once");
    }

    #[test]
    fn each_answer_is_told_of_its_own_bind() {
        // The anonymous one succeeds, which says nothing of the other.
        let binds =
            [simple(1, "", ""), simple(2, "a.example\\two", "guess"), simple(3, "a.example\\three", "x")];
        let told = told(&binds, &[(1, 0), (2, 49), (3, 0)]);
        let words: Vec<&str> = told.iter().map(|(words, _)| words.as_str()).collect();
        assert!(words[0].contains("two") && words[1].contains("three"), "{words:?}");
        assert!(matches!(&told[0].1, Observation::Refused(refusal) if refusal.detail == "bind response 49"));
        assert_eq!((&told[1].1, told.len()), (&Observation::Proven, 2));
    }

    #[test]
    fn a_bind_that_is_never_answered_is_told_of_nobody() {
        let binds = [simple(1, "a.example\\one", "x"), simple(2, "a.example\\two", "x")];
        let told = told(&binds, &[(2, 49), (1, 49)]);
        assert_eq!(told.len(), 1);
        assert!(told[0].0.contains("two"), "{told:?}");
    }

    #[test]
    fn an_unknown_sasl_user_counts_where_the_same_code_of_a_password_does_not() {
        assert_eq!(told(&[sasl(1, "SCRAM-SHA-256"), sasl(2, "SCRAM-SHA-256")], &[(1, 14), (2, 80)]).len(), 1);
        assert!(told(&[simple(1, "a.example\\one", "x")], &[(1, 80)]).is_empty());
    }
}
