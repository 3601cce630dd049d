//! Files that are there whole or not at all.

use std::{
    fs::{self, File, Permissions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, PermissionsExt, fchown},
    path::Path,
};

use tempfile::NamedTempFile;

use crate::config::CertificateFiles;

/// Puts a chain and its key in their place. Where both are in one file, that is one step; with two files the key goes
/// first, and comes back if the certificate cannot follow.
pub(super) fn install(files: &CertificateFiles, chain: &str, key: &str) -> Result<(), String> {
    if files.certificate == files.key {
        return write_secret(&files.key, &format!("{key}{chain}"));
    }
    let certificate = prepared(&files.certificate, chain, PUBLIC).map_err(told(&files.certificate))?;
    let before = fs::read_to_string(&files.key).ok();
    write_secret(&files.key, key)?;
    into_place(certificate, &files.certificate).map_err(|error| {
        let undone = before.map(|key| write_secret(&files.key, &key));
        let left =
            if matches!(undone, Some(Err(_))) { "; the new key is in place, and does not fit" } else { "" };
        format!("{}{left}", told(&files.certificate)(error))
    })
}

/// Writes a file that only its owner and group may read.
pub(super) fn write_secret(path: &Path, text: &str) -> Result<(), String> {
    prepared(path, text, SECRET).and_then(|file| into_place(file, path)).map_err(told(path))
}

/// Writes a file that everybody may read.
pub(super) fn write_public(path: &Path, text: &str) -> Result<(), String> {
    prepared(path, text, PUBLIC).and_then(|file| into_place(file, path)).map_err(told(path))
}

/// The parts of a PEM file whose label ends in `kind`, without what is written between them.
pub(super) fn blocks(text: &str, kind: &str) -> String {
    let mut blocks = String::new();
    let mut inside = false;
    for line in text.lines().map(str::trim_end) {
        let label = line.strip_suffix("-----").is_some_and(|line| line.ends_with(kind));
        inside |= label && line.starts_with("-----BEGIN ");
        if inside {
            blocks.push_str(line);
            blocks.push('\n');
        }
        inside &= !(label && line.starts_with("-----END "));
    }
    blocks
}

/// Says what whoever writes as root forgets.
pub(super) fn mind_the_user() {
    if rustix::process::geteuid().is_root() {
        println!(
            "mind       the user that rpd runs as has to be able to read the key (chown root:rpd, chmod 640)"
        );
    }
}

/// A file beside `path`, on disk, with the owner and the mode of the one that it will replace.
fn prepared(path: &Path, text: &str, mode: u32) -> io::Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut file = NamedTempFile::new_in(folder)?;
    let mode = match fs::metadata(path) {
        Ok(old) => {
            let new = file.as_file().metadata()?;
            if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
                fchown(file.as_file(), Some(old.uid()), Some(old.gid()))?;
            }
            old.mode() & 0o666 & (mode | 0o060)
        }
        Err(_) => mode,
    };
    file.as_file().set_permissions(Permissions::from_mode(mode))?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    Ok(file)
}

fn into_place(file: NamedTempFile, path: &Path) -> io::Result<()> {
    file.persist(path).map_err(|error| error.error)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

fn told(path: &Path) -> impl FnOnce(io::Error) -> String {
    move |error| format!("error: {}: {error}", path.display())
}

const SECRET: u32 = 0o600;
const PUBLIC: u32 = 0o644;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_leave_out_what_is_not_asked_for() {
        let text = "subject=x\n-----BEGIN EC PRIVATE KEY-----\nAA==\n-----END EC PRIVATE KEY-----\n-----BEGIN CERTIFICATE-----\r\nBB==\r\n-----END CERTIFICATE-----\nend";
        assert_eq!(
            blocks(text, "PRIVATE KEY"),
            "-----BEGIN EC PRIVATE KEY-----\nAA==\n-----END EC PRIVATE KEY-----\n"
        );
        assert_eq!(
            blocks(text, "CERTIFICATE"),
            "-----BEGIN CERTIFICATE-----\nBB==\n-----END CERTIFICATE-----\n"
        );
    }
}
