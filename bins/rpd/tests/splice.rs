//! Bulk between two connections in clear goes through pipes: nothing is lost, kept or held up by that.

mod common;

use std::{
    fs,
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use common::{Process, Proxy, patient};
use rp_ldap::{ResultCode, messages};
use rustix::process::{Pid, Resource, Rlimit, prlimit};

const MEGABYTE: usize = 1 << 20;
/// Pieces are not larger, and many are far smaller.
const PIECE: u32 = 3 << 20;

/// A proxy in front of one service at `target`, by every protocol that has bulk.
fn configuration(target: SocketAddr) -> String {
    let port = target.port();
    format!(
        "[listen]\nhttp = \"127.0.0.1:0\"\nldap = \"127.0.0.1:0\"\n\
         [[host]]\nnames = [\"example.com\"]\ntarget = \"127.0.0.1\"\nhttp.tcp = {port}\nldap.tcp = {port}\n"
    )
}

fn proxy(target: SocketAddr) -> Proxy {
    Proxy::start(Path::new("."), &configuration(target))
}

/// The proxy as a process: its open files tell whether it splices.
struct Watched {
    process: Process,
    /// Pipes that it has anyway.
    others: usize,
    _folder: tempfile::TempDir,
}

impl Watched {
    fn start(target: SocketAddr) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let process = Process::start(&common::write(folder.path(), "rpd.toml", &configuration(target)));
        Self { others: 0, process, _folder: folder }
    }

    /// Where it listens for `kind`; it is up then.
    fn address(&mut self, kind: &str) -> SocketAddr {
        let address = self.process.address(kind);
        self.others = self.files().filter(is_pipe).count();
        address
    }

    fn files(&self) -> impl Iterator<Item = PathBuf> {
        let files = fs::read_dir(format!("/proc/{}/fd", self.process.id())).expect("files");
        files.filter_map(|file| Some(file.ok()?.path()))
    }

    fn pipes(&self) -> usize {
        self.files().filter(is_pipe).count() - self.others
    }
}

fn is_pipe(file: &PathBuf) -> bool {
    fs::read_link(file).is_ok_and(|link| link.to_string_lossy().starts_with("pipe:"))
}

fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

/// Sends `request` through the proxy; both ends, the service's behind what it has read of it.
fn begin(proxy: SocketAddr, listener: &TcpListener, request: &[u8]) -> (TcpStream, TcpStream) {
    let mut client = patient(TcpStream::connect(proxy).expect("the proxy listens"));
    client.write_all(request).expect("the proxy reads");
    let (service, _) = listener.accept().expect("the proxy connects");
    (client, patient(service))
}

/// A tunnel: what was an HTTP connection is not looked at any more.
fn tunnel(proxy: SocketAddr, listener: &TcpListener) -> (TcpStream, TcpStream) {
    let request = b"GET / HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    let (mut client, mut service) = begin(proxy, listener, request);
    head(&mut service);
    service
        .write_all(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        .expect("the proxy reads");
    head(&mut client);
    (client, service)
}

fn head(stream: &mut TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut octet = [0];
        stream.read_exact(&mut octet).expect("a head");
        head.extend(octet);
    }
}

/// Octets that look like chance and are the same for the same seed.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn octets(&mut self, count: usize) -> Vec<u8> {
        std::iter::repeat_with(|| self.next().to_le_bytes()).flatten().take(count).collect()
    }

    /// As many octets as that, or far fewer.
    fn size(&mut self, most: u32) -> u32 {
        let shift = self.next() % 20;
        1 + u32::try_from((self.next() % u64::from(most)) >> shift).unwrap_or(0)
    }
}

/// Writes and reads at the same time; says what has come.
fn exchange(stream: &TcpStream, pieces: Vec<Vec<u8>>, expected: usize) -> Vec<u8> {
    let mut writer = stream.try_clone().expect("a clone");
    let writing = thread::spawn(move || {
        for piece in pieces {
            writer.write_all(&piece).expect("the proxy reads");
        }
    });
    let mut received = vec![0; expected];
    let mut reader = stream;
    reader.read_exact(&mut received).expect("all of it");
    writing.join().expect("the writer");
    received
}

/// Pieces of such kinds of sizes go both ways; each side sees what the other has sent.
fn check(client: &TcpStream, service: TcpStream, up: Vec<Vec<u8>>, down: Vec<Vec<u8>>) {
    let (all_up, all_down) = (up.concat(), down.concat());
    let up_len = all_up.len();
    let serving = thread::spawn(move || exchange(&service, down, up_len));
    assert!(exchange(client, up, all_down.len()) == all_down, "what came down was changed");
    assert!(serving.join().expect("the service") == all_up, "what went up was changed");
}

#[test]
fn octets_of_a_tunnel_pass_unchanged_in_pieces_of_any_size() {
    let (listener, address) = listen();
    let mut proxy = Watched::start(address);
    let (client, service) = tunnel(proxy.address("http"), &listener);
    let mut noise = Noise(1);
    let mut pieces = || {
        (0..60)
            .map(|_| {
                let n = noise.size(PIECE);
                noise.octets(n as usize)
            })
            .collect::<Vec<_>>()
    };
    check(&client, service, pieces(), pieces());
    assert!(proxy.pipes() > 0, "nothing went through a pipe");
}

