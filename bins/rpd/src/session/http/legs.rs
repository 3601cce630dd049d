//! The legs of one client connection: one that stays with it, and those that are left for others.

use std::{net::SocketAddr, sync::Arc};

use rp_route::leg::Leg;

use super::route::Way;
use crate::{
    alarm::Alarm,
    cancel::Request,
    config::Host,
    open_legs::OpenLeg,
    outcome::Observation,
    protocol::Protocol,
    session::{
        Session,
        leg::{self, NoLeg},
    },
    state::Destination,
    stream::Stream,
};

/// A connection to a target.
pub(super) struct Upstream {
    pub(super) stream: Stream,
    /// Its other end.
    pub(super) peer: Option<SocketAddr>,
    destination: Arc<Destination>,
    leg: Leg,
    /// Its place among the connections to its host.
    pub(super) place: OpenLeg,
    /// It has had requests before.
    pub(super) used: bool,
    /// A login holds for the connection (RFC 4559 6), so that it is this client's alone.
    pub(super) bound: bool,
}

impl Upstream {
    fn new(stream: Stream, peer: Option<SocketAddr>, place: OpenLeg, way: &Way, used: bool) -> Self {
        Self { stream, peer, destination: way.destination.clone(), leg: way.leg, place, used, bound: false }
    }

    /// Whose it is.
    pub(super) fn host(&self) -> &Host {
        &self.destination.host
    }

    fn leads(&self, way: &Way) -> bool {
        Arc::ptr_eq(&self.destination, &way.destination) && self.leg == way.leg
    }

    /// Leaves it to whoever comes next, unless it is this client's alone.
    fn park(self, session: &Session) {
        let host = self.host();
        // A PROXY header has named this client for the whole connection.
        let named = host.services[Protocol::Http].as_ref().is_some_and(|http| http.send_proxy.is_some());
        let ours_alone = self.bound || named || !host.http.reuse;
        if !ours_alone && session.cancel.request() == Request::None {
            let state = session.state();
            let time = state.config.limits.http_parked;
            state.parked.park((self.stream, self.peer), self.destination, self.leg, time);
        }
    }
}

/// The leg that stays with the client as long as its requests lead to the same place.
#[derive(Default)]
pub(super) struct Legs(Option<Upstream>);

impl Legs {
    /// A leg that has been used before: the client's own, or one that was left.
    pub(super) fn reuse(&mut self, session: &mut Session, way: &Way) -> Option<Upstream> {
        let mut kept = self.0.take();
        if let Some(elsewhere) = kept.take_if(|kept| !kept.leads(way)) {
            elsewhere.park(session);
        }
        // What has come since the last answer would be taken for the next one.
        if let Some(own) = kept.and_then(|mut kept| kept.stream.is_quiet().then_some(kept)) {
            return Some(own);
        }
        let place = leg::place(&way.destination, Protocol::Http).ok()?;
        let (stream, peer) = session.state().parked.take(&way.destination, way.leg)?;
        session.record.target = peer;
        session.observe(&Observation::Reused);
        Some(Upstream::new(stream, peer, place, way, true))
    }

    /// A new one.
    ///
    /// # Errors
    /// There is none.
    pub(super) async fn open(session: &mut Session, way: &Way, alarm: &mut Alarm) -> Result<Upstream, NoLeg> {
        let opened = leg::open(session, Protocol::Http, &way.destination, way.leg, alarm);
        let (stream, place) = opened.await?;
        Ok(Upstream::new(stream, session.record.target, place, way, false))
    }

    /// Keeps a leg that takes another request.
    pub(super) fn keep(&mut self, upstream: Upstream) {
        self.0 = Some(Upstream { used: true, ..upstream });
    }

    /// The client is gone.
    pub(super) fn leave(self, session: &Session) {
        if let Some(kept) = self.0 {
            kept.park(session);
        }
    }
}
