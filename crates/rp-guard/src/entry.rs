//! What the lists hold, as it is shown.

use std::error::Error;
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::event::Event;
use crate::network::Network;

/// One entry of the lists, with its times counted from the moment of asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The addresses that it covers.
    pub network: Network,
    /// What happens to them.
    pub kind: Kind,
    /// Where it comes from.
    pub origin: Origin,
    /// How long ago it was made.
    pub age: Duration,
    /// How long it is still in force; `None` is for ever.
    pub left: Option<Duration>,
    /// The event that made the ban; also in a manual entry that was a ban.
    pub event: Option<Event>,
    /// The events in the window when the ban was made, that event included; 0 without one.
    pub count: u16,
    /// Who made or last changed it, as [`Actor::name`] said; empty in automatic and configured entries.
    pub by: String,
    /// A remark of that person.
    pub comment: String,
    /// Made in observe mode: nothing is refused.
    pub observed: bool,
    /// Connections that it refused.
    pub refused: u32,
    /// How long ago the last of them was, in whole seconds.
    pub last_refused: Option<Duration>,
}

/// What an entry does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Nothing from there is let in, unless an allow entry covers it.
    Block,
    /// All from there is let in and nothing is counted.
    Allow,
}

/// Where an entry comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// Made by the guard: a ban.
    Auto,
    /// Made by an administrator.
    Manual,
    /// From the configuration. It changes only there.
    Config,
}

/// Which entries [`Guard::entries`](crate::Guard::entries) gives; the default gives all.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter {
    /// Only of this kind.
    pub kind: Option<Kind>,
    /// Only of this origin.
    pub origin: Option<Origin>,
    /// Only those that cover this address.
    pub covering: Option<IpAddr>,
    /// Only those that lie wholly in this network.
    pub inside: Option<Network>,
}

/// Who changes the lists, and how sure they are.
#[derive(Clone, Copy, Debug, Default)]
pub struct Actor<'a> {
    /// A name for the record, cut at 120 characters.
    pub name: &'a str,
    /// The address that they ask from, so that they do not lock themselves out.
    pub addr: Option<IpAddr>,
    /// Do it although it is dangerous: [`Refused::TooWide`], [`Refused::CoversActor`].
    pub force: bool,
}

/// What a change of the lists did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The entry of that network before.
    pub before: Option<Entry>,
    /// The entry of that network now.
    pub after: Option<Entry>,
    /// Bans inside the network that were lifted along with it.
    pub lifted: Vec<Entry>,
}

/// Why a change of the lists was refused. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// No entry has exactly this network.
    Unknown(Network),
    /// The entry is part of the configuration.
    Configured(Network),
    /// Shorter than /8 (IPv4) or /32 (IPv6), without [`Actor::force`].
    TooWide(Network),
    /// It would block the address that was asked from, without [`Actor::force`].
    CoversActor(Network),
    /// The comment has so many characters.
    CommentTooLong(usize),
    /// There are as many manual entries as [`Policy::max_entries`](crate::Policy::max_entries) allows.
    Full(usize),
}

impl Refused {
    /// The most characters of a comment.
    pub const COMMENT_MAX: usize = 200;
}

impl Error for Refused {}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(network) => write!(f, "there is no entry {network}"),
            Self::Configured(network) => {
                write!(f, "{network} is an entry of the configuration; change it there and reload")
            }
            Self::TooWide(network) => write!(f, "{network} is a very large network; force it if it is meant"),
            Self::CoversActor(network) => {
                write!(f, "{network} covers the address that you come from; force it if that is meant")
            }
            Self::CommentTooLong(given) => {
                write!(f, "the comment has {given} characters; at most {} fit", Self::COMMENT_MAX)
            }
            Self::Full(most) => {
                write!(f, "the lists hold {most} manual entries, as many as max-entries allows; remove some")
            }
        }
    }
}

impl Filter {
    /// Whether `entry` is asked for.
    pub(crate) fn takes(&self, entry: &Entry) -> bool {
        self.kind.is_none_or(|kind| kind == entry.kind)
            && self.origin.is_none_or(|origin| origin == entry.origin)
            && self.covering.is_none_or(|addr| entry.network.contains(addr))
            && self.inside.is_none_or(|network| network.covers(entry.network))
    }
}

/// How often an entry refused, counted under a shared lock.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    count: AtomicU32,
    /// In seconds since the guard was made.
    last: AtomicU32,
}

impl Refusals {
    pub(crate) fn add(&self, now: i64) {
        let add = |count: u32| count.checked_add(1);
        let _full = self.count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        self.last.store(seconds(now), Ordering::Relaxed);
    }

    pub(crate) fn count(&self) -> u32 {
        self.count.load(Ordering::Relaxed)
    }

    pub(crate) fn last(&self, now: i64) -> Option<Duration> {
        let ago = seconds(now).saturating_sub(self.last.load(Ordering::Relaxed));
        (self.count() > 0).then(|| Duration::from_secs(u64::from(ago)))
    }
}

fn seconds(now: i64) -> u32 {
    u32::try_from(now.max(0) / 1000).unwrap_or(u32::MAX)
}

/// From one time in milliseconds to a later one; nothing if it is not later.
pub(crate) fn between(earlier: i64, later: i64) -> Duration {
    Duration::from_millis(u64::try_from(later.saturating_sub(earlier)).unwrap_or(0))
}

/// Whole milliseconds, at most 2^63.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
