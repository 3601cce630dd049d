//! The command line: one file a subcommand.

mod cert;
mod check;
mod client;
pub mod demo;
mod explain;
mod guard;
mod hosts;
mod init;
mod man;
mod probe;
mod reload;
mod run;
mod status;
mod token;
mod words;

use std::{process::ExitCode, sync::LazyLock};

use clap::{Parser, Subcommand};

use crate::COMMIT;

/// Reverse proxy for H.323, SIP, HTTP and LDAP over TCP and TLS.
#[derive(Debug, Parser)]
#[command(name = "rpd", version = VERSION.as_str(), max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Run),
    Check(check::Check),
    Explain(explain::Explain),
    Demo(demo::Demo),
    Init(init::Init),
    Cert(cert::Cert),
    Probe(probe::Probe),
    Guard(guard::Guard),
    Status(status::Status),
    Hosts(hosts::Hosts),
    Reload(reload::Reload),
    Token(token::Token),
    Man(man::Man),
}

impl Cli {
    /// Does what the command line says.
    pub fn run(self) -> ExitCode {
        match self.command {
            Command::Run(run) => run.run(),
            Command::Check(check) => check.run(),
            Command::Explain(explain) => explain.run(),
            Command::Demo(demo) => demo.run(),
            Command::Init(init) => init.run(),
            Command::Cert(cert) => cert.run(),
            Command::Probe(probe) => probe.run(),
            Command::Guard(guard) => guard.run(),
            Command::Status(status) => status.run(),
            Command::Hosts(hosts) => hosts.run(),
            Command::Reload(reload) => reload.run(),
            Command::Token(token) => token.run(),
            Command::Man(man) => man.run(),
        }
    }
}

/// Runs `work` on a small runtime of its own.
fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime without threads can always be made").block_on(work)
}

static VERSION: LazyLock<String> = LazyLock::new(|| {
    format!("{} (commit {COMMIT}, TLS by rustls with aws-lc-rs)", env!("CARGO_PKG_VERSION"))
});

/// The exit code where nobody answers.
const UNREACHABLE: u8 = 3;

/// Where the configuration is unless the command line says otherwise.
const DEFAULT_CONFIG: &str = "/etc/rpd/rpd.toml";
