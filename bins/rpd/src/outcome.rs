//! What becomes of a connection: the facts it started with, what was learnt about it, and how it ended.
//!
//! A session fills in a [`Record`] as it learns, and returns an [`End`]; what happens to a single request on a
//! living connection it tells as an [`Observation`]. It neither logs nor counts: `server` does both.

use std::{
    borrow::Cow,
    fmt,
    net::SocketAddr,
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, Instant},
};

use rp_route::leg::Leg;
use rustls_pki_types::CertificateDer;

use crate::{
    config::Host,
    protocol::{ListenerKind, Protocol},
};

/// What is known of a connection before its first message is understood.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Its number, in the order of arrival.
    pub id: u64,
    /// What kind of listener it came in at.
    pub listener: ListenerKind,
    /// The client: the other end of the socket, or whom the PROXY header of a trusted proxy names.
    pub source: SocketAddr,
    /// The address that it came in at: the socket's own, or the one in that header.
    pub destination: SocketAddr,
    /// The trusted proxy that sent the header.
    pub via: Option<Box<SocketAddr>>,
    /// What is spoken: on `listen.any`, when the first octets have told.
    pub protocol: Option<Protocol>,
    /// When it was accepted; the first time-outs count from here.
    pub accepted: Instant,
}

/// What was learnt on the way. Texts from the network stand here as received; the log escapes them.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// What was agreed with a TLS client.
    pub tls: Option<Box<TlsFacts>>,
    /// The name that was looked up.
    pub name: Option<String>,
    /// What was asked.
    pub request: Option<Words>,
    /// The host found.
    pub host: Option<Arc<Host>>,
    /// Who the client has proven to be by a certificate, or why he is nobody; where a host asks that.
    pub certificate: Option<Box<Result<String, String>>>,
    /// Transport and port of the leg to it.
    pub leg: Option<Leg>,
    /// Where the leg leads.
    pub target: Option<SocketAddr>,
    /// The answer's status, in HTTP.
    pub status: Option<u16>,
    /// Which request of its connection it is, in HTTP.
    pub number: Option<NonZeroU32>,
    /// The request was sent once more, because the target had closed a kept connection.
    pub retried: bool,
    /// Octets from the client to the service and back.
    pub octets: (u64, u64),
    /// Milliseconds from accept until the name was known.
    pub key_after: Option<u32>,
}

impl Record {
    /// So much of a text is told, in octets: nobody reads more of it in the log.
    pub const LONGEST_TEXT: usize = 512;

    /// Cuts a text from the network: a connection keeps it for as long as it lives, perhaps silent for hours.
    pub fn cut(text: &mut String) {
        if text.len() > Self::LONGEST_TEXT {
            text.truncate(text.floor_char_boundary(Self::LONGEST_TEXT));
            text.shrink_to_fit();
        }
    }
}

/// What was asked, in the protocol's own words: method, kind of message, request.
#[derive(Clone)]
pub enum Words {
    /// These.
    Text(String),
    /// Something that knows how to say it. Where only refusals have a line in the log, nobody asks most connections.
    Later(Arc<dyn fmt::Display + Send + Sync>),
}

impl Words {
    /// The words.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(words) => words.into(),
            Self::Later(what) => what.to_string().into(),
        }
    }
}

impl From<String> for Words {
    fn from(words: String) -> Self {
        Self::Text(words)
    }
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text().fmt(f)
    }
}

/// The client's side of a TLS connection.
#[derive(Clone, Debug)]
pub struct TlsFacts {
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: &'static str,
    /// The server name asked for.
    pub sni: Option<String>,
    /// The certificates that the client showed, its own first; DER.
    pub certificates: Vec<CertificateDer<'static>>,
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It was served, and ended in the ordinary way or by one of these causes.
    Served(Cause),
    /// It was not let through.
    Refused(Refusal),
    /// The service broke its own protocol.
    Broken(String),
    /// The client went away before it had asked for anything.
    Gone,
    /// It was closed without a word, because its source is blocked.
    Denied,
}

/// Why a served connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Both sides closed.
    Closed,
    /// The client's side broke.
    ClientLost,
    /// The service's side broke.
    TargetLost,
    /// A time-out fired, by the name of its key.
    TimedOut(&'static str),
    /// The client asked for another host, and has to connect again.
    Elsewhere,
    /// This proxy shut down.
    Shutdown,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("closed"),
            Self::ClientLost => f.write_str("client-lost"),
            Self::TargetLost => f.write_str("target-lost"),
            Self::TimedOut(limit) => write!(f, "timed-out {limit}"),
            Self::Elsewhere => f.write_str("elsewhere"),
            Self::Shutdown => f.write_str("shutdown"),
        }
    }
}

/// A refusal: its reason from the registry, and the particulars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The word in log and metrics.
    pub reason: Reason,
    /// What the administrator needs to know beyond it; may be empty.
    pub detail: String,
    /// Whether it speaks against the source: then the guard is told.
    pub suspicious: bool,
}

impl Refusal {
    /// A refusal without particulars.
    pub fn new(reason: Reason) -> Self {
        Self { reason, detail: String::new(), suspicious: reason.is_suspicious() }
    }

