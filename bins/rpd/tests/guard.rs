//! Bans: when they come, whom they reach, and whom they never do.

mod common;

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    path::Path,
    thread,
    time::Duration,
};

use common::{
    Process, Proxy, connect,
    guarded::{Guarded, bind, get, read, read_to_end, rrq, wait_until},
    sip,
};
use rp_h323::{Answer, AnswerKind};
use rp_ldap::messages;
use rpd::outcome::Reason;

const GUESSER: &str = "203.0.113.1";
const WRONG: &str = "example.com\\49";
const RIGHT: &str = "example.com\\0";
const AUTHORIZATION: &str =
    "Authorization: Digest username=\"u\", realm=\"a\", nonce=\"b\", uri=\"/\", response=\"c\"\r\n";

/// Binds on a connection of its own, and says whether there was an answer.
fn try_bind(guarded: &Guarded, source: &str, name: &str) -> bool {
    let mut client = guarded.connect("ldap", source);
    // It may be closed already.
    let _ = client.write_all(&bind(name));
    !read(&mut client).is_empty()
}

/// Sends one wrong bind after the other, each counted before the next.
fn fail(guarded: &Guarded, source: &str, times: u8) {
    for count in 1..=times {
        assert!(try_bind(guarded, source, WRONG), "attempt {count} of {source}");
        guarded.wait_for_count(source, count);
    }
}

#[test]
fn twenty_failures_are_borne_and_the_twenty_first_shuts_out() {
    let guarded = Guarded::start("");
    fail(&guarded, GUESSER, 20);
    assert!(try_bind(&guarded, GUESSER, RIGHT), "twenty are borne");
    assert!(!guarded.is_banned(GUESSER));
    assert!(try_bind(&guarded, GUESSER, WRONG), "the last one is answered, too");
    guarded.wait_for_ban(GUESSER);
    for listener in ["ldap", "ldaps", "sip", "h323", "https"] {
        let mut client = guarded.connect(listener, GUESSER);
        let _ = client.write_all(&bind(RIGHT));
        assert_eq!(read_to_end(&mut client), b"", "{listener}");
    }
    assert!(try_bind(&guarded, "203.0.113.2", RIGHT), "nobody else is shut out");
    assert_eq!(guarded.counted(GUESSER), None, "what a banned source does is not counted");
}

#[test]
fn in_each_protocol_the_twenty_first_wrong_password_shuts_out() {
    let guarded = Guarded::start("");
    let forbidden = sip::register("forbidden", "example.com", "b1").into_bytes();
    let rows = [
        ("h323", "203.0.113.1", rrq("example.com", "denied")),
        ("sip", "203.0.113.2", forbidden),
        ("http", "203.0.113.3", get("example.com", "/401", AUTHORIZATION)),
    ];
    for (listener, source, words) in &rows {
        let guess = || {
            let mut client = guarded.connect(listener, source);
            let _ = client.write_all(words);
            !read(&mut client).is_empty()
        };
        for count in 1..=20 {
            assert!(guess(), "attempt {count} by {listener}");
            guarded.wait_for_count(source, count);
        }
        assert!(!guarded.is_banned(source), "{listener}");
        assert!(guess(), "the last one by {listener} is answered, too");
        guarded.wait_for_ban(source);
        assert!(!guess(), "{listener}");
    }
}

#[test]
fn whoever_is_shut_out_is_closed_when_accepted_before_tls_and_the_log_says_why() {
    let folder = common::certificates();
    let text = "[guard]\nthreshold = 2\n[listen]\nldaps = \"127.0.0.1:0\"\nhttp = \"127.0.0.1:0\"\n[[tls.certificate]]\ncertificate = \"proxy.pem\"\nkey = \"proxy.key\"\n";
    let mut proxy = Process::start(&common::write(folder.path(), "rpd.toml", text));
    // In the order of the log.
    let ldaps = proxy.address("ldaps");
    let http = proxy.address("http");
    for count in ["count=1/2", "count=2/2", "count=3"] {
        let mut client = TcpStream::connect(http).expect("the proxy listens");
        client
            .write_all(b"GET / HTTP/1.1\r\nHost: x.example\r\nConnection: close\r\n\r\n")
            .expect("it reads");
        let _ = client.read_to_end(&mut Vec::new());
        if count == "count=3" {
            let line = proxy.line(" blocked ");
            for part in ["source=127.0.0.1/32", "reason=\"unknown-host\"", "count=3", "seconds=3599"] {
                assert!(
                    line.contains(part) || part == "seconds=3599" && line.contains("seconds=3600"),
                    "{line}"
                );
            }
        }
        let line = proxy.line("refused");
        assert!(
            line.contains("counted=\"yes\"") && line.contains(count.split('=').next_back().expect("a count")),
            "{line}"
        );
    }
    let mut client = connect(ldaps);
    // No ClientHello is needed for the end to come.
    assert_eq!(read_to_end(&mut client), b"");
}

