//! The last requests that were refused, with why, and what the guard made of it: what an administrator looks at when
//! somebody says that his phone does not work.

use std::{net::SocketAddr, time::SystemTime};

use crate::{
    logging::{self, Judged},
    outcome::{Facts, Reason, Record},
    protocol::{ListenerKind, Protocol},
};

/// One of them. Texts from the network are as received, but cut.
#[derive(Clone, Debug)]
pub struct Refused {
    /// When.
    pub time: SystemTime,
    /// The number of its connection.
    pub conn: u64,
    /// Where that came in.
    pub listener: ListenerKind,
    /// What is spoken.
    pub protocol: Option<Protocol>,
    /// The client.
    pub source: SocketAddr,
    /// The name asked for.
    pub name: Option<String>,
    /// What was asked, in the protocol's own words.
    pub request: Option<String>,
    /// The host found.
    pub host: Option<String>,
    /// Who is at fault: the client was refused, or the service broke its protocol.
    pub outcome: &'static str,
    /// Why.
    pub reason: Reason,
    /// The particulars.
    pub detail: String,
    /// Whether it counted, or why not.
    pub counted: &'static str,
    /// How many it made, and of how many.
    pub count: Option<String>,
}

impl Refused {
    /// A request of a client.
    pub fn new(facts: &Facts, record: &Record, reason: Reason, detail: &str, judged: &Judged) -> Self {
        Self {
            time: SystemTime::now(),
            conn: facts.id,
            listener: facts.listener,
            protocol: facts.protocol,
            source: facts.source,
            name: record.name.as_deref().map(cut),
            request: record.request.as_ref().map(|words| cut(&words.text())),
            host: record.host.as_ref().map(|host| host.label().to_owned()),
            outcome: "refused",
            reason,
            detail: cut(detail),
            counted: logging::counted(judged.verdict.as_ref()),
            count: logging::count(judged.verdict.as_ref()),
        }
    }

    /// A service that broke its own protocol.
    pub fn broken(facts: &Facts, record: &Record, detail: &str) -> Self {
        let refused = Self::new(facts, record, Reason::TargetFailed, detail, &Judged::default());
        Self { outcome: "broken", ..refused }
    }
}

fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(LONGEST)].to_owned()
}

const LONGEST: usize = 256;
