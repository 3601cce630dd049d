//! An explanation, as it is told: in words for people, in fields for programs.

use std::{net::IpAddr, path::PathBuf};

use rp_route::leg::Transport;
use serde::{Serialize, Serializer};

use crate::{
    guard::Listing,
    hex::hex,
    outcome::{Reason, Refusal},
    protocol::{ListenerKind, Protocol},
};

/// What becomes of a message, and every step of the decision.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Explanation {
    /// The file that the configuration was read from.
    pub file: PathBuf,
    /// The listener.
    #[serde(serialize_with = "text")]
    pub listener: ListenerKind,
    /// How the message came.
    #[serde(serialize_with = "transport")]
    pub over: Transport,
    /// From where.
    pub source: IpAddr,
    /// How many octets there are.
    pub octets: usize,
    /// What is spoken, if that is known.
    #[serde(serialize_with = "maybe_text")]
    pub protocol: Option<Protocol>,
    /// How it was known, where the listener does not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sniffed: Option<String>,
    /// What is asked for, in the protocol's own words.
    pub request: Option<String>,
    /// The name in it, and where it stands.
    pub key: Option<KeyTold>,
    /// The host found.
    pub host: Option<HostTold>,
    /// The rules in the order in which they were asked.
    pub rules: Vec<Asked>,
    /// The way to the host, if it comes to that.
    pub leg: Option<LegTold>,
    /// What comes of it all.
    pub outcome: Outcome,
    /// Why it is refused; of a message that is not whole: why it will be, if no more comes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<RefusalTold>,
    /// At least so many octets are missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<usize>,
    /// What the client is told by the proxy itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<AnswerTold>,
    /// The entry of the guard's lists that holds for the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listed: Option<Listing>,
    /// What else one may want to know.
    pub notes: Vec<String>,
}

/// What comes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// A connection to the host is made for it.
    Forwarded,
    /// It is refused.
    Refused,
    /// It is answered by the proxy, and there is nothing wrong with it.
    Answered,
    /// The client says goodbye.
    Closed,
    /// More has to come before anything is decided.
    Incomplete,
}

/// The name that a request is routed by.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct KeyTold {
    /// What the protocol calls the place.
    pub what: &'static str,
    /// The name; none where the place holds none.
    pub name: Option<String>,
    /// The offset in the message of the octets that hold it.
    pub at: usize,
    /// These octets, in hexadecimal.
    pub hex: String,
}

impl KeyTold {
    /// The name that `part` of the message holds.
    pub fn new(what: &'static str, name: Option<String>, message: &[u8], part: &[u8]) -> Self {
        let at = part.as_ptr().addr().checked_sub(message.as_ptr().addr());
        Self { what, name, at: at.filter(|at| *at <= message.len()).unwrap_or(0), hex: hex(part) }
    }
}

/// A row of the table of hosts.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct HostTold {
    /// Its first name.
    pub name: String,
    /// Its line in the file.
    pub line: usize,
    /// The administrator's note.
    pub comment: String,
    /// It takes what has no host of its own, and this has none.
    pub default: bool,
}

/// A rule, and what it said.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Asked {
    /// The rule, by its key in the configuration.
    pub rule: String,
    /// Whether it let the request pass.
    pub yes: bool,
    /// Why.
    pub because: String,
}

/// A way to a host.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct LegTold {
    /// In clear or over TLS.
    #[serde(serialize_with = "transport")]
    pub over: Transport,
    /// The targets' port.
    pub port: u16,
    /// The targets, in the order in which they are tried.
    pub targets: Vec<String>,
    /// Why this one.
    pub because: String,
}

/// A refusal.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RefusalTold {
    /// The word in log and metrics.
    #[serde(serialize_with = "text")]
    pub reason: Reason,
    /// The particulars.
    pub detail: String,
    /// Whether it counts against the source.
    pub counted: bool,
    /// Why, or why not.
    pub because: String,
}

impl RefusalTold {
    /// A refusal that the guard judges like this.
    pub fn new(refusal: Refusal, (counted, because): (bool, String)) -> Self {
        Self { reason: refusal.reason, detail: refusal.detail, counted, because }
    }
}

/// An answer of ours.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct AnswerTold {
    /// What it says.
    pub words: String,
    /// Its octets, in hexadecimal; none where the connection is closed without a word.
    pub hex: String,
}

impl AnswerTold {
    /// These octets, which say this.
    pub fn new(octets: &[u8], words: impl Into<String>) -> Self {
        Self { words: words.into(), hex: hex(octets) }
    }

    /// Nothing at all.
    pub fn silence() -> Self {
        Self::new(&[], "nothing: the connection is closed without a word")
    }
}

fn transport<S: Serializer>(transport: &Transport, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(transport.as_str())
}

fn text<S: Serializer>(value: &impl ToString, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&value.to_string())
}

fn maybe_text<S: Serializer>(value: &Option<impl ToString>, to: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => text(value, to),
        None => to.serialize_none(),
    }
}
