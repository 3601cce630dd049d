//! How large the window has to be: slow attackers beside floods that fill it, over three minutes.
//!
//! A slow attacker sends 25 events a minute, each flooding source fewer than the threshold of 20. Whatever
//! the load, no flooding source may get banned; whether the attackers are caught depends on the slots.

mod model;

use std::collections::VecDeque;
use std::net::IpAddr;

use model::{SEEDS, after, start};
use rp_guard::{Event, Guard, Policy, Verdict};

const ATTACKERS: u32 = 100;
const ATTACK_EVERY: i64 = 2_400;
const MINUTES: i64 = 3;

/// One row: a flood and the table that it meets.
struct Flood {
    per_second: u32,
    slots: usize,
    /// Distinct sources and how many events each sends in a row; `None`: every event has a source of its own.
    bursts: Option<(u32, u32)>,
    /// Attackers caught, of 100.
    caught: std::ops::RangeInclusive<usize>,
}

const SOURCES: Option<(u32, u32)> = Some((1_000_000, 4));

const FLOODS: [Flood; 7] = [
    Flood { per_second: 20_000, slots: 131_072, bursts: None, caught: 100..=100 },
    Flood { per_second: 50_000, slots: 131_072, bursts: None, caught: 100..=100 },
    Flood { per_second: 200_000, slots: 131_072, bursts: None, caught: 0..=2 },
    Flood { per_second: 200_000, slots: 1_048_576, bursts: None, caught: 100..=100 },
    Flood { per_second: 20_000, slots: 131_072, bursts: SOURCES, caught: 100..=100 },
    Flood { per_second: 100_000, slots: 131_072, bursts: SOURCES, caught: 0..=30 },
    Flood { per_second: 100_000, slots: 1_048_576, bursts: SOURCES, caught: 100..=100 },
];

impl Flood {
    /// Runs the flood at one part in `scale` of its rate, sources and slots.
    fn run(&self, scale: u32) -> usize {
        let slots = self.slots / scale as usize;
        let start = start();
        let guard = Guard::new(&Policy { max_tracked: slots, ..Policy::default() }, SEEDS, start);
        let mut attackers: Vec<VecDeque<i64>> = (0..ATTACKERS).map(|_| VecDeque::with_capacity(64)).collect();
        let mut caught = 0;
        let mut sent = 0;
        let allocations = allocation_counter::measure(|| {
            for now in 0..MINUTES * 60_000 {
                let due = i64::from(self.per_second) * now / 1000 / i64::from(scale);
                while i64::from(sent) < due {
                    let verdict = guard.report(self.source(sent, scale), Event::default(), after(start, now));
                    assert!(matches!(verdict, Verdict::Counted { .. }), "false ban: {verdict:?}");
                    sent += 1;
                }
                for attacker in 0..ATTACKERS {
                    if (now + i64::from(attacker) * 24) % ATTACK_EVERY == 0 {
                        let times = &mut attackers[attacker as usize];
                        times.push_back(now);
                        while times.front().is_some_and(|first| now - first >= 60_000) {
                            times.pop_front();
                        }
                        let addr = IpAddr::V4((0xcb00_7100 + attacker).into());
                        if let Verdict::Banned(_) = guard.report(addr, Event::default(), after(start, now)) {
                            assert!(times.len() > 20, "banned after {} events", times.len());
                            caught += 1;
                        }
                    }
                }
            }
        });
        assert_eq!(allocations.count_total, 0, "memory is flat, bans included");
        let stats = guard.stats(after(start, MINUTES * 60_000));
        assert_eq!(stats.slots, slots);
        println!("{:>7}/s {:>9} slots: {caught} caught, {stats:?}", self.per_second, self.slots);
        caught
    }

    fn source(&self, sent: u32, scale: u32) -> IpAddr {
        let source = match self.bursts {
            Some((sources, events)) => sent / events % (sources / scale),
            None => sent,
        };
        IpAddr::V4((0x0100_0000 + source).into())
    }
}

#[test]
fn slow_attackers_are_caught_beside_floods_that_the_window_is_made_for_on_a_small_scale() {
    for flood in FLOODS {
        let caught = flood.run(64);
        // A small table is missed by chance more often than a large one.
        let most = *flood.caught.end();
        let least = flood.caught.start().saturating_sub(5);
        assert!((least..=most + 5).contains(&caught), "{caught} caught at {}/s", flood.per_second);
    }
}

#[test]
#[ignore = "takes a minute in release"]
fn slow_attackers_are_caught_beside_floods_that_the_window_is_made_for() {
    for flood in FLOODS {
        let caught = flood.run(1);
        assert!(flood.caught.contains(&caught), "{caught} caught at {}/s", flood.per_second);
    }
}
