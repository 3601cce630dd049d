//! What the service manager is told, and what signals do.

mod common;

use std::{
    fs,
    net::TcpStream,
    os::unix::net::UnixDatagram,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Instant,
};

use common::{PATIENCE, Port, Process, write};
use rustix::process::{Pid, Signal, kill_process};

#[test]
fn the_manager_hears_of_start_reload_health_and_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = write(folder.path(), "rpd.toml", "[listen]\nsip = \"127.0.0.1:0\"\n");
    let manager = Manager::listen(folder.path());
    let mut rpd = manager.start(&file);
    assert!(manager.hears("READY=1").contains("STATUS=running"));
    manager.hears("WATCHDOG=1");

    signal(&rpd, Signal::HUP);
    let reloading = manager.hears("RELOADING=1");
    let time = reloading.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC="));
    assert!(time.is_some_and(|time| time.parse::<u64>().is_ok_and(|time| time > 0)), "{reloading}");
    manager.hears("READY=1");
    write(folder.path(), "rpd.toml", "colour = 1\n");
    signal(&rpd, Signal::HUP);
    manager.hears("RELOADING=1");
    assert!(manager.hears("READY=1").contains("the last reload failed"));

    signal(&rpd, Signal::TERM);
    manager.hears("STOPPING=1");
    assert!(rpd.wait().expect("an end").success());
}

#[test]
fn the_log_says_what_a_signal_has_done() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = write(folder.path(), "rpd.toml", "[listen]\nldap = \"127.0.0.1:0\"\n");
    let mut rpd = Process::start(&file);
    let address = rpd.address("ldap");
    rpd.signal(Signal::HUP);
    rpd.line("reloaded");
    write(folder.path(), "rpd.toml", "[listen]\nldap = \"127.0.0.1:0\"\nsip = 1\ncolour = 1\n");
    rpd.signal(Signal::HUP);
    rpd.line("not reloaded, and everything is as it was");
    rpd.line("colour");
    // Its first message is waited for.
    let _open = TcpStream::connect(address).expect("it listens still");
    rpd.signal(Signal::TERM);
    rpd.line("SIGTERM: shutting down");
    rpd.signal(Signal::INT);
    rpd.line("SIGINT again: open connections are closed");
    assert!(rpd.wait().success());
}

#[test]
fn a_log_that_was_moved_away_is_opened_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let port = Port::reserve();
    let text = format!("[listen]\nsip = \"127.0.0.1:{port}\"\n[log]\nfile = \"rpd.log\"\n");
    let file = write(folder.path(), "rpd.toml", &text);
    drop(port);
    let rpd = Process::start(&file);
    let (log, old) = (folder.path().join("rpd.log"), folder.path().join("rpd.log.1"));
    let says = |log: &Path, part: &str| fs::read_to_string(log).is_ok_and(|text| text.contains(part));
    until("it logs", || says(&log, "sip on "));
    fs::rename(&log, &old).expect("a rename");
    rpd.signal(Signal::USR1);
    until("it has opened its log anew", || says(&log, "SIGUSR1: the log is opened anew"));
    rpd.signal(Signal::HUP);
    until("it goes on there", || says(&log, "reloaded"));
    assert!(!says(&old, "reloaded"));
}

#[test]
fn changed_certificates_are_found_by_those_who_watch() {
    let folder = common::certificates();
    let text = "[listen]\nsips = \"127.0.0.1:0\"\n[tls]\nwatch = \"20ms\"\n[[tls.certificate]]\ncertificate = \"proxy.pem\"\nkey = \"proxy.key\"\n";
    let file = write(folder.path(), "rpd.toml", text);
    let mut rpd = Process::start(&file);
    rpd.line("sips on ");
    for name in ["service.pem", "service.key"] {
        let text = fs::read_to_string(folder.path().join(name)).expect("a file");
        write(folder.path(), &name.replace("service", "proxy"), &text);
    }
    rpd.line("certificates or keys have changed");
    rpd.line("CN=service.example");
    rpd.line("reloaded");
}

#[test]
fn rpd_reload_waits_and_says_what_came_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "[listen]\nsip = \"127.0.0.1:0\"\n[admin]\nsocket = \"admin.sock\"\n";
    let file = write(folder.path(), "rpd.toml", text);
    let mut rpd = Process::start(&file);
    rpd.line("sip on ");
    let socket = folder.path().join("admin.sock");
    let reload = || {
        let program = env!("CARGO_BIN_EXE_rpd");
        common::run(program, ["reload", "--socket", &socket.display().to_string()])
    };
    write(folder.path(), "rpd.toml", &text.replace("[admin]", "http = \"127.0.0.1:0\"\n[admin]"));
    let done = reload().expect(0);
    assert!(done.out.contains("http on 127.0.0.1:") && done.out.ends_with("reloaded\n"), "{}", done.out);
    write(folder.path(), "rpd.toml", "[listen]\nsip = \"127.0.0.1:0\"\ncolour = 1\n");
    let failed = reload().expect(1);
    assert!(failed.err.contains("rpd.toml:3:1: unknown key listen.colour"), "{}", failed.err);
    rpd.signal(Signal::TERM);
    rpd.wait();
    reload().expect(3);
}

/// The other end of what a service tells.
struct Manager {
    socket: UnixDatagram,
    path: std::path::PathBuf,
}

impl Manager {
    fn listen(folder: &Path) -> Self {
        let path = folder.join("notify");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        Self { socket, path }
    }

    fn start(&self, file: &Path) -> Child {
        Command::new(env!("CARGO_BIN_EXE_rpd"))
            .args(["run", "--config"])
            .arg(file)
            .env("NOTIFY_SOCKET", &self.path)
            .env("WATCHDOG_USEC", "100000")
            .env("STATE_DIRECTORY", file.with_extension("state"))
            .env("RUNTIME_DIRECTORY", file.with_extension("run"))
            .stderr(Stdio::null())
            .spawn()
            .expect("rpd")
    }

    /// The next message that holds `part`.
    fn hears(&self, part: &str) -> String {
        let mut message = [0; 512];
        loop {
            let n = self.socket.recv(&mut message).unwrap_or_else(|error| panic!("{part}: {error}"));
            let text = String::from_utf8_lossy(&message[..n]);
            if text.contains(part) {
                return text.into_owned();
            }
        }
    }
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).expect("a signal");
}

/// Asks again and again for what cannot be waited for.
fn until(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        thread::yield_now();
    }
}
