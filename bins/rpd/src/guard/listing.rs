//! An entry of the lists as it is written down: in the file of the store, in answers of the administration, in the
//! record of changes.

use std::time::{Duration, SystemTime};

use rp_guard::{Entry, Event, Kind, Origin, Protocol, Saved};
use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{outcome::Reason, protocol};

/// One entry, every value a word that people know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Listing {
    /// The addresses that it covers.
    pub network: String,
    /// `block` or `allow`.
    pub kind: KindWord,
    /// `auto`, `manual` or `config`.
    pub origin: OriginWord,
    /// When it was made, RFC 3339.
    pub created: String,
    /// When it runs out; never, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// The last of the requests that led to the ban: its reason,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// and its protocol.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// How many there were within the minute.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub count: u16,
    /// Who made or changed it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
    /// That person's remark.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
}

/// What an entry does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KindWord {
    /// Nothing from there is let in.
    Block,
    /// All from there is let in, and nothing is counted.
    Allow,
}

/// Where an entry comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OriginWord {
    /// Made by the guard.
    Auto,
    /// Made by an administrator.
    Manual,
    /// From the configuration.
    Config,
}

impl KindWord {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Allow => "allow",
        }
    }
}

impl OriginWord {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Manual => "manual",
            Self::Config => "config",
        }
    }
}

impl Listing {
    /// An entry in force; `wall` is the clock's reading now.
    pub fn of(entry: &Entry, wall: SystemTime) -> Self {
        let (reason, protocol) = event_words(entry.event);
        Self {
            network: entry.network.to_string(),
            kind: entry.kind.into(),
            origin: entry.origin.into(),
            created: time_text(wall.checked_sub(entry.age).unwrap_or(SystemTime::UNIX_EPOCH)),
            until: entry.left.map(|left| time_text(after(wall, left))),
            reason,
            protocol,
            count: entry.count,
            by: entry.by.clone(),
            comment: entry.comment.clone(),
        }
    }

    /// An entry to be kept.
    pub fn of_saved(saved: &Saved) -> Self {
        let (reason, protocol) = event_words(saved.event);
        Self {
            network: saved.network.to_string(),
            kind: saved.kind.into(),
            origin: saved.origin.into(),
            created: time_text(saved.created),
            until: saved.until.map(time_text),
            reason,
            protocol,
            count: saved.count,
            by: saved.by.clone(),
            comment: saved.comment.clone(),
        }
    }

    /// The entry that was kept; nothing if a word or a time in it is none.
    pub fn saved(self) -> Option<Saved> {
        let event = |reason: &str| {
            let protocol = self.protocol.as_deref();
            let protocol = protocol::Protocol::ALL.into_iter().find(|p| protocol == Some(p.as_str()));
            Some(Event { reason: Reason::from_word(reason)?.into(), protocol: number(protocol) })
        };
        Some(Saved {
            network: self.network.parse().ok()?,
            kind: self.kind.into(),
            origin: self.origin.into(),
            created: time_of(&self.created)?,
            until: match &self.until {
                Some(until) => Some(time_of(until)?),
                None => None,
            },
            // A word of another version of this program; the entry holds all the same.
            event: self.reason.as_deref().and_then(event),
            count: self.count,
            by: self.by,
            comment: self.comment,
        })
    }
}

/// The guard's number of a protocol; also of none, when the client was refused before it had told.
pub(super) fn number(protocol: Option<protocol::Protocol>) -> Protocol {
    Protocol(protocol.map_or(u8::MAX, |protocol| protocol as u8))
}

/// Reason and protocol of an event, in words.
pub fn event_words(event: Option<Event>) -> (Option<String>, Option<String>) {
    let reason = event.and_then(|event| Reason::try_from(event.reason).ok());
    let protocol =
        event.and_then(|event| protocol::Protocol::ALL.get(usize::from(event.protocol.0)).copied());
    (reason.map(|reason| reason.to_string()), protocol.map(|protocol| protocol.to_string()))
}

/// RFC 3339, in UTC and whole seconds.
pub fn time_text(time: SystemTime) -> String {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let time =
        i64::try_from(seconds).ok().and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_else(|| LAST_TIME.to_owned())
}

fn time_of(text: &str) -> Option<SystemTime> {
    let seconds = OffsetDateTime::parse(text, &Rfc3339).ok()?.unix_timestamp();
    Some(after(SystemTime::UNIX_EPOCH, Duration::from_secs(u64::try_from(seconds).unwrap_or(0))))
}

fn after(time: SystemTime, duration: Duration) -> SystemTime {
    time.checked_add(duration).unwrap_or(time)
}

/// The end of what can be written.
const LAST_TIME: &str = "9999-12-31T23:59:59Z";

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde wants it")]
fn is_zero(count: &u16) -> bool {
    *count == 0
}

impl From<Kind> for KindWord {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Block => Self::Block,
            Kind::Allow => Self::Allow,
        }
    }
}

impl From<KindWord> for Kind {
    fn from(word: KindWord) -> Self {
        match word {
            KindWord::Block => Self::Block,
            KindWord::Allow => Self::Allow,
        }
    }
}

impl From<Origin> for OriginWord {
    fn from(origin: Origin) -> Self {
        match origin {
            Origin::Auto => Self::Auto,
            Origin::Manual => Self::Manual,
            Origin::Config => Self::Config,
        }
    }
}

impl From<OriginWord> for Origin {
    fn from(word: OriginWord) -> Self {
        match word {
            OriginWord::Auto => Self::Auto,
            OriginWord::Manual => Self::Manual,
            OriginWord::Config => Self::Config,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let saved = Saved {
            network: "203.0.113.7".parse().expect("a network"),
            kind: Kind::Block,
            origin: Origin::Auto,
            created: at(1_795_248_000),
            until: Some(at(1_795_251_600)),
            event: Some(Event { reason: Reason::Refused.into(), protocol: Protocol(1) }),
            count: 21,
            by: String::new(),
            comment: "caf\u{e9}".to_owned(),
        };
        let line = serde_json::to_string(&Listing::of_saved(&saved)).expect("JSON");
        assert_eq!(
            line,
            r#"{"network":"203.0.113.7/32","kind":"block","origin":"auto","created":"2026-11-21T08:00:00Z","until":"2026-11-21T09:00:00Z","reason":"refused","protocol":"sip","count":21,"comment":"café"}"#
        );
        let read: Listing = serde_json::from_str(&line).expect("JSON");
        assert_eq!(read.saved(), Some(saved));
    }

    #[test]
    fn no_time_is_too_far_to_be_written() {
        assert_eq!(time_text(SystemTime::UNIX_EPOCH - Duration::from_secs(5)), "1970-01-01T00:00:00Z");
        let far = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::MAX / 4);
        assert_eq!(time_text(far), LAST_TIME);
        assert!(time_of(LAST_TIME).is_some());
    }

    #[test]
    fn every_reason_has_a_word_and_a_number_of_its_own() {
        for &reason in Reason::ALL {
            assert_eq!(Reason::from_word(reason.as_str()), Some(reason));
            assert_eq!(Reason::try_from(rp_guard::Reason::from(reason)), Ok(reason));
        }
    }
}
