//! By protocol, also where a connection ended before its own was known.

use std::ops::Index;

use crate::protocol::{PerProtocol, Protocol};

/// One value for each protocol, and one for none: what came in at `listen.any` and never told.
#[derive(Debug)]
pub(super) struct PerSpoken<T> {
    known: PerProtocol<T>,
    unknown: T,
}

impl<T> PerSpoken<T> {
    pub(super) fn new(make: impl Fn(Option<Protocol>) -> T) -> Self {
        Self {
            known: PerProtocol::new(Protocol::ALL.map(|protocol| make(Some(protocol)))),
            unknown: make(None),
        }
    }
}

impl<T> Index<Option<Protocol>> for PerSpoken<T> {
    type Output = T;

    fn index(&self, spoken: Option<Protocol>) -> &T {
        spoken.map_or(&self.unknown, |protocol| &self.known[protocol])
    }
}

/// The label's value. An empty one is to Prometheus what no label is.
pub(super) fn word(spoken: Option<Protocol>) -> &'static str {
    spoken.map_or("", Protocol::as_str)
}
