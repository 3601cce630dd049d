//! SIP as a flow: pings, messages of several services side by side, and how it all ends.

mod common;

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    thread,
    time::Duration,
};

use socket2::{Domain, Socket, Type};

use common::{
    Log, PATIENCE, patient,
    sip::{KINDS, Stage, Wire, register, register_at, request, response},
};

#[test]
fn a_ping_is_answered_by_the_proxy_and_keeps_every_leg_alive() {
    for kind in KINDS {
        let stage = Stage::set();
        let mut phone = stage.phone(kind);
        phone.send("\r\n\r\n");
        phone.expect(b"\r\n");
        let mut one = register_at(&mut phone, &stage.one, "one.example");
        let mut two = register_at(&mut phone, &stage.two, "two.example");
        phone.send("\r\n\r\n");
        phone.expect(b"\r\n");
        one.expect(b"\r\n\r\n");
        two.expect(b"\r\n\r\n");
        // The pong of a service ends here. Its own ping is answered, and goes no further.
        one.send("\r\n");
        one.send("\r\n\r\n");
        one.expect(b"\r\n");
        let options = request("OPTIONS", "sip:pbx@one.example", "sip:101@one.example", "o", "", "");
        one.send(&options);
        assert_eq!(phone.text_message(), options);
    }
}

/// So many pings that their pongs cannot all wait in the system's buffers.
const FLOOD: usize = 64 * 1024 * 1024;

/// Pings for as long as they are taken, or a time passes in which none is; says how many octets were.
fn flood(stream: &mut TcpStream, patience: Duration) -> usize {
    stream.set_write_timeout(Some(patience)).expect("a time-out");
    let pings = b"\r\n\r\n".repeat(64 * 1024);
    let mut sent = 0;
    while sent < FLOOD {
        match stream.write(&pings[sent % 4..]) {
            Ok(octets) => sent += octets,
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
                break;
            }
        }
    }
    sent
}

#[test]
fn who_pings_and_does_not_listen_is_not_heard_until_he_does() {
    let stage = Stage::with("[limits]\nfirst-message = \"1h\"\n", "");
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a size");
    socket.connect(&stage.proxy.address("sip").into()).expect("the proxy listens");
    let mut phone = patient(socket.into());
    let sent = flood(&mut phone, Duration::from_secs(2));
    assert!(sent < FLOOD, "all pongs wait in the proxy");
    phone.shutdown(Shutdown::Write).expect("a socket");
    let mut pongs = Vec::new();
    phone.read_to_end(&mut pongs).expect("all of them, and the end");
    assert_eq!(pongs.len(), sent / 4 * 2, "none is lost");
}

#[test]
fn a_service_that_pings_and_does_not_listen_gets_no_more_pongs() {
    let stage = Stage::set();
    let (_phone, line) = stage.registered("sip");
    let mut line = line.raw();
    assert_eq!(
        flood(&mut line, PATIENCE),
        FLOOD,
        "the service is heard all the same: it may have something to say"
    );
    line.set_read_timeout(Some(Duration::from_secs(2))).expect("a time-out");
    let (mut pongs, mut octets) = (0, vec![0; 1 << 20]);
    while let Ok(more @ 1..) = line.read(&mut octets) {
        pongs += more;
    }
    assert!(pongs < FLOOD / 4, "{pongs} octets waited in the proxy");
}

#[test]
fn the_pongs_of_a_service_are_no_pings() {
    let stage = Stage::set();
    let (mut phone, mut line) = stage.registered("sip");
    for _ in 0..3 {
        phone.send("\r\n\r\n");
        phone.expect(b"\r\n");
        line.expect(b"\r\n\r\n");
        line.send("\r\n");
    }
    // Behind the last pong, so that they are all there.
    let options = request("OPTIONS", "sip:pbx@one.example", "sip:101@one.example", "o", "", "");
    line.send(&options);
    assert_eq!(phone.text_message(), options);
    phone.send(register("101", "one.example", "again"));
    line.expect(register("101", "one.example", "again").as_bytes());
}

#[test]
fn pings_between_and_after_messages_are_no_part_of_them() {
    let stage = Stage::set();
    let (mut phone, mut line) = stage.registered("sip");
    let first = request("MESSAGE", "sip:101@one.example", "sip:9@one.example", "m1", "", "\r\n\r\n");
    let second = request("MESSAGE", "sip:101@one.example", "sip:9@one.example", "m2", "", "x");
    phone.send(format!("\r\n\r\n{first}\r\n{second}\r\n\r\n"));
    phone.expect(b"\r\n\r\n");
    line.expect(b"\r\n\r\n");
    line.expect(first.as_bytes());
    line.expect(second.as_bytes());
}

