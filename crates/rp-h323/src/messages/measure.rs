//! What the benchmarks compare: one RasMessage, read in both ways.

use super::asn1::ras::RasMessage;
use crate::{Name, gatekeeper_id, h225::ras, per::Bits};

/// The RasMessage in the first parameter of a Facility.
pub fn ras_message(frame: &[u8]) -> Option<&[u8]> {
    use crate::{h225, q931, tpkt};
    let len = tpkt::length(frame, 0).ok()?;
    let information = q931::user_user(tpkt::message(frame, len).ok()?, len).ok()??;
    let message = h225::read_facility(information).ok()??.next().ok()??;
    Some(message.rest())
}

/// Whether this crate finds a request with a name in it.
pub fn read(message: &[u8]) -> bool {
    match ras::request(Bits::new(message, message.len())) {
        Ok(Some(request)) => matches!(gatekeeper_id::name(request.gatekeeper_id), Name::Given(_)),
        _ => false,
    }
}

/// Whether rasn decodes it.
pub fn read_with_rasn(message: &[u8]) -> bool {
    rasn::aper::decode::<RasMessage>(message).is_ok()
}
