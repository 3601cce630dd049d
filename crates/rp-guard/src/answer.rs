//! What the guard answers.

use std::time::Duration;

use crate::entry::{Entry, Origin};
use crate::event::Event;
use crate::network::Network;

/// Whether a connection is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Nothing is known against it.
    Open,
    /// An allow entry covers it: it is exempt from the limit of connections per source, too.
    Allowed,
    /// It is to be closed without an octet. This is not an event.
    Denied(Denial),
}

/// Why a connection is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The network of the entry.
    pub network: Network,
    /// Where the entry comes from.
    pub origin: Origin,
    /// How long it is still in force; `None` is for ever.
    pub left: Option<Duration>,
}

/// What a suspicious request led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The source has `count` events in the last minute, this one included.
    Counted {
        /// Events of the source in the window.
        count: u8,
        /// One more than this is too many.
        threshold: u8,
    },
    /// This was one too many: the source is banned from now on.
    Banned(Entry),
    /// The same in observe mode: nothing is to be refused.
    Observed(Entry),
    /// The source is blocked already; the connection is an old one. Not counted.
    Blocked,
    /// The same in observe mode: nothing is to be refused. Not counted.
    WouldBlock,
    /// An allow entry covers the source. Not counted.
    Allowed,
    /// The threshold of its network is 0. Not counted.
    Off,
}

/// A source with events in the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suspect {
    /// The addresses that are counted together.
    pub network: Network,
    /// Their events in the window.
    pub count: u8,
    /// One more than this is too many.
    pub threshold: u8,
    /// The newest event.
    pub event: Event,
    /// How long ago the oldest event in the window was.
    pub first: Duration,
    /// How long ago the newest was.
    pub last: Duration,
}

/// What [`Guard::forget`](crate::Guard::forget) erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forgotten {
    /// Entries that are gone.
    pub entries: Vec<Entry>,
    /// Sources that had events in the window.
    pub windows: usize,
}

/// How full the guard is. The sums count since the guard was made or, for a table of the window, since a
/// change of its threshold or size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Sources with events in the window.
    pub tracked: usize,
    /// Sources that fit into the window.
    pub slots: usize,
    /// Sum of events that went into the window. Events per minute divided by the threshold are about as many
    /// slots as an attack of that kind takes: the value to name when `live_evictions` grows.
    pub events: u64,
    /// Sum of sources that lost their events to make room. While it grows, slow attackers are missed.
    pub live_evictions: u64,
    /// Automatic bans in force, observed ones included.
    pub bans: usize,
    /// Manual and configured entries in force.
    pub listed: usize,
    /// Entries in force that block, whoever made them.
    pub blocked: usize,
    /// Entries in force that allow.
    pub allowed: usize,
    /// Sum of automatic bans that ended early to make room.
    pub bans_dropped: u64,
}
