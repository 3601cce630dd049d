//! What the administration tells of a running proxy is what has happened.

mod common;

use std::io::Write;

use common::{
    Proxy,
    admin::Admin,
    certificates,
    guarded::{Guarded, bind, read},
    sip::{Pbx, Stage, Wire, register, register_at},
};
use rpd::tls;
use serde_json::{Value, json};
use tempfile::TempDir;

const PHONE: &str = "203.0.113.1";

/// A proxy for clients from everywhere, with its socket in a folder.
fn guarded(lines: &str) -> (Guarded, Admin, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let admin = Admin::of(folder.path());
    (Guarded::start(&format!("{}{lines}", admin.lines())), admin, folder)
}

/// The same with PBXs behind it.
fn stage() -> (Stage, Admin, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let admin = Admin::of(folder.path());
    (Stage::with(&admin.lines(), ""), admin, folder)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

#[test]
fn the_status_says_what_runs_and_how_much() {
    let (proxy, admin, _folder) =
        guarded("[guard]\nthreshold = 7\nexpiration = \"10min\"\nallow = [\"192.0.2.0/24\"]\n");
    let status = admin.get("status");
    assert_eq!(
        (&status["version"], &status["state"]),
        (&env!("CARGO_PKG_VERSION").into(), &"running".into())
    );
    assert_eq!((&status["connections"], &status["lists"]), (&0.into(), &json!({ "unsaved": null })));
    assert!(status["max-connections"].as_u64() > Some(0) && status["workers"].as_u64() > Some(0), "{status}");
    assert_eq!(
        status["guard"],
        json!({ "mode": "enforce", "threshold": 7, "expiration": 600, "blocked": 0, "allowed": 1, "tracked": 0 })
    );
    assert_eq!(status["you"]["role"], "admin");
    assert!(text(&status["you"]["name"]).starts_with("uid "), "{status}");
    let config = &status["config"];
    assert!(text(&config["file"]).ends_with("rpd.toml") && config["error"].is_null(), "{config}");
    let warnings = config["warnings"].as_array().expect("warnings");
    assert!(warnings.iter().any(|warning| text(warning).contains("verify = \"none\"")), "{config}");

    let mut client = proxy.connect("ldap", PHONE);
    client.write_all(&bind("example.com\\49")).expect("the proxy reads");
    assert!(!read(&mut client).is_empty());
    proxy.wait_for_count(PHONE, 1);
    let status = admin.get("status");
    let listeners = status["listeners"].as_array().expect("listeners");
    let ldap = listeners.iter().find(|listener| listener["name"] == "ldap").expect("ldap");
    assert_eq!(ldap["addresses"], json!([proxy.address("ldap").to_string()]));
    assert_eq!((&status["connections"], &ldap["connections"]), (&1.into(), &1.into()));
    assert_eq!(status["totals"], json!({ "connections": 1, "requests": 1, "refusals": 1, "counted": 1 }));
    assert_eq!(status["guard"]["tracked"], 1);

    proxy.proxy().drain();
    admin.wait_for("status", |status| status["state"] == "draining");
}

#[test]
fn a_reload_that_failed_is_told_until_one_succeeds_and_both_are_on_record() {
    let folder = certificates();
    let admin = Admin::of(folder.path());
    let lines = format!("{}[listen]\nsip = \"127.0.0.1:0\"\n", admin.lines());
    let proxy = Proxy::start(folder.path(), &lines);
    proxy.reload("[listen]\nsip = 70000\n").expect_err("no port");
    let error = admin.get("status")["config"]["error"].clone();
    assert!(error.as_str().is_some_and(|error| error.contains("70000")), "{error}");
    proxy.reload(&format!("{lines}# another\n")).expect("a reload");
    assert_eq!(admin.get("status")["config"]["error"], Value::Null);

    let audit = admin.audit();
    let [failed, done] = &audit[..] else { panic!("{audit:?}") };
    for line in &audit {
        assert_eq!((&line["actor"], &line["action"]), (&"a test".into(), &"reload".into()));
    }
    assert_eq!(failed["error"], error);
    assert_eq!(failed["before"], failed["after"]);
    assert!(done.get("error").is_none() && done["before"]["digest"] != done["after"]["digest"], "{done}");
}

#[test]
fn every_row_is_told_with_its_state() {
    let folder = certificates();
    let admin = Admin::of(folder.path());
    let pbx = Pbx::start(folder.path());
    let file = format!(
        r#"{}
[listen]
sip = "127.0.0.1:0"
http = "127.0.0.1:0"
[tls]
trust-list = ["ca.pem"]

[[host]]
names = ["down.example"]
target = "127.0.0.2"
sip = {{ tcp = 1 }}

[[host]]
names = ["off.example"]
target = "off.internal"
enabled = false
comment = "moved"
http = {{ tcp = 80, urls = ["/a", "/b"] }}
sip = {{ tls = 5061 }}
tls = {{ verify = "trust-list", trust = ["not-there.pem"] }}

[[host]]
names = ["one.example", "uno.example"]
target = "127.0.0.1"
sip = {{ tcp = {}, networks = ["127.0.0.0/8", "192.0.2.7"] }}
default = ["sip"]
"#,
        admin.lines(),
        pbx.tcp
    );
    let proxy = Proxy::start(folder.path(), &file);
    let mut lost = Wire::phone(&proxy);
    lost.send(register("101", "down.example", "first"));
    assert_eq!(lost.start_line(), "SIP/2.0 503 Service Unavailable");
    let mut phone = Wire::phone(&proxy);
    let _line = register_at(&mut phone, &pbx, "one.example");

    let hosts = admin.wait_for("hosts", |hosts| hosts[0]["up"] == false);
    let names: Vec<&str> = hosts.as_array().expect("rows").iter().map(|row| text(&row["name"])).collect();
    assert_eq!(names, ["down.example", "off.example", "one.example"]);
    let [down, off, one] = [0, 1, 2].map(|at| hosts[at].clone());
    assert!(text(&down["last-error"]["text"]).contains("127.0.0.2:1"), "{down}");
    assert_eq!((&down["connections"], &down["enabled"]), (&0.into(), &true.into()));
    assert_eq!(
        (&off["enabled"], &off["up"], &off["comment"]),
        (&false.into(), &Value::Null, &"moved".into())
    );
    assert_eq!(off["protocols"][1]["urls"], json!(["/a", "/b"]));
    assert_eq!(
        (&one["up"], &one["last-error"], &one["connections"]),
        (&true.into(), &Value::Null, &1.into())
    );
    assert_eq!((&one["names"], &one["default"]), (&json!(["one.example", "uno.example"]), &json!(["sip"])));
    assert_eq!(
        one["protocols"],
        json!([{ "protocol": "sip", "tcp": pbx.tcp, "tls": null, "networks": ["127.0.0.0/8", "192.0.2.7"],
                 "check-certificate": false }])
    );
    let above = &file[..file.find("[[host]]\nnames = [\"one.").expect("a row")];
    assert_eq!(one["line"], above.lines().count() + 1);
}

#[test]
fn a_connection_is_shown_with_where_it_leads_and_can_be_closed() {
    let (stage, admin, _folder) = stage();
    let (mut phone, mut line) = stage.registered("sip");
    let _other = stage.phone("sip");
    let all = admin.wait_for("connections", |all| all["total"] == 2);
    let connection = &all["connections"][1];
    let id = connection["id"].as_u64().expect("a number");
    assert_eq!((&connection["listener"], &connection["protocol"]), (&"sip".into(), &"sip".into()));
    assert_eq!(connection["host"], "one.example");
    assert_eq!(connection["target"], format!("127.0.0.1:{}", stage.one.tcp));
    assert_eq!(connection["stale"], false);
    let other = &all["connections"][0];
    assert_eq!(
        (&other["host"], &other["target"], &other["proven"]),
        (&Value::Null, &Value::Null, &false.into())
    );
    let count = |query: &str| admin.get(&format!("connections{query}"))["total"].clone();
    assert_eq!((count("?host=one.example"), count("?host=two.example")), (1.into(), 0.into()));
    assert_eq!((count("?source=127.0.0.0/8"), count("?source=192.0.2.1")), (2.into(), 0.into()));
    assert_eq!(admin.get("connections?limit=1")["connections"].as_array().map(Vec::len), Some(1));
    assert_eq!(admin.ask("GET", "connections?source=here").0, 400);

    let (status, closed) = admin.ask("DELETE", &format!("connections/{id}"));
    assert_eq!((status, &closed["closed"]), (200, connection));
    phone.until_end();
    line.until_end();
    admin.wait_for("connections", |all| all["total"] == 1);
    let audit = admin.audit();
    assert_eq!((&audit[0]["action"], &audit[0]["before"]), (&"close".into(), connection));
    let (status, gone) = admin.ask("DELETE", &format!("connections/{id}"));
    assert_eq!(
        (status, &gone["error"]),
        (404, &format!("there is no connection {id}; it may have ended").into())
    );
    assert_eq!(admin.ask("DELETE", "connections/all").0, 400);
}

#[test]
fn who_has_proven_himself_is_marked() {
    let (proxy, admin, _folder) = guarded("");
    let mut client = proxy.connect("ldap", PHONE);
    for (name, proven) in [("example.com\\10", false), ("example.com\\0", true)] {
        client.write_all(&bind(name)).expect("the proxy reads");
        assert!(!read(&mut client).is_empty());
        admin.wait_for("connections", |all| all["connections"][0]["proven"] == proven);
    }
    assert_eq!(admin.get("connections")["connections"][0]["source"], "203.0.113.1:40000");
}

#[test]
fn what_a_reload_has_left_behind_is_marked() {
    let folder = certificates();
    let admin = Admin::of(folder.path());
    let pbx = Pbx::start(folder.path());
    let file = |name: &str| {
        format!(
            "{}[listen]\nsip = \"127.0.0.1:0\"\n[[host]]\nnames = [\"{name}\"]\ntarget = \"127.0.0.1\"\nsip = {{ tcp = {} }}\n",
            admin.lines(),
            pbx.tcp
        )
    };
    let proxy = Proxy::start(folder.path(), &file("one.example"));
    let mut phone = Wire::phone(&proxy);
    let _line = register_at(&mut phone, &pbx, "one.example");
    let stale = || admin.get("connections")["connections"][0]["stale"].clone();
    assert_eq!(stale(), false);
    proxy.reload(&file("two.example")).expect("a reload");
    assert_eq!(stale(), true);
    proxy.reload(&file("one.example")).expect("a reload");
    assert_eq!(stale(), false);
    let no_listener = file("one.example").replace("sip = \"127.0.0.1:0\"", "http = \"127.0.0.1:0\"");
    proxy.reload(&no_listener).expect("a reload");
    assert_eq!(stale(), true);
}

#[test]
fn the_last_refused_requests_are_there_with_their_reasons_the_newest_first() {
    let (proxy, admin, _folder) = guarded("[log]\nkeep-requests = 3\n");
    let ask = |source: &str, name: &str| {
        let mut client = proxy.connect("ldap", source);
        client.write_all(&bind(name)).expect("the proxy reads");
        assert!(!read(&mut client).is_empty());
    };
    for (at, name) in
        ["example.com\\49", "nobody.example\\1", "far.example.com\\1", "example.com\\49"].iter().enumerate()
    {
        ask(PHONE, name);
        proxy.wait_for_count(PHONE, u8::try_from(at + 1).expect("few"));
    }
    // What is served is no news.
    ask("203.0.113.2", "example.com\\0");
    let last = admin.get("requests");
    let told: Vec<[&str; 5]> = last
        .as_array()
        .expect("requests")
        .iter()
        .map(|request| ["reason", "counted", "count", "protocol", "outcome"].map(|key| text(&request[key])))
        .collect();
    assert_eq!(
        told,
        [
            ["refused", "yes", "4/20", "ldap", "refused"],
            ["network-not-allowed", "yes", "3/20", "ldap", "refused"],
            ["unknown-host", "yes", "2/20", "ldap", "refused"],
        ]
    );
    let refused = &last[0];
    assert_eq!((&refused["host"], &refused["detail"]), (&"example.com".into(), &"bind response 49".into()));
    assert_eq!((&refused["source"], &refused["listener"]), (&"203.0.113.1:40000".into(), &"ldap".into()));
    assert!(text(&refused["request"]).contains("example.com"), "{refused}");
    assert_eq!((&last[2]["name"], &last[2]["host"]), (&"nobody.example".into(), &Value::Null));
    assert_eq!(admin.get("requests?limit=1"), json!([refused]));
    assert_eq!(admin.ask("DELETE", "addresses/203.0.113.0%2F24").0, 200);
    assert_eq!(admin.get("requests"), json!([]));
}

#[test]
fn certificates_are_those_that_are_shown_and_seen() {
    let (stage, admin, _folder) = stage();
    let before = admin.get("certificates");
    assert_eq!((&before["trust"], &before["targets"]), (&json!([]), &json!([])));
    let ours = &before["ours"][0];
    assert_eq!((&ours["default"], &ours["names"][0]), (&true.into(), &"example.com".into()));
    assert!(text(&ours["path"]).ends_with("proxy.pem"), "{ours}");
    let fingerprint = |file: &str| {
        let path = stage.folder.path().join(file);
        tls::fingerprint(&tls::read_certificates(&path).expect("a certificate")[0]).to_string()
    };
    assert_eq!(text(&ours["fingerprint"]), fingerprint("proxy.pem"));
    assert_eq!(ours["key"], "EC 256 bits");

    let _registered = stage.registered("sips");
    let targets = admin.get("certificates")["targets"].clone();
    assert_eq!(targets.as_array().map(Vec::len), Some(1));
    assert_eq!(targets[0]["host"], "one.example");
    assert_eq!(text(&targets[0]["fingerprint"]), fingerprint("service.pem"));
    assert!(text(&targets[0]["not-after"]) > text(&targets[0]["not-before"]), "{targets}");
    assert!(text(&targets[0]["issuer"]).contains("rpd test authority"), "{targets}");
}

#[test]
fn the_trust_list_is_told_with_its_files() {
    let (_proxy, admin, _folder) = guarded("");
    let trust = admin.get("certificates")["trust"].clone();
    assert!(text(&trust[0]["subject"]).contains("rpd test authority"), "{trust}");
    assert!(text(&trust[0]["path"]).ends_with("ca.pem"), "{trust}");
}
