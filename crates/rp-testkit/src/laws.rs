//! The laws, the same for every extractor.
//!
//! 1. A decision (key or refusal) taken on a prefix stands on every longer input.
//! 2. `Incomplete(n)` is never too much: no decision exists with fewer than `n` more octets.
//! 3. A caller that waits for exactly the octets asked for comes to the same decision as one that has
//!    the whole input at once, however the input is cut.
//!
//! Linear work is not checked here: it is a matter of instruction counts (`benches/`).

use crate::{Decision, chunks};

/// Inputs up to this length are tried at every prefix; of longer ones so many octets at either end, and steps between.
const DENSE: usize = 2048;

/// Checks all laws on `input`: every prefix, continuations of it, and every chunking.
///
/// # Panics
/// If a law is broken, with the law, the prefix and both decisions.
pub fn check(input: &[u8], extract: impl Fn(&[u8]) -> Decision) {
    let whole = extract(input);
    let lengths = prefix_lengths(input.len());
    let mut decided: Option<(usize, Decision)> = None;
    let mut asked: Option<(usize, usize)> = None;
    for &len in &lengths {
        let now = extract(&input[..len]);
        match (&decided, &now) {
            (Some((at, before)), now) => assert_eq!(
                before,
                now,
                "law 1: decided at {at} octets, decided otherwise at {len} of {}",
                input.len()
            ),
            (None, Decision::Incomplete(n)) => {
                assert!(*n > 0, "law 2: asks for no octets at {len}");
                if asked.is_none_or(|(from, n)| from + n <= len) {
                    asked = Some((len, *n));
                }
            }
            (None, _) => {
                if let Some((from, n)) = asked {
                    assert!(
                        len >= from + n || !lengths.contains(&(len - 1)),
                        "law 2: {n} octets asked for at {from}, but {len} were enough: {now:?}"
                    );
                }
                decided = Some((len, now));
            }
        }
    }
    if let Some((at, decision)) = decided {
        check_continuations(input, at, &decision, &extract);
    }
    for pieces in chunks::sizes(input.len()) {
        let patient = patiently(input, &pieces, &extract);
        assert_eq!(patient, whole, "law 3: another decision when cut as {pieces:?}");
    }
}

/// What stands behind the deciding octets must not matter: other tails than the true one.
fn check_continuations(input: &[u8], at: usize, decision: &Decision, extract: &impl Fn(&[u8]) -> Decision) {
    for tail in
        [&b"\0\0\0\0"[..], b"\xff\xff\xff\xff\xff", b"\r\n\r\n", b"0\x0c\x02\x01\x01", b"\x03\0\0\x04"]
    {
        let mut longer = input[..at].to_vec();
        longer.extend_from_slice(tail);
        assert_eq!(
            &extract(&longer),
            decision,
            "law 1: {at} octets decided, other octets behind them change it: {tail:02x?}"
        );
    }
}

/// Reads piece by piece and asks again only when the octets asked for have come.
fn patiently(input: &[u8], pieces: &[usize], extract: &impl Fn(&[u8]) -> Decision) -> Decision {
    let mut have = 0;
    let mut wanted = 0;
    let mut last = extract(&[]);
    for piece in pieces {
        have += piece;
        if have < wanted {
            continue;
        }
        last = extract(&input[..have]);
        match last {
            Decision::Incomplete(n) => wanted = have + n,
            _ => return last,
        }
    }
    // A caller at the end of the stream asks once more; only the number asked for may differ.
    if have < wanted { extract(&input[..have]) } else { last }
}

fn prefix_lengths(len: usize) -> Vec<usize> {
    if len <= 2 * DENSE {
        return (0..=len).collect();
    }
    let middle = (DENSE..len - DENSE).step_by((len / DENSE).max(2));
    (0..DENSE).chain(middle).chain(len - DENSE..=len).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One octet of length, then as many octets.
    fn honest(input: &[u8]) -> Decision {
        match input.split_first() {
            None => Decision::Incomplete(1),
            Some((0, _)) => Decision::invalid("empty"),
            Some((&len, body)) if body.len() < usize::from(len) => {
                Decision::Incomplete(usize::from(len) - body.len())
            }
            Some((&len, body)) => Decision::key(&body[..usize::from(len)]),
        }
    }

    #[test]
    fn an_honest_extractor_passes() {
        for input in [&b""[..], b"\0", b"\x03abc", b"\x03abcdef", b"\x09abc"] {
            check(input, honest);
        }
    }

    #[test]
    #[should_panic(expected = "law 1")]
    fn a_key_that_grows_with_the_input_is_found() {
        check(b"\x01abc", |input| match input.len() {
            0 | 1 => Decision::Incomplete(1),
            _ => Decision::key(&input[1..]),
        });
    }

    #[test]
    #[should_panic(expected = "law 2")]
    fn asking_for_too_much_is_found() {
        check(b"\x03abc", |input| match honest(input) {
            Decision::Incomplete(n) => Decision::Incomplete(n + 1),
            decided => decided,
        });
    }

    #[test]
    #[should_panic(expected = "law 1")]
    fn looking_behind_the_message_is_found() {
        check(b"\x01a", |input| match honest(input) {
            Decision::Key(_) if input.ends_with(b"\xff") => Decision::invalid("looked behind"),
            decided => decided,
        });
    }
}
