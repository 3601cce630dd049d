//! `rpd status`: how a running proxy does. What is wrong comes first.

use std::{process::ExitCode, time::SystemTime};

use clap::Args;
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    client::{Failure, Which},
    words::{columns, duration, failed, rows, text},
};
use crate::tls::DAYS_OF_WARNING;

/// Print how a running proxy does, and what is wrong with it. Exits with 0 while it takes connections.
///
/// Example: rpd status
#[derive(Debug, Args)]
pub struct Status {
    #[command(flatten)]
    which: Which,
    /// Print nothing: only the exit code tells, 0 or 1
    #[arg(long)]
    quiet: bool,
    /// Print what the proxy answers as JSON
    #[arg(long, conflicts_with = "quiet")]
    json: bool,
}

impl Status {
    pub(super) fn run(self) -> ExitCode {
        match self.ask() {
            Ok((running, words)) => {
                print!("{words}");
                if running { ExitCode::SUCCESS } else { ExitCode::FAILURE }
            }
            Err(_) if self.quiet => ExitCode::FAILURE,
            Err(failure) => failed(&failure),
        }
    }

    /// Whether it takes connections, and what there is to print.
    fn ask(&self) -> Result<(bool, String), Failure> {
        let status = self.which.ask("GET", "status", None)?;
        let running = status["state"] == "running";
        let words = match (self.quiet, self.json) {
            (true, _) => String::new(),
            (_, true) => format!("{status}\n"),
            _ => {
                let hosts = self.which.ask("GET", "hosts", None)?;
                let certificates = self.which.ask("GET", "certificates", None)?;
                in_words(&status, &wrong(&status, &hosts, &certificates, now()), now())
            }
        };
        Ok((running, words))
    }
}

fn in_words(status: &Value, wrong: &[String], now: i64) -> String {
    let since = time(&status["started"]).map_or(0, |started| now.saturating_sub(started));
    let mut words = format!(
        "rpd {} (commit {}), {} for {}\n",
        text(&status["version"]),
        text(&status["commit"]),
        text(&status["state"]),
        duration(u64::try_from(since).unwrap_or(0))
    );
    for line in wrong {
        words.push_str(&format!("WRONG: {line}\n"));
    }
    if wrong.is_empty() {
        words.push_str("nothing is wrong\n");
    }
    words + &columns(&figures(status))
}

/// What there is to know when nothing is wrong: names and values.
fn figures(status: &Value) -> Vec<[String; 2]> {
    let (config, guard, totals) = (&status["config"], &status["guard"], &status["totals"]);
    let row = |name: &str, value: String| [name.to_owned(), value];
    let mut table = vec![
        row("configuration", format!("{}, read {}", text(&config["file"]), text(&config["read"]))),
        row("connections", format!("{} of at most {}", status["connections"], status["max-connections"])),
    ];
    table.extend(rows(&status["listeners"]).iter().map(|listener| row("", listener_words(listener))));
    table.push(row(
        "guard",
        format!(
            "{}: {} blocked, {} allowed, {} counted now",
            text(&guard["mode"]),
            guard["blocked"],
            guard["allowed"],
            guard["tracked"]
        ),
    ));
    table.push(row(
        "since the start",
        format!(
            "{} connections, {} requests, {} refused, {} of these counted",
            totals["connections"], totals["requests"], totals["refusals"], totals["counted"]
        ),
    ));
    table.extend(rows(&config["warnings"]).iter().map(|warning| row("warning", text(warning))));
    table
}

fn listener_words(listener: &Value) -> String {
    let addresses: Vec<String> = rows(&listener["addresses"]).iter().map(text).collect();
    let at = if addresses.is_empty() { "no longer".to_owned() } else { addresses.join(", ") };
    format!("{} on {at}: {}", text(&listener["name"]), listener["connections"])
}

/// What somebody has to do something about.
fn wrong(status: &Value, hosts: &Value, certificates: &Value, now: i64) -> Vec<String> {
    let mut wrong = Vec::new();
    if status["state"] != "running" {
        wrong.push("it is shutting down: no connection is taken any more".to_owned());
    }
    if let Some(error) = status["config"]["error"].as_str() {
        wrong.push(format!(
            "the last reload failed, and everything is as it was before: {}",
            error.trim_end()
        ));
    }
    if let Some(why) = status["lists"]["unsaved"].as_str() {
        wrong.push(format!("the lists are in force, but not saved: {why}"));
    }
    if status["connections"].as_u64() >= status["max-connections"].as_u64() {
        wrong.push("there are as many connections as limits.max-connections allows: others wait".to_owned());
    }
    for host in rows(hosts).iter().filter(|host| host["up"] == false) {
        let error = &host["last-error"];
        wrong.push(format!(
            "{} is down: {} ({})",
            text(&host["name"]),
            text(&error["text"]),
            text(&error["time"])
        ));
    }
    for own in rows(&certificates["ours"]) {
        wrong.extend(ends(own, &format!("our certificate {}", text(&own["path"])), now));
    }
    for shown in rows(&certificates["targets"]) {
        wrong.extend(ends(shown, &format!("the certificate of {}", text(&shown["host"])), now));
    }
    wrong
}

