//! Octets both ways until both sides have ended.
//!
//! Polled by hand: what is read into the worker's scratch is written at once, and only what the other side does not
//! take is kept. While such a rest exists nothing more is read on that side. So a connection that waits holds no
//! buffer, and a slow reader costs at most one scratch.
//!
//! Where a protocol has to be followed beyond its first message, an [`Inspect`] decides what passes.

use std::{
    future::{Future, poll_fn},
    io::ErrorKind,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::AsyncWrite,
    time::{Instant, Sleep, sleep_until},
};

use super::close;
use crate::{
    cancel::{Cancel, Request},
    open_legs::OpenLeg,
    outcome::{Cause, End, Note},
    scratch,
    stream::Stream,
};

/// What a protocol does with octets on their way. It is handed the octets at the front of what has come and not been
/// dealt with, never none, and keeps none itself.
pub(super) trait Inspect: Send {
    /// The client's octets.
    fn client_sent(&mut self, octets: &[u8]) -> Step;

    /// The service's octets.
    fn service_sent(&mut self, octets: &[u8]) -> Step;

    /// An answer of ours that is due, once the client stands between two messages of the service.
    fn answer(&mut self) -> Option<Vec<u8>>;

    /// What is to be told of single requests, one at a time.
    fn note(&mut self) -> Option<Note>;

    /// The client has ended: it says nothing more, but may listen.
    fn client_ended(&mut self) {}

    /// The service has ended, or its connection broke: the last chance to answer.
    fn service_ended(&mut self) {}

    /// This proxy ends the connection: the same, in the middle of things.
    fn closing(&mut self) {}

    /// Whether the client stands between two messages of the service, so that it can be taken from it.
    fn may_leave(&self) -> bool {
        false
    }

    /// How long nothing may happen.
    fn patience(&self) -> Patience;
}

/// How long nothing may happen on a relay.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// The service has not taken the client yet: [`Limit::unsettled`] counts from the start.
    Unsettled,
    /// As [`Limit::idle`] says.
    Idle,
    /// Silence is in order, for hours if need be.
    Endless,
}

/// What to do with the octets at hand.
pub(super) enum Step {
    /// So many go on.
    Pass(usize),
    /// So many stay here.
    Drop(usize),
    /// More of them are needed first.
    More,
    /// They have to wait until the service has spoken.
    Wait,
    /// The service is left, and what comes next is for the session to decide.
    Leave,
    /// Everything ends, after what has been answered.
    End(End),
}

/// A time-out by the name of its key.
#[derive(Clone, Copy)]
pub(super) struct Limit {
    /// Without an octet in either direction; zero: for ever.
    pub(super) idle: Duration,
    /// What the log calls it.
    pub(super) name: &'static str,
    /// From the start, for a connection that is never settled.
    pub(super) unsettled: Option<Duration>,
}

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
    cancel: Arc<Cancel>,
    /// The service's place among the connections to its host.
    leg: OpenLeg,
}

struct Inspection {
    inspector: Box<dyn Inspect>,
    /// Octets of the client, and of the service, that are not decided yet.
    undecided: [Vec<u8>; 2],
    /// The client's octets wait for the service.
    waiting: bool,
    /// The client is about to leave; the service has this long to end its message.
    leaving: Option<Pin<Box<Sleep>>>,
    ended: Option<End>,
}

impl Inspection {
    /// The client is not read from.
    fn holds_client(&self) -> bool {
        self.waiting || self.leaving.is_some() || self.ended.is_some()
    }
}

impl Relay {
    /// A relay that begins by sending on what has been read of each side already.
    pub(super) fn new(
        (client, from_client): (Stream, Vec<u8>),
        (service, leg, from_service): (Stream, OpenLeg, Vec<u8>),
        limit: Limit,
        cancel: Arc<Cancel>,
    ) -> Self {
        let (up, down) = (Direction::new(from_client), Direction::new(from_service));
        Self { client, service, up, down, inspection: None, timer: Timer::new(limit), cancel, leg }
    }

    /// Lets `inspector` decide what passes, from the first octet on.
    pub(super) fn inspected(mut self, inspector: Box<dyn Inspect>) -> Self {
        let undecided = [mem::take(&mut self.up.rest), mem::take(&mut self.down.rest)];
        self.inspection =
            Some(Box::new(Inspection { inspector, undecided, waiting: false, leaving: None, ended: None }));
        (self.up.fresh, self.down.fresh) = (true, true);
        self
    }

