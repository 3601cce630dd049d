//! What is counted, for Prometheus. `server` feeds it at the two ends of a connection and nothing else does, so a
//! number here is the number of lines that the log would have. No label holds an address or a name from the network.
//!
//! What every connection touches was looked up once, when the proxy was started or a host was first seen.

mod host;
mod listener;
mod moment;
mod process;
mod spoken;

use std::{
    collections::HashMap,
    fmt::Write as _,
    io,
    sync::{PoisonError, RwLock, atomic::AtomicU64},
    time::{Duration, SystemTime},
};

use foldhash::fast::RandomState;
use prometheus_client::{
    encoding::text::encode,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Metric, Registry},
};
use rp_guard::Verdict;

pub use moment::Watched;

use crate::{
    config,
    logging::{self, Judged},
    outcome::{Cause, End, Facts, Observation, Reason, Record},
    protocol::{ListenerKind, Protocol},
};
use host::{Host, Hosts, Outcome};
use listener::Listener;
use spoken::{PerSpoken, word};

/// All counters, and the text that they make.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// In the order of [`ListenerKind::all`].
    listeners: Vec<Listener>,
    protocols: PerSpoken<PerProtocolSeries>,
    hosts: Hosts,
    known: RwLock<HashMap<String, Host, RandomState>>,
    events: Labelled<3>,
    bans: Labelled<1>,
    refused: Counter,
    limits: Labelled<1>,
    accept_errors: Labelled<1>,
    responses_dropped: Counter,
    certificates: Labelled<1>,
    reloads: Labelled<1>,
    last_reload: Gauge,
    last_success: Gauge<f64, AtomicU64>,
    panics: Counter,
    /// Over all labels.
    requests_in_all: Counter,
    refusals_in_all: Counter,
    counted_in_all: Counter,
}

/// Sums since the start, for who looks at the whole.
#[derive(Clone, Copy, Debug)]
pub struct Totals {
    /// Requests, and connections that are one; refused ones too.
    pub requests: u64,
    /// Those that were refused.
    pub refusals: u64,
    /// Those of these that counted against their source.
    pub counted: u64,
}

#[derive(Debug)]
struct PerProtocolSeries {
    lasted: Histogram,
    first_message: Histogram,
    up: Counter,
    down: Counter,
}

impl Metrics {
    /// All at zero.
    pub fn new(watched: Watched) -> Self {
        let mut registry = Registry::with_prefix("rpd");
        registry.register_collector(Box::new(watched));
        let all = &mut registry;
        let build: Labelled<1, Gauge> = registered(all, "build_info", "What runs here");
        build.get_or_create(&[("version", env!("CARGO_PKG_VERSION"))]).set(1);
        let metrics = Self {
            listeners: Listener::register_all(all),
            protocols: PerProtocolSeries::register_all(all),
            hosts: Hosts::register(all),
            known: RwLock::default(),
            reloads: registered(all, "config_reloads", "Reloads of the configuration"),
            last_reload: registered(all, "config_last_reload_success", "Whether the last one succeeded"),
            last_success: registered(
                all,
                "config_last_reload_success_timestamp_seconds",
                "When what is in force was read",
            ),
            events: registered(all, "guard_events", "Refusals, by what the guard made of them"),
            bans: registered(all, "guard_bans", "Sources that were shut out, or would have been"),
            refused: registered(all, "guard_refused", "Connections closed because of the lists"),
            limits: registered(all, "limit_hits", "Connections that a limit ended or kept out"),
            accept_errors: registered(all, "accept_errors", "Failures to accept a connection"),
            certificates: registered(all, "client_certificates", "Clients of hosts that check certificates"),
            responses_dropped: registered(
                all,
                "sip_responses_dropped",
                "Answers of phones that nobody waits for",
            ),
            panics: registered(all, "panics", "Connections that ended by a bug of the proxy"),
            requests_in_all: Counter::default(),
            refusals_in_all: Counter::default(),
            counted_in_all: Counter::default(),
            registry,
        };
        metrics.begin();
        metrics
    }

    /// What first appears as one has no rate: so what is worth an alert is there from the start.
    fn begin(&self) {
        let at_zero = |family: &Labelled<1>, label, values: &[&'static str]| {
            values.iter().for_each(|value| drop(family.get_or_create(&[(label, *value)])));
        };
        at_zero(&self.bans, "mode", &["enforce", "observe"]);
        at_zero(&self.limits, "limit", &["max-connections", "connections-per-source"]);
        at_zero(&self.accept_errors, "error", &["EMFILE"]);
        at_zero(&self.certificates, "result", &["trusted", "untrusted", "none"]);
        at_zero(&self.reloads, "result", &["done", "failed"]);
        // What runs was read without an error.
        self.last_reload.set(1);
        self.last_success.set(timestamp(SystemTime::now()));
    }

