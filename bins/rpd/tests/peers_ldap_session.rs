//! LDAP beyond the first bind with programs that speak it: OpenLDAP's tools, Python's ldap3 and curl in front; behind,
//! slapd and a directory that misbehaves on demand.
//!
//! Debian packages: curl, ldap-utils, libsasl2-modules, python3, python3-ldap3, slapd.
//! `cargo test -p rpd --test peers_ldap_session -- --ignored`

mod common;

use std::{
    io::{Read, Write},
    net::SocketAddr,
    thread,
};

use common::{Directories, Finished, Process, connect, dn, run, run_with, suffix, write};
use rp_ldap::messages;

/// libldap has lost its connection (`LDAP_SERVER_DOWN`).
const LOST: i32 = 255;
const LOST_IN_BIND: i32 = 254;
/// RFC 4511, appendix A.
const UNAVAILABLE: i32 = 52;

#[test]
#[ignore = "needs ldap-utils, python3 (Debian packages)"]
fn faults_of_a_directory_reach_the_client_as_they_are() {
    let stage = Stage::before(Directories::of_our_own());
    for (user, code) in [
        ("slow", 0),
        ("split", 0),
        ("longlen", 0),
        ("interm", 0),
        ("wrongid", 0),
        ("referral", 10),
        ("code-8", 8),
        ("code-34", 34),
        ("code-53", 53),
        // A notice comes from the proxy, and from the directory; ldapsearch takes it for the end of the connection.
        ("drop", LOST_IN_BIND),
        ("nod", LOST_IN_BIND),
    ] {
        for kind in ["ldap", "ldaps"] {
            let user = format!("hq.example.com\\{user}");
            let found =
                stage.tool(kind, "ldapsearch", &["-x", "-D", &user, "-w", "x", "-b", "dc=a", "(cn=*)"]);
            let found = found.expect(code);
            assert_eq!(found.out.contains("description: kept by hq"), code == 0, "{user}: {}", found.out);
        }
    }
}

#[test]
#[ignore = "needs ldap-utils, python3 (Debian packages)"]
fn results_that_tell_of_guessing_are_told_and_others_are_not() {
    let mut stage = Stage::before(Directories::of_our_own());
    let codes = [1, 2, 3, 7, 8, 10, 11, 13, 19, 32, 34, 48, 49, 50, 51, 52, 53, 80, 118];
    for code in codes {
        let user = format!("hq.example.com\\code-{code}");
        stage.tool("ldap", "ldapwhoami", &["-x", "-D", &user, "-w", "x"]).expect(code);
    }
    // The next line that tells of a refusal is the next one's that counts: nothing is told between.
    for code in [19, 32, 34, 48, 49, 50, 53] {
        let line = stage.proxy.line("reason=refused");
        let expected = format!("detail=\"bind response {code}\" name=hq.example.com");
        assert!(line.contains(&expected) && line.contains("host=hq.example.com"), "{line}");
    }
}

#[test]
#[ignore = "needs ldap-utils, python3 (Debian packages)"]
fn large_and_many_entries_arrive_whole() {
    let stage = Stage::before(Directories::of_our_own());
    let user = "hq.example.com\\ldap-guest";
    for kind in ["ldap", "ldaps"] {
        let search = |base: &str| {
            let arguments = ["-x", "-D", user, "-w", "guest-pw", "-b", base, "(cn=*)", "description"];
            stage.tool(kind, "ldapsearch", &arguments).ok()
        };
        let big = format!("description: {}\n", "x".repeat(200_000));
        assert!(search("cn=big").contains(&big));
        assert_eq!(search("cn=many").matches("description: one of many").count(), 5000);
    }
}

#[test]
#[ignore = "needs ldap-utils, python3 (Debian packages)"]
fn a_directory_that_dies_in_a_search_is_noticed_at_once() {
    // In the middle of a message nothing can be said any more.
    for (base, code) in [("cn=half", LOST), ("cn=never", UNAVAILABLE)] {
        let mut stage = Stage::before(Directories::of_our_own());
        let branch = stage.directories.servers.pop().expect("two directories");
        let finished = thread::scope(|scope| {
            let stage = &stage;
            let client = scope.spawn(move || {
                let user = "branch.example.com\\ldap-guest";
                stage.tool("ldap", "ldapsearch", &["-x", "-D", user, "-w", "guest-pw", "-b", base, "(cn=*)"])
            });
            branch.wait_for(&format!("branch {base}"));
            drop(branch);
            client.join().expect("the client ends")
        });
        finished.expect(code);
        // The other one is served as before.
        let user = "hq.example.com\\ldap-guest";
        stage.tool("ldap", "ldapwhoami", &["-x", "-D", user, "-w", "guest-pw"]).ok();
        // Nobody is there any more, and that is another's fault.
        let user = "branch.example.com\\ldap-guest";
        stage.tool("ldap", "ldapwhoami", &["-x", "-D", user, "-w", "guest-pw"]).expect(UNAVAILABLE);
    }
}