    /// Ends it after so long, unless its inspector says before that the service has taken the client.
    pub(super) fn unsettled_for(mut self, time: Duration) -> Self {
        self.timer = Timer::new(Limit { unsettled: Some(time), ..self.timer.limit });
        self
    }

    /// Octets that have been passed on: to the service, to the client.
    pub(super) fn octets(&self) -> (u64, u64) {
        (self.up.passed, self.down.passed)
    }

    /// Relays until the client leaves the service, or to the end. What happens to single requests is told as it does.
    pub(super) fn next(&mut self, mut tell: impl FnMut(Note)) -> impl Future<Output = Event> {
        poll_fn(move |cx| self.poll(&mut tell, cx))
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
        (self.client, from_client)
    }

    /// Lets a client that was refused read its answer, of which some may not have left yet.
    pub(super) async fn close(self) {
        let Self { client, service, leg, down, .. } = self;
        drop((service, leg));
        close::with_answer(client, &down.rest).await;
    }

    fn poll(&mut self, tell: &mut impl FnMut(Note), cx: &mut Context<'_>) -> Poll<Event> {
        if let Some(end) = self.told_to_end(cx) {
            return Poll::Ready(Event::Ended(end));
        }
        let before = self.octets();
        self.up.poll(Side::Client, &mut self.client, &mut self.service, &mut self.inspection, cx);
        self.insert_answers();
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
        if let Some(end) = self.told_to_end(cx) {
            return Poll::Ready(Event::Ended(end));
        }
        let patience =
            self.inspection.as_ref().map_or(Patience::Idle, |inspection| inspection.inspector.patience());
        // Nobody talks any more once the client has ended.
        let patience = match (patience, self.up.phase) {
            (Patience::Endless, phase) if phase != Phase::Open => Patience::Idle,
            (patience, _) => patience,
        };
        self.timer
            .poll(patience, self.octets() != before, cx)
            .map(|limit| Event::Ended(End::Served(Cause::TimedOut(limit))))
    }

    /// The end, if that is asked for now. Who is shut out gets the answer that is on its way to him, and nothing more:
    /// see [`Relay::close`].
    fn told_to_end(&mut self, cx: &mut Context<'_>) -> Option<End> {
        self.cancel.poll(Request::ShutOut, cx).is_ready().then(|| {
            self.say_goodbye(cx);
            self.cancel.end()
        })
    }

    /// Last words of ours, as far as they can be said without waiting.
    fn say_goodbye(&mut self, cx: &mut Context<'_>) {
        let Some(inspection) = &mut self.inspection else { return };
        inspection.inspector.closing();
        if self.insert_answers() {
            let _ = self.down.write_rest(&mut self.client, cx);
        }
    }

    /// Puts the answers that are due behind what has gone to the client; whether there were any.
    fn insert_answers(&mut self) -> bool {
        let Some(inspection) = &mut self.inspection else { return false };
        let before = self.down.rest.len();
        while let Some(answer) = inspection.inspector.answer() {
            // Whose stream has been ended hears nothing more.
            if matches!(self.down.phase, Phase::Open | Phase::Ending) {
                self.down.rest.extend_from_slice(&answer);
            }
        }
        self.down.rest.len() > before
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
            inspection.ended.get_or_insert(End::Served(Cause::TargetLost));
        }
        let deadline = inspection.leaving.as_mut()?;
        if self.down.rest.is_empty() && !self.down.unflushed && inspection.inspector.may_leave() {
            return Some(Event::Left);
        }
        let late = deadline.as_mut().poll(cx).is_ready();
        late.then_some(Event::Ended(End::Served(Cause::TimedOut(LEAVING))))
    }

    fn ended(&mut self) -> Option<End> {
        let broken = |direction: &Direction| match direction.phase {
            Phase::ReadFailed => Some(true),
            Phase::WriteFailed => Some(false),
            _ => None,
        };
        let cause = match (broken(&self.up), broken(&self.down)) {
            (Some(true), _) | (_, Some(false)) => Some(Cause::ClientLost),
            (Some(false), _) | (_, Some(true)) => Some(Cause::TargetLost),
            (None, None) => {
                (self.up.phase == Phase::Done && self.down.phase == Phase::Done).then_some(Cause::Closed)
            }
        };
        let decided = self.inspection.as_mut().filter(|_| self.down.rest.is_empty() || cause.is_some());
        decided.and_then(|inspection| inspection.ended.take()).or(cause.map(End::Served))
    }
}

