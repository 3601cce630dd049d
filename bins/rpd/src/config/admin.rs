//! `[admin]`: where the running proxy can be administered.

#![allow(missing_docs, reason = "the keys are described where they are read by people: docs/CONFIG.md")]

use std::{fs, net::SocketAddr, ops::Range, path::PathBuf, sync::Arc};

use rustls::sign::CertifiedKey;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    check::Check,
    value::{Binds, FromText, Spanned, Text, sha256_of_hex},
};
use crate::tls::TrustList;

/// Where it listens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admin {
    pub socket: AdminSocket,
    /// Permissions of the socket.
    pub mode: FileMode,
    /// The group that owns the socket, by number.
    pub group: Option<u32>,
    /// Over TCP.
    pub listen: Vec<SocketAddr>,
    /// The record of changes; none: in the state directory.
    pub audit: Option<PathBuf>,
}

/// Who is let in over TCP.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// What is shown over TLS; without one everything is in clear.
    pub key: Option<Arc<CertifiedKey>>,
    /// Whose certificates administer.
    pub trust: Option<Arc<TrustList>>,
    /// The names that a browser may call it by, in lower case.
    pub names: Vec<String>,
    pub tokens: Vec<Token>,
}

/// Whoever has it may do what its role may.
#[derive(Clone, Debug)]
pub struct Token {
    /// Of its owner, for the record.
    pub name: String,
    /// Of the token, which itself is written nowhere.
    pub sha256: Sha256,
    pub role: Role,
}

/// What somebody may do; each may also do what those before it may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Look.
    #[default]
    Read,
    /// Change the lists, and close connections.
    Operate,
    /// Change the configuration in force.
    Admin,
}

/// As 64 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sha256(pub [u8; 32]);

impl FromText for Sha256 {
    const WANTED: &'static str = "the SHA-256 of a token, in hex";

    fn from_text(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no SHA-256 in hex; write what `rpd token` prints");
        sha256_of_hex(text).map(Self).ok_or_else(wrong)
    }
}

/// Where the socket is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AdminSocket {
    /// In the runtime folder that the environment names, else in the usual one.
    #[default]
    Usual,
    /// There is none.
    Nowhere,
    At(PathBuf),
}

/// Permission bits, written in octal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileMode(pub u32);

impl Default for FileMode {
    fn default() -> Self {
        Self(0o660)
    }
}

impl FromText for FileMode {
    const WANTED: &'static str = "permissions in octal, such as \"0660\"";

    fn from_text(text: &str) -> Result<Self, String> {
        match u32::from_str_radix(text, 8) {
            Ok(mode) if mode <= 0o777 => Ok(Self(mode)),
            _ => Err(format!("{text:?} is no permission in octal; write \"0660\"")),
        }
    }
}

/// `[admin]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct AdminTable {
    pub socket: Option<String>,
    pub socket_mode: Option<Spanned<Text<FileMode>>>,
    pub socket_group: Option<Spanned<String>>,
    pub listen: Option<Spanned<Binds>>,
    pub certificate: Option<Spanned<PathBuf>>,
    pub key: Option<Spanned<PathBuf>>,
    pub client_trust: Vec<Spanned<PathBuf>>,
    pub names: Vec<String>,
    pub token: Vec<TokenRow>,
    pub audit: Option<PathBuf>,
}

/// `[[admin.token]]`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TokenRow {
    pub name: Spanned<String>,
    pub sha256: Text<Sha256>,
    #[serde(default)]
    pub role: Role,
}

impl AdminTable {
    /// The files that hold certificates or keys.
    pub(super) fn files(&self) -> impl Iterator<Item = &Spanned<PathBuf>> {
        self.certificate.iter().chain(&self.key).chain(&self.client_trust)
    }
}

