//! What becomes of a message, without a connection: nothing is opened, logged or counted. Every step is one that a
//! connection takes; each protocol's `explain` only puts its own in their order.

mod told;

use std::{
    net::{IpAddr, SocketAddr},
    num::NonZeroUsize,
    sync::Arc,
    time::Instant,
};

use rp_guard::{Kind, Mode};
use rp_route::{
    leg::{Leg, Ports, Transport},
    name::Name,
};
use rustls_pki_types::CertificateDer;

pub use told::{AnswerTold, Asked, Explanation, HostTold, KeyTold, LegTold, RefusalTold, Word};

use super::{
    TLS_HANDSHAKE,
    case::{Case, Witness},
    h323, http, ldap, sip,
    sniff::{self, Sniffed},
};
use crate::{
    config::Host,
    guard::{self, Gate, Listing},
    outcome::{Facts, Reason, Record, Refusal, TlsFacts},
    protocol::{ListenerKind, Protocol},
    state::{Destination, State},
};

/// What somebody sends, and how.
#[derive(Clone, Debug)]
pub struct Question {
    /// To which listener.
    pub listener: ListenerKind,
    /// From where.
    pub source: IpAddr,
    /// All that has come, from the first octet of the protocol on; of TLS, what is inside.
    pub octets: Vec<u8>,
    /// Whether it came over TLS, where the listener takes both.
    pub tls: bool,
    /// The server name that the TLS client asked for.
    pub server_name: Option<String>,
    /// The certificates that he showed, his own first.
    pub certificates: Vec<CertificateDer<'static>>,
}

impl Question {
    /// Answers it, by this configuration and by what this gate knows of the source.
    ///
    /// # Errors
    /// What is wrong with the question.
    pub fn answer(self, state: &State, gate: &Gate) -> Result<Explanation, String> {
        let over = self.over()?;
        let mut facts = self.facts(state)?;
        let mut record = Record { tls: self.tls_facts(state, over), ..Record::default() };
        let mut witness = Witness::default();
        let mut case = Case { facts: &facts, state, record: &mut record, witness: Some(&mut witness) };
        let (protocol, Told { key, verdict, mut notes }) = explain(&mut case, &self.octets);
        facts.protocol = protocol;
        notes.extend(self.notes(state, over));
        let sniffed = self.listener.protocol().is_none().then(|| sniffed(protocol, &self.octets));
        let mut explanation = Explanation {
            file: state.config.path.clone(),
            listener: self.listener,
            over,
            source: self.source,
            octets: self.octets.len(),
            protocol,
            sniffed,
            request: record.request,
            key,
            host: witness.host.map(|host| host_told(state, protocol, record.name.as_deref(), &host)),
            rules: witness.asked.into_iter().map(|asked| of_protocol(protocol, asked)).collect(),
            leg: None,
            outcome: Word::Closed,
            refusal: None,
            missing: None,
            answer: None,
            listed: None,
            notes,
        };
        let judged = |refusal: Refusal| {
            let judgement = judgement(state, gate, &facts, &refusal);
            Some(RefusalTold::new(refusal, judgement))
        };
        match verdict {
            Verdict::Forwarded(destination, leg) => {
                explanation.outcome = Word::Forwarded;
                explanation.leg =
                    Some(way(&destination, protocol, leg, over, record.certificate.map(String::from)));
            }
            Verdict::Refused(refusal, answer) => {
                explanation.outcome = Word::Refused;
                explanation.notes.extend(known_names(state, protocol, &refusal));
                explanation.refusal = judged(refusal);
                explanation.answer = Some(answer);
            }
            Verdict::Answered(answer) => {
                explanation.outcome = Word::Answered;
                explanation.answer = Some(answer);
            }
            Verdict::Closed => {}
            Verdict::Incomplete(missing) => {
                explanation.outcome = Word::Incomplete;
                explanation.missing = Some(missing.get());
                explanation.refusal = judged(self.no_more(over));
            }
        }
        shut_out(&mut explanation, state, gate);
        Ok(explanation)
    }

