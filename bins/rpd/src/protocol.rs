//! The four protocols, and which of them a listener speaks over what.

use std::{fmt, str::FromStr};

use rp_route::leg::Transport;
use schemars::JsonSchema;
use serde::Deserialize;

/// An application protocol that is routed.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq, Hash)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// H.225.0 with RAS over H.460.17.
    H323,
    /// SIP over TCP or TLS.
    Sip,
    /// LDAPv3.
    Ldap,
    /// HTTP/1.1 and HTTP/1.0.
    Http,
}

impl Protocol {
    /// All of them, in the order of their discriminants.
    pub const ALL: [Self; 4] = [Self::H323, Self::Sip, Self::Ldap, Self::Http];

    /// The word for it in configuration, log and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::H323 => "h323",
            Self::Sip => "sip",
            Self::Ldap => "ldap",
            Self::Http => "http",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One value for each protocol.
#[derive(Clone, Debug, Default)]
pub struct PerProtocol<T>([T; 4]);

impl<T> PerProtocol<T> {
    /// The values, in the order of [`Protocol::ALL`].
    pub fn new(values: [T; 4]) -> Self {
        Self(values)
    }
}

impl<T> std::ops::Index<Protocol> for PerProtocol<T> {
    type Output = T;

    fn index(&self, protocol: Protocol) -> &T {
        &self.0[protocol as usize]
    }
}

impl<T> std::ops::IndexMut<Protocol> for PerProtocol<T> {
    fn index_mut(&mut self, protocol: Protocol) -> &mut T {
        &mut self.0[protocol as usize]
    }
}

/// What a connection speaks: a protocol, in clear or over TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kind {
    /// The protocol.
    pub protocol: Protocol,
    /// In clear or over TLS.
    pub transport: Transport,
}

impl Kind {
    /// All eight.
    pub fn all() -> impl Iterator<Item = Self> {
        Protocol::ALL.into_iter().flat_map(|protocol| {
            [Transport::Tcp, Transport::Tls].map(|transport| Self { protocol, transport })
        })
    }

    /// Its word: the key in `[listen]` of a listener for this alone.
    pub fn as_str(self) -> &'static str {
        match (self.protocol, self.transport) {
            (Protocol::H323, Transport::Tcp) => "h323",
            (Protocol::H323, Transport::Tls) => "h323s",
            (Protocol::Sip, Transport::Tcp) => "sip",
            (Protocol::Sip, Transport::Tls) => "sips",
            (Protocol::Ldap, Transport::Tcp) => "ldap",
            (Protocol::Ldap, Transport::Tls) => "ldaps",
            (Protocol::Http, Transport::Tcp) => "http",
            (Protocol::Http, Transport::Tls) => "https",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a listener is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ListenerKind {
    /// One protocol, in clear or over TLS.
    Only(Kind),
    /// Every protocol, in clear and over TLS: the first octets tell.
    Any,
}

impl ListenerKind {
    /// All nine, as `[listen]` has them.
    pub fn all() -> impl Iterator<Item = Self> {
        Kind::all().map(Self::Only).chain([Self::Any])
    }

    /// Its place among [`ListenerKind::all`].
    pub fn number(self) -> usize {
        match self {
            Self::Only(kind) => kind.protocol as usize * 2 + usize::from(kind.transport == Transport::Tls),
            Self::Any => Protocol::ALL.len() * 2,
        }
    }

    /// Its key in `[listen]`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Only(kind) => kind.as_str(),
            Self::Any => "any",
        }
    }

    /// Whether such connections are taken.
    pub fn takes(self, kind: Kind) -> bool {
        self == Self::Any || self == Self::Only(kind)
    }

    /// Whether connections of this protocol are taken.
    pub fn takes_protocol(self, protocol: Protocol) -> bool {
        self.protocol().is_none_or(|only| only == protocol)
    }

    /// Whether connections over this transport are taken.
    pub fn takes_transport(self, transport: Transport) -> bool {
        match self {
            Self::Only(kind) => kind.transport == transport,
            Self::Any => true,
        }
    }

    /// The protocol, where nothing has come yet that could tell it.
    pub fn protocol(self) -> Option<Protocol> {
        match self {
            Self::Only(kind) => Some(kind.protocol),
            Self::Any => None,
        }
    }
}

impl FromStr for ListenerKind {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::all().find(|kind| kind.as_str() == word).ok_or_else(|| {
            let words: Vec<&str> = Self::all().map(Self::as_str).collect();
            format!("no listener is called {word:?}; write one of {}", words.join(", "))
        })
    }
}

impl fmt::Display for ListenerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
