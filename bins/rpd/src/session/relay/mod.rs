//! Octets both ways until both sides have ended.
//!
//! Polled by hand: what is read into the worker's scratch is written at once, and only what the other side does not
//! take is kept. While such a rest exists nothing more is read on that side. So a connection that waits holds no
//! buffer, and a slow reader costs at most one scratch. Bulk between two sockets in clear goes through a pipe instead,
//! where nobody has to look at it: see [`splice`](super::splice).
//!
//! Where a protocol has to be followed beyond its first message, an [`Inspect`] decides what passes.

mod direction;
mod inspect;
mod timer;

use std::{
    future::{Future, poll_fn},
    mem,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::io::AsyncWrite;

use self::{
    direction::{Direction, Phase},
    inspect::Inspection,
    timer::Late,
};
pub(super) use self::{
    inspect::{Inspect, Patience, Side, Step},
    timer::Timer,
};
use super::close;
use crate::{
    cancel::{Cancel, Request},
    open_legs::OpenLeg,
    outcome::{Cause, End, Note},
    stream::Stream,
};

/// What becomes of a relay.
pub(super) enum Event {
    /// The client has left the service; [`Relay::into_client`] has what it said last.
    Left,
    /// It is over.
    Ended(End),
}

/// A relay between a client and a service.
pub(super) struct Relay {
    client: Stream,
    service: Stream,
    up: Direction,
    down: Direction,
    inspection: Option<Box<Inspection>>,
    timer: Timer,
    /// The service's place among the connections to its host.
    leg: OpenLeg,
}

impl Relay {
    /// A relay that begins by sending on what has been read of each side already, and ends when its `timer` says so.
    pub(super) fn new(
        (client, from_client): (Stream, Vec<u8>),
        (service, leg, from_service): (Stream, OpenLeg, Vec<u8>),
        timer: Timer,
    ) -> Box<Self> {
        let (up, down) = (Direction::new(from_client), Direction::new(from_service));
        Box::new(Self { client, service, up, down, inspection: None, timer, leg })
    }

    /// Lets `inspector` decide what passes, from the first octet on.
    pub(super) fn inspected(mut self: Box<Self>, inspector: impl Inspect + 'static) -> Box<Self> {
        let undecided = [&mut self.up, &mut self.down].map(|way| mem::take(&mut way.outbox).into_octets());
        self.inspection = Some(Box::new(Inspection::new(inspector, undecided)));
        (self.up.fresh, self.down.fresh) = (true, true);
        self
    }

    /// Octets that have been passed on: to the service, to the client.
    pub(super) fn octets(&self) -> (u64, u64) {
        (self.up.passed, self.down.passed)
    }

    /// Relays until the client leaves the service, or to the end, for which `cancel` may ask. What happens to single
    /// requests is told as it does.
    pub(super) fn next(
        &mut self,
        cancel: &Cancel,
        mut tell: impl FnMut(Note),
    ) -> impl Future<Output = Event> {
        poll_fn(move |cx| self.poll(cancel, &mut tell, cx))
    }

    /// The client, and what it said that nobody has dealt with. The service is closed.
    pub(super) async fn into_client(mut self) -> (Stream, Vec<u8>) {
        // Once, without waiting for anybody: a service that does not read gets no farewell.
        let farewell = |cx: &mut Context<'_>| {
            let _ = Pin::new(&mut self.service).poll_shutdown(cx);
            Poll::Ready(())
        };
        poll_fn(farewell).await;
        let undecided = self.inspection.map(|inspection| inspection.undecided);
        let [from_client, _] = undecided.unwrap_or_default();
        (self.client, from_client.into_vec())
    }

    /// The service takes nothing more, whatever the client still sends.
    pub(super) fn leaves_unread(&self) -> bool {
        self.up.phase == Phase::WriteFailed
    }

    /// Lets the client read what has not left yet.
    pub(super) async fn close(self: Box<Self>, end: End) -> End {
        let Self { client, service, leg, down, .. } = *self;
        drop((service, leg));
        close::with_answer(client, &down.outbox.into_octets()).await;
        end
    }

    fn poll(&mut self, cancel: &Cancel, tell: &mut impl FnMut(Note), cx: &mut Context<'_>) -> Poll<Event> {
        if let Some(end) = self.told_to_end(cancel, cx) {
            return Poll::Ready(Event::Ended(end));
        }
        let before = self.octets();
        self.up.poll(Side::Client, &mut self.client, &mut self.service, &mut self.inspection, cx);
        self.down.poll(Side::Service, &mut self.service, &mut self.client, &mut self.inspection, cx);
        if self.insert_answers() {
            self.down.poll(Side::Service, &mut self.service, &mut self.client, &mut self.inspection, cx);
        }
        if let Some(event) = self.inspected_event(self.octets().1 != before.1, tell, cx) {
            return Poll::Ready(event);
        }
        if let Some(end) = self.ended() {
            return Poll::Ready(Event::Ended(end));
        }
        let patience =
            self.inspection.as_ref().map_or(Patience::Idle, |inspection| inspection.inspector.patience());
        // Nobody talks any more once one side has ended.
        let talk = self.up.phase == Phase::Open && self.down.phase == Phase::Open;
        let patience = if patience == Patience::Endless && !talk { Patience::Idle } else { patience };
        self.timer.poll(patience, self.octets() != before, cx).map(|late| {
            let limit = match late {
                Late::Idle => self.leg.idle_limit(),
                Late::Unsettled => UNREGISTERED,
            };
            // Who does not read his answer may not choose how it is told.
            let end = self.decided().unwrap_or(End::Served(Cause::TimedOut(limit)));
            Event::Ended(end)
        })
    }

    /// The end, if that is asked for now. Who is shut out gets the answer that is on its way to him, and nothing more:
    /// see [`Relay::close`].
    fn told_to_end(&mut self, cancel: &Cancel, cx: &mut Context<'_>) -> Option<End> {
        cancel.poll(Request::ShutOut, cx).is_ready().then(|| {
            self.say_goodbye(cx);
            cancel.end()
        })
    }

    /// Last words of ours, as far as they can be said without waiting.
    fn say_goodbye(&mut self, cx: &mut Context<'_>) {
        let Some(inspection) = &mut self.inspection else { return };
        inspection.inspector.closing();
        if self.insert_answers() {
            let _ = self.down.drain(&mut self.client, cx);
        }
    }

    /// Puts the answers that are due behind what has gone to the client; whether there were any.
    fn insert_answers(&mut self) -> bool {
        let Some(inspection) = &mut self.inspection else { return false };
        let mut inserted = false;
        while let Some(answer) = inspection.inspector.answer() {
            // Whose stream has been ended hears nothing more.
            if matches!(self.down.phase, Phase::Open | Phase::Ending) {
                self.down.outbox.push(&answer);
                inserted = true;
            }
        }
        inserted
    }

    fn inspected_event(
        &mut self,
        service_spoke: bool,
        tell: &mut impl FnMut(Note),
        cx: &mut Context<'_>,
    ) -> Option<Event> {
        let inspection = self.inspection.as_mut()?;
        if inspection.waiting && service_spoke {
            (inspection.waiting, self.up.fresh) = (false, true);
            cx.waker().wake_by_ref();
        }
        while let Some(note) = inspection.inspector.note() {
            tell(note);
        }
        if inspection.waiting && self.down.phase != Phase::Open {
            inspection.ended.get_or_insert_with(|| Box::new(End::Served(Cause::TargetLost)));
        }
        let deadline = inspection.leaving.as_mut()?;
        if self.down.outbox.is_drained() && inspection.inspector.may_leave() {
            return Some(Event::Left);
        }
        let late = deadline.as_mut().poll(cx).is_ready();
        late.then_some(Event::Ended(End::Served(Cause::TimedOut(LEAVING))))
    }

    fn ended(&mut self) -> Option<End> {
        use Phase::{Done, ReadFailed, WriteFailed};
        let cause = match (self.up.phase, self.down.phase) {
            (ReadFailed, _) | (_, WriteFailed) => Some(Cause::ClientLost),
            // A service that takes nothing more may have said something before: the client gets that to its end.
            (_, ReadFailed) | (WriteFailed, Done) => Some(Cause::TargetLost),
            (Done, Done) => Some(Cause::Closed),
            _ => None,
        };
        if !self.down.outbox.is_empty() && cause.is_none() {
            return None;
        }
        self.decided().or(cause.map(End::Served))
    }

    /// How its inspector has said that it ends.
    fn decided(&mut self) -> Option<End> {
        self.inspection.as_mut()?.ended.take().map(|end| *end)
    }
}

