//! From the address of a peer to the key that is counted.

use std::error::Error;
use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use foldhash::SharedSeed;
use foldhash::fast::FoldHasher;

use crate::network::{Network, embedded};

/// What is counted: an address, masked as [`Keying`] says. Its size is 16 octets.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Key {
    // Two halves and not one u128, whose alignment would cost each slot of the window 8 octets.
    high: u64,
    low: u64,
}

impl Key {
    /// The first address of the key.
    pub fn addr(self) -> IpAddr {
        IpAddr::V6(Ipv6Addr::from(self.bits())).to_canonical()
    }

    fn bits(self) -> u128 {
        u128::from(self.high) << 64 | u128::from(self.low)
    }

    #[expect(clippy::cast_possible_truncation, reason = "the two halves")]
    fn new(addr: IpAddr) -> Self {
        let bits = match addr {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
            IpAddr::V6(v6) => v6.to_bits(),
        };
        Self { high: (bits >> 64) as u64, low: bits as u64 }
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(self.bits());
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.addr().fmt(f)
    }
}

/// How addresses become keys.
///
/// The default counts each IPv4 address, each IPv6 /64, and IPv4 addresses behind `64:ff9b::/96` as
/// themselves. Loopback and link-local addresses are never masked: `::/64` and `fe80::/64` would make one
/// source of a whole machine or LAN.
///
/// ```
/// use rp_guard::Keying;
///
/// let keys = Keying::default();
/// let key = |addr: &str| keys.key(addr.parse().unwrap());
/// assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));
/// assert_eq!(key("64:ff9b::192.0.2.1"), key("192.0.2.1"));
/// assert_eq!(key("2001:db8::1"), key("2001:db8::2"));
/// assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
/// assert_ne!(key("fe80::a"), key("fe80::b"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keying {
    ipv4_prefix: u8,
    ipv6_prefix: u8,
    nat64: Vec<Ipv6Addr>,
}

impl Keying {
    /// Keys of `ipv4_prefix` (24 to 32) and `ipv6_prefix` (48 to 128) bits; IPv4 addresses in the last 32
    /// bits of a prefix in `nat64` count as themselves (RFC 6052 2.2).
    ///
    /// # Errors
    /// A prefix out of its bounds, or a NAT64 prefix that is not an IPv6 network of 96 bits.
    pub fn new(ipv4_prefix: u8, ipv6_prefix: u8, nat64: &[Network]) -> Result<Self, KeyingError> {
        if !(24..=32).contains(&ipv4_prefix) {
            return Err(KeyingError::Ipv4Prefix(ipv4_prefix));
        }
        if !(48..=128).contains(&ipv6_prefix) {
            return Err(KeyingError::Ipv6Prefix(ipv6_prefix));
        }
        let nat64 = nat64
            .iter()
            .map(|network| match network.addr() {
                IpAddr::V6(addr) if network.prefix_len() == 96 => Ok(addr),
                _ => Err(KeyingError::Nat64(*network)),
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { ipv4_prefix, ipv6_prefix, nat64 })
    }

    /// The key that `addr` is counted under.
    pub fn key(&self, addr: IpAddr) -> Key {
        self.mask(self.unfold(addr))
    }

    /// All addresses of `key`.
    pub fn network(&self, key: Key) -> Network {
        let addr = key.addr();
        Network::around(addr, self.prefix(addr))
    }

    /// Whether an entry of `network` is about `addr`, whatever clothes the two are in.
    ///
    /// ```
    /// let keys = rp_guard::Keying::default();
    /// let office = "192.0.2.0/24".parse().unwrap();
    /// assert!(keys.covers(office, "64:ff9b::192.0.2.7".parse().unwrap()));
    /// ```
    pub fn covers(&self, network: Network, addr: IpAddr) -> bool {
        self.unfold_network(network).contains(self.unfold(addr))
    }

    /// The address itself, out of v4-mapped and NAT64 clothes. The lists go by this one.
    pub(crate) fn unfold(&self, addr: IpAddr) -> IpAddr {
        match addr.to_canonical() {
            IpAddr::V6(v6) => self.nat64_inside(&v6).map_or(IpAddr::V6(v6), IpAddr::V4),
            v4 => v4,
        }
    }

    /// The same for a network, so that an entry written in NAT64 clothes is in force.
    pub(crate) fn unfold_network(&self, network: Network) -> Network {
        let IpAddr::V6(addr) = network.addr() else { return network };
        embedded(addr, network.prefix_len(), |addr| self.nat64_inside(addr))
            .and_then(|net| Network::new(net).ok())
            .unwrap_or(network)
    }

    /// The key of an address that is unfolded already.
    pub(crate) fn mask(&self, addr: IpAddr) -> Key {
        Key::new(Network::around(addr, self.prefix(addr)).addr())
    }

    /// The key whose addresses are exactly those of `network`.
    pub(crate) fn key_of(&self, network: Network) -> Option<Key> {
        let key = self.key(network.addr());
        (self.network(key) == network).then_some(key)
    }

    fn prefix(&self, addr: IpAddr) -> u8 {
        match addr {
            IpAddr::V4(v4) if v4.is_loopback() || v4.is_link_local() => 32,
            IpAddr::V4(_) => self.ipv4_prefix,
            IpAddr::V6(v6) if v6.is_loopback() || v6.is_unicast_link_local() => 128,
            IpAddr::V6(_) => self.ipv6_prefix,
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "the last 32 bits are meant")]
    fn nat64_inside(&self, addr: &Ipv6Addr) -> Option<Ipv4Addr> {
        let bits = addr.to_bits();
        let inside = self.nat64.iter().any(|prefix| (bits ^ prefix.to_bits()) >> 32 == 0);
        inside.then(|| Ipv4Addr::from(bits as u32))
    }
}

impl Default for Keying {
    fn default() -> Self {
        // RFC 6052 2.1: the well-known prefix.
        Self { ipv4_prefix: 32, ipv6_prefix: 64, nat64: vec![Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0)] }
    }
}

