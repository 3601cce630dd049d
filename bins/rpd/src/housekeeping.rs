//! What has to be done now and then, on a thread of its own: entries that ran out go, what had no line in the log is
//! summed up, and certificates that end soon are told of.

use std::{
    io,
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime},
};

use rp_guard::Filter;
use tracing::{error, warn};

use crate::{
    guard::{Gate, Summary},
    logging,
    rejects::Rejects,
    state::Live,
    tls::{Certificate, Validity},
};

/// The thread, until [`Housekeeping::end`].
pub struct Housekeeping {
    /// Dropped to end it.
    going_on: mpsc::Sender<()>,
    thread: JoinHandle<()>,
}

impl Housekeeping {
    /// Begins.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn start(gate: Arc<Gate>, rejects: Arc<Rejects>, live: Live) -> io::Result<Self> {
        let (going_on, end) = mpsc::channel::<()>();
        let mut rounds = Rounds { gate, rejects, live, summary: Summary::default(), evicted: 0 };
        let thread = thread::Builder::new().name("housekeeping".to_owned()).spawn(move || {
            for round in 1_u32.. {
                if end.recv_timeout(ROUND) != Err(RecvTimeoutError::Timeout) {
                    break;
                }
                rounds.sweep();
                if round.is_multiple_of(ROUNDS_A_SUMMARY) {
                    rounds.sum_up();
                }
                if round.is_multiple_of(ROUNDS_A_DAY) {
                    rounds.look_at_certificates();
                }
            }
        })?;
        Ok(Self { going_on, thread })
    }

    /// Waits for its end.
    pub fn end(self) {
        drop(self.going_on);
        if self.thread.join().is_err() {
            error!("housekeeping ended by a panic");
        }
    }
}

struct Rounds {
    gate: Arc<Gate>,
    rejects: Arc<Rejects>,
    live: Live,
    summary: Summary,
    /// Live evictions that have been told.
    evicted: u64,
}

impl Rounds {
    fn sweep(&mut self) {
        let ended = self.gate.guard.sweep(Instant::now());
        ended.iter().filter(|entry| !entry.observed).for_each(logging::unblocked);
        if !ended.is_empty() {
            self.gate.changed();
        }
        let (untold, others) = self.rejects.flush(Instant::now());
        untold.into_iter().for_each(|(source, reason, count)| logging::untold(source, reason, count));
        logging::untold_others(others);
    }

    fn sum_up(&mut self) {
        let now = Instant::now();
        let (refusing, others) = self.summary.of(self.gate.guard.entries(&Filter::default(), now));
        let wall = SystemTime::now();
        refusing.iter().for_each(|refusing| logging::refusing(refusing, wall));
        logging::refusing_others(others);
        let stats = self.gate.guard.stats(now);
        // A changed threshold makes a table anew, and its sums with it.
        if stats.live_evictions > self.evicted {
            warn!(
                evictions = stats.live_evictions - self.evicted,
                slots = stats.slots,
                "sources with suspicious requests were forgotten for want of room: slow attackers may be missed; \
                 raise guard.max-tracked"
            );
        }
        self.evicted = stats.live_evictions;
    }

    fn look_at_certificates(&self) {
        for (certificate, warning) in ending(&self.live.now().config.tls.certificates) {
            warn!(certificate = %certificate.path.display(), "{warning}");
        }
    }
}

/// Those that are out of date, or will be soon.
fn ending(certificates: &[Certificate]) -> impl Iterator<Item = (&Certificate, String)> {
    certificates.iter().filter_map(|certificate| {
        let validity = Validity::of(certificate.key.cert.first()?)?;
        Some((certificate, validity.warning()?))
    })
}

/// Between two rounds, and how many of them make a summary: one a minute.
const ROUND: Duration = Duration::from_secs(10);
const ROUNDS_A_SUMMARY: u32 = 6;
const ROUNDS_A_DAY: u32 = 24 * 60 * ROUNDS_A_SUMMARY;

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};
    use rustls::{crypto::aws_lc_rs, sign::CertifiedKey};
    use rustls_pki_types::PrivateKeyDer;
    use time::OffsetDateTime;

    use super::*;

    fn ends_in(days: i64) -> Certificate {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec!["example.com".to_owned()]).expect("a name");
        params.not_after = OffsetDateTime::now_utc() + time::Duration::days(days) + time::Duration::hours(1);
        let chain = vec![params.self_signed(&key).expect("a certificate").into()];
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let signer = aws_lc_rs::sign::any_supported_type(&key).expect("a key");
        let key = Arc::new(CertifiedKey::new(chain, signer));
        Certificate { path: format!("{days}.pem").into(), key, names: Vec::new() }
    }

    #[test]
    fn a_certificate_is_told_of_from_21_days_before_its_end() {
        let certificates = [ends_in(30), ends_in(22), ends_in(21), ends_in(1), ends_in(-2)];
        let told: Vec<_> = ending(&certificates).collect();
        let paths: Vec<_> =
            told.iter().map(|(certificate, _)| certificate.path.display().to_string()).collect();
        assert_eq!(paths, ["21.pem", "1.pem", "-2.pem"]);
        assert!(
            told[0].1.starts_with("the certificate ends in 21 days, on ") && told[2].1.contains("ended on")
        );
    }
}
