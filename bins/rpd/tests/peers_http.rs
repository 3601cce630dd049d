//! HTTP and HTTPS with curl and wrk as clients and nginx as the servers.
//!
//! Debian packages: nginx-light, curl, wrk. `cargo test -p rpd --test peers_http -- --ignored`

mod common;

use std::{fs, thread, time::Instant};

use common::{PATIENCE, run, stage::Stage, write};

#[test]
#[ignore = "needs nginx-light, curl (Debian packages)"]
fn over_http_each_request_reaches_the_host_that_it_names() {
    each_request_reaches_the_host_that_it_names("http");
}

#[test]
#[ignore = "needs nginx-light, curl (Debian packages)"]
fn over_https_each_request_reaches_the_host_that_it_names() {
    each_request_reaches_the_host_that_it_names("https");
}

fn each_request_reaches_the_host_that_it_names(scheme: &str) {
    let stage = Stage::set();
    for name in ["hq", "branch"] {
        let page = stage.curl(scheme, &format!("{name}.example.com"), "/PBX0/MY/client.htm?a=/b", &[]).ok();
        let expected = format!(
            "{name} {scheme} GET /PBX0/MY/client.htm?a=/b for {name}.example.com:{} from 127.0.0.1\n",
            stage.proxy.address(scheme).port()
        );
        assert_eq!(page, expected);
    }
}

#[test]
#[ignore = "needs nginx-light, curl (Debian packages)"]
fn one_connection_serves_two_hosts_in_turn() {
    let stage = Stage::set();
    let url = format!("http://{}/PBX0/APPS/", stage.proxy.address("http"));
    let one = |name: &str| {
        let host = format!("Host: {name}.example.com");
        ["-sS", "-w", "%{num_connects}\n", "-H", &host, &url].map(str::to_owned)
    };
    let next = || vec!["--next".to_owned()];
    let arguments = [one("hq").to_vec(), next(), one("branch").to_vec(), next(), one("hq").to_vec()].concat();
    let lines: Vec<String> = run("curl", arguments).ok().lines().map(str::to_owned).collect();
    let first_words: Vec<&str> = lines.iter().filter_map(|line| line.split(' ').next()).collect();
    // Behind each page stands the number of connections that it took.
    assert_eq!(first_words, ["hq", "1", "branch", "0", "hq", "0"]);
}

#[test]
#[ignore = "needs nginx-light, curl (Debian packages)"]
fn over_http_what_is_not_allowed_never_reaches_a_server() {
    what_is_not_allowed_never_reaches_a_server("http");
}

#[test]
#[ignore = "needs nginx-light, curl (Debian packages)"]
fn over_https_what_is_not_allowed_never_reaches_a_server() {
    what_is_not_allowed_never_reaches_a_server("https");
}

fn what_is_not_allowed_never_reaches_a_server(scheme: &str) {
    let stage = Stage::set();
    let status = ["-o", "/dev/null", "-w", "%{http_code}", "--path-as-is"];
    let refused = [
        ("hq.example.com", "/CMD0/mod_cmd.xml", "403"),
        ("hq.example.com", "/PBX0/MY/further/down", "403"),
        ("hq.example.com", "/PBX0/APPS/../../CMD0", "400"),
        ("other.example.com", "/PBX0/APPS/", "404"),
    ];
    for (host, path, expected) in refused {
        assert_eq!(stage.curl(scheme, host, path, &status).ok(), expected, "{host}{path}");
    }
    stage.curl(scheme, "hq.example.com", "/PBX0/APPS/last", &status).ok();
    drop(stage.nginx);
    let log = fs::read_to_string(stage.folder.path().join("access.log")).expect("nginx writes a log");
    assert_eq!(log, format!("hq {scheme} \"GET /PBX0/APPS/last HTTP/1.1\" 200\n"));
}

#[test]
#[ignore = "needs nginx-light, curl (Debian packages)"]
fn over_http_files_go_up_and_come_down_as_they_are() {
    files_go_up_and_come_down_as_they_are("http");
}

#[test]
#[ignore = "needs nginx-light, curl (Debian packages)"]
fn over_https_files_go_up_and_come_down_as_they_are() {
    files_go_up_and_come_down_as_they_are("https");
}

fn files_go_up_and_come_down_as_they_are(scheme: &str) {
    let stage = Stage::set();
    let octets: Vec<u8> =
        (0..5_000_000_u32).map(|at| at.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    let original = stage.folder.path().join("original");
    fs::write(&original, &octets).expect("a file");
    let original = original.display().to_string();
    // curl sends a file that it knows the length of with Content-Length, what it reads from a pipe in chunks.
    for (name, framing) in [("whole", "Expect:"), ("chunks", "Transfer-Encoding: chunked")] {
        let path = format!("/PBX0/APPS/files/{name}");
        let up = ["-T", &original, "-H", framing, "-o", "/dev/null", "-w", "%{http_code}"];
        assert_eq!(stage.curl(scheme, "branch.example.com", &path, &up).ok(), "201");
        let copy = stage.folder.path().join("copy").display().to_string();
        let down = ["-o", &copy, "-w", "%{http_code}"];
        assert_eq!(stage.curl(scheme, "branch.example.com", &path, &down).ok(), "200");
        assert!(fs::read(&copy).expect("a copy") == octets, "{name}: {copy} differs from {original}");
    }
}

#[test]
#[ignore = "needs nginx-light, wrk (Debian packages)"]
fn over_http_thousands_of_requests_to_two_hosts_are_not_mixed_up() {
    thousands_of_requests_to_two_hosts_are_not_mixed_up("http");
}

#[test]
#[ignore = "needs nginx-light, wrk (Debian packages)"]
fn over_https_thousands_of_requests_to_two_hosts_are_not_mixed_up() {
    thousands_of_requests_to_two_hosts_are_not_mixed_up("https");
}

fn thousands_of_requests_to_two_hosts_are_not_mixed_up(scheme: &str) {
    let stage = Stage::set();
    let script = write(stage.folder.path(), "expect.lua", include_str!("peers/http/expect.lua"));
    let script = script.display().to_string();
    let url = format!("{scheme}://{}/PBX0/APPS/", stage.proxy.address(scheme));
    // wrk knows no number of requests, only a time; what a busy machine does in it nobody knows.
    let wrk = |name: &str| {
        let host = format!("Host: {name}.example.com");
        let deadline = Instant::now() + PATIENCE;
        let mut requests = 0;
        while requests < 3000 {
            assert!(Instant::now() < deadline, "only {requests} requests");
            let report =
                run("wrk", ["-t1", "-c16", "-d1s", "-s", &script, "-H", &host, &url, "--", name]).ok();
            let counted = report.lines().find_map(|line| line.strip_prefix("requests and faults: "));
            let (count, faults) =
                counted.and_then(|counts| counts.split_once(' ')).expect("the script's own line");
            assert_eq!(faults, "0", "{report}");
            requests += count.parse::<u32>().expect("a count");
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| wrk("hq"));
        scope.spawn(|| wrk("branch"));
    });
}