impl Check<'_> {
    pub(super) fn admin(&mut self, table: &AdminTable) -> Admin {
        let mode = table.socket_mode.as_ref().map(|mode| mode.get_ref().0).unwrap_or_default();
        if let Some(written) = table.socket_mode.as_ref().filter(|_| mode.0 & 0o002 != 0) {
            let message = "everybody on this machine may change the lists; write \"0660\", and socket-group";
            self.warning(written.span(), message);
        }
        Admin {
            socket: match table.socket.as_deref() {
                None => AdminSocket::Usual,
                Some("") => AdminSocket::Nowhere,
                Some(path) => AdminSocket::At(self.folder.join(path)),
            },
            mode,
            group: table.socket_group.as_ref().and_then(|group| self.group(group)),
            listen: table.listen.as_ref().map(|binds| self.over_tcp(table, binds)).unwrap_or_default(),
            audit: table.audit.as_ref().map(|path| self.folder.join(path)),
        }
    }

    /// Nothing is administered in clear over a network, by nobody in particular, or by a name that nobody has written.
    fn over_tcp(&mut self, table: &AdminTable, binds: &Spanned<Binds>) -> Vec<SocketAddr> {
        let addresses = self.written_addresses(binds, "admin.listen: everybody could knock there");
        if let Some(address) = addresses.iter().find(|address| !address.ip().is_loopback()) {
            self.reachable(table, *address, binds.span());
        }
        if table.token.is_empty() && table.client_trust.is_empty() {
            self.error(
                binds.span(),
                "admin.listen lets nobody in; write a [[admin.token]], which `rpd token` prints",
            );
        }
        if let (Some(path), None) = (table.client_trust.first(), &table.certificate) {
            self.error(
                path.span(),
                "admin.client-trust asks for certificates over TLS; write admin.certificate and admin.key",
            );
        }
        for (at, row) in table.token.iter().enumerate() {
            if table.token.iter().take(at).any(|other| other.name.get_ref() == row.name.get_ref()) {
                let name = row.name.get_ref();
                self.error(row.name.span(), format!("two tokens are called {name:?}, and the record would not tell them apart; write another name"));
            }
        }
        addresses
    }

    fn reachable(&mut self, table: &AdminTable, address: SocketAddr, span: Range<usize>) {
        if table.certificate.is_none() {
            self.error(
                span.clone(),
                format!("admin.listen {address} would show tokens to whoever is on the way; write admin.certificate and admin.key, or \"127.0.0.1:{}\"", address.port()),
            );
        }
        if table.names.is_empty() {
            self.error(span, format!("no browser may call admin.listen {address} by any name; write admin.names = [\"{}\"], or the name in its certificate", address.ip()));
        }
    }

    /// What the files say of who is let in over TCP.
    pub(super) fn access(&mut self, table: &AdminTable) -> Access {
        let key = match (&table.certificate, &table.key) {
            (Some(certificate), Some(key)) => self.certified_key(certificate, key),
            (Some(alone), None) | (None, Some(alone)) => {
                self.error(alone.span(), "admin.certificate and admin.key belong together; write both");
                None
            }
            (None, None) => None,
        };
        let token =
            |row: &TokenRow| Token { name: row.name.get_ref().clone(), sha256: row.sha256.0, role: row.role };
        Access {
            key,
            trust: self.trust_list(&table.client_trust),
            names: table.names.iter().map(|name| name.to_ascii_lowercase()).collect(),
            tokens: table.token.iter().map(token).collect(),
        }
    }

    fn group(&mut self, name: &Spanned<String>) -> Option<u32> {
        let groups = fs::read_to_string("/etc/group").unwrap_or_default();
        let number = group_number(&groups, name.get_ref());
        if number.is_none() {
            self.error(
                name.span(),
                format!(
                    "this machine has no group {:?}; write one of /etc/group, or its number",
                    name.get_ref()
                ),
            );
        }
        number
    }
}

/// The number of a group: as `group(5)` has it, or written as such.
fn group_number(groups: &str, name: &str) -> Option<u32> {
    let named = groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1)).flatten()
    });
    named.unwrap_or(name).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_found_by_name_or_number() {
        let groups = "root:x:0:\nadm:x:4:syslog,anna\nrpd:x:998:\n";
        assert_eq!(group_number(groups, "rpd"), Some(998));
        assert_eq!(group_number(groups, "adm"), Some(4));
        assert_eq!(group_number(groups, "4711"), Some(4711));
        assert_eq!(group_number(groups, "anna"), None);
    }
}
