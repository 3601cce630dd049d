//! The proxy as a program, and what it logs.

use std::net::SocketAddr;

use tempfile::TempDir;

use crate::common::{Program, write};

/// The proxy as a program.
pub struct Rpd {
    pub program: Program,
    pub sip: SocketAddr,
    pub sips: SocketAddr,
}

impl Rpd {
    /// Starts it with this behind what all tests have in common.
    pub fn start(folder: &TempDir, hosts: &str) -> Self {
        let text = format!(
            r#"
state-directory = "state"

[admin]
socket = "admin.sock"

[listen]
sip = "127.0.0.1:0"
sips = "127.0.0.1:0"

[[tls.certificate]]
certificate = "proxy.pem"
key = "proxy.key"

[tls]
trust-list = ["ca.pem"]

[limits]
drain = "1s"
{hosts}"#
        );
        let file = write(folder.path(), "rpd.toml", &text).display().to_string();
        let program = Program::start(env!("CARGO_BIN_EXE_rpd"), ["run", "--config", &file]);
        let [sip, sips] = ["sip on ", "sips on "].map(|listener| {
            let line = program.wait_for(listener);
            let address = line.split(listener).nth(1).and_then(|rest| rest.split_whitespace().next());
            address.and_then(|address| address.parse().ok()).expect("an address")
        });
        Self { program, sip, sips }
    }

    /// Ends it, and gives what it has logged.
    pub fn end(self) -> Log {
        Log(self.program.end())
    }
}

/// What a proxy has logged.
#[derive(Debug)]
pub struct Log(Vec<String>);

impl Log {
    /// The lines about what was refused for this reason, or for any.
    pub fn refused(&self, reason: &str) -> Vec<String> {
        let reason = format!(" reason={reason}");
        self.0.iter().filter(|line| line.contains(&reason)).cloned().collect()
    }
}
