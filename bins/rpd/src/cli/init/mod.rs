//! `rpd init`: prints a configuration for an installation, to be read, kept and changed by its administrator.

mod text;

use std::{collections::HashSet, fmt::Display, net::IpAddr, process::ExitCode};

use clap::Args;
use rp_route::name::Name;

use super::probe;
use crate::config::{Fingerprint, FromText, Target};

/// Print a commented configuration for a phone system.
///
/// Example:
///   rpd init --system-name example.com --pbx hq=172.16.10.2 --pbx branch=172.16.20.2 \
///       --apps apps=172.16.10.3 > /etc/rpd/rpd.toml
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Init {
    /// The system name of the PBXs: gatekeeper identifier, SIP domain, and what their DNS names end in
    #[arg(long, value_name = "NAME")]
    system_name: String,
    /// A PBX: its PBX name, and its address or DNS name inside; the first one is the master
    #[arg(long, value_name = "NAME=ADDR", required = true, value_parser = machine)]
    pbx: Vec<Machine>,
    /// An App Platform: its name below the system name (or a whole DNS name), and its address
    #[arg(long, value_name = "NAME=ADDR", value_parser = machine)]
    apps: Vec<Machine>,
    /// Let phones in: H.323 and phone books [default, with --myapps]
    #[arg(long)]
    phones: bool,
    /// Let myApps in: HTTP, of each PBX only the URLs that it needs [default, with --phones]
    #[arg(long)]
    myapps: bool,
    /// Let third-party SIP phones in; a SIP trunk needs no reverse proxy
    #[arg(long)]
    sip: bool,
    /// Listen on the usual ports: the proxy has a machine of its own [default]
    #[arg(long)]
    standard_ports: bool,
    /// Listen on 90 453 399 646 1730 1310 5070 5071: the usual ports are taken on this machine
    #[arg(long, conflicts_with = "standard_ports")]
    single_box: bool,
    /// The address that SIP phones outside reach, if this machine is behind NAT
    #[arg(long, value_name = "ADDR", requires = "sip")]
    public: Option<IpAddr>,
    /// Ask each PBX and App Platform for its certificate now, and trust exactly that one
    #[arg(long)]
    pin: bool,
}

/// A machine inside: what it is called, and where it is.
#[derive(Clone, Debug)]
struct Machine {
    name: String,
    target: Target,
}

/// What is to be printed.
struct Installation {
    system_name: String,
    pbxs: Vec<Place>,
    apps: Vec<Place>,
    phones: bool,
    myapps: bool,
    sip: bool,
    single_box: bool,
    public: Option<IpAddr>,
}

/// A machine with all that its rows need.
struct Place {
    /// The name that was given: a PBX name, or what stands before the system name.
    name: String,
    /// Its name in DNS.
    dns: String,
    target: Target,
    /// Of the certificate that it has shown.
    pin: Option<Fingerprint>,
}

impl Init {
    pub(super) fn run(self) -> ExitCode {
        let pin = self.pin;
        let installation = Installation::try_from(self).and_then(|mut installation| {
            if pin {
                super::block_on(installation.pin())?;
            }
            Ok(installation)
        });
        match installation {
            Ok(installation) => {
                print!("{}", text::configuration(&installation));
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::FAILURE
            }
        }
    }
}

impl TryFrom<Init> for Installation {
    type Error = String;

    fn try_from(init: Init) -> Result<Self, String> {
        let system_name = dns_name("--system-name", &init.system_name)?;
        let below = |option: &str, machine: Machine| {
            let whole = if option == "--apps" && machine.name.contains('.') {
                machine.name.clone()
            } else {
                format!("{}.{system_name}", machine.name)
            };
            let dns = dns_name(option, &whole)?;
            Ok::<_, String>(Place { name: machine.name, dns, target: machine.target, pin: None })
        };
        if let Some(dotted) = init.pbx.iter().find(|pbx| pbx.name.contains(['.', '/'])) {
            return Err(format!(
                "--pbx {}: write the PBX name alone, such as hq; its DNS name is hq.{system_name}",
                dotted.name
            ));
        }
        let either = init.phones || init.myapps || init.sip;
        let (phones, myapps) = (init.phones || !either, init.myapps || !either);
        if !init.apps.is_empty() && !phones && !myapps {
            return Err("--apps is for phone books and myApps; add --phones or --myapps".to_owned());
        }
        let pbxs = init.pbx.into_iter().map(|pbx| below("--pbx", pbx)).collect::<Result<Vec<_>, _>>()?;
        let apps = init.apps.into_iter().map(|apps| below("--apps", apps)).collect::<Result<Vec<_>, _>>()?;
        let mut seen = HashSet::from([system_name.as_str()]);
        if let Some(twice) = pbxs.iter().chain(&apps).find(|place| !seen.insert(&place.dns)) {
            return Err(format!("{} is there twice; each machine has a name of its own", twice.dns));
        }
        Ok(Self {
            system_name,
            pbxs,
            apps,
            phones,
            myapps,
            sip: init.sip,
            single_box: init.single_box,
            public: init.public,
        })
    }
}

impl Installation {
    /// Asks every machine for its certificate, on the port that it will be reached at.
    async fn pin(&mut self) -> Result<(), String> {
        let pbx_port = if self.phones { 1300 } else { 443 };
        let pbxs = self.pbxs.iter_mut().map(|pbx| (pbx, pbx_port));
        for (place, port) in pbxs.chain(self.apps.iter_mut().map(|apps| (apps, 443))) {
            let shown = probe::shown_fingerprint(&place.target, port).await;
            place.pin = Some(shown.map_err(|error| format!("--pin: {}: {error}", place.dns))?);
        }
        Ok(())
    }
}

fn machine(text: &str) -> Result<Machine, String> {
    let (name, target) = text.split_once('=').ok_or("write NAME=ADDR, such as hq=172.16.10.2".to_owned())?;
    if name.is_empty() {
        return Err("write a name before the =, such as hq=172.16.10.2".to_owned());
    }
    Ok(Machine { name: name.to_ascii_lowercase(), target: Target::from_text(target)? })
}

fn dns_name(option: &str, text: &str) -> Result<String, String> {
    let wrong = |why: &dyn Display| format!("{option} {text}: {why}");
    let name = Name::parse(text).map_err(|error| wrong(&error))?;
    if name.is_dns() && !name.is_wildcard() {
        Ok(name.as_str().to_owned())
    } else {
        Err(wrong(&"no name that DNS can have; write one such as example.com"))
    }
}
