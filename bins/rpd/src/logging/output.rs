//! How the log begins, and how it changes while the proxy runs: format, level, and where the lines go.

use std::{
    io::{self, IsTerminal},
    sync::{OnceLock, atomic::Ordering},
};

use tracing::{Level, level_filters::LevelFilter};
use tracing_subscriber::{
    Layer, layer::SubscriberExt, registry::LookupSpan, reload, util::SubscriberInitExt,
};

use super::{AS_JSON, client_address, file, kept};
use crate::config::{self, Format, Log};

/// Begins to log, as the configuration says. Only the first call counts.
///
/// # Errors
/// `log.file` cannot be written.
pub fn start(log: &Log) -> io::Result<()> {
    let prepared = Prepared::new(log)?;
    let (filter, level) = reload::Layer::new(prepared.level);
    let (lines, layer) = reload::Layer::new(layer(log));
    if tracing_subscriber::registry().with(filter).with(lines).try_init().is_ok() {
        let change: Change = Box::new(move |log| {
            // Nobody to tell where the log itself is gone.
            let _ = (level.reload(filter_of(log)), layer.reload(self::layer(log)));
        });
        let _ = CHANGE.set(change);
    }
    prepared.apply();
    Ok(())
}

/// What a change of the log needs, had before anything is changed.
pub struct Prepared {
    log: Log,
    level: LevelFilter,
    output: Option<file::LogFile>,
}

impl Prepared {
    /// Opens the file, if lines go to one.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn new(log: &Log) -> io::Result<Self> {
        let output = log.file.as_deref().map(file::LogFile::open).transpose()?;
        Ok(Self { log: log.clone(), level: filter_of(log), output })
    }

    /// Logs so from now on, if this process logs at all.
    pub fn apply(self) {
        let Some(change) = CHANGE.get() else { return };
        client_address::show(self.log.client_address);
        AS_JSON.store(self.log.format == Format::Json, Ordering::Relaxed);
        file::replace(self.output);
        kept::lines().resize(self.log.keep_requests.into());
        change(&self.log);
    }
}

type Change = Box<dyn Fn(&Log) + Send + Sync>;

static CHANGE: OnceLock<Change> = OnceLock::new();

fn filter_of(log: &Log) -> LevelFilter {
    match log.level {
        config::Level::Error => Level::ERROR.into(),
        config::Level::Warn => Level::WARN.into(),
        config::Level::Info => Level::INFO.into(),
        config::Level::Debug => Level::DEBUG.into(),
        config::Level::Trace => Level::TRACE.into(),
    }
}

fn layer<S>(log: &Log) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(file::writer()).with_target(false);
    let kept = tracing_subscriber::fmt::layer().with_writer(kept::Keep).with_target(false);
    let kept = kept.with_ansi(false).without_time().with_level(false);
    // systemd sets this for services whose output goes to the journal, which has time stamps of its own.
    let journal = log.file.is_none() && std::env::var_os("JOURNAL_STREAM").is_some();
    let terminal = log.file.is_none() && io::stderr().is_terminal();
    match log.format {
        Format::Json => Box::new(lines.json().flatten_event(true).and_then(kept.json().flatten_event(true))),
        Format::Auto if journal => Box::new(lines.with_ansi(false).without_time().and_then(kept)),
        Format::Auto | Format::Text => Box::new(lines.with_ansi(terminal).and_then(kept)),
    }
}
