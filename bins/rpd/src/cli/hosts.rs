//! `rpd hosts`: the hosts of a running proxy, and how their targets do.

use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::{
    client::Which,
    words::{columns, failed, rows, text},
};

/// Print the hosts of a running proxy: whether their targets can be reached, and what went wrong last.
///
/// Example: rpd hosts
#[derive(Debug, Args)]
pub struct Hosts {
    #[command(flatten)]
    which: Which,
    /// Print what the proxy answers as JSON
    #[arg(long)]
    json: bool,
}

impl Hosts {
    pub(super) fn run(self) -> ExitCode {
        match self.which.ask("GET", "hosts", None) {
            Ok(answer) if self.json => println!("{answer}"),
            Ok(answer) => print!("{}", in_words(&answer)),
            Err(failure) => return failed(&failure),
        }
        ExitCode::SUCCESS
    }
}

fn in_words(answer: &Value) -> String {
    let hosts = rows(answer);
    if hosts.is_empty() {
        return "no hosts\n".to_owned();
    }
    let mut table =
        vec![["host", "target", "state", "connections", "protocols", "last error"].map(str::to_owned)];
    table.extend(hosts.iter().map(row));
    columns(&table)
}

fn row(host: &Value) -> [String; 6] {
    let targets: Vec<String> = rows(&host["target"]).iter().map(text).collect();
    let protocols: Vec<String> = rows(&host["protocols"]).iter().map(protocol).collect();
    let error = &host["last-error"];
    [
        text(&host["name"]),
        targets.join(", "),
        state(host).to_owned(),
        host["connections"].as_u64().unwrap_or(0).to_string(),
        protocols.join(" "),
        if error.is_null() {
            String::new()
        } else {
            format!("{} {}", text(&error["time"]), text(&error["text"]))
        },
    ]
}

fn state(host: &Value) -> &'static str {
    match (host["enabled"].as_bool(), host["up"].as_bool()) {
        (Some(false), _) => "disabled",
        (_, Some(true)) => "up",
        (_, Some(false)) => "DOWN",
        // Nobody has come for it yet.
        (_, None) => "unknown",
    }
}

fn protocol(protocol: &Value) -> String {
    let port = |key: &str| protocol[key].as_u64().map(|port| format!("{key} {port}"));
    let ports: Vec<String> = [port("tcp"), port("tls")].into_iter().flatten().collect();
    format!("{} ({})", text(&protocol["protocol"]), ports.join(", "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_down_is_seen_at_a_glance() {
        let protocols = json!([{ "protocol": "sip", "tcp": 5060, "tls": null }]);
        let answer = json!([
            { "name": "hq.example.com", "target": ["192.0.2.10"], "enabled": true, "up": true, "connections": 12,
              "protocols": protocols, "last-error": null },
            { "name": "branch.example.com", "target": ["192.0.2.20", "192.0.2.21"], "enabled": true, "up": false,
              "connections": 0, "protocols": protocols,
              "last-error": { "time": "2026-11-21T02:00:00Z", "text": "192.0.2.20:5060: Connection refused" } },
            { "name": "old.example.com", "target": ["192.0.2.30"], "enabled": false, "up": null, "connections": 0,
              "protocols": protocols, "last-error": null },
        ]);
        assert_eq!(
            in_words(&answer),
            "host                target                  state     connections  protocols       last error\n\
             hq.example.com      192.0.2.10              up        12           sip (tcp 5060)\n\
             branch.example.com  192.0.2.20, 192.0.2.21  DOWN      0            sip (tcp 5060)  2026-11-21T02:00:00Z 192.0.2.20:5060: Connection refused\n\
             old.example.com     192.0.2.30              disabled  0            sip (tcp 5060)\n"
        );
    }
}
