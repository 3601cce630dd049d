//! A browser: a page over HTTPS whose script talks to a WebSocket.
//!
//! Debian packages: chromium, python3-websockets. `cargo test -p rpd --test peers_http_chromium -- --ignored`

mod common;

use common::{Port, Program, Proxy, SERVICE_NAME, certificates};

#[test]
#[ignore = "needs chromium, python3-websockets (Debian packages)"]
fn a_page_in_chromium_talks_to_a_websocket_through_https() {
    let folder = certificates();
    let dir = folder.path().display().to_string();
    let port = Port::reserve();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/http/echo.py");
    let (certificate, key) = (format!("{dir}/service.pem"), format!("{dir}/service.key"));
    let server = Program::start("/usr/bin/python3", [script, &port.to_string(), &certificate, &key]);
    let server = server.listening(port.number());
    let text = format!(
        r#"
[listen]
https = "127.0.0.1:0"

[[tls.certificate]]
certificate = "proxy.pem"
key = "proxy.key"

[[host]]
names = ["hq.example.com"]
target = "127.0.0.1"
http = {{ tls = {port}, urls = ["/PBX0/APPS", "/PBX0/WEBSOCKET"] }}
tls = {{ verify = "trust-list", trust = ["ca.pem"], server-name = "{SERVICE_NAME}" }}
"#
    );
    let proxy = Proxy::start(folder.path(), &text);
    let page = format!("https://hq.example.com:{}/PBX0/APPS/", proxy.address("https").port());
    let profile = format!("--user-data-dir={dir}/chromium");
    let browser = Program::start(
        "chromium",
        [
            "--headless",
            // Started as root; there is nothing to be kept in.
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--ignore-certificate-errors",
            "--host-resolver-rules=MAP hq.example.com 127.0.0.1",
            &profile,
            "--remote-debugging-port=0",
            &page,
        ],
    );
    for said in ["small echo: from the page by https", "large true by https", "closed 1000 by https"] {
        server.wait_for(&format!("the page says: {said}"));
    }
    drop(browser);
}
