//! Chromium, driven by chromedriver: WebDriver is JSON over HTTP, and a test needs a dozen of its commands.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{PATIENCE, Port, Program};

/// A driver, whose browsers end with it.
pub struct Driver {
    _program: Program,
    port: Port,
}

impl Driver {
    /// # Panics
    /// chromedriver is not installed.
    pub fn start() -> Self {
        let port = Port::reserve();
        let program = Program::start("chromedriver", [format!("--port={port}")]).listening(port.number());
        Self { _program: program, port }
    }

    /// Another browser, with nothing of the others.
    pub fn browser(&self) -> Browser<'_> {
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
            // Started as root; there is nothing to be kept in.
            "goog:chromeOptions": { "args": ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"] },
        } } });
        let session = self.ask("POST", "/session", &capabilities);
        let browser = Browser { driver: self, path: format!("/session/{}", text(&session["sessionId"])) };
        browser.tool("Page.addScriptToEvaluateOnNewDocument", &json!({ "source": WATCH }));
        browser
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port.number())).expect("the driver listens");
        stream.set_read_timeout(Some(2 * PATIENCE)).expect("a time-out");
        let body = if method == "POST" { body.to_string() } else { String::new() };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).expect("the driver reads");
        let mut answer: Value = serde_json::from_slice(&read_body(stream)).expect("JSON");
        let value = answer["value"].take();
        assert!(value["error"].is_null(), "{method} {path}: {}: {}", value["error"], value["message"]);
        value
    }
}

/// A browser with one page.
pub struct Browser<'a> {
    driver: &'a Driver,
    path: String,
}

impl Browser<'_> {
    pub fn open(&self, url: &str) {
        self.post("url", &json!({ "url": url }));
    }

    /// What a script returns.
    pub fn script(&self, script: &str) -> Value {
        self.post("execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Waits until an expression is true, and gives its value.
    ///
    /// # Panics
    /// It never is.
    pub fn wait_for(&self, expression: &str) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let value = self.script(&format!("return {expression}"));
            if !matches!(value, Value::Null | Value::Bool(false)) {
                return value;
            }
            assert!(
                Instant::now() < deadline,
                "never: {expression}\n{}",
                text(&self.script("return document.body.innerText"))
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Clicks on the element with this text, inside what the selector names, when it is there.
    pub fn click(&self, inside: &str, words: &str) {
        let found = format!(
            "[...document.querySelectorAll({inside:?})].flatMap((e) => [e, ...e.querySelectorAll('button')]).find((e) => e.matches('button, input') && !e.disabled && e.checkVisibility() && (e.innerText === {words:?} || e.ariaLabel === {words:?}))"
        );
        self.wait_for(&format!("Boolean({found})"));
        let script =
            format!("const found = {found}; found.scrollIntoView({{ block: 'center' }}); return found");
        let element = self.script(&script);
        let id = element
            .as_object()
            .and_then(|element| element.values().next())
            .map_or("", |id| id.as_str().unwrap_or(""));
        self.post(&format!("element/{id}/click"), &json!({}));
    }

    /// Presses keys, one after another, wherever the focus is.
    pub fn press(&self, keys: &str) {
        let actions = keys.chars().flat_map(|key| {
            [json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })]
        });
        let actions: Vec<Value> = actions.collect();
        self.post(
            "actions",
            &json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": actions }] }),
        );
    }

    /// A command of the browser's tools for developers.
    pub fn tool(&self, command: &str, parameters: &Value) -> Value {
        self.post("goog/cdp/execute", &json!({ "cmd": command, "params": parameters }))
    }

    /// Nothing was complained of, and nobody was asked but `origin`.
    ///
    /// # Panics
    /// Otherwise.
    pub fn is_content(&self, origin: &str) {
        let said = self.post("se/log", &json!({ "type": "browser" }));
        assert_eq!(said, json!([]), "the console");
        assert_eq!(self.script("return window.violations"), json!([]), "violations of the policy");
        let log = self.post("se/log", &json!({ "type": "performance" }));
        let mut asked = 0;
        for entry in log.as_array().expect("entries") {
            let message: Value = serde_json::from_str(text(&entry["message"])).expect("JSON");
            if message["message"]["method"] == "Network.requestWillBeSent" {
                let url = text(&message["message"]["params"]["request"]["url"]);
                assert!(url.starts_with(origin) || url.starts_with("data:"), "{url} was asked");
                asked += 1;
            }
        }
        assert!(asked > 5, "only {asked} requests were seen");
    }

    fn post(&self, command: &str, body: &Value) -> Value {
        self.driver.ask("POST", &format!("{}/{command}", self.path), body)
    }
}

impl Drop for Browser<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.driver.ask("DELETE", &self.path, &Value::Null);
        }
    }
}

/// The driver does not end the connection.
fn read_body(stream: TcpStream) -> Vec<u8> {
    let mut lines = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        lines.read_line(&mut line).expect("an answer");
        match line.trim_end().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().expect("a length");
            }
            None if line.trim_end().is_empty() => break,
            _ => (),
        }
    }
    let mut body = vec![0; length];
    lines.read_exact(&mut body).expect("a body");
    body
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// WebDriver's codes for keys without a character.
pub mod key {
    pub const TAB: &str = "\u{e004}";
    pub const ENTER: &str = "\u{e007}";
    pub const ESCAPE: &str = "\u{e00c}";
    pub const RIGHT: &str = "\u{e014}";
}

const WATCH: &str = "window.violations = []; document.addEventListener('securitypolicyviolation', (event) => window.violations.push(event.violatedDirective + ' ' + event.blockedURI))";
