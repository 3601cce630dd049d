//! HTTP: every request is routed anew by its Host (RFC 9110 7.2), checked, written anew, and answered in order.

mod address;
mod answer;
mod exchange;
pub(super) mod explain;
mod flow;
mod legs;
mod pace;
mod request;
mod response;
mod route;

use std::{
    mem,
    num::{NonZeroU32, NonZeroUsize},
    time::Instant,
};

use rp_http::{Error, Head as RequestHead, Key, extract, forward::Forwarding};

use super::{
    Session, close,
    head::{Deadlines, Framing, Head, Reading, ends_a_head},
    leg::NoLeg,
    relay::Relay,
};
use crate::outcome::{Cause, End, Observation, Reason, Record, Refusal, Words};
use answer::Own;
use exchange::{Exchange, Exchanged, Fault, Outcome};
use legs::{Legs, Upstream};
use pace::Pace;
use request::Request;
use response::{Passing, Response};
use route::Way;

/// From the first octet to the last answer, or to the tunnel.
pub(super) async fn serve(session: &mut Session, head: Head) -> Result<Box<Relay>, End> {
    let mut legs = Legs::default();
    let served = requests(session, head, &mut legs).await;
    legs.leave(session);
    served
}

/// What is rare lies in boxes: room for it here would be every connection's, for as long as it lives.
async fn requests(session: &mut Session, mut head: Head, legs: &mut Legs) -> Result<Box<Relay>, End> {
    for number in 1.. {
        next_request(session, &mut head, number == 1).await?;
        let octets = mem::take(&mut head.octets);
        let key = match extract(&octets) {
            Ok(key) => key,
            Err(Error::Invalid(invalid)) => {
                return Err(Box::pin(answer::refuse_invalid(session, head, &octets, &invalid)).await);
            }
            Err(Error::Incomplete(_)) => return Err(End::Gone),
        };
        head.octets.extend_from_slice(&octets[key.head_len..]);
        if number == 1 {
            session.key_found();
        }
        note(&mut session.record, &key, number);

        let request = &key.head;
        let way = match session.decide(|case| route::route(case, request)) {
            Ok(way) => way,
            Err(own) => {
                head = Box::pin(answer::answer(session, head, request, own)).await?;
                continue;
            }
        };
        match Box::pin(exchange(session, &mut head, legs, request, &way)).await {
            Ok(Done::Next) => {}
            Ok(Done::Close) => {
                // Who has said that he sends nothing more need not be waited for.
                if request.keeps_alive() || !head.octets.is_empty() {
                    close::with_answer(head.stream, &[]).await;
                } else {
                    close::at_once(head.stream).await;
                }
                return Err(End::Served(Cause::Closed));
            }
            Ok(Done::Tunnel { service, received }) => {
                let service = (service.stream, service.place.into_tunnel(), received);
                return Ok(session.tunnel((head.stream, head.octets), service));
            }
            Err(Failure::Refused(own)) => {
                head = Box::pin(answer::answer(session, head, request, own)).await?;
            }
            Err(Failure::Broken(end)) => return Err(end),
        }
    }
    Err(End::Served(Cause::Closed))
}

/// Waits for a whole head. A client that is silent between requests goes without a word.
async fn next_request(session: &mut Session, head: &mut Head, first: bool) -> Result<(), End> {
    let deadlines = if first {
        Deadlines::of(&session.facts, &session.state().config.limits)
    } else {
        let idle = session.state().config.limits.idle.http;
        head.wait(idle, "limits.idle.http", &session.cancel).await?;
        Deadlines::begun(Instant::now(), session.state().config.limits.http_head)
    };
    let largest = rp_http::head::MAX_HEAD;
    let reading = Reading { framing: Framing::Lines, largest, deadlines, cancel: &session.cancel };
    match head.fill(reading, is_decided).await {
        // Browsers open spare connections.
        Err(End::Refused(Refusal { reason: Reason::Silent, .. })) => Err(End::Gone),
        Err(End::Refused(refusal)) if refusal.reason == Reason::FirstMessageTimeout => {
            answer::too_late(head).await;
            Err(if first {
                refusal
            } else {
                Refusal::because(refusal.reason, "limits.http-head").not_counted()
            }
            .into())
        }
        Err(end) if first || matches!(end, End::Refused(_)) => Err(end),
        Err(_) => Err(End::Served(Cause::Closed)),
        Ok(()) => Ok(()),
    }
}

