//! Whether a failed connection to a service says anything about who asked for it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::key::Key;

/// What others saw of a target so long ago still counts.
const RECENT: Duration = Duration::from_secs(10);

/// Targets come from the configuration and its DNS names; this bounds them whatever those say.
const MAX_TARGETS: usize = 4096;

/// When a failed connection to a target counts as a suspicious request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CountTargetDown {
    /// Never.
    Never,
    /// Only if it is specific to its source: within the last 10 seconds another source reached that target
    /// and no other failed to. So an outage, overload or a site that is alone counts nothing.
    #[default]
    Smart,
    /// Always. A service that restarts then bans those who wait for it.
    Always,
}

/// How a connection to a target went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Connect {
    /// The target accepted.
    Reached,
    /// It did not.
    Failed,
}

/// What is known of the targets: for each the last two sources that reached it and that failed to.
///
/// ```
/// use std::time::Instant;
/// use rp_guard::{Connect, CountTargetDown, Keying, Targets};
///
/// let (keys, targets, now) = (Keying::default(), Targets::new(CountTargetDown::Smart), Instant::now());
/// let phone = keys.key("192.0.2.1".parse().unwrap());
/// let other = keys.key("192.0.2.2".parse().unwrap());
/// let pbx = "198.51.100.1:5061".parse().unwrap();
///
/// assert!(!targets.report(pbx, phone, Connect::Failed, now)); // nobody knows better
/// targets.report(pbx, other, Connect::Reached, now);
/// assert!(targets.report(pbx, phone, Connect::Failed, now)); // others get through
/// ```
#[derive(Debug)]
pub struct Targets {
    mode: CountTargetDown,
    targets: Mutex<BTreeMap<SocketAddr, Target>>,
}

#[derive(Debug, Default)]
struct Target {
    reached: Recent,
    failed: Recent,
}

impl Targets {
    /// Knows nothing yet.
    pub fn new(mode: CountTargetDown) -> Self {
        Self { mode, targets: Mutex::default() }
    }

    /// Takes note of a connection on behalf of `source` and answers whether it counts as suspicious.
    pub fn report(&self, target: SocketAddr, source: Key, connect: Connect, now: Instant) -> bool {
        if self.mode != CountTargetDown::Smart {
            return self.mode == CountTargetDown::Always && connect == Connect::Failed;
        }
        let mut targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        if targets.len() >= MAX_TARGETS && !targets.contains_key(&target) {
            let oldest = targets.iter().min_by_key(|(_, target)| target.last()).map(|(addr, _)| *addr);
            oldest.and_then(|addr| targets.remove(&addr));
        }
        let target = targets.entry(target).or_default();
        match connect {
            Connect::Reached => {
                target.reached.note(source, now);
                false
            }
            Connect::Failed => {
                target.failed.note(source, now);
                target.reached.other(source, now) && !target.failed.other(source, now)
            }
        }
    }
}

impl Target {
    fn last(&self) -> Option<Instant> {
        self.reached.last().max(self.failed.last())
    }
}

/// The last two distinct sources, the latest first. Two are enough to know of one other than any.
#[derive(Debug, Default)]
struct Recent([Option<(Key, Instant)>; 2]);

impl Recent {
    fn note(&mut self, source: Key, now: Instant) {
        let [first, second] = &mut self.0;
        match first {
            Some((key, at)) if *key == source => *at = now,
            _ => *second = first.replace((source, now)),
        }
    }

    /// Whether a source other than this one was noted lately.
    fn other(&self, source: Key, now: Instant) -> bool {
        let lately = |at: Instant| now.saturating_duration_since(at) < RECENT;
        self.0.iter().flatten().any(|(key, at)| *key != source && lately(*at))
    }

    fn last(&self) -> Option<Instant> {
        self.0.first().copied().flatten().map(|(_, at)| at)
    }
}
