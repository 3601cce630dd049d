//! `--dns`: whether the names of the hosts lead clients to this proxy.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    time::Duration,
};

use simple_dns::{CLASS, Name as DnsName, Packet, PacketFlag, QTYPE, Question, RCODE, TYPE, rdata::RData};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, lookup_host},
    time::timeout,
};

use super::{Look, Verdict};
use crate::{
    config::{Config, Host},
    protocol::Protocol,
};

pub(super) async fn look(config: &Config, server: Option<SocketAddr>, public: &[IpAddr]) -> Vec<Look> {
    let identifiers = gatekeeper_ids(config);
    let mut looks = Vec::new();
    for (host, name) in asked_for(config) {
        let answer = match server {
            Some(server) => ask(server, name).await,
            None => ask_system(name).await,
        };
        let (verdict, found) = judge(answer, public);
        let (verdict, note) = match verdict {
            Verdict::Bad if identifiers.contains(name) => {
                (Verdict::Doubtful, "; as a gatekeeper identifier it needs no entry in DNS")
            }
            verdict => (verdict, ""),
        };
        looks.push(Look { verdict, line: host.line, what: format!("name {name}"), found: found + note });
    }
    looks
}

fn judge(answer: Result<Vec<IpAddr>, String>, public: &[IpAddr]) -> (Verdict, String) {
    let addresses = match answer {
        Ok(addresses) => addresses,
        Err(error) => return (Verdict::Bad, error),
    };
    let wanted = |address: &IpAddr| {
        if public.is_empty() { is_of_this_machine(*address) } else { public.contains(address) }
    };
    let wrong: Vec<IpAddr> = addresses.iter().filter(|address| !wanted(address)).copied().collect();
    match wrong.as_slice() {
        [] => (Verdict::Good, list(&addresses)),
        wrong if public.is_empty() => (
            Verdict::Bad,
            format!("{}, which is no address of this machine; behind NAT say --public ADDR", list(wrong)),
        ),
        wrong => (Verdict::Bad, format!("{}, wanted is {}", list(wrong), list(public))),
    }
}

/// The names that DNS has to know, with their hosts.
pub(super) fn asked_for(config: &Config) -> Vec<(&Host, &str)> {
    let served =
        |protocol: &Protocol| config.listeners.iter().any(|listener| listener.kind.takes_protocol(*protocol));
    let served: Vec<Protocol> = Protocol::ALL.into_iter().filter(served).collect();
    let listened = |host: &Host| served.iter().any(|protocol| host.services[*protocol].is_some());
    let mut seen = HashSet::new();
    let hosts = config.hosts.iter().map(AsRef::as_ref).filter(|host| listened(host));
    let names = hosts.flat_map(|host| host.names.iter().map(move |name| (host, name)));
    let names = names.filter(|(_, name)| name.is_dns() && !name.is_wildcard());
    names.map(|(host, name)| (host, name.as_str())).filter(|(_, name)| seen.insert(*name)).collect()
}

/// What stands before the `/` of a name: phones carry it as the name of their gatekeeper, not as its address.
pub(super) fn gatekeeper_ids(config: &Config) -> HashSet<&str> {
    let names = config.hosts.iter().flat_map(|host| &host.names);
    names.filter_map(|name| name.as_str().split_once('/')).map(|(id, _)| id).collect()
}

/// Only an address of this machine can be bound. The socket is gone at once, and nothing is sent.
fn is_of_this_machine(address: IpAddr) -> bool {
    UdpSocket::bind((address, 0)).is_ok()
}

/// Asks as every program here does.
pub(super) async fn ask_system(name: &str) -> Result<Vec<IpAddr>, String> {
    let found = lookup_host((name, 0)).await.map_err(|error| format!("no address: {error}"))?;
    let mut addresses: Vec<IpAddr> = found.map(|address| address.ip()).collect();
    addresses.sort();
    addresses.dedup();
    Ok(addresses)
}

/// Asks one name server for both kinds of addresses.
async fn ask(server: SocketAddr, name: &str) -> Result<Vec<IpAddr>, String> {
    let mut addresses = Vec::new();
    for kind in [TYPE::A, TYPE::AAAA] {
        addresses.extend(ask_for(server, name, kind).await?);
    }
    if addresses.is_empty() {
        return Err(format!("no address, says {server}"));
    }
    Ok(addresses)
}

