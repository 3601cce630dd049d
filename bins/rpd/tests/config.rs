//! What the configuration takes, and what it says of the rest.

mod common;

use std::path::Path;

use rpd::config::{Config, Report, Severity};

/// The findings about `text`, one a line: line number, severity, message, remedy.
fn findings(text: &str) -> String {
    said(Config::parse(text, Path::new("rpd.toml")))
}

fn said(parsed: Result<(Config, Report), Report>) -> String {
    let report = match parsed {
        Ok((_, warnings)) => warnings,
        Err(report) => report,
    };
    let lines = report.findings().iter().map(|finding| {
        let (line, _) = report.line_and_column(finding.span.start);
        let severity = if finding.severity == Severity::Error { "error" } else { "warning" };
        format!("{line} {severity}: {} | {}\n", finding.message, finding.remedy.as_deref().unwrap_or(""))
    });
    lines.collect()
}

#[test]
fn every_example_is_sound() {
    let folder = common::examples();
    let mut seen = 0;
    for entry in std::fs::read_dir(folder.path()).expect("the folder of examples") {
        let path = entry.expect("a file").path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let (config, warnings) = Config::load(&path).unwrap_or_else(|report| panic!("{report}"));
            assert!(warnings.findings().is_empty(), "{warnings}");
            assert!(!config.hosts.is_empty() && !config.listeners.is_empty());
            seen += 1;
        }
    }
    assert!(seen >= 3, "only {seen} examples in {}", folder.path().display());
}

#[test]
fn an_empty_file_is_a_configuration_that_serves_nothing() {
    let (config, _) = Config::parse("", Path::new("rpd.toml")).expect("nothing is wrong with nothing");
    assert!(config.listeners.is_empty() && config.hosts.is_empty());
}

