//! Readers allocate nothing, whatever they read.

mod support;

use std::hint::black_box;

use rp_ldap::{Auth, ClientFollower, ClientStep, Request, ServiceFollower, answer, extract};

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

#[test]
fn followers_allocate_nothing() {
    for case in support::corpus(false).into_iter().chain(support::corpus(true)) {
        let info = allocation_counter::measure(|| {
            follow_requests(&case.bytes);
            for size in [1, 7, case.bytes.len().max(1)] {
                follow_answers(&case.bytes, size);
            }
        });
        assert_eq!(info.count_total, 0, "{}", case.name);
    }
}

fn follow_requests(mut octets: &[u8]) {
    let mut client = ClientFollower::new();
    client.layer_may_begin();
    loop {
        let passed = match black_box(client.step(octets)) {
            Ok(ClientStep::Pass(passed)) => passed,
            Ok(ClientStep::Decide(key)) => key.frame_len,
            Ok(ClientStep::More(_)) | Err(_) => return,
        };
        octets = &octets[passed..];
    }
}

fn follow_answers(octets: &[u8], size: usize) {
    let mut service = ServiceFollower::new();
    for id in 1..=3 {
        service.open_bind(id, Auth::Sasl { mechanism: b"PLAIN" }).unwrap();
    }
    for mut piece in octets.chunks(size) {
        while let Ok(step) = black_box(service.step(piece))
            && step.octets > 0
        {
            piece = &piece[step.octets..];
        }
    }
}
