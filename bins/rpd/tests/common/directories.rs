//! Two directories behind a proxy, and the configuration for it.

use std::fs;

use tempfile::TempDir;

use super::{Port, Program, SERVICE_NAME, certificates, fill, run, service_files, write};

/// What they are called, in this order.
pub const NAMES: [&str; 2] = ["hq", "branch"];

/// The suffix of a directory: `hq.example.com` as a distinguished name.
pub fn suffix(name: &str) -> String {
    format!("dc={name},dc=example,dc=com")
}

/// Its user.
pub fn dn(name: &str) -> String {
    format!("cn=ldap-guest,{}", suffix(name))
}

/// Two directories that serve until this is dropped.
pub struct Directories {
    pub servers: Vec<Program>,
    /// With the certificates, and with `rpd.toml`.
    pub folder: TempDir,
    /// What stands in there.
    pub configuration: String,
}

impl Directories {
    /// The tests' own, which know their users as `domain\user`.
    pub fn of_our_own() -> Self {
        Self::set(|name, folder, [tcp, tls]| {
            let script = write(folder.path(), "directory.py", include_str!("../peers/ldap/directory.py"));
            let [certificate, key] = service_files(folder).map(|file| file.display().to_string());
            let user = format!("{name}.example.com\\ldap-guest=guest-pw");
            let (tcp, tls) = (tcp.to_string(), tls.to_string());
            Program::start(
                "python3",
                [&script.display().to_string(), name, &tcp, &tls, &certificate, &key, &user],
            )
        })
    }

    /// slapd, which knows its users by distinguished names.
    pub fn of_slapd() -> Self {
        Self::set(|name, folder, [tcp, tls]| {
            let dir = folder.path().join(name);
            fs::create_dir_all(dir.join("db")).expect("a folder");
            let [certificate, key] = service_files(folder);
            let configuration = fill(
                include_str!("../peers/ldap/slapd.conf"),
                &[
                    ("DIR", &dir.display()),
                    ("CERTIFICATE", &certificate.display()),
                    ("KEY", &key.display()),
                    ("SUFFIX", &suffix(name)),
                ],
            );
            let entries =
                fill(include_str!("../peers/ldap/slapd.ldif"), &[("SUFFIX", &suffix(name)), ("NAME", &name)]);
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
        let mut configuration = String::from(
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
            configuration.push_str(&format!(
                r#"
[[host]]
names = ["{name}.example.com"]
target = "127.0.0.1"
ldap = {{ tcp = {tcp}, tls = {tls} }}
tls = {{ verify = "trust-list", trust = ["ca.pem"], server-name = "{SERVICE_NAME}" }}
"#
            ));
        }
        write(folder.path(), "rpd.toml", &configuration);
        Self { servers, folder, configuration }
    }
}
