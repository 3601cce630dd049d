//! The value types of the file: durations, sizes, binds, and whatever else is written as text.

use std::{
    fmt,
    marker::PhantomData,
    net::{IpAddr, SocketAddr},
    ops::Range,
    time::Duration,
};

use rp_route::{name::Name, network::Network};
use serde::{
    Deserialize, Deserializer,
    de::{self, Unexpected, Visitor},
};

/// A value, and where in the file it stands: nowhere, if it is not written there.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub struct Spanned<T>(toml::Spanned<T>);

impl<T> Spanned<T> {
    /// A value that is not written.
    pub fn unwritten(value: T) -> Self {
        Self(toml::Spanned::new(0..0, value))
    }

    /// Where it stands.
    pub fn span(&self) -> Range<usize> {
        self.0.span()
    }

    /// The value.
    pub fn get_ref(&self) -> &T {
        self.0.get_ref()
    }

    /// The value.
    pub fn into_inner(self) -> T {
        self.0.into_inner()
    }
}

use crate::hex::hex;

/// A value that the file writes as text. The error says what is wrong and, behind `"; write "`, the cure.
pub trait FromText: Sized {
    /// What is wanted, for the message when the value is not text at all.
    const WANTED: &'static str;

    /// Reads it.
    ///
    /// # Errors
    /// A sentence, and the cure.
    fn from_text(text: &str) -> Result<Self, String>;
}

/// A `T` read from text.
#[derive(Clone, Debug)]
pub struct Text<T>(pub T);

impl<'de, T: FromText> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor<T>(PhantomData<T>);
        impl<T: FromText> Visitor<'_> for TextVisitor<T> {
            type Value = Text<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(T::WANTED)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                T::from_text(text).map(Text).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(TextVisitor(PhantomData))
    }
}

impl FromText for Duration {
    const WANTED: &'static str = "a duration such as \"15s\" (units ms, s, min, h, d)";

    fn from_text(text: &str) -> Result<Self, String> {
        let (number, unit) = split_unit(text);
        let count: u64 = number.parse().map_err(|_| format!("{text:?} is no duration; write \"15s\""))?;
        let millis = match unit {
            "ms" => 1,
            "s" => 1_000,
            "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "" => {
                return Err(format!("the duration {text:?} has no unit; write \"{text}s\" or \"{text}min\""));
            }
            _ => {
                return Err(format!(
                    "{unit:?} is no unit of time; write \"{number}\" with ms, s, min, h or d"
                ));
            }
        };
        count
            .checked_mul(millis)
            .filter(|millis| *millis <= LONGEST_MILLIS)
            .map(Self::from_millis)
            .ok_or_else(|| format!("{text:?} is too long; write at most \"366d\""))
    }
}

/// A number of octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub usize);

impl FromText for Size {
    const WANTED: &'static str = "a size such as \"64KiB\" (units B, KiB, MiB, GiB)";

    fn from_text(text: &str) -> Result<Self, String> {
        let (number, unit) = split_unit(text);
        let count: usize = number.parse().map_err(|_| format!("{text:?} is no size; write \"64KiB\""))?;
        let unit = match unit {
            "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            "" => return Err(format!("the size {text:?} has no unit; write \"{text}B\" or \"{text}KiB\"")),
            _ => return Err(format!("{unit:?} is no unit of size; write B, KiB, MiB or GiB")),
        };
        count.checked_mul(unit).map(Size).ok_or_else(|| format!("{text:?} is too large; write less"))
    }
}

impl FromText for Network {
    const WANTED: &'static str =
        "a network such as \"192.0.2.0/24\", \"192.0.2.0:255.255.255.0\" or \"2001:db8::/48\"";

    fn from_text(text: &str) -> Result<Self, String> {
        Self::parse(text).map_err(|e| e.to_string())
    }
}

impl FromText for Name {
    const WANTED: &'static str = "a name such as \"example.com\"";

    fn from_text(text: &str) -> Result<Self, String> {
        Self::parse(text).map_err(|e| e.to_string())
    }
}

impl FromText for IpAddr {
    const WANTED: &'static str = "an IP address";

    fn from_text(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| format!("{text:?} is no IP address; write one such as \"192.0.2.1\""))
    }
}

/// Where a target is: an address, or a name that is resolved when it is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A literal address.
    Address(IpAddr),
    /// A DNS name.
    Name(String),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl FromText for Target {
    const WANTED: &'static str = "an IP address or a DNS name";

    fn from_text(text: &str) -> Result<Self, String> {
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        if let Ok(address) = bare.parse() {
            return Ok(Self::Address(address));
        }
        if text.contains("://") {
            return Err(format!("{text:?} is a URL; write the address or DNS name alone"));
        }
        if text.contains(':') {
            return Err(format!(
                "{text:?} names a port, but ports belong to the protocols; write the address alone, and h323 = {{ tcp = 1720 }} or the like"
            ));
        }
        match Name::parse(text) {
            Ok(name) if name.is_dns() && !name.is_wildcard() => Ok(Self::Name(name.as_str().to_owned())),
            _ => Err(format!(
                "{text:?} is neither an address nor a DNS name; write \"192.0.2.10\" or \"pbx.example.com\""
            )),
        }
    }
}

