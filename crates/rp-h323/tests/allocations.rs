//! Nothing is allocated, whatever is read from a key.

mod support;

use std::fmt::{self, Write};

use rp_h323::{
    Alias, Answer, ClientFollower, ClientStep, Key, ServiceFollower, ServiceStep, UTF8_MAX, Verdicts, extract,
};

#[test]
fn reading_allocates_nothing() {
    for case in support::corpus() {
        let measured = allocation_counter::measure(|| read_everything(&case.bytes));
        assert_eq!(measured.count_total, 0, "{}", case.name);
    }
}

#[test]
fn following_allocates_nothing() {
    for case in support::corpus() {
        for size in [1, 100, case.bytes.len()] {
            let measured = allocation_counter::measure(|| follow(&case.bytes, size));
            assert_eq!(measured.count_total, 0, "{}", case.name);
        }
    }
}

/// Follows both directions in pieces of so many octets.
fn follow(stream: &[u8], size: usize) {
    let mut client = ClientFollower::new();
    let mut service = ServiceFollower::new();
    let mut verdicts = Verdicts::new();
    let (mut to_service, mut to_client) = (0, 0);
    for end in (0..stream.len()).step_by(size).map(|start| (start + size).min(stream.len())) {
        loop {
            to_service += match client.step(&stream[to_service..end]).unwrap() {
                ClientStep::Pass(octets) => octets,
                ClientStep::Look(request) => {
                    request.requests().for_each(|key| read_key(&key));
                    request.len()
                }
                ClientStep::More(_) => break,
            };
        }
        loop {
            to_client += match service.step(&stream[to_client..end]).unwrap() {
                ServiceStep::Pass(octets) => octets,
                ServiceStep::Look(answers) => {
                    for answer in &answers {
                        write!(Discard, "{answer} {:?} {:?}", verdicts.judge(&answer), answers.fault())
                            .unwrap();
                    }
                    answers.len()
                }
                ServiceStep::More(_) => break,
            };
        }
    }
    assert_eq!((to_service, to_client), (stream.len(), stream.len()));
}

fn read_key(request: &Key<'_>) {
    let mut buffer = [0; UTF8_MAX];
    request.keep_alive();
    request.endpoint_identifier();
    request.matches_common_name("IP222-0a-1b-2c", true);
    for alias in request.aliases() {
        if let Alias::H323Id(text) | Alias::DialedDigits(text) = alias {
            text.eq_ignore_ascii_case("hq");
            text.to_str(&mut buffer);
        }
    }
}

fn read_everything(input: &[u8]) {
    match extract(input) {
        Ok(key) => {
            write!(Discard, "{key} {key:?} {:?} {:?}", key.called_user(), key.call_identifier()).unwrap();
            key.requests().for_each(|request| read_key(&request));
        }
        Err(error) => write!(Discard, "{error}").unwrap(),
    }
    if let Ok(answer) = Answer::parse(input) {
        write!(Discard, "{answer}").unwrap();
    }
}

struct Discard;

impl Write for Discard {
    fn write_str(&mut self, _: &str) -> fmt::Result {
        Ok(())
    }
}
