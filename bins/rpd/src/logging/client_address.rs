//! What lines tell of a client's address: `log.client-address`. In the lists and to administrators it stands whole.

use std::{
    borrow::Cow,
    fmt,
    net::{IpAddr, SocketAddr},
    sync::{
        Mutex,
        atomic::{AtomicU8, Ordering},
    },
    time::SystemTime,
};

use aws_lc_rs::{hmac, rand};
use rp_guard::Network;

use crate::{config::ClientAddress, hex::hex, lock::lock};

/// From now on.
pub fn show(how: ClientAddress) {
    HOW.store(how as u8, Ordering::Relaxed);
}

/// Whether lines tell who somebody is.
pub fn is_full() -> bool {
    HOW.load(Ordering::Relaxed) == ClientAddress::Full as u8
}

/// An address, or a network of them, as a line tells it.
pub struct Shown<T>(pub T);

impl fmt::Display for Shown<SocketAddr> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_full() { self.0.fmt(f) } else { Shown(self.0.ip()).fmt(f) }
    }
}

impl fmt::Display for Shown<IpAddr> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_full() { self.0.fmt(f) } else { hidden(self.0, MOST_BITS).fmt(f) }
    }
}

impl fmt::Display for Shown<Network> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_full() { self.0.fmt(f) } else { hidden(self.0.addr(), self.0.prefix_len()).fmt(f) }
    }
}

/// A text without the address in it.
pub fn without(text: &str, address: IpAddr) -> Cow<'_, str> {
    if is_full() {
        return text.into();
    }
    text.replace(&address.to_string(), &Shown(address).to_string()).into()
}

/// A request without the user in it: its first word says what it is.
pub fn without_user(request: &str) -> &str {
    if is_full() { request } else { request.split([' ', ',']).next().unwrap_or_default() }
}

/// The beginning of a network of so many bits at most.
fn hidden(address: IpAddr, bits: u8) -> String {
    let address = address.to_canonical();
    if HOW.load(Ordering::Relaxed) == ClientAddress::Masked as u8 {
        masked(address, bits)
    } else {
        hashed(address)
    }
}

fn masked(address: IpAddr, bits: u8) -> String {
    match address {
        IpAddr::V4(address) => {
            let bits = bits.min(24);
            let mask = u32::MAX.checked_shl(u32::from(32 - bits)).unwrap_or(0);
            format!("{}/{bits}", std::net::Ipv4Addr::from(u32::from(address) & mask))
        }
        IpAddr::V6(address) => {
            let bits = bits.min(48);
            let mask = u128::MAX.checked_shl(u32::from(128 - bits)).unwrap_or(0);
            format!("{}/{bits}", std::net::Ipv6Addr::from(u128::from(address) & mask))
        }
    }
}

/// The same word for the same address on one day. The key is in no file and gone with the day, so that nobody can try all
/// addresses later.
fn hashed(address: IpAddr) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let today = now.as_secs() / 86_400;
    let mut salt = lock(&SALT);
    let key = match &*salt {
        Some((day, key)) if *day == today => key,
        _ => &salt.insert((today, fresh())).1,
    };
    let word = hmac::sign(key, address.to_string().as_bytes());
    hex(&word.as_ref()[..8])
}

fn fresh() -> hmac::Key {
    let mut octets = [0; 32];
    // Where there is no entropy, no TLS connection could have been made.
    let _ = rand::fill(&mut octets);
    hmac::Key::new(hmac::HMAC_SHA256, &octets)
}

static HOW: AtomicU8 = AtomicU8::new(ClientAddress::Full as u8);
static SALT: Mutex<Option<(u64, hmac::Key)>> = Mutex::new(None);

const MOST_BITS: u8 = 128;

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_masked_address_is_its_network() {
        assert_eq!(masked(address("203.0.113.7"), MOST_BITS), "203.0.113.0/24");
        assert_eq!(masked(address("203.0.113.0"), 16), "203.0.0.0/16");
        assert_eq!(masked(address("0.0.0.0"), 0), "0.0.0.0/0");
        assert_eq!(masked(address("2001:db8:17:1::5"), 64), "2001:db8:17::/48");
    }

    #[test]
    fn a_hashed_address_is_the_same_word_and_others_are_others() {
        let [one, again, other] =
            ["203.0.113.7", "203.0.113.7", "203.0.113.8"].map(|text| hashed(address(text)));
        assert_eq!((one.len(), &one), (16, &again));
        assert_ne!(one, other);
    }
}
