//! `rpd reload`: another configuration for a proxy that runs.

use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::{
    client::{Failure, Which},
    words::failed,
};

/// Have a running proxy read its configuration anew, and wait for what comes of it.
///
/// Example: rpd reload
#[derive(Debug, Args)]
pub struct Reload {
    #[command(flatten)]
    which: Which,
}

impl Reload {
    pub(super) fn run(self) -> ExitCode {
        match self.which.ask("POST", "reload", None) {
            Ok(change) => {
                for (key, word) in [("opened", ""), ("closed", " no longer")] {
                    texts(&change[key]).for_each(|listener| println!("{listener}{word}"));
                }
                texts(&change["notes"]).for_each(|note| eprintln!("warning: {note}"));
                println!("reloaded");
                ExitCode::SUCCESS
            }
            Err(Failure::Refused(why)) => {
                eprintln!("not reloaded, and everything is as it was:\n{}", why.trim_end());
                ExitCode::FAILURE
            }
            Err(unreachable @ Failure::Unreachable(_)) => failed(&unreachable),
        }
    }
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}
