//! LDAP and LDAPS with the OpenLDAP tools as clients. The servers: slapd, which knows its users by distinguished
//! names, and a directory of these tests' own, which knows them as `domain\user`, as a PBX does.
//!
//! Debian packages: ldap-utils, slapd, python3. `cargo test -p rpd --test peers_ldap -- --ignored`

mod common;

use common::{Directories, Finished, NAMES, Program, Proxy, dn, run_with, suffix};

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
    let stage = Stage::before(Directories::of_our_own());
    for name in NAMES {
        let user = format!("{name}.example.com\\ldap-guest");
        let who = stage.client(kind, "ldapwhoami", &user, "guest-pw", &[]).ok();
        assert_eq!(who, format!("u:{user} at {name}\n"));
        let found =
            stage.client(kind, "ldapsearch", &user, "guest-pw", &["-b", "dc=anywhere", "(cn=*)"]).ok();
        assert!(found.contains(&format!("description: kept by {name}\n")), "{found}");
    }
    let transport = if kind == "ldaps" { "tls" } else { "tcp" };
    for (name, directory) in NAMES.into_iter().zip(stage.directories.servers) {
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
    let stage = Stage::before(Directories::of_our_own());
    let wrong = stage.client(kind, "ldapwhoami", "branch.example.com\\ldap-guest", "wrong", &[]);
    let wrong = wrong.expect(INVALID_CREDENTIALS);
    assert!(wrong.err.contains("additional info: branch says so"), "{}", wrong.err);
    let unknown = stage.client(kind, "ldapwhoami", "other.example.com\\ldap-guest", "guest-pw", &[]);
    let unknown = unknown.expect(INVALID_CREDENTIALS);
    assert!(!unknown.err.contains("says so"), "{}", unknown.err);
    let logs: Vec<Vec<String>> = stage.directories.servers.into_iter().map(Program::end).collect();
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
    let stage = Stage::before(Directories::of_slapd());
    for name in NAMES {
        let (user, suffix) = (dn(name), suffix(name));
        let who = stage.client(kind, "ldapwhoami", &user, "guest-pw", &[]).ok();
        assert_eq!(who, format!("dn:{user}\n"));
        let search = ["-b", &suffix, "(sn=guest)", "description"];
        let found = stage.client(kind, "ldapsearch", &user, "guest-pw", &search).ok();
        assert_eq!(found, format!("dn: {user}\ndescription: kept by {name}\n\n"));
    }
    for (name, slapd) in NAMES.into_iter().zip(stage.directories.servers) {
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
    let stage = Stage::before(Directories::of_slapd());
    stage.client(kind, "ldapwhoami", &dn("other"), "guest-pw", &[]).expect(INVALID_CREDENTIALS);
    stage.client(kind, "ldapwhoami", &dn("hq"), "wrong", &[]).expect(INVALID_CREDENTIALS);
    let logs: Vec<Vec<String>> = stage.directories.servers.into_iter().map(Program::end).collect();
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
    directories: Directories,
}

/// The tools end with the result code of the bind (RFC 4511, appendix A).
const INVALID_CREDENTIALS: i32 = 49;

impl Stage {
    fn before(directories: Directories) -> Self {
        Self { proxy: Proxy::start(directories.folder.path(), &directories.configuration), directories }
    }

    /// A tool of ldap-utils that binds as `user` to the proxy.
    fn client(&self, kind: &str, tool: &str, user: &str, password: &str, arguments: &[&str]) -> Finished {
        let url = format!("{kind}://{}", self.proxy.address(kind));
        let fixed = ["-x", "-H", &url, "-D", user, "-w", password];
        let plain: &[&str] = if tool == "ldapsearch" { &["-LLL", "-o", "ldif-wrap=no"] } else { &[] };
        let ca = self.directories.folder.path().join("ca.pem");
        let environment = [("LDAPTLS_CACERT", ca.as_os_str())];
        run_with(tool, fixed.iter().chain(plain).chain(arguments), &environment)
    }
}