/// Two services speak at once, in pieces; the phone pings and is refused in between.
#[test]
fn messages_of_two_services_never_run_into_each_other() {
    for kind in KINDS {
        let stage = Stage::set();
        let (mut phone, one) = stage.registered(kind);
        let two = register_at(&mut phone, &stage.two, "two.example");
        let bodies: Vec<String> = (1..=MESSAGES).map(|n| n.to_string().repeat(n * 7_000)).collect();
        let messages: Vec<String> = ["one", "two"]
            .iter()
            .flat_map(|from| bodies.iter().enumerate().map(move |(at, body)| (from, at, body)))
            .map(|(from, at, body)| {
                request(
                    "MESSAGE",
                    &format!("sip:{from}@pbx.invalid"),
                    "sip:101@one.example",
                    &format!("{from}{at}"),
                    "",
                    body,
                )
            })
            .collect();
        let speakers: Vec<_> = [one, two]
            .into_iter()
            .zip(messages.chunks(MESSAGES))
            .map(|(mut line, messages)| {
                let messages = messages.to_vec();
                thread::spawn(move || {
                    for message in &messages {
                        for piece in message.as_bytes().chunks(4_999) {
                            line.send(piece);
                        }
                    }
                    line
                })
            })
            .collect();
        for n in 0..REFUSED {
            phone.send(register("101", "three.example", &format!("r{n}")));
        }
        let mut heard = Vec::new();
        while heard.len() < 2 * MESSAGES + REFUSED {
            heard.push(phone.text_message());
        }
        let refusals = heard.iter().filter(|message| message.starts_with("SIP/2.0 404 ")).count();
        assert_eq!(refusals, REFUSED);
        for (from, said) in ["one", "two"].iter().zip(messages.chunks(MESSAGES)) {
            let from = format!("From: <sip:{from}@");
            let heard: Vec<&String> = heard.iter().filter(|message| message.contains(&from)).collect();
            assert!(heard.into_iter().eq(said), "every message whole and in order");
        }
        speakers.into_iter().for_each(|speaker| drop(speaker.join().expect("a speaker")));
    }
}

const MESSAGES: usize = 9;
const REFUSED: usize = 10;

#[test]
fn bodies_and_headers_arrive_octet_for_octet_both_ways() {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut octets = |count: usize| -> Vec<u8> {
        let next = || {
            // xorshift64
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random.to_be_bytes()[0]
        };
        std::iter::repeat_with(next).take(count).collect()
    };
    for kind in KINDS {
        let stage = Stage::set();
        let (mut phone, mut line) = stage.registered(kind);
        for length in [0, 1, 1_000, 65_536, 1 << 20] {
            let mut value = octets(300);
            value.retain(|octet| !matches!(octet, b'\r' | b'\n'));
            let head = request("MESSAGE", "sip:101@one.example", "sip:9@one.example", "m", "", "");
            let front = head.strip_suffix("Content-Length: 0\r\n\r\n").expect("a head");
            let length_line = format!("l\t: {length}\r\n\r\n");
            let message =
                [front.as_bytes(), b"x-random \t:", &value, b"\r\n", length_line.as_bytes(), &octets(length)]
                    .concat();
            assert!(carried(&mut phone, &mut line, &message) == message, "up, {length}");
            assert!(carried(&mut line, &mut phone, &message) == message, "down, {length}");
        }
    }
}

fn carried(from: &mut Wire, to: &mut Wire, message: &[u8]) -> Vec<u8> {
    thread::scope(|scope| {
        scope.spawn(|| from.send(message));
        to.message()
    })
}

#[test]
fn a_leg_that_ends_takes_the_phone_with_it_behind_what_it_has_said() {
    for kind in KINDS {
        let stage = Stage::set();
        let (mut phone, one) = stage.registered(kind);
        let mut two = register_at(&mut phone, &stage.two, "two.example");
        let options = request("OPTIONS", "sip:pbx@two.example", "sip:101@two.example", "o", "", "x");
        two.send(&options);
        drop(two);
        assert_eq!(phone.text_message(), options);
        assert_eq!(phone.rest(), "");
        let mut one = one;
        assert_eq!(one.rest(), "");
        Log::of(phone.address()).wait_for(&["forwarded", "end="]);
    }
}

