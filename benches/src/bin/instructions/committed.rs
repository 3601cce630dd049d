//! The committed counts, and how far they may be exceeded.

use std::{collections::BTreeMap, fmt::Write as _, fs, process::Command};

use crate::connection;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.txt");

/// `benches/instructions.txt`: the compiler that it was made with, and the counts.
pub(crate) struct Committed {
    compiler: String,
    counts: BTreeMap<String, u64>,
}

/// Whether it has a bound: not what ours is held against, nor the largest tables, which have one seed and its luck.
pub(crate) fn is_ours(name: &str) -> bool {
    let others = [
        "/rsip",
        "/sipx-sip",
        "/rasn",
        "/ldap3_proto",
        "/httparse",
        "/hashmap-of-vecdeque",
        "-one-by-one",
        "/100000",
    ];
    !others.iter().any(|other| name.contains(other))
}

/// Writes the file.
pub(crate) fn write(counted: &[(String, u64)]) -> Result<(), String> {
    let mut text = format!("{MADE_WITH}{}\n", compiler()?);
    for (name, count) in counted {
        let _ = writeln!(text, "{count:>10}  {name}");
    }
    fs::write(FILE, text).map_err(|error| format!("{FILE}: {error}"))
}

impl Committed {
    pub(crate) fn read() -> Result<Self, String> {
        let text = fs::read_to_string(FILE).map_err(|error| format!("{FILE}: {error}"))?;
        let compiler = text.lines().next().and_then(|line| line.strip_prefix(MADE_WITH)).unwrap_or_default();
        let mut counts = BTreeMap::new();
        for line in text.lines().skip(1) {
            let fields =
                line.trim().split_once("  ").and_then(|(count, name)| Some((name, count.parse().ok()?)));
            let (name, count) = fields.ok_or_else(|| format!("{FILE}: {line:?} is no count with a name"))?;
            counts.insert(name.to_owned(), count);
        }
        Ok(Self { compiler: compiler.to_owned(), counts })
    }

    /// Prints every count beside the committed one. More than 5 % above it is an error; with another compiler only
    /// a warning, as that one optimises otherwise.
    pub(crate) fn check(&self, counted: &[(String, u64)]) -> Result<(), String> {
        let mut exceeded = Vec::new();
        for (name, count) in counted {
            let Some(committed) = self.counts.get(name) else {
                exceeded.push(format!("{name} is not in {FILE}"));
                continue;
            };
            let change = (*count as f64 / *committed as f64 - 1.0) * 100.0;
            println!("{count:>10}  {change:>+6.1} %  {name}");
            if change > 5.0 {
                exceeded.push(format!("{name}: {count} instructions, {change:+.1} %"));
            } else if change < -5.0 {
                println!("{:>10}  better than committed: write it with --update", "");
            }
        }
        let gone = self.counts.keys().filter(|name| !counted.iter().any(|(counted, _)| counted == *name));
        exceeded.extend(gone.map(|name| format!("{name} is in {FILE}, but there is no such case")));
        let short = counted.iter().find(|(name, _)| name == connection::NAME);
        if let Some((name, count)) = short {
            let (must, aim) = (connection::MUST, connection::AIM);
            let verdict = if *count <= aim {
                "aim"
            } else if *count <= must {
                "must"
            } else {
                "missed"
            };
            println!("{name}: must be at most {must}, aim {aim}: {verdict}");
        }
        if exceeded.is_empty() {
            return Ok(());
        }
        let (compiler, text) = (compiler()?, exceeded.join("\n  "));
        if compiler != self.compiler {
            println!("warning: made with {}, and this is {compiler}:\n  {text}", self.compiler);
            return Ok(());
        }
        Err(format!(
            "above what is committed:\n  {text}\nif it has to be so: cargo run --release -p rp-benches --bin instructions -- --update"
        ))
    }
}

const MADE_WITH: &str = "# user instructions, made with ";

fn compiler() -> Result<String, String> {
    let output =
        Command::new("rustc").arg("--version").output().map_err(|error| format!("rustc: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
