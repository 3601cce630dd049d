//! The file of the lists: whole at every instant, whatever happens to the process, the disk or the file.

mod common;

use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use common::guarded::wait_until;
use rp_guard::{Actor, Event, Filter, Kind, Network, Origin, Protocol, Saved};
use rpd::{
    config,
    guard::Gate,
    outcome::Reason,
    store::{self, OpenError, Store},
};

fn gate() -> Arc<Gate> {
    Arc::new(Gate::new(&config::Guard::default()))
}

fn network(number: u32) -> Network {
    Network::host(std::net::Ipv4Addr::from(0xcb00_0000 + number).into())
}

fn ban(number: u32, made: SystemTime, lasts: Duration) -> Saved {
    Saved {
        network: network(number),
        kind: Kind::Block,
        origin: Origin::Auto,
        created: made,
        until: Some(made + lasts),
        event: Some(Event { reason: Reason::Refused.into(), protocol: Protocol(1) }),
        count: 21,
        by: String::new(),
        comment: String::new(),
    }
}

const HOUR: Duration = Duration::from_secs(3600);

/// What a proxy that starts now has in its lists, with the time that each entry has left.
fn restored(folder: &Path) -> Vec<(String, Option<Duration>)> {
    let gate = gate();
    let _store = Store::open(folder, &gate).expect("a store");
    let entries = gate.guard.entries(&Filter::default(), Instant::now());
    entries.iter().map(|entry| (entry.network.to_string(), entry.left)).collect()
}

#[test]
fn what_changes_is_there_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let gate = gate();
    let store = Store::open(folder.path(), &gate).expect("a store");
    let (actor, now) = (Actor { name: "uid 0", ..Actor::default() }, Instant::now());
    gate.guard.put(network(1), Kind::Allow, None, "the office", &actor, now).expect("an entry");
    gate.guard.put(network(2), Kind::Block, Some(HOUR), "", &actor, now).expect("an entry");
    gate.changed();
    let file = folder.path().join("lists.jsonl");
    wait_until("the file", || store::read(&file).is_ok_and(|(entries, _)| entries.len() == 2));
    let text = fs::read_to_string(&file).expect("text");
    assert!(text.starts_with("{\"rpd-lists\":1,\"written\":\""), "{text}");
    assert!(text.contains("\"network\":\"203.0.0.1/32\",\"kind\":\"allow\",\"origin\":\"manual\""), "{text}");
    assert!(text.contains("\"by\":\"uid 0\",\"comment\":\"the office\""), "{text}");
    let other = Arc::new(Gate::new(&config::Guard::default()));
    assert!(
        matches!(Store::open(folder.path(), &other), Err(OpenError::InUse(_))),
        "two would write one file"
    );
    drop(store);
    let restored = restored(folder.path());
    assert_eq!(restored[0], ("203.0.0.1/32".to_owned(), None));
    assert_eq!(restored[1].0, "203.0.0.2/32");
    assert!(restored[1].1.is_some_and(|left| left <= HOUR && left > HOUR - Duration::from_secs(120)));
}

#[test]
fn a_clock_that_was_wrong_makes_no_ban_longer() {
    let now = SystemTime::now();
    for (made, at_most, at_least) in [
        // The usual case; the clock was an hour ahead when it was written; and two hours behind.
        (now - HOUR / 2, HOUR / 2, HOUR / 2 - Duration::from_secs(60)),
        (now + HOUR, HOUR, HOUR - Duration::from_secs(60)),
        (now - HOUR * 2, Duration::ZERO, Duration::ZERO),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        store::write(folder.path(), &[ban(1, made, HOUR)], now).expect("a file");
        let left = restored(folder.path()).first().and_then(|(_, left)| *left).unwrap_or_default();
        assert!(left <= at_most && left >= at_least, "{left:?}");
    }
}

#[test]
fn a_damaged_file_is_put_aside_and_what_can_be_read_of_it_is_in_force() {
    let file = |folder: &Path| folder.join("lists.jsonl");
    let written = |entries: u32| {
        let folder = tempfile::tempdir().expect("a folder");
        let now = SystemTime::now();
        let bans: Vec<Saved> = (1..=entries).map(|number| ban(number, now, HOUR)).collect();
        store::write(folder.path(), &bans[..1], now).expect("a file");
        store::write(folder.path(), &bans, now).expect("a file");
        folder
    };
    // Torn in the last line, an octet turned in the middle, and a foreign line.
    for damage in [
        |text: &mut Vec<u8>| text.truncate(text.len() - 20),
        |text: &mut Vec<u8>| {
            let middle = text.iter().position(|octet| *octet == b'\n').expect("a line") + 3;
            text[middle] = 0xff;
        },
        |text: &mut Vec<u8>| text.extend_from_slice(b"{\"network\":\"nowhere\"}\nhello\n"),
    ] {
        let folder = written(3);
        let mut text = fs::read(file(folder.path())).expect("a file");
        damage(&mut text);
        fs::write(file(folder.path()), &text).expect("a file");
        assert!(restored(folder.path()).len() >= 2);
        assert_eq!(fs::read(folder.path().join("lists.jsonl.bad")).expect("kept"), text);
    }
    // None of ours: the one before is read.
    for text in [&b""[..], b"\0\0\0\0", b"{\"rpd-lists\":99}\n"] {
        let folder = written(3);
        fs::write(file(folder.path()), text).expect("a file");
        assert_eq!(restored(folder.path()).len(), 1, "that of the backup");
        assert_eq!(fs::read(folder.path().join("lists.jsonl.bad")).expect("kept"), text);
    }
}

