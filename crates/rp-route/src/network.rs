//! Networks that may use a host.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

/// A range of addresses with a common prefix.
///
/// An IPv6 address that maps an IPv4 address (RFC 4291, section 2.5.5.2) counts as that IPv4 address, here
/// and in [`contains`](Network::contains); so `::/0` covers no IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network(IpNet);

impl Network {
    /// Reads `192.0.2.7`, `192.0.2.0/24`, `192.0.2.0/255.255.255.0`, `192.0.2.0:255.255.255.0`,
    /// `2001:db8::7` or `2001:db8::/48`.
    ///
    /// # Errors
    /// The reason and, where it can be told, the network that was meant:
    ///
    /// ```
    /// let error = rp_route::network::Network::parse("192.0.2.7/24").unwrap_err();
    /// assert_eq!(error.to_string(), "bits are set that the mask clears; write `192.0.2.0/24`");
    /// ```
    pub fn parse(text: &str) -> Result<Self, NetworkError> {
        let (address, mask) = split(text);
        let address: IpAddr = address.parse().map_err(|_| NetworkError::Address(address.into()))?;
        let prefix = match (address, mask) {
            (_, None) => u8::MAX,
            (IpAddr::V4(address), Some((separator, mask))) if let Ok(mask) = mask.parse() => {
                masked(address, separator, mask)?
            }
            (_, Some((separator, mask))) => prefix_length(address, separator, mask)?,
        };
        let canonical = address.to_canonical();
        let unmapped = if canonical == address { Some(prefix) } else { prefix.checked_sub(MAPPED_PREFIX) };
        let network = Self::around(canonical, unmapped.unwrap_or(prefix));
        let clean = unmapped.is_some() && network.address() == canonical;
        if clean { Ok(network) } else { Err(NetworkError::HostBits { write: network }) }
    }

    /// The network of so many bits, at most as many as there are, that the address lies in.
    fn around(address: IpAddr, prefix: u8) -> Self {
        Self(IpNet::new(address, prefix).unwrap_or(address.into()).trunc())
    }

    /// Whether the address lies in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }

    /// The lowest address.
    pub fn address(&self) -> IpAddr {
        self.0.network()
    }

    /// The length of the common prefix in bits.
    pub fn prefix_length(&self) -> u8 {
        self.0.prefix_len()
    }
}

/// `192.0.2.0/24`; a single address stands without a length.
impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.prefix_len() == self.0.max_prefix_len() {
            write!(f, "{}", self.0.addr())
        } else {
            write!(f, "{}", self.0)
        }
    }
}

/// Many networks, made ready to be asked.
///
/// ```
/// use rp_route::network::{Network, Networks};
///
/// let networks = ["192.0.2.0/24", "2001:db8::/48"].map(|text| Network::parse(text).unwrap());
/// let networks = Networks::new(networks);
/// assert!(networks.contains("192.0.2.7".parse().unwrap()));
/// assert!(networks.contains("::ffff:192.0.2.7".parse().unwrap()));
/// assert!(!networks.contains("198.51.100.7".parse().unwrap()));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks {
    /// Ascending, none inside another. IPv4 comes before IPv6.
    apart: Box<[Network]>,
}

impl Networks {
    /// Makes them ready. Without any, no address is contained.
    pub fn new(networks: impl IntoIterator<Item = Network>) -> Self {
        let mut apart: Vec<_> = networks.into_iter().collect();
        apart.sort_unstable_by_key(|Network(net)| (net.addr(), Reverse(net.broadcast())));
        // Two networks overlap only if one lies in the other, and the wider one comes first here.
        apart.dedup_by(|Network(net), Network(widest)| net.broadcast() <= widest.broadcast());
        Self { apart: apart.into() }
    }

    /// Whether the address lies in one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let after = self.apart.partition_point(|Network(net)| net.addr() <= address);
        self.apart.get(..after).and_then(<[_]>::last).is_some_and(|Network(net)| address <= net.broadcast())
    }

    /// Those that lie in no other, ascending.
    pub fn iter(&self) -> impl Iterator<Item = &Network> {
        self.apart.iter()
    }
}

/// Why a text is no network.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NetworkError {
    /// This part is no address.
    Address(String),
    /// This part is neither a mask nor a prefix length.
    Mask(String),
    /// The address has bits set that the mask clears.
    HostBits {
        /// The network it lies in.
        write: Network,
    },
    /// The ones of the mask do not all stand left of its zeros.
    Holes {
        /// The network that was probably meant.
        write: Network,
    },
    /// The mask stands in front.
    Swapped {
        /// The right way round.
        write: String,
    },
}

impl core::error::Error for NetworkError {}

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(text) => write!(
                f,
                "`{text}` is no address; write 192.0.2.7, 192.0.2.0/24, 192.0.2.0/255.255.255.0 or 2001:db8::/48"
            ),
            Self::Mask(text) => write!(
                f,
                "`{text}` is neither a prefix length nor a mask; write 192.0.2.0/24, 192.0.2.0:255.255.255.0 or 2001:db8::/48"
            ),
            Self::HostBits { write } => write!(f, "bits are set that the mask clears; write `{write}`"),
            Self::Holes { write } => write!(f, "the mask has holes; write `{write}`"),
            Self::Swapped { write } => write!(f, "the mask stands in front of the address; write `{write}`"),
        }
    }
}

/// `::ffff:0:0/96` (RFC 4291, section 2.5.5.2).
const MAPPED_PREFIX: u8 = 96;

/// Address, separator and mask. An IPv6 address has at least two colons, so a single one separates.
fn split(text: &str) -> (&str, Option<(char, &str)>) {
    if let Some((address, mask)) = text.split_once('/') {
        return (address, Some(('/', mask)));
    }
    match text.split_once(':') {
        Some((address, mask)) if !mask.contains(':') => (address, Some((':', mask))),
        _ => (text, None),
    }
}

/// The prefix length that the mask stands for.
fn masked(address: Ipv4Addr, separator: char, mask: Ipv4Addr) -> Result<u8, NetworkError> {
    if is_surely_mask(address) && !is_surely_mask(mask) {
        let network = Network::around(mask.into(), prefix_of(address));
        return Err(NetworkError::Swapped { write: format!("{}{separator}{address}", network.address()) });
    }
    if is_mask(mask) {
        return Ok(prefix_of(mask));
    }
    // Ones on the right alone are a wildcard mask as routers have it; otherwise the last one is believed,
    // which never widens the network.
    let meant = if is_mask(!mask) { prefix_of(!mask) } else { prefix_of(mask) };
    Err(NetworkError::Holes { write: Network::around(address.into(), meant) })
}

/// Read as an address it would be one of class E, which nobody has.
fn is_surely_mask(mask: Ipv4Addr) -> bool {
    is_mask(mask) && mask >= Ipv4Addr::new(240, 0, 0, 0)
}

fn is_mask(mask: Ipv4Addr) -> bool {
    mask.to_bits().leading_ones() == u32::from(prefix_of(mask))
}

/// The bits up to the last one that is set.
fn prefix_of(mask: Ipv4Addr) -> u8 {
    u8::try_from(u32::BITS.saturating_sub(mask.to_bits().trailing_zeros())).unwrap_or(u8::MAX)
}

fn prefix_length(address: IpAddr, separator: char, text: &str) -> Result<u8, NetworkError> {
    let most = if address.is_ipv4() { 32 } else { 128 };
    let digits = separator == '/' && text.bytes().all(|octet| octet.is_ascii_digit());
    let prefix = text.parse().ok().filter(|prefix| digits && *prefix <= most);
    prefix.ok_or_else(|| NetworkError::Mask(text.into()))
}
