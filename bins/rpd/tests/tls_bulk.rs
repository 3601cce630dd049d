//! Bulk through a tunnel that is TLS on both sides, between peers that read as fast or as slowly as they like.

mod common;

use std::{io, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use common::{PATIENCE, Proxy, certificates, key};
use rpd::tls;
use rustls::{
    ServerConfig,
    version::{TLS12, TLS13},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

const MEGABYTE: usize = 1 << 20;

/// A proxy that takes TLS, in front of a service on `port` that takes TLS.
fn proxy(folder: &Path, port: u16) -> Proxy {
    let text = format!(
        "[listen]\nhttps = \"127.0.0.1:0\"\n\
         [[tls.certificate]]\ncertificate = \"proxy.pem\"\nkey = \"proxy.key\"\n\
         [[host]]\nnames = [\"example.com\"]\ntarget = \"127.0.0.1\"\nhttp.tls = {port}\ntls.verify = \"none\"\n"
    );
    Proxy::start(folder, &text)
}

/// Takes TLS of this version only.
fn acceptor(folder: &Path, version: &'static rustls::SupportedProtocolVersion) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .expect("a version")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(key(folder, "service"))));
    Arc::new(config).into()
}

/// Both ends of a tunnel: what was an HTTP connection is not looked at any more.
async fn tunnel(
    proxy: SocketAddr,
    listener: &TcpListener,
    acceptor: &TlsAcceptor,
) -> (TlsStream<TcpStream>, TlsStream<TcpStream>) {
    let config = Arc::new(tls::client_config_with(tls::accept_any(), None));
    let socket = TcpStream::connect(proxy).await.expect("the proxy listens");
    let name = "example.com".try_into().expect("a name");
    let mut client = TlsConnector::from(config).connect(name, socket).await.expect("a handshake");
    client
        .write_all(
            b"GET / HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        )
        .await
        .expect("the proxy reads");
    let (socket, _) = listener.accept().await.expect("the proxy connects");
    let mut service = acceptor.accept(socket).await.expect("a handshake");
    head(&mut service).await;
    service
        .write_all(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        .await
        .expect("the proxy reads");
    service.flush().await.expect("the proxy reads");
    head(&mut client).await;
    (client.into(), service.into())
}

async fn head(stream: &mut (impl AsyncRead + Unpin)) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("a head"));
    }
}

/// Octets that repeat nowhere near, and differ by `seed`.
fn noise(seed: u32, count: usize) -> Vec<u8> {
    let words = (0..).map(|at: u32| (at ^ seed).wrapping_mul(0x9e37_79b1));
    words.flat_map(u32::to_le_bytes).take(count).collect()
}

/// Writes in pieces of such sizes, over and over, and ends.
async fn say(mut to: impl AsyncWrite + Unpin, octets: &[u8], sizes: &[usize]) {
    let mut left = octets;
    for size in sizes.iter().cycle() {
        let (now, later) = left.split_at(left.len().min(*size));
        to.write_all(now).await.expect("the proxy reads");
        to.flush().await.expect("the proxy reads");
        left = later;
        if left.is_empty() {
            break;
        }
    }
    to.shutdown().await.expect("the proxy reads");
}

async fn hear(mut from: impl AsyncRead + Unpin, octets: &[u8]) {
    let mut heard = Vec::new();
    from.read_to_end(&mut heard).await.expect("an end in order");
    assert!(heard == octets, "{} of {} octets, or others", heard.len(), octets.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn octets_of_a_tunnel_pass_unchanged_in_pieces_of_any_size() {
    let folder = certificates();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let proxy = proxy(folder.path(), listener.local_addr().expect("an address").port());
    for version in [&TLS12, &TLS13] {
        let acceptor = acceptor(folder.path(), version);
        for sizes in [&[1, 16_384, 3, 16_385, 40_000][..], &[3 * MEGABYTE, 1, 70_000]] {
            let (client, service) = tunnel(proxy.address("https"), &listener, &acceptor).await;
            let (up, down) = (noise(1, 5 * MEGABYTE), noise(2, 7 * MEGABYTE + 1));
            let ((from_client, to_client), (from_service, to_service)) = (split(client), split(service));
            let all = async {
                tokio::join!(
                    say(to_client, &up, sizes),
                    say(to_service, &down, sizes),
                    hear(from_client, &down),
                    hear(from_service, &up)
                )
            };
            timeout(PATIENCE, all).await.expect("all of it in time");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_stands_still_holds_up_who_writes_and_gets_everything_later() {
    let folder = certificates();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let proxy = proxy(folder.path(), listener.local_addr().expect("an address").port());
    for version in [&TLS12, &TLS13] {
        let acceptor = acceptor(folder.path(), version);
        let (mut client, mut service) = tunnel(proxy.address("https"), &listener, &acceptor).await;
        let block = noise(3, MEGABYTE);
        let mut written = 0;
        // What the system buffers is a few megabytes on each connection; the proxy itself has a quarter of one.
        while let Ok(taken) = timeout(STANDS_STILL, service.write(&block[written % MEGABYTE..])).await {
            written += taken.expect("the proxy is there");
            assert!(written < 512 * MEGABYTE, "nobody holds up who writes");
        }
        let rest = async {
            service.flush().await?;
            service.shutdown().await?;
            io::Result::Ok(())
        };
        let reading = async {
            let mut received = vec![0; MEGABYTE];
            for _ in 0..written / MEGABYTE {
                client.read_exact(&mut received).await?;
                assert!(received == block, "octets were changed");
            }
            received.clear();
            client.read_to_end(&mut received).await?;
            assert!(received == block[..written % MEGABYTE], "octets were changed at the end");
            Ok(())
        };
        let both = timeout(PATIENCE, async { tokio::try_join!(rest, reading) });
        both.await.expect("in time").expect("all of it");
    }
}

/// Nobody who reads lets this much time go by.
const STANDS_STILL: Duration = Duration::from_millis(500);
