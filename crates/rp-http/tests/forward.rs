//! What leaves: heads written anew.

use rp_http::{
    Body, Framing, Response, ResponseFraming, Scheme, Step, Version, chunk, extract,
    forward::{self, Answer, Client, Forwarding},
    response::{self, Asked},
};

const PLAIN: Forwarding<'_> = Forwarding {
    client: "198.51.100.7",
    scheme: Scheme::Https,
    trusted: false,
    own_address: None,
    forwarded: false,
    via: None,
};

const MODERN: Client = Client { version: Version::Http11, close: false };
const OLD: Client = Client { version: Version::Http10, close: false };

#[test]
fn a_request_leaves_in_canonical_form() {
    assert_eq!(
        written(
            "post".to_uppercase()
                + " /a%20b?q=[1] HTTP/1.0\r\nACCEPT:*/*\r\nhost:\t PBX:80 \r\ncontent-length: 005\r\nX-E:\r\n\r\n"
        ),
        "POST /a%20b?q=[1] HTTP/1.1\r\nHost: PBX:80\r\nACCEPT: */*\r\nX-E: \r\nContent-Length: 5\r\n\
         X-Forwarded-For: 198.51.100.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: PBX:80\r\n\r\n",
    );
    assert_eq!(
        written("PUT / HTTP/1.1\r\ntransfer-encoding:\tCHUNKED\t\r\nHost: a\r\n\r\n"),
        "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\
         X-Forwarded-For: 198.51.100.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: a\r\n\r\n",
    );
}

#[test]
fn an_absolute_target_leaves_as_a_path_and_names_the_host() {
    for (target, line) in [
        ("http://PBX.example.com:80", "GET / HTTP/1.1"),
        ("HTTPS://PBX.example.com:80?a=b", "GET /?a=b HTTP/1.1"),
        ("http://PBX.example.com:80/a/b?c", "GET /a/b?c HTTP/1.1"),
    ] {
        let out = written(format!("GET {target} HTTP/1.1\r\nHost: pbx.example.com\r\n\r\n"));
        assert!(out.starts_with(&format!("{line}\r\nHost: PBX.example.com:80\r\n")), "{out}");
    }
}

