//! A thousand reloads while clients come and go. Alone in its process, for what it counts is the process's.

mod common;

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

use common::{
    PATIENCE, Proxy, certificates, connect,
    sip::{Pbx, Wire, register, register_at, response},
};

#[test]
fn a_thousand_reloads_under_load_lose_nothing_and_leave_nothing() {
    let folder = certificates();
    let (web, pbx) = (web(), Pbx::start(folder.path()));
    let proxy = Proxy::start(folder.path(), &configuration(web, pbx.tcp, 1));
    let address = proxy.address("http");
    let mut phone = Wire::phone(&proxy);
    let mut line = register_at(&mut phone, &pbx, "one.example");
    reload(&proxy, web, pbx.tcp, 0..10);
    let base = (open_files(), resident());

    let (over, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|n| {
            let (over, served) = (over.clone(), served.clone());
            thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    // Each of them loses nothing: neither its connection nor an answer.
                    client(address, n);
                    served.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    reload(&proxy, web, pbx.tcp, 10..RELOADS);
    over.store(true, Ordering::Relaxed);
    for client in clients {
        client.join().expect("every client is served to its end");
    }
    assert!(served.load(Ordering::Relaxed) >= CLIENTS);

    let again = register("101", "one.example", "again");
    phone.send(&again);
    assert_eq!(line.text_message(), again);
    line.send(response(again.as_bytes(), "200 OK", ""));
    assert_eq!(phone.start_line(), "SIP/2.0 200 OK");
    let deadline = Instant::now() + PATIENCE;
    while open_files() > base.0 + PARKED {
        assert!(Instant::now() < deadline, "{} files are open, {} were", open_files(), base.0);
        thread::yield_now();
    }
    let grown = resident().saturating_sub(base.1);
    assert!(grown < GROWTH, "{grown} octets more are resident");
    println!("{} served, {grown} octets more are resident", served.load(Ordering::Relaxed));
}

/// Every tenth is invalid, and of the others every second has one listener and one host more.
fn reload(proxy: &Proxy, web: u16, sip: u16, rounds: std::ops::Range<usize>) {
    for round in rounds {
        let before = proxy.control().state();
        if round % 10 == 9 {
            let text = format!("{}colour = \"red\"\n", configuration(web, sip, round));
            proxy.reload(&text).expect_err("an unknown key");
            assert!(Arc::ptr_eq(&before, &proxy.control().state()));
        } else {
            proxy.reload(&configuration(web, sip, round)).expect("a reload");
        }
    }
}

fn configuration(web: u16, sip: u16, round: usize) -> String {
    let (listener, host) = if round.is_multiple_of(2) {
        let host = "[[host]]\nnames = [\"two.example\"]\ntarget = \"127.0.0.2\"\nldap = { tcp = 389 }\n";
        ("ldap = \"127.0.0.1:0\"", host)
    } else {
        ("", "")
    };
    format!(
        r#"
[listen]
http = "127.0.0.1:0"
https = "127.0.0.1:0"
sip = "127.0.0.1:0"
{listener}
[[tls.certificate]]
certificate = "proxy.pem"
key = "proxy.key"
{host}
[[host]]
names = ["one.example"]
target = "127.0.0.1"
http = {{ tcp = {web} }}
sip = {{ tcp = {sip} }}
comment = "{round}"
"#
    )
}

/// Two requests on one connection.
fn client(address: SocketAddr, n: usize) {
    let mut stream = connect(address);
    for request in 0..2 {
        write!(stream, "GET /{n}/{request} HTTP/1.1\r\nHost: one.example\r\n\r\n")
            .expect("a request is taken");
        let mut answer = [0; 64];
        let mut got = 0;
        while !answer[..got].ends_with(b"ok") {
            let more = stream.read(&mut answer[got..]).expect("an answer comes");
            assert!(more > 0, "the connection ended: {}", String::from_utf8_lossy(&answer[..got]));
            got += more;
        }
        assert!(answer.starts_with(b"HTTP/1.1 200 "));
    }
}

fn web() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut received = Vec::new();
                while common::web::next_request(&mut stream, &mut received).is_some() {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
                }
            });
        }
    });
    port
}

fn open_files() -> usize {
    fs::read_dir("/proc/self/fd").expect("the files").count()
}

fn resident() -> usize {
    let pages = fs::read_to_string("/proc/self/statm").expect("the memory");
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).expect("a number") * 4096
}

const RELOADS: usize = 1000;
const CLIENTS: usize = 4;

/// Connections to the service that wait for another request, each with both ends in this process; and what the last
/// configuration listens on beyond the first.
const PARKED: usize = 4 * CLIENTS * 2 + 16;

/// A state of this configuration is some hundred KiB: a thousand of them would show.
const GROWTH: usize = 24 << 20;
