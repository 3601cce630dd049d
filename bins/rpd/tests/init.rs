//! `rpd init`: every combination is a sound configuration, and one of each kind serves.

mod common;

use std::{fs, path::Path};

use common::{Proxy, certificates, run, stand_in};
use rp_route::leg::Transport;
use rpd::{
    cli::demo::stand_in::StandIn,
    config::Config,
    protocol::{Kind, Protocol},
};
use tempfile::TempDir;

const RPD: &str = env!("CARGO_BIN_EXE_rpd");

#[test]
fn every_combination_is_sound() {
    let folder = files();
    let mut seen = 0;
    for services in [
        &[][..],
        &["--phones"],
        &["--myapps"],
        &["--sip"],
        &["--phones", "--sip"],
        &["--myapps", "--sip"],
        &["--phones", "--myapps", "--sip"],
    ] {
        for ports in [&[][..], &["--standard-ports"], &["--single-box"]] {
            for pbxs in [&["hq=172.16.10.2"][..], &["hq=172.16.10.2", "branch=pbx.branch.internal"]] {
                for apps in
                    [&[][..], &["apps=172.16.10.3"], &["apps=172.16.10.3", "apps.example.net=2001:db8::3"]]
                {
                    if services == ["--sip"] && !apps.is_empty() {
                        continue;
                    }
                    let text =
                        init(&[services, ports, &named("--pbx", pbxs), &named("--apps", apps)].concat());
                    sound(folder.path(), &text);
                    seen += 1;
                }
            }
        }
    }
    assert_eq!(seen, 6 * 18 + 6);
}

