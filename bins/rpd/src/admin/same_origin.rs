//! Nobody but a page of this service itself may ask through a browser. The socket can be forwarded to a port of the
//! administrator's own machine, where every page that his browser shows could send requests to it.

use std::net::IpAddr;

use axum::{
    extract::Request,
    http::{HeaderMap, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::answer::No;

/// Lets a request through, or says why not.
pub(super) async fn check(request: Request, next: Next) -> Response {
    match judge(request.method(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(no) => no.into_response(),
    }
}

fn judge(method: &Method, headers: &HeaderMap) -> Result<(), No> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let forbidden = |message: &str| Err(No::new(StatusCode::FORBIDDEN, message));
    // A name of somebody else's that leads here: DNS rebinding.
    let Some(host) = text(header::HOST).filter(|host| is_loopback(host)) else {
        return forbidden("Host has to be localhost or a loopback address");
    };
    if let Some(origin) = text(header::ORIGIN)
        && origin.strip_prefix("http://") != Some(host)
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

fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost")
        || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(method: &Method, lines: &[(&'static str, &str)]) -> Option<u16> {
        let lines = lines.iter().map(|(name, value)| {
            (header::HeaderName::from_static(name), value.parse().expect("a header value"))
        });
        judge(method, &lines.collect()).err().map(|no| no.into_response().status().as_u16())
    }

    #[test]
    fn only_a_loopback_name_is_asked_for() {
        for host in ["localhost", "LOCALHOST:8080", "127.0.0.1:8080", "127.1.2.3", "[::1]:80", "[::1]"] {
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
