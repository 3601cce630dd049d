//! HTTP: every request is routed anew by its Host (RFC 9110 7.2), checked, written anew, and answered in order.

mod exchange;

use std::{
    sync::Arc,
    task::{Context, Waker},
    time::{Duration, Instant},
};

use rp_http::{Error, Head as Request, Invalid, Key, Scheme, Target, Version, extract, forward};
use rp_route::leg::{Leg, Transport};
use tokio::{io::AsyncWriteExt, time::timeout};

use super::{
    Session, close,
    head::{Deadlines, Framing, Head},
    leg,
    relay::Relay,
};
use crate::{
    cancel::Request as Asked,
    outcome::{Cause, End, Observation, Reason, Refusal},
    protocol::Protocol,
    scratch,
    state::Destination,
    stream::Stream,
};
use exchange::{Exchange, Exchanged, Fault};

/// From the first octet to the last answer, or to the tunnel.
pub(super) async fn serve(session: &mut Session, mut head: Head) -> Result<Relay, End> {
    let mut upstream: Option<Upstream> = None;
    let mut requests = 0_u32;
    loop {
        next_request(session, &mut head, requests).await?;
        let key = match extract(&head.octets) {
            Ok(key) => key,
            Err(Error::Invalid(invalid)) => return Err(refuse_invalid(session, head, &invalid).await),
            Err(Error::Incomplete(_)) => return Err(End::Gone),
        };
        if requests == 0 {
            session.key_found();
        }
        requests += 1;
        note(session, &key);

        let incoming = head.stream.transport();
        let (destination, leg) = match route(session, &key.head, incoming) {
            Ok(route) => route,
            Err(no) => {
                head = refuse(session, head, no).await?;
                continue;
            }
        };
        let kept = upstream.take().filter(|upstream| upstream.leads_to(&destination, leg));
        let reusable = kept.and_then(Upstream::if_quiet);
        let exchanged = match exchange(session, &mut head, reusable, &destination, leg).await {
            Ok(exchanged) => exchanged,
            Err(Failure::Refused(no)) => {
                head = refuse(session, head, no).await?;
                continue;
            }
            Err(Failure::Broken(end)) => return Err(end),
        };
        session.observe(&Observation::Forwarded);
        match exchanged {
            Done::Next(kept) => upstream = kept,
            Done::Close => {
                close::with_answer(head.stream, &[]).await;
                return Err(End::Served(Cause::Closed));
            }
            Done::Tunnel { service, received } => {
                return Ok(session.tunnel((head.stream, head.octets), (service, received)));
            }
        }
    }
}

/// A leg that stays with this client connection.
struct Upstream {
    stream: Stream,
    destination: Arc<Destination>,
    leg: Leg,
}

impl Upstream {
    fn leads_to(&self, destination: &Arc<Destination>, leg: Leg) -> bool {
        Arc::ptr_eq(&self.destination, destination) && self.leg == leg
    }

    /// A leg on which something has come since the last answer, if only its end, is of no use any more: what comes
    /// would be taken for the next answer.
    fn if_quiet(mut self) -> Option<Self> {
        let mut cx = Context::from_waker(Waker::noop());
        let read = scratch::poll_read_with(&mut self.stream, &mut cx, |_, _| ());
        read.is_pending().then_some(self)
    }
}

/// A request that is answered here.
struct No {
    status: u16,
    refusal: Refusal,
    /// The connection may go on with the next request.
    stays: bool,
}

impl No {
    fn closing(status: u16, refusal: Refusal) -> Self {
        Self { status, refusal, stays: false }
    }
}

/// Waits for a whole head. A client that is silent between requests goes without a word.
async fn next_request(session: &mut Session, head: &mut Head, requests: u32) -> Result<(), End> {
    let limits = &session.state.config.limits;
    let first = requests == 0;
    let deadlines = if first {
        Deadlines::of(&session.facts, limits)
    } else {
        let idle = limits.idle.http;
        head.wait(idle, "limits.idle.http", &session.cancel).await?;
        Deadlines::begun(Instant::now(), limits.http_head)
    };
    let filled = head
        .fill(Framing::Lines, rp_http::head::MAX_HEAD, deadlines, &session.cancel, |octets| {
            match extract(octets) {
                Err(Error::Incomplete(more)) => Err(more),
                _ => Ok(()),
            }
        })
        .await;
    match filled {
        // Browsers open spare connections.
        Err(End::Refused(Refusal { reason: Reason::Silent, .. })) => Err(End::Gone),
        Err(End::Refused(mut refusal)) if refusal.reason == Reason::FirstMessageTimeout => {
            if !first {
                refusal.detail = "limits.http-head".to_owned();
            }
            let answer = own_answer(408, Version::Http11, false, true);
            // The client is slow, not deaf.
            let _ = timeout(ANSWER_TIME, head.stream.write_all(&answer)).await;
            Err(refusal.into())
        }
        Err(end) if first || matches!(end, End::Refused(_)) => Err(end),
        Err(_) => Err(End::Served(Cause::Closed)),
        Ok(()) => Ok(()),
    }
}

