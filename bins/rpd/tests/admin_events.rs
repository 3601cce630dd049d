//! What happens is told to those who listen, as it happens.

mod common;

use std::io::{Read, Write};

use common::{
    admin::Admin,
    guarded::{Guarded, bind, read, wait_until},
};
use rp_ldap::messages;
use serde_json::Value;
use tempfile::TempDir;

const PHONE: &str = "203.0.113.1";

fn start(lines: &str) -> (Guarded, Admin, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let admin = Admin::of(folder.path());
    (Guarded::start(&format!("{}{lines}", admin.lines())), admin, folder)
}

fn fail(proxy: &Guarded) {
    let mut client = proxy.connect("ldap", PHONE);
    client.write_all(&bind("example.com\\49")).expect("the proxy reads");
    assert!(!read(&mut client).is_empty());
}

#[test]
fn who_listens_hears_of_refusals_bans_and_changes() {
    let (proxy, admin, _folder) = start("[guard]\nthreshold = 1\n");
    let mut events = admin.events();
    let counters = events.wait_for("counters");
    assert_eq!((&counters["connections"], &counters["blocked"]), (&0.into(), &0.into()));
    fail(&proxy);
    let request = events.wait_for("request");
    assert_eq!((&request["reason"], &request["count"]), (&"refused".into(), &"1/1".into()));
    assert_eq!(request, admin.get("requests")[0]);
    fail(&proxy);
    events.wait_for("lists");
    proxy.wait_for_ban(PHONE);
    let counters = loop {
        let counters = events.wait_for("counters");
        if counters["blocked"] == 1 {
            break counters;
        }
    };
    assert_eq!(counters["totals"]["counted"], 2);
    assert_eq!(admin.ask("DELETE", "lists/203.0.113.1%2F32").0, 200);
    events.wait_for("lists");
    proxy.proxy().reload("[listen]\nsip = 70000\n").expect_err("no port");
    assert!(events.wait_for("reload")["error"].as_str().is_some_and(|error| error.contains("70000")));
}

#[test]
fn who_does_not_read_loses_and_is_told_how_much() {
    const REFUSALS: usize = 6000;
    const AT_ONCE: usize = 100;
    let (proxy, admin, _folder) = start("[guard]\nthreshold = 0\n");
    let mut events = admin.events();
    events.wait_for("counters");
    // Far more than the socket, the connection and the proxy hold for him.
    let mut client = proxy.connect("ldap", PHONE);
    let request = messages::simple_bind_request(1, "example.com\\49", "secret").repeat(AT_ONCE);
    let answer = messages::bind_response(1, rp_ldap::ResultCode(49), "").len();
    for _ in 0..REFUSALS / AT_ONCE {
        client.write_all(&request).expect("the proxy reads, whoever listens");
        client.read_exact(&mut vec![0; answer * AT_ONCE]).expect("every answer");
    }
    admin.wait_for("status", |status| status["totals"]["refusals"] == REFUSALS);
    let (mut heard, mut lost) = (0, 0);
    while heard + lost < REFUSALS as u64 {
        match events.any() {
            event if event.get("request").is_some() => heard += 1,
            event => lost += event["lost"].as_u64().unwrap_or(0),
        }
    }
    assert_eq!(heard + lost, REFUSALS as u64, "{heard} heard, {lost} lost");
    assert!(lost > 0, "nothing was lost: more was kept for him than should be");
    fail(&proxy);
    assert_ne!(events.wait_for("request"), Value::Null, "and hears what comes next");
}

#[test]
fn so_many_may_listen_and_no_more() {
    let (_proxy, admin, _folder) = start("");
    let mut listening: Vec<_> = (0..32).map(|_| admin.events()).collect();
    listening.iter_mut().for_each(|events| _ = events.wait_for("counters"));
    let (status, said) = admin.ask("GET", "events");
    assert_eq!((status, &said["error"]), (503, &"32 listen already".into()));
    drop(listening.pop());
    // It is free when the proxy has noticed that he is gone.
    wait_until("a place", || admin.try_events().is_some());
}