/// Each row: a configuration, and a part of what must be said of it.
#[test]
fn errors_of_meaning_name_place_and_remedy() {
    let web = "[listen]\nhttp = 8080\n";
    let host = "[[host]]\nnames = [\"a.example\"]\ntarget = \"10.0.0.1\"\n";
    let token = format!("[[admin.token]]\nname = \"anna\"\nsha256 = \"{}\"\n", "0".repeat(64));
    for (text, said) in [
        (format!("{web}{host}"), "3 error: nothing is forwarded to this host | write h323"),
        ("[tls]\nwatch = 60\n".to_owned(), "2 error: tls.watch is number 60, wanted is a duration"),
        ("[log]\nfile = true\n".to_owned(), "2 error: log.file is"),
        ("[log]\nclient-address = \"none\"\n".to_owned(), "2 error: log.client-address"),
        ("[log]\nkeep-requests = 70000\n".to_owned(), "2 error: log.keep-requests"),
        (format!("{web}{host}http = {{}}\n"), "6 error: http has no port"),
        (
            format!("{web}[[host]]\ntarget = \"10.0.0.1\"\nhttp = {{ tcp = 80 }}\n"),
            "3 error: the host has no names",
        ),
        (
            format!("{web}{host}http = {{ tcp = 80 }}\n{host}http = {{ tcp = 81 }}\n"),
            "8 error: a.example already has http in line 4: a name belongs to one host",
        ),
        (
            format!(
                "{web}{host}http = {{ tcp = 80 }}\n[[host]]\nnames = [\"A.example.\"]\ntarget = \"10.0.0.2\"\nhttp = {{ tcp = 81 }}\n"
            ),
            "8 error: a.example already has http in line 4",
        ),
        (
            format!("{web}{host}http = {{ tls = 443 }}\n"),
            "6 error: http has a tls port, but nothing says how",
        ),
        (
            format!("{web}{host}http = {{ tls = 443 }}\ntls = {{ verify = \"fingerprint\" }}\n"),
            "7 error: verify = \"fingerprint\" needs the fingerprints | write fingerprints",
        ),
        (
            format!("{web}{host}http = {{ tls = 443 }}\ntls = {{ verify = \"trust-list\" }}\n"),
            "7 error: verify = \"trust-list\" needs the certificates",
        ),
        (
            format!("{web}{host}http = {{ tls = 443 }}\ntls = {{ verify = \"none\" }}\n"),
            "7 warning: verify = \"none\": whoever answers",
        ),
        ("[listen]\nhttps = 8443\n".to_owned(), "1 error: listen.https takes TLS, but there is no certificate"),
        ("[listen]\nany = 8443\n".to_owned(), "1 error: listen.any takes TLS, but there is no certificate"),
        ("[listen]\nany = 8080\nsip = 8080\n".to_owned(), "2 error: listen.any and listen.sip both want port 8080"),
        (
            "[listen]\nany = 8080\n".to_owned(),
            "2 warning: listen.any is open, but no host has any protocol: everybody is refused there",
        ),
        ("[listen]\nhttp = 8080\nsip = 8080\n".to_owned(), "listen.http and listen.sip both want port 8080"),
        (
            "[listen]\nhttp = 8080\nsip = \"127.0.0.1:8080\"\n".to_owned(),
            "listen.http and listen.sip both want port 8080",
        ),
        (
            "[listen]\nipv4 = false\nipv6 = false\n".to_owned(),
            "error: listen.ipv4 and listen.ipv6 are both off",
        ),
        (
            format!("[listen]\nhttp = 80\n{}http = {{ tcp = 80 }}\n", host.replace("10.0.0.1", "127.0.0.1")),
            "is our own listener http: every request would come back",
        ),
        (
            format!("{web}{host}sip = {{ tcp = 5060 }}\nhttp = {{ tcp = 80 }}\n"),
            "6 warning: sip is forwarded to this host, but not listened for | write listen.sip",
        ),
        (
            format!("{web}{host}http = {{ tcp = 80, urls = [\"PBX0\", \"/a/../b\", \"/ok\"] }}\n"),
            "6 error: no request with this path gets through",
        ),
        (
            format!("{web}{host}http = {{ tcp = 80, urls = [\"PBX0\"] }}\n"),
            "an entry begins with `/` | write `/PBX0`",
        ),
        (
            format!("{web}{host}http = {{ tcp = 80, urls = [{{ prefix = \"/a\", tcp = 81 }}] }}\n"),
            "6 error: the entry has a port or verify, but no target | write target",
        ),
        (
            format!(
                "{web}{host}http = {{ tcp = 80, urls = [{{ prefix = \"/a\", target = \"10.0.0.2\" }}] }}\n"
            ),
            "6 error: the entry has a target without a port | write tcp = 80",
        ),
        (
            format!(
                "{web}{host}http = {{ tcp = 80, urls = [{{ prefix = \"/a\", target = \"10.0.0.2\", tls = 443 }}] }}\n"
            ),
            "6 error: the entry has a tls port, but nothing says how",
        ),
        (
            format!(
                "{web}{host}http = {{ tcp = 80, urls = [{{ prefix = \"/a\", target = \"10.0.0.2\", tls = 443, verify = \"fingerprint\" }}] }}\n"
            ),
            "6 error: verify = \"fingerprint\" needs the fingerprints",
        ),
        (
            format!(
                "{web}{host}http = {{ tcp = 80, urls = [{{ prefix = \"/a\", target = \"127.0.0.1\", tcp = 8080 }}] }}\n"
            ),
            "127.0.0.1:8080 is our own listener http",
        ),
        (
            format!(
                "{web}{host}http = {{ tcp = 80, urls = [{{ prefix = \"a\", target = \"10.0.0.2\", tcp = 80 }}] }}\n"
            ),
            "an entry begins with `/` | write `/a`",
        ),
        (
            format!("{web}{host}http = {{ tcp = 80, urls = [5] }}\n"),
            "the beginning of a path, or a table such as",
        ),
        (
            format!("{web}{host}http = {{ tcp = 80, urls = [\"/a\", \"/b\", \"/a\"] }}\n"),
            "6 warning: \"/a\" is in the list already",
        ),
        (
            format!("{web}{host}http = {{ tcp = 80, methods = [\"GET\", \"get\"] }}\n"),
            "6 error: \"get\" is no method that gets through | write one in capitals",
        ),
        (
            format!("{web}{host}http = {{ tcp = 80, methods = [] }}\n"),
            "6 error: methods = [] allows no request",
        ),
        (
            format!("{web}{host}http = {{ tcp = 80, redirect-port = 453 }}\n"),
            "6 error: redirect-port without redirect | write redirect = \"https\"",
        ),
        (
            format!("{web}{host}http = {{ tcp = 80, redirect = \"https\" }}\n"),
            "6 warning: redirect = \"https\", but https is not listened for",
        ),
        (format!("{web}{host}http = {{ tcp = 80, via = \"a b\" }}\n"), "6 error: \"a b\" is no name for Via"),
        (
            format!("{web}{host}http = {{ tcp = 80, count-status = [401, 200] }}\n"),
            "6 error: 200 is no status of a refusal | write some of 400 to 599",
        ),
        (
            format!("{web}{host}http = {{ tcp = 80, urls = [] }}\n"),
            "6 warning: urls = [] allows no URL at all",
        ),
        (
            format!("{web}{host}http = {{ tcp = 80 }}\nmax-connections = 0\n"),
            "7 error: host.max-connections is number 0, wanted is a whole number from 1 to 4294967295",
        ),
        (
            format!("{web}{host}http = {{ tcp = 80 }}\ndefault = [\"sip\"]\n"),
            "7 error: default = [\"sip\"], but the host has no sip",
        ),
        (format!("{web}{host}http = {{ tcp = 80, networks = [\"10.1.2.3/8\"] }}\n"), "10.0.0.0/8"),
        (
            "[listen]\nhttp = 8080\nsip = 5060\n[[host]]\nnames = [\"a\"]\ntarget = \"10.0.0.1\"\nhttp = { tcp = 80 }\n".to_owned(),
            "3 warning: listen.sip is open, but no host has sip: everybody is refused there",
        ),
        (
            format!("{web}{host}http = {{ tcp = 80 }}\ncomment = \"admin, Password: 1234\"\n"),
            "3 warning: the comment looks as if it held a password",
        ),
        (
            "[limits]\nmax-connections = 4000000000\n".to_owned(),
            "2 warning: 4000000000 connections need twice as many open files",
        ),
        (
            "[limits]\nsip-head = \"65KiB\"\n".to_owned(),
            "2 error: limits.sip-head: larger heads are never read | write \"64KiB\" or less",
        ),
        (
            "[listen]\nhttp = 8080\ntrusted-proxies = [\"10.0.0.1\"]\nproxy-protocol = [\"http\", \"web\", \"sip\"]\n".to_owned(),
            "4 error: \"web\" is no listener | write h323, h323s",
        ),
        (
            "[listen]\nhttp = 8080\ntrusted-proxies = [\"10.0.0.1\"]\nproxy-protocol = [\"http\", \"sip\"]\n".to_owned(),
            "4 warning: sip is not listened for | write listen.sip",
        ),
        (
            "[listen]\nhttp = 8080\nproxy-protocol = [\"http\"]\n".to_owned(),
            "3 error: proxy-protocol without trusted-proxies: nobody's header would be read | write trusted-proxies",
        ),
        (
            "[listen]\ntrusted-proxies = [\"10.0.0.1/8\"]\n".to_owned(),
            "10.0.0.0/8",
        ),
        (format!("{web}{host}http = {{ tcp = 80, send-proxy = \"v3\" }}\n"), "6 error: "),
        (
            format!("{web}{host}http = {{ tcp = 80 }}\ndefault = [\"http\"]\n[[host]]\ntarget = \"10.0.0.2\"\nhttp = {{ tcp = 80 }}\ndefault = [\"http\"]\n"),
            "11 error: line 7 has the default host for http already",
        ),
        (
            format!("[listen]\nh323 = 1720\n[[host]]\nnames = [\"{}.example\"]\ntarget = \"10.0.0.1\"\nh323 = {{ tcp = 1720 }}\n", ["abcdefgh"; 16].join(".")),
            "4 error: a gatekeeper identifier has at most 128 characters, so no phone can name this",
        ),
        (format!("{web}{}http = {{ tcp = 80 }}\n", host.replace("a.example", "a.*.example")), "4 error: host.names: "),
        (format!("{web}{}http = {{ tcp = 80 }}\n", host.replace("a.example", "a.example:80")), "4 error: host.names: "),
        (format!("{web}{}http = {{ tcp = 80 }}\n", host.replace("a.example", "http://a.example")), "4 error: host.names: "),
        (format!("{web}{}http = {{ tcp = 80 }}\n", host.replace("a.example", "")), "4 error: host.names: "),
        (format!("{web}{host}http = {{ tcp = 80, urls = [\"/a#b\"] }}\n"), "6 error: "),
        (format!("{web}{host}http = {{ tcp = 80, urls = [\"/a%2fb\"] }}\n"), "6 error: "),
        (
            format!("[listen]\nsips = 5061\n{host}sip = {{ tls = 5061, check-certificate = true }}\n"),
            "6 warning: check-certificate without a tcp port: phones without a good certificate are refused",
        ),
        ("[guard]\nthreshold = 256\n".to_owned(), "2 error: guard.threshold is number 256, wanted is a whole number from 0 to 255"),
        ("[guard]\nexpiration = \"0s\"\n".to_owned(), "2 error: a ban of no time bans nobody | write \"60min\""),
        ("[guard]\nipv4-prefix = 16\n".to_owned(), "2 error: guard.ipv4-prefix: an IPv4 source of 16 bits; 24"),
        ("[guard]\nipv6-prefix = 129\n".to_owned(), "2 error: guard.ipv6-prefix: an IPv6 source of 129 bits"),
        (
            "[guard]\nnat64 = [\"64:ff9b::/64\"]\n".to_owned(),
            "2 error: guard.nat64: 64:ff9b::/64 is no NAT64 prefix",
        ),
        ("[guard]\nmax-tracked = 100\n".to_owned(), "2 error: guard.max-tracked is 100 | write 512 to 4194304"),
        ("[guard]\nmax-entries = 2000000\n".to_owned(), "2 error: guard.max-entries is 2000000 | write 64 to 1000000"),
        ("[guard]\nmode = \"watch\"\n".to_owned(), "2 error: guard.mode: "),
        ("[guard]\ncount-target-down = \"maybe\"\n".to_owned(), "2 error: guard.count-target-down: "),
        ("[guard]\nallow = [\"0.0.0.0/0\"]\n".to_owned(), "2 warning: nobody of this family is ever counted"),
        ("[guard]\nblock = [\"192.0.2.7/24\"]\n".to_owned(), "2 error: guard.block: bits are set"),
        ("[[guard.network]]\nthreshold = 40\n".to_owned(), "1 error: guard.network has no network"),
        (
            "[[guard.network]]\nnetwork = \"192.0.2.0/24\"\nthreshold = 40\n[[guard.network]]\nnetwork = \"192.0.2.0/24\"\n".to_owned(),
            "4 error: guard.network: 192.0.2.0/24 has two thresholds",
        ),
        (
            (1..=9).map(|n| format!("[[guard.network]]\nnetwork = \"192.0.2.{n}\"\nthreshold = {}\n", 100 + n)).collect(),
            "25 error: guard.network: 9 distinct thresholds beside the default; at most 8",
        ),
        ("[admin]\nsocket-mode = \"rw\"\n".to_owned(), "2 error: admin.socket-mode: \"rw\" is no permission in octal | write \"0660\""),
        ("[admin]\nlisten = \"127.0.0.1:0\"\n".to_owned(), "2 error: admin.listen lets nobody in | write a [[admin.token]]"),
        (format!("[admin]\nlisten = 8443\n{token}"), "2 error: admin.listen: everybody could knock there | write the address too, such as \"127.0.0.1:8443\""),
        (format!("[admin]\nlisten = \"192.0.2.1:8443\"\n{token}"), "2 error: admin.listen 192.0.2.1:8443 would show tokens to whoever is on the way | write admin.certificate and admin.key, or \"127.0.0.1:8443\""),
        (format!("[admin]\nlisten = \"192.0.2.1:8443\"\n{token}"), "2 error: no browser may call admin.listen 192.0.2.1:8443 by any name | write admin.names"),
        (format!("[admin]\nlisten = \"127.0.0.1:0\"\nclient-trust = [\"ca.pem\"]\n{token}"), "3 error: admin.client-trust asks for certificates over TLS | write admin.certificate"),
        (format!("[admin]\nlisten = \"127.0.0.1:0\"\nkey = \"a.key\"\n{token}"), "3 error: admin.certificate and admin.key belong together | write both"),
        (format!("[admin]\nlisten = \"127.0.0.1:0\"\n{token}{token}"), "7 error: two tokens are called \"anna\""),
        ("[[admin.token]]\nname = \"anna\"\nsha256 = \"secret\"\n".to_owned(), "3 error: admin.token.sha256: \"secret\" is no SHA-256 in hex | write what `rpd token` prints"),
        ("[[admin.token]]\nname = \"anna\"\nrole = \"root\"\n".to_owned(), "admin.token.role: unknown variant"),
        ("[admin]\nsocket-mode = \"0666\"\n".to_owned(), "2 warning: everybody on this machine may change the lists"),
        ("[metrics]\nlisten = 9464\n".to_owned(), "2 error: metrics.listen: everybody could read the figures | write the address too, such as \"127.0.0.1:9464\""),
        ("[admin]\nsocket-group = \"no-such-group\"\n".to_owned(), "2 error: this machine has no group \"no-such-group\""),
        (
            "[tls]\nrequest-client-certificate = [\"sip\"]\n".to_owned(),
            "2 error: \"sip\" is no TLS listener | write h323s, sips, ldaps, https or any",
        ),
        (
            "[tls]\n[[tls.certificate]]\ncertificate = \"no-such.pem\"\nkey = \"no-such.key\"\n".to_owned(),
            "3 error: no-such.pem: No such file",
        ),
    ] {
        let found = findings(&text);
        assert!(found.contains(said), "wanted: {said}\nfound: {found}\n{text}");
    }
}