fn named<'a>(option: &'a str, values: &[&'a str]) -> Vec<&'a str> {
    values.iter().flat_map(|value| [option, value]).collect()
}

#[test]
fn names_come_in_both_spellings() {
    let text =
        init(&["--pbx", "HQ=172.16.10.2", "--pbx", "branch=172.16.20.2", "--apps", "apps=172.16.10.3"]);
    for row in [
        r#"names   = ["example.com", "example.com/hq", "hq.example.com"]"#,
        r#"names   = ["example.com/branch", "branch.example.com"]"#,
        r#"names   = ["apps.example.com"]"#,
        r#"names   = ["contacts.example.com"]"#,
    ] {
        assert!(text.contains(row), "{row}:\n{text}");
    }
}

#[test]
fn what_cannot_be_is_refused_with_what_to_write() {
    for (arguments, said) in [
        (&["--pbx", "172.16.10.2"][..], "write NAME=ADDR, such as hq=172.16.10.2"),
        (&["--pbx", "hq=172.16.10.2:1720"], "names a port"),
        (&["--pbx", "hq.example.com=172.16.10.2"], "write the PBX name alone"),
        (&["--pbx", "hq=10.0.0.1", "--apps", "hq=10.0.0.2"], "hq.example.com is there twice"),
        (&["--pbx", "hq=10.0.0.1", "--apps", "apps=10.0.0.2", "--sip"], "add --phones or --myapps"),
        (&["--pbx", "hq=127.0.0.1", "--pin"], "--pin: hq.example.com: 127.0.0.1:1300: "),
    ] {
        let refused = run(RPD, [&["init", "--system-name", "example.com"], arguments].concat());
        assert!(
            refused.code != Some(0) && refused.err.contains(said),
            "wanted: {said}\nsaid: {}",
            refused.err
        );
    }
}

#[test]
fn with_the_usual_ports_phones_apps_and_books_get_through() {
    serves(&["--phones", "--myapps"], &[Protocol::H323, Protocol::Ldap, Protocol::Http]);
}

#[test]
fn with_sip_too_third_party_phones_get_through() {
    serves(&["--sip", "--myapps"], &[Protocol::Sip, Protocol::Http]);
}

#[test]
fn on_a_single_box_everything_gets_through() {
    serves(&["--phones", "--myapps", "--sip", "--single-box"], &Protocol::ALL);
}

/// Runs the proxy with what `init` prints, its ports exchanged for free ones and those of the stand-ins, and asks every
/// PBX in every protocol, in clear and over TLS.
fn serves(arguments: &[&str], protocols: &[Protocol]) {
    let folder = files();
    let stand_ins = ["hq", "branch"].map(|name| stand_in(name, &folder));
    let text = init(&[arguments, &["--pbx", "hq=127.0.0.1", "--pbx", "branch=127.0.0.1"]].concat());
    let (listen, hosts) = text.split_at(text.find("[tls]").expect("a table"));
    let mut rows = hosts.split("\n[[host]]");
    let mut text = on_free_ports(listen) + rows.next().unwrap_or_default();
    for (row, stand_in) in rows.zip(&stand_ins) {
        text += &format!("\n[[host]]{}", at_stand_in(row, stand_in));
    }
    let proxy = Proxy::start(folder.path(), &text);
    for kind in Kind::all().filter(|kind| protocols.contains(&kind.protocol)) {
        for name in ["hq", "branch"] {
            let address = proxy.address(kind.as_str()).to_string();
            let location = format!("example.com/{name}");
            let dns = format!("{name}.example.com");
            let asked = match kind.protocol {
                Protocol::H323 => &location,
                _ => &dns,
            };
            let ca = folder.path().join("ca.pem").display().to_string();
            let password = folder.path().join("password").display().to_string();
            let mut arguments = vec!["probe", kind.protocol.as_str(), &address, "--name", asked];
            arguments.extend(["--user", "ldap-guest", "--password-file", &password, "--path", "/PBX0/APPS"]);
            if kind.transport == Transport::Tls {
                arguments.extend(["--ca", &ca, "--server-name", &dns]);
            }
            let said = run(RPD, arguments).ok();
            assert!(said.contains(&format!("from       {name}\n")), "{kind} {name}:\n{said}");
        }
    }
}

fn on_free_ports(listen: &str) -> String {
    let line = |line: &str| match line.split_once(" = ") {
        Some((key, _)) if !line.starts_with('#') => format!("{key} = \"127.0.0.1:0\"\n"),
        _ => format!("{line}\n"),
    };
    listen.lines().map(line).collect()
}

fn at_stand_in(row: &str, stand_in: &StandIn) -> String {
    let mut row = row.to_owned();
    for (protocol, tcp, tls) in [
        (Protocol::H323, 1720, 1300),
        (Protocol::Sip, 5060, 5061),
        (Protocol::Ldap, 389, 636),
        (Protocol::Http, 80, 443),
    ] {
        for (transport, key, port) in [(Transport::Tcp, "tcp", tcp), (Transport::Tls, "tls", tls)] {
            let there = stand_in.ports.of(Kind { protocol, transport });
            for (space, end) in [(" ", ","), (" ", " "), ("  ", "\n")] {
                row = row
                    .replace(&format!("{key}{space}= {port}{end}"), &format!("{key}{space}= {there}{end}"));
            }
        }
    }
    row
}

fn init(arguments: &[&str]) -> String {
    run(RPD, [&["init", "--system-name", "example.com"], arguments].concat()).ok()
}

fn sound(folder: &Path, text: &str) {
    let (config, warnings) =
        Config::parse(text, &folder.join("rpd.toml")).unwrap_or_else(|report| panic!("{report}\n{text}"));
    assert!(warnings.findings().is_empty(), "{warnings}\n{text}");
    assert!(!config.hosts.is_empty() && !config.listeners.is_empty());
}

/// What the printed configurations name: certificate and key in one file, and two lists of who is trusted.
fn files() -> TempDir {
    let folder = certificates();
    let at = |file: &str| folder.path().join(file);
    let read = |file: &str| fs::read_to_string(at(file)).expect("a file");
    for sub in ["tls", "trust"] {
        fs::create_dir(at(sub)).expect("a folder");
    }
    // Their own authority would be as good: here any will do, but for the names of all machines.
    let names = ["example.com", "*.example.com", "apps.example.net"].map(str::to_owned);
    let authority = rcgen::KeyPair::from_pem(&read("ca.key")).expect("a key");
    let issuer = rcgen::Issuer::from_ca_cert_pem(&read("ca.pem"), authority).expect("an authority");
    let key = rcgen::KeyPair::generate().expect("a key");
    let params = rcgen::CertificateParams::new(names).expect("names");
    let certificate = params.signed_by(&key, &issuer).expect("a certificate");
    common::write(&at("tls"), "rpd.key", &(key.serialize_pem() + &certificate.pem()));
    fs::rename(at("tls/rpd.key"), at("tls/rpd.pem")).expect("a file");
    for list in ["trust/devices.pem", "trust/inside.pem"] {
        fs::copy(at("ca.pem"), at(list)).expect("a file");
    }
    common::write(folder.path(), "password", "guest\n");
    folder
}
