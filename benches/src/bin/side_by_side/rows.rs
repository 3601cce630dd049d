//! What is measured, and what is asked of it: the one table.

use crate::protocol::Protocol;

/// One measurement: all proxies do the same work.
pub(crate) struct Row {
    /// What it is called on the command line.
    pub(crate) name: &'static str,
    /// What it is called in the table.
    pub(crate) what: &'static str,
    pub(crate) setup: Setup,
    pub(crate) work: Work,
    pub(crate) bounds: Bounds,
}

/// What the proxies have to be told.
#[derive(Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) protocol: Protocol,
    pub(crate) front: Front,
    pub(crate) back: Back,
    /// haproxy is told to splice always; by itself it hardly ever does.
    pub(crate) forced_splice: bool,
}

/// How clients come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Front {
    Plain,
    /// TLS with a certificate on P-256.
    P256,
    /// TLS with a certificate on RSA-2048.
    Rsa2048,
    /// TLS on P-256, and the client is asked for its certificate, which it has.
    ClientCertificate,
}

/// How the service is reached.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Back {
    Plain,
    Tls,
}

/// The load.
#[derive(Clone, Copy)]
pub(crate) enum Work {
    /// So many million octets on four connections.
    Bulk { direction: Direction, megabytes: u32 },
    /// Connect, greet, one question, close; eight at a time.
    Connections { count: u32, resumed: bool },
    /// A question and an answer of 200 octets each a second on every connection.
    Messages { connections: u32, seconds: u32 },
    /// Connections that have greeted and are silent.
    Idle { connections: u32 },
    /// HTTP requests, so many at a time.
    Requests { shape: Shape, count: u32, at_a_time: u32 },
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Down,
    Up,
}

/// Kinds of HTTP exchanges.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// GET, 128 octets, on a connection that is kept.
    Small,
    /// The same with a connection of its own.
    Connection,
    /// GET, 1 MiB.
    Big,
    /// POST of 64 KiB.
    Upload,
}

/// What must be reached, and what would be good.
#[derive(Clone, Copy)]
pub(crate) enum Bounds {
    /// CPU time as a part of what the others need.
    Ratio { haproxy: f64, nginx: Option<f64>, aim: f64 },
    /// KB a connection, whatever the others need.
    Memory { must: f64, aim: f64 },
}

impl Work {
    /// What a figure of it counts.
    pub(crate) fn unit(self) -> &'static str {
        match self {
            Self::Bulk { .. } => "µs/MB",
            Self::Idle { .. } => "KB",
            Self::Connections { .. } | Self::Messages { .. } | Self::Requests { .. } => "µs",
        }
    }

    /// A tenth of it, to see that everything works.
    pub(crate) fn quick(self) -> Self {
        match self {
            Self::Bulk { direction, megabytes } => Self::Bulk { direction, megabytes: megabytes / 10 },
            Self::Connections { count, resumed } => Self::Connections { count: count / 10, resumed },
            Self::Messages { connections, seconds } => {
                Self::Messages { connections: connections / 10, seconds: seconds / 2 }
            }
            Self::Idle { connections } => Self::Idle { connections: connections / 10 },
            Self::Requests { shape, count, at_a_time } => {
                Self::Requests { shape, count: count / 10, at_a_time }
            }
        }
    }
}

const PLAIN: Setup =
    Setup { protocol: Protocol::Ldap, front: Front::Plain, back: Back::Plain, forced_splice: false };
const SPLICED: Setup = Setup { forced_splice: true, ..PLAIN };
const TLS: Setup = Setup { front: Front::P256, ..PLAIN };
const TLS_RSA: Setup = Setup { front: Front::Rsa2048, ..PLAIN };
const TLS_CLIENT: Setup = Setup { front: Front::ClientCertificate, ..PLAIN };
const TLS_BOTH: Setup = Setup { back: Back::Tls, ..TLS };
const SIP: Setup = Setup { protocol: Protocol::Sip, ..PLAIN };
const HTTP: Setup = Setup { protocol: Protocol::Http, ..PLAIN };

const fn bulk(direction: Direction, megabytes: u32) -> Work {
    Work::Bulk { direction, megabytes }
}

const fn connections(count: u32) -> Work {
    Work::Connections { count, resumed: false }
}

