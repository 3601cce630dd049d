//! LDAP and LDAPS with the OpenLDAP tools as clients. The servers: slapd, which knows its users by distinguished
//! names, and a directory of these tests' own, which knows them as `domain\user`, as a PBX does.
//!
//! Debian packages: ldap-utils, slapd, python3. `cargo test -p rpd --test peers_ldap -- --ignored`

mod common;

use std::fs;

use common::{Finished, Port, Program, Proxy, SERVICE_NAME, certificates, fill, run, run_with, write};
use tempfile::TempDir;

#[test]
#[ignore = "needs ldap-utils, python3 (Debian packages)"]
fn over_ldap_the_domain_before_the_user_decides() {
    the_domain_before_the_user_decides("ldap");
}

#[test]
#[ignore = "needs ldap-utils, python3 (Debian packages)"]
fn over_ldaps_the_domain_before_the_user_decides() {
    the_domain_before_the_user_decides("ldaps");
}

fn the_domain_before_the_user_decides(kind: &str) {
    let stage = Stage::of_directories();
    for name in NAMES {
        let user = format!("{name}.example.com\\ldap-guest");
        let who = stage.client(kind, "ldapwhoami", &user, "guest-pw", &[]).ok();
        assert_eq!(who, format!("u:{user} at {name}\n"));
        let found =
            stage.client(kind, "ldapsearch", &user, "guest-pw", &["-b", "dc=anywhere", "(cn=*)"]).ok();
        assert!(found.contains(&format!("description: kept by {name}\n")), "{found}");
    }
    let transport = if kind == "ldaps" { "tls" } else { "tcp" };
    for (name, directory) in NAMES.into_iter().zip(stage.servers) {
        let line = format!("{name} {transport} bind {name}.example.com\\ldap-guest right");
        assert_eq!(directory.end(), [line.clone(), line]);
    }
}

#[test]
#[ignore = "needs ldap-utils, python3 (Debian packages)"]
fn over_ldap_a_directory_refuses_passwords_and_the_proxy_domains() {
    a_directory_refuses_passwords_and_the_proxy_domains("ldap");
}

#[test]
#[ignore = "needs ldap-utils, python3 (Debian packages)"]
fn over_ldaps_a_directory_refuses_passwords_and_the_proxy_domains() {
    a_directory_refuses_passwords_and_the_proxy_domains("ldaps");
}

fn a_directory_refuses_passwords_and_the_proxy_domains(kind: &str) {
    let stage = Stage::of_directories();
    let wrong = stage.client(kind, "ldapwhoami", "branch.example.com\\ldap-guest", "wrong", &[]);
    let wrong = wrong.expect(INVALID_CREDENTIALS);
    assert!(wrong.err.contains("additional info: branch says so"), "{}", wrong.err);
    let unknown = stage.client(kind, "ldapwhoami", "other.example.com\\ldap-guest", "guest-pw", &[]);
    let unknown = unknown.expect(INVALID_CREDENTIALS);
    assert!(!unknown.err.contains("says so"), "{}", unknown.err);
    let logs: Vec<Vec<String>> = stage.servers.into_iter().map(Program::end).collect();
    assert_eq!(logs.iter().map(Vec::len).collect::<Vec<_>>(), [0, 1], "{logs:#?}");
}

#[test]
#[ignore = "needs ldap-utils, slapd (Debian packages)"]
fn over_ldap_the_domain_components_of_a_distinguished_name_decide() {
    the_domain_components_of_a_distinguished_name_decide("ldap");
}

#[test]
#[ignore = "needs ldap-utils, slapd (Debian packages)"]
fn over_ldaps_the_domain_components_of_a_distinguished_name_decide() {
    the_domain_components_of_a_distinguished_name_decide("ldaps");
}

fn the_domain_components_of_a_distinguished_name_decide(kind: &str) {
    let stage = Stage::of_slapds();
    for name in NAMES {
        let (user, suffix) = (dn(name), suffix(name));
        let who = stage.client(kind, "ldapwhoami", &user, "guest-pw", &[]).ok();
        assert_eq!(who, format!("dn:{user}\n"));
        let search = ["-b", &suffix, "(sn=guest)", "description"];
        let found = stage.client(kind, "ldapsearch", &user, "guest-pw", &search).ok();
        assert_eq!(found, format!("dn: {user}\ndescription: kept by {name}\n\n"));
    }
    for (name, slapd) in NAMES.into_iter().zip(stage.servers) {
        assert_eq!(binds(&slapd.end()), [dn(name), dn(name)]);
    }
}

#[test]
#[ignore = "needs ldap-utils, slapd (Debian packages)"]
fn over_ldap_slapd_refuses_passwords_and_the_proxy_domains() {
    slapd_refuses_passwords_and_the_proxy_domains("ldap");
}

#[test]
#[ignore = "needs ldap-utils, slapd (Debian packages)"]
fn over_ldaps_slapd_refuses_passwords_and_the_proxy_domains() {
    slapd_refuses_passwords_and_the_proxy_domains("ldaps");
}

