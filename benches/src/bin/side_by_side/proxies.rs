//! The proxies: writes what each has to be told to do the same work, and runs it.

use std::{
    fs::{self, File},
    io,
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{
    http,
    ldap::NAME,
    protocol::Protocol,
    rows::{Back, Front, Setup},
};

/// Whose turn it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    Rpd,
    Haproxy,
    Nginx,
}

impl Peer {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rpd => "rpd",
            Self::Haproxy => "haproxy",
            Self::Nginx => "nginx",
        }
    }
}

/// A proxy at work, until it is dropped.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    child: Child,
    log: PathBuf,
}

impl Proxy {
    /// Starts a fresh one in front of `service`. Files that it needs and leaves are in `folder`.
    pub(crate) fn start(
        peer: Peer,
        setup: Setup,
        folder: &Path,
        rpd: &Path,
        service: SocketAddr,
    ) -> io::Result<Self> {
        let address = free_address()?;
        let job = Job { setup, folder: &folder.display().to_string(), front: address, back: service };
        let configuration = folder.join(format!("{}.conf", peer.name()));
        let text = match peer {
            Peer::Rpd => job.rpd(),
            Peer::Haproxy => job.haproxy(),
            Peer::Nginx => job.nginx(),
        };
        fs::write(&configuration, text)?;
        let log = folder.join(format!("{}.log", peer.name()));
        let mut command = match peer {
            Peer::Rpd => Command::new(rpd),
            peer => Command::new(peer.name()),
        };
        match peer {
            Peer::Rpd => command.args(["run", "--config"]).arg(configuration),
            Peer::Haproxy => command.args(["-db", "-f"]).arg(configuration),
            Peer::Nginx => command.arg("-e").arg(folder.join("nginx.err")).arg("-c").arg(configuration),
        };
        command.env("STATE_DIRECTORY", folder).env("RUNTIME_DIRECTORY", folder);
        let output = File::create(&log)?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let child = command.spawn().map_err(|error| {
            io::Error::other(format!(
                "{} cannot be started: {error}",
                command.get_program().to_string_lossy()
            ))
        })?;
        let mut proxy = Self { address, child, log };
        proxy.listening()?;
        Ok(proxy)
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// The end of what it has written.
    pub(crate) fn last_words(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(5)..].join("\n")
    }

    fn listening(&mut self) -> io::Result<()> {
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(self.address).is_err() {
            if self.child.try_wait()?.is_some() || Instant::now() > deadline {
                return Err(io::Error::other(format!("it does not listen: {}", self.last_words())));
            }
            sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // By signal, because nginx has processes of its own to end.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let deadline = Instant::now() + Duration::from_secs(5);
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}

/// One setup with its places.
struct Job<'a> {
    setup: Setup,
    folder: &'a str,
    front: SocketAddr,
    back: SocketAddr,
}

impl Job<'_> {
    /// HTTP on one core, as the legs that are kept belong to a worker; everything else on two.
    fn workers(&self) -> u32 {
        if self.setup.protocol == Protocol::Http { 1 } else { 2 }
    }

