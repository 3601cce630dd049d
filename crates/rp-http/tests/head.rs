//! What is refused, why, and at which octet.

use rp_http::{
    Error, Framing, Host, Key, Reason, ResponseFraming, Scheme, Target, Version, extract,
    response::{self, Asked},
};

/// A request in which `{}` is replaced.
const LINE: &str = "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n";

#[test]
fn request_lines_are_refused_where_they_go_wrong() {
    for (request, reason, offset) in [
        ("\n", Reason::BareLf, 0),
        ("\rG", Reason::BareCr, 0),
        ("\r\n\r\n", Reason::EmptyLine, 2),
        ("\r\n\n", Reason::EmptyLine, 2),
        (" GET / HTTP/1.1", Reason::NotARequest, 0),
        ("1GET / HTTP/1.1", Reason::NotARequest, 0),
        ("GE(T / HTTP/1.1", Reason::MethodOctet, 2),
        ("GET\t/ HTTP/1.1", Reason::MethodOctet, 3),
        ("get / HTTP/1.1", Reason::MethodUnknown, 0),
        ("G_T / HTTP/1.1", Reason::MethodUnknown, 0),
        ("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", Reason::MethodUnknown, 0),
        ("CONNECT a:443 HTTP/1.1", Reason::MethodForbidden, 0),
        ("\r\nTRACE / HTTP/1.1", Reason::MethodForbidden, 2),
        ("PRI * HTTP/2.0\r\n", Reason::VersionUnsupported, 0),
        ("GET  / HTTP/1.1", Reason::TargetForm, 4),
        ("GET * HTTP/1.1", Reason::TargetForm, 4),
        ("GET a/b HTTP/1.1", Reason::TargetForm, 4),
        ("GET hxtp://a/ HTTP/1.1", Reason::TargetForm, 5),
        ("GET http:/a HTTP/1.1", Reason::TargetForm, 10),
        ("OPTIONS *a HTTP/1.1", Reason::TargetForm, 9),
        ("GET http:///a HTTP/1.1", Reason::HostSyntax, 11),
        ("GET http://u@a/ HTTP/1.1", Reason::HostSyntax, 12),
        ("GET http://a:99999/ HTTP/1.1", Reason::HostSyntax, 11),
        ("GET /a\"b HTTP/1.1", Reason::TargetOctet, 6),
        ("GET /a#b HTTP/1.1", Reason::TargetOctet, 6),
        ("GET /a\\b HTTP/1.1", Reason::TargetOctet, 6),
        ("GET /a?b#c HTTP/1.1", Reason::TargetOctet, 8),
        ("GET /a?\u{e4} HTTP/1.1", Reason::TargetOctet, 7),
        ("GET /a\r\n", Reason::TargetOctet, 6),
        ("GET /a/../b HTTP/1.1", Reason::DotSegment, 9),
        ("GET /a%5c HTTP/1.1", Reason::EncodedBackslash, 6),
        ("GET /a  HTTP/1.1", Reason::VersionSyntax, 7),
        ("GET / http/1.1\r\n", Reason::VersionSyntax, 6),
        ("GET / HTTP/1.10\r\n", Reason::VersionSyntax, 14),
        ("GET / HTTP/1.1 \r\n", Reason::VersionSyntax, 14),
        ("GET / HTTP/x", Reason::VersionSyntax, 11),
        ("GET / HTTP/1.2\r\n", Reason::VersionUnsupported, 6),
        ("GET / HTTP/2.0\r\n", Reason::VersionUnsupported, 6),
        ("GET / HTTP/1.1\n", Reason::BareLf, 14),
    ] {
        refused(request, reason, offset);
    }
}

