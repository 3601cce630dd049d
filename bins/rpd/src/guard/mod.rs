//! Who is let in, who is shut out, and what that means for connections that live: the guard of `rp_guard` at work.
//!
//! Only `server` asks and tells, so that sessions decide nothing about their clients.

mod listing;
mod registry;
mod summary;
mod ways;

use std::{
    hash::{BuildHasher, RandomState},
    net::{IpAddr, SocketAddr},
    sync::{Arc, OnceLock},
    time::Instant,
};

use arc_swap::ArcSwap;
use rp_guard::{
    Admission, Connect, Entry, Event, Filter, Guard, Kind, Mode, Network, Seeds, Targets, Verdict,
};
use tokio::sync::watch;

pub use listing::{KindWord, Listing, OriginWord, event_words, time_text};
pub use registry::{About, Registry};
pub use summary::{Refusing, Summary};
pub use ways::Way;

use crate::{
    cancel::{Cancel, Request},
    config,
    outcome::{Facts, Reason, Record, Refusal},
    protocol::Protocol,
    store::Unsaved,
};

/// The guard, the living connections, and what one tells the other.
#[derive(Debug)]
pub struct Gate {
    /// Lists and counts.
    pub guard: Guard,
    /// The living connections.
    pub registry: Registry,
    rules: ArcSwap<Rules>,
    unsaved: OnceLock<Unsaved>,
    /// Told whenever the lists have changed.
    lists: watch::Sender<()>,
}

#[derive(Debug)]
struct Rules {
    config: config::Guard,
    targets: Targets,
}

impl Rules {
    fn new(config: &config::Guard) -> Self {
        Self { config: config.clone(), targets: Targets::new(config.count_target_down) }
    }
}

/// How many connections a source may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cap {
    /// So many, unless the lists or the configuration of its network say otherwise.
    Most(u32),
    /// It is a trusted proxy, whom nobody counts or blocks.
    Exempt,
}

/// Why a connection is not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// Its source is blocked.
    Blocked,
    /// Its source has as many as it may have.
    TooMany,
}

/// Whether a refusal can count at all: nothing does that a healthy client could have caused.
pub fn speaks_against(facts: &Facts, refusal: &Refusal) -> bool {
    // Browsers open connections to spare.
    let spare = refusal.reason == Reason::Silent && facts.protocol == Some(Protocol::Http);
    refusal.suspicious && !spare
}

impl Gate {
    /// Nothing is listed but what the configuration lists.
    pub fn new(config: &config::Guard) -> Self {
        // Each hasher of the standard library starts with keys from the system.
        let random = || RandomState::new().hash_one(0);
        let seeds = Seeds { hash: [random(), random()] };
        Self {
            guard: Guard::new(&config.policy, seeds, Instant::now()),
            registry: Registry::default(),
            rules: ArcSwap::from_pointee(Rules::new(config)),
            unsaved: OnceLock::new(),
            lists: watch::Sender::new(()),
        }
    }

    /// From now on `unsaved` is told whenever the lists change by themselves.
    pub fn save_with(&self, unsaved: Unsaved) {
        // There is one store at most.
        let _ = self.unsaved.set(unsaved);
    }

    /// Takes a new connection in, unless its source is blocked or has as many as it may have.
    ///
    /// # Errors
    /// Why not.
    pub fn enter(&self, facts: &Facts, cancel: Arc<Cancel>, cap: Cap) -> Result<(), Closed> {
        let most = self.admit(facts.source, cap, facts.accepted)?;
        let key = self.guard.key(facts.source.ip());
        self.registry.enter(facts, key, cancel, most).then_some(()).ok_or(Closed::TooMany)
    }

    /// The same for the client that a trusted proxy has named.
    ///
    /// # Errors
    /// Why not.
    pub fn rename(&self, facts: &Facts, cap: Cap) -> Result<(), Closed> {
        let most = self.admit(facts.source, cap, Instant::now())?;
        let key = self.guard.key(facts.source.ip());
        self.registry.rename(facts.id, facts.source, key, most).then_some(()).ok_or(Closed::TooMany)
    }

