//! `rpd man`: the manual pages, for packages.

use std::{fs, path::PathBuf, process::ExitCode};

use clap::{Args, CommandFactory};

use super::Cli;

/// Write the manual pages into a folder.
///
/// Example: rpd man target/man
#[derive(Debug, Args)]
#[command(hide = true)]
pub struct Man {
    folder: PathBuf,
}

impl Man {
    pub(super) fn run(self) -> ExitCode {
        let written = fs::create_dir_all(&self.folder)
            .and_then(|()| clap_mangen::generate_to(Cli::command(), &self.folder));
        match written {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("error: {}: {error}", self.folder.display());
                ExitCode::FAILURE
            }
        }
    }
}