/// Why a [`Keying`] cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyingError {
    /// An IPv4 prefix outside 24 to 32.
    Ipv4Prefix(u8),
    /// An IPv6 prefix outside 48 to 128.
    Ipv6Prefix(u8),
    /// A NAT64 prefix that is not an IPv6 network of 96 bits.
    Nat64(Network),
}

impl Error for KeyingError {}

impl fmt::Display for KeyingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ipv4Prefix(given) => {
                write!(
                    f,
                    "an IPv4 source of {given} bits; 24 (a neighbourhood) to 32 (one address) is wanted"
                )
            }
            Self::Ipv6Prefix(given) => {
                write!(f, "an IPv6 source of {given} bits; 48 (a site) to 128 (one address) is wanted")
            }
            Self::Nat64(given) => write!(f, "{given} is no NAT64 prefix; an IPv6 network of /96 is wanted"),
        }
    }
}

/// Secrets that the embedder draws once per process from a good source. Whoever knows them can choose
/// addresses that fall into one set of the window.
#[derive(Clone, Copy)]
pub struct Seeds {
    /// Two random numbers for the hash of keys.
    pub hash: [u64; 2],
}

impl fmt::Debug for Seeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seeds(secret)")
    }
}

/// Hashes keys under the seeds, for the window and for the maps of bans.
#[derive(Clone)]
pub(crate) struct Secret {
    start: u64,
    shared: SharedSeed,
}

impl Secret {
    pub(crate) fn new(seeds: Seeds) -> Self {
        let [start, shared] = seeds.hash;
        Self { start, shared: SharedSeed::from_u64(shared) }
    }

    pub(crate) fn hash(&self, key: Key) -> u64 {
        self.hash_one(key)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl BuildHasher for Secret {
    type Hasher = SecretHasher;

    fn build_hasher(&self) -> SecretHasher {
        SecretHasher { secret: self.clone(), hash: 0 }
    }
}

/// foldhash, but with a secret of this guard in place of one that lives as long as the program.
pub(crate) struct SecretHasher {
    secret: Secret,
    hash: u64,
}

impl Hasher for SecretHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.hash = self.fold(|hasher| hasher.write(bytes));
    }

