//! The head of any message, and that of a request field by field: inside a dialog not every field has to be
//! good.

use crate::{
    CSeq, Error, Field, Invalid, Key, Limits, Reason, Response, SipUri, Span, To,
    framing::Frame,
    grammar::trim,
    header::{Name, values},
    start_line::StartLine,
    uri::{self, Address, is_secure},
};

/// A whole head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "it lives on the stack, for the time of one decision")]
pub enum Head<'a> {
    /// That of a request.
    Request(Request<'a>),
    /// That of a response.
    Response(Response<'a>),
}

/// The head of a request, each field by itself.
///
/// Who routes by it asks for its [`key`](Self::key), who only passes it on along a dialog whether it is
/// [`sound`](Self::sound).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// The method. Case counts (7.1).
    pub method: &'a str,
    /// The URI of From.
    pub from: Result<SipUri<'a>, Invalid>,
    /// What To says.
    pub to: Result<To<'a>, Invalid>,
    /// `branch` of the topmost Via value; none if it has none, or only the cookie `z9hG4bK`.
    pub branch: Result<Option<&'a [u8]>, Invalid>,
    /// The `CSeq`.
    pub cseq: Result<CSeq<'a>, Invalid>,
    /// The Call-ID, with case.
    pub call_id: Result<&'a [u8], Invalid>,
    /// Whether there is an Authorization or Proxy-Authorization line. What is in it is not read.
    pub credentials: bool,
    /// The first Route line.
    pub route: Option<Span>,
    /// From the first Record-Route line to the end of the last, with whatever is between them.
    pub record_route: Option<Span>,
    /// Whether the Request-URI begins with `sips:`.
    pub secure_uri: bool,
    /// Where the message begins: behind the CR LFs that came before it.
    pub start: usize,
    /// The length of the head, blank line included.
    pub head_len: usize,
    /// The length of the body, as Content-Length says.
    pub body_len: usize,
    /// The input up to the end of the head.
    pub(crate) input: &'a [u8],
}

impl<'a> Head<'a> {
    /// Reads a head that `octets` begin with: one that a [`Follower`](crate::Follower) has shown and the
    /// caller has kept.
    ///
    /// # Errors
    /// As [`extract`](crate::extract), but no field besides Content-Length is judged.
    pub fn parse(octets: &'a [u8], limits: &Limits) -> Result<Self, Error> {
        Ok(Self::read(&Frame::read(octets, 0, limits)?))
    }

    /// The octets of the head.
    pub fn octets(&self) -> &'a [u8] {
        match self {
            Self::Request(request) => request.octets(),
            Self::Response(response) => response.octets(),
        }
    }

    /// The length of the body, as Content-Length says.
    pub fn body_len(&self) -> usize {
        match self {
            Self::Request(request) => request.body_len,
            Self::Response(response) => response.body_len,
        }
    }

    pub(crate) fn read(frame: &Frame<'a>) -> Self {
        match frame.start_line {
            StartLine::Request { method, uri } => Self::Request(Request::read(frame, method, uri)),
            StartLine::Response { status, reason } => Self::Response(Response::read(frame, status, reason)),
        }
    }
}

impl<'a> Request<'a> {
    /// The octets of the head.
    pub fn octets(&self) -> &'a [u8] {
        self.input.get(self.start..).unwrap_or_default()
    }

    /// The values of the header lines of this name; see [`Response::headers`].
    pub fn headers<'n>(&self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        values(self.octets(), name)
    }

    /// Whether the request is within a dialog (12.2): To has a tag. No CANCEL of a first INVITE is, every ACK
    /// and BYE is.
    pub fn is_in_dialog(&self) -> bool {
        matches!(self.to, Ok(To { tag: Some(_), .. }))
    }

    /// What a request outside a dialog is routed by.
    ///
    /// # Errors
    /// The first field that does not hold what a key needs.
    pub fn key(&self) -> Result<Key<'a>, Invalid> {
        Ok(Key {
            method: self.method,
            call_id: self.call_id?,
            branch: self.branch?,
            from: self.from?,
            to: self.to?,
            cseq: self.cseq?,
            credentials: self.credentials,
            route: self.route,
            record_route: self.record_route,
            secure_uri: self.secure_uri,
            start: self.start,
            head_len: self.head_len,
            body_len: self.body_len,
        })
    }

    /// Whether the request may go on where nothing is routed by From: the fields that a request has once are
    /// there once, and all but From can be read.
    ///
    /// # Errors
    /// The first field that is at fault.
    pub fn sound(&self) -> Result<(), Invalid> {
        match self.key() {
            Err(Invalid {
                reason: Reason::BadFrom | Reason::NoDomain | Reason::UnsupportedScheme, ..
            }) => {
                self.to?;
                self.cseq?;
                Ok(())
            }
            other => other.map(drop),
        }
    }

    fn read(frame: &Frame<'a>, method: &'a str, uri: &'a [u8]) -> Self {
        let (from, to) = addresses(frame);
        Self {
            method,
            from,
            to,
            branch: frame.branch(),
            cseq: frame.cseq(),
            call_id: frame.call_id(),
            credentials: frame.fields.has(Name::Credentials),
            route: frame.fields.first(Name::Route),
            record_route: frame.fields.all(Name::RecordRoute),
            secure_uri: is_secure(uri),
            start: frame.start,
            head_len: frame.head_len(),
            body_len: frame.body_len,
            input: frame.input,
        }
    }
}

fn addresses<'a>(frame: &Frame<'a>) -> (Result<SipUri<'a>, Invalid>, Result<To<'a>, Invalid>) {
    let from = address(frame, Field::From, Reason::BadFrom);
    let from_uri =
        from.and_then(|(from, line)| SipUri::parse(from.uri).map_err(|reason| Invalid::new(reason, line)));
    let to = address(frame, Field::To, Reason::BadTo).map(|(to, _)| {
        // Most requests are REGISTER, in which both are the same.
        let user = match (from, from_uri) {
            (Ok((from, _)), Ok(from_uri)) if from.uri == to.uri => from_uri.user,
            _ => uri::sound_user(to.uri),
        };
        To { user, tag: to.param(b"tag") }
    });
    (from_uri, to)
}

/// The address in a field, and where its line begins.
fn address<'a>(frame: &Frame<'a>, field: Field, fault: Reason) -> Result<(Address<'a>, usize), Invalid> {
    let line = frame.fields.only(field, frame.input)?;
    let address = Address::parse(line.value(frame.input)).ok_or(Invalid::new(fault, line.start))?;
    Ok((address, line.start))
}

impl<'a> Frame<'a> {
    pub(crate) fn branch(&self) -> Result<Option<&'a [u8]>, Invalid> {
        let via = self.fields.topmost(Field::Via, self.input)?;
        Ok(uri::branch(via.value(self.input)))
    }

    pub(crate) fn cseq(&self) -> Result<CSeq<'a>, Invalid> {
        let line = self.fields.only(Field::CSeq, self.input)?;
        CSeq::parse(line.value(self.input)).ok_or(Invalid::new(Reason::BadCSeq, line.start))
    }

    pub(crate) fn call_id(&self) -> Result<&'a [u8], Invalid> {
        let line = self.fields.only(Field::CallId, self.input)?;
        Ok(trim(line.value(self.input)))
    }

    pub(crate) fn head_len(&self) -> usize {
        self.input.len().saturating_sub(self.start)
    }
}
