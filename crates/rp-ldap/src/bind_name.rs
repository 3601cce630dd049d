//! Bind names: which domain one names, in any of the ways that clients have.

use core::str;

use crate::dn;

/// A domain has at most so many octets, as in DNS (RFC 1035 2.3.4).
pub const MAX_DOMAIN: usize = 253;

/// The domain in a bind name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Domain<'a> {
    /// How the name gives it.
    pub form: Form,
    /// The octets of the name that it stands in: in a DN the RDNs, otherwise the domain itself.
    place: &'a [u8],
}

/// How a bind name gives its domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `domain\user`. The domain may be anything printable, `innovaphone.com/branch` for example.
    Backslash,
    /// A distinguished name; its last `DC=` parts are the domain (RFC 2247).
    Dn,
    /// `user@domain`.
    Upn,
    /// The name is empty, so it has no domain.
    Anonymous,
    /// The name has no domain, or none that can be trusted to mean the same to everyone.
    None,
}

impl<'a> Domain<'a> {
    /// The domain in `name`.
    ///
    /// In `domain\user` and in a DN a `\` means different things, so what comes first decides: a `\`, or
    /// one of the `=` and `,` that no domain holds and every DN does.
    pub fn of(name: &'a [u8]) -> Self {
        if name.is_empty() {
            return Self { form: Form::Anonymous, place: &[] };
        }
        let found = match name.iter().position(|octet| matches!(octet, b'\\' | b'=' | b',')) {
            Some(at) => match name.split_at_checked(at) {
                Some((before, [b'\\', ..])) => Self::backslash(before),
                Some((_, [b'=', ..])) => dn::domain_components(name).map(|place| (Form::Dn, place)),
                // In a DN a `=` comes before the first comma.
                _ if name.contains(&b'=') => None,
                _ => Self::upn(name),
            },
            None => Self::upn(name),
        };
        let (form, place) = found.unwrap_or((Form::None, &[]));
        Self { form, place }
    }

    /// The domain as text of 1 to 253 ASCII characters, in the letter case of the name; none if the form
    /// is [`Form::Anonymous`] or [`Form::None`]. The buffer is needed for the domain of a DN.
    pub fn text<'t>(&self, buffer: &'t mut [u8; MAX_DOMAIN]) -> Option<&'t str>
    where
        'a: 't,
    {
        match self.form {
            Form::Backslash | Form::Upn => str::from_utf8(self.place).ok(),
            Form::Dn => dn::join(self.place, buffer),
            Form::Anonymous | Form::None => None,
        }
    }

    fn backslash(before: &'a [u8]) -> Option<(Form, &'a [u8])> {
        let sound = (1..=MAX_DOMAIN).contains(&before.len()) && before.iter().all(u8::is_ascii_graphic);
        sound.then_some((Form::Backslash, before))
    }

    fn upn(name: &'a [u8]) -> Option<(Form, &'a [u8])> {
        let at = name.iter().rposition(|&octet| octet == b'@')?;
        let (user, [_, domain @ ..]) = name.split_at_checked(at)? else { return None };
        let labels = || domain.split(|&octet| octet == b'.');
        let sound = !user.is_empty() && domain.len() <= MAX_DOMAIN && labels().all(is_label);
        sound.then_some((Form::Upn, domain))
    }
}

/// The octets that a label may have: those of host names (RFC 1123 2.1), and the underscore.
pub(crate) fn is_label_octet(octet: u8) -> bool {
    const LABEL_OCTETS: [bool; 256] = {
        let mut table = [false; 256];
        let mut rest = table.as_mut_slice();
        let mut octet = 0_u8;
        while let Some((entry, more)) = rest.split_first_mut() {
            *entry = octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_');
            octet = octet.wrapping_add(1);
            rest = more;
        }
        table
    };
    LABEL_OCTETS.get(usize::from(octet)) == Some(&true)
}

/// A label has at most so many octets (RFC 1035 2.3.4).
pub(crate) const MAX_LABEL: usize = 63;

fn is_label(label: &[u8]) -> bool {
    (1..=MAX_LABEL).contains(&label.len()) && label.iter().copied().all(is_label_octet)
}
