//! The laws that every extractor keeps, on every vector, on broken ones, and on made-up ones.

mod support;

use proptest::prelude::*;
use rp_h323::{Answer, Error};
use rp_testkit::{Decision, laws};
use support::{corpus, decide};

#[test]
fn every_message_keeps_the_laws() {
    for case in corpus() {
        laws::check(&case.bytes, decide);
    }
}

#[test]
fn every_answer_keeps_the_laws() {
    for case in corpus() {
        laws::check(&case.bytes, |input| match Answer::parse(input) {
            Ok(answer) => Decision::key((answer, answer.to_string())),
            Err(Error::Incomplete(n)) => Decision::Incomplete(n.get()),
            Err(Error::Invalid(invalid)) => Decision::invalid(invalid),
        });
    }
}

#[test]
fn messages_in_a_row_keep_the_laws() {
    let all: Vec<u8> =
        corpus().into_iter().filter(|case| case.bytes.len() < 1000).flat_map(|c| c.bytes).collect();
    laws::check(&all, decide);
    let keep_alives = support::corpus_file("rrq_after_all_keepalives");
    laws::check(&[&keep_alives[..], &all].concat(), decide);
}

#[test]
fn a_whole_message_with_one_bit_changed_never_waits_for_more_of_itself() {
    for name in ["rrq_v7_gkid", "grq_v7_gkid", "setup_h323id"] {
        let message = support::corpus_file(name);
        for (at, bit) in (0..message.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
            let mut broken = message.clone();
            broken[at] ^= 1 << bit;
            // A message that has become a keep-alive is followed by another head.
            match decide(&broken) {
                Decision::Incomplete(n) => assert!(n == 1 || (2..4).contains(&at), "{name}: {at}, {bit}"),
                Decision::Key(_) | Decision::Invalid(_) => {}
            }
        }
    }
}

/// A corpus message with octets changed, left out and put in.
fn broken_message() -> impl Strategy<Value = Vec<u8>> {
    let messages: Vec<Vec<u8>> =
        corpus().into_iter().map(|case| case.bytes).filter(|bytes| bytes.len() < 500).collect();
    let change = (any::<prop::sample::Index>(), 0..3_u8, any::<u8>());
    (prop::sample::select(messages), prop::collection::vec(change, 1..6)).prop_map(
        |(mut message, changes)| {
            for (at, how, octet) in changes {
                let at = at.index(message.len());
                match how {
                    0 => message[at] = octet,
                    1 => message.insert(at, octet),
                    _ if message.len() > 1 => drop(message.remove(at)),
                    _ => {}
                }
            }
            message
        },
    )
}

/// Like [`broken_message`], but broken inside the RAS message, with all lengths around it right.
fn broken_ras() -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), any::<u8>());
    (prop::collection::vec(change, 1..8), any::<bool>()).prop_map(|(changes, rest)| {
        let mut ras = if rest {
            support::Rrq { rest: Some(|per| per.full_additions(9)), ..Default::default() }.ras()
        } else {
            support::Rrq::default().ras()
        };
        for (at, octet) in changes {
            let at = at.index(ras.len());
            ras[at] = octet;
        }
        support::tunnel(&[ras])
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn broken_messages_keep_the_laws(message in broken_message()) {
        laws::check(&message, decide);
    }

    #[test]
    fn broken_ras_keeps_the_laws(message in broken_ras()) {
        laws::check(&message, decide);
    }

    #[test]
    fn any_octets_keep_the_laws(mut octets in prop::collection::vec(any::<u8>(), 0..200)) {
        laws::check(&octets, decide);
        if let [version, ..] = octets.as_mut_slice() {
            *version = 3;
        }
        laws::check(&octets, decide);
        laws::check(&support::q931(support::SETUP, &support::user_user(&octets)), decide);
        laws::check(&support::facility(&octets), decide);
        laws::check(&support::tunnel(&[octets]), decide);
    }
}
