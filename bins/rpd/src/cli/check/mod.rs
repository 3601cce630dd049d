//! `rpd check`: says what is wrong with a configuration, and what has to be set elsewhere. It listens nowhere.

mod connect;
mod dns;
mod plan;

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    process::ExitCode,
};

use clap::Args;
use rp_route::leg::Transport;
use serde::{Serialize, Serializer};

use super::DEFAULT_CONFIG;
use crate::config::{self, Config, Finding, Report, Severity, Target};

/// Check a configuration file without starting anything.
///
/// Exit code: 0 sound, 1 not.
///
/// Examples:
///   rpd check rpd.toml
///   rpd check rpd.toml --plan --public 198.51.100.1
///   rpd check rpd.toml --connect --dns --server 9.9.9.9 --public 198.51.100.1
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Check {
    /// The configuration file
    #[arg(default_value = DEFAULT_CONFIG)]
    config: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Let warnings count as errors
    #[arg(long)]
    strict: bool,
    /// Do not ask DNS for the targets' names
    #[arg(long, conflicts_with_all = ["connect", "dns"])]
    offline: bool,
    /// Connect to every target, TLS and the judgement of its certificate included
    #[arg(long)]
    connect: bool,
    /// Ask DNS whether the hosts' names lead to this machine, or to --public
    #[arg(long)]
    dns: bool,
    /// Ask this name server instead of the system's, for example a public one
    #[arg(long, value_name = "ADDR", requires = "dns", value_parser = dns::server)]
    server: Option<SocketAddr>,
    /// The address that clients outside connect to, once for each, if it is not this machine's own
    #[arg(long, value_name = "ADDR")]
    public: Vec<IpAddr>,
    /// Print what has to be set elsewhere: port maps, DNS, certificates, firewalls, the PBX. Certificates need not be
    /// there yet
    #[arg(long)]
    plan: bool,
    /// Print the JSON Schema of the file, and check nothing
    #[arg(long, exclusive = true)]
    schema: bool,
}

/// All that has come out.
#[derive(Default, Serialize)]
struct Outcome {
    file: String,
    hosts: usize,
    listeners: usize,
    findings: Vec<Told>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    looks: Vec<Look>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<plan::Plan>,
    sound: bool,
}

/// One finding about the file.
#[derive(Serialize)]
struct Told {
    severity: &'static str,
    line: usize,
    column: usize,
    message: String,
    remedy: Option<String>,
}

/// Something outside the file that was looked at.
#[derive(Debug, Serialize)]
struct Look {
    #[serde(serialize_with = "as_text")]
    verdict: Verdict,
    /// The line of the host.
    line: usize,
    /// What was looked at.
    what: String,
    /// What was found.
    found: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Good,
    /// Wrong for most, right for some.
    Doubtful,
    Bad,
}

impl Check {
    pub(super) fn run(self) -> ExitCode {
        if self.schema {
            println!("{:#}", config::schema());
            return ExitCode::SUCCESS;
        }
        let outcome = super::block_on(self.look());
        if self.json {
            println!("{}", serde_json::to_string_pretty(&outcome).unwrap_or_default());
        } else {
            print!("{outcome}");
        }
        if outcome.sound { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    async fn look(&self) -> Outcome {
        // A plan is made before the certificates that it asks for.
        let load = if self.plan { Config::load_for_plan } else { Config::load };
        let (config, report) = match load(&self.config) {
            Ok((config, warnings)) => (Some(config), warnings),
            Err(report) => (None, report),
        };
        if !self.json {
            eprint!("{report}");
        }
        let mut outcome = Outcome {
            file: self.config.display().to_string(),
            findings: told(&report),
            ..Outcome::default()
        };
        let Some(config) = config else { return outcome };
        (outcome.hosts, outcome.listeners) = (config.hosts.len(), config.listeners.len());
        if !self.offline {
            outcome.looks.extend(targets(&config).await);
        }
        if self.connect {
            outcome.looks.extend(connect::look(&config).await);
        }
        if self.dns {
            outcome.looks.extend(dns::look(&config, self.server, &self.public(&config)).await);
        }
        if self.plan {
            outcome.plan = Some(plan::Plan::new(&config, &self.public(&config)));
        }
        let bad =
            |look: &Look| look.verdict == Verdict::Bad || (self.strict && look.verdict != Verdict::Good);
        let warned = self.strict && !outcome.findings.is_empty();
        outcome.sound = !report.has_errors() && !warned && !outcome.looks.iter().any(bad);
        outcome
    }
}

impl Check {
    /// Where clients outside connect to: as the command line says, or else as the configuration tells SIP phones.
    fn public(&self, config: &Config) -> Vec<IpAddr> {
        if !self.public.is_empty() {
            return self.public.clone();
        }
        let kinds = [Transport::Tcp, Transport::Tls];
        let told =
            config.hosts.iter().flat_map(|host| kinds.map(|kind| host.sip.public_address.announced(kind, 0)));
        let addresses = told.flatten().filter_map(|told| told.parse::<SocketAddr>().ok());
        let mut addresses: Vec<IpAddr> = addresses.map(|address| address.ip()).collect();
        addresses.sort();
        addresses.dedup();
        addresses
    }
}

/// Whether the targets' names have addresses: a proxy with a target that has none starts, and serves nobody there.
async fn targets(config: &Config) -> Vec<Look> {
    let mut looks = Vec::new();
    for host in &config.hosts {
        for target in &host.targets {
            let Target::Name(name) = target else { continue };
            let look =
                |verdict, found| Look { verdict, line: host.line, what: format!("target {name}"), found };
            looks.push(match dns::ask_system(name).await {
                Ok(addresses) => look(Verdict::Good, dns::list(&addresses)),
                Err(error) => look(Verdict::Bad, error),
            });
        }
    }
    looks
}

fn told(report: &Report) -> Vec<Told> {
    let told = |finding: &Finding| {
        let (line, column) = report.line_and_column(finding.span.start);
        let severity = if finding.severity == Severity::Error { "error" } else { "warning" };
        Told { severity, line, column, message: finding.message.clone(), remedy: finding.remedy.clone() }
    };
    report.findings().iter().map(told).collect()
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, hosts, listeners, findings, looks, plan, .. } = self;
        let errors = findings.iter().filter(|told| told.severity == "error").count();
        if errors > 0 {
            return writeln!(f, "{file}: {errors} error{}", if errors == 1 { "" } else { "s" });
        }
        for look in looks {
            writeln!(f, "{:<8} line {:<4} {}: {}", look.verdict, look.line, look.what, look.found)?;
        }
        if let Some(plan) = plan {
            write!(f, "{plan}")?;
        }
        writeln!(f, "{file}: {hosts} hosts, {listeners} listeners, {} warnings", findings.len())
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Good => "good",
            Self::Doubtful => "doubtful",
            Self::Bad => "BAD",
        })
    }
}

fn as_text<S: Serializer>(verdict: &Verdict, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(match verdict {
        Verdict::Good => "good",
        Verdict::Doubtful => "doubtful",
        Verdict::Bad => "bad",
    })
}
