//! What a gatekeeper or a called party answers.

use core::fmt;

use crate::{
    Error, GatekeeperRejectReason, Invalid, Reason, RegistrationRejectReason, ReleaseCompleteReason,
    SKIPPED_MAX, Text,
    answers::Content,
    h225::{generic_data::RasMessages, ras},
    q931::Head,
    tpkt,
};

/// An answer to a request: what a client reads from the service.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Answer<'a> {
    /// What it says.
    pub kind: AnswerKind,
    /// The requestSeqNum of the request that it answers; 0 for a ReleaseComplete.
    pub request_seq_num: u16,
    /// The call reference of a ReleaseComplete, without its flag; usually 0 for the others.
    pub call_reference: u16,
    /// The gatekeeperIdentifier in it.
    pub gatekeeper_id: Option<Text<'a>>,
    /// The endpointIdentifier that a registration has got.
    pub endpoint_id: Option<Text<'a>>,
    /// The seconds until a registration has to be refreshed, if the gatekeeper says so.
    pub time_to_live: Option<u32>,
    /// Whether a reject names another gatekeeper to go to (altGKInfo, assignedGatekeeper): then its reason
    /// says nothing about the endpoint.
    pub redirects: bool,
    /// Whether a reject carries tokens, as a challenge does.
    pub challenges: bool,
    /// The octets of the input up to the end of the frame with the answer.
    pub len: usize,
}

/// What an answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AnswerKind {
    /// GCF: the gatekeeper is willing.
    GatekeeperConfirm,
    /// GRJ: it is not.
    GatekeeperReject(GatekeeperRejectReason),
    /// RCF: the endpoint is registered.
    RegistrationConfirm,
    /// RRJ: it is not.
    RegistrationReject(RegistrationRejectReason),
    /// The call is over, or was never let through.
    ReleaseComplete(Option<ReleaseCompleteReason>),
}

impl<'a> Answer<'a> {
    /// The first answer in `input`, which is everything received so far. Frames without one (keep-alives,
    /// other messages of calls, other RAS) are left out, at most [`SKIPPED_MAX`] of them.
    ///
    /// # Errors
    /// [`Error::Incomplete`] as long as there is no answer; [`Error::Invalid`] if the octets are not
    /// H.323, or an answer in them cannot be read.
    pub fn parse(input: &'a [u8]) -> Result<Self, Error> {
        let mut at = 0_usize;
        let mut rest = input;
        for _ in 0..=SKIPPED_MAX {
            let len = tpkt::length(rest, at)?;
            let end = at.saturating_add(len);
            if len > tpkt::HEAD
                && let Some(answer) = read(rest, at, len)?
            {
                return Ok(Self { len: end, ..answer });
            }
            at = end;
            rest = rest.get(len..).unwrap_or_default();
        }
        Err(Error::invalid(Reason::TooManySkipped, at))
    }

    /// An answer of which no more is known yet.
    pub(crate) fn new(kind: AnswerKind) -> Self {
        Self {
            kind,
            request_seq_num: 0,
            call_reference: 0,
            gatekeeper_id: None,
            endpoint_id: None,
            time_to_live: None,
            redirects: false,
            challenges: false,
            len: 0,
        }
    }
}

/// The answer in words, for a person who asked: `RRJ securityDenial`.
impl fmt::Display for Answer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)?;
        if let Some(endpoint) = self.endpoint_id {
            write!(f, ", registered as {endpoint}")?;
        }
        if let Some(seconds) = self.time_to_live {
            write!(f, ", for {seconds} s")?;
        }
        if self.redirects {
            f.write_str(", to another gatekeeper")?;
        }
        if self.challenges { f.write_str(", with a challenge") } else { Ok(()) }
    }
}

impl fmt::Display for AnswerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GatekeeperConfirm => f.write_str("GCF"),
            Self::GatekeeperReject(reason) => write!(f, "GRJ {reason}"),
            Self::RegistrationConfirm => f.write_str("RCF"),
            Self::RegistrationReject(reason) => write!(f, "RRJ {reason}"),
            Self::ReleaseComplete(None) => f.write_str("ReleaseComplete"),
            Self::ReleaseComplete(Some(reason)) => write!(f, "ReleaseComplete {reason}"),
        }
    }
}

/// The answer in the frame of `len` octets at the front of `rest`.
fn read(rest: &[u8], at: usize, len: usize) -> Result<Option<Answer<'_>>, Error> {
    let head = Head::parse(rest.get(tpkt::HEAD..).unwrap_or_default(), at.saturating_add(tpkt::HEAD))?;
    let end = at.saturating_add(len);
    let answer = match Content::read(head, tpkt::message(rest, len)?, end)? {
        Content::Nothing => None,
        Content::Release(answer) => Some(answer),
        Content::Facility(messages) => first(messages)?,
    };
    Ok(answer.map(|answer| Answer { call_reference: head.call_reference, ..answer }))
}

fn first(mut messages: RasMessages<'_>) -> Result<Option<Answer<'_>>, Invalid> {
    while let Some(message) = messages.next()? {
        if let Some(answer) = ras::answer(message)? {
            return Ok(Some(answer));
        }
    }
    Ok(None)
}
