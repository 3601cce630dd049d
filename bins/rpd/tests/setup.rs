//! docs/SETUP.md and the README do what they say: their configurations load, and the way leads to a phone that registers.

mod common;

use std::{fs, path::Path};

use common::{Finished, Process, client_certificate_file, run, stand_in, write};
use rp_route::leg::Transport;
use rpd::{
    cli::demo::stand_in::StandIn,
    config::Config,
    protocol::{Kind, Protocol},
};
use tempfile::TempDir;

const TEXTS: [&str; 2] = [include_str!("../../../docs/SETUP.md"), include_str!("../../../README.md")];

#[test]
fn every_configuration_in_the_texts_loads() {
    let folder = files();
    let mut seen = 0;
    let blocks = TEXTS.iter().flat_map(|text| text.split("```toml\n").skip(1));
    for block in blocks.map(|rest| rest.split("```").next().unwrap_or_default()) {
        let whole = block.contains("[listen]");
        let text = if whole { block.to_owned() } else { format!("{AROUND}{block}") };
        let (config, warnings) = Config::parse(&text, &folder.path().join("rpd.toml"))
            .unwrap_or_else(|report| panic!("{report}\n{text}"));
        assert_eq!(!config.hosts.is_empty(), block.contains("[[host]]"), "{text}");
        assert!(!whole || warnings.findings().is_empty(), "{warnings}\n{text}");
        seen += 1;
    }
    assert!(seen >= 14, "only {seen} configurations");
}

#[test]
fn the_file_of_the_package_loads_once_its_lines_are_no_comments() {
    let folder = files();
    let is_toml = |line: &&str| line.starts_with('[') || line.contains(" = ");
    let lines = include_str!("../../../dist/rpd.toml").lines();
    let text: Vec<&str> = lines.map(|line| line.strip_prefix("# ").filter(is_toml).unwrap_or(line)).collect();
    let text = text.join("\n").replace("tls/example.com.pem", "tls/rpd.pem");
    let text = text
        .replace("tls/example.com.key", "tls/rpd.pem")
        .replace("sha256:...", &format!("sha256:{}", "6f".repeat(32)));
    let (config, warnings) = Config::parse(&text, &folder.path().join("rpd.toml"))
        .unwrap_or_else(|report| panic!("{report}\n{text}"));
    assert_eq!(config.hosts.len(), 1, "{text}");
    // The row has no SIP, which few need.
    assert!(
        warnings.findings().iter().all(|finding| finding.message.starts_with("listen.sip")),
        "{warnings}"
    );
}

/// What a part of a file stands in.
const AROUND: &str = r#"
[listen]
h323 = 1720
h323s = 1300
ldap = 389
ldaps = 636
http = 80
https = 443
[tls]
trust-list = ["trust/devices.pem"]
[[tls.certificate]]
certificate = "tls/rpd.pem"
key = "tls/rpd.pem"
"#;

/// The files that the text names, with all names that it uses.
fn files() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let key = rcgen::KeyPair::generate().expect("a key");
    let names = ["example.com", "*.example.com", "apps.example.net"].map(str::to_owned);
    let params = rcgen::CertificateParams::new(names).expect("names");
    let certificate = params.self_signed(&key).expect("a certificate").pem();
    for sub in ["tls", "trust"] {
        fs::create_dir(folder.path().join(sub)).expect("a folder");
    }
    for both in ["tls/rpd", "tls/net"] {
        write(folder.path(), &format!("{both}.key"), &(key.serialize_pem() + &certificate));
        let at = |extension| folder.path().join(both).with_extension(extension);
        fs::rename(at("key"), at("pem")).expect("a file");
    }
    for list in ["trust/devices.pem", "trust/inside.pem"] {
        write(folder.path(), list, &certificate);
    }
    folder
}

