//! One line a connection or request: who, what, where to, and why not. Where the lines go, and how, is in `output`.

mod client_address;
mod file;
pub(crate) mod kept;
mod output;

use std::{
    borrow::Cow,
    fmt,
    sync::atomic::{AtomicBool, Ordering},
    time::SystemTime,
};

use rp_guard::{Entry, Key, Kind, Network, Origin, Verdict};
use rp_route::leg::Leg;
use tracing::{
    debug,
    field::{DisplayValue, display},
    info, warn,
};

pub use file::{end, lost, reopen};
pub use output::{Prepared, start};

use crate::{
    config::{Host, Log},
    guard::{Refusing, event_words, time_text},
    outcome::{Cause, End, Facts, Observation, Reason, Record, Refusal},
    protocol::Protocol,
};
use client_address::Shown;

/// What the guard makes of a refusal, and what else was refused of the same kind without a line.
#[derive(Clone, Debug, Default)]
pub struct Judged {
    /// Nothing, where it does not speak against the source.
    pub verdict: Option<Verdict>,
    /// Nothing, where it has no line either.
    pub untold: Option<u64>,
}

/// The end of a connection.
pub fn connection(log: &Log, facts: &Facts, record: &Record, end: &End, judged: &Judged) {
    match end {
        End::Refused(refusal) if log.rejected => refused(facts, record, refusal, judged),
        End::Served(cause) if !tells_end(facts, record) => {
            debug!(conn = facts.id, source = %Shown(facts.source), end = %cause, "closed");
        }
        End::Served(cause) if log.forwarded => forwarded(facts, record, Some(cause)),
        End::Served(_) | End::Refused(_) => {}
        End::Broken(detail) => warn!(
            conn = facts.id,
            listener = %facts.listener,
            source = %Shown(facts.source),
            host = safe(record.host.as_deref().map(Host::label)),
            target = record.target.map(display),
            detail = %Safe(detail),
            "the target broke its protocol"
        ),
        End::Denied => {}
        End::Gone => {
            debug!(conn = facts.id, listener = %facts.listener, source = %Shown(facts.source), "gone");
        }
    }
}

/// Whether the end of a connection that was served is a line of its own: in HTTP the requests have had theirs, but
/// for the one that became a tunnel.
pub fn tells_end(facts: &Facts, record: &Record) -> bool {
    facts.protocol != Some(Protocol::Http) || record.status == Some(101)
}

/// A request on a living connection.
pub fn request(log: &Log, facts: &Facts, record: &Record, observation: &Observation, judged: &Judged) {
    match observation {
        Observation::Refused(refusal) if log.rejected => refused(facts, record, refusal, judged),
        Observation::Forwarded if log.forwarded => forwarded(facts, record, None),
        Observation::Refused(_)
        | Observation::Forwarded
        | Observation::Proven
        | Observation::Reached(_)
        | Observation::Reused
        | Observation::Unawaited => {}
    }
}

fn refused(facts: &Facts, record: &Record, refusal: &Refusal, judged: &Judged) {
    let Some(untold) = judged.untold else { return };
    let detail = client_address::without(&refusal.detail, facts.source.ip());
    let asked = asked(facts, record);
    info!(
        conn = facts.id,
        listener = %facts.listener,
        protocol = told_protocol(facts).map(display),
        source = %Shown(facts.source),
        via = facts.via.as_deref().map(display),
        reason = %refusal.reason,
        detail = safe(Some(&*detail).filter(|detail| !detail.is_empty())),
        name = safe(record.name.as_deref()),
        request = safe(asked.as_deref()),
        host = safe(record.host.as_deref().map(Host::label)),
        certificate = safe(certificate(record)),
        leg = record.leg.map(|leg| display(LegText(leg))),
        sni = safe(record.tls.as_ref().and_then(|tls| tls.sni.as_deref())),
        tls = record.tls.as_ref().map(|tls| display(tls.version)),
        status = record.status,
        number = record.number,
        counted = counted(judged.verdict.as_ref()),
        count = count(judged.verdict.as_ref()),
        untold = (untold > 0).then_some(untold),
        ms = millis(facts),
        "refused"
    );
}

/// Whether a refusal was counted, or why not.
pub fn counted(verdict: Option<&Verdict>) -> &'static str {
    match verdict {
        None => "no",
        Some(Verdict::Counted { .. } | Verdict::Banned(_) | Verdict::Observed(_)) => "yes",
        Some(Verdict::Blocked | Verdict::WouldBlock) => "blocked",
        Some(Verdict::Allowed) => "allowed",
        Some(Verdict::Off) => "off",
    }
}

/// How many it makes, and of how many.
pub fn count(verdict: Option<&Verdict>) -> Option<String> {
    match verdict? {
        Verdict::Counted { count, threshold } => Some(format!("{count}/{threshold}")),
        Verdict::Banned(entry) | Verdict::Observed(entry) => Some(entry.count.to_string()),
        _ => None,
    }
}

/// Refusals that had no line of their own: of one source for one reason.
pub fn untold(source: Key, reason: Reason, untold: u64) {
    info!(source = %Shown(source.addr()), %reason, untold, "refused more of the same");
}

/// The same of sources beyond those that are told apart.
pub fn untold_others(untold: u64) {
    if untold > 0 {
        info!(untold, "refused more, of very many sources");
    }
}

/// A source has been shut out, or would have been.
pub fn banned(entry: &Entry) {
    let (reason, protocol) = event_words(entry.event);
    info!(
        source = %Shown(entry.network),
        reason,
        protocol,
        count = entry.count,
        seconds = entry.left.map(|left| left.as_secs()),
        "{}", if entry.observed { "would be blocked" } else { "blocked" }
    );
}

