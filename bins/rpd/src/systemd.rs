//! What systemd and this process tell each other: sockets that are passed, and how things stand. Without systemd none of
//! it does anything.

use std::{io, net::TcpListener, sync::Arc, time::Duration};

use sd_notify::NotifyState;
use socket2::{Socket, Type};
use tracing::warn;

use crate::listeners::Inherited;

/// The sockets that were passed (`LISTEN_FDS`), each with its name.
///
/// # Errors
/// What was passed is no listening TCP socket.
pub fn sockets() -> io::Result<Vec<Inherited>> {
    let passed = sd_listen_fds::get().map_err(io::Error::other)?;
    passed
        .into_iter()
        .map(|(name, socket)| inherited(name.unwrap_or_default(), socket.into_std().into()))
        .collect()
}

fn inherited(name: String, socket: Socket) -> io::Result<Inherited> {
    let address = socket.local_addr().ok().and_then(|address| address.as_socket());
    let listens = socket.r#type()? == Type::STREAM && socket.is_listener()?;
    let Some(address) = address.filter(|_| listens) else {
        let message = format!("the inherited socket {name:?} does not listen for TCP; write ListenStream=");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    };
    socket.set_nonblocking(true)?;
    socket.set_cloexec(true)?;
    Ok(Inherited { name, address, socket: Arc::new(TcpListener::from(socket)) })
}

/// Everything that was to be had is there.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// A reload has begun; [`ready`] ends it.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => warn!(%error, "the clock cannot be read"),
    }
}

/// The end has begun.
pub fn stopping(status: &str) {
    tell(&[NotifyState::Stopping, NotifyState::Status(status)]);
}

/// All is well.
pub fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// How often [`alive`] has to be told: twice within the time after which systemd loses patience.
pub fn pulse() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|patience| patience / 2)
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        warn!(%error, "systemd cannot be told how things stand");
    }
}
