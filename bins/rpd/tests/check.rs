//! `rpd check` beyond the file: targets, names in DNS, and what has to be set elsewhere.

mod common;

use std::net::{SocketAddr, TcpListener, UdpSocket};

use common::{Finished, certificates, run, stand_in, write};
use rpd::protocol::{Kind, Protocol};
use simple_dns::{
    CLASS, Packet, PacketFlag, QTYPE, RCODE, ResourceRecord, TYPE,
    rdata::{A, RData},
};
use tempfile::TempDir;

#[test]
fn json_has_every_finding_with_its_place() {
    let folder = folder("[listen]\nhtpp = 80\nhttp = 8080\n");
    let found = json(&check(&folder, &["--json"]).expect(1));
    assert_eq!((&found["sound"], &found["findings"][0]["line"]), (&false.into(), &2.into()), "{found}");
    assert_eq!(found["findings"][0]["severity"], "error");
    assert!(
        found["findings"][0]["remedy"].as_str().is_some_and(|remedy| remedy.contains("did you mean http"))
    );
}

#[test]
fn strict_lets_warnings_count() {
    let folder = folder("[listen]\nhttp = 8080\n");
    assert!(json(&check(&folder, &["--json"]).expect(0))["sound"] == true);
    assert!(json(&check(&folder, &["--json", "--strict"]).expect(1))["sound"] == false);
}

#[test]
fn a_target_without_an_address_is_told_unless_offline() {
    let folder = folder(
        "[listen]\nhttp = 8080\n[[host]]\nnames = [\"a.example\"]\ntarget = \"no-such-host.invalid\"\nhttp = { tcp = 80 }\n",
    );
    let said = check(&folder, &[]).expect(1).out;
    assert!(said.contains("BAD      line 3    target no-such-host.invalid: no address"), "{said}");
    assert!(!check(&folder, &["--offline"]).ok().contains("BAD"));
}

#[test]
fn connect_reaches_every_target_on_every_port_or_says_why_not() {
    let folder = certificates();
    let stand_in = stand_in("hq", &folder);
    let port = |protocol, transport| stand_in.ports.of(Kind { protocol, transport });
    use rp_route::leg::Transport::{Tcp, Tls};
    let (tcp, tls) = (port(Protocol::Http, Tcp), port(Protocol::Http, Tls));
    let row = |verify: &str| {
        format!(
            "[listen]\nhttp = \"127.0.0.1:0\"\n[[host]]\nnames = [\"a.example\"]\ntarget = [\"127.0.0.1\", \"127.0.0.2\"]\nhttp = {{ tcp = {tcp}, tls = {tls} }}\ntls = {verify}\n"
        )
    };
    write(folder.path(), "rpd.toml", &row("{ verify = \"trust-list\", trust = [\"ca.pem\"] }"));
    let said = check(&folder, &["--connect"]).expect(1).out;
    assert!(
        said.contains(&format!("good     line 3    a.example http at 127.0.0.1:{tcp}: connected")),
        "{said}"
    );
    assert!(
        said.contains(&format!("http over TLS at 127.0.0.1:{tls}: TLSv1.3, certificate \"service.example\"")),
        "{said}"
    );
    assert!(
        said.contains(&format!(
            "BAD      line 3    a.example http at 127.0.0.2:{tcp}: 127.0.0.2:{tcp}: Connection refused"
        )),
        "{said}"
    );

    write(folder.path(), "rpd.toml", &row("{ verify = \"trust-list\", trust = [\"proxy.pem\"] }"));
    let said = check(&folder, &["--connect"]).expect(1).out;
    assert!(said.contains("the target's certificate is not trusted"), "{said}");
}