    /// How it comes.
    fn over(&self) -> Result<Transport, String> {
        let kind = self.listener;
        let over = match kind {
            ListenerKind::Only(kind) => kind.transport,
            ListenerKind::Any if self.tls || !self.certificates.is_empty() || self.server_name.is_some() => {
                Transport::Tls
            }
            ListenerKind::Any => Transport::Tcp,
        };
        let has_tls = self.tls || !self.certificates.is_empty() || self.server_name.is_some();
        if over == Transport::Tcp && has_tls {
            return Err(format!(
                "{kind} is in clear: a certificate or server name needs a listener with TLS, or any"
            ));
        }
        let encrypted = self.octets.first() == Some(&TLS_HANDSHAKE);
        if encrypted && (over == Transport::Tls || kind == ListenerKind::Any) {
            return Err("these octets are a TLS handshake, and what decides is inside: give the octets of the \
                        protocol itself, as the phone or the service logs them, or as a capture shows them once it is \
                        decrypted (on any: with --tls)"
                .to_owned());
        }
        Ok(over)
    }

    fn facts(&self, state: &State) -> Result<Facts, String> {
        let listeners = &state.config.listeners;
        let listener = listeners.iter().find(|listener| listener.kind == self.listener).ok_or_else(|| {
            let mut words: Vec<&str> = listeners.iter().map(|listener| listener.kind.as_str()).collect();
            words.dedup();
            let there = if words.is_empty() { "nothing".to_owned() } else { words.join(", ") };
            format!(
                "nothing listens for {}: [listen] of {} has {there}",
                self.listener,
                state.config.path.display()
            )
        })?;
        Ok(Facts {
            id: 0,
            listener: listener.kind,
            source: SocketAddr::new(self.source, 0),
            destination: listener.address,
            via: None,
            protocol: self.listener.protocol(),
            accepted: Instant::now(),
        })
    }

    fn tls_facts(&self, state: &State, over: Transport) -> Option<Box<TlsFacts>> {
        let certificates =
            if self.asks_for_certificate(state) { self.certificates.clone() } else { Vec::new() };
        let facts = TlsFacts { version: "TLSv1.3", sni: self.server_name.clone(), certificates };
        (over == Transport::Tls).then(|| Box::new(facts))
    }

    /// Whether clients of the listener are asked for one.
    fn asks_for_certificate(&self, state: &State) -> bool {
        state.config.tls.request_client_certificate.contains(&self.listener)
    }

    fn notes(&self, state: &State, over: Transport) -> Vec<String> {
        let mut notes = Vec::new();
        if !self.certificates.is_empty() && !self.asks_for_certificate(state) {
            notes.push(format!(
                "{0} asks for no client certificate, so this one would not be shown: tls.request-client-certificate \
                 does not name {0}",
                self.listener
            ));
        }
        if state.config.proxies.expect_header(self.listener, self.source) {
            notes.push(
                "this source is a trusted proxy: its connections begin with a PROXY header, and what is explained is \
                 what comes behind one that names nobody"
                    .to_owned(),
            );
        }
        if over == Transport::Tcp && self.octets.first() == Some(&TLS_HANDSHAKE) {
            notes.push(format!(
                "these octets are a TLS handshake, and {0} is in clear: the client should use the port of {0}s",
                self.listener
            ));
        }
        notes
    }

    /// What the message is refused for if nothing more comes.
    fn no_more(&self, over: Transport) -> Refusal {
        match (self.octets.is_empty(), self.listener, over) {
            (false, ..) => Refusal::because(Reason::FirstMessageTimeout, "limits.first-message"),
            // It may be a browser.
            (true, ListenerKind::Any, Transport::Tcp) => {
                Refusal::because(Reason::Silent, "limits.first-byte").not_counted()
            }
            (true, ..) => Refusal::because(Reason::Silent, "limits.first-byte"),
        }
    }
}

/// What a protocol makes of the octets.
pub(super) struct Told {
    pub(super) key: Option<KeyTold>,
    pub(super) verdict: Verdict,
    pub(super) notes: Vec<String>,
}

