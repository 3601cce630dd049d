//! `[admin]`: where the running proxy can be administered.

#![allow(missing_docs, reason = "the keys are described where they are read by people: docs/CONFIG.md")]

use std::{fs, path::PathBuf};

use serde::Deserialize;
use toml::Spanned;

use super::{
    check::Check,
    report::Finding,
    value::{FromText, Text},
};

/// Where, and for whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admin {
    pub socket: Place,
    /// Permissions of the socket.
    pub mode: FileMode,
    /// The group that owns the socket, by number.
    pub group: Option<u32>,
}

/// Where the socket is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Place {
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
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct AdminTable {
    pub socket: Option<String>,
    pub socket_mode: Option<Spanned<Text<FileMode>>>,
    pub socket_group: Option<Spanned<String>>,
}

impl Check<'_> {
    pub(super) fn admin(&mut self, table: &AdminTable) -> Admin {
        let mode = table.socket_mode.as_ref().map(|mode| mode.get_ref().0).unwrap_or_default();
        if let Some(written) = table.socket_mode.as_ref().filter(|_| mode.0 & 0o002 != 0) {
            let message = "everybody on this machine may change the lists; write \"0660\", and socket-group";
            self.findings.push(Finding::warning(written.span(), message));
        }
        Admin {
            socket: match table.socket.as_deref() {
                None => Place::Usual,
                Some("") => Place::Nowhere,
                Some(path) => Place::At(self.folder.join(path)),
            },
            mode,
            group: table.socket_group.as_ref().and_then(|group| self.group(group)),
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
