//! `rpd explain`: what becomes of a message, and every step of the decision. No socket is opened.

mod text;

use std::{
    fs,
    io::{self, Read},
    net::IpAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    str::FromStr,
};

use clap::Args;

use super::DEFAULT_CONFIG;
use crate::{
    config::Config,
    explain::{Explanation, Outcome, Question, address, octets_of_hex},
    guard::Gate,
    protocol::ListenerKind,
    state::State,
    tls,
};

/// Say what becomes of a message, and why: protocol, name, host, rules, leg, or the refusal and whether it counts.
///
/// The message is what a client sends first, from a file or the standard input; of TLS, what is inside. Nothing is sent
/// anywhere.
///
/// Exit code: 0 forwarded, 1 not, 2 the question is wrong.
///
/// Examples:
///   rpd explain --listener sip --source 203.0.113.7 register.txt
///   rpd explain --listener h323s --source 203.0.113.7 --certificate phone.pem rrq.bin
///   echo 300c020101600702010304008000 | rpd explain --listener ldap --source 203.0.113.7 --hex
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Explain {
    /// What it was sent to: h323, h323s, sip, sips, ldap, ldaps, http, https or any
    #[arg(long, value_parser = ListenerKind::from_str)]
    listener: ListenerKind,
    /// The address that it came from
    #[arg(long, value_name = "ADDR", value_parser = address)]
    source: IpAddr,
    /// The certificate (PEM) that the client showed, and what is behind it
    #[arg(long, value_name = "PEM")]
    certificate: Option<PathBuf>,
    /// The server name that the TLS client asked for
    #[arg(long, value_name = "NAME")]
    server_name: Option<String>,
    /// On any: it came over TLS
    #[arg(long)]
    tls: bool,
    /// The configuration file
    #[arg(long, default_value = DEFAULT_CONFIG)]
    config: PathBuf,
    /// The message is written in hexadecimal digits
    #[arg(long)]
    hex: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// The message; the standard input without it
    file: Option<PathBuf>,
}

impl Explain {
    pub(super) fn run(self) -> ExitCode {
        let json = self.json;
        match self.explanation() {
            Ok(explanation) => {
                if json {
                    println!("{}", serde_json::to_string_pretty(&explanation).unwrap_or_default());
                } else {
                    print!("{}", text::InWords(&explanation));
                }
                if explanation.outcome == Outcome::Forwarded { ExitCode::SUCCESS } else { ExitCode::FAILURE }
            }
            Err(wrong) => {
                eprintln!("error: {}", wrong.trim_end());
                ExitCode::from(WRONG_USAGE)
            }
        }
    }

    fn explanation(self) -> Result<Explanation, String> {
        let (config, _) = Config::load(&self.config).map_err(|report| {
            format!("{} is not sound, so nothing can be decided by it:\n{report}", self.config.display())
        })?;
        let octets = message(self.file.as_deref())?;
        let octets = if self.hex { octets_of_hex(&String::from_utf8_lossy(&octets))? } else { octets };
        let certificates = self.certificate.as_deref().map(tls::read_certificates).transpose()?;
        let gate = Gate::new(&config.guard);
        let question = Question {
            listener: self.listener,
            source: self.source,
            octets,
            tls: self.tls,
            server_name: self.server_name,
            certificates: certificates.unwrap_or_default(),
        };
        question.answer(&State::build(config, None), &gate)
    }
}

/// The message; one that is far larger than any first message is not read to its end.
fn message(file: Option<&Path>) -> Result<Vec<u8>, String> {
    let mut octets = Vec::new();
    let read = match file {
        Some(path) => fs::File::open(path).and_then(|file| file.take(LARGEST).read_to_end(&mut octets)),
        None => io::stdin().lock().take(LARGEST).read_to_end(&mut octets),
    };
    let place = file.map_or("the standard input".to_owned(), |path| path.display().to_string());
    read.map_err(|error| format!("{place}: {error}"))?;
    Ok(octets)
}

/// As clap has it.
const WRONG_USAGE: u8 = 2;

const LARGEST: u64 = 1024 * 1024;