fn note(session: &mut Session, key: &Key<'_>) {
    let record = &mut session.record;
    record.name = Some(String::from_utf8_lossy(key.head.host.name()).into_owned());
    // The query may hold secrets.
    record.request = Some(key.to_string());
    record.host = None;
    record.leg = None;
    record.target = None;
    record.status = None;
}

/// Every question between a head and a connection, in this order; the first "no" answers.
fn route(
    session: &mut Session,
    request: &Request<'_>,
    incoming: Transport,
) -> Result<(Arc<Destination>, Leg), No> {
    let scheme = scheme(incoming);
    if request.absolute_scheme.is_some_and(|absolute| absolute != scheme) {
        let detail = "the target's scheme is not that of the connection";
        return Err(No::closing(400, Refusal::because(Reason::Malformed, detail)));
    }
    let Target::Path { path, query, encoded_slash } = request.target else {
        return Err(No {
            status: 403,
            refusal: Refusal::because(Reason::UrlNotAllowed, "OPTIONS *"),
            stays: true,
        });
    };
    let table = session.state.table(Protocol::Http);
    let name = session.record.name.as_deref().unwrap_or_default();
    let destination = table.lookup(name).or_else(|| table.default()).cloned();
    misdirected(session, destination.as_ref())?;
    let leg = leg::choose(session, Protocol::Http, incoming, destination.as_ref())
        .map_err(|refusal| No::closing(404, refusal))?;
    let Some(destination) = destination else {
        return Err(No::closing(404, Refusal::new(Reason::UnknownHost)));
    };
    let host = &destination.host;
    if encoded_slash && !host.http.encoded_slash {
        return Err(No::closing(
            400,
            Refusal::because(Reason::Malformed, "%2f in the path; http.encoded-slash is \"reject\""),
        ));
    }
    if let Some(urls) = &host.http.urls
        && urls.matcher.lookup(path, query).is_none()
    {
        let refusal = Refusal::because(Reason::UrlNotAllowed, urls.why_not(path));
        return Err(No { status: 403, refusal, stays: true });
    }
    Ok((destination, leg))
}

/// One certificate for both names is no excuse: networks and targets belong to the host (RFC 9110 15.5.20).
fn misdirected(session: &Session, destination: Option<&Arc<Destination>>) -> Result<(), No> {
    let sni = session.record.tls.as_ref().and_then(|tls| tls.sni.as_deref());
    let table = session.state.table(Protocol::Http);
    match (sni.and_then(|sni| table.lookup(sni)), destination) {
        (Some(named), Some(asked)) if !Arc::ptr_eq(named, asked) => {
            let detail = format!("SNI names {}, Host names {}", named.host.label(), asked.host.label());
            Err(No::closing(421, Refusal::because(Reason::Misdirected, detail)))
        }
        _ => Ok(()),
    }
}

fn scheme(incoming: Transport) -> Scheme {
    match incoming {
        Transport::Tcp => Scheme::Http,
        Transport::Tls => Scheme::Https,
    }
}

/// What comes behind an exchange.
enum Done {
    Next(Option<Upstream>),
    Close,
    Tunnel { service: Stream, received: Vec<u8> },
}

/// Why there is nothing behind it.
enum Failure {
    /// No answer has begun: this one is given instead.
    Refused(No),
    /// An answer had begun.
    Broken(End),
}

/// Connects if need be, sends the request that stands at the front of `head` and passes the answer. A leg that had
/// been used may have been closed meanwhile: then the request is sent once more, if nothing of it can have been done.
async fn exchange(
    session: &mut Session,
    head: &mut Head,
    reusable: Option<Upstream>,
    destination: &Arc<Destination>,
    leg: Leg,
) -> Result<Done, Failure> {
    let mut reusable = reusable;
    loop {
        let used = reusable.is_some();
        let stream = match reusable.take() {
            Some(upstream) => upstream.stream,
            None => connect(session, head, destination, leg).await?,
        };
        session.record.target = stream.peer().ok();
        let key = extract(&head.octets).map_err(|_| Failure::Broken(End::Gone))?;
        let exchange = prepare(session, &key.head, head.stream.transport());
        let again = used && is_idempotent(key.head.method);
        let mut behind = head.octets.split_off(key.head_len);
        let exchanged = exchange.run(&mut head.stream, &mut behind, stream, &session.cancel).await;
        match exchanged {
            Ok(exchanged) => {
                head.octets = behind;
                return Ok(done(session, exchanged, destination, leg));
            }
            Err(fault) => {
                // Sent once more, or refused in view of how it looked.
                head.octets.append(&mut behind);
                if !(again && matches!(fault, Fault::Untouched)) {
                    return Err(failure(fault));
                }
            }
        }
    }
}