/// The SHA-256 of a certificate, as `sha256:` and 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", hex(&self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromText for Fingerprint {
    const WANTED: &'static str = "a fingerprint such as \"sha256:…\"";

    fn from_text(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is no fingerprint; write \"sha256:\" and the 64 hex digits of the certificate's SHA-256"
            )
        };
        let digits: String =
            text.strip_prefix("sha256:").ok_or_else(wrong)?.chars().filter(|c| *c != ':').collect();
        sha256_of_hex(&digits).map(Self).ok_or_else(wrong)
    }
}

/// The octets that 64 hex digits stand for.
pub(super) fn sha256_of_hex(digits: &str) -> Option<[u8; 32]> {
    if digits.len() != 64 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let mut octets = [0; 32];
    for (octet, pair) in octets.iter_mut().zip(digits.as_bytes().chunks(2)) {
        *octet = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(octets)
}

/// Where to listen: a port on every address, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bind {
    /// This port on all addresses of both families (see `listen.ipv4`, `listen.ipv6`).
    Port(u16),
    /// Exactly here; port 0 lets the system choose.
    Address(SocketAddr),
}

/// One bind or a list of them.
#[derive(Clone, Debug, Default)]
pub struct Binds(pub Vec<Bind>);

impl<'de> Deserialize<'de> for Binds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BindsVisitor;
        impl<'de> Visitor<'de> for BindsVisitor {
            type Value = Binds;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a port, an \"address:port\", or a list of these")
            }

            fn visit_i64<E: de::Error>(self, port: i64) -> Result<Binds, E> {
                match u16::try_from(port) {
                    Ok(0) => Err(E::custom("port 0 needs an address; write \"127.0.0.1:0\"")),
                    Ok(port) => Ok(Binds(vec![Bind::Port(port)])),
                    Err(_) => Err(E::invalid_value(Unexpected::Signed(port), &"a port from 1 to 65535")),
                }
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Binds, E> {
                if let Ok(address) = text.parse() {
                    return Ok(Binds(vec![Bind::Address(address)]));
                }
                Err(E::custom(if let Ok(port) = text.parse::<u16>() {
                    format!("the port is text; write {port} without quotes")
                } else {
                    format!(
                        "{text:?} is no address with a port; write \"192.0.2.1:5060\" or \"[2001:db8::1]:5060\""
                    )
                }))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Binds, A::Error> {
                let mut all = Vec::new();
                while let Some(Binds(one)) = list.next_element()? {
                    all.extend(one);
                }
                Ok(Binds(all))
            }
        }
        deserializer.deserialize_any(BindsVisitor)
    }
}

/// One value or a list of them.
#[derive(Clone, Debug)]
pub struct OneOrMany<T>(pub Vec<T>);

impl<'de, T: FromText> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListVisitor<T>(PhantomData<T>);
        impl<'de, T: FromText> Visitor<'de> for ListVisitor<T> {
            type Value = OneOrMany<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}, or a list of these", T::WANTED)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                T::from_text(text).map(|one| OneOrMany(vec![one])).map_err(E::custom)
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut all = Vec::new();
                while let Some(Text(one)) = list.next_element()? {
                    all.push(one);
                }
                Ok(OneOrMany(all))
            }
        }
        deserializer.deserialize_any(ListVisitor(PhantomData))
    }
}

fn split_unit(text: &str) -> (&str, &str) {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    (number, unit.trim_start())
}

/// 366 days: a time-out that is longer is a mistake, and must not overflow a clock.
const LONGEST_MILLIS: u64 = 366 * 86_400_000;

/// For `deserialize_with`: a value in its spelling.
///
/// # Errors
/// The deserializer's.
pub fn text<'de, D: Deserializer<'de>, T: FromText>(deserializer: D) -> Result<T, D::Error> {
    Text::deserialize(deserializer).map(|text| text.0)
}

/// For `default`.
pub fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit_and_say_so() {
        assert_eq!(Duration::from_text("60min"), Ok(Duration::from_secs(3600)));
        assert_eq!(Duration::from_text("300ms"), Ok(Duration::from_millis(300)));
        assert_eq!(Duration::from_text("0s"), Ok(Duration::ZERO));
        assert!(Duration::from_text("60").unwrap_err().ends_with("write \"60s\" or \"60min\""));
        assert!(Duration::from_text("99999999999999999d").is_err());
        assert!(Duration::from_text("1w").is_err());
    }

    #[test]
    fn sizes_are_binary() {
        assert_eq!(Size::from_text("64KiB"), Ok(Size(65_536)));
        assert!(Size::from_text("64k").unwrap_err().contains("KiB"));
    }

    #[test]
    fn a_target_has_no_port() {
        assert_eq!(Target::from_text("192.0.2.1"), Ok(Target::Address([192, 0, 2, 1].into())));
        assert!(matches!(Target::from_text("[2001:db8::1]"), Ok(Target::Address(_))));
        assert_eq!(Target::from_text("PBX.example.com"), Ok(Target::Name("pbx.example.com".into())));
        for wrong in ["192.0.2.1:80", "http://pbx/", "", "a b", "*.example.com"] {
            assert!(Target::from_text(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_fingerprint_is_read_as_openssl_prints_it_too() {
        let plain = format!("sha256:{}", "6f".repeat(32));
        let colons = format!("sha256:{}", ["6F"; 32].join(":"));
        assert_eq!(Fingerprint::from_text(&plain), Fingerprint::from_text(&colons));
        assert_eq!(Fingerprint::from_text(&plain).unwrap().to_string(), plain);
        assert!(Fingerprint::from_text("sha256:6f").is_err());
    }
}