/// Where octets come from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Client,
    Service,
}

/// One direction of a relay.
struct Direction {
    /// To be sent, but not yet taken by the other side.
    rest: Vec<u8>,
    /// TLS holds what the socket did not take yet.
    unflushed: bool,
    /// What was read before the relay began has still to be inspected.
    fresh: bool,
    phase: Phase,
    passed: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// The source has ended; the end is still to be passed on.
    Ending,
    Done,
    ReadFailed,
    WriteFailed,
}

impl Direction {
    fn new(first: Vec<u8>) -> Self {
        Self { rest: first, unflushed: false, fresh: false, phase: Phase::Open, passed: 0 }
    }

    /// Moves what can be moved.
    fn poll(
        &mut self,
        side: Side,
        from: &mut Stream,
        to: &mut Stream,
        inspection: &mut Option<Box<Inspection>>,
        cx: &mut Context<'_>,
    ) {
        let mut reads = 0;
        loop {
            let over = inspection.as_ref().is_some_and(|inspection| match side {
                Side::Client => inspection.holds_client(),
                Side::Service => inspection.ended.is_some(),
            });
            let step = match self.phase {
                Phase::Open | Phase::Ending if !self.rest.is_empty() => self.write_rest(to, cx),
                Phase::Open if self.unflushed => self.flush(to, cx),
                Phase::Open | Phase::Ending if over => break,
                Phase::Open if mem::take(&mut self.fresh) => {
                    self.inspect(side, &[], to, inspection, cx);
                    Poll::Ready(())
                }
                Phase::Open if reads == READS_IN_A_ROW => {
                    // Others on this worker have their turn.
                    cx.waker().wake_by_ref();
                    break;
                }
                Phase::Open => {
                    reads += 1;
                    self.read(side, from, to, inspection, cx)
                }
                Phase::Ending => self.end(to, cx),
                Phase::Done | Phase::ReadFailed | Phase::WriteFailed => break,
            };
            if step.is_pending() {
                break;
            }
        }
    }

    fn read(
        &mut self,
        side: Side,
        from: &mut Stream,
        to: &mut Stream,
        inspection: &mut Option<Box<Inspection>>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let outcome = ready!(scratch::poll_read_with(from, cx, |cx, octets| {
            match (octets, &mut *inspection) {
                ([], inspection) => {
                    self.phase = Phase::Ending;
                    self.last_answers(side, inspection);
                }
                (octets, None) => self.pass(octets, to, cx),
                (octets, inspection) => self.inspect(side, octets, to, inspection, cx),
            }
        }));
        if let Err(error) = outcome {
            // Peers that end TLS without close_notify are common, and the protocols here frame themselves.
            let abrupt_end = error.kind() == ErrorKind::UnexpectedEof;
            self.phase = if abrupt_end { Phase::Ending } else { Phase::ReadFailed };
            self.last_answers(side, inspection);
            if !self.rest.is_empty() {
                self.phase = Phase::Ending;
            }
        }
        Poll::Ready(())
    }

    /// Tells that this side has ended, and takes what is left to be said to the client of a service.
    fn last_answers(&mut self, side: Side, inspection: &mut Option<Box<Inspection>>) {
        let Some(inspection) = inspection else { return };
        if side == Side::Client {
            return inspection.inspector.client_ended();
        }
        inspection.inspector.service_ended();
        while let Some(answer) = inspection.inspector.answer() {
            self.rest.extend_from_slice(&answer);
        }
    }

