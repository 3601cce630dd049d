//! One short connection through `rpd`: connect, LDAP bind and its answer, close. Some clients come at a time, as they do: a
//! proxy that falls asleep between any two octets is measured falling asleep.

use std::{
    ffi::OsStr,
    fs,
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::callgrind;

/// What it is called in the file.
pub(crate) const NAME: &str = "rpd/short-connection";

/// What it should stay below, and what would be good. haproxy 2.6 needs 21,700 for the same connection without looking
/// at what it says.
pub(crate) const MUST: u64 = 22_000;
pub(crate) const AIM: u64 = 15_000;

const RUNS: u32 = 3;
const CLIENTS: u32 = 8;
const SHORT: u32 = 400;
const LONG: u32 = 2_000;

const BIND: &[u8] = b"\x30\x24\x02\x01\x01\x60\x1f\x02\x01\x03\x04\x12bench.example\\user\x80\x06secret";
const BOUND: &[u8] = b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00";

/// User instructions of one connection: the least of some runs. Whatever else the machine does lets the worker sleep more
/// often, and never less.
pub(crate) fn count(rpd: &Path) -> Result<u64, String> {
    let mut least = u64::MAX;
    for _ in 0..RUNS {
        let (short, long) = (run(rpd, SHORT)?, run(rpd, LONG)?);
        least = least.min((long - short) / u64::from(LONG - SHORT));
    }
    Ok(least)
}

/// User instructions of a proxy from its start over so many connections to its end.
fn run(rpd: &Path, connections: u32) -> Result<u64, String> {
    let failed = |error: io::Error| format!("a connection through {}: {error}", rpd.display());
    let service = TcpListener::bind("127.0.0.1:0").map_err(failed)?;
    let back = service.local_addr().map_err(failed)?;
    let front = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).map_err(failed)?;
    let folder = tempfile::tempdir().map_err(failed)?;
    let configuration = folder.path().join("rpd.toml");
    let text = format!(
        "state-directory = \"state\"\n[admin]\nsocket = \"\"\n[listen]\nldap = \"{front}\"\n[engine]\nworkers = 1\n[limits]\ndrain = \"1s\"\n\
         [[host]]\nnames = [\"bench.example\"]\ntarget = \"127.0.0.1\"\nldap.tcp = {}\n",
        back.port()
    );
    fs::write(&configuration, text).map_err(failed)?;
    thread::spawn(move || {
        service.incoming().flatten().for_each(|stream| {
            thread::spawn(|| serve(stream));
        });
    });
    let arguments = [OsStr::new("run"), OsStr::new("--config"), configuration.as_os_str()];
    let mut program = callgrind::start(rpd.as_os_str(), &arguments)?;
    let done = wait_for(front).and_then(|()| clients(front, connections / CLIENTS));
    let _ = kill_process(Pid::from_child(&program), Signal::TERM);
    if let Err(error) = done {
        let _ = program.kill();
        return Err(failed(error));
    }
    callgrind::finish(program)
}

fn wait_for(front: SocketAddr) -> io::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        match TcpStream::connect(front) {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => thread::sleep(Duration::from_millis(50)),
        }
    }
}

/// So many connections of each client, one after the other.
fn clients(front: SocketAddr, connections: u32) -> io::Result<()> {
    let client = move || (0..connections).try_for_each(|_| connection(front));
    let clients: Vec<_> = (0..CLIENTS).map(|_| thread::spawn(client)).collect();
    let lost = |_| io::Error::other("a client panicked");
    clients.into_iter().try_for_each(|client| client.join().map_err(lost)?)
}

fn connection(front: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect(front)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.write_all(BIND)?;
    expect(&mut stream, BOUND)?;
    stream.shutdown(Shutdown::Write)?;
    stream.read_to_end(&mut Vec::new()).map(drop)
}

fn serve(mut stream: TcpStream) -> io::Result<()> {
    expect(&mut stream, BIND)?;
    stream.write_all(BOUND)?;
    stream.read_to_end(&mut Vec::new()).map(drop)
}

fn expect(stream: &mut TcpStream, octets: &[u8]) -> io::Result<()> {
    let mut received = vec![0; octets.len()];
    stream.read_exact(&mut received)?;
    if received == octets { Ok(()) } else { Err(io::Error::other("not what was sent")) }
}
