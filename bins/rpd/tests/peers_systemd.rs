//! Sockets that systemd passes, and the unit as systemd judges it.

mod common;

use std::{
    io::{Read, Write},
    net::TcpStream,
    path::Path,
};

use common::{PATIENCE, Port, Program, run, write};

/// The parts that follow the socket's own.
fn activate(folder: &Path, port: &Port, name: &str, text: &str) -> Program {
    let file = write(folder, "rpd.toml", text);
    let address = format!("--listen=127.0.0.1:{port}");
    let arguments = [
        &address,
        &format!("--fdname={name}"),
        &format!("--setenv=STATE_DIRECTORY={}", folder.join("state").display()),
        &format!("--setenv=RUNTIME_DIRECTORY={}", folder.join("run").display()),
        env!("CARGO_BIN_EXE_rpd"),
        "run",
        "--config",
        &file.display().to_string(),
    ]
    .map(str::to_owned);
    Program::start("systemd-socket-activate", arguments)
}

#[test]
#[ignore = "needs systemd"]
fn a_socket_that_was_passed_is_listened_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let port = Port::reserve();
    let rpd = activate(folder.path(), &port, "sip", &format!("[listen]\nsip = \"127.0.0.1:{port}\"\n"));
    rpd.wait_for("Listening on");
    // The connection that starts it is answered by it.
    let mut phone = TcpStream::connect(("127.0.0.1", port.number())).expect("systemd listens");
    phone.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    phone.write_all(b"\r\n\r\n").expect("somebody reads");
    let mut pong = [0; 2];
    phone.read_exact(&mut pong).expect("an answer");
    assert_eq!(&pong, b"\r\n");
    rpd.wait_for(&format!("sip on 127.0.0.1:{port}"));
}

#[test]
#[ignore = "needs systemd"]
fn a_socket_that_no_listener_has_is_an_error() {
    for (name, said) in [("web", "which no listener has"), ("sips", "called \"sips\"")] {
        let folder = tempfile::tempdir().expect("a folder");
        let port = Port::reserve();
        let text = if name == "web" {
            "[listen]\nsip = \"127.0.0.1:0\"\n".to_owned()
        } else {
            format!("[listen]\nsip = \"127.0.0.1:{port}\"\n")
        };
        let rpd = activate(folder.path(), &port, name, &text);
        rpd.wait_for("Listening on");
        let _knock = TcpStream::connect(("127.0.0.1", port.number())).expect("systemd listens");
        rpd.wait_for(said);
    }
}

#[test]
#[ignore = "needs systemd"]
fn the_unit_is_shut_in_as_far_as_it_is_said_to_be() {
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dist/rpd.service").display().to_string();
    let judged =
        run("systemd-analyze", ["security", "--offline=true", "--threshold=16", "--no-pager", &unit]);
    let judged = judged.ok();
    assert!(judged.contains("Overall exposure level for rpd.service: 1."), "{judged}");
}
