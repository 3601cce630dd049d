//! `rpd token`: a new token for the administration.

use std::process::ExitCode;

use aws_lc_rs::{digest, error::Unspecified, rand};
use clap::Args;

use crate::hex::hex;

/// Make a token for the administration over TCP, and print what the configuration has to say of it.
///
/// Example: rpd token anna --role operate
#[derive(Debug, Args)]
pub struct Token {
    /// Whose it is: the record of changes names him
    name: String,
    /// What he may do: read, operate (lists and connections), or admin
    #[arg(long, default_value = "read", value_parser = ["read", "operate", "admin"])]
    role: String,
}

impl Token {
    pub(super) fn run(self) -> ExitCode {
        let Ok(made) = make() else {
            eprintln!("error: this machine gives no random numbers");
            return ExitCode::FAILURE;
        };
        println!("# The token. It is kept nowhere: give it to {:?} now.\n{}\n", self.name, made.token);
        println!("# For the configuration:\n{}", row(&self.name, &made, &self.role));
        ExitCode::SUCCESS
    }
}

/// A token, and the hash by which it is known again.
pub(super) struct Made {
    pub(super) token: String,
    sha256: String,
}

pub(super) fn make() -> Result<Made, Unspecified> {
    let mut octets = [0; 32];
    rand::fill(&mut octets)?;
    let token = hex(&octets);
    let sha256 = hex(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
    Ok(Made { token, sha256 })
}

/// Its `[[admin.token]]`.
pub(super) fn row(name: &str, made: &Made, role: &str) -> String {
    let name = toml::Value::from(name);
    format!("[[admin.token]]\nname   = {name}\nsha256 = \"{}\"\nrole   = \"{role}\"\n", made.sha256)
}
