//! Asking a proxy that runs, through its socket for administration.

use std::{
    io::{self, ErrorKind, Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use serde_json::Value;

use super::DEFAULT_CONFIG;
use crate::{
    config::{AdminSocket, Config},
    paths,
};

/// Which proxy is meant.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// The socket of the proxy; by default what the configuration says
    #[arg(long, global = true)]
    socket: Option<PathBuf>,
    /// The configuration file of the proxy
    #[arg(long, global = true)]
    config: Option<PathBuf>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// Nobody answers.
    #[error("{}", .0)]
    Unreachable(String),
    /// The proxy, or this program, says no.
    #[error("{}", .0)]
    Refused(String),
}

impl Which {
    /// The proxy of this configuration file.
    pub(super) fn of(config: &Path) -> Self {
        Self { socket: None, config: Some(config.to_owned()) }
    }

    /// Asks, and gives what is answered.
    ///
    /// # Errors
    /// In words for people.
    pub(super) fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let socket = self.socket()?;
        let answer = exchange(&socket, method, path, body).map_err(|error| unreachable(&socket, &error))?;
        let (status, body) = parse(&answer)
            .ok_or_else(|| Failure::Unreachable(format!("{}: that is no rpd", socket.display())))?;
        if status < 300 {
            return Ok(body);
        }
        let why = body["error"].as_str().map_or_else(|| format!("status {status}"), str::to_owned);
        Err(Failure::Refused(why))
    }

    fn socket(&self) -> Result<PathBuf, Failure> {
        if let Some(socket) = &self.socket {
            return Ok(socket.clone());
        }
        let config = match Config::load(self.config.as_deref().unwrap_or(Path::new(DEFAULT_CONFIG))) {
            Ok((config, _)) => config,
            // It need not be there, and whoever may administer need not be able to read the keys that it names.
            Err(_) if self.config.is_none() => return Ok(paths::admin_socket()),
            Err(report) => return Err(Failure::Refused(report.to_string())),
        };
        match config.admin.socket {
            AdminSocket::Usual => Ok(paths::admin_socket()),
            AdminSocket::At(path) => Ok(path),
            AdminSocket::Nowhere => {
                Err(Failure::Refused("admin.socket = \"\": this proxy has no socket".to_owned()))
            }
        }
    }
}

/// One request, HTTP/1.0: the answer ends with the connection, and is in one piece.
fn exchange(socket: &Path, method: &str, path: &str, body: Option<&Value>) -> io::Result<Vec<u8>> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let body = body.map(Value::to_string).unwrap_or_default();
    let head = format!(
        "{method} /api/v1/{path} HTTP/1.0\r\nHost: localhost\r\nX-Rpd: 1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}

/// Status and body.
fn parse(answer: &[u8]) -> Option<(u16, Value)> {
    let end = memchr::memmem::find(answer, b"\r\n\r\n")?;
    let status = std::str::from_utf8(answer.get(..end)?).ok()?.split(' ').nth(1)?.parse().ok()?;
    Some((status, serde_json::from_slice(answer.get(end + 4..)?).unwrap_or(Value::Null)))
}

fn unreachable(socket: &Path, error: &io::Error) -> Failure {
    let remedy = match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
            "no rpd runs here, or it has another socket: start it with rpd run, or say --socket or --config"
        }
        ErrorKind::PermissionDenied => {
            "this user may not administer it: ask as root, or set admin.socket-group to a group of yours"
        }
        _ => "the proxy does not answer",
    };
    Failure::Unreachable(format!("{}: {error}; {remedy}", socket.display()))
}

const PATIENCE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_a_status_and_a_body() {
        let answer = b"HTTP/1.0 404 Not Found\r\ncontent-type: application/json\r\n\r\n{\"error\":\"no\"}";
        assert_eq!(parse(answer), Some((404, serde_json::json!({ "error": "no" }))));
        assert_eq!(parse(b"hello"), None);
        assert_eq!(parse(b"HTTP/1.0\r\n\r\n"), None);
    }
}
