//! Nobody but a page of this service itself may ask through a browser. The socket can be forwarded to a port of the
//! administrator's own machine, where every page that his browser shows could send requests to it.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{Desk, answer::No};

/// How pages of this service are reached.
#[derive(Clone)]
pub(super) struct Here {
    pub(super) desk: Arc<Desk>,
    pub(super) over_tls: bool,
}

/// Lets a request through, or says why not.
pub(super) async fn check(State(here): State<Here>, request: Request, next: Next) -> Response {
    let names = &here.desk.control.state().config.access.names;
    let scheme = if here.over_tls { "https://" } else { "http://" };
    match judge(request.method(), request.headers(), scheme, names) {
        Ok(()) => next.run(request).await,
        Err(no) => no.into_response(),
    }
}

fn judge(method: &Method, headers: &HeaderMap, scheme: &str, names: &[String]) -> Result<(), No> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let forbidden = |message: &str| Err(No::new(StatusCode::FORBIDDEN, message));
    // A name of somebody else's that leads here: DNS rebinding.
    let is_ours = |host: &&str| is_loopback(name_of(host)) || is_named(name_of(host), names);
    let Some(host) = text(header::HOST).filter(is_ours) else {
        return forbidden("Host has to be localhost, a loopback address, or one of admin.names");
    };
    if let Some(origin) = text(header::ORIGIN)
        && origin.strip_prefix(scheme) != Some(host)
    {
        return forbidden("Origin is another page's");
    }
    if method.is_safe() {
        return Ok(());
    }
    // Neither can be sent by another page without asking first, and no such question is ever answered.
    if !headers.contains_key("x-rpd") {
        return forbidden("a change needs the header X-Rpd: 1");
    }
    let json =
        text(header::CONTENT_TYPE).is_some_and(|kind| kind.split(';').next() == Some("application/json"));
    if !json {
        return Err(No::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "a change needs Content-Type: application/json",
        ));
    }
    Ok(())
}

/// Without port, and without the brackets of an address.
fn name_of(host: &str) -> &str {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => host,
    };
    name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name)
}

fn is_loopback(name: &str) -> bool {
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn is_named(name: &str, names: &[String]) -> bool {
    names.iter().any(|ours| name.eq_ignore_ascii_case(ours))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(method: &Method, lines: &[(&'static str, &str)]) -> Option<u16> {
        let lines = lines.iter().map(|(name, value)| {
            (header::HeaderName::from_static(name), value.parse().expect("a header value"))
        });
        let (scheme, names) = ("http://", ["rpd.example".to_owned(), "2001:db8::1".to_owned()]);
        let judged = judge(method, &lines.collect(), scheme, &names);
        judged.err().map(|no| no.into_response().status().as_u16())
    }

    #[test]
    fn only_a_loopback_name_or_one_of_the_configuration_is_asked_for() {
        let loopback = ["localhost", "LOCALHOST:8080", "127.0.0.1:8080", "127.1.2.3", "[::1]:80", "[::1]"];
        for host in loopback.into_iter().chain(["RPD.example:8443", "[2001:db8::1]:8443"]) {
            assert_eq!(status(&Method::GET, &[("host", host)]), None, "{host}");
        }
        for host in
            ["", "example.com", "localhost.example.com:80", "192.0.2.1", "127.0.0.1.example.com", "[::2]"]
        {
            assert_eq!(status(&Method::GET, &[("host", host)]), Some(403), "{host}");
        }
        assert_eq!(status(&Method::GET, &[]), Some(403));
    }

    #[test]
    fn no_other_page_may_ask() {
        let host = ("host", "localhost:8080");
        assert_eq!(status(&Method::GET, &[host, ("origin", "http://localhost:8080")]), None);
        for origin in ["http://localhost:8081", "https://localhost:8080", "http://example.com", "null"] {
            assert_eq!(status(&Method::GET, &[host, ("origin", origin)]), Some(403), "{origin}");
        }
    }

    #[test]
    fn a_change_needs_what_a_form_cannot_send() {
        let host = ("host", "localhost");
        let json = ("content-type", "application/json; charset=utf-8");
        for method in [Method::POST, Method::PATCH, Method::DELETE] {
            assert_eq!(status(&method, &[host, json, ("x-rpd", "1")]), None);
            assert_eq!(status(&method, &[host, json]), Some(403));
            assert_eq!(status(&method, &[host, ("x-rpd", "1")]), Some(415));
            assert_eq!(status(&method, &[host, ("x-rpd", "1"), ("content-type", "text/plain")]), Some(415));
        }
    }
}
