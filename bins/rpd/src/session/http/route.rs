//! Every question between the head of a request and its leg.

use std::sync::Arc;

use rp_http::{Framing, Head, Scheme, Target};
use rp_route::leg::{Leg, Transport};

use super::answer::Own;
use crate::{
    config::Http,
    outcome::{Reason, Refusal},
    protocol::Protocol,
    session::{case::Case, leg},
    state::Destination,
};

/// Where a request goes.
pub(super) struct Way {
    pub(super) destination: Arc<Destination>,
    pub(super) leg: Leg,
}

/// Asks them in order.
///
/// # Errors
/// The first "no", which is the answer.
pub(super) fn route(case: &mut Case<'_>, request: &Head<'_>) -> Result<Way, Own> {
    let incoming = case.incoming();
    if request.absolute_scheme.is_some_and(|absolute| absolute != scheme(incoming)) {
        let detail = "the target's scheme is not that of the connection";
        return Err(Own::closing(400, Refusal::because(Reason::Malformed, detail)));
    }
    let Target::Path { path, query, encoded_slash } = request.target else {
        return Err(Own::staying(403, Refusal::because(Reason::UrlNotAllowed, "OPTIONS *")));
    };
    let table = case.state.table(Protocol::Http);
    let name = case.record.name.as_deref().unwrap_or_default();
    let found = table.lookup(name).or_else(|| table.default());
    misdirected(case, found)?;
    let not_found = |refusal| Own::closing(404, refusal);
    let (destination, leg) = leg::choose(case, Protocol::Http, found).map_err(not_found)?;
    let http = &destination.host.http;
    allowed_slash(case, http, encoded_slash)?;
    allowed_method(case, http, request)?;
    let elsewhere = allowed_url(case, destination, path, query)?;
    if elsewhere.is_none() && redirects(http, incoming) {
        case.asked("redirect", true, || "the client came in clear".to_owned());
        return Err(Own::redirect(request, http.redirect.and_then(|redirect| redirect.port)));
    }
    allowed_body(case, http, request)?;
    let (destination, leg) = match elsewhere {
        None => (destination, leg),
        Some(_) => leg::choose(case, Protocol::Http, elsewhere).map_err(not_found)?,
    };
    Ok(Way { destination: destination.clone(), leg })
}

/// How a client reached us.
pub(super) fn scheme(incoming: Transport) -> Scheme {
    match incoming {
        Transport::Tcp => Scheme::Http,
        Transport::Tls => Scheme::Https,
    }
}

/// One certificate for both names is no excuse: networks and targets belong to the host (RFC 9110 15.5.20).
fn misdirected(case: &mut Case<'_>, found: Option<&Arc<Destination>>) -> Result<(), Own> {
    let sni = case.record.tls.as_ref().and_then(|tls| tls.sni.as_deref());
    match (sni.and_then(|sni| case.state.table(Protocol::Http).lookup(sni)), found) {
        (Some(named), Some(asked)) if !Arc::ptr_eq(named, asked) => {
            let detail = format!("SNI names {}, Host names {}", named.host.label(), asked.host.label());
            case.asked("server-name", false, || detail.clone());
            Err(Own::closing(421, Refusal::because(Reason::Misdirected, detail)))
        }
        _ => Ok(()),
    }
}

fn redirects(http: &Http, incoming: Transport) -> bool {
    http.redirect.is_some() && incoming == Transport::Tcp
}

fn allowed_slash(case: &mut Case<'_>, http: &Http, encoded_slash: bool) -> Result<(), Own> {
    if !encoded_slash {
        return Ok(());
    }
    case.asked("encoded-slash", http.encoded_slash, || "there is a %2f in the path".to_owned());
    if http.encoded_slash {
        return Ok(());
    }
    let detail = "%2f in the path; http.encoded-slash is \"reject\"";
    Err(Own::closing(400, Refusal::because(Reason::Malformed, detail)))
}

/// The target that the URL has of its own, if it has one. What is sent to https is judged there.
fn allowed_url<'a>(
    case: &mut Case<'_>,
    destination: &'a Destination,
    path: &[u8],
    query: Option<&[u8]>,
) -> Result<Option<&'a Arc<Destination>>, Own> {
    let http = &destination.host.http;
    let Some(urls) = &http.urls else { return Ok(None) };
    match urls.matcher.lookup(path, query) {
        Some(entry) => {
            case.asked("urls", true, || format!("the entry {:?} allows it", urls.prefix(entry)));
            Ok(destination.elsewhere(entry))
        }
        None if redirects(http, case.incoming()) => Ok(None),
        None => {
            let why_not = urls.why_not(path);
            case.asked("urls", false, || why_not.clone());
            Err(Own::staying(403, Refusal::because(Reason::UrlNotAllowed, why_not)))
        }
    }
}

fn allowed_method(case: &mut Case<'_>, http: &Http, request: &Head<'_>) -> Result<(), Own> {
    let Some(methods) = &http.methods else { return Ok(()) };
    let allowed = methods.iter().any(|method| method.as_bytes() == request.method);
    case.asked("methods", allowed, || methods.join(", "));
    if allowed {
        return Ok(());
    }
    let refusal = Refusal::because(Reason::MethodNotAllowed, "not in http.methods of the host");
    Err(Own::closing(405, refusal).with("Allow", methods.join(", ")))
}

/// A body whose length is not told is measured on its way.
fn allowed_body(case: &mut Case<'_>, http: &Http, request: &Head<'_>) -> Result<(), Own> {
    match (http.max_body, request.framing) {
        (Some(most), Framing::Length(length)) if length > most => {
            let detail = format!("a body of {length} octets, http.max-body is {most}");
            case.asked("max-body", false, || detail.clone());
            Err(Own::closing(413, Refusal::because(Reason::TooLarge, detail).not_counted()))
        }
        _ => Ok(()),
    }
}
