//! What has to be done now and then, on a thread of its own: entries that ran out go, and what had no line in the log
//! is summed up.

use std::{
    io,
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime},
};

use rp_guard::Filter;
use tracing::{error, warn};

use crate::{
    guard::{Gate, Summary},
    logging,
    rejects::Rejects,
};

/// The thread, until [`Housekeeping::end`].
pub struct Housekeeping {
    /// Dropped to end it.
    going_on: mpsc::Sender<()>,
    thread: JoinHandle<()>,
}

impl Housekeeping {
    /// Begins.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn start(gate: Arc<Gate>, rejects: Arc<Rejects>) -> io::Result<Self> {
        let (going_on, end) = mpsc::channel::<()>();
        let mut rounds = Rounds { gate, rejects, summary: Summary::default(), evicted: 0 };
        let thread = thread::Builder::new().name("guard".to_owned()).spawn(move || {
            for round in 1_u32.. {
                if end.recv_timeout(ROUND) != Err(RecvTimeoutError::Timeout) {
                    break;
                }
                rounds.sweep();
                if round.is_multiple_of(ROUNDS_A_SUMMARY) {
                    rounds.sum_up();
                }
            }
        })?;
        Ok(Self { going_on, thread })
    }

    /// Waits for its end.
    pub fn end(self) {
        drop(self.going_on);
        if self.thread.join().is_err() {
            error!("the guard's housekeeping ended by a panic");
        }
    }
}

struct Rounds {
    gate: Arc<Gate>,
    rejects: Arc<Rejects>,
    summary: Summary,
    /// Live evictions that have been told.
    evicted: u64,
}

impl Rounds {
    fn sweep(&mut self) {
        let ended = self.gate.guard.sweep(Instant::now());
        ended.iter().filter(|entry| !entry.observed).for_each(logging::unblocked);
        if !ended.is_empty() {
            self.gate.changed();
        }
        let (untold, others) = self.rejects.flush(Instant::now());
        untold.into_iter().for_each(|(source, reason, count)| logging::untold(source, reason, count));
        logging::untold_others(others);
    }

    fn sum_up(&mut self) {
        let now = Instant::now();
        let (refusing, others) = self.summary.of(self.gate.guard.entries(&Filter::default(), now));
        let wall = SystemTime::now();
        refusing.iter().for_each(|refusing| logging::refusing(refusing, wall));
        logging::refusing_others(others);
        let stats = self.gate.guard.stats(now);
        // A changed threshold makes a table anew, and its sums with it.
        if stats.live_evictions > self.evicted {
            warn!(
                evictions = stats.live_evictions - self.evicted,
                slots = stats.slots,
                "sources with suspicious requests were forgotten for want of room: slow attackers may be missed; \
                 raise guard.max-tracked"
            );
        }
        self.evicted = stats.live_evictions;
    }
}

/// Between two rounds, and how many of them make a summary: one a minute.
const ROUND: Duration = Duration::from_secs(10);
const ROUNDS_A_SUMMARY: u32 = 6;
