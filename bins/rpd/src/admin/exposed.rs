//! Figures and health over TCP, for who watches many machines: two paths, no token, and nothing else. Whoever reaches
//! the port may be anybody, so there are few connections at a time, each for a short time and one small request.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::http::StatusCode;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};

use super::Desk;

pub(super) fn listen(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Answers as long as the runtime runs.
pub(super) async fn serve(listener: std::net::TcpListener, desk: Arc<Desk>) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    let places = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            sleep(PAUSE).await;
            continue;
        };
        let desk = desk.clone();
        tokio::spawn(async move {
            // Whoever is slow, or goes away, misses his answer.
            let _ = timeout(PATIENCE, answer(stream, &desk)).await;
            drop(place);
        });
    }
}

async fn answer(mut stream: TcpStream, desk: &Desk) -> io::Result<()> {
    let mut head = Vec::with_capacity(1024);
    while memchr::memmem::find(&head, b"\r\n\r\n").is_none() {
        if head.len() > LONGEST || stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let line = head.split(|octet| *octet == b'\r').next().unwrap_or_default();
    let (status, body) = match line.strip_prefix(b"GET ").and_then(|rest| rest.split(|c| *c == b' ').next()) {
        Some(b"/metrics") => (StatusCode::OK, desk.metrics.text()),
        Some(b"/health") => {
            let (status, word) = desk.health();
            (status, word.to_owned())
        }
        Some(_) => (StatusCode::NOT_FOUND, "there are only /metrics and /health\n".to_owned()),
        None => (StatusCode::METHOD_NOT_ALLOWED, "only GET\n".to_owned()),
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {TEXT}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

/// The kind of text that Prometheus reads.
pub(super) const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

const AT_ONCE: usize = 16;
const LONGEST: usize = 8192;
const PATIENCE: Duration = Duration::from_secs(10);
/// After a failure to accept: out of files, most likely.
const PAUSE: Duration = Duration::from_millis(100);
