//! The answer to a request that is refused.

use alloc::vec::Vec;

use super::{
    ReleaseComplete, Sender,
    asn1::ras::{GatekeeperReject, RasMessage, RegistrationReject},
    encode,
};
use crate::{GatekeeperRejectReason, Key, Kind, RegistrationRejectReason, ReleaseCompleteReason};

/// Why a request is refused.
///
/// A name that is unknown, one that is not open to this client and one without H.323 get the same answer,
/// so that nobody learns which names there are. A client must not be told `discoveryRequired` or
/// `fullRegistrationRequired`: it would start again at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The name is unknown or not open to this client.
    NotAllowed,
    /// There is no name, or none that a target could have.
    NoName,
    /// The certificate does not prove who registers.
    Certificate,
    /// The target cannot be reached now.
    Unreachable,
    /// The target has as many connections as it may have.
    Busy,
}

/// The frame that answers all requests in the message of `key`: a reject for each GRQ and RRQ, or a
/// ReleaseComplete for a Setup. Each repeats the number and the gatekeeperIdentifier of its request.
pub fn refusal(key: &Key<'_>, refusal: Refusal) -> Vec<u8> {
    let answer = match key.kind {
        Kind::Setup => encode::release_complete(&ReleaseComplete {
            sender: Sender::Gatekeeper,
            call_reference: key.call_reference,
            call_identifier: key.call_identifier(),
            reason: refusal.of_call(),
        }),
        Kind::GatekeeperRequest | Kind::RegistrationRequest => {
            let rejects: Vec<_> = key.requests().map(|request| reject(&request, refusal)).collect();
            encode::facility(Sender::Gatekeeper, key.call_reference, &rejects)
        }
    };
    // Whatever was read from a request fits into its answer; if it did not, silence is an answer as well.
    answer.unwrap_or_default()
}

fn reject(request: &Key<'_>, refusal: Refusal) -> RasMessage {
    let request_seq_num = request.request_seq_num;
    let gatekeeper_identifier = request.gatekeeper_id.and_then(encode::same_text);
    if request.kind == Kind::GatekeeperRequest {
        RasMessage::GatekeeperReject(GatekeeperReject {
            request_seq_num,
            gatekeeper_identifier,
            reject_reason: encode::gatekeeper_reject_reason(refusal.of_discovery()),
            ..Default::default()
        })
    } else {
        RasMessage::RegistrationReject(RegistrationReject {
            request_seq_num,
            gatekeeper_identifier,
            reject_reason: encode::registration_reject_reason(refusal.of_registration(), Vec::new()),
            ..Default::default()
        })
    }
}

impl Refusal {
    /// terminalExcluded means, by its comment in H.225.0, that the terminal has no permission.
    fn of_discovery(self) -> GatekeeperRejectReason {
        match self {
            Self::NotAllowed | Self::NoName => GatekeeperRejectReason::TERMINAL_EXCLUDED,
            Self::Certificate => GatekeeperRejectReason::SECURITY_DENIAL,
            Self::Unreachable | Self::Busy => GatekeeperRejectReason::RESOURCE_UNAVAILABLE,
        }
    }

    fn of_registration(self) -> RegistrationRejectReason {
        match self {
            Self::NotAllowed | Self::NoName | Self::Certificate => RegistrationRejectReason::SECURITY_DENIAL,
            Self::Unreachable | Self::Busy => RegistrationRejectReason::RESOURCE_UNAVAILABLE,
        }
    }

    fn of_call(self) -> ReleaseCompleteReason {
        match self {
            Self::NotAllowed => ReleaseCompleteReason::NO_PERMISSION,
            Self::NoName => ReleaseCompleteReason::BAD_FORMAT_ADDRESS,
            Self::Certificate => ReleaseCompleteReason::SECURITY_DENIED,
            Self::Unreachable => ReleaseCompleteReason::UNREACHABLE_DESTINATION,
            Self::Busy => ReleaseCompleteReason::GATEKEEPER_RESOURCES,
        }
    }
}