#[test]
fn messages_of_any_size_pass_unchanged() {
    let (listener, address) = listen();
    let mut proxy = Watched::start(address);
    let bind = messages::simple_bind_request(1, "example.com\\user", "secret");
    let (mut client, mut service) = begin(proxy.address("ldap"), &listener, &bind);
    service.read_exact(&mut vec![0; bind.len()]).expect("the bind");
    let bound = messages::bind_response(1, ResultCode::SUCCESS, "");
    service.write_all(&bound).expect("the proxy reads");
    client.read_exact(&mut vec![0; bound.len()]).expect("the answer");
    let mut noise = Noise(2);
    // An addition upwards, an entry downwards: large messages, and small ones between them.
    let mut message = |operation: u8, number: u32| {
        let content = noise.size(PIECE);
        let id = [&[2, 4][..], &number.to_be_bytes()].concat();
        // Lengths of four octets: what stands before the content has 12 of them.
        let head = [&id, &[operation, 0x84][..], &content.to_be_bytes()].concat();
        let len = (content + 12).to_be_bytes();
        [&[0x30, 0x84][..], &len, &head, &noise.octets(content as usize)].concat()
    };
    let up = (2..60).map(|number| message(0x68, number)).collect();
    let down = (2..60).map(|number| message(0x64, number)).collect();
    check(&client, service, up, down);
    assert!(proxy.pipes() > 0, "nothing went through a pipe");
}

#[test]
fn bodies_of_a_request_and_its_answer_pass_unchanged() {
    let (listener, address) = listen();
    let mut proxy = Watched::start(address);
    let (up, down) = (Noise(3).octets(24 * MEGABYTE), Noise(4).octets(24 * MEGABYTE + 1));
    let request = format!("POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: {}\r\n\r\n", up.len());
    let (mut client, mut service) = begin(proxy.address("http"), &listener, request.as_bytes());
    head(&mut service);
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", down.len());
    let (sent, answered) = (up.clone(), [answer.into_bytes(), down.clone()].concat());
    let serving = thread::spawn(move || {
        let mut received = vec![0; sent.len()];
        service.read_exact(&mut received).expect("the body");
        assert!(received == sent, "what went up was changed");
        service.write_all(&answered).expect("the proxy reads");
        service
    });
    client.write_all(&up).expect("the proxy reads");
    head(&mut client);
    let mut received = vec![0; down.len()];
    client.read_exact(&mut received).expect("the body");
    assert!(received == down, "what came down was changed");
    let mut service = serving.join().expect("the service");
    assert!(proxy.pipes() > 0, "nothing went through a pipe");
    // Behind the bodies both connections are what they were.
    client.write_all(b"GET /next HTTP/1.1\r\nHost: example.com\r\n\r\n").expect("the proxy reads");
    head(&mut service);
}

#[test]
fn an_end_in_the_midst_of_bulk_comes_behind_all_of_it() {
    let (listener, address) = listen();
    let proxy = proxy(address);
    let (mut client, mut service) = tunnel(proxy.address("http"), &listener);
    let (up, down) = (Noise(5).octets(20 * MEGABYTE + 7), Noise(6).octets(20 * MEGABYTE + 3));
    let (sent, answered) = (up.clone(), down.clone());
    let serving = thread::spawn(move || {
        let mut received = Vec::new();
        // Ends only if the client's end is passed on.
        service.read_to_end(&mut received).expect("the end of the client's side");
        service.write_all(&answered).expect("the other direction is open");
        received
    });
    client.write_all(&sent).expect("the proxy reads");
    client.shutdown(Shutdown::Write).expect("a half-close");
    let mut received = Vec::new();
    client.read_to_end(&mut received).expect("the end of the service's side");
    assert!(received == down, "what came down was changed");
    assert!(serving.join().expect("the service") == up, "what went up was changed");
}

#[test]
fn a_reader_that_stands_still_holds_up_who_writes_and_gets_everything_later() {
    let (listener, address) = listen();
    let proxy = proxy(address);
    let (mut client, mut service) = tunnel(proxy.address("http"), &listener);
    service.set_write_timeout(Some(Duration::from_millis(500))).expect("a time-out");
    let block = Noise(7).octets(MEGABYTE);
    let mut written = 0;
    // What the system buffers is a few megabytes on each connection; the proxy itself has one pipe.
    let held_up = loop {
        match service.write(&block[written % MEGABYTE..]) {
            Ok(octets) => written += octets,
            Err(error) => break matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
        }
        assert!(written < 512 * MEGABYTE, "nobody holds up who writes");
    };
    assert!(held_up);
    service.shutdown(Shutdown::Write).expect("an end");
    let mut received = vec![0; MEGABYTE];
    for _ in 0..written / MEGABYTE {
        client.read_exact(&mut received).expect("as much as was written");
        assert!(received == block, "octets were changed");
    }
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).expect("the end");
    assert!(rest == block[..written % MEGABYTE], "octets were changed at the end");
}

#[test]
fn who_goes_away_in_the_midst_of_bulk_ends_the_other_side() {
    let (listener, address) = listen();
    let proxy = proxy(address);
    for _ in 0..8 {
        let (mut client, mut service) = tunnel(proxy.address("http"), &listener);
        let serving = thread::spawn(move || {
            let block = vec![7; MEGABYTE];
            while service.write_all(&block).is_ok() {}
        });
        client.read_exact(&mut vec![0; 12 * MEGABYTE]).expect("bulk");
        // With octets unread, this is a reset.
        drop(client);
        serving.join().expect("the service is told");
    }
}

#[test]
fn without_files_for_pipes_bulk_is_copied() {
    let (listener, address) = listen();
    let mut proxy = Watched::start(address);
    let (client, service) = tunnel(proxy.address("http"), &listener);
    let pid = Pid::from_raw(proxy.process.id() as i32).expect("a process");
    let open = Some(proxy.files().count() as u64);
    prlimit(Some(pid), Resource::Nofile, Rlimit { current: open, maximum: open }).expect("a limit");
    let (up, down) = (Noise(8).octets(20 * MEGABYTE), Noise(9).octets(20 * MEGABYTE));
    check(&client, service, vec![up], vec![down]);
    assert_eq!(proxy.pipes(), 0);
}