const fn requests(shape: Shape, count: u32, at_a_time: u32) -> Work {
    Work::Requests { shape, count, at_a_time }
}

/// Bounds against both.
const fn both(must: f64, aim: f64) -> Bounds {
    Bounds::Ratio { haproxy: must, nginx: Some(must), aim }
}

const IDLE: Work = Work::Idle { connections: 9_500 };
const MESSAGES: Work = Work::Messages { connections: 5_000, seconds: 6 };
const AGAINST_SPLICE: Bounds = Bounds::Ratio { haproxy: 1.05, nginx: None, aim: 0.98 };
const SHORT: Bounds = Bounds::Ratio { haproxy: 1.10, nginx: Some(1.25), aim: 0.95 };

macro_rules! rows {
    ($($name:literal, $what:literal: $setup:expr, $work:expr, $bounds:expr;)*) => {
        &[$(Row { name: $name, what: $what, setup: $setup, work: $work, bounds: $bounds }),*]
    };
}

/// LDAP, where nothing else is said: it is followed to the end, and its octets pass unchanged.
/// SIP is read and written anew message by message, which may cost it 1.3 times as much.
pub(crate) const ROWS: &[Row] = rows![
    "down", "plain bulk down": PLAIN, bulk(Direction::Down, 1_000), both(0.65, 0.45);
    "up", "plain bulk up": PLAIN, bulk(Direction::Up, 1_000), both(0.65, 0.45);
    "down-splice", "plain bulk down, forced splice": SPLICED, bulk(Direction::Down, 1_000), AGAINST_SPLICE;
    "up-splice", "plain bulk up, forced splice": SPLICED, bulk(Direction::Up, 1_000), AGAINST_SPLICE;
    "short", "short plain connection": PLAIN, connections(10_000), SHORT;
    "messages", "200 octets on 5,000 connections": PLAIN, MESSAGES, both(0.90, 0.65);
    "sip-messages", "the same, SIP": SIP, MESSAGES, both(1.17, 0.85);
    "idle", "idle plain connection": PLAIN, IDLE, Bounds::Memory { must: 2.0, aim: 1.2 };
    "sip-idle", "the same, SIP": SIP, IDLE, Bounds::Memory { must: 2.6, aim: 1.6 };
    "tls", "TLS full handshake P-256": TLS, connections(3_000), both(0.60, 0.45);
    "tls-rsa", "TLS full handshake RSA-2048": TLS_RSA, connections(2_000), both(0.75, 0.60);
    "tls-resumed", "TLS resumed": TLS, Work::Connections { count: 3_000, resumed: true }, both(0.65, 0.50);
    "tls-client", "client certificate": TLS_CLIENT, connections(2_000), both(0.40, 0.25);
    "tls-down", "TLS bulk down": TLS, bulk(Direction::Down, 500), both(0.90, 0.70);
    "tls-up", "TLS bulk up": TLS, bulk(Direction::Up, 500), both(0.90, 0.70);
    "tls-idle", "idle TLS connection": TLS, IDLE, Bounds::Memory { must: 12.0, aim: 5.5 };
    "both", "TLS both legs: full handshake": TLS_BOTH, connections(2_000), both(0.55, 0.35);
    "both-down", "TLS both legs: bulk down": TLS_BOTH, bulk(Direction::Down, 500), both(0.85, 0.65);
    "both-up", "TLS both legs: bulk up": TLS_BOTH, bulk(Direction::Up, 500), both(0.85, 0.65);
    "both-idle", "TLS both legs: idle connection": TLS_BOTH, IDLE, Bounds::Memory { must: 24.0, aim: 11.0 };
    "http-small", "HTTP GET, 128 octets, kept alive": HTTP, requests(Shape::Small, 50_000, 32), both(1.0, 0.85);
    "http-connection", "HTTP connection a request": HTTP, requests(Shape::Connection, 10_000, 32), both(1.0, 0.95);
    "http-big", "HTTP GET, 1 MiB": HTTP, requests(Shape::Big, 1_000, 8), both(0.9, 0.75);
    "http-upload", "HTTP POST, 64 KiB": HTTP, requests(Shape::Upload, 10_000, 8), both(0.9, 0.75);
];
