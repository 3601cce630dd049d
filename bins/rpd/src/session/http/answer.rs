//! Answers of our own: refusals, redirects, and what becomes of the connection behind them.

use std::{
    future::poll_fn,
    io,
    time::{Duration, SystemTime},
};

use rp_http::{Framing, Head as Request, Invalid, Target, Version, forward};
use tokio::{io::AsyncWriteExt, time::timeout};

use crate::{
    cancel,
    outcome::{Cause, End, Observation, Reason, Refusal},
    scratch,
    session::{Session, close, head::Head, sniff},
};

/// A request that is answered here.
pub(super) struct Own {
    status: u16,
    /// Why it is not let through; none: there is nothing wrong with it.
    pub(super) refusal: Option<Refusal>,
    field: Option<(&'static str, String)>,
    /// The connection may go on with the next request.
    stays: bool,
}

impl Own {
    /// A refusal that ends the connection.
    pub(super) fn closing(status: u16, refusal: Refusal) -> Self {
        Self { status, refusal: Some(refusal), field: None, stays: false }
    }

    /// A refusal of this request alone.
    pub(super) fn staying(status: u16, refusal: Refusal) -> Self {
        Self { stays: true, ..Self::closing(status, refusal) }
    }

    /// The same with a field more.
    pub(super) fn with(self, name: &'static str, value: String) -> Self {
        Self { field: Some((name, value)), ..self }
    }

    /// The same URL over TLS. 308 keeps the method (RFC 9110 15.4.9).
    pub(super) fn redirect(request: &Request<'_>, port: Option<u16>) -> Self {
        let mut location = format!("https://{}", request.host.name().escape_ascii());
        if let Some(port) = port {
            location.push_str(&format!(":{port}"));
        }
        if let Target::Path { path, query, .. } = request.target {
            location.push_str(&String::from_utf8_lossy(path));
            if let Some(query) = query {
                location.push('?');
                location.push_str(&String::from_utf8_lossy(query));
            }
        }
        Self { status: 308, refusal: None, field: Some(("Location", location)), stays: true }
    }

    /// How much body of the request is to be dropped before the next one; none: the connection ends.
    pub(super) fn body_to_drop(&self, request: &Request<'_>) -> Option<u64> {
        // A client that waits to be told so may, or may not, send the body that it has announced.
        let body = match request.framing {
            Framing::None => Some(0),
            Framing::Length(length) if !request.expects_continue() => Some(length),
            Framing::Length(_) | Framing::Chunked => None,
        };
        body.filter(|body| *body <= DRAINED_AT_MOST && self.stays && request.keeps_alive())
    }

    pub(super) fn write(&self, request: &Request<'_>, close: bool) -> Vec<u8> {
        let field = self.field.as_ref().map(|(name, value)| (*name, [value.as_bytes()]));
        let fields = field.as_ref().map(|(name, value)| (*name, &value[..]));
        let client = forward::Client { version: request.version, close };
        write(self.status, fields.as_slice(), request.method == b"HEAD", client)
    }
}

/// Answers, and goes on with the connection where the rule and the request allow it.
///
/// # Errors
/// The end of the connection.
pub(super) async fn answer(
    session: &mut Session,
    mut head: Head,
    request: &Request<'_>,
    own: Own,
) -> Result<Head, End> {
    session.record.status = Some(own.status);
    let goes_on = session.cancel.request() == cancel::Request::None;
    let Some(body) = own.body_to_drop(request).filter(|_| goes_on) else {
        let answer = own.write(request, true);
        close::with_answer(head.stream, &answer).await;
        return Err(match own.refusal {
            Some(refusal) => refusal.into(),
            None => {
                session.observe(&Observation::Forwarded);
                End::Served(Cause::Closed)
            }
        });
    };
    send(&mut head, &own.write(request, false)).await.map_err(|_| End::Served(Cause::ClientLost))?;
    session.observe(&own.refusal.map_or(Observation::Forwarded, Observation::Refused));
    drain(&mut head, body).await?;
    Ok(head)
}

/// Answers what is no request.
pub(super) async fn refuse_invalid(
    session: &mut Session,
    head: Head,
    first: &[u8],
    invalid: &Invalid,
) -> End {
    let (answer, refusal) = last_words(first, invalid);
    session.record.status = (!answer.is_empty()).then(|| invalid.status());
    close::with_answer(head.stream, &answer).await;
    refusal.into()
}

/// What is said of octets that are no request, to the client and to the log.
pub(super) fn last_words(octets: &[u8], invalid: &Invalid) -> (Vec<u8>, Refusal) {
    if sniff::is_stun(octets) {
        return (Vec::new(), Refusal::new(Reason::Stun));
    }
    let reason = match (invalid.reason, invalid.status()) {
        (rp_http::Reason::HostMissing, _) => Reason::NoName,
        (_, 414 | 431) => Reason::TooLarge,
        (_, 405 | 501) => Reason::MethodNotAllowed,
        _ => Reason::Malformed,
    };
    let client = forward::Client { version: Version::Http11, close: true };
    let answer = write(invalid.status(), &[], octets.starts_with(b"HEAD "), client);
    (answer, Refusal::because(reason, invalid))
}

/// Tells a client whose head did not come in time.
pub(super) async fn too_late(head: &mut Head) {
    let client = forward::Client { version: Version::Http11, close: true };
    // The client is slow, not deaf.
    close::say_last(&mut head.stream, &write(408, &[], false, client)).await;
}

async fn send(head: &mut Head, answer: &[u8]) -> io::Result<()> {
    let sent = async {
        head.stream.write_all(answer).await?;
        head.stream.flush().await
    };
    timeout(ANSWER_TIME, sent).await.unwrap_or(Err(io::ErrorKind::TimedOut.into()))
}

/// Drops the body of a request that was answered here, so that it is not taken for the next request.
async fn drain(head: &mut Head, body: u64) -> Result<(), End> {
    let mut left = usize::try_from(body).unwrap_or(usize::MAX);
    let dropped = async {
        loop {
            let n = left.min(head.octets.len());
            head.octets.drain(..n);
            left -= n;
            if left == 0 {
                return Ok(());
            }
            let read = poll_fn(|cx| {
                scratch::poll_read_with(&mut head.stream, cx, |_, octets| {
                    head.octets.extend_from_slice(octets);
                    octets.len()
                })
            });
            if read.await.unwrap_or(0) == 0 {
                return Err(End::Served(Cause::ClientLost));
            }
        }
    };
    timeout(DRAIN_TIME, dropped).await.unwrap_or(Err(End::Served(Cause::TimedOut("drain"))))
}

fn write(status: u16, fields: &[(&str, &[&[u8]])], head_only: bool, client: forward::Client) -> Vec<u8> {
    let date = httpdate::fmt_http_date(SystemTime::now());
    let text = forward::reason_phrase(status);
    let mut octets = Vec::new();
    let answer = forward::Answer { status, text, date: &date, head_only, fields };
    forward::answer(&answer, client, &mut |slice| octets.extend_from_slice(slice));
    octets
}

/// How long a client may take to make room for a short answer of ours.
const ANSWER_TIME: Duration = Duration::from_secs(10);
/// Of the body of a request that was answered here.
const DRAINED_AT_MOST: u64 = 64 * 1024;
const DRAIN_TIME: Duration = Duration::from_secs(2);
