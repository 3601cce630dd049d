//! `rpd probe`: one real request, through a proxy or straight to a service, and what came back in words.

mod connection;
mod h323;
mod http;
mod ldap;
mod sip;

use std::{fmt, io, net::IpAddr, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use clap::{Args, ValueEnum};
use rustls::ClientConfig;
use serde::Serialize;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use connection::{Asked, resolve};
pub(super) use connection::{Shown, open, shown_fingerprint, trusting};

use super::UNREACHABLE;
use crate::{
    config::{Fingerprint, FromText},
    protocol::Protocol,
    stream::Stream,
    tls,
};

/// Send one real request and say what came back.
///
/// Exit code: 0 served, 1 refused, 3 not reachable.
///
/// Examples:
///   rpd probe h323 203.0.113.1:1300 --name example.com --tls --insecure
///   rpd probe ldap 203.0.113.1:389 --name example.com --user ldap-guest --password-file pw
///   rpd probe http 172.16.10.2:443 --pin
///   rpd probe http 203.0.113.1:443 --name hq.example.com --expect sha256:6f1c…
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Probe {
    /// What to speak
    protocol: Spoken,
    /// Where: address or DNS name, and port
    address: String,
    /// The name that the request is for: gatekeeper identifier, SIP domain, host or bind domain
    #[arg(long, required_unless_present_any = ["pin", "expect"])]
    name: Option<String>,
    /// The user: alias, SIP user, or LDAP user
    #[arg(long, default_value = "probe")]
    user: String,
    /// A file with the password for an LDAP bind
    #[arg(long)]
    password_file: Option<PathBuf>,
    /// The path of an HTTP request
    #[arg(long, default_value = "/")]
    path: String,
    /// Speak TLS
    #[arg(long)]
    tls: bool,
    /// Certificates that the other side's certificate must lead to
    #[arg(long, value_name = "FILE", conflicts_with_all = ["insecure", "pin"])]
    ca: Option<PathBuf>,
    /// Take any certificate, and print it
    #[arg(long)]
    insecure: bool,
    /// Take any certificate, and print the line of the configuration that trusts exactly this one
    #[arg(long)]
    pin: bool,
    /// Send nothing unless the certificate is this one: another one means that something on the way opens TLS
    #[arg(long, value_name = "FINGERPRINT", value_parser = Fingerprint::from_text)]
    expect: Option<Fingerprint>,
    /// The name for SNI and for the certificate, if other than --name
    #[arg(long, value_name = "NAME")]
    server_name: Option<String>,
    /// A client certificate (PEM) to show
    #[arg(long, value_name = "FILE", requires = "key")]
    certificate: Option<PathBuf>,
    /// Its key (PEM)
    #[arg(long, value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,
    /// The local address to connect from
    #[arg(long, value_name = "ADDR")]
    source: Option<IpAddr>,
    /// Ask so many times, each time over a connection of its own
    #[arg(long, value_name = "N", default_value_t = 1)]
    repeat: u32,
    /// Print one JSON object for each connection
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Spoken {
    H323,
    Sip,
    Ldap,
    Http,
}

impl From<Spoken> for Protocol {
    fn from(spoken: Spoken) -> Self {
        match spoken {
            Spoken::H323 => Self::H323,
            Spoken::Sip => Self::Sip,
            Spoken::Ldap => Self::Ldap,
            Spoken::Http => Self::Http,
        }
    }
}

/// What to ask.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) protocol: Protocol,
    pub(super) name: String,
    pub(super) user: String,
    pub(super) password: String,
    pub(super) path: String,
}

/// What came of it.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Reply {
    /// What went out, in a line.
    pub(super) sent: String,
    /// What came back, in a line.
    pub(super) received: String,
    /// Who says that it was he: a server name, an identifier.
    pub(super) server: Option<String>,
    /// What that means.
    pub(super) meaning: String,
    /// The request reached a service, which took it or asked for a password.
    pub(super) served: bool,
}

impl Probe {
    pub(super) fn run(self) -> ExitCode {
        match super::block_on(self.ask_all()) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::from(UNREACHABLE)
            }
        }
    }

    async fn ask_all(self) -> Result<bool, ProbeError> {
        let question = self.question()?;
        let tls = if self.speaks_tls() { Some(self.client_config()?) } else { None };
        let mut served = true;
        for _ in 0..self.repeat {
            let found = self.ask_once(question.as_ref(), tls.as_ref()).await?;
            served &= found.content();
            if self.json {
                println!("{}", serde_json::to_string(&found).unwrap_or_default());
            } else {
                print!("{found}");
            }
        }
        Ok(served)
    }

    /// Every option that only means something over TLS asks for it.
    fn speaks_tls(&self) -> bool {
        let files = self.ca.is_some() || self.certificate.is_some();
        self.tls || self.insecure || self.pin || self.expect.is_some() || files || self.server_name.is_some()
    }

    fn question(&self) -> Result<Option<Question>, ProbeError> {
        let Some(name) = &self.name else { return Ok(None) };
        let password = match &self.password_file {
            Some(path) => std::fs::read_to_string(path)
                .map_err(|e| ProbeError(format!("{}: {e}", path.display())))?
                .trim_end_matches(['\r', '\n'])
                .to_owned(),
            None => String::new(),
        };
        Ok(Some(Question {
            protocol: self.protocol.into(),
            name: name.clone(),
            user: self.user.clone(),
            password,
            path: self.path.clone(),
        }))
    }

    async fn ask_once(
        &self,
        question: Option<&Question>,
        tls: Option<&ClientConfig>,
    ) -> Result<Found, ProbeError> {
        let address = resolve(&self.address).await?;
        let host = self.address.rsplit_once(':').map_or(self.address.as_str(), |(host, _)| host);
        let server_name = self.server_name.as_deref().or(self.name.as_deref()).unwrap_or(host);
        let (stream, shown) = match tls {
            Some(config) => {
                let mut config = config.clone();
                let asked = Asked::notice(&mut config);
                let stream = open(address, self.source, Some((&Arc::new(config), server_name))).await?;
                let shown = Shown::of(&stream, asked.yes());
                (stream, shown)
            }
            None => (open(address, self.source, None).await?, None),
        };
        let mut found = Found { address: address.to_string(), tls: shown, ..Found::default() };
        found.pin =
            found.tls.as_ref().and_then(|shown| shown.fingerprint).filter(|_| self.pin).map(line_to_paste);
        found.as_expected = self.expect.map(|wanted| found.shows(wanted));
        if let (Some(question), None | Some(true)) = (question, found.as_expected) {
            found.reply = Some(ask(stream, question).await?);
        }
        Ok(found)
    }

    fn client_config(&self) -> Result<ClientConfig, ProbeError> {
        let key = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => {
                let chain = tls::read_certificates(certificate).map_err(ProbeError)?;
                Some(Arc::new(tls::read_key(key, chain).map_err(ProbeError)?))
            }
            _ => None,
        };
        match &self.ca {
            Some(path) => trusting(&tls::read_certificates(path).map_err(ProbeError)?, key.as_ref()),
            None if self.insecure || self.pin || self.expect.is_some() => {
                Ok(tls::client_config_with(tls::accept_any(), key.as_ref()))
            }
            None => Err(ProbeError(
                "over TLS the certificate is judged by --ca FILE or --expect FINGERPRINT, or taken as it is with --insecure or --pin".to_owned(),
            )),
        }
    }
}