#[test]
fn what_only_sip_asks_is_checked() {
    let listen = "[listen]\nsip = \"127.0.0.1:5060\"\n";
    let host = "[[host]]\nnames = [\"a.example\"]\ntarget = \"10.0.0.1\"\n";
    for (text, said) in [
        (
            "[sip]\npublic-address = \"a b\"\n".to_owned(),
            "2 error: sip.public-address: \"a b\" is no address that phones can reach | write \"198.51.100.1\"",
        ),
        (
            "[sip]\npublic-address = 5060\n".to_owned(),
            "2 error: sip.public-address is number 5060, wanted is an address or a DNS name",
        ),
        (
            "[sip]\npublic-address = { udp = \"a.example\" }\n".to_owned(),
            "2 error: unknown key sip.public-address.udp | did you mean tcp?",
        ),
        (
            "[sip]\npublic-address = { tcp = \"a.example:x\" }\n".to_owned(),
            "2 error: sip.public-address.tcp: \"a.example:x\" is no address",
        ),
        (
            format!("{listen}{host}sip = {{ tcp = 5060, record-route = 1 }}\n"),
            "6 error: host.sip.record-route is number 1, wanted is true or false",
        ),
        (
            format!("{listen}{host}sip = {{ tcp = 5060, check-certificate = true }}\n"),
            "6 error: check-certificate without a tls port: there is no leg for phones that pass | write tls = 5061",
        ),
        (
            format!("{listen}{host}sip = {{ tcp = 5060, check-certificate = true }}\n"),
            "6 error: check-certificate without listen.sips: nobody can show a certificate | write sips = 5061 in [listen]",
        ),
        (
            format!("{listen}{host}sip = {{ tcp = 5060, check-certificate = true }}\n"),
            "6 error: check-certificate without tls.trust-list",
        ),
        (
            format!(
                "[tls]\nrequest-client-certificate = []\n[listen]\nsips = 5061\n{host}sip = {{ tls = 5061, check-certificate = true }}\n"
            ),
            "8 error: check-certificate, but no phone is asked for a certificate | write \"sips\" in tls.request-client-certificate",
        ),
        (
            format!("{listen}{host}sip = {{ tls = 5061 }}\ntls = {{ verify = \"none\" }}\n"),
            "6 warning: sip has a tls port without check-certificate",
        ),
        (
            format!("[listen]\nsip = \"192.168.1.2:5060\"\n{host}sip = {{ tcp = 5060 }}\n"),
            "6 warning: listen.sip is at the private address 192.168.1.2, and phones outside are told to send to it | write public-address",
        ),
    ] {
        let found = findings(&text);
        assert!(found.contains(said), "wanted: {said}\nfound: {found}\n{text}");
    }
    for sound in [
        format!("{listen}{host}sip = {{ tcp = 5060, public-address = \"[2001:db8::1]:5061\" }}\n"),
        format!(
            "[listen]\nsip = \"192.168.1.2:5060\"\n[sip]\npublic-address = {{ tcp = \"rp.example.com\" }}\n{host}sip = {{ tcp = 5060 }}\n"
        ),
        format!(
            "[listen]\nsip = \"192.168.1.2:5060\"\n[sip]\nrecord-route = false\n{host}sip = {{ tcp = 5060 }}\n"
        ),
    ] {
        assert_eq!(findings(&sound), "", "{sound}");
    }
}

