//! Administration over TCP: who is let in, by what, and what he may do then.

mod common;

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
};

use common::{
    PATIENCE, Proxy, certificates, client_certificate, connect,
    remote::{ask, bearer, token_row},
    self_signed,
};
use rpd::tls;
use rustls::{ClientConnection, StreamOwned, sign::CertifiedKey};
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

const ROLES: [&str; 3] = ["read", "operate", "admin"];

/// A proxy that is administered on loopback, by one token for each role, which is called like the role.
struct Stage {
    proxy: Proxy,
    folder: TempDir,
    text: String,
}

impl Stage {
    fn start(keys: &str) -> Self {
        let folder = certificates();
        let mut text = format!(
            "state-directory = \"state\"\n[admin]\nsocket = \"\"\nlisten = \"127.0.0.1:0\"\n{keys}\n"
        );
        for role in ROLES {
            text.push_str(&token_row(role, role));
        }
        Self { proxy: Proxy::start(folder.path(), &text), folder, text }
    }

    /// A request in clear: status, head, and body.
    fn ask(&self, request: &str, lines: &str, body: &str) -> (u16, String, String) {
        ask(self.connect(), request, lines, body)
    }

    fn status(&self, request: &str, lines: &str) -> u16 {
        self.ask(request, lines, "").0
    }

    fn connect(&self) -> TcpStream {
        connect(self.proxy.admin_address())
    }

    /// Over TLS, with this certificate.
    fn over_tls(&self, certificate: Option<&Arc<CertifiedKey>>) -> StreamOwned<ClientConnection, TcpStream> {
        let config = tls::client_config_with(tls::accept_any(), certificate);
        let name = "example.com".try_into().expect("a name");
        StreamOwned::new(ClientConnection::new(Arc::new(config), name).expect("a client"), self.connect())
    }

    fn audit(&self) -> String {
        fs::read_to_string(self.folder.path().join("state/audit.jsonl")).expect("the record of changes")
    }
}

const BLOCK: &str = r#"{"network":"203.0.113.7","kind":"block"}"#;

#[test]
fn the_page_is_for_everybody_and_what_it_shows_is_not() {
    let stage = Stage::start("");
    let (status, head, body) = stage.ask("GET /", "", "");
    assert_eq!(status, 200);
    assert!(
        head.contains("content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"),
        "{head}"
    );
    for file in body.split("\"").filter(|text| text.ends_with(".js") || text.ends_with(".css")) {
        assert_eq!(stage.status(&format!("GET /{file}"), ""), 200, "{file}");
    }
    for path in ["/api/v1/lists", "/api/v1/requests/top", "/api/v1/status", "/metrics", "/health"] {
        let (status, head, body) = stage.ask(&format!("GET {path}"), "", "");
        assert_eq!(status, 401, "{path}: {body}");
        assert!(head.to_ascii_lowercase().contains("www-authenticate: bearer"), "{head}");
        assert!(!head.to_ascii_lowercase().contains("access-control"), "{head}");
        assert_eq!(stage.status(&format!("GET {path}"), "Authorization: Basic cmVhZA==\r\n"), 401, "{path}");
        assert_eq!(stage.status(&format!("GET {path}"), &bearer("read")), 200, "{path}");
    }
    assert_eq!(stage.status("GET /nothing", ""), 404);
}

