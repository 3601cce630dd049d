//! `rpd guard`: the lists of a running proxy.

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use rp_guard::Network;
use serde_json::{Value, json};

use super::{
    client::{Failure, Which},
    words::{columns, duration, failed, rows, text},
};

/// Look at the lists of a running proxy, and change them.
///
/// Example: rpd guard allow 203.0.113.7 --comment "phone of the branch office"
#[derive(Debug, Args)]
pub struct Guard {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    which: Which,
    /// Print what the proxy answers as JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print the entries in force
    ///
    /// Example: rpd guard list --covering 203.0.113.7
    List(List),
    /// Let nothing in from a network
    ///
    /// Example: rpd guard block 198.51.100.0/24 --for 2h
    Block(Put),
    /// Let everything in from a network, and count nothing
    ///
    /// Example: rpd guard allow 203.0.113.7
    Allow(Put),
    /// Remove an entry; its addresses start at zero
    ///
    /// Example: rpd guard remove 203.0.113.7
    Remove(One),
    /// Turn a block entry into an allow entry, or the other way round
    ///
    /// Example: rpd guard flip 203.0.113.7
    Flip(Flip),
    /// Erase everything that is known of the addresses in a network
    ///
    /// Example: rpd guard forget 203.0.113.0/24
    Forget(One),
    /// Print who sends the most suspicious requests now
    ///
    /// Example: rpd guard top
    Top(Top),
}

#[derive(Debug, Args)]
struct List {
    /// Only entries of this kind
    #[arg(long)]
    kind: Option<Kind>,
    /// Only entries that cover this address
    #[arg(long, value_name = "ADDRESS")]
    covering: Option<std::net::IpAddr>,
    /// Only entries inside this network
    #[arg(long, value_name = "NETWORK")]
    inside: Option<Network>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    Block,
    Allow,
}

#[derive(Debug, Args)]
struct One {
    /// An address, or a network such as 192.0.2.0/24
    network: Network,
}

#[derive(Debug, Args)]
struct Put {
    /// An address, or a network such as 192.0.2.0/24
    network: Network,
    /// How long, such as 2h; for ever without it
    #[arg(long = "for", value_name = "DURATION")]
    lifetime: Option<String>,
    /// A remark for whoever looks at the list later
    #[arg(long)]
    comment: Option<String>,
    /// Do it although the network is very large
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Args)]
struct Flip {
    /// The network of the entry
    network: Network,
    /// How long from now on, such as 2h
    #[arg(long = "for", value_name = "DURATION")]
    lifetime: Option<String>,
}

#[derive(Debug, Args)]
struct Top {
    /// How many
    #[arg(short, default_value_t = 10)]
    n: u16,
}

impl Guard {
    pub(super) fn run(self) -> ExitCode {
        let answered = match &self.action {
            Action::List(list) => self.which.ask("GET", &format!("lists{}", query(list)), None),
            Action::Block(put) => self.put("block", put),
            Action::Allow(put) => self.put("allow", put),
            Action::Remove(one) => self.which.ask("DELETE", &format!("lists/{}", segment(one.network)), None),
            Action::Flip(flip) => {
                let body = json!({ "for": flip.lifetime });
                self.which.ask("POST", &format!("lists/{}/flip", segment(flip.network)), Some(&body))
            }
            Action::Forget(one) => {
                self.which.ask("DELETE", &format!("addresses/{}", segment(one.network)), None)
            }
            Action::Top(top) => self.which.ask("GET", &format!("requests/top?n={}", top.n), None),
        };
        match answered {
            Ok(answer) if self.json => println!("{answer}"),
            Ok(answer) => print!("{}", self.action.in_words(&answer)),
            Err(failure) => return failed(&failure),
        }
        ExitCode::SUCCESS
    }

    fn put(&self, kind: &str, put: &Put) -> Result<Value, Failure> {
        let body = json!({
            "network": put.network.to_string(), "kind": kind,
            "for": put.lifetime, "comment": put.comment, "force": put.force,
        });
        self.which.ask("POST", "lists", Some(&body))
    }
}

impl Action {
    fn in_words(&self, answer: &Value) -> String {
        match self {
            Self::List(_) => list_in_words(answer),
            Self::Top(_) => top_in_words(answer),
            Self::Forget(one) => {
                format!(
                    "forgotten: {}, {} entries\n{}",
                    one.network,
                    rows(&answer["lifted"]).len(),
                    unsaved(answer)
                )
            }
            _ => change_in_words(answer),
        }
    }
}

