//! The Unix socket: its permissions say who may administer.

use std::{
    fs,
    io::{self, ErrorKind},
    os::unix::{
        fs::{FileTypeExt, PermissionsExt, chown},
        net::UnixListener,
    },
    path::Path,
};

use axum::{extract::connect_info::Connected, serve::IncomingStream};
use tokio::net::UnixStream;

use super::Peer;
use crate::config::{Admin, Role};

/// A socket that has its owner and mode before anybody can find it.
pub(super) fn listen(path: &Path, config: &Admin) -> io::Result<UnixListener> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    make_way(path)?;
    let hidden = path.with_extension("new");
    make_way(&hidden)?;
    let listener = UnixListener::bind(&hidden)?;
    fs::set_permissions(&hidden, fs::Permissions::from_mode(config.mode.0))?;
    chown(&hidden, None, config.group)?;
    fs::rename(&hidden, path)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Removes a socket that nobody listens on any more.
fn make_way(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(there) if !there.file_type().is_socket() => {
            Err(io::Error::other("there is a file of this name that is no socket"))
        }
        Ok(_) => match std::os::unix::net::UnixStream::connect(path) {
            Ok(_) => Err(ErrorKind::AddrInUse.into()),
            Err(_) => fs::remove_file(path),
        },
    }
}

impl Connected<IncomingStream<'_, tokio::net::UnixListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, tokio::net::UnixListener>) -> Self {
        let io: &UnixStream = stream.io();
        let name = match io.peer_cred() {
            Ok(peer) => format!("uid {}", peer.uid()),
            Err(_) => "somebody".to_owned(),
        };
        // Who may open the socket may do everything: its permissions say who that is.
        Self { name, role: Role::Admin, address: None }
    }
}
