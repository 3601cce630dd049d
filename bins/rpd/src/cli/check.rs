//! `rpd check`: says what is wrong with a configuration, and binds nothing.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;

use super::DEFAULT_CONFIG;
use crate::config::Config;

/// Check a configuration file without starting anything.
///
/// Example: rpd check rpd.toml
#[derive(Debug, Args)]
pub struct Check {
    /// The configuration file
    #[arg(default_value = DEFAULT_CONFIG)]
    config: PathBuf,
    /// Let warnings count as errors
    #[arg(long)]
    strict: bool,
}

impl Check {
    pub(super) fn run(self) -> ExitCode {
        let (config, report) = match Config::load(&self.config) {
            Ok(loaded) => loaded,
            Err(report) => {
                eprint!("{report}");
                return ExitCode::FAILURE;
            }
        };
        eprint!("{report}");
        let (hosts, listeners) = (config.hosts.len(), config.listeners.len());
        println!(
            "{}: {hosts} hosts, {listeners} listeners, {} warnings",
            self.config.display(),
            report.findings().len()
        );
        if self.strict && !report.findings().is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}
