//! TLS on both sides: which certificate is shown, which one is asked for, and which targets are believed.

mod common;

use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::Arc,
    thread::{self, JoinHandle},
};

use common::{PATIENCE, Proxy, SERVICE_NAME, certificates, key};
use rp_ldap::{ResultCode, messages};
use rpd::tls;
use rustls::{
    ClientConfig, ClientConnection, ServerConfig, ServerConnection, StreamOwned,
    crypto::aws_lc_rs,
    server::{ResolvesServerCert, WebPkiClientVerifier},
    sign::{CertifiedKey, SingleCertAndKey},
};
use rustls_pki_types::CertificateDer;

/// A TLS client that takes any server and shows `key`.
fn client(
    proxy: &Proxy,
    listener: &str,
    sni: &str,
    key: Option<&Arc<CertifiedKey>>,
) -> StreamOwned<ClientConnection, TcpStream> {
    client_with(proxy, listener, sni, tls::client_config_with(tls::accept_any(), key))
}

fn client_with(
    proxy: &Proxy,
    listener: &str,
    sni: &str,
    config: ClientConfig,
) -> StreamOwned<ClientConnection, TcpStream> {
    let socket = proxy.connect(listener);
    let name = sni.to_owned().try_into().expect("a name");
    StreamOwned::new(ClientConnection::new(Arc::new(config), name).expect("a client"), socket)
}

/// A directory that takes one TLS connection, answers a bind with success, and tells the client's certificate.
fn directory(
    key: Arc<CertifiedKey>,
    ca: &Path,
) -> (u16, JoinHandle<io::Result<Option<CertificateDer<'static>>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let roots = Arc::new(tls::roots(&tls::read_certificates(ca).expect("the authority")));
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider.clone())
        .allow_unauthenticated()
        .build()
        .expect("a verifier");
    let resolver: Arc<dyn ResolvesServerCert> = Arc::new(SingleCertAndKey::from(key));
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(resolver);
    let serving = thread::spawn(move || {
        let (socket, _) = listener.accept()?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let mut stream =
            StreamOwned::new(ServerConnection::new(Arc::new(config)).map_err(io::Error::other)?, socket);
        let mut octets = [0; 256];
        let got = stream.read(&mut octets)?;
        let bind =
            rp_ldap::extract(&octets[..got]).map_err(|error| io::Error::other(format!("{error:?}")))?;
        stream.write_all(&messages::bind_response(bind.message_id, ResultCode::SUCCESS, ""))?;
        stream.flush()?;
        let shown = stream.conn.peer_certificates().and_then(|chain| chain.first()).cloned();
        // The proxy ends first.
        let _ = stream.read(&mut octets);
        Ok(shown.map(CertificateDer::into_owned))
    });
    (port, serving)
}

/// The result code of a bind through a proxy whose target is judged by `rule`.
fn bind_through(folder: &Path, port: u16, rule: &str) -> i32 {
    let text = format!(
        "[listen]\nldap = \"127.0.0.1:0\"\n[tls.client]\ncertificate = \"proxy.pem\"\nkey = \"proxy.key\"\n[[host]]\nnames = [\"example.com\"]\ntarget = \"127.0.0.1\"\nldap = {{ tls = {port} }}\ntls = {{ {rule} }}\n"
    );
    let proxy = Proxy::start(folder, &text);
    let mut stream = proxy.connect("ldap");
    let bind = messages::simple_bind_request(1, "example.com\\u", "x");
    stream.write_all(&[bind, messages::unbind_request(2)].concat()).expect("the proxy reads");
    let mut octets = [0; 256];
    let got = stream.read(&mut octets).expect("an answer");
    rp_ldap::answer(&octets[..got]).expect("an answer").result.expect("a result").code.0
}

