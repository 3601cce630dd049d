//! OpenSSL's opinion of the requests and certificates that `rpd cert` makes.
//!
//! Debian package: openssl. `cargo test -p rpd --test peers_cert -- --ignored`

mod common;

use common::{Proxy, certificates, run, write};
use tempfile::TempDir;

const CONFIG: &str = r#"
[listen]
https = "127.0.0.1:0"
[tls]
[[tls.certificate]]
certificate = "rpd.pem"
key = "rpd.pem"
[[host]]
names = ["hq.example.com", "*.apps.example.com", "192.0.2.7"]
target = "127.0.0.1"
http = { tcp = 1 }
"#;

#[test]
#[ignore = "needs openssl (Debian package)"]
fn a_request_proves_its_key_and_asks_for_all_names() {
    let folder = folder();
    cert(&folder, &["request", "--cn", "0090334106b5", "--dns", "hq.example.com", "--ip", "192.0.2.7"]);
    let said = openssl(&folder, "req -in rpd.request.csr -noout -verify -text");
    for part in [
        "CN = 0090334106b5",
        "DNS:hq.example.com, IP Address:192.0.2.7",
        "prime256v1",
        "TLS Web Server",
        "TLS Web Client",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
#[ignore = "needs openssl (Debian package)"]
fn an_authority_answers_a_request_and_the_answer_is_served() {
    let folder = folder();
    cert(&folder, &["request"]);
    // As an authority of the house does it: the names of the request are taken over.
    openssl(
        &folder,
        "x509 -req -in rpd.request.csr -CA ca.pem -CAkey ca.key -CAcreateserial -copy_extensions copy -days 30 -out answer.pem",
    );
    cert(&folder, &["install", &folder.path().join("answer.pem").display().to_string()]);
    openssl(&folder, "verify -CAfile ca.pem -verify_hostname www.apps.example.com rpd.pem");
    handshake(&folder, "ca.pem");
}

#[test]
#[ignore = "needs openssl (Debian package)"]
fn a_certificate_by_itself_is_accepted_by_who_was_given_it() {
    let folder = folder();
    cert(&folder, &["self-signed"]);
    for purpose in ["sslserver", "sslclient"] {
        openssl(
            &folder,
            &format!("verify -CAfile rpd.pem -purpose {purpose} -verify_hostname hq.example.com rpd.pem"),
        );
    }
    handshake(&folder, "rpd.pem");
}

#[test]
#[ignore = "needs openssl (Debian package)"]
fn a_short_rsa_key_is_an_error_that_says_what_to_do() {
    let folder = folder();
    openssl(
        &folder,
        "req -x509 -newkey rsa:1024 -noenc -subj /CN=hq.example.com -days 30 -keyout short.key -out short.pem",
    );
    let config = CONFIG.replace("certificate = \"rpd.pem\"", "certificate = \"short.pem\"");
    let config =
        write(folder.path(), "rpd.toml", &config.replace("key = \"rpd.pem\"", "key = \"short.key\""));
    let said = run(env!("CARGO_BIN_EXE_rpd"), ["check", &config.display().to_string()]).expect(1).err;
    assert!(said.contains("rpd.toml:7:7: ") && said.contains("RSA needs 2048 bits or more"), "{said}");
    assert!(said.contains("write a P-256 key"), "{said}");
}

fn handshake(folder: &TempDir, trusted: &str) {
    let proxy = Proxy::start(folder.path(), CONFIG);
    let address = proxy.address("https");
    let said = openssl(
        folder,
        &format!(
            "s_client -connect {address} -servername hq.example.com -verify_hostname hq.example.com -verify_return_error -CAfile {trusted}"
        ),
    );
    assert!(
        said.contains("Verification: OK") && said.contains("Verified peername: hq.example.com"),
        "{said}"
    );
}

fn folder() -> TempDir {
    let folder = certificates();
    write(folder.path(), "rpd.toml", CONFIG);
    folder
}

fn cert(folder: &TempDir, arguments: &[&str]) {
    let config = folder.path().join("rpd.toml").display().to_string();
    run(env!("CARGO_BIN_EXE_rpd"), [&["cert"], arguments, &["--config", &config]].concat()).ok();
}

/// Runs openssl with these arguments; names of files are those in the folder.
fn openssl(folder: &TempDir, arguments: &str) -> String {
    let file = |argument: &str| {
        let is_file = argument.ends_with(".pem") || argument.ends_with(".csr") || argument.ends_with(".key");
        if is_file { folder.path().join(argument).display().to_string() } else { argument.to_owned() }
    };
    let finished = run("openssl", arguments.split(' ').map(file)).expect(0);
    finished.out + &finished.err
}
