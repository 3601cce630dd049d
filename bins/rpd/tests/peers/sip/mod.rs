//! What SIP is tried with: kamailio as the PBX, sipp and baresip as the phones, socat where a program speaks no TLS,
//! and the proxy as a program, for what it logs.

#![allow(dead_code, unreachable_pub, unused_imports, reason = "each test file uses a part of this")]

mod baresip;
mod pbx;
mod proxy;
mod socat;

use std::fmt::Display;

pub use baresip::Baresip;
pub use pbx::{Pbx, Request};
pub use proxy::{Log, Rpd};
pub use socat::{Router, Tunnel};
use tempfile::TempDir;

use crate::common::{Finished, Port, Program, SERVICE_NAME, certificates, fill, run, write};

/// The proxy in front of two PBXs.
pub struct Stage {
    // In this order: what connects to another goes before it.
    tunnel: Option<Tunnel>,
    pub proxy: Rpd,
    pub hq: Pbx,
    pub branch: Pbx,
    kind: &'static str,
    pub folder: TempDir,
}

/// How a call goes on once it stands, for sipp.
pub const CALLER_HANGS_UP: &str = include_str!("caller-hangs-up.xml");
pub const CALLEE_HANGS_UP: &str = include_str!("callee-hangs-up.xml");
pub const IS_HUNG_UP: &str = include_str!("is-hung-up.xml");

impl Stage {
    /// Phones come by `kind`, and are taken to the PBX in the same way.
    pub fn set(kind: &'static str) -> Self {
        let folder = certificates();
        let [hq, branch] = ["hq", "branch"].map(|name| Pbx::start(name, &folder, &[]));
        let hosts = [&hq, &branch].map(|pbx| {
            let sip = format!("tcp = {}, tls = {}", pbx.tcp, pbx.tls);
            host(&[&pbx.domain()], &sip)
        });
        Self::with(kind, folder, [hq, branch], &hosts.concat())
    }

    /// The same with these hosts, and what else is in the configuration.
    pub fn with(kind: &'static str, folder: TempDir, [hq, branch]: [Pbx; 2], hosts: &str) -> Self {
        let proxy = Rpd::start(&folder, hosts);
        let tunnel = (kind == "sips").then(|| Tunnel::to(proxy.sips, &folder, ""));
        Self { tunnel, proxy, hq, branch, kind, folder }
    }

    /// Ends it, and gives what the proxy has logged.
    pub fn end(self) -> Log {
        drop(self.tunnel);
        self.proxy.end()
    }