/// An administrator has changed the lists.
pub fn listed(actor: &str, action: &str, network: Network) {
    info!(actor, network = %Shown(network), "the lists were changed: {action}");
}

/// An entry has run out.
pub fn unblocked(entry: &Entry) {
    let word = if entry.kind == Kind::Block { "no longer blocked" } else { "no longer allowed" };
    info!(source = %Shown(entry.network), refused = entry.refused, by = %Safe(&entry.by), "{word}");
}

/// What the lists refused in the last minute, entry by entry.
pub fn refusing(refusing: &Refusing, wall: SystemTime) {
    let entry = &refusing.entry;
    let (reason, protocol) = event_words(entry.event);
    let by_hand = match entry.origin {
        Origin::Auto => None,
        Origin::Manual => Some(Safe(&entry.by)),
        Origin::Config => Some(Safe("the configuration")),
    };
    info!(
        source = %Shown(entry.network),
        connections = refusing.since,
        since = time_text(wall.checked_sub(entry.age).unwrap_or(wall)),
        until = entry.left.map(|left| time_text(wall.checked_add(left).unwrap_or(wall))),
        reason,
        protocol,
        count = (entry.count > 0).then_some(entry.count),
        by = by_hand.map(display),
        "still refused"
    );
}

/// The same of all other entries together.
pub fn refusing_others(connections: u64) {
    if connections > 0 {
        info!(connections, "still refused, by other entries");
    }
}

fn forwarded(facts: &Facts, record: &Record, end: Option<&Cause>) {
    let asked = asked(facts, record);
    info!(
        conn = facts.id,
        listener = %facts.listener,
        protocol = told_protocol(facts).map(display),
        source = %Shown(facts.source),
        via = facts.via.as_deref().map(display),
        name = safe(record.name.as_deref()),
        request = safe(asked.as_deref()),
        host = safe(record.host.as_deref().map(Host::label)),
        certificate = safe(certificate(record)),
        leg = record.leg.map(|leg| display(LegText(leg))),
        target = record.target.map(display),
        sni = safe(record.tls.as_ref().and_then(|tls| tls.sni.as_deref())),
        tls = record.tls.as_ref().map(|tls| display(tls.version)),
        status = record.status,
        number = record.number,
        retried = record.retried.then_some(true),
        up = record.octets.0,
        down = record.octets.1,
        ms_key = record.key_after,
        ms = millis(facts),
        end = end.map(display),
        "forwarded"
    );
}

/// What was asked; in HTTP no user is in it.
fn asked<'a>(facts: &Facts, record: &'a Record) -> Option<Cow<'a, str>> {
    let request = record.request.as_ref()?.text();
    if facts.protocol == Some(Protocol::Http) {
        return Some(request);
    }
    Some(match request {
        Cow::Borrowed(request) => client_address::without_user(request).into(),
        Cow::Owned(request) => client_address::without_user(&request).to_owned().into(),
    })
}

/// Whose certificate it is, or why it is nobody's.
fn certificate(record: &Record) -> Option<&str> {
    if !client_address::is_full() {
        return None;
    }
    let (Ok(text) | Err(text)) = record.certificate.as_deref()?;
    Some(text)
}

/// What is spoken, where the listener does not say it.
fn told_protocol(facts: &Facts) -> Option<Protocol> {
    facts.protocol.filter(|_| facts.listener.protocol().is_none())
}

fn millis(facts: &Facts) -> u64 {
    u64::try_from(facts.accepted.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Text from the network: nothing in it can end a line, colour a terminal or pass for another field, and it is cut.
struct Safe<'a>(&'a str);

impl fmt::Display for Safe<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // JSON has quotes of its own.
        let quoted = !AS_JSON.load(Ordering::Relaxed)
            && (self.0.is_empty() || self.0.contains([' ', '"', '=', '\u{a0}']));
        let quote = if quoted { "\"" } else { "" };
        f.write_str(quote)?;
        let mut written = 0;
        for c in self.0.chars() {
            if written >= LONGEST {
                f.write_str("…")?;
                break;
            }
            match c {
                '"' if quoted => f.write_str("'")?,
                c if c.is_control() || is_misleading(c) => write!(f, "{}", c.escape_unicode())?,
                c => write!(f, "{c}")?,
            }
            written += c.len_utf8();
        }
        f.write_str(quote)
    }
}

/// Such text, where there is any.
fn safe(text: Option<&str>) -> Option<DisplayValue<Safe<'_>>> {
    text.map(|text| display(Safe(text)))
}

/// Whether lines are written as JSON.
static AS_JSON: AtomicBool = AtomicBool::new(false);

/// Marks that reorder or hide what a terminal shows (Unicode's bidirectional and zero-width ones).
fn is_misleading(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

const LONGEST: usize = 256;

struct LegText(Leg);

impl fmt::Display for LegText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.0.transport.as_str(), self.0.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_the_network_cannot_break_a_line() {
        assert_eq!(Safe("a\r\nb\u{1b}[31m").to_string(), "a\\u{d}\\u{a}b\\u{1b}[31m");
        assert_eq!(Safe("a\" reason=none").to_string(), "\"a' reason=none\"");
        assert_eq!(Safe("\u{202e}moc").to_string(), "\\u{202e}moc");
        assert_eq!(Safe("a\u{61c}1").to_string(), "a\\u{61c}1");
        assert_eq!(Safe(&"x".repeat(300)).to_string().len(), 256 + "…".len());
    }
}
