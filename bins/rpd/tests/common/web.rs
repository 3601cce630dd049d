//! A web server by script, and a client that sees every octet.

use std::{
    io::{ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    sync::mpsc::{Receiver, channel},
    thread,
};

use super::{PATIENCE, Proxy, patient};

/// An answer.
pub const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
/// The end of the head of a last request.
pub const CLOSE: &str = "Connection: close\r\n\r\n";

/// What a service does with a connection: for each request it sends a given answer; `None` closes.
pub type Answers = Vec<Option<&'static str>>;

/// A web server that answers its connections one after the other by script, and tells each request that it gets:
/// the head, and its body.
///
/// # Panics
/// There is no port.
pub fn service(connections: Vec<Answers>) -> (u16, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (told, requests) = channel();
    thread::spawn(move || {
        for answers in connections {
            let Ok(mut stream) = listener.accept().map(|(stream, _)| patient(stream)) else { return };
            let mut received = Vec::new();
            for answer in answers {
                let Some(request) = next_request(&mut stream, &mut received) else { break };
                // Not every test wants to know.
                let _ = told.send(request);
                let Some(answer) = answer else { break };
                if stream.write_all(answer.as_bytes()).is_err() {
                    break;
                }
            }
        }
    });
    (port, requests)
}

/// The next request, whole; none when there is no more.
pub fn next_request(stream: &mut TcpStream, received: &mut Vec<u8>) -> Option<String> {
    loop {
        let text = String::from_utf8_lossy(received).into_owned();
        if let Some(end) = text.find("\r\n\r\n") {
            let head = &text[..end + 4];
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("Content-Length: ")?.parse().ok())
                .unwrap_or(0);
            let chunked = head.contains("Transfer-Encoding: chunked");
            let whole = end
                + 4
                + if chunked {
                    text[end + 4..].find("0\r\n\r\n").map_or(usize::MAX / 2, |at| at + 5)
                } else {
                    length
                };
            if received.len() >= whole {
                let request = received.drain(..whole).collect();
                return String::from_utf8(request).ok();
            }
        }
        let mut octets = [0; 4096];
        match stream.read(&mut octets) {
            Ok(0) | Err(_) => return None,
            Ok(n) => received.extend_from_slice(&octets[..n]),
        }
    }
}

/// Sends, and reads to the end or the reset.
///
/// # Panics
/// Neither comes.
pub fn ask(proxy: &Proxy, request: &str) -> String {
    let mut stream = proxy.connect("http");
    stream.write_all(request.as_bytes()).expect("the proxy reads");
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("{error} after {}", String::from_utf8_lossy(&answer)),
    }
    String::from_utf8(answer).expect("text")
}

/// Reads up to `end`.
///
/// # Panics
/// It does not come.
pub fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = String::new();
    let mut octet = [0];
    while !text.ends_with(end) {
        stream
            .read_exact(&mut octet)
            .unwrap_or_else(|error| panic!("{error} after {text:?}, waiting for {end:?}"));
        text.push(char::from(octet[0]));
    }
    text
}
