//! What to paste while the demo runs.

use std::{env, net::SocketAddr, path::Path};

use super::PASSWORD_FILE;
use crate::{config::Listener, protocol::Kind};

/// Prints where everything is, and commands that show what the proxy does.
pub(super) fn print(folder: &Path, listeners: &[Listener]) {
    let ca = folder.join("ca.pem");
    let ca = ca.display();
    let at = |name: &str| address(listeners, name);
    let (http, https) = (at("http"), at("https"));
    let (ldap, ldaps) = (at("ldap"), at("ldaps"));
    let (sip, sips) = (at("sip"), at("sips"));
    let (h323, h323s) = (at("h323"), at("h323s"));
    let rpd = program();
    println!("\nThe proxy listens on 127.0.0.1:");
    for kind in Kind::all() {
        println!("  {:<6} {}", kind.as_str(), at(kind.as_str()).port());
    }
    println!(
        "\nBehind it stand two PBXs, hq (example.com) and branch (branch.example.com), made up for this demo.
down.example.com is configured too, and does not answer. The configuration: {config}

Paste these into another terminal; each one says which PBX answered.

  # a phone that looks for its gatekeeper, in clear and over TLS, and one that nobody knows
  {rpd} probe h323 {h323} --name example.com
  {rpd} probe h323 {h323s} --name example.com/branch --tls --ca {ca} --server-name example.com
  {rpd} probe h323 {h323} --name unknown.example

  # a SIP phone
  {rpd} probe sip {sip} --name example.com
  {rpd} probe sip {sips} --name branch.example.com --tls --ca {ca}
  {rpd} probe sip {sip} --name down.example.com

  # web: an allowed URL, one that is not, and another host over HTTPS
  curl -si -H 'Host: hq.example.com' http://{http}/PBX0/APPS/index.htm
  curl -si -H 'Host: hq.example.com' http://{http}/CMD0/mod_cmd.xml
  curl -si --cacert {ca} --resolve branch.example.com:{https_port}:127.0.0.1 https://branch.example.com:{https_port}/PBX0/MY/client.htm
  {rpd} probe http {https} --name hq.example.com --path /PBX0/APPS --tls --ca {ca}

  # phone book: right, unknown domain, and over TLS by DN
  ldapsearch -x -LLL -H ldap://{ldap} -D 'example.com\\ldap-guest' -w guest -b dc=example,dc=com '(cn=*)'
  ldapsearch -x -LLL -H ldap://{ldap} -D 'unknown.example\\ldap-guest' -w guest -b dc=example,dc=com
  LDAPTLS_CACERT={ca} ldapsearch -x -LLL -H ldaps://{ldaps} -D cn=ldap-guest,dc=branch,dc=example,dc=com -w guest -b dc=example,dc=com
  {rpd} probe ldap {ldaps} --name example.com --user ldap-guest --password-file {password} --tls --ca {ca}

  # somebody who scans, from another address: after twenty of these he is shut out
  for i in $(seq 25); do curl -so /dev/null --interface 127.0.0.2 http://{http}/; done

  # what a TLS client gets to see
  openssl s_client -connect {https} -servername hq.example.com -CAfile {ca} </dev/null
",
        config = folder.join("rpd.toml").display(),
        password = folder.join(PASSWORD_FILE).display(),
        https_port = https.port(),
    );
}

/// Where the listener with this key of `[listen]` is.
pub(super) fn address(listeners: &[Listener], name: &str) -> SocketAddr {
    let found = listeners.iter().find(|listener| listener.kind.as_str() == name);
    found.expect("the demo listens for everything").address
}

/// How to call this program from here.
fn program() -> String {
    let path = env::current_exe().unwrap_or_else(|_| "rpd".into());
    let here = env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(&path).display().to_string()
}