fn prepare(session: &Session, request: &Request<'_>, incoming: Transport) -> Exchange {
    let source = session.facts.source.ip().to_canonical().to_string();
    let forwarding = forward::Forwarding {
        client: &source,
        scheme: scheme(incoming),
        trusted: false,
        own_address: None,
        forwarded: false,
        via: None,
    };
    Exchange::new(request, &forwarding, session.state.config.limits.http_response)
}

fn done(session: &mut Session, exchanged: Exchanged, destination: &Arc<Destination>, leg: Leg) -> Done {
    let Exchanged { status, octets, outcome } = exchanged;
    session.record.status = Some(status);
    session.record.octets = octets;
    match outcome {
        exchange::Outcome::Kept(stream) => {
            Done::Next(stream.map(|stream| Upstream { stream, destination: destination.clone(), leg }))
        }
        exchange::Outcome::Close => Done::Close,
        exchange::Outcome::Tunnel { service, received } => Done::Tunnel { service, received },
    }
}

async fn connect(
    session: &mut Session,
    head: &Head,
    destination: &Arc<Destination>,
    leg: Leg,
) -> Result<Stream, Failure> {
    leg::open(session, Protocol::Http, destination, leg).await.map_err(|unreachable| {
        let status = if unreachable.timed_out() { 504 } else { 502 };
        let without_body = extract(&head.octets).is_ok_and(|key| key.head.framing == rp_http::Framing::None);
        Failure::Refused(No { status, refusal: unreachable.into(), stays: without_body })
    })
}

/// RFC 9110 9.2.2.
fn is_idempotent(method: &[u8]) -> bool {
    matches!(method, b"GET" | b"HEAD" | b"OPTIONS" | b"PUT" | b"DELETE")
}

fn failure(fault: Fault) -> Failure {
    let no = |status, reason, detail: String| {
        Failure::Refused(No::closing(status, Refusal::because(reason, detail)))
    };
    match fault {
        Fault::Untouched => no(502, Reason::TargetFailed, "the target closed without an answer".to_owned()),
        Fault::Request(detail) => no(400, Reason::Malformed, detail),
        Fault::Service(detail) => no(502, Reason::TargetFailed, detail),
        Fault::TimedOut => no(504, Reason::TargetFailed, "limits.http-response".to_owned()),
        Fault::Broken(cause) => Failure::Broken(End::Served(cause)),
    }
}

/// Answers, and goes on with the connection where the rule and the request allow it.
async fn refuse(session: &mut Session, mut head: Head, no: No) -> Result<Head, End> {
    session.record.status = Some(no.status);
    let Ok(Key { head_len, head: request, .. }) = extract(&head.octets) else {
        return Err(no.refusal.into());
    };
    let bodiless = request.framing == rp_http::Framing::None;
    let stays = no.stays && bodiless && request.keeps_alive() && session.cancel.request() == Asked::None;
    let answer = own_answer(no.status, request.version, request.method == b"HEAD", !stays);
    if !stays {
        close::with_answer(head.stream, &answer).await;
        return Err(no.refusal.into());
    }
    head.octets.drain(..head_len);
    let sent = timeout(ANSWER_TIME, head.stream.write_all(&answer)).await;
    sent.unwrap_or(Err(std::io::ErrorKind::TimedOut.into())).map_err(|_| End::Served(Cause::ClientLost))?;
    session.observe(&Observation::Refused(no.refusal));
    Ok(head)
}

async fn refuse_invalid(session: &mut Session, head: Head, invalid: &Invalid) -> End {
    let status = invalid.status();
    let reason = match status {
        414 | 431 => Reason::TooLarge,
        405 | 501 => Reason::MethodNotAllowed,
        _ => Reason::Malformed,
    };
    session.record.status = Some(status);
    let answer = own_answer(status, Version::Http11, head.octets.starts_with(b"HEAD "), true);
    close::with_answer(head.stream, &answer).await;
    Refusal::because(reason, invalid).into()
}

fn own_answer(status: u16, version: Version, head_only: bool, close: bool) -> Vec<u8> {
    let date = httpdate::fmt_http_date(std::time::SystemTime::now());
    let text = forward::reason_phrase(status);
    let mut octets = Vec::new();
    let answer = forward::Answer { status, text, date: &date, head_only, fields: &[] };
    forward::answer(&answer, forward::Client { version, close }, &mut |slice| {
        octets.extend_from_slice(slice);
    });
    octets
}

/// How long a client may take to make room for a short answer of ours.
const ANSWER_TIME: Duration = Duration::from_secs(10);