#[test]
#[ignore = "needs python3-ldap3 (Debian package)"]
fn one_connection_of_ldap3_serves_users_of_both_directories() {
    let stage = Stage::before(Directories::of_our_own());
    let script = write(stage.directories.folder.path(), "session.py", include_str!("peers/ldap/session.py"));
    let script = script.display().to_string();
    let ca = stage.directories.folder.path().join("ca.pem").display().to_string();
    for (kind, start_tls) in [("ldap", "no"), ("ldap", "yes"), ("ldaps", "no")] {
        let url = format!("{kind}://{}", stage.address(kind));
        // Debian's, for which the package is.
        let said = run("/usr/bin/python3", [&script, &url, &ca, start_tls]).ok();
        let tls = if start_tls == "yes" { "tls True\n" } else { "" };
        let expected = "0 0 kept by hq\n49 50\n0 0 kept by hq\n0 0 kept by branch\n49 1\n0 0 kept by hq\none connection True\n";
        assert_eq!(said, format!("{tls}{expected}"), "{kind}, StartTLS: {start_tls}");
    }
}

#[test]
#[ignore = "needs curl, slapd (Debian packages)"]
fn curl_searches_by_distinguished_name_and_by_domain() {
    let stage = Stage::before(Directories::of_slapd());
    // Not over TLS: there curl 7.88 waits for ever for the second of two messages in one record (its issue 9580).
    let curl = |stage: &Stage, user: &str, base: &str| {
        let url = format!("ldap://{}/{base}?description?sub?(cn=*)", stage.ldap);
        run("curl", ["-sS", "-u", &format!("{user}:guest-pw"), &url])
    };
    for name in common::NAMES {
        let found = curl(&stage, &dn(name), &suffix(name)).ok();
        assert!(found.contains(&format!("description: kept by {name}")), "{found}");
    }
    let stage = Stage::before(Directories::of_our_own());
    let found = curl(&stage, "branch.example.com\\ldap-guest", "dc=anywhere").ok();
    assert!(found.contains("description: kept by branch"), "{found}");
}

#[test]
#[ignore = "needs ldap-utils, slapd (Debian packages)"]
fn start_tls_is_the_proxys_and_the_leg_is_tls_then() {
    let stage = Stage::before(Directories::of_slapd());
    let who = ["-x", "-D", &dn("hq"), "-w", "guest-pw", "-ZZ"];
    assert_eq!(stage.tool("ldap", "ldapwhoami", &who).ok(), format!("dn:{}\n", dn("hq")));
    let [hq, _] = &stage.directories.servers[..] else { panic!("two directories") };
    hq.wait_for("TLS established");
    // TLS is on already.
    let twice = stage.tool("ldaps", "ldapwhoami", &who).expect(1);
    assert!(twice.err.contains("ldap_start_tls: Operations error"), "{}", twice.err);
}

#[test]
#[ignore = "needs ldap-utils, slapd (Debian packages)"]
fn an_old_version_is_the_directorys_to_refuse() {
    let stage = Stage::before(Directories::of_slapd());
    let old = ["-P", "2", "-x", "-D", &dn("hq"), "-w", "guest-pw", "-b", &suffix("hq")];
    let refused = stage.tool("ldap", "ldapsearch", &old).expect(2);
    assert!(refused.err.contains("use LDAPv3 instead"), "{}", refused.err);
}