    /// What there was so far.
    pub fn totals(&self) -> Totals {
        Totals {
            requests: self.requests_in_all.get(),
            refusals: self.refusals_in_all.get(),
            counted: self.counted_in_all.get(),
        }
    }

    /// Connections of this listener that are served now.
    pub fn living(&self, kind: ListenerKind) -> i64 {
        self.listener(kind).living.get()
    }

    /// A connection is served from now on.
    pub fn entered(&self, kind: ListenerKind) {
        self.listener(kind).living.inc();
    }

    /// It is served no more; by a panic, or as it should.
    pub fn left(&self, kind: ListenerKind, panicked: bool) {
        self.listener(kind).living.dec();
        self.panics.inc_by(u64::from(panicked));
    }

    /// A connection could not be accepted.
    pub fn not_accepted(&self, error: &io::Error) {
        self.accept_errors.get_or_create(&[("error", listener::accept_error(error))]).inc();
    }

    /// The configuration was read anew, and is in force or not.
    pub fn reloaded(&self, succeeded: bool) {
        self.last_reload.set(succeeded.into());
        if succeeded {
            self.last_success.set(timestamp(SystemTime::now()));
        }
        self.reloads.get_or_create(&[("result", if succeeded { "done" } else { "failed" })]).inc();
    }

    /// A connection waits because there are as many as there may be.
    pub fn full(&self) {
        self.limits.get_or_create(&[("limit", "max-connections")]).inc();
    }

    /// The end of a connection.
    pub fn ended(&self, facts: &Facts, record: &Record, end: &End, judged: &Judged) {
        let spoken = facts.protocol;
        self.listener(facts.listener).ended(record, end);
        if let Some(result) = listener::client_certificate(record, end) {
            self.certificates.get_or_create(&[("result", result)]).inc();
        }
        // What is closed at once would hide how long the others last.
        if *end != End::Denied {
            self.protocols[spoken].lasted.observe(facts.accepted.elapsed().as_secs_f64());
        }
        if let Some(millis) = record.key_after {
            let key_after = Duration::from_millis(millis.into());
            self.protocols[spoken].first_message.observe(key_after.as_secs_f64());
        }
        // Its requests were told one by one.
        let told = matches!(end, End::Served(_)) && !logging::tells_end(facts, record);
        if !told {
            self.octets(spoken, record);
        }
        match end {
            End::Served(_) if told => {}
            End::Served(_) => self.request(spoken, record, Outcome::forwarded(record)),
            End::Refused(refusal) => self.refused(spoken, record, refusal.reason, judged),
            End::Broken(_) => {
                self.request(spoken, record, Outcome::Refused(Reason::TargetFailed));
            }
            End::Denied => _ = self.refused.inc(),
            End::Gone => {}
        }
        if let End::Served(Cause::TimedOut(limit)) = end {
            self.limit(limit);
        }
    }

    /// A request on a living connection.
    pub fn observed(&self, facts: &Facts, record: &Record, observation: &Observation, judged: &Judged) {
        let spoken = facts.protocol;
        match observation {
            Observation::Forwarded => self.request(spoken, record, Outcome::forwarded(record)),
            Observation::Refused(refusal) => self.refused(spoken, record, refusal.reason, judged),
            Observation::Reached(after) => self.host(record, |host| host.reached(*after)),
            Observation::Unawaited => _ = self.responses_dropped.inc(),
            Observation::Proven | Observation::Reused => {}
        }
        // Behind a refusal the connection goes on counting, but in HTTP.
        let counted = match observation {
            Observation::Forwarded => true,
            Observation::Refused(_) => spoken == Some(Protocol::Http),
            _ => false,
        };
        if counted {
            self.octets(spoken, record);
        }
    }