    /// Puts `octets` behind those that are undecided, and passes what may pass.
    fn inspect(
        &mut self,
        side: Side,
        octets: &[u8],
        to: &mut Stream,
        inspection: &mut Option<Box<Inspection>>,
        cx: &mut Context<'_>,
    ) {
        let Some(inspection) = inspection else { return };
        let mut undecided = mem::take(&mut inspection.undecided[side as usize]);
        if undecided.is_empty() {
            let used = self.sort(side, octets, to, inspection, cx);
            undecided = octets[used..].to_vec();
        } else {
            undecided.extend_from_slice(octets);
            let used = self.sort(side, &undecided, to, inspection, cx);
            undecided.drain(..used);
            undecided.shrink_to_fit();
        }
        inspection.undecided[side as usize] = undecided;
    }

    /// Says how many octets are dealt with. What passes in one piece is written in one piece.
    fn sort(
        &mut self,
        side: Side,
        octets: &[u8],
        to: &mut Stream,
        inspection: &mut Inspection,
        cx: &mut Context<'_>,
    ) -> usize {
        let inspector = &mut inspection.inspector;
        let (mut passing, mut at) = (0, 0);
        while at < octets.len() {
            if side == Side::Service && inspection.leaving.is_some() && inspector.may_leave() {
                // Nothing of this service may come behind what another one says.
                self.pass(&octets[passing..at], to, cx);
                return octets.len();
            }
            let step = match side {
                Side::Client => inspector.client_sent(&octets[at..]),
                Side::Service => inspector.service_sent(&octets[at..]),
            };
            match step {
                Step::Pass(n) => at += n,
                Step::Drop(n) => {
                    self.pass(&octets[passing..at], to, cx);
                    at += n;
                    passing = at;
                }
                Step::More => break,
                Step::Wait => {
                    inspection.waiting = true;
                    break;
                }
                Step::Leave => {
                    inspection.leaving = Some(Box::pin(sleep_until(Instant::now() + LEAVING_TIME)));
                    break;
                }
                Step::End(end) => {
                    inspection.ended = Some(end);
                    break;
                }
            }
            if side == Side::Service
                && let Some(answer) = inspector.answer()
            {
                self.pass(&octets[passing..at], to, cx);
                passing = at;
                self.rest.extend_from_slice(&answer);
            }
        }
        self.pass(&octets[passing..at], to, cx);
        at
    }

    /// Writes, and keeps what is not taken.
    fn pass(&mut self, octets: &[u8], to: &mut Stream, cx: &mut Context<'_>) {
        let taken = if self.rest.is_empty() && !octets.is_empty() { self.write(octets, to, cx) } else { 0 };
        if taken < octets.len() {
            self.rest.extend_from_slice(&octets[taken..]);
        }
    }

    /// Writes once; says how many octets were taken.
    fn write(&mut self, octets: &[u8], to: &mut Stream, cx: &mut Context<'_>) -> usize {
        match Pin::new(&mut *to).poll_write(cx, octets) {
            Poll::Ready(Ok(taken)) => {
                self.passed += taken as u64;
                self.unflushed = matches!(to, Stream::Tls(_));
                taken
            }
            Poll::Ready(Err(_)) => {
                self.phase = Phase::WriteFailed;
                0
            }
            Poll::Pending => 0,
        }
    }

    fn write_rest(&mut self, to: &mut Stream, cx: &mut Context<'_>) -> Poll<()> {
        let mut rest = mem::take(&mut self.rest);
        let taken = self.write(&rest, to, cx);
        let failed = self.phase == Phase::WriteFailed;
        if taken < rest.len() && !failed {
            rest.drain(..taken);
            self.rest = rest;
        }
        if taken == 0 && !failed { Poll::Pending } else { Poll::Ready(()) }
    }

    /// TLS keeps records that the socket did not take; they must leave before this waits for more.
    fn flush(&mut self, to: &mut Stream, cx: &mut Context<'_>) -> Poll<()> {
        match ready!(Pin::new(to).poll_flush(cx)) {
            Ok(()) => self.unflushed = false,
            Err(_) => self.phase = Phase::WriteFailed,
        }
        Poll::Ready(())
    }

    fn end(&mut self, to: &mut Stream, cx: &mut Context<'_>) -> Poll<()> {
        // A peer that is gone already needs no end of stream.
        let _ = ready!(Pin::new(to).poll_shutdown(cx));
        self.phase = Phase::Done;
        Poll::Ready(())
    }
}

/// Then the other connections of the worker have their turn.
const READS_IN_A_ROW: u32 = 8;