#[test]
fn addresses_of_one_ipv6_subnet_are_one_source() {
    let guarded = Guarded::start("");
    for host in 1..=20 {
        assert!(try_bind(&guarded, &format!("2001:db8:7:7::{host:x}"), WRONG));
        guarded.wait_for_count("2001:db8:7:7::1", host);
    }
    assert!(try_bind(&guarded, "2001:db8:7:7:ffff::1", WRONG));
    guarded.wait_for_ban("2001:db8:7:7::1234");
    assert!(!try_bind(&guarded, "2001:db8:7:7::5678", RIGHT));
    assert!(try_bind(&guarded, "2001:db8:7:8::1", RIGHT), "the neighbour is let in");
    let entries = guarded.gate().guard.entries(&rp_guard::Filter::default(), std::time::Instant::now());
    let networks: Vec<String> = entries.iter().map(|entry| entry.network.to_string()).collect();
    assert_eq!(networks, ["2001:db8:7:7::/64"]);
}

/// A connection that has bound with this name, which was answered.
fn bound(guarded: &Guarded, source: &str, name: &str) -> TcpStream {
    let mut client = guarded.connect("ldap", source);
    client.write_all(&bind(name)).expect("the proxy reads");
    assert!(!read(&mut client).is_empty());
    client
}

/// Whether a further bind on a living connection is answered.
fn is_served(client: &mut TcpStream, name: &str) -> bool {
    let asked = client.write_all(&bind(name));
    let answer = read(client);
    asked.is_ok() && rp_ldap::answer(&answer).is_ok_and(|answer| answer.message_id == 1)
}

#[test]
fn a_ban_ends_connections_that_have_proven_nothing_and_leaves_those_that_have() {
    let guarded = Guarded::start("[guard]\nthreshold = 3\n");
    let mut unproven = bound(&guarded, GUESSER, "example.com\\10");
    let mut proven = bound(&guarded, GUESSER, RIGHT);
    let mut neighbour = bound(&guarded, "203.0.113.2", "example.com\\10");
    fail(&guarded, GUESSER, 3);
    try_bind(&guarded, GUESSER, WRONG);
    guarded.wait_for_ban(GUESSER);
    read_to_end(&mut unproven);
    assert!(is_served(&mut neighbour, RIGHT));
    assert!(is_served(&mut proven, RIGHT), "it stays");
    assert!(is_served(&mut proven, WRONG), "it is answered");
    // Nobody guesses on for ever on a connection that he once got.
    read_to_end(&mut proven);
    assert!(!is_served(&mut proven, RIGHT));
}

#[test]
fn what_proves_a_connection_is_a_success_with_credentials() {
    let guarded = Guarded::start("[guard]\nthreshold = 1\n");
    let registers = |more: &str| {
        let phone = "sip:phone@example.com";
        sip::request("REGISTER", phone, phone, "b1", more, "").into_bytes()
    };
    let asks = |path: &str, more: &str| {
        format!("GET {path} HTTP/1.1\r\nHost: example.com\r\n{more}\r\n").into_bytes()
    };
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    // What is said first, whether that proves anything, and what is said afterwards.
    let rows = [
        ("h323", rrq("example.com", "phone"), true, rrq("example.com", "phone")),
        ("h323", rrq("example.com", "restarted"), false, rrq("example.com", "phone")),
        ("sip", registers(AUTHORIZATION), true, registers("")),
        ("sip", registers(""), false, registers("")),
        ("ldap", bind(RIGHT), true, bind(RIGHT)),
        ("ldap", bind("example.com\\10"), false, bind(RIGHT)),
        ("http", asks("/", AUTHORIZATION), true, asks("/", "")),
        ("http", asks("/404", AUTHORIZATION), false, asks("/", "")),
        ("http", asks("/", ""), false, asks("/", "")),
        ("http", asks("/tunnel", upgrade), true, asks("/", "")),
    ];
    let mut clients: Vec<TcpStream> = rows
        .iter()
        .map(|(listener, words, ..)| {
            let mut client = guarded.connect(listener, GUESSER);
            client.write_all(words).expect("the proxy reads");
            assert!(!read(&mut client).is_empty(), "{listener}");
            client
        })
        .collect();
    fail(&guarded, GUESSER, 1);
    try_bind(&guarded, GUESSER, WRONG);
    guarded.wait_for_ban(GUESSER);
    for ((listener, words, proves, more), client) in rows.iter().zip(&mut clients) {
        let words = String::from_utf8_lossy(words);
        if *proves {
            client.write_all(more).expect("the proxy reads");
            assert!(!read(client).is_empty(), "{listener}: {words}");
        } else {
            read_to_end(client);
        }
    }
}

