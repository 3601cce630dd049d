//! A message, and how it came.

use std::{
    net::{IpAddr, SocketAddr},
    time::Instant,
};

use rp_route::leg::Transport;
use rustls_pki_types::CertificateDer;

use super::{
    Asked, Explanation, Outcome, RefusalTold, Told, Verdict, explain,
    guard::{judgement, shut_out},
    host::{host_told, known_names, way},
    sniffed,
};
use crate::{
    guard::Gate,
    outcome::{Facts, Reason, Record, Refusal, TlsFacts},
    protocol::{ListenerKind, Protocol},
    session::{TLS_HANDSHAKE, case::Case},
    state::State,
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
        let mut rules = Vec::new();
        let mut case = Case { facts: &facts, state, record: &mut record, rules: Some(&mut rules) };
        let (protocol, Told { key, verdict, mut notes, behind }) = explain(&mut case, &self.octets);
        facts.protocol = protocol;
        notes.extend(self.notes(state, over));
        if behind > 0 {
            notes.push(format!("{behind} octets behind the message are not explained"));
        }
        let sniffed = self.listener.protocol().is_none().then(|| sniffed(protocol, &self.octets));
        let mut explanation = Explanation {
            file: state.config.path.clone(),
            listener: self.listener,
            over,
            source: self.source,
            octets: self.octets.len(),
            protocol,
            sniffed,
            request: record.request.map(|words| words.text().into_owned()),
            key,
            host: record.host.map(|host| host_told(state, protocol, record.name.as_deref(), &host)),
            rules: rules.into_iter().map(|asked| of_protocol(protocol, asked)).collect(),
            leg: None,
            outcome: Outcome::Closed,
            refusal: None,
            missing: None,
            answer: None,
            listed: None,
            notes,
        };
        let judged = |refusal: Refusal| {
            let judgement = judgement(state, gate, &facts, &refusal);
            RefusalTold::new(refusal, judgement)
        };
        match verdict {
            Verdict::Forwarded(destination, leg) => {
                explanation.outcome = Outcome::Forwarded;
                explanation.leg = Some(way(&destination, protocol, leg, over, record.certificate.as_deref()));
            }
            Verdict::Refused(refusal, answer) => {
                explanation.outcome = Outcome::Refused;
                explanation.notes.extend(known_names(state, protocol, &refusal));
                (explanation.refusal, explanation.answer) = (Some(judged(refusal)), Some(answer));
            }
            Verdict::Answered(answer) => {
                (explanation.outcome, explanation.answer) = (Outcome::Answered, Some(answer));
            }
            Verdict::Closed => explanation.outcome = Outcome::Closed,
            Verdict::Incomplete(missing) => {
                (explanation.outcome, explanation.missing) = (Outcome::Incomplete, Some(missing.get()));
                explanation.refusal = Some(judged(self.no_more(over)));
            }
        }
        shut_out(&mut explanation, state, gate);
        Ok(explanation)
    }

    /// How it comes.
    fn over(&self) -> Result<Transport, String> {
        let kind = self.listener;
        let has_tls = self.tls || !self.certificates.is_empty() || self.server_name.is_some();
        let over = match kind {
            ListenerKind::Only(kind) => kind.transport,
            ListenerKind::Any if has_tls => Transport::Tls,
            ListenerKind::Any => Transport::Tcp,
        };
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

/// With the whole key of its rule.
fn of_protocol(protocol: Option<Protocol>, asked: Asked) -> Asked {
    match protocol {
        Some(protocol) => Asked { rule: format!("{protocol}.{}", asked.rule), ..asked },
        None => asked,
    }
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

/// An address as the log has it, with or without its port.
///
/// # Errors
/// It is none.
pub fn address(text: &str) -> Result<IpAddr, String> {
    let with_port = || text.parse::<SocketAddr>().map(|address| address.ip());
    text.parse()
        .or_else(|_| with_port())
        .map_err(|_| format!("{text:?} is no address; write one such as 203.0.113.7"))
}
