//! `rpd probe`: one real request, through a proxy or straight to a service, and what came back in words.

mod h323;
mod http;
mod ldap;
mod sip;

use std::{
    fmt::{self, Write as _},
    io,
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use clap::{Args, ValueEnum};
use rustls::{client::WebPkiServerVerifier, sign::CertifiedKey};
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, lookup_host},
    time::timeout,
};
use tokio_rustls::TlsConnector;

use crate::{protocol::Protocol, stream::Stream, tls};

/// Send one real request and say what came back.
///
/// Examples:
///   rpd probe h323 203.0.113.1:1300 --name example.com --tls --insecure
///   rpd probe ldap 203.0.113.1:389 --name example.com --user ldap-guest --password-file pw
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Probe {
    /// What to speak
    protocol: Spoken,
    /// Where: address or DNS name, and port
    address: String,
    /// The name that the request is for: gatekeeper identifier, SIP domain, host or bind domain
    #[arg(long)]
    name: String,
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
    #[arg(long, requires = "tls", conflicts_with = "insecure")]
    ca: Option<PathBuf>,
    /// Take any certificate, and print it
    #[arg(long, requires = "tls")]
    insecure: bool,
    /// The name for SNI and for the certificate, if other than --name
    #[arg(long, requires = "tls")]
    server_name: Option<String>,
    /// A client certificate (PEM) to show
    #[arg(long, requires = "tls", requires = "key")]
    certificate: Option<PathBuf>,
    /// Its key (PEM)
    #[arg(long, requires = "certificate")]
    key: Option<PathBuf>,
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
#[derive(Clone, Debug, Default)]
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
        match super::block_on(self.ask()) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::from(UNREACHABLE)
            }
        }
    }

    async fn ask(self) -> Result<bool, ProbeError> {
        let password = match &self.password_file {
            Some(path) => std::fs::read_to_string(path)
                .map_err(|e| ProbeError(format!("{}: {e}", path.display())))?
                .trim_end_matches(['\r', '\n'])
                .to_owned(),
            None => String::new(),
        };
        let address = resolve(&self.address).await?;
        let question = Question {
            protocol: self.protocol.into(),
            name: self.name.clone(),
            user: self.user.clone(),
            password,
            path: self.path.clone(),
        };
        let connector = if self.tls { Some(self.connector()?) } else { None };
        let server_name = self.server_name.as_deref().unwrap_or(&self.name);
        let stream = open(address, connector.as_ref().map(|connector| (connector, server_name))).await?;
        println!("connected  {address}{}", describe(&stream));
        let reply = ask(stream, &question).await?;
        println!("sent       {}", reply.sent);
        println!("received   {}", reply.received);
        if let Some(server) = &reply.server {
            println!("from       {server}");
        }
        println!("meaning    {}", reply.meaning);
        Ok(reply.served)
    }

    fn connector(&self) -> Result<TlsConnector, ProbeError> {
        let key = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => {
                let chain = tls::read_certificates(certificate).map_err(ProbeError)?;
                Some(Arc::new(tls::read_key(key, chain).map_err(ProbeError)?))
            }
            _ => None,
        };
        match &self.ca {
            Some(path) => trusting(&tls::read_certificates(path).map_err(ProbeError)?, key.as_ref()),
            None if self.insecure => {
                Ok(Arc::new(tls::client_config_with(tls::accept_any(), key.as_ref())).into())
            }
            None => {
                Err(ProbeError("--tls needs --ca FILE, or --insecure to take any certificate".to_owned()))
            }
        }
    }
}

/// A connector that wants a certificate of the right name that leads to one of these.
pub(super) fn trusting(
    certificates: &[rustls_pki_types::CertificateDer<'static>],
    key: Option<&Arc<CertifiedKey>>,
) -> Result<TlsConnector, ProbeError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let judge =
        WebPkiServerVerifier::builder_with_provider(Arc::new(tls::roots(certificates)), provider).build();
    let judge = judge.map_err(|e| ProbeError(format!("--ca: {e}")))?;
    Ok(Arc::new(tls::client_config_with(judge, key)).into())
}

/// Connects, and speaks TLS with the server name given, if any.
pub(super) async fn open(
    address: SocketAddr,
    tls: Option<(&TlsConnector, &str)>,
) -> Result<Stream, ProbeError> {
    let connecting = async {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        let Some((connector, name)) = tls else { return Ok(Stream::from(socket)) };
        let name = match ServerName::try_from(name.to_owned()) {
            Ok(name) => name,
            Err(_) => ServerName::from(address.ip()),
        };
        connector.connect(name, socket).await.map(Stream::from)
    };
    match timeout(PATIENCE, connecting).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(ProbeError(format!("{address}: {error}"))),
        Err(_) => Err(ProbeError(format!("{address}: no connection within {PATIENCE:?}"))),
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

async fn resolve(address: &str) -> Result<SocketAddr, ProbeError> {
    let resolved = lookup_host(address).await.map_err(|e| ProbeError(format!("{address}: {e}")));
    resolved?.next().ok_or_else(|| ProbeError(format!("{address} has no address")))
}

fn describe(stream: &Stream) -> String {
    let Stream::Tls(stream) = stream else { return String::new() };
    let connection = stream.get_ref().1;
    let mut text = String::new();
    let _ = write!(text, ", {}", tls::version(connection.protocol_version()));
    if let Some(certificate) = connection.peer_certificates().and_then(|chain| chain.first()) {
        let name = tls::common_name(certificate).unwrap_or_else(|| "without a name".to_owned());
        let _ = write!(text, ", certificate {name:?} {}", tls::fingerprint(certificate));
    }
    text
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
const UNREACHABLE: u8 = 3;