#[test]
fn a_target_is_believed_by_the_rule_of_its_host_alone() {
    let folder = certificates();
    let folder = folder.path();
    let service = key(folder, "service");
    let pin = tls::fingerprint(&service.cert[0]);
    let other = tls::fingerprint(&key(folder, "proxy").cert[0]);
    for (rule, code) in [
        ("verify = \"none\"".to_owned(), 0),
        (format!("verify = \"fingerprint\", fingerprints = \"{pin}\""), 0),
        (format!("verify = \"fingerprint\", fingerprints = [\"{other}\", \"{pin}\"]"), 0),
        (format!("verify = \"fingerprint\", fingerprints = \"{other}\""), 52),
        ("verify = \"trust-list\", trust = [\"ca.pem\"]".to_owned(), 0),
        ("verify = \"trust-list\", trust = [\"service.pem\"]".to_owned(), 0),
        ("verify = \"trust-list\", trust = [\"proxy.pem\"]".to_owned(), 52),
        (format!("verify = \"trust-list\", trust = [\"ca.pem\"], server-name = \"{SERVICE_NAME}\""), 0),
        ("verify = \"trust-list\", trust = [\"ca.pem\"], server-name = \"other.example\"".to_owned(), 52),
    ] {
        let (port, serving) = directory(service.clone(), &folder.join("ca.pem"));
        assert_eq!(bind_through(folder, port, &rule), code, "{rule}");
        let served = serving.join().expect("the directory");
        assert_eq!(served.is_ok(), code == 0, "{rule}: {served:?}");
    }
}

#[test]
fn the_proxy_shows_its_own_certificate_unless_told_not_to() {
    let folder = certificates();
    let folder = folder.path();
    let own = key(folder, "proxy").cert[0].clone();
    for (rule, shown) in
        [("verify = \"none\"", Some(own)), ("verify = \"none\", present-certificate = false", None)]
    {
        let (port, serving) = directory(key(folder, "service"), &folder.join("ca.pem"));
        assert_eq!(bind_through(folder, port, rule), 0);
        assert_eq!(serving.join().expect("the directory").expect("a connection"), shown, "{rule}");
    }
}

/// A proxy for all TLS tests of the client's side; what is asked of it is answered by itself, with 49.
fn front(folder: &Path, more: &str) -> Proxy {
    let text = format!(
        "[listen]\nldaps = \"127.0.0.1:0\"\nhttps = \"127.0.0.1:0\"\n[tls]\n{more}\n[[tls.certificate]]\ncertificate = \"proxy.pem\"\nkey = \"proxy.key\"\n\
         [[tls.certificate]]\ncertificate = \"service.pem\"\nkey = \"service.key\"\n"
    );
    Proxy::start(folder, &text)
}

/// Asks for something that is refused, over a connection that is left open.
fn refused(stream: &mut StreamOwned<ClientConnection, TcpStream>) -> io::Result<i32> {
    stream.write_all(&messages::simple_bind_request(1, "unknown.example\\u", "x"))?;
    stream.flush()?;
    let mut octets = [0; 256];
    let got = stream.read(&mut octets)?;
    Ok(rp_ldap::answer(&octets[..got]).expect("an answer").result.expect("a result").code.0)
}

#[test]
fn the_certificate_is_chosen_by_sni_and_the_first_one_serves_the_rest() {
    let folder = certificates();
    let folder = folder.path();
    let proxy = front(folder, "");
    for (sni, name) in [
        (SERVICE_NAME, "service"),
        ("example.com", "proxy"),
        ("anything.example.com", "proxy"),
        ("unknown.invalid", "proxy"),
        ("127.0.0.1", "proxy"),
    ] {
        let mut stream = client(&proxy, "ldaps", sni, None);
        assert_eq!(refused(&mut stream).expect("an answer"), 49);
        let shown = stream.conn.peer_certificates().expect("a certificate")[0].clone();
        assert_eq!(shown, key(folder, name).cert[0], "{sni}");
    }
}

#[test]
fn a_client_certificate_is_asked_for_and_any_will_do() {
    let folder = certificates();
    let folder = folder.path();
    let asked = front(folder, "request-client-certificate = [\"ldaps\"]");
    // Signed by nobody that the proxy knows.
    let stranger = rcgen::generate_simple_self_signed(vec!["stranger".to_owned()]).expect("a certificate");
    let signer =
        aws_lc_rs::sign::any_supported_type(&stranger.signing_key.serialize_der().try_into().expect("a key"));
    let stranger = Arc::new(CertifiedKey::new(vec![stranger.cert.der().clone()], signer.expect("a key")));
    for shown in [None, Some(&key(folder, "service")), Some(&stranger)] {
        assert_eq!(refused(&mut client(&asked, "ldaps", "example.com", shown)).expect("no abort"), 49);
    }
}

#[test]
fn a_client_that_does_not_hold_the_key_of_its_certificate_is_not_let_in() {
    let folder = certificates();
    let folder = folder.path();
    let asked = front(folder, "request-client-certificate = [\"ldaps\"]");
    let (service, proxy) = (key(folder, "service"), key(folder, "proxy"));
    let stolen = Arc::new(CertifiedKey::new(service.cert.clone(), proxy.key.clone()));
    assert!(refused(&mut client(&asked, "ldaps", "example.com", Some(&stolen))).is_err());
}

