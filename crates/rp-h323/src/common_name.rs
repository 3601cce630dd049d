//! Whether a certificate is that of the device that registers.

use crate::{Alias, Key, Kind, UTF8_MAX};

impl Key<'_> {
    /// Whether `common_name`, the only one in the subject of a certificate, is an alias of this
    /// registration: an h323-ID without regard to the case of ASCII letters, or dialedDigits. Other types of
    /// alias do not count, and the aliases of a Setup are those of somebody else.
    ///
    /// With `serial_names`, the two forms of an innovaphone serial number are equal as well: of the name
    /// `009033aabbcc` and the older `IPxxx-aa-bb-cc` the certificate may have either, and the h323-ID the
    /// other.
    pub fn matches_common_name(&self, common_name: &str, serial_names: bool) -> bool {
        if self.kind == Kind::Setup {
            return false;
        }
        self.aliases().any(|alias| match alias {
            // Digits have no case.
            Alias::H323Id(text) | Alias::DialedDigits(text) if text.eq_ignore_ascii_case(common_name) => true,
            Alias::H323Id(text) if serial_names => {
                text.to_str(&mut [0; UTF8_MAX]).is_some_and(|name| are_one_serial(name, common_name))
            }
            _ => false,
        })
    }
}

/// The first half of the serial numbers: innovaphone's in the addresses of IEEE 802.
const MANUFACTURER: &str = "009033";

/// Whether one is `IPxxx-aa-bb-cc` and the other `009033aabbcc`.
fn are_one_serial(name: &str, other: &str) -> bool {
    is_decorated(name, other) || is_decorated(other, name)
}

fn is_decorated(name: &str, plain: &str) -> bool {
    match (decorated_serial(name), plain_serial(plain)) {
        (Some(one), Some(other)) => one.eq_ignore_ascii_case(&other),
        _ => false,
    }
}

/// The six hexadecimal digits of `IPxxx-aa-bb-cc`, where `IPxxx` is the device.
fn decorated_serial(name: &str) -> Option<[u8; 6]> {
    let (device, serial) = name.split_once('-')?;
    let (ip, model) = device.split_at_checked(2)?;
    let is_model = !model.is_empty() && model.bytes().all(|c| c.is_ascii_alphanumeric());
    if !ip.eq_ignore_ascii_case("IP") || !is_model {
        return None;
    }
    let &[a, b, b'-', c, d, b'-', e, f] = serial.as_bytes() else { return None };
    hexadecimal([a, b, c, d, e, f])
}

/// The last six digits of `009033aabbcc`.
fn plain_serial(name: &str) -> Option<[u8; 6]> {
    hexadecimal(name.strip_prefix(MANUFACTURER)?.as_bytes().try_into().ok()?)
}

fn hexadecimal(digits: [u8; 6]) -> Option<[u8; 6]> {
    digits.iter().all(u8::is_ascii_hexdigit).then_some(digits)
}