/// A certificate with these names, by itself, in a folder of its own.
fn certificate(names: &[&str], key: &rcgen::KeyPair) -> tempfile::TempDir {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let made = rcgen::CertificateParams::new(names).expect("names").self_signed(key).expect("a certificate");
    let folder = tempfile::tempdir().expect("a folder");
    common::write(folder.path(), "cert.pem", &made.pem());
    common::write(folder.path(), "cert.key", &key.serialize_pem());
    folder
}

fn findings_in(folder: &Path, text: &str) -> String {
    said(Config::parse(text, &folder.join("rpd.toml")))
}

const TLS: &str = "[tls]\n[[tls.certificate]]\ncertificate = \"cert.pem\"\nkey = \"cert.key\"\n";

#[test]
fn a_name_that_no_certificate_holds_is_told_for_every_protocol() {
    let key = rcgen::KeyPair::generate().expect("a key");
    let folder = certificate(&["*.example.com"], &key);
    let text = format!(
        "[listen]\nhttps = 8443\nldap = 3890\nldaps = 6360\n{TLS}[[host]]\nnames = [\"example.com\", \"example.com/hq\", \"hq.example.com\", \"a.hq.example.com\", \"*.example.com\", \"192.0.2.1\"]\ntarget = \"10.0.0.1\"\nldap = {{ tcp = 389 }}\n[[host]]\nnames = [\"web.example.net\"]\ntarget = \"10.0.0.2\"\nhttp = {{ tcp = 80 }}\n"
    );
    let found = findings_in(folder.path(), &text);
    let lines: Vec<&str> = found.lines().collect();
    assert_eq!(lines.len(), 3, "{found}");
    for (line, name) in lines.iter().zip([
        "10 warning: no certificate holds example.com, which clients reach over TLS (ldaps)",
        "10 warning: no certificate holds a.hq.example.com, ",
        "14 warning: no certificate holds web.example.net, which clients reach over TLS (https)",
    ]) {
        assert!(line.starts_with(name), "wanted: {name}\nfound: {line}");
    }
    let in_clear = text.replace("https = 8443", "http = 8080").replace("ldaps = 6360\n", "");
    assert_eq!(findings_in(folder.path(), &in_clear), "");
}