fn line_to_paste(fingerprint: Fingerprint) -> String {
    format!("tls = {{ verify = \"fingerprint\", fingerprints = [\"{fingerprint}\"] }}")
}

/// What one connection has brought.
#[derive(Debug, Default, Serialize)]
struct Found {
    address: String,
    tls: Option<Shown>,
    pin: Option<String>,
    as_expected: Option<bool>,
    reply: Option<Reply>,
}

impl Found {
    fn shows(&self, wanted: Fingerprint) -> bool {
        self.tls.as_ref().and_then(|shown| shown.fingerprint) == Some(wanted)
    }

    /// Whether all went as it should.
    fn content(&self) -> bool {
        self.as_expected != Some(false) && self.reply.as_ref().is_none_or(|reply| reply.served)
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, tls, pin, as_expected, reply } = self;
        match tls {
            Some(shown) => {
                let asks = if shown.asks_for_certificate { ", asks for a client certificate" } else { "" };
                writeln!(f, "connected  {address}, {}{asks}\ncertificate {shown}", shown.version)?;
            }
            None => writeln!(f, "connected  {address}")?,
        }
        match as_expected {
            Some(true) => writeln!(f, "expected   this certificate: nothing on the way opens TLS")?,
            Some(false) => writeln!(
                f,
                "expected   another certificate: something on the way opens TLS (a firewall that inspects it?), or the certificate was replaced; nothing was sent"
            )?,
            None => {}
        }
        if let Some(pin) = pin {
            writeln!(f, "to trust exactly this certificate, write in the [[host]]:\n{pin}")?;
        }
        let Some(reply) = reply else { return Ok(()) };
        writeln!(f, "sent       {}\nreceived   {}", reply.sent, reply.received)?;
        if let Some(server) = &reply.server {
            writeln!(f, "from       {server}")?;
        }
        writeln!(f, "meaning    {}", reply.meaning)
    }
}

/// Sends the question, and reads the reply.
pub(super) async fn ask(stream: Stream, question: &Question) -> Result<Reply, ProbeError> {
    let asking = async {
        match question.protocol {
            Protocol::H323 => h323::ask(stream, question).await,
            Protocol::Sip => sip::ask(stream, question).await,
            Protocol::Ldap => ldap::ask(stream, question).await,
            Protocol::Http => http::ask(stream, question).await,
        }
    };
    match timeout(PATIENCE, asking).await {
        Ok(Ok(reply)) => Ok(reply),
        Ok(Err(error)) => Err(ProbeError(error.to_string())),
        Err(_) => Err(ProbeError(format!("no answer within {PATIENCE:?}"))),
    }
}

/// Sends `request`, then reads until `whole` finds a whole answer at the front of what came, or the end.
async fn exchange<T>(
    stream: &mut Stream,
    request: &[u8],
    whole: impl Fn(&[u8]) -> Option<T>,
) -> io::Result<Result<T, Vec<u8>>> {
    stream.write_all(request).await?;
    stream.flush().await?;
    let mut received = Vec::new();
    loop {
        if let Some(answer) = whole(&received) {
            return Ok(Ok(answer));
        }
        match stream.read_buf(&mut received).await {
            Ok(0) => return Ok(Err(received)),
            // Peers that end TLS without close_notify have ended all the same.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(Err(received)),
            Ok(_) => {}
            Err(error) => return Err(error),
        }
    }
}

/// The reply when the other side closed before a whole answer.
fn closed(sent: String, received: &[u8]) -> Reply {
    let what = match received {
        [] => "nothing: the connection was closed".to_owned(),
        some => format!(
            "{} octets that are no whole answer: {}",
            some.len(),
            some[..some.len().min(64)].escape_ascii()
        ),
    };
    Reply {
        sent,
        received: what,
        server: None,
        meaning: "refused without a word: another protocol is spoken there, or this address is not let in"
            .to_owned(),
        served: false,
    }
}

/// Why there is no reply at all.
#[derive(Debug)]
pub(super) struct ProbeError(pub(super) String);

impl fmt::Display for ProbeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const PATIENCE: Duration = Duration::from_secs(10);
