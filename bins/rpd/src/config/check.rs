//! What the keys mean together: [`File`] to [`Config`].

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    num::NonZeroU16,
    ops::Range,
    path::Path,
    sync::Arc,
};

use rp_route::{
    leg::{Ports, Transport},
    name::Name,
    network::{Network, Networks},
    url::{self, Prefixes},
};
use rustls::sign::CertifiedKey;
use toml::Spanned;

use super::{
    Config, Host, Listener, Service, TargetTls, Tls, Urls, Verify,
    file::{self, EncodedSlash, File, HostRow},
    report::{Finding, Severity, line_and_column},
    value::{Bind, Binds, Target, Text},
};
use crate::{
    protocol::{Kind, PerProtocol, Protocol},
    tls::{self, Certificate, TrustList},
};

/// Judges the meaning of `file`, then loads the files it names. Without a configuration the findings hold
/// at least one error; with one they are warnings.
pub(super) fn check(file: File, text: &str, folder: &Path) -> (Option<Config>, Vec<Finding>) {
    let mut check = Check { findings: Vec::new(), text, folder };
    let listeners = check.listeners(&file.listen);
    let request_client_certificate = check.request_client_certificate(&file.tls);
    check.certificates_present(&file, &listeners);
    check.hosts(&file.host, &listeners);
    check.certificate_checks(&file, &listeners);
    if check.failed() {
        return (None, check.findings);
    }

    let certificates = check.server_certificates(&file.tls);
    let client_key = match &file.tls.client {
        Some(client) => check.certified_key(&client.get_ref().certificate, &client.get_ref().key),
        None => certificates.first().map(|certificate| certificate.key.clone()),
    };
    let trust_list = check.trust_list(&file.tls.trust_list);
    let rows = file.host.into_iter().filter(|row| row.get_ref().enabled);
    let hosts = rows.map(|row| Arc::new(check.host(row))).collect();
    if check.failed() {
        return (None, check.findings);
    }
    let config = Config {
        listeners,
        backlog: file.listen.backlog,
        tls: Tls { certificates, trust_list, request_client_certificate, min_version: file.tls.min_version },
        client_key,
        ldap_requires_tls: file.ldap.require_tls,
        hosts,
        limits: file.limits,
        log: file.log,
        workers: file.engine.workers.map(|workers| usize::from(workers.get())),
        runtime: file.engine.runtime,
    };
    (Some(config), check.findings)
}

struct Check<'a> {
    findings: Vec<Finding>,
    text: &'a str,
    folder: &'a Path,
}

/// A protocol of a host row, whichever table it came from.
struct ServiceRow<'a> {
    protocol: Protocol,
    span: Range<usize>,
    ports: Ports,
    networks: Option<&'a Vec<Text<Network>>>,
}