    fn write_u128(&mut self, bits: u128) {
        self.hash = self.fold(|hasher| hasher.write_u128(bits));
    }

    fn finish(&self) -> u64 {
        self.hash
    }
}

impl SecretHasher {
    fn fold(&self, write: impl FnOnce(&mut FoldHasher<'_>)) -> u64 {
        let mut hasher = FoldHasher::with_seed(self.secret.start ^ self.hash, &self.secret.shared);
        write(&mut hasher);
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn network(text: &str) -> Network {
        text.parse().unwrap()
    }

    #[test]
    fn a_key_stands_for_the_network_that_is_counted() {
        let keys = Keying::new(24, 56, &[network("2001:db8:64::/96")]).unwrap();
        let rows = [
            ("192.0.2.77", "192.0.2.0/24"),
            ("::ffff:192.0.2.77", "192.0.2.0/24"),
            ("2001:db8:64::192.0.2.77", "192.0.2.0/24"),
            ("64:ff9b::192.0.2.77", "64:ff9b::/56"),
            ("2001:db8:0:12ff::1", "2001:db8:0:1200::/56"),
            ("127.0.0.2", "127.0.0.2/32"),
            ("169.254.7.7", "169.254.7.7/32"),
            ("2001:db8:64::127.0.0.2", "127.0.0.2/32"),
            ("::1", "::1/128"),
            ("fe80::a", "fe80::a/128"),
            ("febf::a", "febf::a/128"),
            ("fec0::a", "fec0::/56"),
            ("2002:c000:024d::1", "2002:c000:24d::/56"),
            ("2001::53aa:64c:0:7f6f:3fff:fdb2", "2001:0:53aa:600::/56"),
        ];
        for (given, counted) in rows {
            assert_eq!(keys.network(keys.key(addr(given))), network(counted), "{given}");
            assert_eq!(keys.key_of(network(counted)), Some(keys.key(addr(given))), "{given}");
        }
    }

    #[test]
    fn only_the_network_of_one_key_is_a_key() {
        let keys = Keying::default();
        for text in
            ["192.0.2.0/24", "2001:db8::/48", "2001:db8::1/128", "fe80::/64", "64:ff9b::192.0.2.1/128"]
        {
            assert_eq!(keys.key_of(network(text)), None, "{text}");
        }
    }

    #[test]
    fn networks_are_unfolded_like_addresses() {
        let keys = Keying::default();
        let rows = [
            ("64:ff9b::192.0.2.0/120", "192.0.2.0/24"),
            ("64:ff9b::/96", "0.0.0.0/0"),
            ("64:ff9b::/95", "64:ff9b::/95"),
            ("2001:db8::/120", "2001:db8::/120"),
            ("10.0.0.0/8", "10.0.0.0/8"),
        ];
        for (given, meant) in rows {
            assert_eq!(keys.unfold_network(network(given)), network(meant), "{given}");
        }
    }

    #[test]
    fn prefixes_out_of_bounds_are_refused() {
        assert_eq!(Keying::new(23, 64, &[]), Err(KeyingError::Ipv4Prefix(23)));
        assert_eq!(Keying::new(33, 64, &[]), Err(KeyingError::Ipv4Prefix(33)));
        assert_eq!(Keying::new(32, 47, &[]), Err(KeyingError::Ipv6Prefix(47)));
        assert_eq!(Keying::new(32, 129, &[]), Err(KeyingError::Ipv6Prefix(129)));
        let short = network("2001:db8::/64");
        assert_eq!(Keying::new(32, 64, &[short]), Err(KeyingError::Nat64(short)));
        let v4 = network("192.0.2.0/24");
        assert_eq!(Keying::new(32, 64, &[v4]), Err(KeyingError::Nat64(v4)));
    }

    #[test]
    fn the_hash_depends_on_both_seeds() {
        let key = Keying::default().key(addr("192.0.2.1"));
        let hash = |hash| Secret::new(Seeds { hash }).hash(key);
        assert_eq!(hash([1, 2]), hash([1, 2]));
        assert_ne!(hash([1, 2]), hash([1, 3]));
        assert_ne!(hash([1, 2]), hash([3, 2]));
    }
}
