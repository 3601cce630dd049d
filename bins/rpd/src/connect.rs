//! To a target: addresses in turn, a time-out for each, TLS included.

use std::{
    collections::HashMap,
    fmt, io,
    net::{IpAddr, SocketAddr},
    pin::pin,
    slice,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use rp_route::leg::{Leg, Transport};
use rustls_pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::{io::AsyncWriteExt, net::TcpSocket, sync::Semaphore};

use crate::{
    alarm::Alarm,
    config::{Keepalive, Limits, Target},
    lock::lock,
    protocol::Protocol,
    proxy_protocol::{self, Addresses},
    state::Destination,
    stream::Stream,
    tls::TlsStream,
};

/// No target of a host could be reached.
#[derive(Debug)]
pub struct Unreachable {
    /// Whether the last attempt ran into `limits.connect`.
    pub timed_out: bool,
    /// The address that was tried last.
    pub last: Option<SocketAddr>,
    /// What was tried and how it failed, attempt by attempt.
    pub attempts: String,
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.attempts)
    }
}

/// A connection that is wanted.
pub struct Wanted<'a> {
    /// To one of the targets of this one.
    pub destination: &'a Destination,
    /// What will be spoken.
    pub protocol: Protocol,
    /// Over what, and to which port.
    pub leg: Leg,
    /// On behalf of whom.
    pub client: &'a Addresses,
    /// How long it may take, and how it is kept alive.
    pub limits: &'a Limits,
    /// Who knows where names lead.
    pub resolver: &'a Resolver,
}

/// Connects to the first target that takes the connection, and says where that is.
///
/// # Errors
/// What happened at each target, when none did.
pub async fn connect(wanted: &Wanted<'_>, alarm: &mut Alarm) -> Result<(Stream, SocketAddr), Unreachable> {
    let Wanted { destination, leg, limits, resolver, .. } = wanted;
    let due = || (Instant::now() + limits.connect).into();
    let mut failed = Unreachable { timed_out: false, last: None, attempts: String::new() };
    for target in &destination.host.targets {
        let resolved;
        let addresses = match target {
            Target::Address(address) => slice::from_ref(address),
            Target::Name(name) => {
                match alarm.within(due(), Box::pin(resolver.resolve(name)).as_mut()).await {
                    Some(Ok(addresses)) => {
                        resolved = addresses;
                        &resolved
                    }
                    Some(Err(error)) => {
                        failed.note(target, &error, false);
                        continue;
                    }
                    None => {
                        failed.note(target, &"no address within limits.connect", true);
                        continue;
                    }
                }
            }
        };
        for address in addresses {
            let address = SocketAddr::new(*address, leg.port);
            failed.last = Some(address);
            match alarm.within(due(), pin!(attempt(wanted, target, &address))).await {
                Some(Ok(stream)) => return Ok((stream, address)),
                Some(Err(error)) => failed.note(&address, &error, false),
                None => failed.note(&address, &"no connection within limits.connect", true),
            }
            resolver.forget(target);
        }
    }
    Err(failed)
}

impl Unreachable {
    fn note(&mut self, whom: &impl fmt::Display, error: &impl fmt::Display, timed_out: bool) {
        let separator = if self.attempts.is_empty() { "" } else { "; " };
        self.attempts.push_str(&format!("{separator}{whom}: {error}"));
        self.timed_out = timed_out;
    }
}

async fn attempt(wanted: &Wanted<'_>, target: &Target, address: &SocketAddr) -> io::Result<Stream> {
    let Wanted { destination, protocol, leg, client, limits, .. } = *wanted;
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(source) =
        destination.host.source_address.filter(|source| source.is_ipv4() == address.is_ipv4())
    {
        socket.bind(SocketAddr::new(source, 0))?;
    }
    let mut stream = socket.connect(*address).await?;
    prepare(&SockRef::from(&stream), protocol, &limits.keepalive)?;
    let service = destination.host.services[protocol].as_ref();
    if let Some(version) = service.and_then(|service| service.send_proxy) {
        stream.write_all(&proxy_protocol::write(version, client)).await?;
    }
    if leg.transport == Transport::Tcp {
        return Ok(stream.into());
    }
    let missing = || io::Error::other("no tls.verify, or no usable server name");
    let config = destination.client_tls().ok_or_else(missing)?;
    let name: ServerName<'static> = destination.server_name(target).ok_or_else(missing)?;
    // Large, and most targets are reached in clear.
    Ok(Box::pin(TlsStream::connect(config.clone(), name, stream)).await?.into())
}