    fn refused(&self, spoken: Option<Protocol>, record: &Record, reason: Reason, judged: &Judged) {
        self.request(spoken, record, Outcome::Refused(reason));
        let counted = logging::counted(judged.verdict.as_ref());
        let event = [("reason", reason.as_str()), ("protocol", word(spoken)), ("counted", counted)];
        self.events.get_or_create(&event).inc();
        self.refusals_in_all.inc();
        self.counted_in_all.inc_by(u64::from(counted == "yes"));
        let mode = match &judged.verdict {
            Some(Verdict::Banned(_)) => Some("enforce"),
            Some(Verdict::Observed(_)) => Some("observe"),
            _ => None,
        };
        if let Some(mode) = mode {
            self.bans.get_or_create(&[("mode", mode)]).inc();
        }
        match reason {
            Reason::TargetUnreachable => self.host(record, Host::unreachable),
            Reason::SourceLimit => self.limit("limits.connections-per-source"),
            Reason::HostLimit => self.limit("host.max-connections"),
            _ => {}
        }
    }

    /// What has a line in the log, where all lines are wanted.
    fn request(&self, spoken: Option<Protocol>, record: &Record, outcome: Outcome) {
        self.requests_in_all.inc();
        self.host(record, |host| host.request(&self.hosts, spoken, outcome, record.retried));
    }

    fn octets(&self, spoken: Option<Protocol>, record: &Record) {
        self.protocols[spoken].up.inc_by(record.octets.0);
        self.protocols[spoken].down.inc_by(record.octets.1);
    }

    /// By the name of its key.
    fn limit(&self, key: &'static str) {
        let limit = key.strip_prefix("limits.").unwrap_or(key);
        self.limits.get_or_create(&[("limit", limit)]).inc();
    }

    fn listener(&self, kind: ListenerKind) -> &Listener {
        &self.listeners[kind.number()]
    }

    /// Counts for a host; for none, where no host was found.
    fn host(&self, record: &Record, count: impl FnOnce(&Host)) {
        let name = record.host.as_deref().map_or("", config::Host::label);
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = known.get(name) {
            return count(host);
        }
        drop(known);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        count(known.entry(name.to_owned()).or_insert_with(|| self.hosts.host(name)));
    }

    /// All as text, as Prometheus has read it since ever (version 0.0.4). The newer form tells a counter by a name
    /// without `_total`, under which a gauge may not stand beside it.
    pub fn text(&self) -> String {
        let mut open = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut open, &self.registry);
        let mut text = String::with_capacity(open.len());
        let mut lines = open.lines().peekable();
        while let Some(line) = lines.next() {
            let mut words = line.splitn(4, ' ');
            let (Some("#"), Some(word), Some(name)) = (words.next(), words.next(), words.next()) else {
                if line != "# EOF" {
                    let _ = writeln!(text, "{line}");
                }
                continue;
            };
            let counter =
                line.ends_with(" counter") || lines.peek().is_some_and(|next| next.ends_with(" counter"));
            let total = if counter { "_total" } else { "" };
            let _ = writeln!(text, "# {word} {name}{total} {}", words.next().unwrap_or_default());
        }
        text
    }
}

impl PerProtocolSeries {
    fn register_all(registry: &mut Registry) -> PerSpoken<Self> {
        let lasted = Family::<[(&'static str, &'static str); 1], Histogram>::new_with_constructor(|| {
            Histogram::new([0.01, 0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 86_400.0])
        });
        let octets = Family::<[(&'static str, &'static str); 2], Counter>::default();
        let first = Family::<[(&'static str, &'static str); 1], Histogram>::new_with_constructor(|| {
            Histogram::new([0.005, 0.02, 0.1, 0.5, 1.0, 5.0, 15.0])
        });
        registry.register("connection_seconds", "How long connections lasted", lasted.clone());
        registry.register("bytes", "Octets of requests and connections that have ended", octets.clone());
        registry.register("first_message_seconds", "From accept until the name was known", first.clone());
        PerSpoken::new(|spoken| {
            let protocol = ("protocol", word(spoken));
            Self {
                lasted: lasted.get_or_create_owned(&[protocol]),
                first_message: first.get_or_create_owned(&[protocol]),
                up: octets.get_or_create_owned(&[protocol, ("direction", "up")]),
                down: octets.get_or_create_owned(&[protocol, ("direction", "down")]),
            }
        })
    }
}

/// A metric by so many labels.
type Labelled<const N: usize, M = Counter> = Family<[(&'static str, &'static str); N], M>;

/// A metric that is told from now on.
fn registered<M: Metric + Clone + Default>(registry: &mut Registry, name: &str, help: &str) -> M {
    let metric = M::default();
    registry.register(name, help, metric.clone());
    metric
}

/// Seconds since 1970.
fn timestamp(time: SystemTime) -> f64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
