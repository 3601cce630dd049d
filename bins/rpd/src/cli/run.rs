//! `rpd run`: the proxy.

use std::{io, path::PathBuf, process::ExitCode, time::Duration};

use clap::Args;
use tokio::{
    runtime::{self, Runtime},
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, interval, sleep_until},
};
use tracing::{error, info, warn};

use super::DEFAULT_CONFIG;
use crate::{
    config::Config,
    logging, paths,
    reload::{FilesSeen, files_now, reload},
    server::{self, Control, Running, StartError, Stop},
    systemd,
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
        if let Err(error) = logging::start(&config.log) {
            eprintln!("error: log.file: {error}");
            return ExitCode::FAILURE;
        }
        let code = Self::serve(config);
        logging::end();
        code
    }

    fn serve(config: Config) -> ExitCode {
        for host in &config.hosts {
            info!(line = host.line, comment = host.comment, "host {} at {}", host.label(), host.targets[0]);
        }
        if config.listeners.is_empty() {
            warn!("nothing is listened on: [listen] names no port");
        }
        // From here on no signal ends the process by itself, and no change of a certificate is missed.
        let attendant = match Attendant::new(&config) {
            Ok(attendant) => attendant,
            Err(error) => {
                eprintln!("error: signals cannot be waited for: {error}");
                return ExitCode::FAILURE;
            }
        };
        let started = systemd::sockets().map_err(StartError::from);
        let running = match started.and_then(|sockets| server::start_with(config, sockets)) {
            Ok(running) => running,
            Err(error) => {
                eprintln!("error: {error}");
                return ExitCode::FAILURE;
            }
        };
        for listener in running.listeners() {
            info!("{} on {}", listener.kind, listener.address);
        }
        attendant.serve(running);
        ExitCode::SUCCESS
    }
}

/// Waits for what comes from outside while the proxy runs.
pub(super) struct Attendant {
    runtime: Runtime,
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    user: Signal,
    watch: Watch,
}

impl Attendant {
    pub(super) fn new(config: &Config) -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let entered = runtime.enter();
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let (hangup, user) = (signal(SignalKind::hangup())?, signal(SignalKind::user_defined1())?);
        let watch = Watch::new(config);
        drop(entered);
        Ok(Self { runtime, terminate, interrupt, hangup, user, watch })
    }

    /// Serves until SIGTERM or SIGINT, then drains; a second one closes at once. Meanwhile SIGHUP reloads, SIGUSR1 opens
    /// the log anew, certificates are watched, and systemd hears that all is well.
    pub(super) fn serve(self, running: Running) {
        let (stop, control) = (running.stop(), running.control().clone());
        let thread = std::thread::Builder::new().name("signals".to_owned());
        if let Err(error) = thread.spawn(move || self.attend(&stop, &control)) {
            warn!(%error, "signals cannot be waited for: the proxy runs until it is killed");
        }
        running.join();
        info!("ended");
    }

    /// Nothing else runs on this thread, so it may wait for files.
    fn attend(self, stop: &Stop, control: &Control) {
        let Self { runtime, mut terminate, mut interrupt, mut hangup, mut user, mut watch } = self;
        let mut ending = false;
        runtime.block_on(async move {
            let mut pulse = interval(systemd::pulse().unwrap_or(RARELY));
            systemd::ready("running");
            loop {
                tokio::select! {
                    _ = terminate.recv() => ending = end(stop, "SIGTERM", ending),
                    _ = interrupt.recv() => ending = end(stop, "SIGINT", ending),
                    _ = hangup.recv() => {
                        // The log has heard of whatever came of it.
                        let _ = reload(control, "SIGHUP");
                    }
                    _ = user.recv() => match logging::reopen() {
                        Ok(()) => info!("SIGUSR1: the log is opened anew"),
                        Err(error) => error!(%error, "SIGUSR1: the log cannot be opened anew, and goes on as before"),
                    },
                    _ = pulse.tick() => if control.is_alive() { systemd::alive() },
                    () = sleep_until(watch.next) => watch.look(control),
                }
            }
        });
    }
}

/// Drains, or the second time closes.
fn end(stop: &Stop, signal: &str, again: bool) -> bool {
    if again {
        info!("{signal} again: open connections are closed");
        stop.close();
    } else {
        info!("{signal}: shutting down, open connections may end; a second signal closes them at once");
        systemd::stopping("waiting for open connections");
        stop.drain();
    }
    true
}

/// Looks now and then whether certificates have changed.
struct Watch {
    seen: FilesSeen,
    next: Instant,
}

impl Watch {
    fn new(config: &Config) -> Self {
        Self { seen: files_now(config), next: next_look(config) }
    }

    fn look(&mut self, control: &Control) {
        let state = control.state();
        let now = files_now(&state.config);
        if !state.config.tls.watch.is_zero() && now != self.seen {
            info!("certificates or keys have changed");
            // A pair may be half written: then the next change is another reason to try.
            let _ = reload(control, "tls.watch");
        }
        self.seen = now;
        self.next = next_look(&control.state().config);
    }
}

fn next_look(config: &Config) -> Instant {
    let watch = config.tls.watch;
    Instant::now() + if watch.is_zero() { RARELY } else { watch }
}

/// For what is not wanted at the moment, and may be after a reload.
const RARELY: Duration = Duration::from_secs(60);

const BAD_CONFIGURATION: u8 = 78;
