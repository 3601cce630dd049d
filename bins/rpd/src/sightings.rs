//! What was last seen of each host: whether its target takes connections, what went wrong, and the certificate that it
//! shows. Nothing is asked for this: clients that come find out.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::SystemTime,
};

use foldhash::fast::RandomState;
use rustls_pki_types::CertificateDer;

use crate::lock::lock;

/// By the first name of the host. Only rows of the configuration are in it.
#[derive(Debug, Default)]
pub struct Sightings(Mutex<HashMap<Box<str>, Arc<Sighting>, RandomState>>);

/// Of one host.
#[derive(Clone, Debug, Default)]
pub struct Sighting {
    /// Whether the last connection to it succeeded; nothing before the first.
    pub up: Option<bool>,
    /// The last one that did not, or broke its protocol.
    pub last_error: Option<(SystemTime, String)>,
    /// What it showed at the last whole handshake.
    pub certificate: Option<(SystemTime, CertificateDer<'static>)>,
}

impl Sightings {
    /// Of this host.
    pub fn of(&self, host: &str) -> Arc<Sighting> {
        lock(&self.0).get(host).cloned().unwrap_or_default()
    }

    /// Its target took a connection.
    pub fn reached(&self, host: &str) {
        let up = |sighting: &Sighting| sighting.up == Some(true);
        if !lock(&self.0).get(host).is_some_and(|sighting| up(sighting)) {
            self.change(host, |sighting| sighting.up = Some(true));
        }
    }

    /// Its target took none.
    pub fn unreachable(&self, host: &str, why: &str) {
        self.change(host, |sighting| {
            sighting.up = Some(false);
            sighting.last_error = Some((SystemTime::now(), why.to_owned()));
        });
    }

    /// It did not answer as it should.
    pub fn failed(&self, host: &str, why: &str) {
        self.change(host, |sighting| sighting.last_error = Some((SystemTime::now(), why.to_owned())));
    }

    /// It showed this certificate, good or not.
    pub fn showed(&self, host: &str, certificate: &CertificateDer<'_>) {
        let certificate = (SystemTime::now(), certificate.clone().into_owned());
        self.change(host, |sighting| sighting.certificate = Some(certificate));
    }

    /// There are no other hosts any more.
    pub fn keep(&self, is_host: impl Fn(&str) -> bool) {
        lock(&self.0).retain(|host, _| is_host(host));
    }

    fn change(&self, host: &str, change: impl FnOnce(&mut Sighting)) {
        let mut sightings = lock(&self.0);
        if !sightings.contains_key(host) {
            sightings.insert(host.into(), Arc::default());
        }
        if let Some(sighting) = sightings.get_mut(host) {
            change(Arc::make_mut(sighting));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_up_or_down_by_its_last_connection_and_an_error_stays_on_record() {
        let sightings = Sightings::default();
        assert_eq!(sightings.of("pbx").up, None);
        sightings.unreachable("pbx", "connection refused");
        assert_eq!(sightings.of("pbx").up, Some(false));
        sightings.reached("pbx");
        sightings.showed("pbx", &CertificateDer::from(vec![1]));
        let seen = sightings.of("pbx");
        assert_eq!(seen.up, Some(true));
        assert!(seen.last_error.as_ref().is_some_and(|(_, why)| why == "connection refused"));
        assert_eq!(seen.certificate.as_ref().map(|(_, der)| der.as_ref()), Some(&[1][..]));
        sightings.keep(|host| host != "pbx");
        assert_eq!(sightings.of("pbx").up, None);
    }
}