/// What every socket gets, of targets, and of clients by way of the listener: no delay, and probes that find a peer
/// that has vanished.
///
/// # Errors
/// The socket's.
pub fn prepare(socket: &SockRef<'_>, protocol: Protocol, keepalive: &Keepalive) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    let (after, apart) = match protocol {
        Protocol::H323 => (keepalive.h323, PROBES_APART),
        Protocol::Sip => (keepalive.sip, PROBES_APART_SIP),
        Protocol::Ldap => (keepalive.ldap, PROBES_APART),
        Protocol::Http => (keepalive.http, PROBES_APART),
    };
    if after.is_zero() {
        return socket.set_keepalive(false);
    }
    let probes = TcpKeepalive::new().with_time(after).with_interval(apart).with_retries(PROBES);
    socket.set_tcp_keepalive(&probes)
}

const PROBES: u32 = 4;
const PROBES_APART: Duration = Duration::from_secs(30);
/// The pings of a SIP phone end here, so a dead one is found here.
const PROBES_APART_SIP: Duration = Duration::from_secs(15);

/// DNS answers, kept for half a minute: getaddrinfo tells no time to live.
#[derive(Debug, Default)]
pub struct Resolver {
    known: Mutex<HashMap<String, (Instant, Vec<IpAddr>)>>,
    /// Questions that are open, by name.
    asking: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl Resolver {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let asked = name.to_owned();
        let answer = async move {
            let addresses = tokio::net::lookup_host((asked, 0)).await?;
            Ok(addresses.map(|address| address.ip()).collect())
        };
        self.resolve_by(name, answer).await
    }

    /// What is known of the name, or else the answer, if there is a place to ask for it.
    async fn resolve_by(
        &self,
        name: &str,
        answer: impl Future<Output = io::Result<Vec<IpAddr>>> + Send + 'static,
    ) -> io::Result<Vec<IpAddr>> {
        if let Some(addresses) = self.recent(name) {
            return Ok(addresses);
        }
        let place = self.places(name).acquire_owned().await.map_err(io::Error::other)?;
        // Somebody else may have heard meanwhile.
        if let Some(addresses) = self.recent(name) {
            return Ok(addresses);
        }
        // getaddrinfo blocks a thread and cannot be called off: its place is taken until it ends, whoever waits for it.
        let asked = tokio::spawn(async move {
            let answer = answer.await;
            drop(place);
            answer
        });
        let addresses = asked.await.map_err(io::Error::other)??;
        let mut known = lock(&self.known);
        known.insert(name.to_owned(), (Instant::now(), addresses.clone()));
        Ok(addresses)
    }

    fn places(&self, name: &str) -> Arc<Semaphore> {
        let mut asking = lock(&self.asking);
        asking.entry(name.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(QUESTIONS))).clone()
    }

    fn recent(&self, name: &str) -> Option<Vec<IpAddr>> {
        let known = lock(&self.known);
        let (at, addresses) = known.get(name)?;
        (at.elapsed() < KEPT).then(|| addresses.clone())
    }

    /// After a failure the name is asked for anew.
    fn forget(&self, target: &Target) {
        if let Target::Name(name) = target {
            lock(&self.known).remove(name);
        }
    }
}

const KEPT: Duration = Duration::from_secs(30);

/// About one name at a time. While the name service is silent, each of them blocks a thread for long.
const QUESTIONS: usize = 2;

#[cfg(test)]
mod tests {
    use std::{
        future::pending,
        sync::atomic::{AtomicUsize, Ordering},
    };

    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_name_service_that_is_silent_is_not_asked_by_everybody_at_once() {
        let (resolver, asked) = (Resolver::default(), Arc::new(AtomicUsize::new(0)));
        for _ in 0..20 {
            let asked = asked.clone();
            let never = async move {
                asked.fetch_add(1, Ordering::Relaxed);
                pending().await
            };
            let waited = timeout(Duration::from_secs(5), resolver.resolve_by("a.example", never)).await;
            assert!(waited.is_err(), "each waits as long as he would");
        }
        assert_eq!(asked.load(Ordering::Relaxed), QUESTIONS);
        let address = IpAddr::from([192, 0, 2, 1]);
        for _ in 0..20 {
            let heard = resolver.resolve_by("b.example", async move { Ok(vec![address]) }).await;
            assert_eq!(heard.expect("an answer"), [address], "other names are asked for");
        }
    }
}
