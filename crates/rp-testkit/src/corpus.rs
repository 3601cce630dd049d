//! Loads a folder of cases: `NAME.EXT` with the octets and `NAME.json` with what must come of them.

use std::{fs, path::Path};

use serde_json::Value;

/// One case of a corpus.
#[derive(Clone, Debug)]
pub struct Case {
    /// The file name without its extension.
    pub name: String,
    /// What one side sends.
    pub bytes: Vec<u8>,
    /// What must come of it; the schema is the corpus's own.
    pub expected: Value,
}

/// All cases of `folder` whose octets are in files with the extension `ext`, sorted by name.
///
/// # Panics
/// If the folder or a file cannot be read, a `.json` is missing or malformed, or there is no case at
/// all: an empty corpus would let every test pass.
pub fn load(folder: impl AsRef<Path>, ext: &str) -> Vec<Case> {
    let folder = folder.as_ref();
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut cases: Vec<Case> = entries
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.extension().is_some_and(|found| found == ext))
        .map(|path| load_case(&path))
        .collect();
    assert!(!cases.is_empty(), "{}: no .{ext} case", folder.display());
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    cases
}

fn load_case(path: &Path) -> Case {
    let json = path.with_extension("json");
    let text = fs::read_to_string(&json).unwrap_or_else(|e| panic!("{}: {e}", json.display()));
    Case {
        name: path.file_stem().expect("a file name").to_string_lossy().into_owned(),
        bytes: fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display())),
        expected: serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", json.display())),
    }
}
