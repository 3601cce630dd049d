//! Requests, by the host that they were for, and connections to its targets.

use std::{sync::OnceLock, time::Duration};

use prometheus_client::{
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::Registry,
};

use super::spoken::{PerSpoken, word};
use crate::{
    outcome::{Reason, Record},
    protocol::Protocol,
};

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Forwarded,
    /// HTTP, by the first digit of its status.
    Status(u16),
    Refused(Reason),
}

/// The families of all hosts.
#[derive(Debug)]
pub(super) struct Hosts {
    requests: Family<Vec<(&'static str, String)>, Counter>,
    connects: Family<Vec<(&'static str, String)>, Counter>,
    retries: Family<Vec<(&'static str, String)>, Counter>,
    took: Family<Vec<(&'static str, String)>, Histogram>,
}

/// One host.
#[derive(Debug)]
pub(super) struct Host {
    name: String,
    /// Made when there is something to count, so that what never happens makes no line.
    requests: PerSpoken<[OnceLock<Counter>; Outcome::MANY]>,
    /// Nothing to tell where no host was found.
    target: Option<Target>,
}

#[derive(Debug)]
struct Target {
    reached: Counter,
    unreachable: Counter,
    retries: Counter,
    took: Histogram,
}

impl Hosts {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let (requests, connects, retries) = (Family::default(), Family::default(), Family::default());
        let took = Family::new_with_constructor(took as fn() -> Histogram);
        registry.register("requests", "Requests, and connections that are one", requests.clone());
        registry.register("target_connects", "Connections to targets", connects.clone());
        registry.register("http_retries", "Requests sent once more on a new connection", retries.clone());
        registry.register("target_connect_seconds", "Until a target took a connection", took.clone());
        Self { requests, connects, retries, took }
    }

    /// The counters of a host, whose name is empty if there was none.
    pub(super) fn host(&self, name: &str) -> Host {
        let labels = || vec![("host", name.to_owned())];
        let connects = |result: &str| {
            let labels = vec![("host", name.to_owned()), ("result", result.to_owned())];
            self.connects.get_or_create_owned(&labels)
        };
        let target = || Target {
            reached: connects("reached"),
            unreachable: connects("unreachable"),
            retries: self.retries.get_or_create_owned(&labels()),
            took: self.took.get_or_create_owned(&labels()),
        };
        Host {
            name: name.to_owned(),
            requests: PerSpoken::new(|_| [const { OnceLock::new() }; Outcome::MANY]),
            target: (!name.is_empty()).then(target),
        }
    }
}

impl Host {
    pub(super) fn request(&self, hosts: &Hosts, spoken: Option<Protocol>, outcome: Outcome, retried: bool) {
        let make = || {
            hosts.requests.get_or_create_owned(&vec![
                ("protocol", word(spoken).to_owned()),
                ("host", self.name.clone()),
                ("outcome", outcome.as_str().to_owned()),
            ])
        };
        self.requests[spoken][outcome.number()].get_or_init(make).inc();
        if let Some(target) = self.target.as_ref().filter(|_| retried) {
            target.retries.inc();
        }
    }

    pub(super) fn reached(&self, after: Duration) {
        let Some(target) = &self.target else { return };
        target.reached.inc();
        target.took.observe(after.as_secs_f64());
    }

    pub(super) fn unreachable(&self) {
        if let Some(target) = &self.target {
            target.unreachable.inc();
        }
    }
}

impl Outcome {
    const MANY: usize = 1 + STATUS.len() + Reason::ALL.len();

    pub(super) fn forwarded(record: &Record) -> Self {
        match record.status.map(|status| status / 100) {
            Some(class @ 1..=5) => Self::Status(class),
            _ => Self::Forwarded,
        }
    }

    fn number(self) -> usize {
        match self {
            Self::Forwarded => 0,
            Self::Status(class) => usize::from(class),
            Self::Refused(reason) => 1 + STATUS.len() + reason as usize,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Forwarded => "forwarded",
            Self::Status(class) => STATUS[usize::from(class) - 1],
            Self::Refused(reason) => reason.as_str(),
        }
    }
}

fn took() -> Histogram {
    Histogram::new([0.001, 0.005, 0.02, 0.1, 0.5, 1.0, 5.0])
}

const STATUS: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_has_a_place_of_its_own() {
        let refused = Reason::ALL.iter().map(|reason| Outcome::Refused(*reason));
        let all = [Outcome::Forwarded].into_iter().chain((1..=5).map(Outcome::Status)).chain(refused);
        assert_eq!(all.map(Outcome::number).collect::<Vec<_>>(), (0..Outcome::MANY).collect::<Vec<_>>());
    }
}