impl Check<'_> {
    fn failed(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }

    fn error(&mut self, span: Range<usize>, message: impl Into<String>) {
        self.findings.push(Finding::error(span, message));
    }

    fn line(&self, at: usize) -> usize {
        line_and_column(self.text, at).0
    }

    // ----- [listen]

    fn listeners(&mut self, listen: &file::Listen) -> Vec<Listener> {
        let rows = [
            &listen.h323,
            &listen.h323s,
            &listen.sip,
            &listen.sips,
            &listen.ldap,
            &listen.ldaps,
            &listen.http,
            &listen.https,
        ];
        let families = Families { ipv4: *listen.ipv4.get_ref(), ipv6: *listen.ipv6.get_ref() };
        if !families.ipv4 && !families.ipv6 {
            self.error(
                listen.ipv6.span(),
                "listen.ipv4 and listen.ipv6 are both off, so nothing is listened on; write ipv4 = true",
            );
        }
        let mut listeners: Vec<Listener> = Vec::new();
        for (kind, binds) in Kind::all().zip(rows) {
            let Some(binds) = binds else { continue };
            for address in addresses(binds.get_ref(), &families) {
                if let Some(other) = listeners.iter().find(|other| clash(other.address, address)) {
                    let message =
                        format!("listen.{kind} and listen.{} both want port {}", other.kind, address.port());
                    self.error(binds.span(), message);
                }
                listeners.push(Listener { kind, address });
            }
        }
        listeners
    }

    // ----- [tls]

    fn request_client_certificate(&mut self, tls: &file::Tls) -> Vec<Kind> {
        let mut kinds = Vec::new();
        for name in &tls.request_client_certificate {
            match Kind::all().find(|kind| kind.transport == Transport::Tls && kind.as_str() == name.get_ref())
            {
                Some(kind) => kinds.push(kind),
                None => self.error(
                    name.span(),
                    format!("{:?} is no TLS listener; write h323s, sips, ldaps or https", name.get_ref()),
                ),
            }
        }
        kinds
    }

    fn certificates_present(&mut self, file: &File, listeners: &[Listener]) {
        let Some(listener) = listeners.iter().find(|listener| listener.kind.transport == Transport::Tls)
        else {
            return;
        };
        if file.tls.certificate.is_empty() {
            let span = self.text.find("[listen]").map_or(0..0, |at| at..at + "[listen]".len());
            self.findings.push(
                Finding::error(span, format!("listen.{} is TLS, but there is no certificate", listener.kind)).remedy(
                    "add [[tls.certificate]] with certificate = \"tls/cert.pem\" and key = \"tls/key.pem\"",
                ),
            );
        }
    }

    /// `check-certificate` needs someone who asks for a certificate, someone to trust, and a leg for those who pass.
    fn certificate_checks(&mut self, file: &File, listeners: &[Listener]) {
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

    fn trust_list(&mut self, paths: &[Spanned<std::path::PathBuf>]) -> Option<Arc<TrustList>> {
        let mut trusted = Vec::new();
        for path in paths {
            match tls::read_certificates(&self.folder.join(path.get_ref())) {
                Ok(certificates) => trusted.extend(certificates),
                Err(message) => self.error(path.span(), message),
            }
        }
        (!trusted.is_empty()).then(|| Arc::new(TrustList::new(trusted)))
    }

    fn server_certificates(&mut self, tls: &file::Tls) -> Vec<Certificate> {
        let mut certificates = Vec::new();
        for row in &tls.certificate {
            let row = row.get_ref();
            let Some(key) = self.certified_key(&row.certificate, &row.key) else { continue };
            let names = match row.names.as_slice() {
                [] => tls::certificate_names(&key),
                names => names.iter().map(|name| name.get_ref().0.as_str().to_owned()).collect(),
            };
            certificates.push((row.default, Certificate { key, names }));
        }
        if let [_, extra, ..] =
            tls.certificate.iter().filter(|row| row.get_ref().default).collect::<Vec<_>>()[..]
        {
            self.error(extra.span(), "only one certificate can be the default; write default = true once");
        }
        // The default comes first; the order of the others stays.
        certificates.sort_by_key(|(default, _)| !default);
        certificates.into_iter().map(|(_, certificate)| certificate).collect()
    }

    fn certified_key(
        &mut self,
        chain: &Spanned<std::path::PathBuf>,
        key: &Spanned<std::path::PathBuf>,
    ) -> Option<Arc<CertifiedKey>> {
        let certificates = match tls::read_certificates(&self.folder.join(chain.get_ref())) {
            Ok(certificates) => certificates,
            Err(message) => {
                self.error(chain.span(), message);
                return None;
            }
        };
        match tls::read_key(&self.folder.join(key.get_ref()), certificates) {
            Ok(key) => {
                if let Some(warning) = tls::validity_warning(&key) {
                    self.findings.push(Finding::warning(chain.span(), warning));
                }
                Some(Arc::new(key))
            }
            Err(message) => {
                self.error(key.span(), message);
                None
            }
        }
    }

    // ----- [[host]]

    fn hosts(&mut self, rows: &[Spanned<HostRow>], listeners: &[Listener]) {
        let mut seen: HashMap<(Protocol, Name), usize> = HashMap::new();
        let mut defaults: HashMap<Protocol, usize> = HashMap::new();
        for row in rows {
            self.host_alone(row, listeners);
            if !row.get_ref().enabled {
                continue;
            }
            for service in services(row.get_ref()) {
                for name in &row.get_ref().names {
                    let place = (service.protocol, name.get_ref().0.clone());
                    if let Some(other) = seen.insert(place, name.span().start) {
                        let line = self.line(other);
                        self.error(
                            name.span(),
                            format!(
                                "{} already has {} in line {line}: a name belongs to one host",
                                name.get_ref().0,
                                service.protocol
                            ),
                        );
                    }
                }
            }
            for protocol in &row.get_ref().default {
                if let Some(other) = defaults.insert(*protocol.get_ref(), protocol.span().start) {
                    let line = self.line(other);
                    self.error(
                        protocol.span(),
                        format!("line {line} has the default host for {} already", protocol.get_ref()),
                    );
                }
            }
        }
    }

    fn host_alone(&mut self, row: &Spanned<HostRow>, listeners: &[Listener]) {
        let host = row.get_ref();
        let services = services(host);
        if host.names.is_empty() && host.default.is_empty() {
            self.error(row.span(), "the host has no names; write names = [\"example.com\"]");
        }
        if services.is_empty() {
            self.error(row.span(), "nothing is forwarded to this host; write h323, sip, ldap or http with its ports, such as http = { tcp = 80 }");
        }
        for service in &services {
            self.service(service, host, listeners);
        }
        for protocol in &host.default {
            if !services.iter().any(|service| service.protocol == *protocol.get_ref()) {
                let message = format!(
                    "default = [\"{0}\"], but the host has no {0}; write {0} = {{ tcp = … }}",
                    protocol.get_ref()
                );
                self.error(protocol.span(), message);
            }
        }
        if let Some(tls) = &host.tls {
            self.target_tls(tls);
        }
        if let Some(http) = &host.http {
            self.urls(http.get_ref());
        }
        if host.h323.is_some()
            && let Some(long) = host.names.iter().find(|name| name.get_ref().0.as_str().len() > GATEKEEPER_ID)
        {
            self.error(long.span(), format!("a gatekeeper identifier has at most {GATEKEEPER_ID} characters, so no phone can name this"));
        }
    }

    fn service(&mut self, service: &ServiceRow<'_>, host: &HostRow, listeners: &[Listener]) {
        let protocol = service.protocol;
        if service.ports.tcp.is_none() && service.ports.tls.is_none() {
            let message = format!(
                "{protocol} has no port, so it is not forwarded; write {protocol} = {{ tcp = … }} or leave it out"
            );
            self.error(service.span.clone(), message);
        }
        if service.ports.tls.is_some() && host.tls.is_none() {
            self.findings.push(
                Finding::error(service.span.clone(), format!("{protocol} has a tls port, but nothing says how the target's certificate is judged"))
                    .remedy("write tls = { verify = \"fingerprint\", fingerprints = [\"sha256:…\"] }, or verify = \"trust-list\" or \"none\""),
            );
        }
        for target in &host.target.get_ref().0 {
            for port in [service.ports.tcp, service.ports.tls].into_iter().flatten() {
                if let Some(listener) =
                    listeners.iter().find(|listener| is_own(listener.address, target, port))
                {
                    let message = format!(
                        "{target}:{port} is our own listener {}: every request would come back",
                        listener.kind
                    );
                    self.error(host.target.span(), message);
                }
            }
        }
        if !listeners.iter().any(|listener| listener.kind.protocol == protocol) {
            let message = format!(
                "{protocol} is forwarded to this host, but not listened for; write listen.{protocol} or listen.{protocol}s"
            );
            self.findings.push(Finding::warning(service.span.clone(), message));
        }
    }

    fn target_tls(&mut self, tls: &Spanned<file::HostTls>) {
        let row = tls.get_ref();
        match row.verify.get_ref() {
            file::Verify::TrustList if row.trust.is_empty() => {
                self.error(row.verify.span(), "verify = \"trust-list\" needs the certificates to trust; write trust = [\"trust/ca.pem\"]");
            }
            file::Verify::Fingerprint
                if row.fingerprints.as_ref().is_none_or(|list| list.get_ref().0.is_empty()) =>
            {
                self.error(
                    row.verify.span(),
                    "verify = \"fingerprint\" needs the fingerprints; write fingerprints = [\"sha256:…\"]",
                );
            }
            file::Verify::None => self.findings.push(Finding::warning(
                row.verify.span(),
                "verify = \"none\": whoever answers at the target's address is taken for it",
            )),
            file::Verify::TrustList | file::Verify::Fingerprint => {}
        }
        if let Some(name) = &row.server_name
            && (!name.get_ref().0.is_dns() || name.get_ref().0.is_wildcard())
        {
            self.error(name.span(), "tls.server-name is a DNS name; write \"pbx.example.com\"");
        }
    }

    fn urls(&mut self, http: &file::Http) {
        let Some(urls) = &http.urls else { return };
        if urls.get_ref().is_empty() {
            self.findings.push(Finding::warning(
                urls.span(),
                "urls = [] allows no URL at all; leave the key out to allow every URL",
            ));
        }
        for entry in urls.get_ref() {
            let pass = http.encoded_slash == EncodedSlash::Pass;
            let path = entry.get_ref().split('?').next().unwrap_or_default();
            if let Err(fault) = url::check(entry.get_ref(), pass) {
                self.error(entry.span(), fault.to_string());
            } else if let Err(fault) = rp_http::target::check_path(path.as_bytes()) {
                self.error(
                    entry.span(),
                    format!("no request with this path gets through: {}", fault.reason.words()),
                );
            }
        }
    }

    /// Builds a row that [`Check::hosts`] has found sound.
    fn host(&mut self, row: Spanned<HostRow>) -> Host {
        let line = self.line(row.span().start);
        let host = row.into_inner();
        let mut table = PerProtocol::default();
        for service in services(&host) {
            let networks = service.networks.map(|list| Networks::new(list.iter().map(|network| network.0)));
            table[service.protocol] = Some(Service { ports: service.ports, networks });
        }
        let http = host.http.as_ref().map(Spanned::get_ref);
        Host {
            line,
            names: host.names.into_iter().map(|name| name.into_inner().0).collect(),
            targets: host.target.into_inner().0,
            any_location: host.h323.as_ref().is_some_and(|h323| h323.get_ref().any_location),
            check_certificate: host.h323.as_ref().is_some_and(|h323| h323.get_ref().check_certificate),
            serial_names: host.h323.as_ref().is_some_and(|h323| h323.get_ref().serial_names),
            user_at_domain: host.ldap.as_ref().is_some_and(|ldap| ldap.get_ref().user_at_domain),
            suspicious_results: host
                .ldap
                .as_ref()
                .map(|ldap| {
                    (
                        ldap.get_ref().suspicious_results.clone(),
                        ldap.get_ref().suspicious_results_sasl.clone(),
                    )
                })
                .unwrap_or_default(),
            encoded_slash: http.is_some_and(|http| http.encoded_slash == EncodedSlash::Pass),
            urls: http.and_then(|http| http.urls.as_ref()).map(|urls| {
                let entries: Vec<String> =
                    urls.get_ref().iter().map(|entry| entry.get_ref().clone()).collect();
                Urls { matcher: Prefixes::new(entries.iter().map(String::as_bytes)), entries }
            }),
            services: table,
            comment: host.comment,
            default: host.default.into_iter().map(Spanned::into_inner).collect(),
            tls: host.tls.and_then(|tls| self.load_target_tls(tls.into_inner())),
            source_address: host.source_address.map(|address| address.0),
        }
    }

    fn load_target_tls(&mut self, row: file::HostTls) -> Option<TargetTls> {
        let verify = match row.verify.get_ref() {
            file::Verify::None => Verify::None,
            file::Verify::Fingerprint => Verify::Fingerprint(row.fingerprints?.into_inner().0),
            file::Verify::TrustList => {
                let trusted = self.trust_list(&row.trust);
                Verify::TrustList(trusted.unwrap_or_else(|| Arc::new(TrustList::new(Vec::new()))))
            }
        };
        let server_name = row.server_name.map(|name| name.into_inner().0.as_str().to_owned());
        Some(TargetTls { verify, server_name, present_certificate: row.present_certificate })
    }
}

