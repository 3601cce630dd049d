//! baresip as a phone that routes by Contact and Record-Route as it should, and does what it is told.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
};

use super::Stage;
use crate::common::{PATIENCE, Port, Program, client_certificate_file, fill, write};

/// bob of the branch.
pub struct Baresip {
    control: BufReader<TcpStream>,
    _program: Program,
}

impl Baresip {
    /// Starts it; it registers then.
    pub fn start(stage: &Stage) -> Self {
        let proxy = if stage.transport() == "tls" { stage.proxy.sips } else { stage.proxy.sip };
        Self::start_at(stage, &proxy.to_string())
    }

    /// The same, with this address of the proxy.
    pub fn start_at(stage: &Stage, proxy: &str) -> Self {
        let folder = stage.folder.path().join("baresip");
        fs::create_dir(&folder).expect("a folder");
        let control = Port::reserve();
        let certificate = client_certificate_file(stage.folder.path(), "bob");
        let authority = stage.folder.path().join("ca.pem");
        let config = fill(
            include_str!("baresip/config"),
            &[
                ("CERTIFICATE", &certificate.display()),
                ("AUTHORITY", &authority.display()),
                ("CONTROL", &control),
            ],
        );
        write(&folder, "config", &config);
        let accounts = fill(
            include_str!("baresip/accounts"),
            &[("DOMAIN", &stage.branch.domain()), ("TRANSPORT", &stage.transport()), ("PROXY", &proxy)],
        );
        write(&folder, "accounts", &accounts);
        let mut program = Program::start("baresip", ["-f", &folder.display().to_string(), "-s"]);
        let address = ("127.0.0.1", control.number());
        // It serves one at a time, so the connection that shows it is there is the one to keep.
        program.wait_until("listen", |_| TcpStream::connect(address).is_ok());
        let control = TcpStream::connect(address).expect("its console");
        control.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        Self { control: BufReader::new(control), _program: program }
    }

    /// Tells it to do something.
    pub fn tell(&mut self, command: &str, parameters: &str) {
        let json = serde_json::json!({ "command": command, "params": parameters }).to_string();
        self.control.get_mut().write_all(format!("{}:{json},", json.len()).as_bytes()).expect("its console");
    }

    /// Waits until it tells of an event of this type.
    pub fn wait_for(&mut self, event: &str) {
        let mut said = Vec::new();
        while let Some(message) = self.message() {
            if message["type"] == event {
                return;
            }
            said.push(message.to_string());
        }
        panic!("baresip did not say {event}:\n{}", said.join("\n"));
    }

    /// The next netstring.
    fn message(&mut self) -> Option<serde_json::Value> {
        let mut length = Vec::new();
        self.control.read_until(b':', &mut length).ok()?;
        let length: usize = String::from_utf8(length).ok()?.strip_suffix(':')?.parse().ok()?;
        // The comma behind it, too.
        let mut json = vec![0; length + 1];
        self.control.read_exact(&mut json).ok()?;
        serde_json::from_slice(json.strip_suffix(b",")?).ok()
    }
}
