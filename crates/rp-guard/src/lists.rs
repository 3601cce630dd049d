//! The networks that people wrote down: manual entries and those of the configuration.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::entry::{Actor, Entry, Kind, Origin, Refusals, Refused, between};
use crate::event::Event;
use crate::network::Network;
use crate::policy::Policy;
use crate::ranges::Ranges;

/// An entry as it is kept. Times are in milliseconds since the guard was made; `made` may lie before that.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) network: Network,
    pub(crate) kind: Kind,
    pub(crate) origin: Origin,
    pub(crate) made: i64,
    pub(crate) until: Option<i64>,
    pub(crate) event: Option<Event>,
    pub(crate) count: u16,
    pub(crate) by: String,
    pub(crate) comment: String,
    pub(crate) refusals: Refusals,
}

impl Item {
    pub(crate) fn is_live(&self, now: i64) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    pub(crate) fn entry(&self, now: i64) -> Entry {
        Entry {
            network: self.network,
            kind: self.kind,
            origin: self.origin,
            age: between(self.made, now),
            left: self.until.map(|until| between(now, until)),
            event: self.event,
            count: self.count,
            by: self.by.clone(),
            comment: self.comment.clone(),
            observed: false,
            refused: self.refusals.count(),
            last_refused: self.refusals.last(now),
        }
    }

    /// An entry for ever.
    pub(crate) fn new(network: Network, kind: Kind, origin: Origin, made: i64) -> Self {
        Self {
            network,
            kind,
            origin,
            made,
            until: None,
            event: None,
            count: 0,
            by: String::new(),
            comment: String::new(),
            refusals: Refusals::default(),
        }
    }

    /// The same entry, to be changed. Its refusals were those of what it was before.
    pub(crate) fn renewed(&self) -> Self {
        Self {
            until: self.until,
            event: self.event,
            count: self.count,
            by: self.by.clone(),
            comment: self.comment.clone(),
            ..Self::new(self.network, self.kind, self.origin, self.made)
        }
    }
}

/// The entries by network: where changes are made, before they are flattened into [`Lists`].
#[derive(Debug, Default)]
pub(crate) struct Listed {
    manual: BTreeMap<Network, Arc<Item>>,
    configured: BTreeMap<(Network, Kind), Arc<Item>>,
    max_entries: usize,
}

impl Listed {
    /// Takes over what the configuration says; its entries that stay keep what they counted.
    pub(crate) fn configure(&mut self, policy: &Policy, now: i64) {
        let old = std::mem::take(&mut self.configured);
        let block = policy.block.iter().map(|network| (*network, Kind::Block));
        let allow = policy.allow.iter().map(|network| (*network, Kind::Allow));
        for (network, kind) in block.chain(allow) {
            let network = policy.keys.unfold_network(network);
            let kept = old.get(&(network, kind)).cloned();
            let item = kept.unwrap_or_else(|| Arc::new(Item::new(network, kind, Origin::Config, now)));
            self.configured.insert((network, kind), item);
        }
        self.max_entries = policy.max_entries;
    }

    /// Whether `network` may become an entry of this kind.
    pub(crate) fn check(&self, network: Network, kind: Kind, actor: &Actor<'_>) -> Result<(), Refused> {
        self.check_changeable(network)?;
        let shortest = if network.addr().is_ipv4() { 8 } else { 32 };
        if network.prefix_len() < shortest && !actor.force {
            return Err(Refused::TooWide(network));
        }
        if kind == Kind::Block && !actor.force && actor.addr.is_some_and(|addr| network.contains(addr)) {
            return Err(Refused::CoversActor(network));
        }
        Ok(())
    }

    pub(crate) fn check_changeable(&self, network: Network) -> Result<(), Refused> {
        let configured =
            [Kind::Block, Kind::Allow].map(|kind| self.configured.contains_key(&(network, kind)));
        if configured.contains(&true) { Err(Refused::Configured(network)) } else { Ok(()) }
    }

    /// Adds an entry or replaces the one of that network, which it gives back if it was still in force.
    pub(crate) fn put(&mut self, item: Item, now: i64) -> Result<Option<Arc<Item>>, Refused> {
        if self.manual.len() >= self.max_entries && !self.manual.contains_key(&item.network) {
            self.manual.retain(|_, item| item.is_live(now));
            if self.manual.len() >= self.max_entries {
                return Err(Refused::Full(self.max_entries));
            }
        }
        let before = self.manual.insert(item.network, Arc::new(item));
        Ok(before.filter(|item| item.is_live(now)))
    }

    /// The manual entry of exactly this network, if it is in force.
    pub(crate) fn manual(&self, network: Network, now: i64) -> Option<&Arc<Item>> {
        self.manual.get(&network).filter(|item| item.is_live(now))
    }

    pub(crate) fn remove(&mut self, network: Network) -> Option<Arc<Item>> {
        self.manual.remove(&network)
    }

    /// Takes out all manual entries that `gone` names.
    pub(crate) fn take_where(&mut self, gone: impl Fn(&Item) -> bool) -> Vec<Arc<Item>> {
        self.manual.extract_if(.., |_, item| gone(item)).map(|(_, item)| item).collect()
    }

    /// All entries that are in force.
    pub(crate) fn live(&self, now: i64) -> impl Iterator<Item = &Arc<Item>> {
        self.configured.values().chain(self.manual.values()).filter(move |item| item.is_live(now))
    }

    /// The form for look-ups.
    pub(crate) fn flatten(&self, now: i64) -> Lists {
        let ranges = |kind| {
            let items = self.live(now).filter(|item| item.kind == kind);
            Ranges::new(items.map(|item| (item.network, Arc::clone(item))).collect())
        };
        Lists { allow: ranges(Kind::Allow), block: ranges(Kind::Block) }
    }
}

/// The entries flattened for look-ups. What ran out since then is passed over.
#[derive(Debug)]
pub(crate) struct Lists {
    allow: Ranges<Arc<Item>>,
    block: Ranges<Arc<Item>>,
}

impl Lists {
    pub(crate) fn allow(&self, addr: IpAddr, now: i64) -> bool {
        self.allow.covering(addr).any(|item| item.is_live(now))
    }

    /// The block entry of the longest prefix.
    pub(crate) fn block(&self, addr: IpAddr, now: i64) -> Option<&Arc<Item>> {
        self.block.covering(addr).find(|item| item.is_live(now))
    }
}