/// Whether [`extract`] decides about these octets.
fn is_decided(octets: &[u8]) -> Result<(), NonZeroUsize> {
    // It always does where a head ends, and has to be asked only once then.
    if ends_a_head(octets, 0) {
        return Ok(());
    }
    match extract(octets) {
        Err(Error::Incomplete(more)) => Err(more),
        _ => Ok(()),
    }
}

fn note(record: &mut Record, key: &Key<'_>, number: u32) {
    // No host has a name that has to be cut.
    set(record.name.get_or_insert_default(), &[&String::from_utf8_lossy(key.head.host.name())]);
    let mut request = match record.request.take() {
        Some(Words::Text(former)) => former,
        _ => String::new(),
    };
    // The query may hold secrets.
    let [method, host, path] = key.words();
    set(&mut request, &[method, " ", host, " ", path]);
    record.request = Some(request.into());
    record.host = None;
    record.leg = None;
    record.target = None;
    record.status = None;
    record.octets = (0, 0);
    record.number = NonZeroU32::new(number);
    record.retried = false;
}

/// Writes into the room that the text before had.
fn set(text: &mut String, pieces: &[&str]) {
    text.clear();
    text.reserve(pieces.iter().map(|piece| piece.len()).sum());
    pieces.iter().for_each(|piece| text.push_str(piece));
    Record::cut(text);
}

/// What comes behind an exchange.
enum Done {
    Next,
    Close,
    Tunnel { service: Upstream, received: Vec<u8> },
}

/// Why there is nothing behind it.
enum Failure {
    /// No answer has begun: this one is given instead.
    Refused(Own),
    /// An answer had begun.
    Broken(End),
}

/// Sends the request, of whose body `head` has the beginning, and passes the answer. A leg that had been used may have
/// been closed meanwhile: then the request is sent once more, if nothing of it can have been done.
async fn exchange(
    session: &mut Session,
    head: &mut Head,
    legs: &mut Legs,
    request: &RequestHead<'_>,
    way: &Way,
) -> Result<Done, Failure> {
    let mut upstream = match legs.reuse(session, way) {
        Some(upstream) => upstream,
        None => open(session, head, request, way).await?,
    };
    loop {
        session.record.target = upstream.peer;
        let mut exchange = prepare(session, head, request, way);
        match exchange.run(head, &mut upstream.stream, &session.cancel).await {
            Ok(()) => return Ok(done(session, legs, request, upstream, exchange.finish())),
            Err(Fault::Unanswered)
                if upstream.used && exchange.may_be_repeated() && is_idempotent(request.method) =>
            {
                session.record.retried = true;
                // The new one may need its place.
                drop(upstream);
                upstream = open(session, head, request, way).await?;
            }
            Err(fault) => {
                // Who does not read his answer to the end knows by its head what the service thinks of him.
                if let Some(answer) = exchange.response.passing() {
                    session.record.status = Some(answer.status);
                    if let Some(refusal) = refused(request, &upstream, &answer) {
                        session.observe(&Observation::Refused(refusal));
                    }
                }
                return Err(failure(fault));
            }
        }
    }
}

async fn open(
    session: &mut Session,
    head: &mut Head,
    request: &RequestHead<'_>,
    way: &Way,
) -> Result<Upstream, Failure> {
    Legs::open(session, way, &mut head.alarm).await.map_err(|none| {
        let status = match &none {
            NoLeg::Full(_) => 503,
            NoLeg::Unreachable(unreachable) if unreachable.timed_out => 504,
            NoLeg::Unreachable(_) => 502,
        };
        let own = match request.framing {
            rp_http::Framing::None => Own::staying(status, none.into()),
            _ => Own::closing(status, none.into()),
        };
        Failure::Refused(if status == 503 { own.with("Retry-After", RETRY_AFTER.to_owned()) } else { own })
    })
}

fn prepare(session: &Session, head: &Head, request: &RequestHead<'_>, way: &Way) -> Exchange {
    let http = &way.destination.host.http;
    let state = session.state();
    let client = address::text(session.facts.source.ip().to_canonical());
    let own_address = http.append_own_address.then(|| head.stream.local()).flatten();
    let forwarding = Forwarding {
        client: &client,
        scheme: route::scheme(head.stream.transport()),
        trusted: state.config.proxies.trusted.contains(session.facts.source.ip()),
        own_address: own_address.as_deref(),
        forwarded: http.forwarded,
        via: http.via.as_deref(),
    };
    let last = !http.reuse && !request.keeps_alive() || may_be_overlooked(request);
    Exchange {
        request: Request::new(request, &forwarding, last, http.max_body),
        response: Response::to(request),
        pace: Pace::new(&state.config.limits, Instant::now()),
        client_stays: request.keeps_alive(),
    }
}

