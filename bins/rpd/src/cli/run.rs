//! `rpd run`: the proxy.

use std::{io, path::PathBuf, process::ExitCode};

use clap::Args;
use tokio::{
    runtime,
    signal::unix::{SignalKind, signal},
};
use tracing::{info, warn};

use super::DEFAULT_CONFIG;
use crate::{
    config::Config,
    logging, paths,
    server::{self, Running},
};

/// Run the proxy.
///
/// Example: rpd run --config rpd.toml
#[derive(Debug, Args)]
pub struct Run {
    /// The configuration file
    #[arg(long, default_value = DEFAULT_CONFIG)]
    config: PathBuf,
}

impl Run {
    pub(super) fn run(self) -> ExitCode {
        let (config, warnings) = match Config::load(&self.config) {
            Ok(loaded) => loaded,
            Err(report) => {
                eprint!("{report}");
                return ExitCode::from(BAD_CONFIGURATION);
            }
        };
        eprint!("{warnings}");
        let config = paths::usual(config);
        logging::start(&config.log);
        for host in &config.hosts {
            info!(line = host.line, comment = host.comment, "host {} at {}", host.label(), host.targets[0]);
        }
        if config.listeners.is_empty() {
            warn!("nothing is listened on: [listen] names no port");
        }
        let running = match server::start(config) {
            Ok(running) => running,
            Err(error) => {
                eprintln!("error: {error}");
                return ExitCode::FAILURE;
            }
        };
        for listener in running.listeners() {
            info!("{} on {}", listener.kind, listener.address);
        }
        until_signalled(running);
        ExitCode::SUCCESS
    }
}

/// Serves until SIGTERM or SIGINT, then drains; a second one closes at once.
pub(super) fn until_signalled(running: Running) {
    let stop = running.stop();
    let thread = std::thread::Builder::new().name("signals".to_owned());
    let started = runtime::Builder::new_current_thread().enable_all().build().and_then(|runtime| {
        let waiting = async move {
            let (mut terminate, mut interrupt) =
                (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
            info!("shutting down: open connections may end; a second signal closes them at once");
            stop.drain();
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
            stop.close();
            io::Result::Ok(())
        };
        thread.spawn(move || runtime.block_on(waiting))
    });
    if let Err(error) = started {
        warn!(%error, "signals cannot be waited for: the proxy runs until it is killed");
    }
    running.join();
}

const BAD_CONFIGURATION: u8 = 78;
