//! What an answer says about the client that it is for.

use crate::{
    Answer, AnswerKind, GatekeeperRejectReason as Discovery, RegistrationRejectReason as Registration,
    ReleaseCompleteReason as Release,
};

/// What an answer says about the client that it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The client is registered: the service knows it. Each confirmation says so, a refreshed one too.
    Success,
    /// Nothing: a redirection, a challenge, a state that every phone meets, or no answer to a registration.
    Normal,
    /// The service will not have the client: a wrong name or password, or no permission.
    Refused,
}

/// Judges the answers on one connection in their order.
///
/// A service that refuses a client says so in many ways, and says much of the same to a phone that only comes
/// back after a restart. The count of refusals is what tells them apart, so no verdict is a proof.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdicts {
    registered: bool,
    /// A reason has come that a phone meets once, after it was switched off with its registration alive.
    met_once: bool,
}

impl Verdicts {
    /// At the beginning of a connection.
    pub const fn new() -> Self {
        Self { registered: false, met_once: false }
    }

    /// The verdict on the next answer.
    pub fn judge(&mut self, answer: &Answer<'_>) -> Verdict {
        use AnswerKind::{
            GatekeeperConfirm, GatekeeperReject, RegistrationConfirm, RegistrationReject, ReleaseComplete,
        };
        match answer.kind {
            RegistrationConfirm => self.confirmed(),
            GatekeeperConfirm => Verdict::Normal,

            // The client is sent on to another gatekeeper, for whatever reason.
            GatekeeperReject(_) | RegistrationReject(_) if answer.redirects => Verdict::Normal,

            // The next request will have the answer to the challenge.
            GatekeeperReject(Discovery::SECURITY_DENIAL) if answer.challenges => Verdict::Normal,
            RegistrationReject(Registration::SECURITY_DENIAL) if answer.challenges => Verdict::Normal,

            RegistrationReject(
                Registration::SECURITY_DENIAL
                | Registration::SECURITY_ERROR
                | Registration::INVALID_ALIAS
                | Registration::INVALID_TERMINAL_ALIASES,
            ) => Verdict::Refused,
            RegistrationReject(Registration::DUPLICATE_ALIAS | Registration::UNDEFINED_REASON) => {
                self.normal_once()
            }
            // Among them fullRegistrationRequired, which all phones get when a service has started anew.
            RegistrationReject(_) => Verdict::Normal,

            GatekeeperReject(
                Discovery::SECURITY_DENIAL | Discovery::SECURITY_ERROR | Discovery::TERMINAL_EXCLUDED,
            ) => Verdict::Refused,
            GatekeeperReject(Discovery::UNDEFINED_REASON) => self.normal_once(),
            GatekeeperReject(_) => Verdict::Normal,

            // Calls of a registered client end for the reasons of those it calls.
            ReleaseComplete(_) if self.registered => Verdict::Normal,
            ReleaseComplete(Some(
                Release::SECURITY_DENIED
                | Release::NO_PERMISSION
                | Release::CALLER_NOT_REGISTERED
                | Release::SECURITY_ERROR,
            )) => Verdict::Refused,
            ReleaseComplete(_) => Verdict::Normal,
        }
    }

    /// Whether a registration has been confirmed on this connection.
    pub fn is_registered(&self) -> bool {
        self.registered
    }

    fn confirmed(&mut self) -> Verdict {
        self.registered = true;
        Verdict::Success
    }

    fn normal_once(&mut self) -> Verdict {
        if core::mem::replace(&mut self.met_once, true) { Verdict::Refused } else { Verdict::Normal }
    }
}
