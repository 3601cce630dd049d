//! `rpd cert`: the certificate of this proxy, from the request to the file in its place.

mod files;
mod install;
mod request;

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Subcommand};

use super::{
    DEFAULT_CONFIG,
    client::{self, Failure},
};
use crate::{
    config::{CertificateFiles, Config, Outline},
    tls,
};

/// Make, request and install the certificate of this proxy.
///
/// Examples:
///   rpd cert self-signed                   to begin with
///   rpd cert request                       a key, and a request for an authority
///   rpd cert install hq.example.com.pem    what the authority has sent back
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Cert {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a P-256 key and a signing request, and leave the present certificate as it is
    Request(request::Request),
    /// Check a certificate, and put it in the place of the present one
    Install(install::Install),
    /// Make a P-256 key and a certificate by itself
    SelfSigned(request::SelfSigned),
}

impl Cert {
    pub(super) fn run(self) -> ExitCode {
        let done = match self.action {
            Action::Request(request) => request.run(),
            Action::Install(install) => install.run(),
            Action::SelfSigned(self_signed) => self_signed.run(),
        };
        match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{}", error.trim_end());
                ExitCode::FAILURE
            }
        }
    }
}

/// Which certificate it is about.
#[derive(Debug, Args)]
struct Which {
    /// The configuration file
    #[arg(long, default_value = DEFAULT_CONFIG, value_name = "FILE")]
    config: PathBuf,
    /// Where there are several certificates: the one in this file [default: the default one]
    #[arg(long, value_name = "FILE")]
    of: Option<PathBuf>,
}

/// What a certificate is to hold.
#[derive(Debug, Args)]
struct Names {
    /// The common name; the PBX knows this proxy by it [default: the present one]
    #[arg(long, value_name = "NAME")]
    cn: Option<String>,
    /// A DNS name, once for each [default: those of the present certificate, and all names of the hosts]
    #[arg(long, value_name = "NAME")]
    dns: Vec<String>,
    /// An IP address, once for each [default: as above]
    #[arg(long, value_name = "ADDR")]
    ip: Vec<IpAddr>,
}

/// A certificate of the configuration, whether its files exist or not.
struct Place {
    files: CertificateFiles,
    outline: Outline,
}

impl Which {
    fn place(&self) -> Result<Place, String> {
        let outline = Outline::load(&self.config).map_err(|report| report.to_string())?;
        let mut rows = outline.certificates.iter();
        let row = match &self.of {
            Some(path) => rows.find(|row| row.certificate == *path || row.certificate.ends_with(path)),
            None => rows.next(),
        };
        let Some(files) = row.cloned() else {
            let wanted = self.of.as_ref().map_or(String::new(), |path| format!(" with {}", path.display()));
            return Err(format!(
                "error: {} has no [[tls.certificate]]{wanted}; write one, with certificate = \"tls/rpd.pem\" and key = \"tls/rpd.pem\"",
                self.config.display()
            ));
        };
        Ok(Place { files, outline })
    }

    /// Has the proxy that runs, if one does, show what is in place now.
    fn show(&self) {
        match client::Which::of(&self.config).ask("POST", "reload", None) {
            Ok(_) => println!("reloaded   whoever connects from now on sees it"),
            // With a configuration that is not sound yet no proxy has been started.
            Err(Failure::Refused(why)) if Config::load(&self.config).is_ok() => println!(
                "warning    rpd has not reloaded, and shows the certificate from before: {}",
                why.trim_end()
            ),
            Err(_) => {
                println!("then       start rpd; if it runs, rpd reload or restart it");
            }
        }
    }
}

impl Place {
    /// The certificate that is there now, if one is.
    fn present(&self) -> Option<Vec<u8>> {
        let chain = tls::read_certificates(&self.files.certificate).ok()?;
        chain.first().map(|der| der.to_vec())
    }

    /// Where the key of a request waits for its certificate.
    fn requested_key(&self) -> PathBuf {
        self.beside("request.key")
    }

    fn beside(&self, extension: &str) -> PathBuf {
        let stem = self.files.certificate.file_stem().unwrap_or_default();
        self.folder().join(stem).with_extension(extension)
    }

    fn folder(&self) -> &Path {
        self.files.certificate.parent().unwrap_or(Path::new(""))
    }
}
