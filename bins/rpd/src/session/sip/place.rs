//! Where a request of the phone belongs, and every question between a host and a leg to it.

use std::sync::Arc;

use rp_sip::{Reason as SipReason, Request, route::Token};

use super::legs::Leg;
use crate::{
    outcome::Refusal,
    protocol::Protocol,
    session::{case::Case, leg},
    state::{Destination, State},
};

/// Where a request belongs.
pub(in crate::session) enum Place {
    /// To the service at the other end of this leg.
    Leg(usize),
    /// To a host to which there is no leg.
    Host(Arc<Destination>),
    Nowhere,
}

/// Finds it: inside a dialog the way that the dialog went, outside by From (RFC 3261 8.1.1.3).
pub(in crate::session) fn place(
    state: &State,
    legs: &[Leg],
    request: &Request<'_>,
    token: Option<Token>,
) -> Place {
    let table = state.table(Protocol::Sip);
    let domain = request.from.ok().map(|from| from.domain());
    let bound = (!legs.is_empty()).then_some(Place::Leg(BOUND));
    let at = |host: &Arc<Destination>| {
        let open = legs.iter().position(|leg| leg.destination.host.is(&host.host, Protocol::Sip));
        open.map_or_else(|| Place::Host(host.clone()), Place::Leg)
    };
    let named = domain.and_then(|domain| {
        let open = legs.iter().position(|leg| leg.is_for(domain));
        open.map(Place::Leg).or_else(|| table.lookup(domain).map(at))
    });
    let found = if request.is_in_dialog() {
        let by_token = token.and_then(|token| legs.iter().position(|leg| leg.token == token));
        by_token.map(Place::Leg).or(named).or(bound)
    } else {
        // Whose identity is withheld belongs to a phone that has shown who it is (RFC 3323 4.1.1.3).
        let nameless = domain.is_none_or(is_anonymous);
        named.or(bound.filter(|_| nameless)).or_else(|| table.default().map(at))
    };
    found.unwrap_or(Place::Nowhere)
}

/// The way to a host.
pub(in crate::session) struct Way {
    pub(in crate::session) destination: Arc<Destination>,
    pub(in crate::session) leg: rp_route::leg::Leg,
    /// The name on the phone's certificate, if that is what opens the TLS leg.
    pub(in crate::session) checked: Option<Box<str>>,
}

/// Every question between the host found, if any, and a connection to it.
///
/// # Errors
/// The first "no".
pub(in crate::session) fn route(
    case: &mut Case<'_>,
    request: &Request<'_>,
    found: Option<&Arc<Destination>>,
) -> Result<Way, Refusal> {
    if found.is_none() {
        // Who withholds his name has none that could be unknown.
        case.record.name = case.record.name.take().filter(|name| !is_anonymous(name));
    }
    let (destination, leg) = leg::choose(case, Protocol::Sip, found)?;
    let (leg, checked) = if destination.host.sip.check_certificate {
        let proven = case.client_name().and_then(|name| matching(request, &name).map(|()| name));
        leg::by_certificate(case, Protocol::Sip, destination, proven)?
    } else {
        (leg, None)
    };
    Ok(Way { destination: destination.clone(), leg, checked: checked.map(String::into_boxed_str) })
}

/// Whether the message may go on, if a place is found for it.
pub(in crate::session) fn sound(request: &Request<'_>) -> Result<(), rp_sip::Invalid> {
    request.sound()?;
    match request.from {
        Err(invalid) if !request.is_in_dialog() && invalid.reason != SipReason::NoDomain => Err(invalid),
        _ => Ok(()),
    }
}

/// The address-of-record is in To (10.2): with From alone, alice could register herself for bob's calls.
pub(super) fn matching(request: &Request<'_>, name: &str) -> Result<(), String> {
    let from = request.from.ok().filter(|from| from.user_is(name));
    let to = request.to.ok().filter(|to| !registers(request) || to.user_is(name));
    if from.is_some() && to.is_some() {
        return Ok(());
    }
    let shown = |user: Option<&[u8]>| user.unwrap_or_default().escape_ascii().to_string();
    Err(format!(
        "client certificate {name:?}, but From is of {:?} and To of {:?}",
        shown(request.from.ok().and_then(|from| from.user)),
        shown(request.to.ok().and_then(|to| to.user)),
    ))
}

/// Case counts in methods (7.1). But who knows what a PBX makes of `register`, and this one is about trust.
pub(super) fn registers(request: &Request<'_>) -> bool {
    request.method.eq_ignore_ascii_case("REGISTER")
}

fn is_anonymous(domain: &str) -> bool {
    domain.eq_ignore_ascii_case("anonymous.invalid")
}

/// The first leg that was opened.
pub(super) const BOUND: usize = 0;
