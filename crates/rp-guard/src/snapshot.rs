//! The lists in a form that outlives the process: with the time of the wall clock, which is handed in.

use std::time::{Duration, SystemTime};

use crate::entry::{Entry, Kind, Origin};
use crate::event::Event;
use crate::network::Network;

/// One entry of the lists, to be written down. Only verdicts are: never what the window holds, and never
/// observed bans or entries of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// The addresses that it covers.
    pub network: Network,
    /// What happens to them.
    pub kind: Kind,
    /// `Auto` or `Manual`.
    pub origin: Origin,
    /// When it was made.
    pub created: SystemTime,
    /// When it runs out; `None` is never.
    pub until: Option<SystemTime>,
    /// The event that made the ban.
    pub event: Option<Event>,
    /// The events in the window when the ban was made.
    pub count: u16,
    /// Who made or last changed it.
    pub by: String,
    /// A remark of that person.
    pub comment: String,
}

/// What became of the entries handed to [`Guard::restore`](crate::Guard::restore).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// In force now.
    pub taken: usize,
    /// Ran out in the meantime.
    pub expired: usize,
    /// Not taken: a ban of what is no longer one source, without an end or of the kind `Allow`; an entry of
    /// the origin `Config`, of a network that has an entry already, or beyond
    /// [`Policy::max_entries`](crate::Policy::max_entries).
    pub skipped: usize,
}

impl Saved {
    /// The entry, if it is one to write down.
    pub(crate) fn new(entry: Entry, wall: SystemTime) -> Option<Self> {
        let kept = entry.origin != Origin::Config && !entry.observed;
        kept.then(|| Self {
            network: entry.network,
            kind: entry.kind,
            origin: entry.origin,
            created: wall.checked_sub(entry.age).unwrap_or(SystemTime::UNIX_EPOCH),
            until: entry.left.and_then(|left| wall.checked_add(left)),
            event: entry.event,
            count: entry.count,
            by: entry.by,
            comment: entry.comment,
        })
    }

    /// How long ago it was made; nothing if the clock was set back behind that.
    pub(crate) fn age(&self, wall: SystemTime) -> Duration {
        since(self.created, wall)
    }

    /// How long it is still in force; never longer than it was to be in all, whatever the clock says.
    pub(crate) fn left(&self, wall: SystemTime) -> Option<Duration> {
        self.until.map(|until| since(wall, until).min(since(self.created, until)))
    }
}

fn since(earlier: SystemTime, later: SystemTime) -> Duration {
    later.duration_since(earlier).unwrap_or(Duration::ZERO)
}