    /// `tcp` or `tls`: how phones come, and how the PBX gets to see them.
    pub fn transport(&self) -> &'static str {
        if self.kind == "sips" { "tls" } else { "tcp" }
    }

    /// sipp as so many phones of the host's domain, one after the other, which expect this answer to their passwords.
    pub fn register(&self, name: &str, password: &str, status: u16, phones: usize) -> Finished {
        self.sipp(&register(name, password, status), phones)
    }

    /// sipp as so many phones of the host's domain at the same time.
    pub fn register_at_once(&self, name: &str, phones: usize) -> Finished {
        sipp(&self.folder, &register(name, "alice-pw", 200), phones, phones, &self.address())
    }

    /// sipp as a phone that registers at these hosts as From for To, by one connection to `at`, and expects these
    /// answers. It has no password.
    pub fn register_as(&self, steps: &[(&str, &str, &str, u16)], at: &str) -> Finished {
        let steps = steps.iter().enumerate().map(|(number, (name, from, to, status))| {
            let values: [(&str, &dyn Display); 5] = [
                ("DOMAIN", &domain(name)),
                ("FROM", from),
                ("TO", to),
                ("NUMBER", &(number + 1)),
                ("STATUS", status),
            ];
            fill(include_str!("register-step.xml"), &values)
        });
        let steps: String = steps.collect();
        let scenario = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<scenario name=\"register\">\n{steps}</scenario>\n"
        );
        sipp(&self.folder, &scenario, 1, 1, at)
    }

    /// sipp as so many phones that begin with a challenge which the registrar does not know any more.
    pub fn register_with_an_old_nonce(&self, name: &str, phones: usize) -> Finished {
        self.sipp(&fill(include_str!("old-nonce.xml"), &[("DOMAIN", &domain(name))]), phones)
    }

    /// sipp as one phone of a domain that nobody has.
    pub fn refused(&self, domain: &str) -> Finished {
        self.sipp(&fill(include_str!("refused.xml"), &[("DOMAIN", &domain)]), 1)
    }

    /// sipp as alice of the branch, who calls bob.
    pub fn call(&self, ending: &str) -> Finished {
        let call = fill_ending(include_str!("call.xml"), ending);
        self.sipp(&fill(&call, &[("DOMAIN", &self.branch.domain())]), 1)
    }

    /// sipp as alice of the branch, who registers and answers the calls that come then.
    pub fn answer(&self, ending: &str) -> Phone {
        let hold = fill(include_str!("hold.xml"), &[("DOMAIN", &self.branch.domain())]);
        let hold = write(self.folder.path(), "hold.xml", &hold).display().to_string();
        let answer = fill_ending(include_str!("answer.xml"), ending);
        let answer = write(self.folder.path(), "answer.xml", &answer).display().to_string();
        let proxy = self.address();
        let port = Port::reserve();
        let own = ["-sf", &hold, "-oocsf", &answer, "-t", "t1", "-m", "1", "-p", &port.to_string(), &proxy];
        let sipp = Program::start("sipp", own.iter().chain(&FIXED));
        Phone { _sipp: sipp, _port: port }
    }

    /// sipp with a scenario, once a phone, one after the other.
    pub fn sipp(&self, scenario: &str, phones: usize) -> Finished {
        sipp(&self.folder, scenario, phones, 1, &self.address())
    }

    /// Where phones connect to.
    pub fn address(&self) -> String {
        match &self.tunnel {
            Some(tunnel) => tunnel.address(),
            None => self.proxy.sip.to_string(),
        }
    }
}

/// A sipp that is registered until this is dropped.
pub struct Phone {
    _sipp: Program,
    _port: Port,
}

/// A row of the configuration.
pub fn host(names: &[&str], sip: &str) -> String {
    format!(
        r#"
[[host]]
names = {names:?}
target = "127.0.0.1"
sip = {{ {sip} }}
tls = {{ verify = "trust-list", trust = ["ca.pem"], server-name = "{SERVICE_NAME}" }}
"#
    )
}

fn domain(name: &str) -> String {
    format!("{name}.example.com")
}

fn fill_ending(scenario: &str, ending: &str) -> String {
    scenario.replace("@ENDING@", ending)
}

fn register(name: &str, password: &str, status: u16) -> String {
    fill(
        include_str!("register.xml"),
        &[("NAME", &name), ("DOMAIN", &domain(name)), ("PASSWORD", &password), ("STATUS", &status)],
    )
}

/// sipp with a scenario, once a phone, so many at a time.
pub fn sipp(folder: &TempDir, scenario: &str, phones: usize, at_a_time: usize, to: &str) -> Finished {
    let scenario = write(folder.path(), "scenario.xml", scenario).display().to_string();
    // Left alone it takes a port that another sipp is about to take, too.
    let reserved = Port::reserve();
    let (phones, at_a_time, port) = (phones.to_string(), at_a_time.to_string(), reserved.to_string());
    let how_many = ["-m", &phones, "-l", &at_a_time, "-r", "500", "-max_socket", "1000"];
    let own = ["-sf", &scenario, "-t", "tn", "-p", &port, "-timeout", "60s", "-timeout_error", to];
    run("sipp", own.iter().chain(&how_many).chain(&FIXED))
}

const FIXED: [&str; 6] = ["-i", "127.0.0.1", "-nostdin", "-trace_err", "-error_file", "/dev/stderr"];
