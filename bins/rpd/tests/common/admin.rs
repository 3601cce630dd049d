//! The administration of a proxy, asked through its socket.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::PATIENCE;

/// The socket, and the record of changes.
#[derive(Clone)]
pub struct Admin {
    folder: PathBuf,
}

impl Admin {
    /// In this folder, for a proxy with [`Admin::lines`].
    pub fn of(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// What the configuration has to begin with.
    pub fn lines(&self) -> String {
        format!(
            "state-directory = \"{}\"\n[admin]\nsocket = \"{}\"\n",
            self.folder.join("state").display(),
            self.socket().display()
        )
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.join("admin.sock")
    }

    /// What is answered, with status 200.
    pub fn get(&self, path: &str) -> Value {
        let (status, answer) = self.ask("GET", path);
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    /// Status and answer.
    pub fn ask(&self, method: &str, path: &str) -> (u16, Value) {
        let mut stream = self.request(method, path);
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        (head[9..12].parse().expect("a status"), serde_json::from_str(body).unwrap_or(Value::Null))
    }

    /// Asks again and again, for what cannot be waited for.
    pub fn wait_for(&self, path: &str, done: impl Fn(&Value) -> bool) -> Value {
        super::guarded::wait_until(path, || done(&self.get(path)));
        self.get(path)
    }

    /// All that happens from now on.
    pub fn events(&self) -> Events {
        self.try_events().expect("a place")
    }

    /// The same, if there is a place to listen.
    pub fn try_events(&self) -> Option<Events> {
        let mut lines = BufReader::new(self.request("GET", "events"));
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(lines.read_line(&mut head).expect("a head") > 0, "{head}");
        }
        head.contains(" 200 OK").then_some(Events(lines))
    }

    /// A figure of `/metrics` without labels.
    pub fn metric(&self, name: &str) -> f64 {
        let mut stream = UnixStream::connect(self.socket()).expect("the proxy listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        stream.write_all(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n").expect("the proxy reads");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("figures");
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("no {name}")).parse().expect("a number")
    }

    /// Waits until the proxy listens.
    pub fn wait_until_there(&self) {
        super::guarded::wait_until("the socket", || UnixStream::connect(self.socket()).is_ok());
    }

    fn request(&self, method: &str, path: &str) -> UnixStream {
        let mut stream = UnixStream::connect(self.socket()).expect("the proxy listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let lines = "Host: localhost\r\nX-Rpd: 1\r\nContent-Type: application/json\r\n";
        let request = format!("{method} /api/v1/{path} HTTP/1.0\r\n{lines}Content-Length: 0\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("the proxy reads");
        stream
    }

    /// The lines of the record of changes.
    pub fn audit(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.folder.join("state/audit.jsonl")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }
}

/// One JSON object a line.
pub struct Events(BufReader<UnixStream>);

impl Events {
    /// The next one of this kind.
    pub fn wait_for(&mut self, kind: &str) -> Value {
        loop {
            if let Some(event) = self.any().get_mut(kind) {
                return event.take();
            }
        }
    }

    /// The next one.
    pub fn any(&mut self) -> Value {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("another event");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }
}
