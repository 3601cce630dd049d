//! kamailio as a PBX, and what it saw.

use std::{collections::BTreeSet, fs, path::Path};

use tempfile::TempDir;

use super::domain;
use crate::common::{Port, Program, fill, service_files, write};

/// A kamailio that logs every request.
pub struct Pbx {
    pub name: &'static str,
    pub tcp: Port,
    pub tls: Port,
    program: Program,
    folder: std::path::PathBuf,
    defines: Vec<&'static str>,
    /// Connections of the test's own.
    probes: BTreeSet<u16>,
}

/// A request as it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub transport: String,
    /// The port that it came from.
    pub port: u16,
    /// The connection that it came by: two of them may have come from the same port, one after the other.
    pub connection: u32,
    pub method: String,
    /// The users of From and To.
    pub from: String,
    pub to: String,
}

impl Pbx {
    /// Starts it with these words defined in its configuration.
    pub fn start(name: &'static str, folder: &TempDir, defines: &[&'static str]) -> Self {
        let dir = folder.path().join(name);
        fs::create_dir(&dir).expect("a folder");
        let [tcp, tls] = [(); 2].map(|()| Port::reserve());
        let [certificate, key] = service_files(folder);
        let tls_configuration = fill(
            include_str!("tls.cfg"),
            &[("CERTIFICATE", &certificate.display()), ("KEY", &key.display())],
        );
        write(&dir, "tls.cfg", &tls_configuration);
        let configuration = fill(
            include_str!("kamailio.cfg"),
            &[("DIR", &dir.display()), ("NAME", &name), ("TCP", &tcp), ("TLS", &tls)],
        );
        write(&dir, "kamailio.cfg", &configuration);
        let program = kamailio(&dir, defines, [&tcp, &tls]);
        let mut pbx =
            Self { name, tcp, tls, program, folder: dir, defines: defines.to_vec(), probes: BTreeSet::new() };
        pbx.probes = pbx.connections();
        pbx
    }

    pub fn domain(&self) -> String {
        domain(self.name)
    }

    /// Ends it.
    pub fn stop(&mut self) {
        self.program.stop();
    }

    /// Starts another in its place, which knows nobody and has seen nothing.
    pub fn start_again(&mut self) {
        self.program = kamailio(&self.folder, &self.defines, [&self.tcp, &self.tls]);
        self.probes = self.connections();
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Request> {
        requests(&self.program)
    }

    /// Waits until the requests are as they should be, and gives them.
    #[track_caller]
    pub fn wait_until(&mut self, what: &str, done: impl Fn(&[Request]) -> bool) -> Vec<Request> {
        self.program.wait_until(what, |program| done(&requests(program)));
        self.requests()
    }

    /// Waits until `user` has registered so many times.
    #[track_caller]
    pub fn wait_for_registrations(&mut self, user: &str, count: usize) {
        let is_it = |line: &&String| line.contains(" registered: ") && line.trim_end().ends_with(user);
        self.program.wait_until("register", |program| program.lines().iter().filter(is_it).count() >= count);
    }

    /// The ports of all who are connected, or were within the last minute, as the system remembers; without the
    /// test's own.
    pub fn clients(&self) -> BTreeSet<u16> {
        self.connections().difference(&self.probes).copied().collect()
    }

    fn connections(&self) -> BTreeSet<u16> {
        let ours = [self.tcp.number(), self.tls.number()].map(|port| (LOOPBACK, port));
        let table = fs::read_to_string("/proc/net/tcp").expect("the table of connections");
        let rows = table.lines().skip(1).filter_map(|row| {
            let mut columns = row.split_whitespace().skip(1);
            Some([end(columns.next()?)?, end(columns.next()?)?])
        });
        let peers = rows.filter_map(|[local, remote]| match [local, remote].map(|end| ours.contains(&end)) {
            [true, false] => Some(remote.1),
            [false, true] => Some(local.1),
            _ => None,
        });
        // A socket that listens has no peer.
        peers.filter(|port| *port != 0).collect()
    }
}

/// Address and port, as the table writes them: the address is a number as it lies in memory.
fn end(written: &str) -> Option<(u32, u16)> {
    let (address, port) = written.split_once(':')?;
    Some((u32::from_str_radix(address, 16).ok()?, u16::from_str_radix(port, 16).ok()?))
}

/// Others may have the same ports on other addresses.
const LOOPBACK: u32 = u32::from_ne_bytes([127, 0, 0, 1]);

fn requests(program: &Program) -> Vec<Request> {
    program.lines().iter().filter_map(|line| Request::parse(line.split_once(" request: ")?.1)).collect()
}

impl Request {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace().map(str::to_owned);
        Some(Self {
            transport: words.next()?,
            port: words.next()?.parse().ok()?,
            connection: words.next()?.parse().ok()?,
            method: words.next()?,
            from: words.next()?,
            to: words.next()?,
        })
    }
}

fn kamailio(folder: &Path, defines: &[&str], [tcp, tls]: [&Port; 2]) -> Program {
    let configuration = folder.join("kamailio.cfg").display().to_string();
    let folder = folder.display().to_string();
    let fixed = ["-f", &configuration, "-DD", "-E", "-m", "32", "-M", "4", "-Y", &folder, "-w", &folder];
    let defines = defines.iter().flat_map(|word| ["-A", word]);
    let program = Program::start("kamailio", fixed.into_iter().chain(defines));
    program.listening(tcp.number()).listening(tls.number())
}
