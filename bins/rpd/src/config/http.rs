//! `host.http`.

#![allow(missing_docs, reason = "the keys are described where they are read by people: docs/CONFIG.md")]

use std::num::NonZeroU16;

use rp_http::head::is_method;
use rp_route::{leg::Transport, network::Network};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    check::Check,
    listen::Listener,
    urls::{UrlRow, Urls},
    value::{Size, Spanned, Text},
};
use crate::{
    protocol::{Kind, Protocol},
    proxy_protocol::Version,
};

/// What only HTTP asks of a host.
#[derive(Clone, Debug)]
pub struct Http {
    /// Whether `%2f` in a path is passed.
    pub encoded_slash: bool,
    /// The allowed URLs; none: every URL.
    pub urls: Option<Urls>,
    /// The allowed methods; none: every method.
    pub methods: Option<Vec<String>>,
    /// The largest body of a request.
    pub max_body: Option<u64>,
    /// What comes in clear is sent to https.
    pub redirect: Option<Redirect>,
    /// Whether the service gets Forwarded (RFC 7239) too.
    pub forwarded: bool,
    /// Our name in Via.
    pub via: Option<String>,
    /// Whether a leg serves one client after another.
    pub reuse: bool,
    /// Statuses of the service that may speak against a client.
    pub count_status: Vec<u16>,
    /// Whether our own address stands in X-Forwarded-For behind the client's.
    pub append_own_address: bool,
}

/// Where clients in clear are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// The port that https has for them, if not the usual one.
    pub port: Option<u16>,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            encoded_slash: false,
            urls: None,
            methods: None,
            max_body: None,
            redirect: None,
            forwarded: false,
            via: None,
            reuse: true,
            count_status: count_status(),
            append_own_address: false,
        }
    }
}

/// `host.http`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct HttpRow {
    pub tcp: Option<NonZeroU16>,
    pub tls: Option<NonZeroU16>,
    pub networks: Option<Vec<Text<Network>>>,
    pub send_proxy: Option<Version>,
    pub urls: Option<Spanned<Vec<Spanned<UrlRow>>>>,
    #[serde(default)]
    pub encoded_slash: EncodedSlash,
    pub methods: Option<Spanned<Vec<Spanned<String>>>>,
    pub max_body: Option<Text<Size>>,
    pub redirect: Option<Spanned<RedirectTo>>,
    pub redirect_port: Option<Spanned<NonZeroU16>>,
    #[serde(default)]
    pub forwarded: bool,
    pub via: Option<Spanned<String>>,
    #[serde(default)]
    pub reuse: Reuse,
    #[serde(default = "count_status_row")]
    pub count_status: Vec<Spanned<u16>>,
    #[serde(default)]
    pub append_own_address: bool,
}

/// What becomes of `%2f` in a path.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum EncodedSlash {
    #[default]
    Reject,
    Pass,
}

/// Where clients in clear are sent.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum RedirectTo {
    Https,
}

/// Whether a leg serves one client after another.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Reuse {
    #[default]
    Allow,
    Never,
}

/// Wrong credentials, and what is forbidden.
fn count_status() -> Vec<u16> {
    vec![401, 403]
}

fn count_status_row() -> Vec<Spanned<u16>> {
    count_status().into_iter().map(Spanned::unwritten).collect()
}

impl Check<'_> {
    pub(super) fn http(&mut self, http: &HttpRow, listeners: &[Listener]) {
        self.urls(http, listeners);
        if let Some(methods) = &http.methods {
            self.methods(methods);
        }
        self.redirect(http, listeners);
        if let Some(via) = http.via.as_ref().filter(|via| !is_pseudonym(via.get_ref())) {
            let message = format!(
                "{:?} is no name for Via; write one of letters, digits, - and . such as \"edge\"",
                via.get_ref()
            );
            self.error(via.span(), message);
        }
        for status in http.count_status.iter().filter(|status| !(400..=599).contains(status.get_ref())) {
            let message = format!("{} is no status of a refusal; write some of 400 to 599", status.get_ref());
            self.error(status.span(), message);
        }
    }

    fn methods(&mut self, methods: &Spanned<Vec<Spanned<String>>>) {
        if methods.get_ref().is_empty() {
            self.error(
                methods.span(),
                "methods = [] allows no request at all; leave the key out to allow every method",
            );
        }
        for method in methods.get_ref().iter().filter(|method| !is_method(method.get_ref().as_bytes())) {
            let message = format!(
                "{:?} is no method that gets through; write one in capitals such as \"GET\", and neither CONNECT nor TRACE",
                method.get_ref()
            );
            self.error(method.span(), message);
        }
    }

    fn redirect(&mut self, http: &HttpRow, listeners: &[Listener]) {
        let Some(redirect) = &http.redirect else {
            if let Some(port) = &http.redirect_port {
                self.error(port.span(), "redirect-port without redirect; write redirect = \"https\" too");
            }
            return;
        };
        let https = Kind { protocol: Protocol::Http, transport: Transport::Tls };
        if !listeners.iter().any(|listener| listener.kind.takes(https)) {
            let message =
                "redirect = \"https\", but https is not listened for; write https = 443 in [listen]";
            self.warning(redirect.span(), message);
        }
    }

    /// Builds a table that [`Check::http`] has found sound.
    pub(super) fn build_http(&mut self, row: HttpRow) -> Http {
        let port = row.redirect_port.map(|port| port.into_inner().get());
        Http {
            encoded_slash: row.encoded_slash == EncodedSlash::Pass,
            urls: row.urls.map(|urls| self.build_urls(urls.into_inner())),
            methods: row.methods.map(|list| list.into_inner().into_iter().map(Spanned::into_inner).collect()),
            max_body: row.max_body.map(|Text(Size(octets))| octets as u64),
            redirect: row.redirect.map(|_| Redirect { port }),
            forwarded: row.forwarded,
            via: row.via.map(Spanned::into_inner),
            reuse: row.reuse == Reuse::Allow,
            count_status: row.count_status.into_iter().map(Spanned::into_inner).collect(),
            append_own_address: row.append_own_address,
        }
    }
}

/// `pseudonym = token` (RFC 9110 7.6.3), of characters that mean nothing elsewhere.
fn is_pseudonym(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_'))
}