#[test]
fn where_that_is_configured_a_ban_ends_proven_connections_too() {
    let guarded = Guarded::start("[guard]\nthreshold = 1\nclose-established = true\n");
    let mut proven = bound(&guarded, GUESSER, RIGHT);
    fail(&guarded, GUESSER, 1);
    try_bind(&guarded, GUESSER, WRONG);
    guarded.wait_for_ban(GUESSER);
    read_to_end(&mut proven);
}

#[test]
fn whoever_guesses_on_one_connection_is_answered_and_closed() {
    let guarded = Guarded::start("");
    let mut client = guarded.connect("ldap", GUESSER);
    let mut answers = 0;
    while is_served(&mut client, WRONG) {
        answers += 1;
        assert!(answers <= 21, "he guesses on");
    }
    assert_eq!(answers, 21);
    assert!(guarded.is_banned(GUESSER));
}

/// Pipelined, so that one request is always open.
#[test]
fn a_phone_that_keeps_a_request_open_does_not_outlive_its_ban() {
    let guarded = Guarded::start("[guard]\nthreshold = 2\n");
    let mut phone = guarded.connect("sip", GUESSER);
    let own = "sip:unanswered@example.com";
    phone.write_all(sip::request("OPTIONS", own, own, "open", "", "").as_bytes()).expect("the proxy reads");
    for branch in ["b1", "b2", "b3"] {
        phone.write_all(sip::register("forbidden", "example.com", branch).as_bytes()).expect("it reads");
    }
    guarded.wait_for_ban(GUESSER);
    let answers = read_to_end(&mut phone);
    assert_eq!(String::from_utf8_lossy(&answers).matches("403 Forbidden").count(), 3, "all are answered");
}

/// As long as he does not read, an answer is on its way to him.
#[test]
fn whoever_does_not_read_his_answers_does_not_outlive_his_ban() {
    let guarded = Guarded::start("[guard]\nthreshold = 2\nclose-established = true\n");
    let mut client = guarded.connect("ldap", GUESSER);
    client.write_all(&bind("example.com\\flood")).expect("the proxy reads");
    // The answer that comes is longer than all buffers on its way.
    client.read_exact(&mut [0; 1]).expect("its first octet");
    fail(&guarded, GUESSER, 2);
    try_bind(&guarded, GUESSER, WRONG);
    guarded.wait_for_ban(GUESSER);
    // Nothing of a connection that has ended waits for him, but what the system holds.
    client.set_write_timeout(Some(Duration::from_millis(100))).expect("a time-out");
    wait_until("the end of his connection", || {
        let written = (&client).write_all(&bind(RIGHT)).map_err(|error| error.kind());
        matches!(written, Err(ErrorKind::BrokenPipe | ErrorKind::ConnectionReset))
    });
}

#[test]
fn who_observes_bans_nobody() {
    let guarded = Guarded::start("[guard]\nmode = \"observe\"\nthreshold = 2\n");
    fail(&guarded, GUESSER, 2);
    assert!(try_bind(&guarded, GUESSER, WRONG));
    guarded.wait_for_ban(GUESSER);
    assert!(try_bind(&guarded, GUESSER, WRONG), "he is let in all the same");
    let entries = guarded.gate().guard.entries(&rp_guard::Filter::default(), std::time::Instant::now());
    assert!(entries.iter().all(|entry| entry.observed), "{entries:?}");
}

