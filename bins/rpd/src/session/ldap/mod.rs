//! LDAP: the domain in the name of the first bind that has one names the host (RFC 4511 4.2).
//!
//! Until then the connection is unrouted, and answered here: healthy clients search or bind anonymously before
//! they bind by name.

pub(super) mod explain;
mod follow;

use std::{fmt, sync::Arc, time::Instant};

use rp_ldap::{
    Auth, Bind, Domain, Error, Form, Invalid, Key, MAX_DOMAIN, MAX_FRAME, Reason as LdapReason, Request,
    ResultCode, extract, messages,
};
use rp_route::leg::{Leg, Transport};
use tokio::io::AsyncWriteExt;

use super::{
    Session,
    case::Case,
    close,
    head::{Deadlines, Framing, Head, Reading},
    leg::{self, NoLeg},
    relay::Relay,
};
use crate::{
    cancel,
    outcome::{Cause, End, Observation, Reason, Refusal, Words},
    protocol::{Kind, ListenerKind, Protocol},
    state::{Destination, State},
    stream::Stream,
};
use follow::Follow;

/// What has happened on a connection that has no directory.
#[derive(Default)]
struct Unrouted {
    /// It had one before.
    was_routed: bool,
    /// It was refused something for want of a name. Healthy clients may try without one first, so this is told once,
    /// when it is clear that no name will come.
    unnamed: Option<Refusal>,
    /// Requests that were dealt with here.
    requests: u32,
}

impl Unrouted {
    /// How the connection ended, knowing what was before.
    fn end(self, end: End) -> End {
        let silent = matches!(&end, End::Refused(refusal) if refusal.reason == Reason::Silent);
        match self.unnamed {
            Some(refusal) if !self.was_routed => refusal.into(),
            _ if silent && (self.was_routed || self.requests > 0) => {
                End::Served(Cause::TimedOut("limits.first-message"))
            }
            _ => end,
        }
    }
}

/// From the first octet to the relay; or, if the client had a directory before, from a bind that this one was not for.
/// What is rare lies in boxes: room for it here would be everybody's.
pub(super) async fn serve(
    session: &mut Session,
    mut head: Head,
    was_routed: bool,
) -> Result<Box<Relay>, End> {
    let mut so_far = Unrouted { was_routed, ..Unrouted::default() };
    let mut deadlines = if was_routed {
        next_deadlines(session)
    } else {
        Deadlines::of(&session.facts, &session.state().config.limits)
    };
    while so_far.requests < OWN_ANSWERS {
        let key = loop {
            let missing = match extract(&head.octets) {
                Ok(key) => break key,
                Err(Error::Invalid(invalid)) => return Err(Box::pin(refuse_invalid(head, &invalid)).await),
                Err(Error::Incomplete(missing)) => missing,
            };
            let reading =
                Reading { framing: Framing::Lengths, largest: MAX_FRAME, deadlines, cancel: &session.cancel };
            match reading.more(&mut head, missing).await {
                Ok(()) => {}
                Err(end) if session.cancel.request() >= cancel::Request::ShutOut => {
                    Box::pin(disconnect(head, ResultCode::UNAVAILABLE)).await;
                    return Err(end);
                }
                Err(end) => return Err(so_far.end(end)),
            }
        };
        session.record.request = Some(words(&key));
        so_far.requests += 1;
        let answer = match session.decide(|case| decide(case, &key, head.octets.len())) {
            Step::Open(destination, leg) => {
                session.key_found();
                match leg::open(session, Protocol::Ldap, &destination, leg, &mut head.alarm).await {
                    Ok(service) => {
                        let incoming = head.stream.transport();
                        let follow =
                            Follow::new(session.live.clone(), destination, leg, incoming).routed_by(&key);
                        let relay = session.relay(head, service, Protocol::Ldap);
                        return Ok(relay.inspected(follow));
                    }
                    Err(none) => no_connection(none),
                }
            }
            Step::Answer(answer) => answer,
            Step::Ignore => {
                head.octets.drain(..key.frame_len);
                continue;
            }
            Step::Leave => return Err(so_far.end(End::Gone)),
            Step::Disconnect(refusal) => {
                Box::pin(disconnect(head, ResultCode::PROTOCOL_ERROR)).await;
                return Err(refusal.into());
            }
            Step::StartTls => {
                let id = key.message_id;
                head = Box::pin(start_tls(session, head, id)).await?;
                deadlines = next_deadlines(session);
                continue;
            }
        };
        let octets =
            messages::result(key.operation(), key.message_id, answer.code, answer.text).unwrap_or_default();
        head.octets.drain(..key.frame_len);
        head.stream.write_all(&octets).await.map_err(|_| End::Gone)?;
        match answer.refusal {
            Some(refusal) if answer.at_the_end => so_far.unnamed = Some(refusal),
            Some(refusal) => session.observe(&Observation::Refused(refusal)),
            None => {}
        }
        deadlines = next_deadlines(session);
    }
    close::with_answer(head.stream, &[]).await;
    Err(so_far.end(End::Served(Cause::Closed)))
}