/// How long a service that is left may take to end its message, and what the log calls that.
const LEAVING_TIME: Duration = Duration::from_secs(5);
const LEAVING: &str = "leaving";

/// What the log calls the time-out of a connection that the service has never taken.
const UNREGISTERED: &str = "unregistered";

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, sync::Arc};

    use socket2::SockRef;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
        time::timeout,
    };

    use super::*;
    use crate::{
        alarm::Alarm,
        open_legs::OpenLegs,
        outcome::{Reason, Refusal},
        protocol::Protocol,
    };

    /// Both ends of a connection.
    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let far = TcpStream::connect(listener.local_addr().expect("an address")).await.expect("a connection");
        let near = listener.accept().expect("a connection").0;
        near.set_nonblocking(true).expect("a socket");
        (TcpStream::from_std(near).expect("a socket"), far)
    }

    /// Writes until nothing more is taken; says how much was.
    async fn fill(stream: &TcpStream) -> usize {
        stream.writable().await.expect("a connection");
        std::iter::from_fn(|| stream.try_write(&[b'.'; 4096]).ok()).sum()
    }

    /// Ends a connection as if its program had crashed.
    fn reset(stream: TcpStream) {
        SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("a socket");
        drop(stream);
    }

    fn relay(client: (TcpStream, &[u8]), service: (TcpStream, &[u8]), idle: Duration) -> Box<Relay> {
        let legs = Arc::new(OpenLegs::new(Arc::default()));
        let leg = legs.begin(Protocol::Ldap).expect("a place");
        let (client, from_client) = (Stream::from(client.0), client.1.to_vec());
        let service = (Stream::from(service.0), leg, service.1.to_vec());
        let timer = Timer::new(idle, Alarm::default());
        Relay::new((client, from_client), service, timer)
    }

    /// All that comes to an end of a connection, while the relay relays.
    async fn rest(mut relay: Box<Relay>, mut far: TcpStream) -> (Vec<u8>, End) {
        let mut octets = Vec::new();
        let relayed = async move {
            match relay.next(&Cancel::new(), |_| {}).await {
                Event::Ended(end) => end,
                Event::Left => panic!("nobody leaves"),
            }
        };
        let (end, read) = timeout(LONG, async { tokio::join!(relayed, far.read_to_end(&mut octets)) })
            .await
            .expect("an end");
        read.expect("no reset");
        (octets, end)
    }

    const LONG: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn what_a_service_has_said_arrives_though_it_takes_nothing_more() {
        let ((client, client_far), (service, mut service_far)) = (pair().await, pair().await);
        let taken = fill(&client).await;
        service_far.write_all(b" second").await.expect("room");
        service.readable().await.expect("a connection");
        reset(service_far);
        service.ready(tokio::io::Interest::ERROR).await.expect("a reset");
        let relay = relay((client, b"more"), (service, b"first"), LONG);
        let (octets, end) = rest(relay, client_far).await;
        assert_eq!(String::from_utf8_lossy(&octets[taken..]), "first second");
        assert_eq!(end, End::Served(Cause::TargetLost));
    }

    /// Answers the first octet, and ends everything.
    struct Ends(Option<Vec<u8>>);

    impl Inspect for Ends {
        fn client_sent(&mut self, _: &[u8]) -> Step {
            Step::End(Refusal::new(Reason::Malformed).into())
        }

        fn service_sent(&mut self, octets: &[u8]) -> Step {
            Step::Pass(octets.len())
        }

        fn answer(&mut self) -> Option<Vec<u8>> {
            self.0.take()
        }

        fn note(&mut self) -> Option<Note> {
            None
        }

        fn patience(&self) -> Patience {
            Patience::Idle
        }
    }

    #[tokio::test]
    async fn who_does_not_read_why_he_is_refused_is_refused_all_the_same() {
        let ((client, _client_far), (service, _service_far)) = (pair().await, pair().await);
        fill(&client).await;
        let mut relay = relay((client, b"x"), (service, b""), Duration::from_millis(100))
            .inspected(Ends(Some(b"no".to_vec())));
        let ended = timeout(LONG, relay.next(&Cancel::new(), |_| {})).await.expect("an end");
        let Event::Ended(end) = ended else { panic!("nobody leaves") };
        assert_eq!(end, Refusal::new(Reason::Malformed).into());
    }
}
