//! Administration over TCP: whoever asks says who he is, by a token or by a certificate, and does so over TLS, but on
//! this machine itself.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use aws_lc_rs::{constant_time::verify_slices_are_equal, digest};
use axum::{
    Extension, Router,
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use rustls_pki_types::{CertificateDer, UnixTime};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tracing::{debug, warn};

use super::{Desk, Peer, answer::No, guests::Guests, taker::Taker};
use crate::{
    config::{Access, Role, Token},
    tls::{self, Greeted},
};

/// A listening socket, and whether it speaks TLS: that stays so, whatever the configuration becomes.
pub(super) struct Door {
    listener: std::net::TcpListener,
    /// Where it really is.
    pub(super) address: SocketAddr,
    pub(super) over_tls: bool,
}

impl Door {
    pub(super) fn open(address: SocketAddr, access: &Access) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(Self { address: listener.local_addr()?, listener, over_tls: access.key.is_some() })
    }

    /// Answers as long as the runtime runs.
    pub(super) async fn serve(self, routes: Router, desk: Arc<Desk>) {
        let Ok(listener) = TcpListener::from_std(self.listener) else { return };
        let guests = Guests::new();
        loop {
            let Some(place) = guests.place().await else { return };
            let Ok((stream, from)) = listener.accept().await else {
                sleep(PAUSE).await;
                continue;
            };
            let Some(guest) = guests.seat(from.ip(), place) else { continue };
            let (routes, desk) = (routes.clone(), desk.clone());
            tokio::spawn(async move {
                if let Err(error) = answer(stream, from.ip(), self.over_tls, routes, &desk).await {
                    debug!(%from, %error, "administration");
                }
                drop(guest);
            });
        }
    }
}

/// What is known of who asks before he has said a word.
#[derive(Clone)]
pub(super) struct Caller {
    address: IpAddr,
    /// The certificates that he has shown, and holds the key of.
    shown: Vec<CertificateDer<'static>>,
}

async fn answer(
    stream: TcpStream,
    address: IpAddr,
    over_tls: bool,
    routes: Router,
    desk: &Desk,
) -> io::Result<()> {
    if !over_tls {
        return converse(stream, routes, Caller { address, shown: Vec::new() }).await;
    }
    let access = desk.control.state().config.access.clone();
    let key =
        access.key.as_ref().ok_or_else(|| io::Error::other("there is no admin.certificate any more"))?;
    let config = tls::admin_config(key, access.trust.is_some());
    let handshake = async { Greeted::listen(stream).await?.answer(config).await };
    let stream = timeout(HANDSHAKE, handshake).await??;
    let shown = stream.state().peer_certificates().unwrap_or_default().to_vec();
    converse(stream, routes, Caller { address, shown }).await
}

async fn converse<S>(stream: S, routes: Router, caller: Caller) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let service = TowerToHyperService::new(routes.layer(Extension(caller)));
    let stream = Taker::new(stream, TAKING);
    let mut connection = http1::Builder::new();
    connection.timer(TokioTimer::new()).header_read_timeout(HEAD);
    connection.serve_connection(TokioIo::new(stream), service).await.map_err(io::Error::other)
}

/// Lets a request of somebody who is known through, with his name.
pub(super) async fn identify(
    State(desk): State<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    mut request: Request,
    next: Next,
) -> Response {
    match desk.who(&caller, request.headers(), Instant::now()) {
        Ok(peer) => {
            request.extensions_mut().insert(ConnectInfo(peer));
            next.run(request).await
        }
        Err(no) => ([(header::WWW_AUTHENTICATE, "Bearer")], no).into_response(),
    }
}

impl Desk {
    fn who(&self, caller: &Caller, headers: &HeaderMap, now: Instant) -> Result<Peer, No> {
        let peer = |name: &str, role| Peer { name: name.to_owned(), role, address: Some(caller.address) };
        let access = &self.control.state().config.access;
        if let Ok(name) = tls::client_name(access.trust.as_deref(), &caller.shown, UnixTime::now()) {
            return Ok(peer(&name, Role::Admin));
        }
        let unknown = |words: &str| No::new(StatusCode::UNAUTHORIZED, words);
        let given = headers.get(header::AUTHORIZATION).and_then(|value| bearer(value.as_bytes()));
        let given = given.ok_or_else(|| unknown("a token is needed: Authorization: Bearer …"))?;
        if let Some(wait) = self.attempts.wait(caller.address, now) {
            let words =
                format!("too many wrong tokens from this address; try again in {} s", wait.as_secs() + 1);
            return Err(No::new(StatusCode::TOO_MANY_REQUESTS, words));
        }
        match owner(&access.tokens, given) {
            Some(token) => Ok(peer(&token.name, token.role)),
            None => {
                self.attempts.failed(caller.address, now);
                warn!(source = %caller.address, "somebody asked to administer with a wrong token");
                Err(unknown("this token is not known"))
            }
        }
    }
}

/// RFC 6750 section 2.1; the scheme in any case, RFC 9110 section 11.1.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

/// Whose it is. How long this takes tells nothing of how much of a token was right.
fn owner<'a>(tokens: &'a [Token], given: &[u8]) -> Option<&'a Token> {
    let hash = digest::digest(&digest::SHA256, given);
    tokens.iter().find(|token| verify_slices_are_equal(hash.as_ref(), &token.sha256.0).is_ok())
}

const HANDSHAKE: Duration = Duration::from_secs(10);
/// For the head of a request, and for the pause before it.
const HEAD: Duration = Duration::from_secs(60);
/// For whoever does not take what he has asked for.
const TAKING: Duration = Duration::from_secs(30);
/// After a failure to accept: out of files, most likely.
const PAUSE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::AsyncWriteExt;

    use super::*;

    /// Hours pass in no time.
    #[tokio::test(start_paused = true)]
    async fn who_takes_no_answer_does_not_keep_his_place() {
        let routes = Router::new().route("/", get(async || "x".repeat(100_000)));
        let (near, mut far) = tokio::io::duplex(1024);
        far.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.expect("room");
        let caller = Caller { address: [192, 0, 2, 1].into(), shown: Vec::new() };
        let ended = timeout(Duration::from_secs(3600), converse(near, routes, caller)).await;
        assert!(ended.is_ok_and(|ended| ended.is_err()));
    }

    #[test]
    fn a_token_stands_behind_its_scheme() {
        for value in ["Bearer abc", "bearer abc", "BEARER  abc "] {
            assert_eq!(bearer(value.as_bytes()), Some(&b"abc"[..]), "{value}");
        }
        for value in ["abc", "Basic abc", "Bearer", ""] {
            assert_eq!(bearer(value.as_bytes()), None, "{value}");
        }
    }
}