#[test]
#[ignore = "needs slapd (Debian package)"]
fn binds_that_slapd_never_answers_do_not_hold_up_the_next_ones() {
    let stage = Stage::before(Directories::of_slapd());
    let mut client = connect(stage.ldap);
    // Of binds that come at once it may answer the last alone (RFC 4511 4.2.1). So many may wait for an answer.
    for round in 0..5 {
        let ids = round * 8 + 1..=round * 8 + 8;
        let last = *ids.end();
        let binds: Vec<u8> =
            ids.flat_map(|id| messages::simple_bind_request(id, &dn("hq"), "guest-pw")).collect();
        client.write_all(&binds).expect("the proxy reads");
        let mut octets = [0; 14];
        while rp_ldap::answer(&octets).map(|answer| answer.message_id) != Ok(last) {
            client.read_exact(&mut octets).expect("an answer");
        }
    }
}

#[test]
#[ignore = "needs ldap-utils, libsasl2-modules, slapd (Debian packages)"]
fn a_sasl_layer_is_relayed_once_the_name_has_routed_its_bind() {
    let stage = Stage::before(Directories::of_slapd());
    for name in common::NAMES {
        for layer in ["minssf=1", "maxssf=0"] {
            let found = stage.sasl("DIGEST-MD5", name, "ldap-guest", "guest-pw", &["-O", layer]).ok();
            assert!(found.contains(&format!("description: kept by {name}")), "{found}");
        }
    }
    for server in stage.directories.servers {
        let log = server.end();
        let layers = |ssf: &str| {
            log.iter().filter(|line| line.contains("mech=DIGEST-MD5") && line.ends_with(ssf)).count()
        };
        assert_eq!((layers(" ssf=128"), layers(" ssf=0")), (1, 1), "{log:#?}");
    }
}

#[test]
#[ignore = "needs ldap-utils, libsasl2-modules, slapd (Debian packages)"]
fn guesses_through_sasl_are_told_wrong_passwords_and_unknown_users_alike() {
    let mut stage = Stage::before(Directories::of_slapd());
    for (user, password, code) in
        [("ldap-guest", "guest-pw", 0), ("ldap-guest", "wrong", 49), ("nobody", "guest-pw", 80)]
    {
        stage.sasl("SCRAM-SHA-256", "hq", user, password, &[]).expect(code);
        if code != 0 {
            let line = stage.proxy.line("reason=refused");
            assert!(line.contains(&format!("bind response {code}")), "{line}");
            assert!(line.contains("SCRAM-SHA-256") && line.contains("host=hq.example.com"), "{line}");
        }
    }
    // Without a domain, and nothing to go by: the proxy's own answer, and its reason.
    let url = format!("ldap://{}", stage.ldap);
    let unnamed = ["-Q", "-Y", "SCRAM-SHA-256", "-U", "ldap-guest", "-w", "guest-pw", "-H", &url];
    let unnamed = run("ldapwhoami", unnamed).expect(7);
    assert!(unnamed.err.contains("simple bind with domain\\user or DN required"), "{}", unnamed.err);
}

/// The proxy, with its log, in front of two directories.
struct Stage {
    // In this order: what connects to another goes before it.
    proxy: Process,
    ldap: SocketAddr,
    ldaps: SocketAddr,
    directories: Directories,
}

impl Stage {
    fn before(directories: Directories) -> Self {
        let mut proxy = Process::start(&directories.folder.path().join("rpd.toml"));
        let (ldap, ldaps) = (proxy.address("ldap"), proxy.address("ldaps"));
        Self { proxy, ldap, ldaps, directories }
    }

    fn address(&self, kind: &str) -> SocketAddr {
        if kind == "ldaps" { self.ldaps } else { self.ldap }
    }

    /// A tool of ldap-utils, towards the proxy.
    fn tool(&self, kind: &str, tool: &str, arguments: &[&str]) -> Finished {
        let url = format!("{kind}://{}", self.address(kind));
        let plain: &[&str] = if tool == "ldapsearch" { &["-LLL", "-o", "ldif-wrap=no"] } else { &[] };
        let ca = self.directories.folder.path().join("ca.pem");
        let environment = [("LDAPTLS_CACERT", ca.as_os_str())];
        run_with(tool, ["-H", &url].iter().chain(plain).chain(arguments), &environment)
    }

    /// A search as a SASL user; the distinguished name is there to find the directory by.
    fn sasl(&self, mechanism: &str, name: &str, user: &str, password: &str, more: &[&str]) -> Finished {
        let (dn, base) = (dn(name), suffix(name));
        let who = ["-Q", "-Y", mechanism, "-D", &dn, "-U", user, "-w", password, "-b", &base];
        self.tool("ldap", "ldapsearch", &[&who[..], more, &["(sn=guest)", "description"]].concat())
    }
}
