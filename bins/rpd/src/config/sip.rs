//! `[sip]` and `host.sip`.

#![allow(missing_docs, reason = "the keys are described where they are read by people: docs/CONFIG.md")]

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU16,
};

use rp_route::{leg::Transport, name::Name, network::Network};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};

use super::{
    check::Check,
    file::File,
    listen::Listener,
    value::{FromText, Spanned, Text},
};
use crate::{protocol::Protocol, proxy_protocol::Version};

/// What only SIP asks of a host. What its row leaves open is as `[sip]` says.
#[derive(Clone, Debug, Default)]
pub struct Sip {
    /// Only a phone that shows a trusted certificate of its name gets the TLS leg.
    pub check_certificate: bool,
    /// Where its phones reach this proxy, if it is not where their connection came in.
    pub public_address: PublicAddress,
    /// Whether phones learn to send the requests of a dialog this way.
    pub record_route: bool,
}

/// Where phones reach this proxy, by the kind of their connection.
#[derive(Clone, Debug, Default)]
pub struct PublicAddress {
    tcp: Option<Announced>,
    tls: Option<Announced>,
}

/// An address as a URI holds it, perhaps with a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announced {
    /// A DNS name or an address; IPv6 in brackets.
    host: String,
    port: Option<u16>,
}

impl Sip {
    pub(super) fn of(row: &SipRow, table: &SipTable) -> Self {
        Self {
            check_certificate: row.check_certificate,
            public_address: match &row.public_address {
                Some(own) => own.clone(),
                None => table.public_address(),
            },
            record_route: row.record_route.unwrap_or(table.record_route),
        }
    }
}

impl PublicAddress {
    /// `host:port` for connections of this kind that come in at the port `listener`.
    pub fn announced(&self, kind: Transport, listener: u16) -> Option<String> {
        let Announced { host, port } = match kind {
            Transport::Tcp => self.tcp.as_ref(),
            Transport::Tls => self.tls.as_ref(),
        }?;
        Some(format!("{host}:{}", port.unwrap_or(listener)))
    }
}

/// `[sip]`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct SipTable {
    pub public_address: Option<PublicAddress>,
    pub record_route: bool,
}

impl Default for SipTable {
    fn default() -> Self {
        Self { public_address: None, record_route: true }
    }
}

impl SipTable {
    pub(super) fn public_address(&self) -> PublicAddress {
        self.public_address.clone().unwrap_or_default()
    }
}

/// `host.sip`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SipRow {
    pub tcp: Option<NonZeroU16>,
    pub tls: Option<NonZeroU16>,
    pub networks: Option<Vec<Text<Network>>>,
    pub send_proxy: Option<Version>,
    #[serde(default)]
    pub check_certificate: bool,
    pub public_address: Option<PublicAddress>,
    pub record_route: Option<bool>,
}

/// `public-address` as a table: one address a kind.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct ByKind {
    tcp: Option<Text<Announced>>,
    tls: Option<Text<Announced>>,
}

impl<'de> Deserialize<'de> for PublicAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AddressVisitor;
        impl<'de> de::Visitor<'de> for AddressVisitor {
            type Value = PublicAddress;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}, or one for each of tcp and tls", Announced::WANTED)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<PublicAddress, E> {
                let both = Announced::from_text(text).map_err(E::custom)?;
                Ok(PublicAddress { tcp: Some(both.clone()), tls: Some(both) })
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<PublicAddress, A::Error> {
                let ByKind { tcp, tls } = ByKind::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(PublicAddress { tcp: tcp.map(|text| text.0), tls: tls.map(|text| text.0) })
            }
        }
        deserializer.deserialize_any(AddressVisitor)
    }
}

impl FromText for Announced {
    const WANTED: &'static str =
        "an address or a DNS name, such as \"198.51.100.1\" or \"rp.example.com:5061\"";

    fn from_text(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is no address that phones can reach; write \"198.51.100.1\" or \"rp.example.com:5061\""
            )
        };
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        if let Ok(address) = bare.parse::<Ipv6Addr>() {
            return Ok(Self { host: format!("[{address}]"), port: None });
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse::<NonZeroU16>().map_err(|_| wrong())?.get())),
            None => (text, None),
        };
        let bracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let host = match bracketed {
            Some(address) => format!("[{}]", address.parse::<Ipv6Addr>().map_err(|_| wrong())?),
            None if host.parse::<IpAddr>().is_ok() || is_host_name(host) => host.to_owned(),
            None => return Err(wrong()),
        };
        Ok(Self { host, port })
    }
}

/// RFC 3261 25.1 `hostname`: no underscore, which DNS would know.
fn is_host_name(text: &str) -> bool {
    !text.contains('_') && Name::parse(text).is_ok_and(|name| name.is_dns() && !name.is_wildcard())
}

impl Check<'_> {
    /// A listener at a private address is reached from outside by another one, which only the administrator knows.
    pub(super) fn public_addresses(&mut self, file: &File, listeners: &[Listener]) {
        let is_private =
            |listener: &&Listener| matches!(listener.address.ip(), IpAddr::V4(ip) if ip.is_private());
        let sip = listeners.iter().filter(|listener| listener.kind.takes_protocol(Protocol::Sip));
        let Some(listener) = sip.clone().find(is_private) else { return };
        let silent = |row: &&Spanned<SipRow>| {
            let row = row.get_ref();
            let address = Sip::of(row, &file.sip).public_address;
            let mut taken = [Transport::Tcp, Transport::Tls]
                .into_iter()
                .filter(|transport| listener.kind.takes_transport(*transport));
            let announces = taken.all(|transport| address.announced(transport, 0).is_some());
            row.record_route.unwrap_or(file.sip.record_route) && !announces
        };
        let rows = file.host.iter().filter(|row| row.get_ref().enabled);
        if let Some(row) = rows.filter_map(|row| row.get_ref().sip.as_ref()).find(silent) {
            let message = format!(
                "listen.{} is at the private address {}, and phones outside are told to send to it; write public-address = \"…\" in [sip], or record-route = false",
                listener.kind,
                listener.address.ip()
            );
            self.warning(row.span(), message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_address_is_what_a_uri_can_hold() {
        for (text, tcp) in [
            ("198.51.100.1", "198.51.100.1:5070"),
            ("198.51.100.1:5060", "198.51.100.1:5060"),
            ("rp.example.com", "rp.example.com:5070"),
            ("rp.example.com:5061", "rp.example.com:5061"),
            ("2001:db8::1", "[2001:db8::1]:5070"),
            ("[2001:db8::1]", "[2001:db8::1]:5070"),
            ("[2001:DB8::1]:5060", "[2001:db8::1]:5060"),
        ] {
            let address = PublicAddress { tcp: Announced::from_text(text).ok(), tls: None };
            assert_eq!(address.announced(Transport::Tcp, 5070).as_deref(), Some(tcp), "{text}");
            assert_eq!(address.announced(Transport::Tls, 5070), None);
        }
        for wrong in [
            "",
            ":5060",
            "rp.example.com:0",
            "rp.example.com:sip",
            "a b",
            "sip:rp.example.com",
            "a_b.example",
            "*.example",
            "[rp]:1",
        ] {
            assert!(Announced::from_text(wrong).is_err(), "{wrong}");
        }
    }
}
