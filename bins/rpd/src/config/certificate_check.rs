//! `check-certificate`, which H.323 and SIP have in common.

use std::{num::NonZeroU16, ops::Range};

use rp_route::leg::Transport;

use super::{check::Check, file::File, listen::Listener};
use crate::protocol::{Kind, Protocol};

/// The row of a protocol that knows the rule.
struct Row {
    protocol: Protocol,
    span: Range<usize>,
    tcp: Option<NonZeroU16>,
    tls: Option<NonZeroU16>,
    is_checked: bool,
}

impl Check<'_> {
    /// `check-certificate` needs someone who asks for a certificate, someone to trust, and a leg for those who pass.
    pub(super) fn certificate_checks(&mut self, file: &File, listeners: &[Listener]) {
        for row in rows(file) {
            if row.is_checked {
                self.certificate_check(&row, file, listeners);
            } else if row.tls.is_some() {
                let message = format!(
                    "{} has a tls port without check-certificate: clients reach the PBX's TLS port unproven, so the PBX must not have \"Assume TLS\" set; write check-certificate = true",
                    row.protocol
                );
                self.warning(row.span, message);
            }
        }
    }

    fn certificate_check(&mut self, row: &Row, file: &File, listeners: &[Listener]) {
        let asking = Kind { protocol: row.protocol, transport: Transport::Tls };
        let usual = if row.protocol == Protocol::Sip { 5061 } else { 1300 };
        let mut error = |message: String| self.error(row.span.clone(), message);
        if row.tls.is_none() {
            error(format!(
                "check-certificate without a tls port: there is no leg for phones that pass; write tls = {usual}"
            ));
        }
        if file.tls.trust_list.is_empty() {
            error("check-certificate without tls.trust-list: no certificate would be trusted; write trust-list = [\"trust/devices.pem\"] in [tls]".to_owned());
        }
        let mut leads_here = listeners.iter().filter(|listener| listener.kind.takes(asking)).peekable();
        let asks = |listener: &Listener| {
            file.tls.request_client_certificate.iter().any(|name| name.get_ref() == listener.kind.as_str())
        };
        if leads_here.peek().is_none() {
            error(format!(
                "check-certificate without listen.{asking}: nobody can show a certificate; write {asking} = {usual} in [listen]"
            ));
        } else if !leads_here.any(asks) {
            error(format!(
                "check-certificate, but no phone is asked for a certificate; write \"{asking}\" in tls.request-client-certificate"
            ));
        }
        if row.tcp.is_none() {
            self.warning(row.span.clone(), "check-certificate without a tcp port: phones without a good certificate are refused, not asked for their password");
        }
    }
}

fn rows(file: &File) -> impl Iterator<Item = Row> {
    file.host.iter().filter(|row| row.get_ref().enabled).flat_map(|row| {
        let h323 = row.get_ref().h323.as_ref().map(|row| (Protocol::H323, row.span(), row.get_ref()));
        let sip = row.get_ref().sip.as_ref().map(|row| (Protocol::Sip, row.span(), row.get_ref()));
        let h323 = h323.map(|(protocol, span, row)| Row {
            protocol,
            span,
            tcp: row.tcp,
            tls: row.tls,
            is_checked: row.check_certificate,
        });
        let sip = sip.map(|(protocol, span, row)| Row {
            protocol,
            span,
            tcp: row.tcp,
            tls: row.tls,
            is_checked: row.check_certificate,
        });
        [h323, sip].into_iter().flatten()
    })
}