impl Told {
    pub(super) fn new(verdict: Verdict) -> Self {
        Self { key: None, verdict, notes: Vec::new() }
    }

    /// The octets are refused, and nobody is there to understand an answer.
    pub(super) fn silently(refusal: Refusal) -> Self {
        Self::new(Verdict::Refused(refusal, AnswerTold::silence()))
    }
}

/// The end of a decision.
pub(super) enum Verdict {
    Forwarded(Arc<Destination>, Leg),
    Refused(Refusal, AnswerTold),
    Answered(AnswerTold),
    Closed,
    /// At least so many octets more are needed.
    Incomplete(NonZeroUsize),
}

/// What is spoken, if that is known, and what becomes of it.
fn explain(case: &mut Case<'_>, octets: &[u8]) -> (Option<Protocol>, Told) {
    let protocol = match case.facts.protocol {
        Some(protocol) => protocol,
        None => match sniff::sniff(octets) {
            Sniffed::Spoken(protocol) => protocol,
            Sniffed::Unfinished(more) => return (None, Told::new(Verdict::Incomplete(more))),
            nothing => return (None, Told::silently(sniff::not_spoken(nothing))),
        },
    };
    let told = match protocol {
        Protocol::H323 => h323::explain::explain(case, octets),
        Protocol::Sip => sip::explain::explain(case, octets),
        Protocol::Ldap => ldap::explain::explain(case, octets),
        Protocol::Http => http::explain::explain(case, octets),
    };
    (Some(protocol), told)
}

/// How the protocol was known on a listener for all.
fn sniffed(protocol: Option<Protocol>, octets: &[u8]) -> String {
    let Some(protocol) = protocol else {
        return "what has come is none of H.323, SIP, LDAP and HTTP, or may still be several".to_owned();
    };
    let is_known = |length: &usize| sniff::sniff(&octets[..*length]) == Sniffed::Spoken(protocol);
    match (1..=octets.len().min(LONGEST_LINE)).find(is_known) {
        Some(length) => format!("only {protocol} is left after {length} octets"),
        None => format!("it was {protocol} for longest"),
    }
}

fn host_told(state: &State, protocol: Option<Protocol>, name: Option<&str>, host: &Host) -> HostTold {
    let named = protocol.zip(name).is_some_and(|(protocol, name)| {
        let table = state.table(protocol);
        table.lookup(name).or_else(|| table.lookup_gatekeeper(name, |_| true)).is_some()
    });
    HostTold {
        name: host.label().to_owned(),
        line: host.line,
        comment: host.comment.clone(),
        default: !named,
    }
}

/// With the whole key of its rule.
fn of_protocol(protocol: Option<Protocol>, asked: Asked) -> Asked {
    match protocol {
        Some(protocol) => Asked { rule: format!("{protocol}.{}", asked.rule), ..asked },
        None => asked,
    }
}

/// Why this leg.
fn way(
    destination: &Destination,
    protocol: Option<Protocol>,
    leg: Leg,
    over: Transport,
    certificate: Option<String>,
) -> LegTold {
    let host = &destination.host;
    let service = protocol.and_then(|protocol| host.services[protocol].as_ref());
    let because = match (certificate, service.map(|service| service.ports)) {
        (Some(name), _) if leg.transport == Transport::Tls => {
            format!("the certificate proves the name {name:?}, so the service need not ask for a password")
        }
        (Some(why), _) => format!("{why}; so the leg is in clear, and the service asks for the password"),
        (None, Some(Ports { tcp: Some(_), tls: Some(_) })) => match over {
            Transport::Tcp => "the host takes both kinds, and the client came in clear".to_owned(),
            Transport::Tls => "the host takes both kinds, and the client came over TLS".to_owned(),
        },
        _ => "the host has no other port".to_owned(),
    };
    let targets = host.targets.iter().map(ToString::to_string).collect();
    LegTold { over: leg.transport, port: leg.port, targets, because }
}

