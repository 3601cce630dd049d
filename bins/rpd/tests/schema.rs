//! The JSON Schema of the configuration: as committed, as described, and as the examples have it.

mod common;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use common::{run, write};
use serde_json::Value;

fn of_project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

fn text_of(path: &str) -> String {
    fs::read_to_string(of_project(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn what_is_committed_is_what_the_reader_takes() {
    let committed: Value = serde_json::from_str(&text_of("docs/rpd.schema.json")).expect("JSON");
    let current = rpd::config::schema();
    assert!(committed == current, "write it anew: cargo run -p rpd -- check --schema > docs/rpd.schema.json");
}

/// The keys of all tables below `schema`, with the dots before them.
fn keys(schema: &Value, path: &str, found: &mut BTreeSet<String>) {
    for (key, below) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{key}");
        keys(below, &path, found);
        found.insert(path);
    }
    keys_of_choices(schema, path, found);
}

fn keys_of_choices(schema: &Value, path: &str, found: &mut BTreeSet<String>) {
    schema["anyOf"].as_array().into_iter().flatten().for_each(|choice| keys(choice, path, found));
    if schema["items"].is_object() {
        keys(&schema["items"], path, found);
    }
}

#[test]
fn every_key_is_described_and_every_key_described_is_there() {
    let mut paths = BTreeSet::new();
    keys(&rpd::config::schema(), "", &mut paths);
    assert!(paths.len() > 120 && paths.contains(".host.http.urls.prefix"), "{paths:#?}");
    let manual = text_of("docs/CONFIG.md");
    let names: BTreeSet<&str> = paths.iter().filter_map(|path| path.rsplit('.').next()).collect();
    for key in &names {
        let spellings = [format!("`{key}`"), format!(".{key}`"), format!("`{key}.")];
        let tables =
            [format!("`[{key}]`"), format!("`[[{key}]]`"), format!(".{key}]]`"), format!(".{key}]`")];
        let described = spellings.iter().chain(&tables).any(|spelling| manual.contains(spelling));
        assert!(described, "{key} is not in docs/CONFIG.md");
    }
    let described = described_keys(&manual);
    assert!(described.len() > 80, "{described:?}");
    for key in described {
        assert!(names.contains(key), "docs/CONFIG.md describes {key}, and there is no such key");
    }
}

/// What stands in the first column of the manual's tables, without the dots before.
fn described_keys(manual: &str) -> BTreeSet<&str> {
    let rows = manual.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    let words = rows.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    words.filter_map(|word| word.trim_matches(['[', ']']).rsplit('.').next()).collect()
}

/// Says nothing if the files are what the schema wants; else what they are not.
const VALIDATE: &str = r#"
import json, sys, tomllib, jsonschema
schema = json.load(open(sys.argv[1]))
jsonschema.Draft7Validator.check_schema(schema)
validator = jsonschema.Draft7Validator(schema)
for path in sys.argv[2:]:
    for error in validator.iter_errors(tomllib.load(open(path, "rb"))):
        print(path, ".".join(map(str, error.absolute_path)), error.message)
"#;

fn validate(files: &[PathBuf]) -> String {
    let schema = of_project("docs/rpd.schema.json");
    let paths = [&schema].into_iter().chain(files).map(|path| path.display().to_string());
    run("/usr/bin/python3", ["-c".to_owned(), VALIDATE.to_owned()].into_iter().chain(paths)).ok()
}

#[test]
#[ignore = "needs python3-jsonschema"]
fn the_examples_are_valid_and_what_the_reader_refuses_is_not() {
    let examples = fs::read_dir(of_project("bins/rpd/examples")).expect("the folder of examples");
    let examples = examples.map(|entry| entry.expect("a file").path());
    let toml = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "toml");
    let mut files: Vec<PathBuf> = examples.filter(toml).collect();
    assert!(files.len() >= 3, "{files:?}");
    files.push(of_project("dist/rpd.toml"));
    assert_eq!(validate(&files), "");

    let folder = tempfile::tempdir().expect("a folder");
    for (wrong, at) in [
        ("[listen]\nhtpp = 80\n", "'htpp' was unexpected"),
        ("[listen]\nhttp = 70000\n", " listen.http "),
        ("[listen]\nhttp = true\n", " listen.http "),
        ("[limits]\nconnect = 5\n", " limits.connect 5 is not of type 'string'"),
        ("[guard]\nthreshold = 256\n", " guard.threshold "),
        ("[guard]\nmode = \"watch\"\n", " guard.mode "),
        ("[[host]]\nnames = [\"a\"]\n", "'target' is a required property"),
        ("[[host]]\ntarget = \"a\"\nhttp = { urls = [{ tcp = 80 }] }\n", " host.0.http.urls.0 "),
        ("[sip]\npublic-address = { udp = \"a\" }\n", " sip.public-address "),
    ] {
        let file = write(folder.path(), "rpd.toml", wrong);
        let said = validate(&[file]);
        assert!(said.contains(at), "{wrong}\n{said}");
    }
}