#[test]
fn dns_says_whether_the_names_lead_here() {
    let server = server();
    let folder = folder(
        "[listen]\nhttp = 8080\nh323 = 17200\n[[host]]\nnames = [\"here.example\", \"example.com/hq\", \"example.com\", \"*.sub.example\"]\ntarget = \"10.0.0.1\"\nhttp = { tcp = 80 }\nh323 = { tcp = 1720 }\n[[host]]\nnames = [\"outside.example\", \"long.example\", \"none.example\"]\ntarget = \"10.0.0.2\"\nhttp = { tcp = 80 }\n",
    );
    let server = server.to_string();
    let said = check(&folder, &["--dns", "--server", &server]).expect(1).out;
    for line in [
        "good     line 4    name here.example: 127.0.0.1",
        "doubtful line 4    name example.com: ",
        "BAD      line 9    name outside.example: 198.51.100.1, which is no address of this machine; behind NAT say --public ADDR",
        "good     line 9    name long.example: 127.0.0.3",
        "says that there is no such name",
    ] {
        assert!(said.contains(line), "wanted: {line}\nsaid: {said}");
    }
    assert!(!said.contains("sub.example"), "a wildcard cannot be asked for: {said}");
    let said = check(&folder, &["--dns", "--server", &server, "--public", "198.51.100.1"]).expect(1).out;
    assert!(said.contains("good     line 9    name outside.example: 198.51.100.1"), "{said}");
    assert!(
        said.contains("BAD      line 4    name here.example: 127.0.0.1, wanted is 198.51.100.1"),
        "{said}"
    );
}

#[test]
fn the_plan_names_all_that_others_have_to_set() {
    let folder = certificates();
    write(
        folder.path(),
        "rpd.toml",
        r#"
[listen]
h323s = 1310
https = 453
[tls]
trust-list = ["ca.pem"]
[[tls.certificate]]
certificate = "proxy.pem"
key = "proxy.key"
[[host]]
names = ["example.com", "example.com/hq", "hq.example.com"]
target = "127.0.0.1"
h323 = { tcp = 1720, tls = 1300, check-certificate = true }
http = { tcp = 80, urls = ["/a", { prefix = "/.well-known/acme-challenge/", target = "172.16.10.9", tcp = 8080 }] }
tls = { verify = "trust-list", trust = ["ca.pem"] }
[[host]]
names = ["apps.example.net"]
target = ["172.16.10.3", "172.16.10.4"]
http = { tcp = 80 }
"#,
    );
    let said = check(&folder, &["--plan", "--public", "198.51.100.1"]).ok();
    for line in [
        "  tcp 1300  -> tcp 1310  here (h323s)",
        "  tcp 443   -> tcp 453   here (https)",
        "  udp 3478  -> udp 3478  of the TURN server, never here",
        "  hq.example.com: outside 198.51.100.1; inside 127.0.0.1\n",
        "  example.com: outside 198.51.100.1; inside 127.0.0.1; as a gatekeeper identifier it needs no entry",
        "  apps.example.net: outside 198.51.100.1; inside 172.16.10.3, 172.16.10.4",
        "  hq.example.com\n",
        "  apps.example.net (missing now)",
        "  this machine -> 127.0.0.1 tcp 80 1300 1720",
        "  this machine -> 172.16.10.9 tcp 8080",
        "  example.com at 127.0.0.1: 127.0.0.1/example.com",
    ] {
        assert!(said.contains(line), "wanted: {line}\nsaid: {said}");
    }
    let found = json(&check(&folder, &["--plan", "--json"]).expect(0));
    assert_eq!(found["plan"]["port_maps"][0]["outside"], 1300, "{found}");
}

