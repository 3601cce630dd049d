//! The PROXY protocol with programs that speak it: haproxy in front of the proxy; haproxy, nginx and slapd behind it.
//!
//! Debian packages: curl, haproxy, nginx-light, slapd. `cargo test -p rpd --test peers_proxy_protocol -- --ignored`

mod common;

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use common::{PATIENCE, Port, Program, Proxy, certificates, fill, run, write};
use rp_ldap::messages;
use socket2::{Domain, Socket, Type};

/// Any address of loopback but the usual one, so that the client is not taken for the proxy before or behind it.
const CLIENT: &str = "127.0.0.9";

/// curl from [`CLIENT`].
fn curl(scheme: &str, port: u16) -> String {
    let url = format!("{scheme}://a.example:{port}/");
    let resolve = format!("a.example:{port}:127.0.0.1");
    run("curl", ["-sSk", "--interface", CLIENT, "--resolve", &resolve, "-w", " %{http_code}", &url]).ok()
}

#[test]
#[ignore = "needs curl, haproxy, nginx-light (Debian packages)"]
fn behind_haproxy_the_client_is_the_one_that_it_names() {
    let folder = certificates();
    let dir = folder.path().display();
    let [service, tls] = [(); 2].map(|()| Port::reserve());
    let _nginx = nginx(folder.path(), &service, &tls);
    let text = format!(
        "[listen]\nhttp = \"127.0.0.1:0\"\nhttps = \"127.0.0.1:0\"\ntrusted-proxies = [\"127.0.0.1\"]\nproxy-protocol = [\"http\", \"https\"]\n\
         [[tls.certificate]]\ncertificate = \"{dir}/proxy.pem\"\nkey = \"{dir}/proxy.key\"\n\
         [[host]]\nnames = [\"a.example\"]\ntarget = \"127.0.0.1\"\nhttp = {{ tcp = {service}, networks = [\"{CLIENT}\"], send-proxy = \"v1\" }}\n"
    );
    let proxy = Proxy::start(folder.path(), &text);
    let ports = [(); 4].map(|()| Port::reserve());
    let configuration = fill(
        include_str!("peers/proxy_protocol/front.cfg"),
        &[
            ("V_ONE", &ports[0]),
            ("V_TWO", &ports[1]),
            ("V_ONE_TLS", &ports[2]),
            ("V_TWO_TLS", &ports[3]),
            ("HTTP", &proxy.address("http")),
            ("HTTPS", &proxy.address("https")),
        ],
    );
    let configuration = write(folder.path(), "front.cfg", &configuration).display().to_string();
    let haproxy = Program::start("haproxy", ["-db", "-f", &configuration]).listening(ports[0].number());
    let [v1, v2, v1_tls, v2_tls] = ports.map(|port| port.number());
    for (scheme, port) in [("http", v1), ("http", v2), ("https", v1_tls), ("https", v2_tls)] {
        // The service is told what haproxy has told.
        assert_eq!(curl(scheme, port), format!("{CLIENT} at 127.0.0.1:{port} 200"));
    }
    let check = haproxy.wait_for("Health check for server v2/proxy");
    assert!(check.contains("succeeded"), "{check}");
}

#[test]
#[ignore = "needs curl, haproxy (Debian packages)"]
fn haproxy_behind_the_proxy_learns_the_client() {
    a_service_learns_the_client(|folder, port, tls| {
        let pem =
            ["service.pem", "service.key"].map(|file| fs::read_to_string(folder.join(file)).expect("a file"));
        write(folder, "both.pem", &pem.concat());
        let values: [(&str, &dyn std::fmt::Display); 3] =
            [("PORT", port), ("TLS", tls), ("DIR", &folder.display())];
        let text = fill(include_str!("peers/proxy_protocol/behind.cfg"), &values);
        let file = write(folder, "behind.cfg", &text).display().to_string();
        Program::start("haproxy", ["-db", "-f", &file]).listening(tls.number())
    });
}

#[test]
#[ignore = "needs curl, nginx-light (Debian packages)"]
fn nginx_behind_the_proxy_learns_the_client() {
    a_service_learns_the_client(nginx);
}

fn nginx(folder: &std::path::Path, port: &Port, tls: &Port) -> Program {
    let values: [(&str, &dyn std::fmt::Display); 3] =
        [("PORT", port), ("TLS", tls), ("DIR", &folder.display())];
    let text = fill(include_str!("peers/proxy_protocol/nginx.conf"), &values);
    let file = write(folder, "nginx.conf", &text).display().to_string();
    Program::start("nginx", ["-e", "stderr", "-c", &file]).listening(tls.number())
}

fn a_service_learns_the_client(start: impl Fn(&std::path::Path, &Port, &Port) -> Program) {
    let folder = certificates();
    let [port, tls] = [(); 2].map(|()| Port::reserve());
    let _service = start(folder.path(), &port, &tls);
    for version in ["v1", "v2"] {
        for leg in [format!("tcp = {port}"), format!("tls = {tls}")] {
            let text = format!(
                "[listen]\nhttp = \"127.0.0.1:0\"\n[[host]]\nnames = [\"a.example\"]\ntarget = \"127.0.0.1\"\n\
                 http = {{ {leg}, send-proxy = \"{version}\" }}\ntls = {{ verify = \"none\" }}\n"
            );
            let proxy = Proxy::start(folder.path(), &text);
            let came_in = proxy.address("http").port();
            assert_eq!(
                curl("http", came_in),
                format!("{CLIENT} at 127.0.0.1:{came_in} 200"),
                "{version} {leg}"
            );
        }
    }
}

#[test]
#[ignore = "needs slapd (Debian package)"]
fn slapd_behind_the_proxy_learns_the_client() {
    let folder = certificates();
    let port = Port::reserve();
    let [certificate, key, db] = ["service.pem", "service.key", "db"].map(|file| folder.path().join(file));
    fs::create_dir(&db).expect("a folder");
    let configuration = fill(
        include_str!("peers/ldap/slapd.conf"),
        &[
            ("DIR", &folder.path().display()),
            ("CERTIFICATE", &certificate.display()),
            ("KEY", &key.display()),
            ("SUFFIX", &"dc=a,dc=example"),
        ],
    );
    let configuration = write(folder.path(), "slapd.conf", &configuration).display().to_string();
    let url = format!("pldap://127.0.0.1:{port}/");
    let slapd =
        Program::start("slapd", ["-f", &configuration, "-h", &url, "-d", "stats"]).listening(port.number());
    let text = format!(
        "[listen]\nldap = \"127.0.0.1:0\"\n[[host]]\nnames = [\"a.example\"]\ntarget = \"127.0.0.1\"\nldap = {{ tcp = {port}, send-proxy = \"v2\" }}\n"
    );
    let proxy = Proxy::start(folder.path(), &text);
    let mut client = from(CLIENT, proxy.address("ldap"));
    let own = client.local_addr().expect("an address");
    client
        .write_all(&messages::simple_bind_request(1, "cn=u,dc=a,dc=example", "x"))
        .expect("the proxy reads");
    client.read_exact(&mut [0; 14]).expect("an answer");
    let line = slapd.wait_for("ACCEPT from IP=127.0.0.9");
    assert!(line.contains(&format!("IP={own} ")), "{line}");
}

/// A connection from this address.
fn from(source: &str, to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let source: SocketAddr = format!("{source}:0").parse().expect("an address");
    socket.bind(&source.into()).expect("an address of loopback");
    socket.connect(&to.into()).expect("the proxy listens");
    socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    socket.into()
}
