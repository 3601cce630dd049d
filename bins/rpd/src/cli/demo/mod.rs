//! `rpd demo`: the real proxy in front of stand-in services on loopback, without any configuration.

mod check;
mod commands;
pub mod stand_in;

use std::{
    error::Error, fmt::Write as _, fs, net::TcpListener, os::unix::fs::PermissionsExt, path::Path,
    process::ExitCode,
};

use clap::Args;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rp_route::leg::Transport;
use tempfile::TempDir;

use super::{run::Attendant, token};
use crate::{
    config::Config,
    logging,
    protocol::{Kind, Protocol},
    server::{self, Running},
};
use stand_in::{Ports, StandIn};

/// Run the proxy in front of stand-in services on loopback; nothing needs to be configured.
///
/// Example: rpd demo, then paste one of the commands that it prints
#[derive(Debug, Args)]
pub struct Demo {
    /// Run every probe over TCP and TLS through the proxy, print what came of it, and exit
    #[arg(long)]
    check: bool,
}

/// Everything that a demo needs while it runs.
struct Stage {
    /// Certificates and the configuration; gone with the demo.
    folder: TempDir,
    proxy: Running,
    /// Lets in whoever administers it.
    token: String,
    /// Stops when it is dropped.
    _stand_ins: [StandIn; 2],
}

impl Demo {
    pub(super) fn run(self) -> ExitCode {
        let stage = match set(self.check) {
            Ok(stage) => stage,
            Err(error) => {
                eprintln!("error: {error}");
                return ExitCode::FAILURE;
            }
        };
        if self.check {
            let right = super::block_on(check::run(stage.folder.path(), &stage.proxy.listeners()));
            stage.proxy.stop().close();
            stage.proxy.join();
            return if right { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
        commands::print(stage.folder.path(), &stage.proxy.listeners());
        for address in stage.proxy.admin_addresses() {
            println!("What happens, and the lists to change:\n\n  http://{address}/#token={}\n", stage.token);
        }
        println!("Every request is one line below. Ctrl-C ends the demo.\n");
        match Attendant::new(&stage.proxy.control().state().config) {
            Ok(attendant) => attendant.serve(stage.proxy),
            Err(error) => {
                eprintln!("error: signals cannot be waited for: {error}");
                return ExitCode::FAILURE;
            }
        }
        println!("The demo has ended.");
        ExitCode::SUCCESS
    }
}

fn set(check: bool) -> Result<Stage, Box<dyn Error>> {
    let folder = tempfile::Builder::new().prefix("rpd-demo-").tempdir()?;
    certificates(folder.path())?;
    let [certificate, key] = ["server.pem", "server.key"].map(|file| folder.path().join(file));
    let hq = StandIn::start("hq", &certificate, &key)?;
    let branch = StandIn::start("branch", &certificate, &key)?;
    let token = token::make()?;
    let mut text = configuration(&hq.ports, &branch.ports, check);
    let port = if check { 0 } else { free(18090) };
    let row = token::row("demo", &token, "admin");
    let _ = write!(text, "\n[admin]\nlisten = \"127.0.0.1:{port}\"\n{row}");
    fs::write(folder.path().join(PASSWORD_FILE), "guest\n")?;
    let path = folder.path().join("rpd.toml");
    fs::write(&path, &text)?;
    let (config, _) = Config::parse(&text, &path)?;
    if !check {
        logging::start(&config.log)?;
    }
    let proxy = server::start(config)?;
    Ok(Stage { folder, proxy, token: token.token, _stand_ins: [hq, branch] })
}

/// The password of `ldap-guest`, for `rpd probe`.
const PASSWORD_FILE: &str = "ldap-guest.password";

/// An authority, and a certificate by it for all names of the demo.
fn certificates(folder: &Path) -> Result<(), Box<dyn Error>> {
    let mut authority = CertificateParams::default();
    authority.distinguished_name.push(DnType::CommonName, "rpd demo authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate()?;
    let authority_certificate = authority.self_signed(&authority_key)?;
    let issuer = Issuer::new(authority, authority_key);

    let names = ["*.example.com", "example.com", "localhost", "127.0.0.1"].map(str::to_owned);
    let mut server = CertificateParams::new(names)?;
    server.distinguished_name.push(DnType::CommonName, "example.com");
    let key = KeyPair::generate()?;
    let certificate = server.signed_by(&key, &issuer)?;
    fs::write(folder.join("ca.pem"), authority_certificate.pem())?;
    fs::write(folder.join("server.pem"), certificate.pem())?;
    let key_file = folder.join("server.key");
    fs::write(&key_file, key.serialize_pem())?;
    fs::set_permissions(&key_file, fs::Permissions::from_mode(0o600))?;
    Ok(())
}

/// The configuration, as an administrator would write it.
fn configuration(hq: &Ports, branch: &Ports, check: bool) -> String {
    let mut text = String::from(
        "# What `rpd demo` runs with: two PBXs on loopback, and one that does not answer.\nstate-directory = \"state\"\n\n[listen]\n",
    );
    for kind in Kind::all() {
        let port = if check { 0 } else { free(preferred(kind)) };
        let _ = writeln!(text, "{kind:<5} = \"127.0.0.1:{port}\"");
    }
    text.push_str(
        "\n[tls]\n[[tls.certificate]]\ncertificate = \"server.pem\"\nkey = \"server.key\"\n\n[log]\nforwarded = true\nrejected = true\n",
    );
    host(&mut text, "hq, the master PBX", &["example.com", "hq.example.com"], "127.0.0.1", hq);
    host(
        &mut text,
        "branch, a slave PBX",
        &["example.com/branch", "branch.example.com"],
        "127.0.0.1",
        branch,
    );
    // 127.0.0.2 is loopback too, and nothing listens there.
    host(&mut text, "a PBX that is switched off", &["down.example.com"], "127.0.0.2", hq);
    text
}

fn host(text: &mut String, comment: &str, names: &[&str], target: &str, ports: &Ports) {
    let _ = writeln!(text, "\n[[host]]\ncomment = {comment:?}\nnames   = {names:?}\ntarget  = {target:?}");
    for protocol in Protocol::ALL {
        let [tcp, tls] =
            [Transport::Tcp, Transport::Tls].map(|transport| ports.of(Kind { protocol, transport }));
        let urls = if protocol == Protocol::Http { ", urls = [\"/PBX0/APPS\", \"/PBX0/MY/\"]" } else { "" };
        let _ = writeln!(text, "{protocol:<4}    = {{ tcp = {tcp}, tls = {tls}{urls} }}");
    }
    text.push_str(
        "tls     = { verify = \"trust-list\", trust = [\"ca.pem\"], server-name = \"hq.example.com\" }\n",
    );
}

/// Ports above 1024 that remind of the usual ones.
fn preferred(kind: Kind) -> u16 {
    match (kind.protocol, kind.transport) {
        (Protocol::H323, Transport::Tcp) => 11720,
        (Protocol::H323, Transport::Tls) => 11300,
        (Protocol::Sip, Transport::Tcp) => 15060,
        (Protocol::Sip, Transport::Tls) => 15061,
        (Protocol::Ldap, Transport::Tcp) => 10389,
        (Protocol::Ldap, Transport::Tls) => 10636,
        (Protocol::Http, Transport::Tcp) => 18080,
        (Protocol::Http, Transport::Tls) => 18443,
    }
}

/// The port, or 0 if it is taken.
fn free(port: u16) -> u16 {
    TcpListener::bind(("127.0.0.1", port)).map_or(0, |_| port)
}
