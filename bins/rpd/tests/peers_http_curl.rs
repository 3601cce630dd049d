//! What curl can do with a web server, it can do through the proxy.
//!
//! Debian packages: nginx-light, curl. `cargo test -p rpd --test peers_http_curl -- --ignored`

mod common;

use std::fs;

use common::{Process, stage::Stage};

const FILE: &str = "/PBX0/APPS/files/file";

#[test]
#[ignore = "needs nginx-light, curl (Debian packages)"]
fn http_1_0_gets_pages_and_keeps_a_connection_if_it_asks_to() {
    let stage = Stage::set();
    for scheme in ["http", "https"] {
        let seen = stage.curl(scheme, "hq.example.com", "/PBX0/APPS/", &["-0", "-i"]).ok();
        assert!(
            seen.starts_with("HTTP/1.1 200 OK\r\n") && seen.contains("\r\nConnection: close\r\n"),
            "{seen}"
        );
        assert!(seen.contains(&format!("hq {scheme} GET /PBX0/APPS/")), "{seen}");
    }
    let url = format!("http://{}/PBX0/APPS/", stage.proxy.address("http"));
    let host = "Host: hq.example.com";
    let arguments =
        ["-sS", "-0", "-H", host, "-H", "Connection: keep-alive", "-w", "%{num_connects}\n", &url, &url];
    let seen = common::run("curl", arguments).ok();
    assert_eq!(seen.lines().filter(|line| *line == "1" || *line == "0").collect::<String>(), "10", "{seen}");
}

#[test]
#[ignore = "needs nginx-light, curl (Debian packages)"]
fn a_part_of_a_file_is_that_part() {
    let stage = Stage::set();
    let octets: Vec<u8> =
        (0..100_000_u32).map(|at| at.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    fs::write(stage.folder.path().join("files/file"), &octets).expect("a file");
    let part = stage.folder.path().join("part").display().to_string();
    for (range, wanted) in
        [("1000-1999", &octets[1000..2000]), ("-5", &octets[99_995..]), ("99990-", &octets[99_990..])]
    {
        let status = ["-r", range, "-o", &part, "-w", "%{http_code}"];
        assert_eq!(stage.curl("https", "hq.example.com", FILE, &status).ok(), "206");
        assert_eq!(fs::read(&part).expect("a part"), wanted, "{range}");
    }
    let beyond = ["-r", "200000-", "-o", &part, "-w", "%{http_code}"];
    assert_eq!(stage.curl("http", "hq.example.com", FILE, &beyond).ok(), "416");
}

#[test]
#[ignore = "needs nginx-light, curl (Debian packages)"]
fn an_upload_waits_until_the_server_wants_it() {
    let stage = Stage::set();
    let original = stage.folder.path().join("original");
    fs::write(&original, vec![b'x'; 3_000_000]).expect("a file");
    let original = original.display().to_string();
    for framing in ["X-Framed: by length", "Transfer-Encoding: chunked"] {
        let up =
            ["-v", "-T", &original, "-H", "Expect: 100-continue", "-H", framing, "--expect100-timeout", "60"];
        let seen = stage.curl("http", "hq.example.com", FILE, &up).expect(0);
        assert!(seen.err.contains("< HTTP/1.1 100 Continue"), "{}", seen.err);
        assert!(
            ["< HTTP/1.1 201", "< HTTP/1.1 204"].iter().any(|status| seen.err.contains(status)),
            "{}",
            seen.err
        );
        assert_eq!(fs::metadata(stage.folder.path().join("files/file")).expect("a file").len(), 3_000_000);
    }
    // Who is refused is not told to go on, and sends nothing.
    let up = ["-v", "-T", &original, "-H", "Expect: 100-continue", "--expect100-timeout", "60"];
    let seen = stage.curl("http", "hq.example.com", "/CMD0/file", &up).expect(0);
    assert!(seen.err.contains("< HTTP/1.1 403 ") && !seen.err.contains("100 Continue"), "{}", seen.err);
}

#[test]
#[ignore = "needs nginx-light, curl (Debian packages)"]
fn a_gigabyte_comes_down_without_growing_the_proxy() {
    let stage = Stage::set();
    let file = fs::File::create(stage.folder.path().join("files/file")).expect("a file");
    file.set_len(1 << 30).expect("room for a file of zeros");
    let mut process = Process::start(&stage.folder.path().join("rpd.toml"));
    for scheme in ["http", "https"] {
        let address = process.address(scheme);
        let get = |path: &str, more: &[&str]| {
            let arguments = [&["-o", "/dev/null", "-w", "%{size_download}"], more].concat();
            stage.curl_by(address, scheme, "hq.example.com", path, &arguments).ok()
        };
        get("/PBX0/APPS/", &[]);
        let before = process.most_resident();
        assert_eq!(get(FILE, &[]), (1_u64 << 30).to_string());
        // One that takes slowly makes the proxy wait, not store.
        assert_eq!(get(FILE, &["-r", "0-99999999", "--limit-rate", "100M"]), "100000000");
        let grown = process.most_resident().saturating_sub(before);
        // Some buffers of a quarter MiB, of which the allocator keeps a few dozen.
        assert!(grown < 48 * 1024, "{grown} KiB over {scheme}");
    }
}
