//! `rpd cert`: requests, certificates by themselves, and what is installed or refused.

mod common;

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use common::{Finished, Process, run, write};
use rcgen::{CertificateParams, CertificateSigningRequestParams, DnType, IsCa, Issuer, KeyPair};
use rpd::{config::Config, tls};
use tempfile::TempDir;

const CONFIG: &str = r#"
[listen]
https = 8443
ldaps = 6360
[tls]
[[tls.certificate]]
certificate = "tls/rpd.pem"
key = "tls/rpd.pem"
[[host]]
names = ["example.com", "example.com/hq", "hq.example.com", "192.0.2.7"]
target = "10.0.0.1"
http = { tcp = 80 }
[[host]]
names = ["contacts.example.com"]
target = "10.0.0.2"
ldap = { tcp = 389 }
"#;

#[test]
fn a_certificate_by_itself_holds_the_names_of_all_hosts() {
    let folder = folder(CONFIG);
    let said = cert(&folder, &["self-signed"]).ok();
    assert!(
        said.contains(
            "example.com (common name), example.com, hq.example.com, 192.0.2.7, contacts.example.com"
        ),
        "{said}"
    );
    let (config, warnings) = Config::load(&folder.path().join("rpd.toml")).expect("a sound configuration");
    assert!(warnings.findings().is_empty(), "{warnings}");
    let der = &config.tls.certificates[0].key.cert[0];
    assert_eq!(tls::certificate_names(der), ["example.com", "hq.example.com", "contacts.example.com"]);
    assert_eq!(tls::addresses(der), ["192.0.2.7".parse::<std::net::IpAddr>().expect("an address")]);
    assert_eq!(mode(&folder, "tls/rpd.pem"), 0o600);

    let again = cert(&folder, &["self-signed"]).expect(1);
    assert!(again.err.contains("is there already; replace it with --force"), "{}", again.err);
    let said =
        cert(&folder, &["self-signed", "--force", "--cn", "0090334106b5", "--dns", "*.example.com"]).ok();
    assert!(said.contains("0090334106b5 (common name), *.example.com\n"), "{said}");
}

#[test]
fn a_request_leaves_what_is_there_until_its_certificate_is_installed() {
    let folder = folder(CONFIG);
    cert(&folder, &["self-signed", "--cn", "rp.example.com"]).ok();
    let before = read(&folder, "tls/rpd.pem");
    cert(&folder, &["request"]).ok();
    assert_eq!(read(&folder, "tls/rpd.pem"), before);
    assert_eq!(mode(&folder, "tls/rpd.request.key"), 0o600);
    let again = cert(&folder, &["request"]).expect(1);
    assert!(again.err.contains("waits for the certificate of an earlier request"), "{}", again.err);

    fs::set_permissions(folder.path().join("tls/rpd.pem"), fs::Permissions::from_mode(0o640))
        .expect("our own");
    write(folder.path(), "answer.pem", &signed(&read(&folder, "tls/rpd.request.csr")));
    let said = cert(&folder, &["install", &path(&folder, "answer.pem")]).ok();
    assert!(!said.contains("Reverse Proxy Addresses"), "the common name stays: {said}");
    let (config, warnings) = Config::load(&folder.path().join("rpd.toml")).expect("a sound configuration");
    assert!(warnings.findings().is_empty(), "{warnings}");
    assert_eq!(config.tls.certificates[0].key.cert.len(), 2);
    assert_eq!(tls::common_name(&config.tls.certificates[0].key.cert[0]).as_deref(), Some("rp.example.com"));
    assert_eq!(mode(&folder, "tls/rpd.pem"), 0o640);
    assert!(!folder.path().join("tls/rpd.request.key").exists());
}

#[test]
fn a_proxy_that_runs_shows_what_is_installed_at_once() {
    let config = CONFIG.replace("8443", "\"127.0.0.1:0\"").replace("6360", "\"127.0.0.1:0\"");
    let folder = folder(&format!("{config}[admin]\nsocket = \"admin.sock\"\n"));
    cert(&folder, &["self-signed"]).ok();
    let mut process = Process::start(&folder.path().join("rpd.toml"));
    process.address("https");
    cert(&folder, &["request"]).ok();
    write(folder.path(), "answer.pem", &signed(&read(&folder, "tls/rpd.request.csr")));
    let said = cert(&folder, &["install", &path(&folder, "answer.pem")]).ok();
    assert!(said.contains("\nreloaded "), "{said}");
    process.line("reloaded");
    drop(process);
    // In the beginning there is no proxy, and the configuration may lack other files.
    write(folder.path(), "rpd.toml", &CONFIG.replace("[tls]", "[tls]\ntrust-list = [\"none.pem\"]"));
    let said = cert(&folder, &["self-signed", "--force"]).ok();
    assert!(said.contains("\nthen       start rpd") && !said.contains("none.pem"), "{said}");
}

