//! Networks: their spellings, and what they contain.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use rp_route::network::{Network, NetworkError, Networks};

fn network(text: &str) -> Network {
    Network::parse(text).unwrap()
}

#[test]
fn all_spellings_of_a_network_are_equal() {
    for (written, canonical) in [
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7/32", "192.0.2.7"),
        ("192.0.2.7:255.255.255.255", "192.0.2.7"),
        ("192.0.2.0/24", "192.0.2.0/24"),
        ("192.0.2.0/255.255.255.0", "192.0.2.0/24"),
        ("192.0.2.0:255.255.255.0", "192.0.2.0/24"),
        ("0.0.0.0:0.0.0.0", "0.0.0.0/0"),
        ("2001:DB8::/48", "2001:db8::/48"),
        ("2001:db8::7", "2001:db8::7"),
        ("::/0", "::/0"),
        ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
    ] {
        assert_eq!(network(written).to_string(), canonical, "{written}");
        assert_eq!(network(canonical), network(written));
    }
}

#[test]
fn a_refused_network_comes_with_the_network_meant() {
    let host_bits = |text| NetworkError::HostBits { write: network(text) };
    let holes = |text| NetworkError::Holes { write: network(text) };
    let swapped = |text: &str| NetworkError::Swapped { write: text.into() };
    let address = |text: &str| NetworkError::Address(text.into());
    let mask = |text: &str| NetworkError::Mask(text.into());
    for (written, error) in [
        ("192.0.2.7/24", host_bits("192.0.2.0/24")),
        ("192.0.2.7:255.255.255.0", host_bits("192.0.2.0/24")),
        ("2001:db8::1/48", host_bits("2001:db8::/48")),
        ("::ffff:192.0.2.7/120", host_bits("192.0.2.0/24")),
        ("::ffff:192.0.2.7/24", host_bits("192.0.2.0/24")),
        ("10.0.0.0:255.225.255.0", holes("10.0.0.0/24")),
        ("10.1.2.3/255.0.255.0", holes("10.1.2.0/24")),
        ("192.0.2.0/0.0.0.255", holes("192.0.2.0/24")),
        ("255.255.255.0:192.0.2.0", swapped("192.0.2.0:255.255.255.0")),
        ("255.255.255.0/192.0.2.7", swapped("192.0.2.0/255.255.255.0")),
        ("255.0.0.0:192.0.0.0", swapped("192.0.0.0:255.0.0.0")),
        ("", address("")),
        ("pbx.example.com", address("pbx.example.com")),
        ("[2001:db8::1]", address("[2001:db8::1]")),
        ("192.0.2.010", address("192.0.2.010")),
        ("192.0.2.7/33", mask("33")),
        ("192.0.2.7/", mask("")),
        ("192.0.2.0/+24", mask("+24")),
        ("192.0.2.7:5060", mask("5060")),
        ("192.0.2.0:24", mask("24")),
        ("2001:db8::/129", mask("129")),
        ("2001:db8::/255.255.0.0", mask("255.255.0.0")),
        ("2001:db8::/ffff:ffff::", mask("ffff:ffff::")),
    ] {
        assert_eq!(Network::parse(written), Err(error), "{written}");
    }
}

#[test]
fn a_mapped_address_counts_as_ipv4_and_the_whole_of_ipv6_does_not_cover_ipv4() {
    let mapped: IpAddr = "::ffff:192.0.2.7".parse().unwrap();
    assert!(network("192.0.2.0/24").contains(mapped));
    assert!(network("::ffff:192.0.2.0/120").contains("192.0.2.7".parse().unwrap()));
    assert!(!network("::/0").contains(mapped));
    assert!(!network("::/0").contains("192.0.2.7".parse().unwrap()));
    assert!(!network("0.0.0.0/0").contains("2001:db8::1".parse().unwrap()));
    assert!(Networks::new([network("192.0.2.0/24")]).contains(mapped));
    assert!(!Networks::new([network("::/0")]).contains(mapped));
}

#[test]
fn without_networks_no_address_is_contained() {
    assert!(!Networks::new([]).contains("192.0.2.7".parse().unwrap()));
}

/// Addresses that differ in few bits, so that networks of them meet often.
fn address() -> impl Strategy<Value = IpAddr> {
    let bits = prop_oneof![0..64_u32, Just(u32::MAX), any::<u32>()];
    (bits, 0..3).prop_map(|(bits, family)| match family {
        0 => Ipv4Addr::from_bits(bits).into(),
        1 => Ipv4Addr::from_bits(bits).to_ipv6_mapped().into(),
        _ => Ipv6Addr::from_bits(u128::from(bits) << 96 | u128::from(bits)).into(),
    })
}

fn any_network() -> impl Strategy<Value = Network> {
    (address(), 0..=128_u8).prop_map(|(address, prefix)| match address.to_canonical() {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(u32::from(prefix % 33)).unwrap_or(0);
            let text =
                format!("{}:{}", Ipv4Addr::from_bits(address.to_bits() & mask), Ipv4Addr::from_bits(mask));
            network(&text)
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(u32::from(128 - prefix)).unwrap_or(0);
            network(&format!("{}/{prefix}", Ipv6Addr::from_bits(address.to_bits() & mask)))
        }
    })
}

/// By the octets, bit for bit.
fn naive(network: Network, address: IpAddr) -> bool {
    let octets = |address: IpAddr| match address.to_canonical() {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let (first, address) = (octets(network.address()), octets(address));
    let bit = |octets: &[u8], at: usize| octets[at / 8] >> (7 - at % 8) & 1;
    let prefix = usize::from(network.prefix_length());
    first.len() == address.len() && (0..prefix).all(|at| bit(&first, at) == bit(&address, at))
}

proptest! {
    #[test]
    fn networks_equal_their_naive_twin(
        networks in prop::collection::vec(any_network(), 0..20),
        addresses in prop::collection::vec(address(), 20),
    ) {
        let all = Networks::new(networks.iter().copied());
        for address in addresses {
            prop_assert_eq!(all.contains(address), networks.iter().any(|&network| naive(network, address)));
            for network in &networks {
                prop_assert_eq!(network.contains(address), naive(*network, address));
            }
        }
    }

    #[test]
    fn a_network_meant_is_one(address in address(), prefix in 0..=128_u8, mask in address()) {
        let colon = if address.is_ipv4() { ':' } else { '/' };
        for text in [format!("{address}/{prefix}"), format!("{address}/{mask}"), format!("{address}{colon}{mask}")] {
            match Network::parse(&text) {
                Ok(network) => prop_assert!(network.contains(address)),
                Err(NetworkError::HostBits { write } | NetworkError::Holes { write }) => {
                    prop_assert!(write.contains(address));
                    prop_assert_eq!(Network::parse(&write.to_string()), Ok(write));
                }
                Err(NetworkError::Swapped { write }) => {
                    prop_assert!(Network::parse(&write).is_ok());
                }
                Err(_) => {}
            }
        }
    }
}
