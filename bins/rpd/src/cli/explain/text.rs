//! An explanation in words, line by line, with what comes of it at the end.

use std::fmt::{self, Write as _};

use rp_route::leg::Transport;

use crate::explain::{Asked, Explanation, HostTold, KeyTold, LegTold, Outcome, RefusalTold};

/// For somebody who has to find out at night why a phone does not register.
pub(super) struct InWords<'a>(pub(super) &'a Explanation);

impl fmt::Display for InWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = self.0;
        let Explanation { listener, over, source, octets, file, .. } = told;
        let secured = if *over == Transport::Tls { "over TLS" } else { "in clear" };
        line(f, "message", format_args!("{octets} octets from {source} on {listener}, {secured}"))?;
        if let Some(entry) = &told.listed {
            line(f, "lists", format_args!("{} is on the {} list", entry.network, entry.kind.as_str()))?;
        }
        match (told.protocol, &told.sniffed) {
            (Some(protocol), Some(sniffed)) => line(f, "protocol", format_args!("{protocol}: {sniffed}"))?,
            (Some(protocol), None) => line(f, "protocol", protocol)?,
            (None, sniffed) => line(f, "protocol", sniffed.as_deref().unwrap_or("unknown"))?,
        }
        if let Some(request) = &told.request {
            line(f, "request", request)?;
        }
        if let Some(key) = &told.key {
            write_key(f, key)?;
        }
        if let Some(HostTold { name, line: number, comment, default }) = &told.host {
            let default = if *default { ", which takes what has no host of its own" } else { "" };
            let comment = if comment.is_empty() { String::new() } else { format!(" ({comment})") };
            line(f, "host", format_args!("{name}, {}:{number}{comment}{default}", file.display()))?;
        }
        for Asked { rule, yes, because } in &told.rules {
            let yes = if *yes { "yes" } else { "no" };
            line(f, "rule", format_args!("{rule}: {yes}, {because}"))?;
        }
        if let Some(leg) = &told.leg {
            write_leg(f, leg)?;
        }
        for note in &told.notes {
            line(f, "note", note)?;
        }
        write_outcome(f, told)
    }
}

fn write_key(f: &mut fmt::Formatter<'_>, key: &KeyTold) -> fmt::Result {
    let octets = key.hex.len() / 2;
    let name = key.name.as_ref().map_or("no name".to_owned(), |name| format!("{name:?}"));
    match octets {
        0 => line(f, "key", format_args!("{name}, {}", key.what)),
        _ => {
            let last = key.at + octets - 1;
            line(f, "key", format_args!("{name}, {}: octets {} to {last}", key.what, key.at))?;
            let shown = key.hex.get(..2 * SHOWN).unwrap_or(&key.hex);
            let more = if shown.len() < key.hex.len() { " …" } else { "" };
            line(f, "", format_args!("{}{more}", in_pairs(shown)))
        }
    }
}

fn write_leg(f: &mut fmt::Formatter<'_>, leg: &LegTold) -> fmt::Result {
    let over = if leg.over == Transport::Tls { "over TLS" } else { "in clear" };
    let targets = leg.targets.join(", then ");
    line(f, "leg", format_args!("{over} to {targets}, port {}: {}", leg.port, leg.because))
}

fn write_outcome(f: &mut fmt::Formatter<'_>, told: &Explanation) -> fmt::Result {
    let answer = told.answer.as_ref().map_or("", |answer| answer.words.as_str());
    match (told.outcome, &told.refusal) {
        (Outcome::Forwarded, _) => line(f, "FORWARDED", "the message goes to the host as it is told above"),
        (Outcome::Answered, _) => line(f, "ANSWERED", format_args!("by rpd itself: {answer}")),
        (Outcome::Closed, _) => line(f, "CLOSED", "the client says goodbye, and nothing was asked for"),
        (Outcome::Incomplete, refusal) => {
            let missing = told.missing.unwrap_or(1);
            line(
                f,
                "INCOMPLETE",
                format_args!("at least {missing} octets more are needed to decide anything"),
            )?;
            match refusal {
                Some(refusal) => write_refusal(f, "if none come", refusal),
                None => Ok(()),
            }
        }
        (Outcome::Refused, Some(refusal)) => {
            write_refusal(f, "REFUSED", refusal)?;
            line(f, "answer", answer)
        }
        (Outcome::Refused, None) => line(f, "REFUSED", answer),
    }
}

fn write_refusal(f: &mut fmt::Formatter<'_>, word: &str, refusal: &RefusalTold) -> fmt::Result {
    let RefusalTold { reason, detail, counted, because } = refusal;
    match detail.as_str() {
        "" => line(f, word, reason)?,
        detail => line(f, word, format_args!("{reason}: {detail}"))?,
    }
    line(f, "counted", format_args!("{}, {because}", if *counted { "yes" } else { "no" }))
}

/// One line, whatever the network has put into the words.
fn line(f: &mut fmt::Formatter<'_>, word: &str, words: impl fmt::Display) -> fmt::Result {
    write!(f, "{word:<12}  ")?;
    let mut text = String::new();
    write!(text, "{words}")?;
    for c in text.chars() {
        if c.is_control() { write!(f, "{}", c.escape_unicode())? } else { f.write_char(c)? }
    }
    f.write_char('\n')
}

fn in_pairs(hex: &str) -> String {
    let pairs: Vec<&str> = hex.as_bytes().chunks(2).filter_map(|pair| str::from_utf8(pair).ok()).collect();
    pairs.join(" ")
}

/// So many octets of a key are shown.
const SHOWN: usize = 32;