fn no_connection(none: NoLeg) -> Answer {
    let code = match &none {
        NoLeg::Full(_) => ResultCode::BUSY,
        NoLeg::Unreachable(_) => ResultCode::UNAVAILABLE,
    };
    Answer::refused(code, "no connection to the directory", none.into())
}

/// After an answer of ours the time for the next request begins anew, and silence is no worse than slowness.
fn next_deadlines(session: &Session) -> Deadlines {
    Deadlines::begun(Instant::now(), session.state().config.limits.first_message)
}

/// What the log says of a request.
fn words(key: &Key<'_>) -> Words {
    match key.request {
        Request::Bind(Bind { name, auth: Auth::Simple { empty_password }, .. })
            if name.len() <= USUAL_NAME =>
        {
            let name = name.into();
            Words::Later(Arc::new(SimpleBind { message_id: key.message_id, name, empty_password }))
        }
        _ => key.to_string().into(),
    }
}

/// What nearly all connections begin with.
struct SimpleBind {
    message_id: i32,
    name: Box<[u8]>,
    empty_password: bool,
}

impl fmt::Display for SimpleBind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { message_id, ref name, empty_password } = *self;
        let auth = Auth::Simple { empty_password };
        let bind = Bind { version: 3, name, domain: Domain::of(name), auth };
        Key { message_id, frame_len: 0, request: Request::Bind(bind) }.fmt(f)
    }
}

/// Says yes to StartTLS, and goes on over TLS (4.14).
async fn start_tls(session: &mut Session, head: Head, message_id: i32) -> Result<Head, End> {
    let Stream::Tcp(mut socket) = head.stream else { return Err(End::Gone) };
    let yes = messages::start_tls_response(message_id, ResultCode::SUCCESS);
    socket.write_all(&yes).await.map_err(|_| End::Gone)?;
    Box::pin(session.handshake(socket, LDAPS, Instant::now())).await.map(Head::new)
}

/// What to do with a request of a connection that has no route.
enum Step {
    /// Connect, and relay from this request on.
    Open(Arc<Destination>, Leg),
    /// Answer it here and go on.
    Answer(Answer),
    /// There is no answer to it.
    Ignore,
    /// The client says goodbye.
    Leave,
    /// End with a notice (4.4.1).
    Disconnect(Refusal),
    /// Go on over TLS.
    StartTls,
}

struct Answer {
    code: ResultCode,
    text: &'static str,
    refusal: Option<Refusal>,
    at_the_end: bool,
}

impl Answer {
    fn plain(code: ResultCode, text: &'static str) -> Self {
        Self { code, text, refusal: None, at_the_end: false }
    }

    fn refused(code: ResultCode, text: &'static str, refusal: Refusal) -> Self {
        Self { code, text, refusal: Some(refusal), at_the_end: false }
    }
}

/// Of `received` octets the request is the first.
fn decide(case: &mut Case<'_>, key: &Key<'_>, received: usize) -> Step {
    match key.request {
        Request::Bind(bind) => decide_bind(case, &bind),
        Request::Unbind => Step::Leave,
        // 4.11: no answer is defined for it.
        Request::Abandon { .. } => Step::Ignore,
        // Octets behind it were sent in clear by somebody who wants them to be taken for encrypted ones (4.14.1).
        Request::Extended { .. } if key.is_start_tls() && received > key.frame_len => {
            Step::Disconnect(Refusal::new(Reason::StarttlsInjection))
        }
        Request::Extended { .. } if key.is_start_tls() => decide_start_tls(case),
        // 4.1.1: what is no operation ends the session.
        Request::Other(tag) if tag.answer().is_none() => {
            Step::Disconnect(Refusal::because(Reason::Malformed, "an operation that LDAP does not have"))
        }
        _ => default_or(case, ResultCode::OPERATIONS_ERROR, "bind first"),
    }
}

fn decide_start_tls(case: &Case<'_>) -> Step {
    if case.incoming() == Transport::Tls {
        return Step::Answer(Answer::plain(ResultCode::OPERATIONS_ERROR, "TLS is on already"));
    }
    // 4.14.1: not supported by the configuration.
    let no = Answer::plain(ResultCode::PROTOCOL_ERROR, "StartTLS is not offered here");
    if case.state.server_tls(LDAPS).is_some() { Step::StartTls } else { Step::Answer(no) }
}