/// Seconds.
const RETRY_AFTER: &str = "10";

/// Tells what came of an exchange, and keeps the leg if it takes another one.
fn done(
    session: &mut Session,
    legs: &mut Legs,
    request: &RequestHead<'_>,
    mut upstream: Upstream,
    exchanged: Exchanged,
) -> Done {
    let Exchanged { octets, outcome } = exchanged;
    session.record.octets = octets;
    match outcome {
        Outcome::Answered { answer, leg_stays } => {
            session.record.status = Some(answer.status);
            judge(session, request, &upstream, &answer);
            upstream.bound |= request.binds_connection() || answer.binds_connection;
            if leg_stays && !may_be_overlooked(request) {
                legs.keep(upstream);
            }
            if answer.client_stays { Done::Next } else { Done::Close }
        }
        Outcome::Tunnel { received } => {
            session.record.status = Some(101);
            session.observe(&Observation::Forwarded);
            session.observe(&Observation::Proven);
            Done::Tunnel { service: upstream, received }
        }
    }
}

/// Whether the service refuses the client. A 401 speaks against him only if he has shown credentials: without, it asks
/// for them.
fn refused(request: &RequestHead<'_>, upstream: &Upstream, answer: &Passing) -> Option<Refusal> {
    let counted = upstream.host().http.count_status.contains(&answer.status);
    let wrong = answer.status != 401 || request.has_credentials() && !answer.continues_login;
    let detail = || format!("http {} {}", answer.status, request.method.escape_ascii());
    (counted && wrong).then(|| Refusal::because(Reason::Refused, detail()))
}

/// Tells what the service thinks of the client.
fn judge(session: &Session, request: &RequestHead<'_>, upstream: &Upstream, answer: &Passing) {
    if let Some(refusal) = refused(request, upstream, answer) {
        session.observe(&Observation::Refused(refusal));
        return;
    }
    session.observe(&Observation::Forwarded);
    if request.has_credentials() && answer.status < 400 {
        session.observe(&Observation::Proven);
    }
}

/// Its body has no meaning in general (RFC 9110 9.3), so that there are services which do not read it, and take it for their
/// next request. There is to be none.
fn may_be_overlooked(request: &RequestHead<'_>) -> bool {
    let has_body = !matches!(request.framing, rp_http::Framing::None | rp_http::Framing::Length(0));
    has_body && matches!(request.method, b"GET" | b"HEAD" | b"OPTIONS" | b"DELETE")
}

/// RFC 9110 9.2.2.
fn is_idempotent(method: &[u8]) -> bool {
    matches!(method, b"GET" | b"HEAD" | b"OPTIONS" | b"PUT" | b"DELETE")
}

fn failure(fault: Fault) -> Failure {
    let no = |status, refusal| Failure::Refused(Own::closing(status, refusal));
    let target_failed = |detail: &str| Refusal::because(Reason::TargetFailed, detail);
    match fault {
        Fault::Unanswered => no(502, target_failed("the target closed without an answer")),
        Fault::Service(detail) => no(502, target_failed(&detail)),
        Fault::TimedOut(limit) => no(504, target_failed(limit)),
        Fault::Request(detail) => no(400, Refusal::because(Reason::Malformed, detail)),
        Fault::TooLarge => {
            no(413, Refusal::because(Reason::TooLarge, "more than http.max-body of the host").not_counted())
        }
        Fault::TooSlow(limit) => no(408, Refusal::because(Reason::TooSlow, limit)),
        Fault::Broken(Cause::TargetLost) => {
            Failure::Broken(target_failed("the target broke off its answer").into())
        }
        Fault::Broken(Cause::TimedOut(limit)) => {
            Failure::Broken(Refusal::because(Reason::TooSlow, limit).into())
        }
        Fault::Broken(cause) => Failure::Broken(End::Served(cause)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_a_request_is_short_however_long_it_is() {
        let (host, path) = ("a".repeat(15_000), "b".repeat(15_000));
        let head = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let mut record = Record::default();
        note(&mut record, &extract(head.as_bytes()).expect("a request"), 1);
        let Some(Words::Text(request)) = record.request else { panic!("no words") };
        for kept in [record.name.expect("a name"), request] {
            assert!(kept.capacity() <= Record::LONGEST_TEXT, "{}", kept.capacity());
        }
    }
}