/// It would be kept for hours, once for each connection.
#[test]
fn a_client_certificate_with_a_chain_that_nobody_has_is_not_taken() {
    let folder = certificates();
    let asked = front(folder.path(), "request-client-certificate = [\"ldaps\"]");
    let service = key(folder.path(), "service");
    let with_chain = |octets: usize| {
        let chain = vec![service.cert[0].clone(); octets / service.cert[0].len()];
        Arc::new(CertifiedKey::new(chain, service.key.clone()))
    };
    let outcome =
        |octets| refused(&mut client(&asked, "ldaps", "example.com", Some(&with_chain(octets)))).ok();
    assert_eq!((outcome(15_000), outcome(20_000), outcome(60_000)), (Some(49), None, None));
}

#[test]
fn tls_1_2_is_spoken_unless_it_is_forbidden() {
    let folder = certificates();
    let folder = folder.path();
    let old = || {
        ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS12])
            .expect("a version")
            .dangerous()
            .with_custom_certificate_verifier(tls::accept_any())
            .with_no_client_auth()
    };
    let both = front(folder, "");
    assert_eq!(refused(&mut client_with(&both, "ldaps", "example.com", old())).expect("an answer"), 49);
    let new_only = front(folder, "min-version = \"1.3\"");
    assert!(refused(&mut client_with(&new_only, "ldaps", "example.com", old())).is_err());
}

#[test]
fn https_offers_http_1_1_and_sni_of_one_host_does_not_lead_to_another() {
    let folder = certificates();
    let text = "[listen]\nhttps = \"127.0.0.1:0\"\n[[tls.certificate]]\ncertificate = \"proxy.pem\"\nkey = \"proxy.key\"\n\
         [[host]]\nnames = [\"a.example.com\"]\ntarget = \"127.0.0.2\"\nhttp = { tcp = 1 }\n\
         [[host]]\nnames = [\"b.example.com\"]\ntarget = \"127.0.0.2\"\nhttp = { tcp = 1 }\n";
    let proxy = Proxy::start(folder.path(), text);
    for (sni, host, status) in [
        ("a.example.com", "a.example.com", "502"),
        ("a.example.com", "b.example.com", "421"),
        ("other.example.com", "b.example.com", "502"),
    ] {
        let mut config = tls::client_config_with(tls::accept_any(), None);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let mut stream = client_with(&proxy, "https", sni, config);
        let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("the proxy reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer, and a proper end of TLS");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{sni} {host}: {answer}");
        assert_eq!(stream.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
    }
}

#[test]
fn a_handshake_that_stalls_is_ended() {
    let folder = certificates();
    let text = "[listen]\nldaps = \"127.0.0.1:0\"\n[limits]\nhandshake = \"200ms\"\n[[tls.certificate]]\ncertificate = \"proxy.pem\"\nkey = \"proxy.key\"\n";
    let proxy = Proxy::start(folder.path(), text);
    let mut stream = proxy.connect("ldaps");
    stream.write_all(b"\x16\x03\x01").expect("the proxy reads");
    assert!(matches!(stream.read(&mut [0; 16]), Ok(0) | Err(_)), "the proxy goes on waiting");
}

#[test]
fn a_certificate_in_a_trust_list_that_is_no_authority_vouches_for_itself_alone() {
    let folder = certificates();
    let folder = folder.path();
    // Whoever holds the key of a listed device signs a certificate for another.
    let read = |file: &str| std::fs::read_to_string(folder.join(file)).expect("a file");
    let device = rcgen::KeyPair::from_pem(&read("service.key")).expect("a key");
    let issuer = rcgen::Issuer::from_ca_cert_pem(&read("service.pem"), device).expect("an issuer");
    let own = rcgen::KeyPair::generate().expect("a key");
    let params = rcgen::CertificateParams::new(vec![SERVICE_NAME.to_owned()]).expect("a name");
    let forged = params.signed_by(&own, &issuer).expect("a certificate");
    std::fs::write(folder.join("forged.pem"), forged.pem()).expect("a file");
    std::fs::write(folder.join("forged.key"), own.serialize_pem()).expect("a file");
    for (shown, code) in [("service", 0), ("forged", 52)] {
        let (port, _serving) = directory(key(folder, shown), &folder.join("ca.pem"));
        assert_eq!(
            bind_through(folder, port, "verify = \"trust-list\", trust = [\"service.pem\"]"),
            code,
            "{shown}"
        );
    }
}