#[test]
fn a_key_that_every_user_may_read_is_told() {
    use std::os::unix::fs::PermissionsExt;
    let folder = certificate(&["example.com"], &rcgen::KeyPair::generate().expect("a key"));
    let open = |mode| {
        std::fs::set_permissions(folder.path().join("cert.key"), std::fs::Permissions::from_mode(mode))
    };
    open(0o644).expect("our own file");
    let found = findings_in(folder.path(), TLS);
    assert!(
        found.starts_with("4 warning: every user of this machine may read the private key in "),
        "{found}"
    );
    assert!(found.contains("| chmod o-rwx "), "{found}");
    open(0o640).expect("our own file");
    assert_eq!(findings_in(folder.path(), TLS), "");
}

#[test]
fn an_rsa_key_is_slow_above_2048_bits() {
    for (size, said) in [(rcgen::RsaKeySize::_2048, ""), (rcgen::RsaKeySize::_3072, "RSA with 3072 bits")] {
        let key = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, size).expect("a key");
        let folder = certificate(&["example.com"], &key);
        let found = findings_in(folder.path(), TLS);
        assert!(found.contains(said) && found.is_empty() == said.is_empty(), "{found}");
    }
}

#[test]
fn a_report_shows_the_line_and_points_at_the_place() {
    let text = "[listen]\nhttp = 8080\n\n[limits]\nconnect = 5\n";
    let report = Config::parse(text, Path::new("/etc/rpd/rpd.toml")).expect_err("a duration without unit");
    let shown = report.to_string();
    assert!(
        shown.starts_with("error: /etc/rpd/rpd.toml:5:11: limits.connect is number 5, wanted is a duration"),
        "{shown}"
    );
    assert!(shown.contains("   5 | connect = 5\n     |           ^"), "{shown}");
}

#[test]
fn a_host_without_enabled_is_checked_and_not_served() {
    let row = "[[host]]\nnames = [\"a.example\"]\ntarget = \"10.0.0.1\"\nenabled = false\n";
    let (config, _) =
        Config::parse(&format!("{row}http = {{ tcp = 80 }}\n"), Path::new("x")).expect("a sound row");
    assert!(config.hosts.is_empty());
    assert!(findings(&format!("{row}http = {{}}\n")).contains("error: http has no port"));
}