fn decide_bind(case: &mut Case<'_>, bind: &Bind<'_>) -> Step {
    let mut buffer = [0; MAX_DOMAIN];
    let domain = bind.domain.text(&mut buffer);
    case.record.name = domain.map(str::to_owned);
    let in_clear = case.state.config.ldap_requires_tls && case.incoming() == Transport::Tcp;
    if in_clear {
        case.asked("require-tls", false, || "a bind in clear is not taken".to_owned());
        return Step::Answer(Answer::plain(ResultCode::CONFIDENTIALITY_REQUIRED, "StartTLS first"));
    }
    let sasl = matches!(bind.auth, Auth::Sasl { .. });
    // EXTERNAL would authenticate this proxy's own certificate on a TLS leg; the others bypass every check.
    if bind.auth.is_sasl("EXTERNAL") || matches!(bind.auth, Auth::Other(_)) {
        return unnamed(ResultCode::AUTH_METHOD_NOT_SUPPORTED, NAMED_BIND);
    }
    if let Some(destination) = named(case.state, bind, domain) {
        return open(case, Some(destination));
    }
    match bind.domain.form {
        Form::Anonymous if !sasl => {
            default_or(case, ResultCode::INAPPROPRIATE_AUTHENTICATION, "bind with a name")
        }
        _ if sasl => default_or(case, ResultCode::AUTH_METHOD_NOT_SUPPORTED, NAMED_BIND),
        _ => open(case, case.state.table(Protocol::Ldap).default()),
    }
}

/// The host of the domain in a bind name. `user@domain` names a host only where that is wanted.
fn named<'a>(state: &'a State, bind: &Bind<'_>, domain: Option<&str>) -> Option<&'a Arc<Destination>> {
    let counts = |destination: &&Arc<Destination>| {
        bind.domain.form != Form::Upn || destination.host.ldap.user_at_domain
    };
    state.table(Protocol::Ldap).lookup(domain?).filter(counts)
}

/// One answer for an unknown name, a network and a leg that are not allowed: it tells nobody which domains exist.
fn open(case: &mut Case<'_>, destination: Option<&Arc<Destination>>) -> Step {
    match leg::choose(case, Protocol::Ldap, destination) {
        Ok((destination, leg)) => Step::Open(destination.clone(), leg),
        Err(refusal) => Step::Answer(Answer::refused(ResultCode::INVALID_CREDENTIALS, "", refusal)),
    }
}

/// To the default host, if there is one; it takes whatever has no route otherwise.
fn default_or(case: &mut Case<'_>, code: ResultCode, text: &'static str) -> Step {
    match case.state.table(Protocol::Ldap).default() {
        Some(destination) => open(case, Some(destination)),
        None => unnamed(code, text),
    }
}

fn unnamed(code: ResultCode, text: &'static str) -> Step {
    let refusal =
        Refusal::because(Reason::NoName, format_args!("answered {code}, and no bind with a name followed"));
    Step::Answer(Answer { code, text, refusal: Some(refusal), at_the_end: true })
}

async fn refuse_invalid(head: Head, invalid: &Invalid) -> End {
    let (notice, refusal) = last_words(invalid);
    close::with_answer(head.stream, &notice.unwrap_or_default()).await;
    refusal.into()
}

/// What is said of octets that are no request, to the client and to the log. Who cannot frame a message would not
/// understand one.
fn last_words(invalid: &Invalid) -> (Option<Vec<u8>>, Refusal) {
    let too_large = invalid.reason == LdapReason::TooLarge;
    let notice = messages::notice_of_disconnection(ResultCode::PROTOCOL_ERROR);
    let reason = if too_large { Reason::TooLarge } else { Reason::Malformed };
    ((!invalid.in_outer_header()).then_some(notice), Refusal::because(reason, invalid))
}

/// Ends with a notice (4.4.1).
async fn disconnect(head: Head, code: ResultCode) {
    close::with_answer(head.stream, &messages::notice_of_disconnection(code)).await;
}

const NAMED_BIND: &str = "simple bind with domain\\user or DN required";

/// Whose TLS configuration a connection has that begins in clear.
const LDAPS: ListenerKind = ListenerKind::Only(Kind { protocol: Protocol::Ldap, transport: Transport::Tls });

/// Names longer than this are rare, and are cut where they are told.
const USUAL_NAME: usize = 256;

/// Requests that are dealt with on one unrouted connection.
const OWN_ANSWERS: u32 = 8;