async fn ask_for(server: SocketAddr, name: &str, kind: TYPE) -> Result<Vec<IpAddr>, String> {
    // Answers of others than the one asked must not be guessed easily.
    #[allow(clippy::cast_possible_truncation, reason = "any 16 bits will do")]
    let id = RandomState::new().hash_one(name) as u16;
    let query = query(id, name, kind).map_err(|error| format!("{name}: {error}"))?;
    let mut last = format!("{server} does not answer");
    for _ in 0..ATTEMPTS {
        match timeout(PATIENCE, over_udp(server, &query, id, kind)).await {
            Ok(Ok(Answer::Addresses(addresses))) => return Ok(addresses),
            Ok(Ok(Answer::Refused(why))) => return Err(format!("{server} says {why}")),
            Ok(Ok(Answer::Truncated)) => {
                return match timeout(PATIENCE, over_tcp(server, &query, id, kind)).await {
                    Ok(Ok(Answer::Addresses(addresses))) => Ok(addresses),
                    _ => Err(format!("{server} does not answer over TCP")),
                };
            }
            Ok(Err(error)) => last = format!("{server}: {error}"),
            Err(_) => {}
        }
    }
    Err(last)
}

fn query(id: u16, name: &str, kind: TYPE) -> Result<Vec<u8>, simple_dns::SimpleDnsError> {
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    packet.questions.push(Question::new(DnsName::new(name)?, QTYPE::TYPE(kind), CLASS::IN.into(), false));
    packet.build_bytes_vec()
}

enum Answer {
    Addresses(Vec<IpAddr>),
    /// More than a datagram holds: RFC 7766 has it over TCP.
    Truncated,
    Refused(String),
}

async fn over_udp(server: SocketAddr, query: &[u8], id: u16, kind: TYPE) -> io::Result<Answer> {
    let any = if server.is_ipv4() { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = tokio::net::UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    socket.send(query).await?;
    let mut octets = vec![0; 4096];
    loop {
        let length = socket.recv(&mut octets).await?;
        // What is no answer to this question may come from anybody.
        if let Some(answer) = read(&octets[..length], id, kind) {
            return Ok(answer);
        }
    }
}

async fn over_tcp(server: SocketAddr, query: &[u8], id: u16, kind: TYPE) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(query.len()).map_err(io::Error::other)?;
    stream.write_all(&length.to_be_bytes()).await?;
    stream.write_all(query).await?;
    let mut octets = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut octets).await?;
    read(&octets, id, kind).ok_or_else(|| io::Error::other("no answer to the question"))
}

fn read(octets: &[u8], id: u16, kind: TYPE) -> Option<Answer> {
    let packet = Packet::parse(octets).ok()?;
    let asked = |question: &Question<'_>| question.qtype == QTYPE::TYPE(kind);
    if packet.id() != id || !packet.has_flags(PacketFlag::RESPONSE) || !packet.questions.iter().any(asked) {
        return None;
    }
    if packet.has_flags(PacketFlag::TRUNCATION) {
        return Some(Answer::Truncated);
    }
    Some(match packet.rcode() {
        RCODE::NoError => {
            Answer::Addresses(packet.answers.iter().filter_map(|record| address(&record.rdata)).collect())
        }
        RCODE::NameError => Answer::Refused("that there is no such name".to_owned()),
        other => Answer::Refused(format!("{other:?}")),
    })
}

fn address(data: &RData<'_>) -> Option<IpAddr> {
    match data {
        RData::A(a) => Some(Ipv4Addr::from(a.address).into()),
        RData::AAAA(aaaa) => Some(Ipv6Addr::from(aaaa.address).into()),
        _ => None,
    }
}

/// An address of a name server, with a port if it is not the usual one.
pub(super) fn server(text: &str) -> Result<SocketAddr, String> {
    let alone = text.parse::<IpAddr>().map(|address| SocketAddr::new(address, 53));
    alone.or_else(|_| text.parse()).map_err(|_| "write an address, such as 9.9.9.9 or 9.9.9.9:53".to_owned())
}

pub(super) fn list(addresses: &[IpAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

const ATTEMPTS: usize = 3;
const PATIENCE: Duration = Duration::from_secs(2);
