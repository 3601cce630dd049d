//! One connection, from the accepted socket to its end, read from top to bottom:
//! TLS, protocol, first message, name, host, leg, connection, relay. SIP goes its own way behind the protocol: a phone may
//! have many hosts.

mod case;
mod close;
pub mod explain;
mod h323;
mod head;
mod http;
mod ldap;
mod leg;
mod outbox;
mod queue;
mod relay;
mod sip;
mod sniff;
mod splice;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::Guard;
use rp_route::leg::Transport;
use rustls::CommonState;
use socket2::SockRef;
use tokio::{net::TcpStream, time::timeout};

use crate::{
    alarm::Alarm,
    cancel::{Cancel, Request},
    config::Idle,
    connect,
    open_legs::OpenLeg,
    outcome::{End, Facts, Note, Observation, Observer, Reason, Record, Refusal, TlsFacts},
    protocol::{ListenerKind, Protocol},
    state::{Live, State},
    stream::Stream,
    tls::{self, Greeted},
};
use case::Case;
use head::Head;
use relay::{Event, Relay, Timer};

/// A connection and all that it may use.
pub struct Session {
    /// The client's socket, until it is served.
    pub socket: Option<TcpStream>,
    /// What was known when it was accepted.
    pub facts: Facts,
    /// Where the state in force is found.
    pub live: Live,
    /// What has been learnt since.
    pub record: Record,
    /// By which it is told to end.
    pub cancel: Arc<Cancel>,
    /// Who is told of single requests.
    pub observer: Arc<dyn Observer>,
}

impl Session {
    /// Serves the connection and says how it ended.
    pub async fn run(&mut self) -> End {
        // Each part lies in a box of its own, gone when the next one begins: a connection that is at rest, in whichever
        // part that may be, should be small.
        let (protocol, head) = match Box::pin(self.begin()).await {
            Ok(begun) => begun,
            Err(end) => return end,
        };
        let relay = {
            // In a block: the room for this is not needed any more while the relay runs.
            let served = match protocol {
                Protocol::H323 => Box::pin(h323::serve(self, head)).await,
                Protocol::Ldap => Box::pin(ldap::serve(self, head, false)).await,
                Protocol::Http => Box::pin(http::serve(self, head)).await,
                // A phone has many services, and so no relay.
                Protocol::Sip => return Box::pin(sip::serve(self, head)).await,
            };
            match served {
                Ok(relay) => relay,
                Err(end) => return end,
            }
        };
        self.relayed(relay).await
    }

    /// Relays, and tells what happens, to the end.
    async fn relayed(&mut self, mut relay: Box<Relay>) -> End {
        loop {
            // Taken apart here: what is held while somebody waits is held for hours.
            let Event::Ended(end) = relay.next(&self.cancel, |note| self.tell(note)).await else {
                self.count(&relay);
                self.leave();
                relay = match Box::pin(self.serve_again(relay)).await {
                    Ok(relay) => relay,
                    Err(end) => return end,
                };
                continue;
            };
            self.count(&relay);
            // Whoever was refused may read why, and who was not heard to the end what was said to him.
            if matches!(end, End::Refused(_) | End::Broken(_)) || relay.leaves_unread() {
                return Box::pin(relay.close(end)).await;
            }
            return end;
        }
    }

    /// The state in force. Not to be held while waiting for somebody: a reload would not free it.
    fn state(&self) -> Guard<Arc<State>> {
        self.live.now()
    }