    /// The cap that a source has, if it is let in.
    fn admit(&self, source: SocketAddr, cap: Cap, now: Instant) -> Result<Option<u32>, Closed> {
        let Cap::Most(most) = cap else { return Ok(None) };
        match self.guard.admit(source.ip(), now) {
            Admission::Denied(_) => Err(Closed::Blocked),
            Admission::Allowed => Ok(None),
            Admission::Open => {
                Ok(Some(self.rules.load().config.max_connections(source.ip()).unwrap_or(most)))
            }
        }
    }

    /// A target took the connection that was made for this client.
    pub fn reached(&self, facts: &Facts, record: &Record) {
        if let Some(target) = record.target {
            let key = self.guard.key(facts.source.ip());
            self.rules.load().targets.report(target, key, Connect::Reached, Instant::now());
        }
    }

    /// What a refusal means for its source: the one place where requests become counts. Nothing, where a healthy
    /// client could have caused it.
    pub fn judge(&self, facts: &Facts, record: &Record, refusal: &Refusal) -> Option<Verdict> {
        let now = Instant::now();
        if !self.counts(facts, record, refusal, now) {
            return None;
        }
        let event = Event { reason: refusal.reason.into(), protocol: listing::number(facts.protocol) };
        let verdict = self.guard.report(facts.source.ip(), event, now);
        match verdict {
            Verdict::Banned(_) => {
                let key = self.guard.key(facts.source.ip());
                self.registry.shut_out(key, facts.id, self.rules.load().config.close_established);
                self.changed();
            }
            // It was proven, and stayed; now it has done something itself.
            Verdict::Blocked => _ = self.registry.ask(facts.id, Request::ShutOut),
            _ => {}
        }
        Some(verdict)
    }

    fn counts(&self, facts: &Facts, record: &Record, refusal: &Refusal, now: Instant) -> bool {
        match refusal.reason {
            _ if !speaks_against(facts, refusal) => false,
            Reason::TargetUnreachable => record.target.is_some_and(|target| {
                let key = self.guard.key(facts.source.ip());
                self.rules.load().targets.report(target, key, Connect::Failed, now)
            }),
            _ => true,
        }
    }

    /// The entry of the lists that holds for this source: whether it is let in whatever it does, or shut out.
    pub fn listed(&self, source: IpAddr) -> Option<Entry> {
        let filter = Filter { covering: Some(source), ..Filter::default() };
        let mut entries = self.guard.entries(&filter, Instant::now());
        let observes = self.rules.load().config.policy.mode == Mode::Observe;
        entries.retain(|entry| entry.kind == Kind::Allow || !observes);
        let allowed = entries.iter().position(|entry| entry.kind == Kind::Allow);
        (!entries.is_empty()).then(|| entries.swap_remove(allowed.unwrap_or(0)))
    }

    /// An administrator has blocked `network`: that reaches living connections, too.
    pub fn shut_out(&self, network: Network) {
        let config = &self.rules.load().config;
        self.registry.shut_out_network(network, &config.policy.keys, config.close_established);
    }

    /// By which somebody hears that the lists have changed.
    pub fn lists(&self) -> &watch::Sender<()> {
        &self.lists
    }

    /// The lists have changed by themselves, and are saved when it suits.
    pub fn changed(&self) {
        self.lists.send_replace(());
        if let Some(unsaved) = self.unsaved.get() {
            unsaved.note();
        }
    }

    /// Goes by another configuration from now on.
    pub fn reconfigure(&self, config: &config::Guard) {
        let ended = self.guard.reconfigure(&config.policy, Instant::now());
        let former = self.rules.swap(Arc::new(Rules::new(config)));
        if former.config.policy.keys != config.policy.keys {
            self.registry.rekey(&config.policy.keys);
        }
        if !ended.is_empty() {
            self.changed();
        }
    }
}
