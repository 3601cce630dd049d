//! Another configuration for a proxy that runs: read, checked, loaded and bound first, then put in force as a whole.

use std::{collections::BTreeSet, fs, path::PathBuf, time::SystemTime};

use tracing::{error, info, warn};

use crate::{
    config::{Config, Listener, Report},
    logging, paths,
    server::{ChangeError, Control},
    systemd, tls,
};

/// What a reload has changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Listened on from now on.
    pub opened: Vec<Listener>,
    /// No longer listened on.
    pub closed: Vec<Listener>,
    /// What an administrator should know.
    pub notes: Vec<String>,
}

/// Why everything is as it was.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The file, or a file that it names.
    #[error("{0}")]
    Config(Report),
    /// The log cannot be written where it should be.
    #[error("log.file: {0}")]
    Log(std::io::Error),
    /// What could not be had.
    #[error("{0}")]
    Change(#[from] ChangeError),
}

/// Reads the file anew and puts it in force, or leaves everything as it was. The log hears of either, and the record of
/// changes of who wanted it.
///
/// # Errors
/// Why nothing was changed.
pub fn reload(control: &Control, actor: &str) -> Result<Change, ReloadError> {
    systemd::reloading();
    let before = control.state();
    let reloaded = attempt(control);
    control.metrics().reloaded(reloaded.is_ok());
    let error = reloaded.as_ref().err().map(ToString::to_string);
    control.audit().reloaded(
        actor,
        &before.config.reading,
        &control.state().config.reading,
        error.as_deref(),
    );
    control.reloads().send_replace(error);
    match &reloaded {
        Ok(change) => {
            for listener in &change.opened {
                info!("{} on {}", listener.kind, listener.address);
            }
            for listener in &change.closed {
                info!("{} on {} no longer", listener.kind, listener.address);
            }
            change.notes.iter().for_each(|note| warn!("{note}"));
            info!("reloaded");
            systemd::ready("running");
        }
        Err(error) => {
            error!("not reloaded, and everything is as it was: {error}");
            systemd::ready("running; the last reload failed");
        }
    }
    reloaded
}

fn attempt(control: &Control) -> Result<Change, ReloadError> {
    let (config, warnings) = Config::load(&control.state().config.path).map_err(ReloadError::Config)?;
    let log = logging::Prepared::new(&config.log).map_err(ReloadError::Log)?;
    let mut change = control.change(config)?;
    log.apply();
    let warnings = warnings.findings().iter().map(|warning| warning.message.clone());
    change.notes.extend(warnings);
    Ok(change)
}

impl Change {
    /// What one configuration, which listens there, has changed of another.
    pub fn between(former: &Config, config: &Config, before: &[Listener], after: &[Listener]) -> Self {
        let beyond = |all: &[Listener], known: &[Listener]| {
            all.iter().filter(|listener| !known.contains(listener)).copied().collect()
        };
        let notes = restarts(former, config).into_iter().chain(subject(former, config)).collect();
        Self { opened: beyond(after, before), closed: beyond(before, after), notes }
    }
}

/// What cannot change while the proxy runs.
fn restarts(former: &Config, config: &Config) -> Vec<String> {
    let places = |config: &Config| {
        let config = paths::usual(config.clone());
        (config.state_directory, config.admin)
    };
    let (before, after) = (places(former), places(config));
    let keys = [
        ("engine.workers", former.workers != config.workers),
        ("metrics.listen", former.metrics != config.metrics),
        ("engine.runtime", former.runtime != config.runtime),
        ("state-directory", before.0 != after.0),
        ("a key of [admin]", before.1 != after.1),
    ];
    let changed = keys.into_iter().filter(|(_, changed)| *changed);
    changed.map(|(key, _)| format!("{key} has changed: it takes effect when rpd is started again")).collect()
}

/// A PBX knows its proxies by address and the subject of their certificate.
fn subject(former: &Config, config: &Config) -> Option<String> {
    let subject = |config: &Config| tls::subject(config.client_key.as_ref()?.cert.first()?);
    let (before, after) = (subject(former)?, subject(config)?);
    (before != after).then(|| {
        format!("the certificate that targets see is now of {after}, it was of {before}: change it in the PBX too, where it lists its reverse proxies")
    })
}

/// Files with the time and size that they had.
pub type FilesSeen = BTreeSet<(PathBuf, Option<SystemTime>, u64)>;

/// The files that a configuration was made of, as they are now: another value is a reason to reload.
pub fn files_now(config: &Config) -> FilesSeen {
    let look = |path: &PathBuf| {
        let about = fs::metadata(path).ok();
        let changed = about.as_ref().and_then(|about| about.modified().ok());
        (path.clone(), changed, about.map_or(0, |about| about.len()))
    };
    config.tls.files.iter().map(look).collect()
}