    /// Decides something by the state in force.
    fn decide<T>(&mut self, decision: impl FnOnce(&mut Case<'_>) -> T) -> T {
        let state = self.live.now();
        decision(&mut Case { facts: &self.facts, state: &state, record: &mut self.record, rules: None })
    }

    /// The same about a request that is not the one which the connection was routed by.
    fn decide_about<T>(&self, record: &mut Record, decision: impl FnOnce(&mut Case<'_>) -> T) -> T {
        let state = self.live.now();
        decision(&mut Case { facts: &self.facts, state: &state, record, rules: None })
    }

    /// Everything up to the client's first words, and what they are spoken in.
    async fn begin(&mut self) -> Result<(Protocol, Head), End> {
        let head = Head::new(self.accept().await?);
        let (protocol, head) = match self.facts.protocol {
            Some(protocol) => (protocol, head),
            None => Box::pin(sniff::protocol(self, head)).await?,
        };
        self.told(protocol, &head.stream);
        Ok((protocol, head))
    }

    /// The client has told what it speaks, if the listener did not.
    fn told(&mut self, protocol: Protocol, stream: &Stream) {
        self.facts.protocol = Some(protocol);
        if self.facts.listener == ListenerKind::Any {
            let keepalive = &self.state().config.limits.keepalive;
            // A socket that is gone will tell so when it is read.
            let _ = connect::prepare(&SockRef::from(stream.socket()), protocol, keepalive);
        }
    }

    /// The client's octets, in clear or out of TLS.
    async fn accept(&mut self) -> Result<Stream, End> {
        let socket = self.socket.take().ok_or(End::Gone)?;
        let kind = self.facts.listener;
        let over_tls = match kind {
            ListenerKind::Only(kind) => kind.transport == Transport::Tls,
            ListenerKind::Any => Box::pin(self.begins_tls(&socket)).await?,
        };
        if !over_tls {
            return Ok(socket.into());
        }
        // Large, and others have none.
        Box::pin(self.handshake(socket, kind, self.facts.accepted)).await
    }

    /// Whether a client of whom nothing is known comes over TLS.
    async fn begins_tls(&self, socket: &TcpStream) -> Result<bool, End> {
        let limit = self.state().config.limits.first_byte;
        let first = self.first_octets(socket, limit.saturating_sub(self.facts.accepted.elapsed())).await?;
        match first {
            Some(first) => Ok(first[0] == TLS_HANDSHAKE),
            // It may be a browser, and they open connections to spare.
            None => Err(Refusal::because(Reason::Silent, "limits.first-byte").not_counted().into()),
        }
    }

    /// Waits for the first octets, at most this long, and leaves them where they are. Behind those that have come are
    /// zeros.
    async fn first_octets(&self, socket: &TcpStream, left: Duration) -> Result<Option<[u8; 8]>, End> {
        let mut first = [0; 8];
        tokio::select! {
            biased;
            () = self.cancel.asked(Request::ShutOut) => Err(self.cancel.end()),
            begun = timeout(left, socket.peek(&mut first)) => match begun {
                Ok(Ok(1..)) => Ok(Some(first)),
                Ok(Ok(0) | Err(_)) => Err(End::Gone),
                Err(_) => Ok(None),
            },
        }
    }

    /// Tells of the service that the client leaves. What comes next is about another one.
    fn leave(&mut self) {
        self.observe(&Observation::Forwarded);
        self.record = Record { tls: self.record.tls.take(), ..Record::default() };
    }

    /// The client has left its service, and goes on with another.
    async fn serve_again(&mut self, relay: Box<Relay>) -> Result<Box<Relay>, End> {
        let (stream, octets) = relay.into_client().await;
        ldap::serve(self, Head::begun(stream, octets), true).await
    }

    /// A TLS handshake on a listener of this kind, within its time from `start`.
    async fn handshake(
        &mut self,
        socket: TcpStream,
        kind: ListenerKind,
        start: Instant,
    ) -> Result<Stream, End> {
        let state = self.state();
        let left = state.config.limits.handshake.saturating_sub(start.elapsed());
        let tls = state.server_tls(kind).ok_or(End::Gone)?;
        match self.first_octets(&socket, left).await? {
            Some(first) if sniff::is_stun(&first) => return Err(Refusal::new(Reason::Stun).into()),
            Some(_) => {}
            None => return Err(Refusal::because(Reason::Silent, "limits.handshake").into()),
        }
        let left = state.config.limits.handshake.saturating_sub(start.elapsed());
        let mut queued = false;
        let handshake = async {
            // Whoever has not even said hello takes no place from others.
            let client = Greeted::listen(socket).await?;
            queued = state.handshakes.are_taken(self.facts.source.ip());
            let _place = state.handshakes.begin(self.facts.source.ip()).await;
            let hello = client.hello();
            let (config, sni) = (tls.choose(&hello), hello.server_name().map(str::to_owned));
            Ok((client.answer(config).await?, sni))
        };
        let (stream, sni) = tokio::select! {
            biased;
            () = self.cancel.asked(Request::ShutOut) => return Err(self.cancel.end()),
            done = timeout(left, handshake) => match done {
                Ok(Ok(done)) => done,
                Ok(Err(error)) => return Err(Refusal::because(tls::why_failed(&error), error).into()),
                // Others had all places: that is no fault of this client's.
                Err(_) if queued => {
                    let detail = "limits.handshake, behind others: limits.handshakes";
                    return Err(Refusal::because(Reason::HandshakeTimeout, detail).not_counted().into());
                }
                Err(_) => return Err(Refusal::because(Reason::HandshakeTimeout, "limits.handshake").into()),
            },
        };
        self.record.tls = Some(Box::new(tls_facts(stream.state(), sni)));
        // Nothing else is negotiated by ALPN.
        if stream.state().alpn_protocol().is_some() {
            self.facts.protocol = Some(Protocol::Http);
        }
        Ok(stream.into())
    }

    /// Tells of a request on the living connection.
    fn observe(&self, observation: &Observation) {
        self.observer.observe(&self.facts, &self.record, observation);
    }

    fn count(&mut self, relay: &Relay) {
        let (up, down) = relay.octets();
        self.record.octets.0 += up;
        self.record.octets.1 += down;
    }

    /// Tells of a later request; what the connection was routed by stays.
    fn tell(&self, Note { request, name, observation }: Note) {
        if request.is_none() {
            return self.observe(&observation);
        }
        let record = Record { request, name, ..self.record.clone() };
        self.observer.observe(&self.facts, &record, &observation);
    }

    /// Notes when the name became known.
    fn key_found(&mut self) {
        let elapsed = self.facts.accepted.elapsed().as_millis();
        self.record.key_after = Some(u32::try_from(elapsed).unwrap_or(u32::MAX));
    }

    /// The relay between a client and the service, from what is read of the client already.
    fn relay(
        &self,
        Head { stream, octets, alarm }: Head,
        (service, leg): (Stream, OpenLeg),
        protocol: Protocol,
    ) -> Box<Relay> {
        let Idle { h323, sip, ldap, http, .. } = self.state().config.limits.idle;
        let idle = match protocol {
            Protocol::H323 => h323,
            Protocol::Sip => sip,
            Protocol::Ldap => ldap,
            Protocol::Http => http,
        };
        let timer = Timer::new(idle, alarm);
        Relay::new((stream, octets), (service, leg, Vec::new()), timer)
    }

    /// The relay of an HTTP connection that has become something else.
    fn tunnel(&self, client: (Stream, Vec<u8>), service: (Stream, OpenLeg, Vec<u8>)) -> Box<Relay> {
        let timer = Timer::new(self.state().config.limits.idle.tunnel, Alarm::default());
        Relay::new(client, service, timer)
    }
}

/// A TLS record of this type comes first (RFC 8446 5.1), and nothing else that is spoken here begins so.
const TLS_HANDSHAKE: u8 = 0x16;

fn tls_facts(agreed: &CommonState, sni: Option<String>) -> TlsFacts {
    TlsFacts {
        version: tls::version(agreed.protocol_version()),
        sni,
        certificates: agreed.peer_certificates().unwrap_or_default().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tens of thousands of these wait. Whoever makes one larger should know.
    #[tokio::test]
    async fn what_an_idle_connection_keeps_is_small() {
        struct Nobody;
        impl Observer for Nobody {
            fn observe(&self, _: &Facts, _: &Record, _: &Observation) {}
        }
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let socket = TcpStream::connect(address).await.expect("a connection");
        let (config, _) =
            crate::config::Config::parse("", std::path::Path::new("")).expect("a configuration");
        let mut session = Session {
            socket: Some(socket),
            facts: Facts {
                id: 1,
                listener: ListenerKind::Any,
                source: address,
                destination: address,
                via: None,
                protocol: None,
                accepted: Instant::now(),
            },
            live: Live::new(State::build(config, None)),
            record: Record::default(),
            cancel: Arc::new(Cancel::new()),
            observer: Arc::new(Nobody),
        };
        let phone = TcpStream::connect(address).await.expect("a connection");
        let switched = size_of_val(&sip::serve(&mut session, Head::new(phone.into())));
        assert!(switched <= 440, "{switched}");
        let whole = size_of_val(&session.run());
        assert!(size_of::<Relay>() <= 224, "{}", size_of::<Relay>());
        assert!(size_of::<Session>() <= 320, "{}", size_of::<Session>());
        assert!(whole <= 88, "{whole}");
    }
}