#[test]
fn fields_are_refused_where_they_go_wrong() {
    for (line, reason, offset) in [
        ("X : a\r\n", Reason::FieldName, 1),
        ("X\r\n", Reason::FieldName, 1),
        (": a\r\n", Reason::FieldName, 0),
        ("X\u{e4}: a\r\n", Reason::FieldName, 1),
        (" X: a\r\n", Reason::Folded, 0),
        ("\tX: a\r\n", Reason::Folded, 0),
        ("X: a\r\n b\r\n", Reason::Folded, 6),
        ("X: a\0b\r\n", Reason::FieldValue, 4),
        ("X: a\x7fb\r\n", Reason::FieldValue, 4),
        ("X: a\nY: b\r\n", Reason::BareLf, 4),
        ("X: a\rY: b\r\n", Reason::BareCr, 4),
        ("X: a\r\n\n", Reason::BareLf, 6),
        ("host: a\r\n", Reason::HostRepeated, 0),
        ("X: a\r\nContent-Length: +1\r\n", Reason::ContentLengthSyntax, 6),
        ("Content-Length: 1\r\nContent-Length: 1\r\n", Reason::ContentLengthRepeated, 19),
        ("Transfer-Encoding: chunked, chunked\r\n", Reason::TransferEncodingSyntax, 0),
        ("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", Reason::TransferEncodingRepeated, 25),
        ("Connection: close, Content-Length\r\n", Reason::ConnectionNamesFraming, 0),
    ] {
        refused(&LINE.replace("{}", line), reason, 25 + offset);
    }
}

#[test]
fn heads_are_refused_at_their_end_for_what_they_do_not_say() {
    for (request, reason) in [
        ("GET / HTTP/1.1\r\n\r\n", Reason::HostMissing),
        ("GET / HTTP/1.0\r\n\r\n", Reason::HostMissing),
        ("GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", Reason::HostMismatch),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            Reason::TwoFramings,
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            Reason::TransferCodingUnknown,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
            Reason::WebSocketRequest,
        ),
    ] {
        refused(request, reason, request.len());
    }
    refused(
        "PUT / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        Reason::TransferEncodingIn10,
        25,
    );
    refused("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", Reason::HostSyntax, 16);
}

#[test]
fn limits_are_statuses_of_their_own() {
    let fields = |count: usize| LINE.replace("{}", &"X: a\r\n".repeat(count - 1));
    assert!(extract(fields(100).as_bytes()).is_ok());
    refused(&fields(101), Reason::TooManyFields, 25 + 99 * 6);
    let options =
        |count: usize| LINE.replace("{}", &format!("Connection: {}\r\n", vec!["x"; count].join(",")));
    assert!(extract(options(100).as_bytes()).is_ok());
    refused(&options(101), Reason::TooManyFields, 25);
    refused(&format!("GET /{}", "a".repeat(32 * 1024)), Reason::StartLineTooLong, 32 * 1024);
    refused(&LINE.replace("{}", &"a".repeat(32 * 1024)), Reason::HeadTooLong, 32 * 1024);
    for (reason, status) in [
        (Reason::TooManyFields, 431),
        (Reason::HeadTooLong, 431),
        (Reason::StartLineTooLong, 414),
        (Reason::MethodForbidden, 405),
        (Reason::MethodUnknown, 501),
        (Reason::TransferCodingUnknown, 501),
        (Reason::VersionUnsupported, 505),
        (Reason::DotSegment, 400),
        (Reason::StatusLine, 502),
    ] {
        assert_eq!(reason.status(), status);
    }
}

#[test]
fn a_head_says_what_was_sent() {
    let request = b"\r\nM-SEARCH /a%2fb?c?d=%zz HTTP/1.0\r\nHost: PBX.:80\r\nContent-Length: 07\r\nConnection: Close\r\n\r\nbody";
    let Key { head_len, head } = extract(request).unwrap();
    assert_eq!(&request[head_len..], b"body");
    assert_eq!(head.method, b"M-SEARCH");
    assert_eq!(head.version, Version::Http10);
    assert_eq!(
        (head.host.as_bytes(), head.host.name(), head.host.port()),
        (&b"PBX.:80"[..], &b"PBX"[..], Some(80))
    );
    let target = Target::Path { path: b"/a%2fb", query: Some(b"c?d=%zz"), encoded_slash: true };
    assert_eq!(head.target, target);
    assert_eq!((head.framing, head.absolute_scheme), (Framing::Length(7), None));
    assert!(head.connection.close && !head.keeps_alive() && !head.is_websocket());
    assert_eq!(head.fields.first(b"HOST"), Some(&b"PBX.:80"[..]));
    assert_eq!(head.fields.iter().count(), 3);
}

#[test]
fn an_absolute_target_tells_its_scheme_and_host() {
    let head = |target: &str| {
        let request = format!("GET {target} HTTP/1.1\r\nHost: [2001:db8:0::1]\r\n\r\n");
        extract(request.as_bytes()).map(|key| (key.head.absolute_scheme, key.head.host.to_string()))
    };
    let host = || "[2001:DB8::1]:443".to_owned();
    assert_eq!(head("hTTps://[2001:DB8::1]:443/"), Ok((Some(Scheme::Https), host())));
    assert_eq!(head("http://[2001:DB8::1]:443?a"), Ok((Some(Scheme::Http), host())));
    assert_eq!(head("/"), Ok((None, "[2001:db8:0::1]".to_owned())));
}

