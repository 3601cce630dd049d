//! One port for everything, with clients that were not written for it: curl, the OpenLDAP tools, sipp, and `rpd probe` as a
//! phone. The stand-ins of `rpd demo` say who has answered.
//!
//! Debian packages: curl, ldap-utils, sip-tester, socat. `cargo test -p rpd --test peers_any -- --ignored`

mod common;
#[path = "peers/sip/mod.rs"]
mod sip;

use std::path::Path;

use common::{Finished, Proxy, SERVICE_NAME, certificates, fill, run, run_with, stand_in};
use rp_route::leg::Transport;
use rpd::{
    cli::demo::stand_in::StandIn,
    protocol::{Kind, Protocol},
};
use tempfile::TempDir;

#[test]
#[ignore = "needs curl, ldap-utils, sip-tester, socat (Debian packages)"]
fn four_kinds_of_clients_are_served_on_one_port_in_clear_and_over_tls() {
    let stage = Stage::set();
    for over_tls in [false, true] {
        let page = stage.curl(over_tls).ok();
        assert!(page.contains("HTTP/1.1 200") && page.contains("hq"), "{page}");
        let entry = stage.ldapsearch(over_tls).ok();
        assert!(entry.contains("hq"), "{entry}");
        stage.sipp(over_tls).ok();
        let confirmed = stage.phone(over_tls).ok();
        assert!(confirmed.contains("from       hq"), "{confirmed}");
    }
}

/// The proxy with one port, and a stand-in for each service behind it.
struct Stage {
    proxy: Proxy,
    _stand_in: StandIn,
    folder: TempDir,
}

impl Stage {
    fn set() -> Self {
        let folder = certificates();
        let stand_in = stand_in("hq", &folder);
        let row = |protocol| {
            let [tcp, tls] = [Transport::Tcp, Transport::Tls]
                .map(|transport| stand_in.ports.of(Kind { protocol, transport }));
            format!("{protocol} = {{ tcp = {tcp}, tls = {tls} }}\n")
        };
        let rows: String = Protocol::ALL.map(row).concat();
        let text = format!(
            r#"
[listen]
any = "127.0.0.1:0"

[[tls.certificate]]
certificate = "proxy.pem"
key = "proxy.key"

[[host]]
names = ["example.com"]
target = "127.0.0.1"
tls = {{ verify = "trust-list", trust = ["ca.pem"], server-name = "{SERVICE_NAME}" }}
{rows}"#
        );
        Self { proxy: Proxy::start(folder.path(), &text), _stand_in: stand_in, folder }
    }

    fn port(&self) -> u16 {
        self.proxy.address("any").port()
    }

    fn ca(&self) -> String {
        self.folder.path().join("ca.pem").display().to_string()
    }

    fn curl(&self, over_tls: bool) -> Finished {
        let port = self.port();
        let scheme = if over_tls { "https" } else { "http" };
        let resolve = format!("example.com:{port}:127.0.0.1");
        let url = format!("{scheme}://example.com:{port}/");
        run("curl", ["-sSi", "--cacert", &self.ca(), "--resolve", &resolve, &url])
    }

    fn ldapsearch(&self, over_tls: bool) -> Finished {
        let url = format!("{}://127.0.0.1:{}", if over_tls { "ldaps" } else { "ldap" }, self.port());
        let user = "example.com\\ldap-guest";
        let arguments =
            ["-x", "-LLL", "-H", &url, "-D", user, "-w", "guest", "-b", "dc=example,dc=com", "(cn=*)"];
        run_with("ldapsearch", arguments, &[("LDAPTLS_CACERT", Path::new(&self.ca()).as_os_str())])
    }

    /// sipp speaks no TLS in Debian, so socat does it for it.
    fn sipp(&self, over_tls: bool) -> Finished {
        let proxy = self.proxy.address("any");
        let tunnel = over_tls.then(|| sip::Tunnel::to(proxy, &self.folder, ""));
        let at = tunnel.as_ref().map_or_else(|| proxy.to_string(), sip::Tunnel::address);
        let step = fill(
            include_str!("peers/sip/register-step.xml"),
            &[
                ("DOMAIN", &"example.com"),
                ("FROM", &"alice"),
                ("TO", &"alice"),
                ("NUMBER", &1),
                ("STATUS", &200),
            ],
        );
        let scenario = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<scenario name=\"any\">\n{step}</scenario>\n"
        );
        sip::sipp(&self.folder, &scenario, 1, 1, &at)
    }

    fn phone(&self, over_tls: bool) -> Finished {
        let (at, ca) = (self.proxy.address("any").to_string(), self.ca());
        let plain = ["probe", "h323", &at, "--name", "example.com"];
        let tls: &[&str] =
            if over_tls { &["--tls", "--ca", &ca, "--server-name", "example.com"] } else { &[] };
        run(env!("CARGO_BIN_EXE_rpd"), [&plain, tls].concat())
    }
}