#[test]
fn a_file_that_is_cut_or_damaged_anywhere_loses_what_is_damaged_and_no_more() {
    let folder = tempfile::tempdir().expect("a folder");
    let now = SystemTime::now();
    let bans: Vec<Saved> = (1..=3).map(|number| ban(number, now, HOUR)).collect();
    store::write(folder.path(), &bans, now).expect("a file");
    let whole = fs::read(folder.path().join("lists.jsonl")).expect("a file");
    let head = whole.iter().position(|octet| *octet == b'\n').expect("a line") + 1;
    let damaged = folder.path().join("damaged");
    let read = |octets: &[u8]| {
        fs::write(&damaged, octets).expect("a file");
        store::read(&damaged).expect("its first line is whole").0.len()
    };
    for at in head..whole.len() {
        let before = whole[head..at].iter().filter(|octet| **octet == b'\n').count();
        assert!((before..=before + 1).contains(&read(&whole[..at])), "cut at {at}");
        for octet in [b'\n', 0xff] {
            let mut text = whole.clone();
            text[at] = octet;
            assert!((1..=3).contains(&read(&text)), "{octet} at {at}");
        }
    }
}

#[test]
fn a_full_disk_takes_no_ban_away_and_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let full = folder.path().join("lists.jsonl.tmp");
    symlink("/dev/full", &full).expect("a link");
    let gate = gate();
    let store = Store::open(folder.path(), &gate).expect("a store");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let now = Instant::now();
    gate.guard.put(network(1), Kind::Block, None, "", &Actor::default(), now).expect("an entry");
    let failure = runtime.block_on(store.unsaved().save()).expect_err("the disk is full");
    assert!(failure.contains("lists.jsonl") && failure.contains("No space left"), "{failure}");
    assert_eq!(store.unsaved().failure(), Some(failure));
    assert!(matches!(gate.guard.admit(network(1).addr(), now), rp_guard::Admission::Denied(_)), "in force");
    fs::remove_file(&full).expect("the link");
    runtime.block_on(store.unsaved().save()).expect("there is room again");
    assert_eq!(store.unsaved().failure(), None);
    drop(store);
    assert_eq!(restored(folder.path()).len(), 1);
}

/// Where the child process works, if this is one.
const FOLDER: &str = "RPD_TEST_STORE_FOLDER";

/// Saves again and again, and tells the number of entries of each file that it has written. Each is larger than the one
/// before. Runs only as a child of the test below.
#[test]
#[ignore = "a part of another test"]
fn saves_until_it_is_killed() {
    let Some(folder) = env::var_os(FOLDER).map(PathBuf::from) else { return };
    let now = SystemTime::now();
    let mut bans: Vec<Saved> = store::read(&folder.join("lists.jsonl")).map_or(Vec::new(), |(bans, _)| bans);
    if bans.len() > 200 {
        bans.clear();
    }
    loop {
        bans.push(ban(u32::try_from(bans.len()).expect("a few"), now, HOUR));
        store::write(&folder, &bans, now).expect("a file");
        let mut out = std::io::stdout().lock();
        // Whoever reads this may be gone.
        if writeln!(out, "saved {}", bans.len()).and_then(|()| out.flush()).is_err() {
            return;
        }
    }
}

#[test]
fn a_process_that_is_killed_at_any_moment_leaves_a_whole_file() {
    let kills: u32 = env::var("RPD_TEST_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(50);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("lists.jsonl");
    for kill in 0..kills {
        let mut child = Command::new(env::current_exe().expect("this program"))
            .args(["--exact", "saves_until_it_is_killed", "--ignored", "--nocapture", "--test-threads=1"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a child");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
        let saved = lines.filter_map(|line| line.strip_prefix("saved ")?.parse::<usize>().ok());
        // Another number of saves each time, and another moment of the next one.
        let told = saved.take(1 + kill as usize % 5).last().unwrap_or(0);
        (0..kill * 7919 % 20_000).for_each(|spin| _ = std::hint::black_box(spin));
        child.kill().expect("SIGKILL");
        child.wait().expect("its end");
        let (entries, bad) = store::read(&file).expect("a file of lists");
        assert!(bad.is_empty() && entries.len() >= told, "{} of {told}, {bad:?}", entries.len());
    }
}