/// Whether the guard counts a refusal, and why.
fn judgement(state: &State, gate: &Gate, facts: &Facts, refusal: &Refusal) -> (bool, String) {
    let policy = &state.config.guard.policy;
    let threshold = policy.thresholds.at(facts.source.ip());
    let listed = gate.listed(facts.source.ip());
    let no = |why: &str| (false, why.to_owned());
    if !guard::speaks_against(facts, refusal) {
        return no("healthy clients meet this, too");
    }
    if state.config.proxies.trusted.contains(facts.source.ip()) {
        return no("the source is one of listen.trusted-proxies");
    }
    match listed {
        Some(entry) if entry.kind == Kind::Allow => {
            (false, format!("{} is allowed by the lists", entry.network))
        }
        _ if threshold == 0 => no("guard.threshold is 0 for this source"),
        _ => {
            let would = if policy.mode == Mode::Observe { "would be" } else { "is" };
            let minutes = policy.expiration.as_secs().div_ceil(60);
            let because = format!(
                "with more than {threshold} of these in a minute the source {would} shut out for {minutes} minutes"
            );
            (true, because)
        }
    }
}

/// Whom the lists shut out is not even heard.
fn shut_out(explanation: &mut Explanation, state: &State, gate: &Gate) {
    if state.config.proxies.trusted.contains(explanation.source) {
        return;
    }
    let Some(entry) = gate.listed(explanation.source) else { return };
    explanation.listed = Some(Listing::of(&entry, std::time::SystemTime::now()));
    if entry.kind == Kind::Block {
        let outcome = format!("without that entry the message would be {}", in_words(explanation.outcome));
        explanation.notes.insert(0, outcome);
        let refusal =
            Refusal::because(Reason::Blocked, format_args!("{} is blocked by the lists", entry.network));
        explanation.refusal =
            Some(RefusalTold::new(refusal, (false, "whom the lists shut out is not counted".to_owned())));
        explanation.outcome = Word::Refused;
        explanation.answer = Some(AnswerTold::silence());
        explanation.leg = None;
    }
}

fn in_words(word: Word) -> &'static str {
    match word {
        Word::Forwarded => "forwarded",
        Word::Refused => "refused all the same",
        Word::Answered => "answered",
        Word::Closed => "taken for a goodbye",
        Word::Incomplete => "waited for",
    }
}

/// The names that there are, where none was found.
fn known_names(state: &State, protocol: Option<Protocol>, refusal: &Refusal) -> Option<String> {
    let protocol = protocol?;
    if !matches!(refusal.reason, Reason::UnknownHost | Reason::NoName) {
        return None;
    }
    let serves = |host: &&Arc<Host>| host.services[protocol].is_some();
    let hosts = state.config.hosts.iter().filter(serves);
    let names: Vec<&str> = hosts.flat_map(|host| &host.names).map(Name::as_str).collect();
    let (shown, more) = names.split_at(names.len().min(NAMES));
    let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
    Some(match shown {
        [] => format!("no host has {protocol}"),
        _ => format!("names with {protocol}: {}{more}", shown.join(", ")),
    })
}

/// The octets of hexadecimal digits, which may be set apart by blanks and colons.
///
/// # Errors
/// What else is there.
pub fn octets_of_hex(text: &str) -> Result<Vec<u8>, String> {
    let mut digits = Vec::new();
    for (at, c) in text.char_indices().filter(|(_, c)| !c.is_whitespace() && *c != ':') {
        let digit = c.to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        digits.push(digit.ok_or_else(|| format!("{c:?} at {at} is no hexadecimal digit"))?);
    }
    let (pairs, rest) = digits.as_chunks::<2>();
    match rest {
        [] => Ok(pairs.iter().map(|[high, low]| high << 4 | low).collect()),
        _ => Err(format!("{} hexadecimal digits: an octet has two", digits.len())),
    }
}

/// So many names are told.
const NAMES: usize = 12;

/// Within so many octets every protocol is known.
const LONGEST_LINE: usize = 512;
