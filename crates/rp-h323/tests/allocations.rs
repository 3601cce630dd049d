//! Nothing is allocated, whatever is read from a key.

mod support;

use std::fmt::{self, Write};

use rp_h323::{Alias, Answer, UTF8_MAX, extract};

#[test]
fn reading_allocates_nothing() {
    for case in support::corpus() {
        let measured = allocation_counter::measure(|| read_everything(&case.bytes));
        assert_eq!(measured.count_total, 0, "{}", case.name);
    }
}

fn read_everything(input: &[u8]) {
    let mut buffer = [0; UTF8_MAX];
    match extract(input) {
        Ok(key) => {
            write!(Discard, "{key} {key:?} {:?} {:?}", key.called_user(), key.call_identifier()).unwrap();
            for request in key.requests() {
                request.keep_alive();
                request.endpoint_identifier();
                for alias in request.aliases() {
                    if let Alias::H323Id(text) | Alias::DialedDigits(text) = alias {
                        text.eq_ignore_ascii_case("hq");
                        text.to_str(&mut buffer);
                    }
                }
            }
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
