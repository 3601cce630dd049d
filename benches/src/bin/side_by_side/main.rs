//! rpd beside haproxy and nginx: CPU time and memory of the proxy's process for the same work.
//!
//! `cargo run --release -p rp-benches --bin side_by_side -- short` measures one row of the table in `rows`, `-- all`
//! all of them; docs/BENCHMARKS.md says how to read what comes out. Clients and service are in this process. Every
//! measurement gets a fresh proxy on a fresh port, the proxies take turns, and everything that comes back is checked.

mod certificates;
mod client;
mod http;
mod ldap;
mod load;
mod meter;
mod protocol;
mod proxies;
mod rows;
mod service;
mod sip;
mod table;

use std::{
    io,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::Parser;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::time::timeout;

use crate::{
    load::Load,
    meter::Meter,
    proxies::{Peer, Proxy},
    rows::{Bounds, ROWS, Row, Work},
    service::Service,
    table::{Figures, Verdict},
};

/// rpd beside haproxy and nginx.
#[derive(Parser)]
struct Arguments {
    /// Rows to measure, or `all`; none: lists them.
    rows: Vec<String>,
    /// Interleaved rounds; memory, which repeats well, takes two at most.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// The rpd to measure [default: beside this program].
    #[arg(long)]
    rpd: Option<PathBuf>,
    /// So many connections in the rows that hold some, instead of the row's own number.
    #[arg(long)]
    connections: Option<u32>,
    /// A tenth of the work: figures that only show that everything works.
    #[arg(long)]
    quick: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// Whether every row reached what it must.
fn run(arguments: &Arguments) -> io::Result<bool> {
    let rows = chosen(&arguments.rows)?;
    if rows.is_empty() {
        for row in ROWS {
            println!("{:16} {}", row.name, row.what);
        }
        return Ok(true);
    }
    let beside = std::env::current_exe()?.with_file_name("rpd");
    let rpd = arguments.rpd.clone().unwrap_or(beside);
    if !rpd.exists() {
        let build = "build it with `cargo build --release -p rpd`, or say where it is with --rpd";
        return Err(io::Error::other(format!("{} is not there: {build}", rpd.display())));
    }
    let files = raise_open_files()?;
    let folder = tempfile::Builder::new().prefix("side_by_side-").tempdir()?;
    certificates::make(folder.path())?;
    let bench = Bench {
        folder: folder.path(),
        rpd: &rpd,
        quick: arguments.quick,
        connections: arguments.connections,
        files,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut measured = Vec::new();
    for row in rows {
        measured.push(runtime.block_on(bench.row(row, arguments.rounds)));
    }
    println!("{}", table::HEAD);
    for figures in &measured {
        println!("{}", figures.line());
    }
    for error in measured.iter().flat_map(Figures::errors) {
        println!("\nerror: {error}");
    }
    Ok(measured.iter().all(|figures| matches!(figures.verdict(), Verdict::Aim | Verdict::Must)))
}

fn chosen(names: &[String]) -> io::Result<Vec<&'static Row>> {
    if names == ["all"] {
        return Ok(ROWS.iter().collect());
    }
    let find = |name: &String| {
        let found = ROWS.iter().find(|row| row.name == name);
        found.ok_or_else(|| {
            io::Error::other(format!("no row is called {name}; without arguments all are listed"))
        })
    };
    names.iter().map(find).collect()
}

/// What all rows share.
struct Bench<'a> {
    folder: &'a Path,
    rpd: &'a Path,
    quick: bool,
    connections: Option<u32>,
    /// How many files may be open at a time.
    files: u32,
}

impl Bench<'_> {
    async fn row(&self, row: &'static Row, rounds: usize) -> Figures {
        let mut figures = Figures::new(row);
        let peers: &[Peer] = match row.bounds {
            Bounds::Ratio { nginx: None, .. } => &[Peer::Rpd, Peer::Haproxy],
            _ => &[Peer::Rpd, Peer::Haproxy, Peer::Nginx],
        };
        let rounds = if matches!(row.work, Work::Idle { .. }) { rounds.min(2) } else { rounds };
        for round in 0..rounds {
            for turn in 0..peers.len() {
                let peer = peers[(round + turn) % peers.len()];
                let figure = self.measure(row, peer).await;
                let shown = figure.as_ref().map_or_else(ToString::to_string, |figure| format!("{figure:.2}"));
                eprintln!("{} {}/{rounds} {} {shown}", row.name, round + 1, peer.name());
                figures.add(peer, figure);
            }
        }
        figures
    }

    /// One figure, with a fresh proxy and a fresh service.
    async fn measure(&self, row: &Row, peer: Peer) -> io::Result<f64> {
        let service = Service::start(row.setup, self.folder).await?;
        let proxy = Proxy::start(peer, row.setup, self.folder, self.rpd, service.address)?;
        let meter = Meter::new(proxy.process());
        let load = Load { setup: row.setup, proxy: proxy.address, folder: self.folder, meter };
        let figure = match timeout(PATIENCE, load.run(self.carried(row.work))).await {
            Ok(figure) => figure,
            Err(_) => Err(io::Error::other(format!("not done in {} s", PATIENCE.as_secs()))),
        };
        match service.complaint() {
            Some(complaint) => Err(io::Error::other(format!("at the service: {complaint}"))),
            None => figure.map_err(|error| io::Error::other(format!("{error} {}", proxy.last_words()))),
        }
    }

    /// The work, less the connections that this process has no files for: it holds both ends.
    fn carried(&self, work: Work) -> Work {
        let most = (self.files.saturating_sub(500)) / 2;
        let held = |connections: u32| self.connections.unwrap_or(connections).min(most);
        match if self.quick { work.quick() } else { work } {
            Work::Idle { connections } => Work::Idle { connections: held(connections) },
            Work::Messages { connections, seconds } => {
                Work::Messages { connections: held(connections), seconds }
            }
            other => other,
        }
    }
}

/// For one figure.
const PATIENCE: Duration = Duration::from_secs(180);

fn raise_open_files() -> io::Result<u32> {
    let hard = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: hard, maximum: hard })?;
    Ok(hard.map_or(u32::MAX, |hard| u32::try_from(hard).unwrap_or(u32::MAX)))
}