#[test]
fn the_plan_is_made_before_the_certificates() {
    let folder = folder(
        r#"
[listen]
h323s = 1310
[tls]
trust-list = ["devices.pem"]
[[tls.certificate]]
certificate = "tls/example.com.pem"
key = "tls/example.com.key"
[[host]]
names = ["example.com"]
target = "127.0.0.1"
h323 = { tcp = 1720, tls = 1300, check-certificate = true }
tls = { verify = "trust-list", trust = ["pbx.pem"] }
"#,
    );
    let planned = check(&folder, &["--plan", "--public", "198.51.100.1"]).expect(0);
    for line in [
        "  tcp 1300  -> tcp 1310  here (h323s)",
        "  example.com (missing now)",
        "  example.com at 127.0.0.1: 127.0.0.1/(subject of the certificate that is still to be made)",
    ] {
        assert!(planned.out.contains(line), "wanted: {line}\nsaid: {}", planned.out);
    }
    for file in ["tls/example.com.pem", "devices.pem", "pbx.pem"] {
        let told = planned.err.lines().any(|line| line.starts_with("warning: ") && line.contains(file));
        assert!(told, "{file} is not there, and nobody says so:\n{}", planned.err);
    }
    assert!(check(&folder, &[]).expect(1).err.contains("error: "), "it cannot be run");
    assert!(!check(&folder, &["--plan", "--strict"]).expect(1).out.is_empty());
}

fn folder(text: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "rpd.toml", text);
    folder
}

fn check(folder: &TempDir, arguments: &[&str]) -> Finished {
    let config = folder.path().join("rpd.toml").display().to_string();
    run(env!("CARGO_BIN_EXE_rpd"), [&["check", &config], arguments].concat())
}

fn json(finished: &Finished) -> serde_json::Value {
    serde_json::from_str(&finished.out).expect("one JSON object")
}

/// A name server that knows a few names, and tells of one only over TCP.
fn server() -> SocketAddr {
    // One port for both; another test may have its half.
    let both = || {
        let tcp = TcpListener::bind("127.0.0.1:0").ok()?;
        let address = tcp.local_addr().ok()?;
        Some((UdpSocket::bind(address).ok()?, tcp, address))
    };
    let (udp, tcp, address) = (0..100).find_map(|_| both()).expect("a port");
    std::thread::spawn(move || {
        let mut octets = [0; 512];
        while let Ok((length, client)) = udp.recv_from(&mut octets) {
            let answer = answer(&octets[..length], true);
            // What anybody might send comes first, and must not be taken for the answer: nonsense, and another address
            // under a number that was guessed.
            let mut forged = answer.clone();
            forged[0] ^= 0xff;
            *forged.last_mut().expect("an answer") ^= 0x40;
            for datagram in [b"nonsense", forged.as_slice(), answer.as_slice()] {
                let _ = udp.send_to(datagram, client);
            }
        }
    });
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        while let Ok((mut client, _)) = tcp.accept() {
            let mut length = [0; 2];
            client.read_exact(&mut length).expect("a length");
            let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
            client.read_exact(&mut query).expect("a query");
            let answer = answer(&query, false);
            let length = u16::try_from(answer.len()).expect("a short answer").to_be_bytes();
            client.write_all(&[&length[..], &answer].concat()).expect("a client that reads");
        }
    });
    address
}

fn answer(query: &[u8], short: bool) -> Vec<u8> {
    let mut packet = Packet::parse(query).expect("a query").into_reply();
    packet.set_flags(PacketFlag::RESPONSE);
    let question = packet.questions[0].clone();
    let name = question.qname.to_string();
    let found: Option<[u8; 4]> = match name.as_str() {
        "here.example" => Some([127, 0, 0, 1]),
        "outside.example" | "example.com" => Some([198, 51, 100, 1]),
        "long.example" => Some([127, 0, 0, 3]),
        _ => None,
    };
    if name == "long.example" && short {
        packet.set_flags(PacketFlag::TRUNCATION);
    } else if found.is_none() {
        *packet.rcode_mut() = RCODE::NameError;
    } else if let (Some(octets), QTYPE::TYPE(TYPE::A)) = (found, question.qtype) {
        let data = RData::A(A { address: u32::from_be_bytes(octets) });
        packet.answers.push(ResourceRecord::new(question.qname.clone(), CLASS::IN, 60, data));
    }
    packet.build_bytes_vec().expect("an answer")
}