#[test]
fn connections_stay_open_as_their_version_says() {
    for (version, field, stays) in [
        ("1.1", "", true),
        ("1.1", "Connection: keep-alive, CLOSE\r\n", false),
        ("1.0", "", false),
        ("1.0", "Connection: Keep-Alive\r\n", true),
        ("1.0", "Connection: keep-alive\r\nConnection: close\r\n", false),
    ] {
        let request = format!("GET / HTTP/{version}\r\nHost: a\r\n{field}\r\n");
        assert_eq!(extract(request.as_bytes()).unwrap().head.keeps_alive(), stays, "{request}");
    }
}

#[test]
fn nothing_secret_or_unprintable_is_shown() {
    let request =
        b"GET /a?token=secret HTTP/1.1\r\nHost: pbx\r\nAuthorization: Basic secret\r\nX: \xff\r\n\r\n";
    let key = extract(request).unwrap();
    assert_eq!(key.to_string(), "GET pbx /a");
    assert_eq!(format!("{:?}", key.head.fields), "[Host, Authorization, X]");
    assert_eq!(format!("{:?}", Host::parse(b"pbx").unwrap()), "Host(pbx)");
    let Err(error) = extract(b"GET /a b HTTP/1.1") else { panic!("a space in the target") };
    assert_eq!(error.to_string(), "the protocol version is malformed (at octet 7)");
}

#[test]
fn status_lines_are_refused_where_they_go_wrong() {
    for (answer, reason, offset) in [
        ("\r\nHTTP/1.1 200 OK\r\n\r\n", Reason::EmptyLine, 0),
        ("SSH-2.0-x\r\n", Reason::StatusLine, 0),
        ("HTTP/2.0 200 OK\r\n", Reason::StatusLine, 5),
        ("HTTP/1.2 200 OK\r\n", Reason::StatusLine, 7),
        ("HTTP/1.1  200 OK\r\n", Reason::StatusLine, 9),
        ("HTTP/1.1 099 OK\r\n", Reason::StatusLine, 9),
        ("HTTP/1.1 20 OK\r\n", Reason::StatusLine, 11),
        ("HTTP/1.1 2000 OK\r\n", Reason::StatusLine, 12),
        ("HTTP/1.1 200\r\n", Reason::StatusLine, 12),
        ("HTTP/1.1 200 O\x01K\r\n", Reason::StatusLine, 14),
        ("HTTP/1.1 200 OK\n", Reason::BareLf, 15),
        ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Reason::TransferEncodingIn10, 17),
        ("HTTP/1.1 204 OK\r\nContent-Length: 1, 1\r\n\r\n", Reason::ContentLengthSyntax, 17),
    ] {
        let Err(Error::Invalid(invalid)) = response::extract(answer.as_bytes(), Asked::default()) else {
            panic!("{answer:?} is taken");
        };
        assert_eq!((invalid.reason, invalid.offset), (reason, offset), "{answer:?}");
    }
}

#[test]
fn an_answer_says_what_was_sent() {
    let answer = b"HTTP/1.0 299 \xe4 \r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nabc";
    let response = response::extract(answer, Asked::default()).unwrap();
    assert_eq!(&answer[response.head_len..], b"abc");
    assert_eq!((response.version, response.status, response.reason), (Version::Http10, 299, &b"\xe4 "[..]));
    assert_eq!((response.framing, response.keeps_alive()), (ResponseFraming::Length(3), true));
    for (status, interim) in [(100, true), (103, true), (199, true), (200, false), (999, false)] {
        let answer = format!("HTTP/1.1 {status} \r\n\r\n");
        let response = response::extract(answer.as_bytes(), Asked::default()).unwrap();
        assert_eq!((response.is_interim(), response.switches()), (interim, false), "{status}");
    }
}

fn refused(request: &str, reason: Reason, offset: usize) {
    match extract(request.as_bytes()) {
        Err(Error::Invalid(invalid)) => {
            assert_eq!((invalid.reason, invalid.offset), (reason, offset as u64), "{request:?}");
        }
        other => panic!("{request:?}: {other:?}"),
    }
}