#[test]
fn who_is_allowed_is_never_counted_and_has_no_cap() {
    let guarded = Guarded::start(
        "[guard]\nthreshold = 1\nallow = [\"203.0.113.0/24\"]\n[[guard.network]]\nnetwork = \"203.0.113.0/24\"\nmax-connections = 1\n[[guard.network]]\nnetwork = \"198.51.100.0/24\"\nthreshold = 0\nmax-connections = 1\n",
    );
    let mut held: Vec<TcpStream> = (0..5).map(|_| bound(&guarded, GUESSER, WRONG)).collect();
    for client in &mut held {
        assert!(is_served(client, WRONG));
    }
    // Not counted either, but capped.
    let held = bound(&guarded, "198.51.100.1", WRONG);
    assert!(!try_bind(&guarded, "198.51.100.1", RIGHT));
    drop(held);
    let gate = guarded.end();
    assert!(gate.guard.top(10, std::time::Instant::now()).is_empty());
}

#[test]
fn what_the_configuration_blocks_is_shut_out() {
    let guarded = Guarded::start("[guard]\nblock = [\"203.0.113.0/24\"]\nallow = [\"203.0.113.1\"]\n");
    assert!(!try_bind(&guarded, "203.0.113.2", RIGHT));
    assert!(try_bind(&guarded, GUESSER, RIGHT), "allow wins");
}

#[test]
fn phones_behind_one_address_that_come_back_together_are_never_banned() {
    const PHONES: usize = 500;
    let guarded = Guarded::start("");
    let register = |client: &mut TcpStream, alias: &str| {
        client.write_all(&rrq("example.com", alias)).expect("the proxy reads");
    };
    let mut phones: Vec<TcpStream> = (0..PHONES)
        .map(|_| {
            // The gatekeeper has been started anew, and knows nobody.
            let mut phone = guarded.connect("h323", GUESSER);
            register(&mut phone, "restarted");
            phone
        })
        .collect();
    let answer = |phone: &mut TcpStream| {
        let octets = read(phone);
        Answer::parse(&octets).expect("an answer").kind
    };
    for phone in &mut phones {
        assert!(matches!(answer(phone), AnswerKind::RegistrationReject(_)));
        register(phone, "phone");
    }
    for phone in &mut phones {
        assert_eq!(answer(phone), AnswerKind::RegistrationConfirm);
    }
    drop(phones);
    let gate = guarded.end();
    assert!(gate.guard.top(10, std::time::Instant::now()).is_empty(), "nothing counts");
    assert!(gate.guard.entries(&rp_guard::Filter::default(), std::time::Instant::now()).is_empty());
}

#[test]
fn a_flood_of_one_source_makes_one_ban_and_spares_the_others() {
    let guarded = Guarded::start("");
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..25).for_each(|_| _ = try_bind(&guarded, GUESSER, WRONG)));
        }
        for other in 10..14 {
            let guarded = &guarded;
            scope.spawn(move || {
                for _ in 0..20 {
                    assert!(try_bind(guarded, &format!("203.0.113.{other}"), WRONG));
                }
            });
        }
    });
    guarded.wait_for_ban(GUESSER);
    for other in 10..14 {
        assert_eq!(guarded.wait_for_count(&format!("203.0.113.{other}"), 20), Reason::Refused);
        assert!(!guarded.is_banned(&format!("203.0.113.{other}")));
    }
}

#[test]
fn a_connection_that_only_waits_is_closed_when_its_source_is_blocked() {
    let guarded = Guarded::start("[guard]\nthreshold = 1\n");
    let proxy: &Guarded = &guarded;
    let mut waiting = bound(proxy, GUESSER, "example.com\\10");
    let network = "203.0.113.0/24".parse().expect("a network");
    let gate = guarded.gate();
    let actor = rp_guard::Actor::default();
    gate.guard
        .put(network, rp_guard::Kind::Block, None, "", &actor, std::time::Instant::now())
        .expect("a new entry");
    gate.shut_out(network);
    read_to_end(&mut waiting);
}

#[test]
fn a_proxy_without_a_state_directory_guards_all_the_same() {
    let text = "[guard]\nthreshold = 1\n[listen]\nldap = \"127.0.0.1:0\"\n";
    let proxy = Proxy::start(Path::new("."), text);
    let ask = || {
        let mut client = proxy.connect("ldap");
        let _ = client.write_all(&messages::simple_bind_request(1, "x.example\\u", "x"));
        !read(&mut client).is_empty()
    };
    assert!(ask() && ask());
    wait_until("the ban", || !ask());
}