/// Two PBXs and an App Platform on loopback, and nothing but the commands of the text. The ports differ, because the
/// usual ones belong to who administers this machine.
#[test]
fn the_way_of_the_text_leads_to_a_phone_that_registers() {
    let company = Company::new();
    let arguments = ["--system-name", "example.com", "--pbx", "hq=127.0.0.1", "--pbx", "branch=127.0.0.1"];
    let printed = company.rpd(&[&["init"], &arguments[..], &["--apps", "apps=127.0.0.1"]].concat()).ok();
    company.write_configuration(&printed);

    // What is missing is told, file by file, with the names at the top of the file.
    let missing = company.check(&[]).expect(1).err;
    for file in ["tls/rpd.pem", "trust/devices.pem"] {
        assert!(missing.contains(file) && printed.contains(file), "{missing}");
    }
    company.rpd(&["cert", "self-signed", "--config", &company.path("rpd.toml")]).ok();
    write(company.folder.path(), "trust/devices.pem", &company.read("ca.pem"));
    let missing = company.check(&[]).expect(1).err;
    assert!(missing.contains("trust/inside.pem") && !missing.contains("tls/rpd.pem"), "{missing}");
    company.pin_all();
    let sound = company.check(&["--connect", "--strict"]);
    assert_eq!(sound.err, "");
    assert_eq!(sound.expect(0).out.matches("good ").count(), 2 * 5 + 2 + 1);
    let plan = company.check(&["--plan", "--public", "198.51.100.1"]).ok();
    assert!(plan.contains("branch.example.com: outside 198.51.100.1; inside 127.0.0.1"), "{plan}");
    assert!(plan.contains("example.com at 127.0.0.1: 127.0.0.1/example.com"), "{plan}");

    let mut proxy = Process::start(Path::new(&company.path("rpd.toml")));
    let at: Vec<(Kind, String)> = Kind::all()
        .filter(|kind| kind.protocol != Protocol::Sip)
        .map(|kind| (kind, proxy.address(kind.as_str()).to_string()))
        .collect();
    let address =
        |key: &str| at.iter().find(|(kind, _)| kind.as_str() == key).expect("a listener").1.as_str();
    let own = company.path("tls/rpd.pem");
    let tls = ["--ca", own.as_str()];
    let asked = |protocol: &str, key: &str, rest: &[&str]| {
        company.rpd(&[&["probe", protocol, address(key)], rest, &tls].concat())
    };

    let both = client_certificate_file(company.folder.path(), "009033410001").display().to_string();
    let phone = ["--certificate", &both, "--key", &both];
    let h323 = |name, rest: &[&str]| {
        asked("h323", "h323s", &[&["--name", name, "--server-name", "hq.example.com"], rest].concat())
    };
    let said = h323("example.com", &[&["--user", "009033410001"], &phone[..]].concat()).ok();
    assert!(said.contains("asks for a client certificate") && said.contains("from       hq"), "{said}");
    let said = h323("example.com/branch", &[]).ok();
    assert!(said.contains("from       branch"), "{said}");
    h323("example.com/nowhere", &[]).expect(1);

    let said =
        asked("http", "https", &["--name", "hq.example.com", "--path", "/PBX0/APPCLIENT/appclient.htm"]).ok();
    assert!(said.contains("from       hq"), "{said}");
    asked("http", "https", &["--name", "hq.example.com", "--path", "/PBX0/ADMIN"]).expect(1);
    let said = asked("http", "https", &["--name", "apps.example.com", "--path", "/example.com/devices"]).ok();
    assert!(said.contains("from       apps"), "{said}");
    let password = company.path("password");
    for (domain, who) in
        [("example.com", "hq"), ("branch.example.com", "branch"), ("contacts.example.com", "apps")]
    {
        let said =
            asked("ldap", "ldaps", &["--name", domain, "--user", "ldap-guest", "--password-file", &password])
                .ok();
        assert!(said.contains(&format!("from       {who}")), "{said}");
    }
    let shown = company.fingerprint(&own);
    let said = company.rpd(&["probe", "http", address("https"), "--expect", &shown]).ok();
    assert!(said.contains("nothing on the way opens TLS"), "{said}");
}

/// A made-up company: what is inside, and a phone with a certificate of its own.
struct Company {
    folder: TempDir,
    machines: [StandIn; 3],
}

impl Company {
    fn new() -> Self {
        let folder = common::certificates();
        for sub in ["tls", "trust"] {
            fs::create_dir(folder.path().join(sub)).expect("a folder");
        }
        write(folder.path(), "password", "guest\n");
        Self { machines: ["hq", "branch", "apps"].map(|name| stand_in(name, &folder)), folder }
    }

    /// Writes the printed file, with ports that a test can have: ours are free ones, and those of each row are those
    /// of its machine.
    fn write_configuration(&self, printed: &str) {
        let (listen, rest) = printed.split_at(printed.find("[tls]").expect("a table"));
        let mut text: String = listen
            .lines()
            .map(|line| match line.split_once(" = ") {
                Some((key, _)) if !line.starts_with('#') => format!("{key} = \"127.0.0.1:0\"\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        let mut rows = rest.split("[[host]]");
        text += rows.next().unwrap_or_default();
        let [hq, branch, apps] = &self.machines;
        for (row, machine) in rows.zip([hq, branch, apps, apps]) {
            text += &format!("[[host]]{}", at_machine(row, machine));
        }
        write(self.folder.path(), "rpd.toml", &text);
    }

    /// As the text says: in each row the line that `probe --pin` prints, in place of the one that is there.
    fn pin_all(&self) {
        let text = self.read("rpd.toml");
        let mut pinned = Vec::new();
        let port = self.machines[0].ports.of(Kind { protocol: Protocol::Http, transport: Transport::Tls });
        let said = self.rpd(&["probe", "http", &format!("127.0.0.1:{port}"), "--pin"]).ok();
        let line = said.lines().find(|line| line.starts_with("tls = ")).expect("a line to paste");
        for old in text.lines() {
            pinned.push(if old.starts_with("tls     = {") { line } else { old });
        }
        write(self.folder.path(), "rpd.toml", &pinned.join("\n"));
    }

    fn fingerprint(&self, file: &str) -> String {
        rpd::tls::fingerprint(&rpd::tls::read_certificates(Path::new(file)).expect("a certificate")[0])
            .to_string()
    }

    fn check(&self, arguments: &[&str]) -> Finished {
        self.rpd(&[&["check", &self.path("rpd.toml")], arguments].concat())
    }

    fn rpd(&self, arguments: &[&str]) -> Finished {
        run(env!("CARGO_BIN_EXE_rpd"), arguments)
    }

    fn path(&self, file: &str) -> String {
        self.folder.path().join(file).display().to_string()
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.folder.path().join(file)).expect("a file")
    }
}

fn at_machine(row: &str, machine: &StandIn) -> String {
    let mut row = row.to_owned();
    for (protocol, tcp, tls) in
        [(Protocol::H323, 1720, 1300), (Protocol::Ldap, 389, 636), (Protocol::Http, 80, 443)]
    {
        for (transport, key, usual) in [(Transport::Tcp, "tcp", tcp), (Transport::Tls, "tls", tls)] {
            let port = machine.ports.of(Kind { protocol, transport });
            for (space, end) in [(" ", ","), (" ", " "), ("  ", "\n")] {
                row = row
                    .replace(&format!("{key}{space}= {usual}{end}"), &format!("{key}{space}= {port}{end}"));
            }
        }
    }
    row
}
