//! The words of the configuration.

use std::{
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use super::{Installation, Place};

/// The whole file.
pub(super) fn configuration(installation: &Installation) -> String {
    let mut text = head(installation);
    text.push_str(&listen(installation));
    text.push_str(&tls(installation));
    text.push_str(GUARD);
    if installation.sip {
        text.push_str(&sip(installation));
    }
    for (at, pbx) in installation.pbxs.iter().enumerate() {
        text.push_str(&pbx_row(installation, pbx, at == 0));
    }
    for apps in &installation.apps {
        if installation.myapps {
            text.push_str(&apps_row(&installation.system_name, apps));
        }
    }
    if let Some(row) = phone_book_row(installation) {
        text.push_str(&row);
    }
    text
}

fn head(installation: &Installation) -> String {
    format!(
        "# The reverse proxy of {}. Every key is described in docs/CONFIG.md, the way there in docs/SETUP.md.
#
# What this file names has to be there before the proxy starts:
#   {CERTIFICATE}   certificate and key of this proxy: `rpd cert request` or `rpd cert self-signed` makes them
{}{}# Then: `rpd check` says what is wrong here, and `rpd check --plan` what has to be set elsewhere: port maps, DNS,
# firewalls, and the PBX's own list of reverse proxies.
",
        installation.system_name,
        if installation.phones {
            format!("#   {DEVICES}   the authorities that have issued the certificates of the phones (PEM)\n")
        } else {
            String::new()
        },
        if trusts_a_list(installation) {
            format!("#   {INSIDE}    the certificates of the machines inside, or of who issued them (PEM)\n")
        } else {
            String::new()
        },
    )
}

/// With a row that has a `tls` port and no pin, a file is needed.
fn trusts_a_list(installation: &Installation) -> bool {
    let tls = installation.phones || installation.myapps;
    tls && installation.pbxs.iter().chain(&installation.apps).any(|place| place.pin.is_none())
}

fn listen(installation: &Installation) -> String {
    let mut text =
        String::from("\n[listen]                # a protocol without a port here is not accepted\n");
    if installation.single_box {
        text.push_str("# The usual ports are taken on this machine: the router maps them to these (`rpd check --plan` lists the maps).\n");
    }
    for (wanted, key, usual, other) in [
        (installation.phones, "h323", 1720, 1730),
        (installation.phones, "h323s", 1300, 1310),
        (installation.sip, "sip", 5060, 5070),
        (installation.sip, "sips", 5061, 5071),
        (installation.phones, "ldap", 389, 399),
        (installation.phones, "ldaps", 636, 646),
        (installation.myapps, "http", 80, 90),
        (installation.myapps, "https", 443, 453),
    ] {
        let port = if installation.single_box { other } else { usual };
        let line = format!("{key:<5} = {port}");
        match (wanted, key) {
            (true, _) => text.push_str(&line),
            (false, "sip") => {
                let _ = write!(
                    text,
                    "# {line}          # third-party SIP phones only; SIP trunks never come through here"
                );
            }
            (false, _) => {
                let _ = write!(text, "# {line}");
            }
        }
        text.push('\n');
    }
    text
}

fn tls(installation: &Installation) -> String {
    let mut text = String::from("\n[tls]\n");
    if installation.phones {
        let _ = writeln!(text, "trust-list = [\"{DEVICES}\"]     # see check-certificate below");
    }
    let _ = write!(
        text,
        "[[tls.certificate]]
certificate = \"{CERTIFICATE}\"    # for all names below; clients see it, and so do the machines inside
key         = \"{CERTIFICATE}\"    # may be the same file: then both are replaced in one step
"
    );
    text
}

const GUARD: &str = "
# Who guesses passwords or scans is shut out for an hour. `rpd guard list` shows whom and why, `rpd guard allow` lets in.
# [guard]
# mode = \"observe\"       # to begin with: shut out nobody, and tell who would have been
";

/// Phones send what belongs to a call where they are told to: behind NAT that is not where they were heard.
fn sip(installation: &Installation) -> String {
    let address = |address: IpAddr| {
        let ports = [5060, 5061].map(|port| SocketAddr::new(address, port));
        format!("public-address = {{ tcp = \"{}\", tls = \"{}\" }}", ports[0], ports[1])
    };
    match installation.public {
        Some(public) => format!("\n[sip]\n{}    # what phones outside reach\n", address(public)),
        None => format!(
            "\n# [sip]\n# {}    # behind NAT: what phones outside reach\n",
            address(Ipv4Addr::new(198, 51, 100, 1).into())
        ),
    }
}

fn pbx_row(installation: &Installation, pbx: &Place, master: bool) -> String {
    let Installation { system_name, phones, myapps, sip, .. } = installation;
    let (name, dns) = (&pbx.name, &pbx.dns);
    let location = format!("{system_name}/{name}");
    let (kind, names) = if master {
        ("master", format!("{:?}", [system_name, &location, dns]))
    } else {
        ("slave", format!("{:?}", [&location, dns]))
    };
    let mut text = format!(
        "
# Phones name this PBX {}; DNS, browsers and phone books {}.
[[host]]
comment = \"PBX {name} ({kind})\"
names   = {names}
target  = \"{}\"
",
        if master { format!("{system_name} or {location}") } else { location.clone() },
        if master { format!("{dns} or {system_name}") } else { dns.clone() },
        pbx.target
    );
    if *phones {
        let user = if master { system_name } else { dns };
        let _ = write!(
            text,
            "# A phone with a trusted certificate of its own name is taken to the tls port; any other to the tcp port, where
# the PBX asks for a password. Both ports are needed for that.
h323    = {{ tcp = 1720, tls = 1300, check-certificate = true }}
# The bind name is {user}\\ldap-guest: the PBX's LDAP server needs an account in this spelling.
ldap    = {{ tls = 636 }}
"
        );
    }
    if *sip {
        text.push_str("# By its tcp port the PBX asks for the password, whichever way the phone came in.\nsip     = { tcp = 5060 }\n");
    }
    if *phones || *myapps {
        text.push_str(&target_tls(pbx));
    }
    if *myapps {
        text.push_str(URLS);
    }
    text
}

fn apps_row(system_name: &str, apps: &Place) -> String {
    format!(
        "
# Nothing but the installed apps answers there, so every URL may pass. To let single apps in, list the paths of
# their instances: urls = [\"/{system_name}/devices\"] and so on, as the App Platform's manager shows them.
[[host]]
comment = \"App Platform {}\"
names   = [\"{}\"]
target  = \"{}\"
http    = {{ tcp = 80, tls = 443 }}
{}",
        apps.name,
        apps.dns,
        apps.target,
        target_tls(apps)
    )
}

/// The Contacts app is a directory of its own, with a name of its own.
fn phone_book_row(installation: &Installation) -> Option<String> {
    let (apps, name) = (installation.apps.first()?, format!("contacts.{}", installation.system_name));
    let taken = installation.pbxs.iter().chain(&installation.apps).any(|place| place.dns == name);
    if !installation.phones || taken {
        return None;
    }
    Some(format!(
        "
# The bind name is {name}\\user, or CN=user,DC=contacts,DC=…; without such a directory leave the row out.
[[host]]
comment = \"phone book on the App Platform\"
names   = [\"{name}\"]
target  = \"{}\"
ldap    = {{ tls = 636 }}
{}",
        apps.target,
        target_tls(apps)
    ))
}

fn target_tls(place: &Place) -> String {
    match &place.pin {
        Some(pin) => format!("tls     = {{ verify = \"fingerprint\", fingerprints = [\"{pin}\"] }}\n"),
        None => format!(
            "tls     = {{ verify = \"trust-list\", trust = [\"{INSIDE}\"] }}    # or what `rpd probe http {}:443 --pin` prints\n",
            place.target
        ),
    }
}

/// What myApps needs of a PBX. Everything else that answers there stays inside.
const URLS: &str = r#"[host.http]
tcp  = 80
tls  = 443
urls = [
  "/PBX0/APPCLIENT/appclient.htm",    # myApps
  "/PBX0/APPS",                       # the PBX's own apps
  "/PBX0/session",                    # two-factor log-in
  "/OAUTH2/oauth2_login",
  # "/PBX0/user.soap",                # SOAP and TAPI from outside
  # "/PBX0/MY", "/PBX0/DEVICES", "/PBX0/WEBSOCKET", "/CDR0/CALL-LIST", "/PBX0/web/js", "/fonts",    # myPBX
]
"#;

const CERTIFICATE: &str = "tls/rpd.pem";
const DEVICES: &str = "trust/devices.pem";
const INSIDE: &str = "trust/inside.pem";
