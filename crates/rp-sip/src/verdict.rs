//! What a service's final response says of the phone that asked.

use crate::{
    Response,
    open_requests::{Method, Open},
};

/// What a response says of the phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Normal,
    /// That it is to send credentials (22.1). Who is asked and never does: [`Challenges`](crate::held::Challenges).
    Challenge,
    /// That its credentials are wrong; perhaps they were right before the service was started anew:
    /// [`WrongPasswords`](crate::held::WrongPasswords).
    WrongPassword,
    /// That it wanted what it must not have, or what is not there.
    Refused,
    /// That it is who it says.
    Success,
}

/// What is known of the connection that a response belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Circumstances {
    /// There was a [`Verdict::Success`] before. Calling a number that does not exist is then a mistake, and a
    /// scan otherwise.
    pub proven: bool,
    /// The phone has shown a certificate for its user, so that the service asks for no credentials.
    pub checked: bool,
}

/// The verdict on a final response, given the request that it answers.
pub fn judge(response: &Response<'_>, request: &Open, circumstances: Circumstances) -> Verdict {
    use Method::{Invite, Register, Subscribe};

    let Open { method, credentials, .. } = *request;
    let Circumstances { proven, checked } = circumstances;
    match (response.status.code(), method) {
        (401 | 407, _) if !credentials => Verdict::Challenge,
        (401 | 407, _) if response.is_stale() => Verdict::Normal,
        (401 | 407, _) => Verdict::WrongPassword,
        (403, Register | Invite | Subscribe) => Verdict::Refused,
        // So do services answer a wrong password that have no second try to offer, whatever the method.
        (403, _) if credentials && !proven => Verdict::Refused,
        (404 | 604, Register) => Verdict::Refused,
        (404 | 480 | 484 | 486 | 603, Invite) if !proven => Verdict::Refused,
        (400 | 405 | 483, _) if !proven => Verdict::Refused,
        (200..=299, Register | Invite) if credentials => Verdict::Success,
        (200..=299, Register) if checked => Verdict::Success,
        _ => Verdict::Normal,
    }
}
