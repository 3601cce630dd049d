//! `rpd status` and `rpd hosts`: what is wrong is seen at once.

mod common;

use std::process::{Command, Output};

use common::{
    Proxy,
    admin::Admin,
    certificates,
    sip::{Pbx, Wire, register, register_at},
};

/// A command, asked of this proxy: exit code and output.
fn rpd(admin: &Admin, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rpd"));
    let Output { status, stdout, stderr } =
        command.args(arguments).arg("--socket").arg(admin.socket()).output().expect("rpd");
    let said = if status.success() { stdout } else { [stdout, stderr].concat() };
    (status.code(), String::from_utf8(said).expect("text"))
}

#[test]
fn a_target_that_is_down_and_a_failed_reload_are_what_is_said_first() {
    let folder = certificates();
    let admin = Admin::of(folder.path());
    let pbx = Pbx::start(folder.path());
    let text = format!(
        "{}[listen]\nsip = \"127.0.0.1:0\"\n\
         [[host]]\nnames = [\"one.example\"]\ntarget = \"127.0.0.1\"\nsip = {{ tcp = {} }}\n\
         [[host]]\nnames = [\"down.example\"]\ntarget = \"127.0.0.2\"\nsip = {{ tcp = 1 }}\n",
        admin.lines(),
        pbx.tcp
    );
    let proxy = Proxy::start(folder.path(), &text);
    let (code, said) = rpd(&admin, &["status"]);
    assert_eq!(code, Some(0));
    assert!(said.lines().nth(1) == Some("nothing is wrong"), "{said}");

    let mut phone = Wire::phone(&proxy);
    let _line = register_at(&mut phone, &pbx, "one.example");
    let mut lost = Wire::phone(&proxy);
    lost.send(register("101", "down.example", "first"));
    assert_eq!(lost.start_line(), "SIP/2.0 503 Service Unavailable");
    admin.wait_for("hosts", |hosts| hosts[1]["up"] == false);
    proxy.reload("[listen]\nsip = 70000\n").expect_err("no port");

    let (code, said) = rpd(&admin, &["status"]);
    assert_eq!(code, Some(0), "it takes connections all the same");
    let wrong: Vec<&str> = said.lines().filter(|line| line.starts_with("WRONG: ")).collect();
    assert!(wrong[0].starts_with("WRONG: the last reload failed"), "{said}");
    assert!(wrong[1].starts_with("WRONG: down.example is down: 127.0.0.2:1: "), "{said}");
    assert!(said.contains("sip on 127.0.0.1:"), "{said}");
    let (_, hosts) = rpd(&admin, &["hosts"]);
    let row = |name: &str| hosts.lines().find(|line| line.starts_with(name)).expect("a row").to_owned();
    assert!(row("one.example").contains("  up     1  "), "{hosts}");
    assert!(
        row("down.example").contains("  DOWN   0  ") && row("down.example").contains("127.0.0.2:1: "),
        "{hosts}"
    );
    let (_, json) = rpd(&admin, &["hosts", "--json"]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&json).expect("JSON"), admin.get("hosts"));
    assert_eq!(rpd(&admin, &["status", "--quiet"]), (Some(0), String::new()));

    proxy.drain();
    admin.wait_for("status", |status| status["state"] == "draining");
    assert_eq!(rpd(&admin, &["status", "--quiet"]), (Some(1), String::new()));
    let (code, said) = rpd(&admin, &["status"]);
    assert!(code == Some(1) && said.contains("WRONG: it is shutting down"), "{said}");
}

#[test]
fn without_a_proxy_there_is_a_code_for_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let admin = Admin::of(folder.path());
    for command in ["status", "hosts"] {
        let (code, said) = rpd(&admin, &[command]);
        assert!(code == Some(3) && said.contains("start it with rpd run"), "{said}");
    }
    assert_eq!(rpd(&admin, &["status", "--quiet"]), (Some(1), String::new()));
}