fn list_in_words(answer: &Value) -> String {
    let entries = rows(&answer["entries"]);
    let mut words = String::new();
    if entries.is_empty() {
        words.push_str("no entries\n");
    } else {
        let mut table = vec![["network", "kind", "left", "why", "refused", "comment"].map(str::to_owned)];
        table.extend(entries.iter().map(entry_row));
        words.push_str(&columns(&table));
    }
    words + &unsaved(answer)
}

fn entry_row(entry: &Value) -> [String; 6] {
    [
        text(&entry["network"]),
        text(&entry["kind"]),
        entry["seconds-left"].as_u64().map_or_else(|| "for ever".to_owned(), duration),
        why(entry),
        entry["refused"].as_u64().unwrap_or(0).to_string(),
        text(&entry["comment"]),
    ]
}

/// Who made an entry, and for what.
fn why(entry: &Value) -> String {
    let made = match text(&entry["origin"]).as_str() {
        "auto" => "guard".to_owned(),
        "config" => "configuration".to_owned(),
        _ => text(&entry["by"]),
    };
    let observed = if entry["observed"] == true { ", only observed" } else { "" };
    match entry["reason"].as_str() {
        Some(reason) => format!("{made}: {} {} {reason}{observed}", entry["count"], text(&entry["protocol"])),
        None => made,
    }
}

fn change_in_words(answer: &Value) -> String {
    let line = |word: &str, entry: &Value| {
        let [network, kind, left, why, _, comment] = entry_row(entry);
        let comment = if comment.is_empty() { comment } else { format!(", {comment:?}") };
        format!("{word} {network}: {kind}, {left} ({why}{comment})\n")
    };
    let mut words = String::new();
    for (word, entry) in [("was", &answer["before"]), ("now", &answer["after"])] {
        if !entry.is_null() {
            words.push_str(&line(word, entry));
        }
    }
    if answer["after"].is_null() {
        words.push_str("now: no entry\n");
    }
    rows(&answer["lifted"]).iter().for_each(|entry| words.push_str(&line("lifted", entry)));
    words + &unsaved(answer)
}

fn top_in_words(answer: &Value) -> String {
    let sources = rows(answer);
    if sources.is_empty() {
        return "no suspicious requests within the last minute\n".to_owned();
    }
    let mut table = vec![["network", "count", "last reason", "first", "last"].map(str::to_owned)];
    table.extend(sources.iter().map(|source| {
        let ago = |key: &str| format!("{} ago", duration(source[key].as_u64().unwrap_or(0)));
        [
            text(&source["network"]),
            format!("{} of {}", source["count"], source["threshold"]),
            format!("{} {}", text(&source["protocol"]), text(&source["reason"])),
            ago("first"),
            ago("last"),
        ]
    }));
    columns(&table)
}

fn unsaved(answer: &Value) -> String {
    answer["unsaved"].as_str().map_or_else(String::new, |why| format!("in force, but not saved: {why}\n"))
}

fn query(list: &List) -> String {
    let kind = list.kind.map(|kind| match kind {
        Kind::Block => "kind=block".to_owned(),
        Kind::Allow => "kind=allow".to_owned(),
    });
    let covering = list.covering.map(|address| format!("covering={address}"));
    let inside = list.inside.map(|network| format!("inside={}", segment(network)));
    let wanted: Vec<String> = [kind, covering, inside].into_iter().flatten().collect();
    if wanted.is_empty() { String::new() } else { format!("?{}", wanted.join("&")) }
}

/// A network as one segment of a path.
fn segment(network: Network) -> String {
    network.to_string().replace('/', "%2F")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_shown_in_columns() {
        let answer = json!({
            "entries": [
                { "network": "192.0.2.0/24", "kind": "allow", "origin": "config", "refused": 0 },
                { "network": "203.0.113.7/32", "kind": "block", "origin": "auto", "seconds-left": 3599,
                  "reason": "refused", "protocol": "sip", "count": 21, "refused": 4 },
            ],
            "unsaved": "No space left on device",
        });
        assert_eq!(
            list_in_words(&answer),
            "network         kind   left       why                    refused  comment\n\
             192.0.2.0/24    allow  for ever   configuration          0\n\
             203.0.113.7/32  block  59min 59s  guard: 21 sip refused  4\n\
             in force, but not saved: No space left on device\n"
        );
    }
}
