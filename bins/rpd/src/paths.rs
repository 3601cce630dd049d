//! Where a service of this name keeps what the configuration does not place.

use std::{
    env,
    path::{Path, PathBuf},
};

use crate::config::{AdminSocket, Config};

/// The folder for what changes at run time.
pub fn state_directory() -> PathBuf {
    // systemd may give several, parted by colons.
    of_service("STATE_DIRECTORY")
        .or_else(|| root().then(|| Path::new("/var/lib/rpd").to_owned()))
        .or_else(|| of_user("XDG_STATE_HOME", ".local/state"))
        .unwrap_or_else(|| env::temp_dir().join("rpd-state"))
}

/// The socket for administration.
pub fn admin_socket() -> PathBuf {
    of_service("RUNTIME_DIRECTORY")
        .or_else(|| root().then(|| Path::new("/run/rpd").to_owned()))
        .or_else(|| of_user("XDG_RUNTIME_DIR", ".local/state"))
        .unwrap_or_else(|| env::temp_dir().join("rpd-run"))
        .join("admin.sock")
}

/// The configuration of a service: what it does not place is at the usual place.
pub fn usual(mut config: Config) -> Config {
    config.state_directory.get_or_insert_with(state_directory);
    if config.admin.socket == AdminSocket::Usual {
        config.admin.socket = AdminSocket::At(admin_socket());
    }
    config
}

fn of_service(variable: &str) -> Option<PathBuf> {
    let value = env::var(variable).ok()?;
    let first = value.split(':').next().filter(|path| !path.is_empty())?;
    Some(first.into())
}

fn of_user(variable: &str, below_home: &str) -> Option<PathBuf> {
    let folder = env::var_os(variable).map(PathBuf::from);
    let home = || env::var_os("HOME").map(|home| Path::new(&home).join(below_home));
    Some(folder.or_else(home)?.join("rpd"))
}

fn root() -> bool {
    rustix::process::geteuid().is_root()
}
