//! Two web servers, nginx, with the proxy in front of them.

use std::{fs, net::SocketAddr};

use tempfile::TempDir;

use super::{Finished, Port, Program, Proxy, SERVICE_NAME, certificates, fill, run, write};

/// The proxy in front of two servers.
pub struct Stage {
    // In this order: what connects to another goes before it.
    pub proxy: Proxy,
    pub nginx: Program,
    pub folder: TempDir,
}

impl Stage {
    /// Sets it.
    ///
    /// # Panics
    /// nginx is not installed.
    pub fn set() -> Self {
        let folder = certificates();
        let dir = folder.path().display();
        fs::create_dir(folder.path().join("files")).expect("a folder");
        let [hq, hq_tls, branch, branch_tls] = [(); 4].map(|()| Port::reserve());
        let configuration = fill(
            include_str!("../peers/http/nginx.conf"),
            &[
                ("DIR", &dir),
                ("HQ_HTTP", &hq),
                ("HQ_HTTPS", &hq_tls),
                ("BRANCH_HTTP", &branch),
                ("BRANCH_HTTPS", &branch_tls),
            ],
        );
        let configuration = write(folder.path(), "nginx.conf", &configuration).display().to_string();
        let nginx = Program::start("nginx", ["-e", "stderr", "-c", &configuration]);
        let nginx = nginx.listening(branch_tls.number());
        let row = |name: &str, tcp: Port, tls: Port| {
            format!(
                r#"
[[host]]
names = ["{name}.example.com"]
target = "127.0.0.1"
http = {{ tcp = {tcp}, tls = {tls}, urls = ["/PBX0/APPS", "/PBX0/MY/"] }}
tls = {{ verify = "trust-list", trust = ["ca.pem"], server-name = "{SERVICE_NAME}" }}
"#
            )
        };
        let text = format!(
            r#"
[listen]
http = "127.0.0.1:0"
https = "127.0.0.1:0"

[[tls.certificate]]
certificate = "proxy.pem"
key = "proxy.key"
{}{}"#,
            row("hq", hq, hq_tls),
            row("branch", branch, branch_tls)
        );
        write(folder.path(), "rpd.toml", &text);
        Self { proxy: Proxy::start(folder.path(), &text), nginx, folder }
    }

    /// curl for a page of this host, as if the name led to the proxy.
    pub fn curl(&self, scheme: &str, host: &str, path: &str, arguments: &[&str]) -> Finished {
        self.curl_by(self.proxy.address(scheme), scheme, host, path, arguments)
    }

    /// The same by another proxy.
    pub fn curl_by(
        &self,
        proxy: SocketAddr,
        scheme: &str,
        host: &str,
        path: &str,
        arguments: &[&str],
    ) -> Finished {
        let port = proxy.port();
        let ca = self.folder.path().join("ca.pem").display().to_string();
        let resolve = format!("{host}:{port}:127.0.0.1");
        let url = format!("{scheme}://{host}:{port}{path}");
        let fixed = ["-sS", "--cacert", &ca, "--resolve", &resolve, &url];
        run("curl", fixed.iter().chain(arguments))
    }
}