#[test]
fn the_phones_end_is_passed_on_and_what_the_services_still_say_arrives() {
    let stage = Stage::set();
    let (mut phone, mut one) = stage.registered("sip");
    let mut two = register_at(&mut phone, &stage.two, "two.example");
    phone.end();
    assert_eq!((one.until_end(), two.until_end()), (String::new(), String::new()));
    let options = request("OPTIONS", "sip:pbx@two.example", "sip:101@two.example", "o", "", "");
    drop(one);
    two.send(&options);
    assert_eq!(phone.text_message(), options);
    drop(two);
    assert_eq!(phone.rest(), "");
    Log::of(phone.address()).wait_for(&["forwarded", "end=closed"]);
}

#[test]
fn a_service_that_breaks_the_framing_ends_both_sides_and_is_not_counted() {
    let stage = Stage::set();
    let (mut phone, mut line) = stage.registered("sip");
    let options = request("OPTIONS", "sip:pbx@one.example", "sip:101@one.example", "o", "", "");
    line.send(format!("{options}SIP/2.0 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx"));
    assert_eq!(phone.text_message(), options);
    assert_eq!(phone.rest(), "");
    assert_eq!(line.rest(), "");
    Log::of(phone.address()).wait_for(&[
        "WARN",
        "the target broke its protocol",
        "more than one Content-Length",
    ]);
    assert_eq!(Log::of(phone.address()).count(&["refused"]), 0);
}

#[test]
fn a_service_that_is_down_or_silent_is_told_with_a_time_to_come_back() {
    // A port where nobody is, and one where nobody ever accepts and TLS therefore never answers.
    let black_hole = TcpListener::bind("127.0.0.1:0").expect("a port");
    let hole = black_hole.local_addr().expect("an address").port();
    let tables = format!(
        "[limits]\nconnect = \"300ms\"\n[[host]]\nnames = [\"down.example\"]\ntarget = \"127.0.0.2\"\nsip = {{ tcp = 1 }}\n\
         [[host]]\nnames = [\"hole.example\"]\ntarget = \"127.0.0.1\"\nsip = {{ tls = {hole} }}\ntls = {{ verify = \"none\" }}\n"
    );
    let stage = Stage::with(&tables, "");
    for domain in ["down.example", "hole.example"] {
        let mut phone = stage.phone("sip");
        phone.send(register("101", domain, "r"));
        assert_retry(&phone.rest());
        Log::of(phone.address()).wait_for(&["refused", "reason=target-unreachable", domain]);

        // Where there is another leg, that goes on while this one is tried.
        let (mut phone, mut line) = stage.registered("sip");
        phone.send(register("101", domain, "r"));
        let options = request("OPTIONS", "sip:pbx@one.example", "sip:101@one.example", "o", "", "");
        line.send(&options);
        let mut heard = [phone.text_message(), phone.text_message()];
        heard.sort();
        assert_eq!(heard[0], options);
        assert_retry(&heard[1]);
        Log::of(phone.address()).wait_for(&["refused", "reason=target-unreachable", domain]);
        let again = register("101", "one.example", "again");
        phone.send(&again);
        assert_eq!(line.text_message(), again);
    }
}

fn assert_retry(answer: &str) {
    assert!(answer.starts_with("SIP/2.0 503 Service Unavailable\r\n"), "{answer}");
    let seconds = answer.lines().find_map(|line| line.strip_prefix("Retry-After: ")).expect("a Retry-After");
    assert!((10..=30).contains(&seconds.parse::<u32>().expect("a number")), "{seconds}");
}

#[test]
fn shutdown_waits_for_open_requests_and_not_for_quiet_phones() {
    let stage = Stage::with("[limits]\ndrain = \"20s\"", "");
    let (mut quiet, _line) = stage.registered("sip");
    let (mut busy, mut line) = stage.registered("sip");
    busy.send(register("101", "one.example", "open"));
    let open = line.message();
    stage.proxy.drain();
    assert_eq!(quiet.rest(), "");
    line.send(response(&open, "200 OK", ""));
    assert_eq!(busy.start_line(), "SIP/2.0 200 OK");
    assert_eq!(busy.rest(), "");
}

#[test]
fn a_silent_phone_is_let_go_when_its_time_is_over_and_pings_put_that_off() {
    let stage = Stage::with("[limits]\nidle = { sip = \"300ms\" }", "");
    let (mut phone, mut line) = stage.registered("sip");
    phone.send("\r\n\r\n");
    phone.expect(b"\r\n");
    line.expect(b"\r\n\r\n");
    assert_eq!((phone.rest(), line.rest()), (String::new(), String::new()));
    Log::of(phone.address()).wait_for(&["end=timed-out limits.idle.sip"]);
}