    /// A refusal with particulars.
    pub fn because(reason: Reason, detail: impl fmt::Display) -> Self {
        Self { detail: detail.to_string(), ..Self::new(reason) }
    }

    /// The same, but a healthy client may do this: nothing is counted, whatever the reason.
    pub fn not_counted(self) -> Self {
        Self { suspicious: false, ..self }
    }
}

impl From<Refusal> for End {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Something that happened to one request while its connection lives on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observation {
    /// It was forwarded and answered.
    Forwarded,
    /// It was refused, in the protocol's own words.
    Refused(Refusal),
    /// The service took the client for who he says he is: a registration, bind, call or authenticated request
    /// succeeded. The connection is *proven* from now on, and outlives a ban of its source. May be said again.
    Proven,
    /// The target in [`Record::target`] took a connection that was made for this client, after so long, TLS included.
    Reached(Duration),
    /// A connection to the target in [`Record::target`] that was there already serves this client from now on.
    Reused,
    /// An answer of the client, in SIP, that nobody waits for.
    Unawaited,
}

/// An [`Observation`], with what was learnt of the request that it is about.
#[derive(Clone, Debug)]
pub struct Note {
    /// What was asked; none: that by which the connection was routed.
    pub request: Option<Words>,
    /// The name in it.
    pub name: Option<String>,
    /// What happened.
    pub observation: Observation,
}

/// The registry of reasons: each with its word for configuration, log, metrics and page, and whether it is suspicious
/// because a healthy client has no cause for it, or harmless.
macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $weight:ident;)*) => {
        /// Why something is refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason {
            $($(#[$doc])* $name,)*
        }

        impl Reason {
            /// All of them, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its word.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }

            /// Whether it counts against the source, unless the refusal says otherwise.
            pub fn is_suspicious(self) -> bool {
                match self {
                    $(Self::$name => Weight::$weight == Weight::suspicious,)*
                }
            }
        }
    };
}

#[derive(PartialEq, Eq)]
#[allow(non_camel_case_types, reason = "words of the table")]
enum Weight {
    suspicious,
    harmless,
}

reasons! {
    /// Not the protocol, or broken framing.
    Malformed = "malformed", suspicious;
    /// Over a size limit.
    TooLarge = "too-large", suspicious;
    /// No name that could be looked up.
    NoName = "no-name", suspicious;
    /// No host of this name.
    UnknownHost = "unknown-host", suspicious;
    /// The host has no port for this protocol.
    NotForwarded = "not-forwarded", suspicious;
    /// The source is not in the host's networks.
    NetworkNotAllowed = "network-not-allowed", suspicious;
    /// No entry of the host's URLs allows this one.
    UrlNotAllowed = "url-not-allowed", suspicious;
    /// An HTTP method that is not passed.
    MethodNotAllowed = "method-not-allowed", suspicious;
    /// SNI names one host, the request another.
    Misdirected = "misdirected", suspicious;
    /// Something came, but not the whole first message in time.
    FirstMessageTimeout = "first-message-timeout", suspicious;
    /// Nothing came in time.
    Silent = "silent", suspicious;
    /// A message that had begun stood still.
    TooSlow = "too-slow", harmless;
    /// The TLS handshake was not done in time.
    HandshakeTimeout = "handshake-timeout", suspicious;
    // A client says this of a certificate of ours that ran out, and every phone would be banned.
    /// The TLS handshake failed.
    HandshakeFailed = "handshake-failed", harmless;
    // Only where it is specific to the source: the guard asks what others saw of that target.
    /// No target of the host could be reached.
    TargetUnreachable = "target-unreachable", suspicious;
    /// The target's answer is malformed, or none came.
    TargetFailed = "target-failed", harmless;
    /// Octets in clear came with a request for TLS.
    StarttlsInjection = "starttls-injection", suspicious;
    /// A client certificate is needed, and did not match.
    Certificate = "certificate", suspicious;
    /// The service refused it.
    Refused = "refused", suspicious;
    // What a limit or a ban refuses never counts: such a ban would feed itself.
    /// Too many connections of one source.
    SourceLimit = "source-limit", harmless;
    /// Too many connections to one host.
    HostLimit = "host-limit", harmless;
    // Whom it would speak against is not known.
    /// A trusted proxy did not begin with a PROXY header, where it must.
    ProxyHeader = "proxy-header", harmless;
    /// The source was shut out while the connection lived.
    Blocked = "blocked", harmless;
    // Where UDP is closed, media of healthy sites come here.
    /// STUN or TURN, which has its own server.
    Stun = "stun", harmless;
}

impl Reason {
    /// The reason of this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.as_str() == word)
    }
}

// Their numbers are the guard's.

impl From<Reason> for rp_guard::Reason {
    fn from(reason: Reason) -> Self {
        Self(reason as u8)
    }
}

impl TryFrom<rp_guard::Reason> for Reason {
    type Error = ();

    fn try_from(number: rp_guard::Reason) -> Result<Self, ()> {
        Self::ALL.get(usize::from(number.0)).copied().ok_or(())
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where sessions tell what happens; `server` listens.
pub trait Observer: Send + Sync {
    /// A request on a living connection was forwarded or refused.
    fn observe(&self, facts: &Facts, record: &Record, observation: &Observation);
}
