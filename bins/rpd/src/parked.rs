//! Connections to targets that wait for another HTTP request, of whichever client.
//!
//! They belong to one state, so that a reload leaves those behind that were made by other rules. Each stays with the
//! worker whose runtime watches it.

use std::{
    collections::VecDeque,
    mem,
    net::SocketAddr,
    sync::{Arc, Mutex, Weak},
    thread::{self, ThreadId},
    time::{Duration, Instant},
};

use rp_route::leg::Leg;
use tokio::time::sleep_until;

use crate::{lock::lock, state::Destination, stream::Stream};

/// All of them, worker by worker.
#[derive(Default)]
pub struct Parked(Mutex<Vec<Worker>>);

/// Those of one worker, the one that has waited longest first.
struct Worker {
    id: ThreadId,
    waiting: VecDeque<Waiting>,
    /// A task watches over their time.
    swept: bool,
}

struct Waiting {
    stream: Stream,
    peer: Option<SocketAddr>,
    destination: Arc<Destination>,
    leg: Leg,
    until: Instant,
}

impl Waiting {
    fn leads_to(&self, destination: &Arc<Destination>, leg: Leg) -> bool {
        Arc::ptr_eq(&self.destination, destination) && self.leg == leg
    }
}

impl Parked {
    /// Takes one that leads there and on which nothing has come, the one used last first, with its other end.
    pub fn take(&self, destination: &Arc<Destination>, leg: Leg) -> Option<(Stream, Option<SocketAddr>)> {
        loop {
            let mut waiting = self.take_any(destination, leg)?;
            if waiting.stream.is_quiet() {
                return Some((waiting.stream, waiting.peer));
            }
        }
    }

    fn take_any(&self, destination: &Arc<Destination>, leg: Leg) -> Option<Waiting> {
        let mut workers = lock(&self.0);
        let waiting = &mut worker(&mut workers, thread::current().id()).waiting;
        let at = waiting.iter().rposition(|waiting| waiting.leads_to(destination, leg))?;
        waiting.remove(at)
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        lock(&self.0).iter().map(|worker| worker.waiting.len()).sum()
    }

    /// Keeps `stream` for so long.
    pub fn park(
        self: &Arc<Self>,
        (stream, peer): (Stream, Option<SocketAddr>),
        destination: Arc<Destination>,
        leg: Leg,
        time: Duration,
    ) {
        let id = thread::current().id();
        let mut workers = lock(&self.0);
        let worker = worker(&mut workers, id);
        worker.waiting.push_back(Waiting { stream, peer, destination, leg, until: Instant::now() + time });
        let surplus = (worker.waiting.len() > AT_MOST).then(|| worker.waiting.pop_front());
        let unwatched = !mem::replace(&mut worker.swept, true);
        drop(workers);
        drop(surplus);
        if unwatched {
            tokio::spawn(sweep(Arc::downgrade(self), id));
        }
    }

    /// Closes those whose time is over, and says when that of the next one is; none is left otherwise.
    fn close_old(&self, id: ThreadId) -> Option<Instant> {
        let now = Instant::now();
        let mut workers = lock(&self.0);
        let worker = worker(&mut workers, id);
        let old = worker.waiting.partition_point(|waiting| waiting.until <= now);
        let old: Vec<Waiting> = worker.waiting.drain(..old).collect();
        let next = worker.waiting.front().map(|waiting| waiting.until);
        worker.swept = next.is_some();
        drop(workers);
        drop(old);
        next
    }
}

/// The worker of this thread. There are too few to be hashed.
fn worker(workers: &mut Vec<Worker>, id: ThreadId) -> &mut Worker {
    let known = workers.iter().position(|worker| worker.id == id);
    let at = known.unwrap_or_else(|| {
        workers.push(Worker { id, waiting: VecDeque::new(), swept: false });
        workers.len() - 1
    });
    &mut workers[at]
}

/// Runs while one waits on this worker.
async fn sweep(parked: Weak<Parked>, id: ThreadId) {
    while let Some(next) = parked.upgrade().and_then(|parked| parked.close_old(id)) {
        sleep_until(next.into()).await;
    }
}

/// On each worker. They come beside the connections that `limits.max-connections` counts.
const AT_MOST: usize = 64;