fn slapd_refuses_passwords_and_the_proxy_domains(kind: &str) {
    let stage = Stage::of_slapds();
    stage.client(kind, "ldapwhoami", &dn("other"), "guest-pw", &[]).expect(INVALID_CREDENTIALS);
    stage.client(kind, "ldapwhoami", &dn("hq"), "wrong", &[]).expect(INVALID_CREDENTIALS);
    let logs: Vec<Vec<String>> = stage.servers.into_iter().map(Program::end).collect();
    assert_eq!(logs.iter().map(|log| binds(log)).collect::<Vec<_>>(), [vec![dn("hq")], vec![]]);
    assert!(logs[0].iter().any(|line| line.contains(" RESULT ") && line.contains(" err=49 ")), "{logs:#?}");
}

/// The names in the simple binds of slapd's log.
fn binds(log: &[String]) -> Vec<String> {
    let bind =
        |line: &String| Some(line.split_once(" BIND dn=\"")?.1.strip_suffix("\" method=128")?.to_owned());
    log.iter().filter_map(bind).collect()
}

/// The proxy in front of two directories.
struct Stage {
    // In this order: what connects to another goes before it.
    proxy: Proxy,
    servers: Vec<Program>,
    folder: TempDir,
}

const NAMES: [&str; 2] = ["hq", "branch"];

/// The tools end with the result code of the bind (RFC 4511, appendix A).
const INVALID_CREDENTIALS: i32 = 49;

fn suffix(name: &str) -> String {
    format!("dc={name},dc=example,dc=com")
}

fn dn(name: &str) -> String {
    format!("cn=ldap-guest,{}", suffix(name))
}

impl Stage {
    fn of_directories() -> Self {
        Self::set(|name, folder, [tcp, tls]| {
            let script = write(folder.path(), "directory.py", include_str!("peers/ldap/directory.py"));
            let [certificate, key] =
                ["service.pem", "service.key"].map(|file| folder.path().join(file).display().to_string());
            let user = format!("{name}.example.com\\ldap-guest=guest-pw");
            let (tcp, tls) = (tcp.to_string(), tls.to_string());
            Program::start(
                "python3",
                [&script.display().to_string(), name, &tcp, &tls, &certificate, &key, &user],
            )
        })
    }

    fn of_slapds() -> Self {
        Self::set(|name, folder, [tcp, tls]| {
            let dir = folder.path().join(name);
            fs::create_dir_all(dir.join("db")).expect("a folder");
            let [certificate, key] = ["service.pem", "service.key"].map(|file| folder.path().join(file));
            let configuration = fill(
                include_str!("peers/ldap/slapd.conf"),
                &[
                    ("DIR", &dir.display()),
                    ("CERTIFICATE", &certificate.display()),
                    ("KEY", &key.display()),
                    ("SUFFIX", &suffix(name)),
                ],
            );
            let entries =
                fill(include_str!("peers/ldap/slapd.ldif"), &[("SUFFIX", &suffix(name)), ("NAME", &name)]);
            let configuration = write(&dir, "slapd.conf", &configuration).display().to_string();
            let entries = write(&dir, "slapd.ldif", &entries).display().to_string();
            run("slapadd", ["-q", "-f", &configuration, "-l", &entries]).ok();
            let urls = format!("ldap://127.0.0.1:{tcp}/ ldaps://127.0.0.1:{tls}/");
            Program::start("slapd", ["-f", &configuration, "-h", &urls, "-d", "stats"])
        })
    }

    fn set(start: impl Fn(&str, &TempDir, [&Port; 2]) -> Program) -> Self {
        let folder = certificates();
        let mut servers = Vec::new();
        let mut text = String::from(
            r#"
[listen]
ldap = "127.0.0.1:0"
ldaps = "127.0.0.1:0"

[[tls.certificate]]
certificate = "proxy.pem"
key = "proxy.key"
"#,
        );
        for name in NAMES {
            let [tcp, tls] = [(); 2].map(|()| Port::reserve());
            servers.push(start(name, &folder, [&tcp, &tls]).listening(tcp.number()).listening(tls.number()));
            text.push_str(&format!(
                r#"
[[host]]
names = ["{name}.example.com"]
target = "127.0.0.1"
ldap = {{ tcp = {tcp}, tls = {tls} }}
tls = {{ verify = "trust-list", trust = ["ca.pem"], server-name = "{SERVICE_NAME}" }}
"#
            ));
        }
        Self { proxy: Proxy::start(folder.path(), &text), servers, folder }
    }

    /// A tool of ldap-utils that binds as `user` to the proxy.
    fn client(&self, kind: &str, tool: &str, user: &str, password: &str, arguments: &[&str]) -> Finished {
        let url = format!("{kind}://{}", self.proxy.address(kind));
        let fixed = ["-x", "-H", &url, "-D", user, "-w", password];
        let plain: &[&str] = if tool == "ldapsearch" { &["-LLL", "-o", "ldif-wrap=no"] } else { &[] };
        let ca = self.folder.path().join("ca.pem");
        let environment = [("LDAPTLS_CACERT", ca.as_os_str())];
        run_with(tool, fixed.iter().chain(plain).chain(arguments), &environment)
    }
}
