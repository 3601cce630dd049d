//! Connections to targets that are open on behalf of clients: how many a host has and may have, and how many there are of
//! each protocol. Those that are parked are nobody's, and do not count.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use crate::protocol::{PerProtocol, Protocol};

/// Those of one host, over all workers and protocols. They go on counting over a reload.
#[derive(Debug)]
pub struct OpenLegs {
    open: AtomicU32,
    most: AtomicU32,
    all: Arc<AllLegs>,
}

/// Those of all hosts, also of hosts that a reload has taken out.
#[derive(Debug, Default)]
pub struct AllLegs {
    open: PerProtocol<AtomicU32>,
    tunnels: AtomicU32,
}

/// One of them, until this is dropped.
#[derive(Debug)]
pub struct OpenLeg {
    host: Arc<OpenLegs>,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Of(Protocol),
    /// It began as HTTP, and has become something else.
    Tunnel,
}

impl OpenLegs {
    /// None yet, and as many as there may be.
    pub fn new(all: Arc<AllLegs>) -> Self {
        Self { open: AtomicU32::new(0), most: AtomicU32::new(u32::MAX), all }
    }

    /// Those of another host, without a cap.
    pub fn others(&self) -> Self {
        Self::new(self.all.clone())
    }

    /// At most so many from now on. Whoever has one keeps it.
    pub fn limit(&self, most: Option<u32>) {
        self.most.store(most.unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    /// One more, if there may be.
    pub fn begin(self: &Arc<Self>, protocol: Protocol) -> Option<OpenLeg> {
        let most = self.most.load(Ordering::Relaxed);
        let one_more = |open: u32| (open < most).then(|| open + 1);
        self.open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
        let kind = Kind::Of(protocol);
        self.all.count(kind).fetch_add(1, Ordering::Relaxed);
        Some(OpenLeg { host: self.clone(), kind })
    }

    /// How many there are.
    pub fn open(&self) -> u32 {
        self.open.load(Ordering::Relaxed)
    }
}

impl AllLegs {
    /// How many there are of this protocol.
    pub fn open(&self, protocol: Protocol) -> u32 {
        self.open[protocol].load(Ordering::Relaxed)
    }

    /// How many have become tunnels.
    pub fn tunnels(&self) -> u32 {
        self.tunnels.load(Ordering::Relaxed)
    }

    fn count(&self, kind: Kind) -> &AtomicU32 {
        match kind {
            Kind::Of(protocol) => &self.open[protocol],
            Kind::Tunnel => &self.tunnels,
        }
    }
}

impl OpenLeg {
    /// The key that says how long nothing may move on it.
    pub fn idle_limit(&self) -> &'static str {
        match self.kind {
            Kind::Of(Protocol::H323) => "limits.idle.h323",
            Kind::Of(Protocol::Sip) => "limits.idle.sip",
            Kind::Of(Protocol::Ldap) => "limits.idle.ldap",
            Kind::Of(Protocol::Http) => "limits.idle.http",
            Kind::Tunnel => "limits.idle.tunnel",
        }
    }

    /// The same leg, as a tunnel.
    pub fn into_tunnel(mut self) -> Self {
        self.host.all.count(self.kind).fetch_sub(1, Ordering::Relaxed);
        self.kind = Kind::Tunnel;
        self.host.all.count(self.kind).fetch_add(1, Ordering::Relaxed);
        self
    }
}

impl Drop for OpenLeg {
    fn drop(&mut self) {
        self.host.all.count(self.kind).fetch_sub(1, Ordering::Relaxed);
        self.host.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn there_are_never_more_than_there_may_be_and_each_comes_back() {
        let all = Arc::new(AllLegs::default());
        let host = Arc::new(OpenLegs::new(all.clone()));
        host.limit(Some(5));
        let many = || (0..200).filter_map(|_| host.begin(Protocol::Http)).collect::<Vec<_>>();
        let taken: Vec<OpenLeg> = thread::scope(|scope| {
            let workers = [(); 4].map(|()| scope.spawn(many));
            workers.into_iter().flat_map(|worker| worker.join().expect("no panic")).collect()
        });
        assert_eq!((taken.len(), host.open(), all.open(Protocol::Http)), (5, 5, 5));
        host.limit(Some(2));
        let mut taken = taken.into_iter();
        drop(taken.by_ref().take(3).collect::<Vec<_>>());
        assert!(host.begin(Protocol::Sip).is_none());
        let tunnel = taken.next().map(OpenLeg::into_tunnel);
        assert_eq!((all.open(Protocol::Http), all.tunnels()), (1, 1));
        drop((taken, tunnel));
        assert_eq!((host.open(), all.open(Protocol::Http), all.tunnels()), (0, 0, 0));
        host.limit(None);
        assert_eq!(many().len(), 200);
    }
}