#[test]
fn a_certificate_without_its_key_is_refused_and_says_where_the_key_was_sought() {
    let folder = folder(CONFIG);
    cert(&folder, &["self-signed"]).ok();
    let before = read(&folder, "tls/rpd.pem");
    let (certificate, _) = foreign(&["example.com"]);
    write(folder.path(), "new.pem", &certificate);
    let refused = cert(&folder, &["install", &path(&folder, "new.pem")]).expect(1);
    for part in [
        "there is no private key for",
        "new.pem holds no private key",
        "tls/rpd.pem: the private key does not belong",
        "--key FILE",
    ] {
        assert!(refused.err.contains(part), "{part}: {}", refused.err);
    }
    assert_eq!(read(&folder, "tls/rpd.pem"), before);
}

#[test]
fn a_certificate_with_the_wrong_names_or_dates_is_refused_unless_forced() {
    let folder = folder(&CONFIG.replace("key = \"tls/rpd.pem\"", "key = \"tls/rpd.key\""));
    let (certificate, key) = foreign(&["example.com", "hq.example.com"]);
    write(folder.path(), "new.pem", &certificate);
    write(folder.path(), "new.key", &key);
    let arguments = ["install", &path(&folder, "new.pem"), "--key", &path(&folder, "new.key")];
    let refused = cert(&folder, &arguments).expect(1);
    assert!(refused.err.contains("does not hold contacts.example.com"), "{}", refused.err);
    assert!(refused.err.contains("it ended on "), "{}", refused.err);
    assert!(!folder.path().join("tls/rpd.pem").exists());
    let forced = cert(&folder, &[&arguments[..], &["--force"]].concat()).ok();
    assert!(forced.contains("warning    it ended on "), "{forced}");
    assert_eq!((mode(&folder, "tls/rpd.pem"), mode(&folder, "tls/rpd.key")), (0o644, 0o600));
    assert!(Config::load(&folder.path().join("rpd.toml")).is_ok());
}

#[test]
fn a_new_common_name_is_told_because_the_pbx_knows_the_old_one() {
    let folder = folder(CONFIG);
    cert(&folder, &["self-signed", "--cn", "009033410000"]).ok();
    cert(
        &folder,
        &["request", "--force", "--cn", "rp.example.com", "--dns", "*.example.com", "--dns", "example.com"],
    )
    .ok();
    write(folder.path(), "answer.pem", &signed(&read(&folder, "tls/rpd.request.csr")));
    let said = cert(&folder, &["install", &path(&folder, "answer.pem")]).ok();
    assert!(said.contains("say /009033410000, write /rp.example.com"), "{said}");
}

#[test]
fn a_configuration_without_certificates_or_with_mistakes_is_told() {
    let none = cert(&folder("[listen]\nhttp = 80\n"), &["request"]).expect(1);
    assert!(none.err.contains("has no [[tls.certificate]]"), "{}", none.err);
    let wrong = cert(&folder("[listen]\nhtpp = 80\n"), &["request"]).expect(1);
    assert!(wrong.err.contains("rpd.toml:2:1: unknown key listen.htpp"), "{}", wrong.err);
}

fn folder(text: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "rpd.toml", text);
    folder
}

fn cert(folder: &TempDir, arguments: &[&str]) -> Finished {
    let config = path(folder, "rpd.toml");
    run(env!("CARGO_BIN_EXE_rpd"), [&["cert"], arguments, &["--config", &config]].concat())
}

fn path(folder: &TempDir, file: &str) -> String {
    folder.path().join(file).display().to_string()
}

fn read(folder: &TempDir, file: &str) -> String {
    fs::read_to_string(folder.path().join(file)).expect("a file")
}

fn mode(folder: &TempDir, file: &str) -> u32 {
    fs::metadata(Path::new(&path(folder, file))).expect("a file").permissions().mode() & 0o777
}

/// What an authority answers to a request: the certificate, and its own behind it.
fn signed(request: &str) -> String {
    let mut authority = CertificateParams::default();
    authority.distinguished_name.push(DnType::CommonName, "an authority");
    authority.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let own = authority.self_signed(&key).expect("a certificate");
    let request = CertificateSigningRequestParams::from_pem(request).expect("a sound request");
    let certificate = request.signed_by(&Issuer::new(authority, key)).expect("a certificate");
    format!("subject: for your information\n{}{}", certificate.pem(), own.pem())
}

/// A certificate that was made elsewhere and has ended, and its key.
fn foreign(names: &[&str]) -> (String, String) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(names).expect("names");
    params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    (params.self_signed(&key).expect("a certificate").pem(), key.serialize_pem())
}