    fn certificate(&self) -> Option<&'static str> {
        match self.setup.front {
            Front::Plain => None,
            Front::P256 | Front::ClientCertificate => Some("p256"),
            Front::Rsa2048 => Some("rsa2048"),
        }
    }

    /// The default build with its defaults; only the caps have to let all this through.
    fn rpd(&self) -> String {
        let Self { setup, folder, front, back } = self;
        let protocol = match setup.protocol {
            Protocol::Ldap => "ldap",
            Protocol::Sip => "sip",
            Protocol::Http => "http",
        };
        let (secure, tls) = match self.certificate() {
            None => ("", String::new()),
            Some(file) => {
                let asked = if setup.front == Front::ClientCertificate { r#""ldaps""# } else { "" };
                let tls = format!(
                    "[tls]\nrequest-client-certificate = [{asked}]\ntrust-list = [\"{folder}/ca.crt\"]\n\
                     [[tls.certificate]]\ncertificate = \"{folder}/{file}.crt\"\nkey = \"{folder}/{file}.key\"\n"
                );
                ("s", tls)
            }
        };
        let (kind, judged) = match setup.back {
            Back::Plain => ("tcp", ""),
            Back::Tls => ("tls", "tls.verify = \"none\"\n"),
        };
        let urls = match setup.protocol {
            Protocol::Http => format!("http.urls = [\"{}\"]\n", http::PREFIX),
            Protocol::Ldap | Protocol::Sip => String::new(),
        };
        format!(
            "[listen]\n{protocol}{secure} = \"{front}\"\n\
             [limits]\nmax-connections = {CONNECTIONS}\nconnections-per-source = {CONNECTIONS}\n\
             [engine]\nworkers = {workers}\n{tls}\
             [[host]]\nnames = [\"{NAME}\"]\ntarget = \"{target}\"\n{protocol}.{kind} = {port}\n{urls}{judged}",
            workers = self.workers(),
            target = back.ip(),
            port = back.port(),
        )
    }

    /// As a relay it looks at nothing: the least work that it can do.
    fn haproxy(&self) -> String {
        let Self { setup, folder, front, back } = self;
        let tls = self.certificate().map_or_else(String::new, |file| format!(" ssl crt {folder}/{file}.pem"));
        let asks = match setup.front {
            Front::ClientCertificate => format!(" ca-file {folder}/ca.crt verify optional"),
            _ => String::new(),
        };
        let (mode, rules) = match setup.protocol {
            Protocol::Http => (
                "http\n option http-keep-alive\n http-reuse always",
                format!(
                    " option forwardfor\n acl name hdr(host),host_only -i {NAME}\n acl url path_beg {}\n \
                     http-request deny deny_status 403 unless name url\n",
                    http::PREFIX
                ),
            ),
            Protocol::Ldap | Protocol::Sip => ("tcp", String::new()),
        };
        // Pipes take files, too.
        let connections = if setup.forced_splice { 7_500 } else { CONNECTIONS };
        let splice =
            if setup.forced_splice { " option splice-request\n option splice-response\n" } else { "" };
        let target = if setup.back == Back::Tls { " ssl verify none" } else { "" };
        format!(
            "global\n nbthread {workers}\n fd-hard-limit 20000\n maxconn {connections}\n \
             tune.ssl.cachesize 20000\n ssl-default-bind-options ssl-min-ver TLSv1.2\n\
             defaults\n mode {mode}\n{splice} timeout connect 5s\n timeout client 300s\n timeout server 300s\n\
             frontend front\n bind {front}{tls}{asks} backlog 4096\n maxconn {connections}\n{rules} \
             default_backend back\n\
             backend back\n server service {back}{target}\n",
            workers = self.workers(),
        )
    }

    fn nginx(&self) -> String {
        let Self { setup, folder, front, back } = self;
        let (secure, tls) = match self.certificate() {
            None => ("", String::new()),
            Some(file) => {
                let tls = format!(
                    "ssl_certificate {folder}/{file}.crt; ssl_certificate_key {folder}/{file}.key;\n\
                     ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:sessions:10m; ssl_session_tickets on;\n"
                );
                (" ssl", tls)
            }
        };
        let asks = match setup.front {
            Front::ClientCertificate => {
                format!("ssl_client_certificate {folder}/ca.crt; ssl_verify_client optional;\n")
            }
            _ => String::new(),
        };
        let target = if setup.back == Back::Tls { "proxy_ssl on;\n" } else { "" };
        let (module, block) = match setup.protocol {
            Protocol::Http => ("", self.nginx_http()),
            Protocol::Ldap | Protocol::Sip => (
                "load_module modules/ngx_stream_module.so;\n",
                format!(
                    "stream {{\naccess_log off;\nupstream back {{ server {back}; }}\n\
                     server {{\nlisten {front}{secure} backlog=4096;\nproxy_pass back;\nproxy_timeout 300s;\n\
                     {tls}{asks}{target}}}\n}}\n"
                ),
            ),
        };
        format!(
            "{module}daemon off;\nworker_processes {workers};\nworker_rlimit_nofile 20000;\n\
             pid {folder}/nginx.pid;\nerror_log {folder}/nginx.err error;\nevents {{ worker_connections 20000; }}\n{block}",
            workers = self.workers(),
        )
    }

    fn nginx_http(&self) -> String {
        let Self { folder, front, back, .. } = self;
        let prefix = http::PREFIX;
        let places: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|place| format!("{place}_temp_path {folder}/nginx-{place};\n"))
            .concat();
        format!(
            "http {{\naccess_log off;\n{places}\
             keepalive_requests 100000000; keepalive_timeout 75s; client_header_timeout 30s;\n\
             client_max_body_size 0; tcp_nodelay on;\n\
             upstream back {{ server {back}; keepalive 256; keepalive_requests 100000000; }}\n\
             server {{ listen {front} backlog=4096 default_server; server_name _; return 403; }}\n\
             server {{\nlisten {front}; server_name {NAME};\nlocation / {{ return 403; }}\n\
             location {prefix} {{\nproxy_pass http://back;\nproxy_http_version 1.1;\n\
             proxy_request_buffering off;\nproxy_max_temp_file_size 0;\nproxy_set_header Connection \"\";\n\
             proxy_set_header Host $http_host;\nproxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n\
             }}\n}}\n}}\n"
        )
    }
}

/// What 20,000 open files carry.
const CONNECTIONS: u32 = 9_900;
