//! What is not counted but looked up whenever somebody asks.

use std::{
    collections::BTreeMap,
    fmt,
    sync::Arc,
    time::{Instant, SystemTime},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeGaugeValue, EncodeLabelSet, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};
use rp_guard::Filter;

use super::{process::Process, timestamp};
use crate::{
    guard::{Gate, KindWord, OriginWord},
    logging,
    protocol::Protocol,
    state::Live,
    store::Unsaved,
    tls::Validity,
};

/// Where to look.
pub struct Watched {
    /// The lists.
    gate: Arc<Gate>,
    /// Whether they are on disk.
    unsaved: Option<Unsaved>,
    /// The configuration in force.
    live: Live,
    started: SystemTime,
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").finish_non_exhaustive()
    }
}

impl Collector for Watched {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        page.gauge("start_time_seconds", "When the proxy was started", timestamp(self.started))?;
        self.process(&mut page)?;
        self.lists(&mut page)?;
        self.legs(&mut page)?;
        self.certificates(&mut page)?;
        self.targets(&mut page)
    }
}

impl Watched {
    /// Of a proxy that starts now.
    pub fn new(gate: Arc<Gate>, unsaved: Option<Unsaved>, live: Live) -> Self {
        Self { gate, unsaved, live, started: SystemTime::now() }
    }

    fn process(&self, page: &mut Page<'_>) -> fmt::Result {
        let Some(process) = Process::now() else { return Ok(()) };
        page.gauge("open_files", "Files and sockets that are open", process.open_files)?;
        page.gauge("open_files_limit", "How many there may be", process.open_files_limit)?;
        page.gauge("resident_memory_bytes", "Memory in use", process.resident_octets)?;
        page.counter("log_dropped", "Lines that the log was too slow for", logging::lost() as f64)?;
        page.counter("cpu_seconds", "Processor time used", process.cpu_seconds)
    }

    fn lists(&self, page: &mut Page<'_>) -> fmt::Result {
        let now = Instant::now();
        let mut entries = BTreeMap::<_, f64>::new();
        for entry in self.gate.guard.entries(&Filter::default(), now) {
            let (kind, origin) = (KindWord::from(entry.kind), OriginWord::from(entry.origin));
            *entries.entry([("kind", kind.as_str()), ("origin", origin.as_str())]).or_default() += 1.0;
        }
        page.gauges("guard_entries", "Entries of the lists in force", entries)?;
        let stats = self.gate.guard.stats(now);
        page.gauge("guard_tracked", "Sources with suspicious requests now", stats.tracked as f64)?;
        page.counter(
            "guard_live_evictions",
            "Sources forgotten for want of room",
            stats.live_evictions as f64,
        )?;
        page.counter(
            "guard_entries_dropped",
            "Bans ended early for want of room",
            stats.bans_dropped as f64,
        )?;
        let failures = self.unsaved.as_ref().map_or(0, Unsaved::failures);
        page.counter("lists_save_failures", "Attempts to save the lists that failed", failures as f64)?;
        let unsaved = self.unsaved.as_ref().is_some_and(|unsaved| unsaved.failure().is_some());
        page.gauge("lists_unsaved", "Whether the lists could not be saved", f64::from(u8::from(unsaved)))
    }

    fn legs(&self, page: &mut Page<'_>) -> fmt::Result {
        let state = self.live.now();
        let row = |protocol: Protocol, kind, number: f64| {
            ([("protocol", protocol.as_str()), ("state", kind)], number)
        };
        let open = Protocol::ALL.map(|protocol| row(protocol, "open", state.legs.open(protocol).into()));
        let parked = row(Protocol::Http, "parked", state.parked.len() as f64);
        let tunnels = row(Protocol::Http, "tunnel", state.legs.tunnels().into());
        page.gauges("legs", "Connections to targets", open.into_iter().chain([parked, tunnels]))
    }

    fn certificates(&self, page: &mut Page<'_>) -> fmt::Result {
        let state = self.live.now();
        // Of two for the same name, the first is the one that clients see.
        let mut ends = BTreeMap::new();
        for certificate in &state.config.tls.certificates {
            let name = certificate.names.first().cloned().unwrap_or_default();
            if let Some(validity) = certificate.key.cert.first().and_then(|der| Validity::of(der)) {
                ends.entry([("certificate", name)]).or_insert(validity.ends as f64);
            }
        }
        page.gauges("certificate_not_after_timestamp_seconds", "When our certificates end", ends)
    }

    /// What clients that came have found out about them.
    fn targets(&self, page: &mut Page<'_>) -> fmt::Result {
        let state = self.live.now();
        // Rows that share their first name also share what was seen.
        let (mut up, mut ends) = (BTreeMap::new(), BTreeMap::new());
        for host in &state.config.hosts {
            let (sighting, label) = (state.sightings.of(host.label()), [("host", host.label().to_owned())]);
            up.extend(sighting.up.map(|up| (label.clone(), i64::from(up))));
            let shown = sighting.certificate.as_ref().and_then(|(_, der)| Validity::of(der));
            ends.extend(shown.map(|validity| (label, validity.ends as f64)));
        }
        page.gauges("target_up", "Whether the last connection to a target succeeded", up)?;
        page.gauges(
            "target_certificate_not_after_timestamp_seconds",
            "When the certificate ends that a target has shown last",
            ends,
        )
    }
}

struct Page<'a>(DescriptorEncoder<'a>);

impl Page<'_> {
    fn gauge(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        let encoder = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        ConstGauge::new(value).encode(encoder)
    }

    fn counter(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        let encoder = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        ConstCounter::new(value).encode(encoder)
    }

    fn gauges<L: EncodeLabelSet, N: EncodeGaugeValue>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (L, N)>,
    ) -> fmt::Result {
        let mut encoder = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (labels, value) in values {
            ConstGauge::new(value).encode(encoder.encode_family(&labels)?)?;
        }
        Ok(())
    }
}