#[test]
fn a_token_may_do_what_its_role_may_and_the_record_has_its_name() {
    let stage = Stage::start("");
    let attempts = [
        ("GET /api/v1/lists", "", [200, 200, 200]),
        ("POST /api/v1/lists", BLOCK, [403, 200, 200]),
        ("POST /api/v1/lists/203.0.113.7%2F32/flip", "{}", [403, 200, 200]),
        ("DELETE /api/v1/addresses/203.0.113.7", "", [403, 200, 200]),
        ("POST /api/v1/reload", "", [403, 403, 200]),
    ];
    fs::write(stage.folder.path().join("rpd.toml"), &stage.text).expect("a file");
    for (request, body, wanted) in attempts {
        for (role, wanted) in ROLES.into_iter().zip(wanted) {
            // So that there is something to flip.
            if request.ends_with("flip") {
                stage.ask("POST /api/v1/lists", &bearer("admin"), BLOCK);
            }
            let (status, _, said) = stage.ask(request, &bearer(role), body);
            assert_eq!(status, wanted, "{request} as {role}: {said}");
        }
    }
    let audit = stage.audit();
    assert!(audit.contains(r#""actor":"operate's""#) && audit.contains(r#""source":"127.0.0.1""#), "{audit}");
    assert!(!audit.contains("read's"), "{audit}");
}

#[test]
fn nobody_shuts_himself_out() {
    let stage = Stage::start("");
    let (status, _, said) =
        stage.ask("POST /api/v1/lists", &bearer("admin"), r#"{"network":"127.0.0.0/8","kind":"block"}"#);
    assert_eq!(status, 409, "{said}");
}

#[test]
fn who_shows_wrong_tokens_has_to_wait() {
    let stage = Stage::start("");
    let wrong: Vec<u16> = (0..5).map(|_| stage.status("GET /api/v1/lists", &bearer("guess"))).collect();
    assert_eq!(wrong, [401, 401, 401, 401, 429]);
    let (status, _, said) = stage.ask("GET /api/v1/lists", &bearer("admin"), "");
    assert_eq!(status, 429, "nobody learns in between whether a token is right");
    assert!(said.contains("too many wrong tokens from this address; try again in "), "{said}");
    assert_eq!(stage.status("GET /", ""), 200);
}

/// Nobody has shown a token yet, and each may stay for a minute.
#[test]
fn a_stranger_who_takes_all_places_keeps_nobody_else_out() {
    let stage = Stage::start("");
    let idle: Vec<TcpStream> = (0..100).map(|_| stage.connect()).collect();
    let elsewhere = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    elsewhere.bind(&SocketAddr::from(([127, 0, 0, 2], 0)).into()).expect("an address of this machine");
    elsewhere.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    elsewhere.connect(&stage.proxy.admin_address().into()).expect("the proxy listens");
    let (status, _, said) = ask(TcpStream::from(elsewhere), "GET /api/v1/lists", &bearer("read"), "");
    assert_eq!(status, 200, "{said}");
    drop(idle);
}

#[test]
fn over_tls_a_trusted_certificate_is_as_good_as_a_token_and_another_is_nothing() {
    let stage = Stage::start("certificate = \"proxy.pem\"\nkey = \"proxy.key\"\nclient-trust = [\"ca.pem\"]");
    let status = |certificate: Option<&Arc<CertifiedKey>>, lines: &str| {
        ask(stage.over_tls(certificate), "POST /api/v1/lists", lines, BLOCK).0
    };
    let anna = client_certificate(stage.folder.path(), "anna");
    assert_eq!(status(Some(&anna), ""), 200);
    assert!(stage.audit().contains(r#""actor":"anna""#), "{}", stage.audit());
    assert_eq!(status(None, ""), 401);
    assert_eq!(status(Some(&self_signed("anna")), ""), 401);
    assert_eq!(status(Some(&self_signed("anna")), &bearer("operate")), 200);
    assert_eq!(status(None, &format!("Origin: https://localhost\r\n{}", bearer("operate"))), 200);
    assert_eq!(status(None, &format!("Origin: http://localhost\r\n{}", bearer("operate"))), 403);

    let mut clear = stage.connect();
    clear.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("the proxy reads");
    let mut answer = Vec::new();
    let _ = clear.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "nothing is served in clear");
}

#[test]
fn it_answers_to_its_own_names_alone_and_to_no_other_page() {
    let stage = Stage::start("names = [\"rpd.example.com\"]");
    for (lines, status) in [
        ("Host: rpd.example.com:8443\r\n", 200),
        ("Host: RPD.example.com\r\nOrigin: http://RPD.example.com\r\n", 200),
        ("Host: other.example.com\r\n", 403),
        ("Host: rpd.example.com\r\nOrigin: http://other.example.com\r\n", 403),
        ("Host: rpd.example.com\r\nOrigin: null\r\n", 403),
    ] {
        assert_eq!(
            stage.status("GET /api/v1/lists", &format!("{lines}{}", bearer("read"))),
            status,
            "{lines}"
        );
    }
    // What a browser asks before it lets another page change anything.
    let (status, head, _) = stage.ask("OPTIONS /api/v1/lists", "Access-Control-Request-Method: POST\r\n", "");
    assert!(status == 401 && !head.to_ascii_lowercase().contains("access-control"), "{head}");
}

#[test]
fn a_token_that_is_taken_away_is_worth_nothing_after_a_reload() {
    let stage = Stage::start("");
    assert_eq!(stage.status("GET /api/v1/lists", &bearer("operate")), 200);
    let mut listening = stage.connect();
    let head = format!("GET /api/v1/events HTTP/1.0\r\nHost: localhost\r\n{}\r\n", bearer("operate"));
    listening.write_all(head.as_bytes()).expect("the proxy reads");
    assert!(listening.read(&mut [0; 15]).is_ok_and(|octets| octets == 15));
    let rest = stage.text.replace(&token_row("operate", "operate"), &token_row("new", "read"));
    let change = stage.proxy.reload(&rest).expect("a good configuration");
    assert!(change.notes.is_empty(), "no restart is needed: {:?}", change.notes);
    listening.read_to_end(&mut Vec::new()).expect("what is told ends, too");
    assert_eq!(stage.status("GET /api/v1/lists", &bearer("operate")), 401);
    assert_eq!(stage.status("GET /api/v1/lists", &bearer("new")), 200);
    assert_eq!(stage.status("POST /api/v1/lists", &bearer("new")), 403);
}

#[test]
fn what_rpd_token_prints_is_taken() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_rpd"))
        .args(["token", "anna \"the\" admin", "--role", "operate"])
        .output()
        .expect("rpd");
    let printed = String::from_utf8(output.stdout).expect("text");
    let secret = printed.lines().nth(1).expect("the token");
    let (_, row) = printed.split_once("# For the configuration:\n").expect("a row");
    assert!(secret.len() == 64 && !row.contains(secret), "{printed}");
    let text = format!("[admin]\nsocket = \"\"\nlisten = \"127.0.0.1:0\"\n{row}");
    let folder = certificates();
    let stage = Stage { proxy: Proxy::start(folder.path(), &text), folder, text };
    assert_eq!(stage.status("GET /api/v1/lists", &bearer(secret)), 200);
    assert_eq!(stage.status("POST /api/v1/reload", &bearer(secret)), 403);
}