/// A time-out that every octet puts off. The timer is not touched when octets move, only looked at when it fires.
struct Timer {
    limit: Limit,
    start: Instant,
    last: Instant,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Timer {
    fn new(limit: Limit) -> Self {
        let now = Instant::now();
        let mut timer = Self { limit, start: now, last: now, timer: None };
        let patience = if limit.unsettled.is_some() { Patience::Unsettled } else { Patience::Idle };
        timer.timer = timer.due(patience).map(|(due, _)| Box::pin(sleep_until(due)));
        timer
    }

    /// When the relay ends if nothing moves, and by which limit.
    fn due(&self, patience: Patience) -> Option<(Instant, &'static str)> {
        let Limit { idle, name, unsettled } = self.limit;
        let idle = (!idle.is_zero() && patience != Patience::Endless).then(|| (self.last + idle, name));
        let unsettled =
            unsettled.filter(|_| patience == Patience::Unsettled).map(|time| (self.start + time, UNSETTLED));
        unsettled.into_iter().chain(idle).min_by_key(|(due, _)| *due)
    }

    fn poll(&mut self, patience: Patience, moved: bool, cx: &mut Context<'_>) -> Poll<&'static str> {
        let looked_at = self.last > self.start;
        if moved {
            self.last = Instant::now();
        }
        let due = self.due(patience);
        let Some(timer) = &mut self.timer else { return Poll::Pending };
        // It is this task's already, and would say no.
        if moved && looked_at && self.last < timer.deadline() {
            return Poll::Pending;
        }
        while timer.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            match due {
                Some((due, limit)) if due <= now => return Poll::Ready(limit),
                Some((due, _)) => timer.as_mut().reset(due),
                // Looked at again after a while: patience may end.
                None => timer.as_mut().reset(now + SECOND_LOOK),
            }
        }
        Poll::Pending
    }
}

/// How long a relay that may be silent is left alone.
const SECOND_LOOK: Duration = Duration::from_secs(60);

/// How long a service that is left may take to end its message, and what the log calls that.
const LEAVING_TIME: Duration = Duration::from_secs(5);
const LEAVING: &str = "leaving";

/// What the log calls the time-out of a connection that the service has never taken.
const UNSETTLED: &str = "unregistered";

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// What the timer says after so many seconds of silence.
    async fn after(timer: &mut Timer, seconds: u64, patience: Patience) -> Option<&'static str> {
        tokio::time::advance(Duration::from_secs(seconds)).await;
        match timer.poll(patience, false, &mut Context::from_waker(Waker::noop())) {
            Poll::Ready(limit) => Some(limit),
            Poll::Pending => None,
        }
    }

    fn timer(unsettled: Option<u64>) -> Timer {
        Timer::new(Limit {
            idle: Duration::from_secs(100),
            name: "idle",
            unsettled: unsettled.map(Duration::from_secs),
        })
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_a_relay_and_octets_put_it_off() {
        let mut timer = timer(None);
        assert_eq!(after(&mut timer, 99, Patience::Idle).await, None);
        assert_eq!(timer.poll(Patience::Idle, true, &mut Context::from_waker(Waker::noop())), Poll::Pending);
        assert_eq!(after(&mut timer, 99, Patience::Idle).await, None);
        assert_eq!(after(&mut timer, 2, Patience::Idle).await, Some("idle"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_the_service_never_takes_has_its_own_time() {
        let mut never = timer(Some(60));
        assert_eq!(after(&mut never, 59, Patience::Unsettled).await, None);
        assert_eq!(after(&mut never, 2, Patience::Unsettled).await, Some(UNSETTLED));
        let mut taken = timer(Some(60));
        assert_eq!(after(&mut taken, 59, Patience::Idle).await, None);
        assert_eq!(after(&mut taken, 40, Patience::Idle).await, None);
        assert_eq!(after(&mut taken, 2, Patience::Idle).await, Some("idle"));
    }

    #[tokio::test(start_paused = true)]
    async fn where_silence_is_in_order_nothing_ends() {
        let mut timer = timer(Some(60));
        assert_eq!(after(&mut timer, 10_000, Patience::Endless).await, None);
        assert_eq!(after(&mut timer, 10_000, Patience::Endless).await, None);
        assert_eq!(after(&mut timer, 61, Patience::Idle).await, Some("idle"));
    }
}
