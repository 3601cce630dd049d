//! Readers allocate nothing, whatever they read.

mod support;

use std::hint::black_box;

use rp_ldap::{Request, answer, extract};

#[test]
fn nothing_is_allocated_for_any_case() {
    for case in support::corpus(false).into_iter().chain(support::corpus(true)) {
        let info = allocation_counter::measure(|| {
            if let Ok(key) = black_box(extract(&case.bytes))
                && let Request::Bind(bind) = key.request
            {
                black_box(bind.domain.text(&mut [0; 253]));
            }
            let _ = black_box(answer(&case.bytes));
        });
        assert_eq!(info.count_total, 0, "{}", case.name);
    }
}

#[test]
fn nested_and_announced_elements_cost_nothing() {
    let nested = (0..2_000).fold(Vec::new(), |inner, _| support::tlv(0x30, &inner));
    let search = support::message(&support::tlv(0x63, &nested));
    for octets in [&nested[..], &search, b"\x30\x84\xff\xff\xff\xff\x02\x01\x01\x64\x84\xff\xff\xff\xf6"] {
        let info = allocation_counter::measure(|| {
            let _ = black_box(extract(octets));
            let _ = black_box(answer(octets));
        });
        assert_eq!(info.count_total, 0);
    }
}
