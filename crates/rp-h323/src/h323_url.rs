//! Whom a call is for: `user@domain` in one of the aliases of destinationAddress.

use crate::{Alias, Aliases, Name, Text};

/// An alias that names a domain.
#[derive(Clone, Copy)]
pub(crate) struct Called<'a> {
    /// What stands before the `@`, without the scheme of a URL. May be empty.
    pub(crate) user: Text<'a>,
    pub(crate) domain: Name<'a>,
}

/// The first h323-ID, url-ID or email-ID with an `@` decides. No later one is tried, so that a call has
/// one meaning whatever else it lists.
pub(crate) fn called(aliases: Aliases<'_>) -> Option<Called<'_>> {
    aliases.filter_map(split).next()
}

/// The name of the domain that is called; missing if no alias has an `@`.
pub(crate) fn name(aliases: Aliases<'_>) -> Name<'_> {
    called(aliases).map_or(Name::Missing, |called| called.domain)
}

fn split(alias: Alias<'_>) -> Option<Called<'_>> {
    let (text, is_url) = match alias {
        Alias::UrlId(text) => (text, true),
        Alias::H323Id(text) | Alias::EmailId(text) => (text, false),
        Alias::DialedDigits(_) | Alias::Other(_) => return None,
    };
    let (mut user, host) = text.split_once(b'@')?;
    if is_url && let Some((_scheme, behind)) = user.split_once(b':') {
        user = behind;
    }
    Some(Called { user, domain: domain(host).map_or(Name::Unusable, Name::Given) })
}

/// RFC 3508, section 2: `user@hostport` and then parameters behind `;`. No parameter has a meaning yet,
/// and an `@` of the user part has to be escaped, so a second `@` is a mistake wherever it stands. A
/// `/location` as in gatekeeper identifiers is no part of the domain, nor is a port.
fn domain(host: Text<'_>) -> Option<Text<'_>> {
    if host.split_once(b'@').is_some() {
        return None;
    }
    let domain = if host.starts_with(b'[') { host.until(b";/").through(b']')? } else { host.until(b";/:") };
    (!domain.is_empty()).then_some(domain)
}
