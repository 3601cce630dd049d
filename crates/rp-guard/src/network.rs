//! One network in the only way to write it: no host bits, IPv4 never dressed up as IPv6.

use std::error::Error;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net};

/// A network without host bits. IPv4 and IPv6 are two families: `::/0` holds no IPv4 address.
///
/// Networks sort by family, first address and length, so that a network comes before those inside it.
///
/// ```
/// use rp_guard::Network;
///
/// let office: Network = "192.0.2.0/24".parse().unwrap();
/// assert!(office.contains("192.0.2.7".parse().unwrap()));
/// let error = "192.0.2.7/24".parse::<Network>().unwrap_err();
/// assert_eq!(error.to_string(), "192.0.2.7/24 has host bits set; the network meant is 192.0.2.0/24");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network(IpNet);

impl Network {
    /// The network of exactly this address and length; `::ffff:192.0.2.0/120` is `192.0.2.0/24`.
    ///
    /// # Errors
    /// [`NetworkError::HostBits`] where the address has bits set behind the prefix.
    pub fn new(net: IpNet) -> Result<Self, NetworkError> {
        let meant = Self(canonical(net.trunc()));
        if net.trunc() == net { Ok(meant) } else { Err(NetworkError::HostBits { given: net, meant }) }
    }

    /// The network of one address alone.
    pub fn host(addr: IpAddr) -> Self {
        Self(IpNet::from(addr.to_canonical()))
    }

    /// The network of `prefix` bits that `addr` is in; more bits than the family has are all of them.
    pub(crate) fn around(addr: IpAddr, prefix: u8) -> Self {
        let addr = addr.to_canonical();
        Self(IpNet::new(addr, prefix).map_or_else(|_| IpNet::from(addr), |net| net.trunc()))
    }

    /// The first address.
    pub fn addr(&self) -> IpAddr {
        self.0.addr()
    }

    /// The last address.
    pub fn last(&self) -> IpAddr {
        self.0.broadcast()
    }

    /// The number of leading bits that are the network's.
    pub fn prefix_len(&self) -> u8 {
        self.0.prefix_len()
    }

    /// Whether `addr` lies inside. A v4-mapped address is the IPv4 address in it.
    pub fn contains(&self, addr: IpAddr) -> bool {
        self.0.contains(&addr.to_canonical())
    }

    /// Whether all of `other` lies inside.
    pub fn covers(&self, other: Self) -> bool {
        self.0.contains(&other.0)
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    /// Reads `192.0.2.0/24`, `2001:db8::/32`, or an address, which stands for itself alone.
    fn from_str(text: &str) -> Result<Self, NetworkError> {
        if let Ok(addr) = text.parse() {
            return Ok(Self::host(addr));
        }
        Self::new(text.parse().map_err(|_| NetworkError::NotANetwork)?)
    }
}

impl From<Network> for IpNet {
    fn from(network: Network) -> Self {
        network.0
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why something is not a [`Network`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NetworkError {
    /// Not an address, and not an address with a length.
    NotANetwork,
    /// The address has bits set behind the prefix.
    HostBits {
        /// What was given.
        given: IpNet,
        /// The network that it lies in.
        meant: Network,
    },
}

impl Error for NetworkError {}

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotANetwork => {
                f.write_str("not a network; wanted is 192.0.2.0/24, 2001:db8::/32 or an address")
            }
            Self::HostBits { given, meant } => {
                write!(f, "{given} has host bits set; the network meant is {meant}")
            }
        }
    }
}

/// Networks inside `::ffff:0:0/96` are networks of IPv4 addresses (RFC 4291 2.5.5.2).
fn canonical(net: IpNet) -> IpNet {
    match net {
        IpNet::V6(v6) => embedded(v6.addr(), v6.prefix_len(), Ipv6Addr::to_ipv4_mapped).unwrap_or(net),
        IpNet::V4(_) => net,
    }
}

/// The IPv4 network in the last 32 bits of a /96 or longer, if `unfold` finds an address there.
pub(crate) fn embedded(
    addr: Ipv6Addr,
    prefix: u8,
    unfold: impl Fn(&Ipv6Addr) -> Option<Ipv4Addr>,
) -> Option<IpNet> {
    let net = Ipv4Net::new(unfold(&addr)?, prefix.checked_sub(96)?).ok()?;
    Some(IpNet::V4(net))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap()
    }

    #[test]
    fn a_mapped_network_is_the_ipv4_network() {
        assert_eq!(network("::ffff:192.0.2.0/120"), network("192.0.2.0/24"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1/32"));
        assert_eq!(network("::ffff:0:0/96"), network("0.0.0.0/0"));
    }

    #[test]
    fn the_two_families_stay_apart() {
        assert!(!network("::/0").contains("192.0.2.1".parse().unwrap()));
        assert!(!network("::/0").contains("::ffff:192.0.2.1".parse().unwrap()));
        assert!(!network("::/0").covers(network("192.0.2.0/24")));
        assert!(network("192.0.2.0/24").contains("::ffff:192.0.2.1".parse().unwrap()));
    }

    #[test]
    fn what_is_not_a_network_is_refused() {
        for text in ["", "192.0.2.0/33", "::/129", "192.0.2/24", "host.example", "192.0.2.0/-1"] {
            assert_eq!(text.parse::<Network>(), Err(NetworkError::NotANetwork), "{text}");
        }
        for text in ["192.0.2.1/24", "2001:db8::1/64", "0.0.0.1/0"] {
            assert!(matches!(text.parse::<Network>(), Err(NetworkError::HostBits { .. })), "{text}");
        }
    }

    #[test]
    fn a_network_sorts_before_those_inside_it() {
        let mut networks = ["::/0", "10.0.0.0/16", "10.0.0.0/8", "10.0.0.0/32", "9.0.0.0/8"].map(network);
        networks.sort();
        let sorted = ["9.0.0.0/8", "10.0.0.0/8", "10.0.0.0/16", "10.0.0.0/32", "::/0"].map(network);
        assert_eq!(networks, sorted);
    }
}
