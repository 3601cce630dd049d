//! Connections, by the listener that they came in at.

use std::io;

use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use rustix::io::Errno;

use crate::{
    outcome::{End, Reason, Record, Refusal},
    protocol::ListenerKind,
};

/// Of one kind.
#[derive(Debug)]
pub(super) struct Listener {
    /// Connections that are served now.
    pub(super) living: Gauge,
    /// In the order of [`WORDS`].
    outcomes: [Counter; WORDS.len()],
    kind: ListenerKind,
    handshakes: Family<[(&'static str, &'static str); 3], Counter>,
}

impl Listener {
    /// One for each, in the order of [`ListenerKind::all`].
    pub(super) fn register_all(registry: &mut Registry) -> Vec<Self> {
        let living = Family::<[(&'static str, &'static str); 1], Gauge>::default();
        let outcomes = Family::<[(&'static str, &'static str); 2], Counter>::default();
        let handshakes = Family::default();
        registry.register("connections", "Connections that are served now", living.clone());
        registry.register("connections", "Connections that have ended", outcomes.clone());
        registry.register("tls_handshakes", "Handshakes of connections that have ended", handshakes.clone());
        let of = |kind: ListenerKind| {
            let listener = ("listener", kind.as_str());
            Self {
                living: living.get_or_create_owned(&[listener]),
                outcomes: WORDS.map(|word| outcomes.get_or_create_owned(&[listener, ("outcome", word)])),
                kind,
                handshakes: handshakes.clone(),
            }
        };
        ListenerKind::all().map(of).collect()
    }

    /// A connection has ended.
    pub(super) fn ended(&self, record: &Record, end: &End) {
        let number = match end {
            End::Served(_) => 0,
            End::Refused(_) => 1,
            End::Broken(_) => 2,
            End::Denied => 3,
            End::Gone => 4,
        };
        self.outcomes[number].inc();
        let (version, result) = match (record.tls.as_deref(), end) {
            (Some(tls), _) => (tls.version, "done"),
            (None, End::Refused(refusal)) if refusal.reason == Reason::HandshakeFailed => ("", "failed"),
            (None, End::Refused(refusal)) if refusal.reason == Reason::HandshakeTimeout => ("", "timed-out"),
            (None, _) => return,
        };
        let labels = [("listener", self.kind.as_str()), ("version", version), ("result", result)];
        self.handshakes.get_or_create(&labels).inc();
    }
}

/// What became of the certificate of a client whose host asks for one.
pub(super) fn client_certificate(record: &Record, end: &End) -> Option<&'static str> {
    let shown = record.tls.as_ref().is_some_and(|tls| !tls.certificates.is_empty());
    let needed = |refusal: &Refusal| refusal.reason == Reason::Certificate && record.tls.is_some();
    match (record.certificate.as_deref(), end) {
        (Some(Ok(_)), _) => Some("trusted"),
        (Some(Err(_)), _) => Some(if shown { "untrusted" } else { "none" }),
        (None, End::Refused(refusal)) if needed(refusal) => Some(if shown { "untrusted" } else { "none" }),
        (None, _) => None,
    }
}

/// What the system calls it.
pub(super) fn accept_error(error: &io::Error) -> &'static str {
    match Errno::from_io_error(error) {
        Some(Errno::MFILE) => "EMFILE",
        Some(Errno::NFILE) => "ENFILE",
        Some(Errno::NOBUFS) => "ENOBUFS",
        Some(Errno::NOMEM) => "ENOMEM",
        Some(Errno::CONNABORTED) => "ECONNABORTED",
        _ => "other",
    }
}

const WORDS: [&str; 5] = ["served", "refused", "broken", "denied", "gone"];
