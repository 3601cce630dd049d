//! `host.h323`.

#![allow(missing_docs, reason = "the keys are described where they are read by people: docs/CONFIG.md")]

use std::num::NonZeroU16;

use rp_route::{leg::Transport, network::Network};
use serde::Deserialize;

use super::{check::Check, file::File, listen::Listener, report::Finding, value::Text};
use crate::{
    protocol::{Kind, Protocol},
    proxy_protocol::Version,
};

/// What only H.323 asks of a host.
#[derive(Clone, Debug, Default)]
pub struct H323 {
    /// It takes `id/location` for every location without a host of its own.
    pub any_location: bool,
    /// Only a phone that shows a trusted certificate of its name gets the TLS leg.
    pub check_certificate: bool,
    /// `IPxxx-aa-bb-cc` in a certificate is the phone `009033aabbcc`.
    pub serial_names: bool,
}

impl From<&H323Row> for H323 {
    fn from(row: &H323Row) -> Self {
        Self {
            any_location: row.any_location,
            check_certificate: row.check_certificate,
            serial_names: row.serial_names,
        }
    }
}

/// `host.h323`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct H323Row {
    pub tcp: Option<NonZeroU16>,
    pub tls: Option<NonZeroU16>,
    pub networks: Option<Vec<Text<Network>>>,
    pub send_proxy: Option<Version>,
    #[serde(default)]
    pub any_location: bool,
    #[serde(default)]
    pub check_certificate: bool,
    #[serde(default)]
    pub serial_names: bool,
}

impl Check<'_> {
    /// `check-certificate` needs someone who asks for a certificate, someone to trust, and a leg for those who pass.
    pub(super) fn certificate_checks(&mut self, file: &File, listeners: &[Listener]) {
        for row in file.host.iter().filter(|row| row.get_ref().enabled) {
            let Some(h323) = &row.get_ref().h323 else { continue };
            let (span, h323) = (h323.span(), h323.get_ref());
            if !h323.check_certificate {
                if h323.tls.is_some() {
                    let message = "h323 has a tls port without check-certificate: clients reach the PBX's TLS port unproven, so the PBX must not have \"Assume TLS\" set; write check-certificate = true";
                    self.findings.push(Finding::warning(span, message));
                }
                continue;
            }
            let asking = Kind { protocol: Protocol::H323, transport: Transport::Tls };
            if h323.tls.is_none() {
                self.error(span.clone(), "check-certificate without a tls port: there is no leg for phones that pass; write tls = 1300");
            }
            if file.tls.trust_list.is_empty() {
                self.error(span.clone(), "check-certificate without tls.trust-list: no certificate would be trusted; write trust-list = [\"trust/devices.pem\"] in [tls]");
            }
            if !listeners.iter().any(|listener| listener.kind == asking) {
                self.error(span.clone(), "check-certificate without listen.h323s: nobody can show a certificate; write h323s = 1300 in [listen]");
            } else if !file
                .tls
                .request_client_certificate
                .iter()
                .any(|name| name.get_ref() == asking.as_str())
            {
                self.error(span.clone(), "check-certificate, but no phone is asked for a certificate; write \"h323s\" in tls.request-client-certificate");
            }
            if h323.tcp.is_none() {
                self.findings.push(Finding::warning(span, "check-certificate without a tcp port: phones without a good certificate are refused, not asked for their password"));
            }
        }
    }
}