/// What there is to say of a certificate that is not good for long.
fn ends(certificate: &Value, whose: &str, now: i64) -> Option<String> {
    let end = time(&certificate["not-after"])?;
    let left = u64::try_from(end - now).ok();
    match left {
        None => Some(format!("{whose} ended on {}", text(&certificate["not-after"]))),
        Some(left) if left / DAY <= DAYS_OF_WARNING.unsigned_abs() => {
            Some(format!("{whose} ends in {}", duration(left)))
        }
        Some(_) => None,
    }
}

fn time(value: &Value) -> Option<i64> {
    Some(OffsetDateTime::parse(value.as_str()?, &Rfc3339).ok()?.unix_timestamp())
}

fn now() -> i64 {
    OffsetDateTime::from(SystemTime::now()).unix_timestamp()
}

/// In seconds.
const DAY: u64 = 86_400;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn status() -> Value {
        json!({
            "version": "1.0.0", "commit": "abc", "started": "2026-11-21T00:00:00Z", "state": "running",
            "config": { "file": "/etc/rpd/rpd.toml", "read": "2026-11-21T00:00:00Z", "error": null, "warnings": [] },
            "connections": 3, "max-connections": 50, "workers": 2,
            "listeners": [{ "name": "sips", "addresses": ["0.0.0.0:5061", "[::]:5061"], "connections": 3 }],
            "guard": { "mode": "enforce", "blocked": 1, "allowed": 0, "tracked": 2 },
            "lists": { "unsaved": null },
            "totals": { "connections": 9, "requests": 8, "refusals": 4, "counted": 2 },
        })
    }

    fn at(text: &str) -> i64 {
        time(&json!(text)).expect("a time")
    }

    #[test]
    fn a_healthy_proxy_says_so() {
        let now = at("2026-11-21T02:00:00Z");
        let wrong = wrong(&status(), &json!([{ "name": "a", "up": null }]), &json!({}), now);
        assert_eq!(
            in_words(&status(), &wrong, now),
            "rpd 1.0.0 (commit abc), running for 2h 0min\n\
             nothing is wrong\n\
             configuration    /etc/rpd/rpd.toml, read 2026-11-21T00:00:00Z\n\
             connections      3 of at most 50\n                 \
             sips on 0.0.0.0:5061, [::]:5061: 3\n\
             guard            enforce: 1 blocked, 0 allowed, 2 counted now\n\
             since the start  9 connections, 8 requests, 4 refused, 2 of these counted\n"
        );
    }

    #[test]
    fn everything_that_is_wrong_is_said() {
        let mut status = status();
        status["config"]["error"] = json!("rpd.toml:2: no");
        status["lists"]["unsaved"] = json!("No space left on device");
        status["connections"] = json!(50);
        status["state"] = json!("draining");
        let hosts = json!([{ "name": "hq", "up": false,
            "last-error": { "time": "2026-11-21T02:00:00Z", "text": "connection refused" } }]);
        let certificates = json!({
            "ours": [{ "path": "a.pem", "not-after": "2026-11-25T02:00:00Z" },
                     { "path": "b.pem", "not-after": "2026-12-13T01:00:00Z" },
                     { "path": "c.pem", "not-after": "2026-12-13T02:00:00Z" }],
            "targets": [{ "host": "hq", "not-after": "2026-11-20T02:00:00Z" }],
        });
        assert_eq!(
            wrong(&status, &hosts, &certificates, at("2026-11-21T02:00:00Z")),
            [
                "it is shutting down: no connection is taken any more",
                "the last reload failed, and everything is as it was before: rpd.toml:2: no",
                "the lists are in force, but not saved: No space left on device",
                "there are as many connections as limits.max-connections allows: others wait",
                "hq is down: connection refused (2026-11-21T02:00:00Z)",
                "our certificate a.pem ends in 4d 0h",
                "our certificate b.pem ends in 21d 23h",
                "the certificate of hq ended on 2026-11-20T02:00:00Z",
            ]
        );
    }
}
