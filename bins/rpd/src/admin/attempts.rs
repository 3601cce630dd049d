//! Wrong tokens: whoever shows some has to wait longer and longer before the next one is looked at.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::Mutex,
    time::{Duration, Instant},
};

use crate::lock::lock;

/// Who has shown wrong tokens lately. An address that is not in here may try.
#[derive(Default)]
pub(super) struct Attempts(Mutex<HashMap<IpAddr, Failed>>);

#[derive(Clone, Copy)]
struct Failed {
    times: u32,
    last: Instant,
}

impl Failed {
    /// When the next token is looked at.
    fn again(self) -> Instant {
        let doublings = self.times.saturating_sub(FREE).min(16);
        let wait = if doublings == 0 { Duration::ZERO } else { FIRST * (1 << (doublings - 1)) };
        self.last + wait.min(LONGEST)
    }
}

impl Attempts {
    /// Whether a token of this source is looked at now; if not, how long that takes.
    pub(super) fn wait(&self, source: IpAddr, now: Instant) -> Option<Duration> {
        let failed = lock(&self.0).get(&key(source)).copied()?;
        Some(failed.again().saturating_duration_since(now)).filter(|wait| !wait.is_zero())
    }

    /// It has shown a wrong one.
    pub(super) fn failed(&self, source: IpAddr, now: Instant) {
        let mut all = lock(&self.0);
        all.retain(|_, failed| now.saturating_duration_since(failed.last) < FORGOTTEN);
        let source = key(source);
        if all.len() >= MOST
            && !all.contains_key(&source)
            && let Some(oldest) = all.iter().min_by_key(|(_, failed)| failed.last).map(|(key, _)| *key)
        {
            all.remove(&oldest);
        }
        let failed = all.entry(source).or_insert(Failed { times: 0, last: now });
        *failed = Failed { times: failed.times.saturating_add(1), last: now };
    }
}

/// Whoever has one IPv6 address has the 2⁶⁴ beside it.
pub(super) fn key(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

/// People mistype.
const FREE: u32 = 3;
const FIRST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(60);
const FORGOTTEN: Duration = Duration::from_secs(600);
const MOST: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn who_fails_again_and_again_waits_longer_and_longer() {
        let (attempts, source) = (Attempts::default(), address("192.0.2.1"));
        let mut now = Instant::now();
        let waits: Vec<u64> = (0..12)
            .map(|_| {
                attempts.failed(source, now);
                let wait = attempts.wait(source, now).unwrap_or_default();
                now += wait;
                assert_eq!(attempts.wait(source, now), None, "and then may try");
                wait.as_secs()
            })
            .collect();
        assert_eq!(waits, [0, 0, 0, 2, 4, 8, 16, 32, 60, 60, 60, 60]);
        assert_eq!(attempts.wait(address("192.0.2.2"), now), None, "others do not wait");
        attempts.failed(source, now + FORGOTTEN);
        assert_eq!(attempts.wait(source, now + FORGOTTEN), None, "all is forgotten after a while");
    }

    #[test]
    fn the_next_address_of_the_same_network_is_the_same_source() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        (0..10).for_each(|_| attempts.failed(address("2001:db8::1"), now));
        assert!(attempts.wait(address("2001:db8::2"), now).is_some());
        assert_eq!(attempts.wait(address("2001:db8:0:1::1"), now), None);
    }

    #[test]
    fn there_is_room_for_so_many_and_the_last_are_kept() {
        let (attempts, start) = (Attempts::default(), Instant::now());
        for number in 0..5000u32 {
            let source = std::net::Ipv4Addr::from_bits(number).into();
            (0..5).for_each(|_| attempts.failed(source, start + Duration::from_millis(number.into())));
        }
        assert_eq!(attempts.0.lock().expect("no panic").len(), MOST);
        let last = std::net::Ipv4Addr::from_bits(4999).into();
        assert!(attempts.wait(last, start + Duration::from_millis(4999)).is_some());
    }
}
