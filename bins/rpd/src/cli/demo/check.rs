//! `rpd demo --check`: every probe over TCP and TLS, and whether what came back is right.

use std::{path::Path, sync::Arc};

use rp_route::leg::Transport;
use rustls::ClientConfig;

use super::commands::address;
use crate::{
    cli::probe::{self, ProbeError, Question, Reply},
    config::Listener,
    protocol::{Kind, Protocol},
    tls,
};

/// Asks all questions; whether every reply was as expected.
pub(super) async fn run(folder: &Path, listeners: &[Listener]) -> bool {
    let config = match tls::read_certificates(&folder.join("ca.pem")) {
        Ok(ca) => match probe::trusting(&ca, None) {
            Ok(config) => Arc::new(config),
            Err(error) => return fail(&error.to_string()),
        },
        Err(error) => return fail(&error),
    };
    println!("{:<6} {:<20} {:<44} {:<8} right", "over", "asked for", "came back", "from");
    let (mut right, mut wrong) = (0, 0);
    for kind in Kind::all() {
        for case in cases(kind.protocol) {
            let reply = ask(kind, &case, listeners, &config).await;
            let ok = reply.as_ref().is_ok_and(|reply| case.expected.is(reply));
            let (received, server) = match &reply {
                Ok(reply) => (reply.received.as_str(), reply.server.as_deref().unwrap_or("-")),
                Err(error) => (error.0.as_str(), "-"),
            };
            println!(
                "{:<6} {:<20} {received:<44} {server:<8} {}",
                kind.as_str(),
                case.label(),
                if ok { "yes" } else { "NO" }
            );
            *(if ok { &mut right } else { &mut wrong }) += 1;
        }
    }
    println!("{right} right, {wrong} wrong");
    wrong == 0
}

fn fail(message: &str) -> bool {
    eprintln!("error: {message}");
    false
}

struct Case {
    question: Question,
    expected: Expected,
}

enum Expected {
    /// This stand-in took it.
    From(&'static str),
    /// The proxy refused it, in these words of the protocol.
    Refused(&'static str),
}

impl Expected {
    fn is(&self, reply: &Reply) -> bool {
        match self {
            Self::From(server) => reply.served && reply.server.as_deref() == Some(server),
            Self::Refused(words) => !reply.served && reply.received.contains(words),
        }
    }
}

impl Case {
    fn label(&self) -> String {
        let Question { protocol, name, path, .. } = &self.question;
        if *protocol == Protocol::Http && path != ALLOWED { format!("{name}{path}") } else { name.clone() }
    }
}

const ALLOWED: &str = "/PBX0/APPS";

fn cases(protocol: Protocol) -> Vec<Case> {
    let case = |name: &str, path: &str, expected| Case {
        question: Question {
            protocol,
            name: name.to_owned(),
            user: "ldap-guest".to_owned(),
            password: "guest".to_owned(),
            path: path.to_owned(),
        },
        expected,
    };
    let (hq, branch) = match protocol {
        Protocol::H323 => ("example.com", "example.com/branch"),
        _ => ("example.com", "branch.example.com"),
    };
    let (unknown, down) = match protocol {
        Protocol::H323 => ("GRJ terminalExcluded", "GRJ resourceUnavailable"),
        Protocol::Sip => ("404", "503"),
        Protocol::Ldap => ("bind response 49", "bind response 52"),
        Protocol::Http => ("404", "502"),
    };
    let mut cases = vec![
        case(hq, ALLOWED, Expected::From("hq")),
        case(branch, ALLOWED, Expected::From("branch")),
        case("unknown.example", ALLOWED, Expected::Refused(unknown)),
        case("down.example.com", ALLOWED, Expected::Refused(down)),
    ];
    if protocol == Protocol::Http {
        cases.push(case(hq, "/CMD0", Expected::Refused("403")));
    }
    cases
}

async fn ask(
    kind: Kind,
    case: &Case,
    listeners: &[Listener],
    config: &Arc<ClientConfig>,
) -> Result<Reply, ProbeError> {
    let tls = match kind.transport {
        Transport::Tcp => None,
        Transport::Tls if kind.protocol == Protocol::Http && case.question.name.ends_with("example.com") => {
            Some((config, case.question.name.as_str()))
        }
        Transport::Tls => Some((config, "example.com")),
    };
    let stream = probe::open(address(listeners, kind.as_str()), None, tls).await?;
    probe::ask(stream, &case.question).await
}