struct Families {
    ipv4: bool,
    ipv6: bool,
}

fn addresses(binds: &Binds, families: &Families) -> Vec<SocketAddr> {
    let any4 = families.ipv4.then_some(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let any6 = families.ipv6.then_some(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
    binds
        .0
        .iter()
        .flat_map(|bind| match *bind {
            Bind::Address(address) => vec![address],
            Bind::Port(port) => {
                [any4, any6].into_iter().flatten().map(|ip| SocketAddr::new(ip, port)).collect()
            }
        })
        .collect()
}

/// Whether two listening addresses cannot both be had.
fn clash(a: SocketAddr, b: SocketAddr) -> bool {
    let overlap = a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified();
    a.port() != 0 && a.port() == b.port() && a.is_ipv4() == b.is_ipv4() && overlap
}

/// Whether a target is one of our own listeners.
fn is_own(listener: SocketAddr, target: &Target, port: u16) -> bool {
    let Target::Address(ip) = target else { return false };
    let same = listener.ip() == *ip || (listener.ip().is_unspecified() && ip.is_loopback());
    listener.port() == port && listener.is_ipv4() == ip.is_ipv4() && same
}

fn services(host: &HostRow) -> Vec<ServiceRow<'_>> {
    let row = |protocol, span, tcp: Option<NonZeroU16>, tls: Option<NonZeroU16>, networks| ServiceRow {
        protocol,
        span,
        ports: Ports { tcp: tcp.map(NonZeroU16::get), tls: tls.map(NonZeroU16::get) },
        networks,
    };
    let h323 = host.h323.as_ref().map(|s| (s.span(), s.get_ref()));
    let sip = host.sip.as_ref().map(|s| (s.span(), s.get_ref()));
    let ldap = host.ldap.as_ref().map(|s| (s.span(), s.get_ref()));
    let http = host.http.as_ref().map(|s| (s.span(), s.get_ref()));
    [
        h323.map(|(span, s)| row(Protocol::H323, span, s.tcp, s.tls, s.networks.as_ref())),
        sip.map(|(span, s)| row(Protocol::Sip, span, s.tcp, s.tls, s.networks.as_ref())),
        ldap.map(|(span, s)| row(Protocol::Ldap, span, s.tcp, s.tls, s.networks.as_ref())),
        http.map(|(span, s)| row(Protocol::Http, span, s.tcp, s.tls, s.networks.as_ref())),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// `GatekeeperIdentifier ::= BMPString (SIZE(1..128))`, H.225.0.
const GATEKEEPER_ID: usize = 128;
