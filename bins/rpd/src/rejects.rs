//! Lines about refused requests: a few at once, then one a second for each source and reason. Whoever floods does not
//! fill the disk with it.

use std::{
    collections::HashMap,
    sync::Mutex,
    time::{Duration, Instant},
};

use rp_guard::Key;

use crate::{lock::lock, outcome::Reason};

/// What was refused lately, and not told.
#[derive(Debug, Default)]
pub struct Rejects(Mutex<Lines>);

/// The lines of the log about refusals, as far as they matter to the next ones.
#[derive(Debug, Default)]
struct Lines {
    of: HashMap<(Key, Reason), Told>,
    /// Refusals beyond [`MOST`] sources and reasons.
    others: u64,
}

#[derive(Debug)]
struct Told {
    /// When its lines would all be available again: each takes [`APART`].
    full_at: Instant,
    /// Refusals since the last line.
    more: u64,
}

impl Rejects {
    /// Whether this refusal has a line: then, how many before it had none.
    pub fn note(&self, source: Key, reason: Reason, now: Instant) -> Option<u64> {
        let mut lines = lock(&self.0);
        if let Some(told) = lines.of.get_mut(&(source, reason)) {
            if told.full_at.saturating_duration_since(now) > APART * (AT_ONCE - 1) {
                told.more += 1;
                return None;
            }
            told.full_at = told.full_at.max(now) + APART;
            return Some(std::mem::take(&mut told.more));
        }
        if lines.of.len() >= MOST {
            lines.of.retain(|_, told| told.more > 0 || told.full_at > now);
        }
        if lines.of.len() >= MOST {
            lines.others += 1;
            return None;
        }
        lines.of.insert((source, reason), Told { full_at: now + APART, more: 0 });
        Some(0)
    }

    /// All that had no line so far; and how many more there were.
    pub fn flush(&self, now: Instant) -> (Vec<(Key, Reason, u64)>, u64) {
        let mut lines = lock(&self.0);
        let untold = |((key, reason), told): (&(Key, Reason), &mut Told)| {
            let more = std::mem::take(&mut told.more);
            (more > 0).then_some((*key, *reason, more))
        };
        let untold = lines.of.iter_mut().filter_map(untold).collect();
        lines.of.retain(|_, told| told.full_at > now);
        (untold, std::mem::take(&mut lines.others))
    }
}

const APART: Duration = Duration::from_secs(1);

/// Lines of a source and reason that may come at once: all that lead to a ban at the usual threshold.
const AT_ONCE: u32 = 25;

/// Sources and reasons that are told apart.
const MOST: usize = 4096;

#[cfg(test)]
mod tests {
    use rp_guard::Keying;

    use super::*;

    fn key(number: u32) -> Key {
        Keying::default().key(std::net::Ipv4Addr::from(number).into())
    }

    #[test]
    fn a_source_and_reason_has_one_line_a_second_and_nothing_is_lost() {
        let (rejects, now) = (Rejects::default(), Instant::now());
        let after = |millis| now + Duration::from_millis(millis);
        for _ in 0..AT_ONCE {
            assert_eq!(rejects.note(key(1), Reason::Silent, now), Some(0));
        }
        assert_eq!(rejects.note(key(1), Reason::Silent, after(1)), None);
        assert_eq!(rejects.note(key(1), Reason::Silent, after(999)), None);
        assert_eq!(rejects.note(key(1), Reason::Malformed, after(1)), Some(0));
        assert_eq!(rejects.note(key(2), Reason::Silent, after(1)), Some(0));
        assert_eq!(rejects.note(key(1), Reason::Silent, after(1000)), Some(2));
        assert_eq!(rejects.note(key(1), Reason::Silent, after(1001)), None);
        assert_eq!(rejects.flush(after(1500)), (vec![(key(1), Reason::Silent, 1)], 0));
        assert_eq!(rejects.flush(after(60_000)), (vec![], 0));
        assert!(lock(&rejects.0).of.is_empty());
    }

    #[test]
    fn a_flood_of_sources_is_counted_in_one_number() {
        let (rejects, now) = (Rejects::default(), Instant::now());
        let lines = (0..10_000).filter(|number| rejects.note(key(*number), Reason::Silent, now).is_some());
        assert_eq!(lines.count(), MOST);
        assert_eq!(rejects.flush(now), (vec![], 10_000 - MOST as u64));
        assert!(rejects.note(key(20_000), Reason::Silent, now + APART).is_some());
    }
}