#[test]
fn what_concerns_the_connection_ends_here() {
    let out = written(
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: X-Hop , keep-alive,Upgrade, , HTTP2-Settings\r\nx-hop: 1\r\n\
         Keep-Alive: timeout=5\r\nProxy-Connection: x\r\nProxy-Authorization: Basic eA==\r\nTE: trailers\r\n\
         Trailer: X\r\nUpgrade: h2c\r\nHTTP2-Settings: AAQA\r\nConnection: X-Second\r\nX-Second: 2\r\nX-Kept: 3\r\n\r\n",
    );
    assert_eq!(names(&out), ["Host", "X-Kept", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"]);
}

#[test]
fn names_that_some_servers_read_as_others_end_here() {
    let out = written(
        "GET / HTTP/1.1\r\nHost: a\r\nContent_Length: 5\r\ntransfer_encoding: chunked\r\nX_Forwarded_For: 1\r\n\
         X-Forwarded_Proto: https\r\nX-Real_IP: 1\r\nX-Forwarded-Port: 1\r\nForwarded: for=x\r\nMy_Field: kept\r\n\r\n",
    );
    assert_eq!(names(&out), ["Host", "My_Field", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"]);
}

/// Symfony, Zend and IIS's URL Rewrite have read, or read, the path there.
#[test]
fn another_path_than_that_of_the_target_ends_here() {
    let out = written(
        "GET /allowed HTTP/1.1\r\nHost: a\r\nX-Original-URL: /secret\r\nX_Rewrite_Url: /secret\r\n\r\n",
    );
    assert!(!out.contains("secret"), "{out}");
}

#[test]
fn an_expectation_goes_on_in_http_1_1_only() {
    let request = |version| {
        format!("PUT / HTTP/{version}\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n")
    };
    assert!(written(request("1.1")).contains("\r\nExpect: 100-continue\r\n"));
    assert!(!written(request("1.0")).contains("Expect"));
}

#[test]
fn a_websocket_request_keeps_its_upgrade_and_nothing_else_of_it() {
    let out = written(
        "GET /w HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nUpgrade: WebSocket\r\nConnection: keep-alive, UPGRADE\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    assert!(out.contains("\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"), "{out}");
    assert_eq!(out.matches("pgrade").count(), 2, "{out}");
}

#[test]
fn forwarding_fields_of_strangers_are_dropped() {
    let request = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\n\
                   X-Forwarded-Host: b\r\nConnection: X-Forwarded-For\r\n\r\n";
    assert!(written(request).ends_with(
        "Host: a\r\nX-Forwarded-For: 198.51.100.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: a\r\n\r\n"
    ));
}

#[test]
fn forwarding_fields_of_a_trusted_proxy_are_believed_where_they_are_well_formed() {
    let trusted = Forwarding { trusted: true, own_address: Some("10.0.0.1"), ..PLAIN };
    let request = |proto: &str, host: &str| {
        format!(
            "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.1, 192.0.2.2\r\nX-Forwarded-Proto: {proto}\r\n\
             X-Forwarded-For:\r\nX-Forwarded-For: 192.0.2.3\r\nX-Forwarded-Host: {host}\r\n\r\n"
        )
    };
    let list = "X-Forwarded-For: 192.0.2.1, 192.0.2.2, 192.0.2.3, 198.51.100.7, 10.0.0.1\r\n";
    let believed = write(request("http", "b:8080").as_bytes(), &trusted, false);
    assert!(
        believed.ends_with(&format!("{list}X-Forwarded-Proto: http\r\nX-Forwarded-Host: b:8080\r\n\r\n")),
        "{believed}"
    );
    let not = write(request("HTTP", "b/c").as_bytes(), &trusted, false);
    assert!(
        not.ends_with(&format!("{list}X-Forwarded-Proto: https\r\nX-Forwarded-Host: a\r\n\r\n")),
        "{not}"
    );
    let twice = request("http\r\nX-Forwarded-Proto: http", "b");
    assert!(write(twice.as_bytes(), &trusted, false).contains("X-Forwarded-Proto: https\r\n"));
}

#[test]
fn forwarded_and_via_are_sent_where_asked_for() {
    let both = Forwarding { client: "2001:db8::7", forwarded: true, via: Some("edge"), ..PLAIN };
    let out = write(b"GET / HTTP/1.0\r\nHost: a:80\r\n\r\n", &both, true);
    assert!(out.contains("\r\nX-Forwarded-For: 2001:db8::7\r\n"), "{out}");
    assert!(out.contains("\r\nForwarded: for=\"[2001:db8::7]\";host=\"a:80\";proto=https\r\n"), "{out}");
    assert!(out.contains("\r\nVia: 1.0 edge\r\n"), "{out}");
    assert!(out.contains("\r\nConnection: close\r\n"), "{out}");
    let four = Forwarding { forwarded: true, ..PLAIN };
    assert!(
        write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", &four, false).contains("Forwarded: for=198.51.100.7;")
    );
}

#[test]
fn options_of_the_server_as_a_whole_stay_that() {
    for target in ["*", "http://a"] {
        let out = written(format!("OPTIONS {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert!(out.starts_with("OPTIONS * HTTP/1.1\r\n"), "{out}");
    }
}

#[test]
fn an_answer_leaves_in_canonical_form() {
    let (out, framing) = answered(
        "HTTP/1.0 200 Fine \r\nServer:x\r\nCONTENT-LENGTH: 007\r\nConnection: X-Hop, keep-alive\r\nX-Hop: 1\r\n\
         Keep-Alive: 5\r\nAlt-Svc: h3\r\nUpgrade: h2c\r\nSet-Cookie: a=b\r\n\r\n",
        Asked::default(),
        MODERN,
    );
    assert_eq!(out, "HTTP/1.1 200 Fine \r\nServer: x\r\nSet-Cookie: a=b\r\nContent-Length: 7\r\n\r\n");
    assert_eq!(framing, ResponseFraming::Length(7));
}

#[test]
fn bodies_leave_as_the_client_can_read_them() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let until_close = "HTTP/1.1 200 OK\r\n\r\n";
    for head in [chunked, until_close] {
        let (out, framing) = answered(head, Asked::default(), MODERN);
        assert_eq!((out.as_str(), framing), (chunked, ResponseFraming::Chunked));
        let (out, framing) = answered(head, Asked::default(), OLD);
        assert_eq!(out, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
        assert_eq!(framing, ResponseFraming::UntilClose);
    }
    let (out, _) = answered("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n", Asked::default(), OLD);
    assert!(out.ends_with("\r\nConnection: keep-alive\r\n\r\n"), "{out}");
}

#[test]
fn lengths_without_a_body_are_kept_for_head_and_304_and_no_others() {
    let head = Asked { head_only: true, ..Asked::default() };
    for (status, asked, kept) in [
        ("200 OK", head, true),
        ("304 Not Modified", Asked::default(), true),
        ("204 No Content", Asked::default(), false),
    ] {
        let (out, framing) =
            answered(&format!("HTTP/1.1 {status}\r\nContent-Length: 9\r\n\r\n"), asked, MODERN);
        assert_eq!(framing, ResponseFraming::None, "{out}");
        assert_eq!(out.contains("Content-Length: 9"), kept, "{out}");
    }
}

#[test]
fn a_switch_is_written_anew() {
    let websocket = Asked { websocket: true, head_only: false };
    let reply = b"HTTP/1.1 101 Go\r\nupgrade: WebSocket\r\nConnection: upgrade\r\nServer: x\r\nSec-WebSocket-Accept: abc=\r\n\r\n";
    let response = response::extract(reply, websocket).unwrap();
    let mut out = Vec::new();
    forward::switching(&response, &mut |slice| out.extend_from_slice(slice));
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: abc=\r\n\r\n"
    );
    assert!(response::extract(reply, Asked::default()).is_err(), "nobody asked");
    let other = b"HTTP/1.1 101 Go\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n";
    assert!(response::extract(other, websocket).is_err(), "another protocol");
}

#[test]
fn an_answer_of_our_own_can_be_read() {
    let answer = Answer {
        status: 308,
        text: "use https",
        date: "Sun, 06 Nov 1994 08:49:37 GMT",
        head_only: false,
        fields: &[("Location", &[b"https://", b"a", b"/b?c"])],
    };
    let mut out = Vec::new();
    forward::answer(&answer, Client { close: true, ..MODERN }, &mut |slice| out.extend_from_slice(slice));
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "HTTP/1.1 308 Permanent Redirect\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nLocation: https://a/b?c\r\n\
         Content-Type: text/plain\r\nContent-Length: 10\r\nConnection: close\r\n\r\nuse https\n"
    );
    let mut to_head = Vec::new();
    let answer = Answer { head_only: true, ..answer };
    forward::answer(&answer, MODERN, &mut |slice| to_head.extend_from_slice(slice));
    assert!(to_head.ends_with(b"Content-Length: 10\r\n\r\n"));
}

#[test]
fn what_was_written_is_read_as_the_same_head() {
    for case in rp_testkit::corpus::load("tests/corpus", "http") {
        if let Ok(key) = extract(&case.bytes) {
            let once = write_head(&key.head, &PLAIN, false);
            let again = extract(once.as_bytes()).unwrap_or_else(|e| panic!("{}: {e}", case.name)).head;
            let head = key.head;
            assert_eq!(
                (again.method, again.host, again.target),
                (head.method, head.host, head.target),
                "{}",
                case.name
            );
            assert_eq!(
                (again.framing, again.is_websocket()),
                (head.framing, head.is_websocket()),
                "{}",
                case.name
            );
            assert_eq!(again.version, Version::Http11);
            assert_eq!(write_head(&again, &PLAIN, false), once, "{}: written once and twice", case.name);
        }
        for reply in
            case.expected["reply"].as_array().into_iter().flatten().filter_map(|reply| reply.as_str())
        {
            let Ok(response) = response::extract(reply.as_bytes(), Asked::default()) else { continue };
            let (once, framing) = write_response(&response, MODERN);
            let again = response::extract(once.as_bytes(), Asked::default()).unwrap();
            assert_eq!((again.status, again.reason), (response.status, response.reason));
            assert_eq!(again.framing, framing);
            assert_eq!(write_response(&again, MODERN), (once.clone(), framing), "{}", case.name);
        }
    }
}

#[test]
fn chunk_sizes_are_hexadecimal() {
    for size in [1, 9, 10, 15, 16, 255, 4096, 65_535, usize::MAX] {
        assert_eq!(chunk::SizeLine::new(size).as_bytes(), format!("{size:x}\r\n").as_bytes());
    }
}

#[test]
fn lengths_are_written_as_short_as_can_be() {
    for length in [0, 7, 10, 999_999_999_999_999_999] {
        let out = written(format!("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"));
        assert!(out.contains(&format!("\r\nContent-Length: {length}\r\n")), "{out}");
        assert_eq!(extract(out.as_bytes()).unwrap().head.framing, Framing::Length(length));
    }
}

fn written(request: impl AsRef<[u8]>) -> String {
    write(request.as_ref(), &PLAIN, false)
}

fn write(request: &[u8], forwarding: &Forwarding<'_>, close: bool) -> String {
    write_head(&extract(request).expect("a good request").head, forwarding, close)
}

fn write_head(head: &rp_http::Head<'_>, forwarding: &Forwarding<'_>, close: bool) -> String {
    let mut out = Vec::new();
    forward::request(head, forwarding, close, &mut |slice| out.extend_from_slice(slice));
    String::from_utf8_lossy(&out).into_owned()
}

fn answered(reply: &str, asked: Asked, client: Client) -> (String, ResponseFraming) {
    write_response(&response::extract(reply.as_bytes(), asked).expect("a good answer"), client)
}

fn write_response(response: &Response<'_>, client: Client) -> (String, ResponseFraming) {
    let mut out = Vec::new();
    let framing = forward::response(response, client, &mut |slice| out.extend_from_slice(slice));
    (String::from_utf8_lossy(&out).into_owned(), framing)
}

fn names(head: &str) -> Vec<&str> {
    head.lines().skip(1).filter_map(|line| line.split_once(':')).map(|(name, _)| name).collect()
}

#[test]
fn trailers_are_told_apart_however_the_body_is_cut() {
    let body = b"2\r\nok\r\n0\r\nDigest: abc\r\nX-B:\r\n\r\nGET";
    for size in 1..body.len() {
        let (mut decoder, mut lines, mut rest) = (Body::from(Framing::Chunked), Vec::new(), 0);
        for mut piece in body.chunks(size) {
            loop {
                match decoder.step(piece).expect("a good body") {
                    Step::Trailer(n) => {
                        lines.extend_from_slice(&piece[..n]);
                        piece = &piece[n..];
                    }
                    Step::Skip(n) | Step::Pass(n) => piece = &piece[n..],
                    Step::More => break,
                    Step::End => {
                        rest += piece.len();
                        break;
                    }
                }
            }
        }
        assert_eq!((&lines[..], rest), (&b"Digest: abc\r\nX-B:\r\n"[..], 3), "{size}");
    }
}

#[test]
fn nothing_trails_that_only_a_head_may_say() {
    let lines = b"Digest:  a \r\ncontent-Length: 1\r\nContent_Type: x\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\nTE: a\r\nSet-Cookie: a\r\nWWW-Authenticate: Basic\r\nAuthorization: b\r\nX-Forwarded-For: c\r\nForwarded: d\r\nAlt-Svc: e\r\nLocation: f\r\nVia: g\r\nServer-Timing: h\r\n";
    let mut written = Vec::new();
    forward::trailers(lines, &mut |slice| written.extend_from_slice(slice));
    assert_eq!(written.escape_ascii().to_string(), "0\\r\\nDigest: a\\r\\nServer-Timing: h\\r\\n\\r\\n");
    written.clear();
    forward::trailers(b"", &mut |slice| written.extend_from_slice(slice));
    assert_eq!(written, chunk::LAST_CHUNK);
}
