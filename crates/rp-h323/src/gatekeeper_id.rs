//! Which name a gatekeeperIdentifier asks for.

use crate::{Name, Text};

/// The name that is looked up for a request with this gatekeeperIdentifier, whose form is
/// `[physical-location@]gatekeeper-id[/registration-location]`.
///
/// A PBX that sends a phone on to one of its locations puts the phone's own place in front; the name of
/// the gatekeeper begins behind the first `@`. A second `@` stays in the name, where no host can have it.
pub(crate) fn name(gatekeeper_id: Option<Text<'_>>) -> Name<'_> {
    let Some(whole) = gatekeeper_id else { return Name::Missing };
    let name = whole.split_once(b'@').map_or(whole, |(_, behind)| behind);
    if name.is_empty() { Name::Unusable } else { Name::Given(name) }
}
