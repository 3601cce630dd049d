//! Messages: the head that all have in common, what a request asks for, and how an answer ends.

use core::fmt;

use crate::{
    ber::{APPLICATION, CLASS, CONTEXT, ENUMERATED, INTEGER, NUMBER, OCTET_STRING, Reader, SEQUENCE},
    bind_name::Domain,
    error::{Error, Reason},
};

/// The most octets that a request may have. A bind with a large Kerberos ticket takes some tens of KiB.
pub const MAX_FRAME: usize = 65_536;

/// The OID of the StartTLS request and its answer (RFC 4511 4.14).
pub const START_TLS: &[u8] = b"1.3.6.1.4.1.1466.20037";

/// The OID of the Notice of Disconnection (RFC 4511 4.4.1).
pub const NOTICE_OF_DISCONNECTION: &[u8] = b"1.3.6.1.4.1.1466.20036";

/// Reads the request at the front of `input`, as a client sends it.
///
/// There is a key for every well-formed request, not only for binds, because a client may ask for
/// StartTLS or search first. Octets behind [`Key::frame_len`] play no part.
///
/// # Errors
/// [`Error::Incomplete`] while the message is cut off, and [`Error::Invalid`] as soon as an octet is there
/// that rules it out.
pub fn extract(input: &[u8]) -> Result<Key<'_>, Error> {
    let head = head(input, Sender::Client, MAX_FRAME)?;
    let request = request(&head)?;
    head.frame.whole()?;
    Ok(Key { message_id: head.message_id, frame_len: head.frame.end(), request })
}

/// Reads the answer at the front of `input`, as a service sends it. Answers may have any size.
///
/// # Errors
/// As [`extract`].
pub fn answer(input: &[u8]) -> Result<Answer<'_>, Error> {
    let head = head(input, Sender::Service, usize::MAX)?;
    let result = if head.operation.is_result() { Some(result(head.content)?) } else { None };
    head.frame.whole()?;
    Ok(Answer { message_id: head.message_id, frame_len: head.frame.end(), operation: head.operation, result })
}

/// What a request says that matters for where it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key<'a> {
    /// The message id, `1..=2^31-1`. Answers carry it back.
    pub message_id: i32,
    /// The octets of the whole message.
    pub frame_len: usize,
    /// What is asked for.
    pub request: Request<'a>,
}

/// A request (RFC 4511 4.2 to 4.14).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// Who the client wants to be from now on.
    Bind(Bind<'a>),
    /// The client leaves. There is no answer.
    Unbind,
    /// A search.
    Search,
    /// An operation is to be dropped. There is no answer.
    Abandon {
        /// The message id of that operation.
        message_id: i32,
    },
    /// An extended request, StartTLS among them.
    Extended {
        /// What is asked for, [`START_TLS`] for example.
        oid: &'a [u8],
    },
    /// Any other operation, also those that LDAP does not have: of these [`Tag::answer`] is `None`.
    Other(Tag),
}

/// A bind request (RFC 4511 4.2). Neither passwords nor SASL credentials are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bind<'a> {
    /// The version of the protocol. Any number passes: it is the service that refuses a version.
    pub version: i32,
    /// The bind name as it was sent. It need not be UTF-8.
    pub name: &'a [u8],
    /// The domain in the bind name.
    pub domain: Domain<'a>,
    /// How the client proves the name.
    pub auth: Auth<'a>,
}

/// The way of authentication (RFC 4511 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth<'a> {
    /// By password.
    Simple {
        /// Without a password the bind is anonymous or, with a name, unauthenticated (RFC 4513 5.1).
        empty_password: bool,
    },
    /// By a SASL mechanism.
    Sasl {
        /// The name of the mechanism, as it was sent.
        mechanism: &'a [u8],
    },
    /// By another choice, with this context tag: 1 and 2 are the Kerberos 4 of LDAPv2, 9 to 11 NTLM in the
    /// form that Microsoft calls Sicily.
    Other(u8),
}

/// What a service answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer<'a> {
    /// The id of the request; 0 in an unsolicited notification, such as the Notice of Disconnection.
    pub message_id: i32,
    /// The octets of the whole message.
    pub frame_len: usize,
    /// The kind of the answer.
    pub operation: Tag,
    /// How the operation ended, in the answers that end one.
    pub result: Option<Outcome<'a>>,
}

/// How an operation ended: the part of an LDAPResult (RFC 4511 4.1.9) that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome<'a> {
    /// The result code.
    pub code: ResultCode,
    /// The diagnostic message: text for people, normally UTF-8.
    pub diagnostic: &'a [u8],
}

/// A result code (RFC 4511 A.1). Services use many more than the standard names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResultCode(pub i32);

#[allow(missing_docs, reason = "the names are those of RFC 4511 A.1")]
impl ResultCode {
    pub const SUCCESS: Self = Self(0);
    pub const OPERATIONS_ERROR: Self = Self(1);
    pub const PROTOCOL_ERROR: Self = Self(2);
    pub const AUTH_METHOD_NOT_SUPPORTED: Self = Self(7);
    pub const REFERRAL: Self = Self(10);
    pub const CONFIDENTIALITY_REQUIRED: Self = Self(13);
    pub const SASL_BIND_IN_PROGRESS: Self = Self(14);
    pub const CONSTRAINT_VIOLATION: Self = Self(19);
    pub const NO_SUCH_OBJECT: Self = Self(32);
    pub const INVALID_DN_SYNTAX: Self = Self(34);
    pub const INAPPROPRIATE_AUTHENTICATION: Self = Self(48);
    pub const INVALID_CREDENTIALS: Self = Self(49);
    pub const INSUFFICIENT_ACCESS_RIGHTS: Self = Self(50);
    pub const BUSY: Self = Self(51);
    pub const UNAVAILABLE: Self = Self(52);
    pub const UNWILLING_TO_PERFORM: Self = Self(53);
    pub const OTHER: Self = Self(80);
}

/// The tag of an operation: its APPLICATION number and whether it is constructed (RFC 4511 4.2 to 4.14).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tag(pub u8);

#[allow(missing_docs, reason = "the names are those of the protocolOp choice, RFC 4511 4.1.1")]
impl Tag {
    pub const BIND_REQUEST: Self = Self(0x60);
    pub const BIND_RESPONSE: Self = Self(0x61);
    pub const UNBIND_REQUEST: Self = Self(0x42);
    pub const SEARCH_REQUEST: Self = Self(0x63);
    pub const SEARCH_RESULT_ENTRY: Self = Self(0x64);
    pub const SEARCH_RESULT_DONE: Self = Self(0x65);
    pub const SEARCH_RESULT_REFERENCE: Self = Self(0x73);
    pub const MODIFY_REQUEST: Self = Self(0x66);
    pub const MODIFY_RESPONSE: Self = Self(0x67);
    pub const ADD_REQUEST: Self = Self(0x68);
    pub const ADD_RESPONSE: Self = Self(0x69);
    pub const DEL_REQUEST: Self = Self(0x4a);
    pub const DEL_RESPONSE: Self = Self(0x6b);
    pub const MODIFY_DN_REQUEST: Self = Self(0x6c);
    pub const MODIFY_DN_RESPONSE: Self = Self(0x6d);
    pub const COMPARE_REQUEST: Self = Self(0x6e);
    pub const COMPARE_RESPONSE: Self = Self(0x6f);
    pub const ABANDON_REQUEST: Self = Self(0x50);
    pub const EXTENDED_REQUEST: Self = Self(0x77);
    pub const EXTENDED_RESPONSE: Self = Self(0x78);
    pub const INTERMEDIATE_RESPONSE: Self = Self(0x79);
}

impl Tag {
    /// The answer that ends a request of this kind; none for unbind, abandon, and what is no request.
    pub fn answer(self) -> Option<Self> {
        Some(match self {
            Self::BIND_REQUEST => Self::BIND_RESPONSE,
            Self::SEARCH_REQUEST => Self::SEARCH_RESULT_DONE,
            Self::MODIFY_REQUEST => Self::MODIFY_RESPONSE,
            Self::ADD_REQUEST => Self::ADD_RESPONSE,
            Self::DEL_REQUEST => Self::DEL_RESPONSE,
            Self::MODIFY_DN_REQUEST => Self::MODIFY_DN_RESPONSE,
            Self::COMPARE_REQUEST => Self::COMPARE_RESPONSE,
            Self::EXTENDED_REQUEST => Self::EXTENDED_RESPONSE,
            _ => return None,
        })
    }

    /// Whether an answer of this kind ends its operation, and so begins with an LDAPResult (RFC 4511 4.1.9).
    pub fn is_result(self) -> bool {
        matches!(
            self,
            Self::BIND_RESPONSE
                | Self::SEARCH_RESULT_DONE
                | Self::MODIFY_RESPONSE
                | Self::ADD_RESPONSE
                | Self::DEL_RESPONSE
                | Self::MODIFY_DN_RESPONSE
                | Self::COMPARE_RESPONSE
                | Self::EXTENDED_RESPONSE
        )
    }
}

impl Key<'_> {
    /// The tag of the request.
    pub fn operation(&self) -> Tag {
        match self.request {
            Request::Bind(_) => Tag::BIND_REQUEST,
            Request::Unbind => Tag::UNBIND_REQUEST,
            Request::Search => Tag::SEARCH_REQUEST,
            Request::Abandon { .. } => Tag::ABANDON_REQUEST,
            Request::Extended { .. } => Tag::EXTENDED_REQUEST,
            Request::Other(tag) => tag,
        }
    }

    /// Whether the client wants to go on with TLS (RFC 4511 4.14).
    pub fn is_start_tls(&self) -> bool {
        matches!(self.request, Request::Extended { oid } if oid == START_TLS)
    }
}

impl Auth<'_> {
    /// Whether this is SASL with the mechanism `name`, in any letter case.
    pub fn is_sasl(&self, name: &str) -> bool {
        matches!(self, Self::Sasl { mechanism } if mechanism.eq_ignore_ascii_case(name.as_bytes()))
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tag({:#04x})", self.0)
    }
}

impl fmt::Display for ResultCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// For logs: what is not printable is escaped, and long names are cut.
impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.request {
            Request::Bind(bind) => bind.fmt(f)?,
            Request::Unbind => f.write_str("unbind")?,
            Request::Search => f.write_str("search")?,
            Request::Abandon { message_id } => write!(f, "abandon of message {message_id}")?,
            Request::Extended { oid } => write!(f, "extended request {}", Escaped(oid))?,
            Request::Other(tag) => write!(f, "operation {:02x}", tag.0)?,
        }
        f.write_str(" (message ")?;
        self.message_id.fmt(f)?;
        f.write_str(")")
    }
}

/// For logs: what is not printable is escaped, and long names are cut.
impl fmt::Display for Bind<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bind as ")?;
        Escaped(self.name).fmt(f)?;
        match self.auth {
            Auth::Simple { empty_password: false } => f.write_str(" with a password"),
            Auth::Simple { empty_password: true } => f.write_str(" without a password"),
            Auth::Sasl { mechanism } => write!(f, " with SASL {}", Escaped(mechanism)),
            Auth::Other(number) => write!(f, " with authentication choice {number}"),
        }
    }
}

/// Quoted text of unknown octets, not too long for a line of a log.
struct Escaped<'a>(&'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LONGEST: usize = 256;
        let (start, rest) = self.0.split_at_checked(LONGEST).unwrap_or((self.0, &[]));
        f.write_str("\"")?;
        start.escape_ascii().fmt(f)?;
        f.write_str("\"")?;
        if rest.is_empty() { Ok(()) } else { write!(f, " and {} octets more", rest.len()) }
    }
}

/// Who sends a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    Client,
    Service,
}

/// What all messages begin with. It is there before the message is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head<'a> {
    pub(crate) message_id: i32,
    pub(crate) operation: Tag,
    /// The content of the operation.
    pub(crate) content: Reader<'a>,
    /// The message from behind the operation on. Controls and whatever else is there are not read: they
    /// are the service's to judge, and unknown trailing elements are to be ignored (RFC 4511 4).
    pub(crate) frame: Reader<'a>,
}

/// Reads a head: `LDAPMessage ::= SEQUENCE { messageID MessageID, protocolOp CHOICE { ... }, ... }`
/// (RFC 4511 4.1.1). It is read in place: handing it over in memory would cost a quarter of reading it.
#[inline(always)]
pub(crate) fn head(input: &[u8], sender: Sender, max_frame: usize) -> Result<Head<'_>, Error> {
    let mut outer = Reader::new(input);
    if outer.peek()? != SEQUENCE {
        return Err(outer.refuse(Reason::NotLdap));
    }
    let mut frame = outer.any_element(Reason::TooLarge)?;
    if frame.end() > max_frame {
        return Err(Error::invalid(Reason::TooLarge, 1));
    }
    let id = frame.element(INTEGER)?;
    let id_at = id.offset();
    let message_id = id.as_number(Reason::MessageId)?;
    if message_id == 0 && sender == Sender::Client {
        return Err(Error::invalid(Reason::MessageId, id_at));
    }
    let operation = Tag(frame.peek()?);
    if !is_operation(operation) {
        return Err(frame.refuse(Reason::Structure));
    }
    // RFC 4511 4.1.1.1: an id of zero is reserved for the unsolicited notification, an ExtendedResponse.
    if message_id == 0 && operation != Tag::EXTENDED_RESPONSE {
        return Err(Error::invalid(Reason::MessageId, id_at));
    }
    let content = frame.any_element(Reason::Structure)?;
    Ok(Head { message_id, operation, content, frame })
}

/// All operations are of the APPLICATION class. A bind request that is not constructed can hold nothing.
fn is_operation(tag: Tag) -> bool {
    tag.0 & CLASS == APPLICATION && tag.0 & NUMBER != NUMBER && tag.0 != 0x40
}

fn request<'a>(head: &Head<'a>) -> Result<Request<'a>, Error> {
    let mut content = head.content;
    Ok(match head.operation {
        Tag::BIND_REQUEST => Request::Bind(bind(head)?),
        Tag::UNBIND_REQUEST => Request::Unbind,
        Tag::SEARCH_REQUEST => Request::Search,
        // AbandonRequest ::= [APPLICATION 16] MessageID (RFC 4511 4.11)
        Tag::ABANDON_REQUEST => Request::Abandon { message_id: content.as_number(Reason::Structure)? },
        // ExtendedRequest ::= [APPLICATION 23] SEQUENCE { requestName [0] LDAPOID, ... } (RFC 4511 4.12)
        Tag::EXTENDED_REQUEST => Request::Extended { oid: content.string(CONTEXT)? },
        other => Request::Other(other),
    })
}

/// `BindRequest ::= [APPLICATION 0] SEQUENCE { version INTEGER, name LDAPDN, authentication ... }`
/// (RFC 4511 4.2).
fn bind<'a>(head: &Head<'a>) -> Result<Bind<'a>, Error> {
    let mut content = head.content;
    let version = content.number(INTEGER, Reason::Structure)?;
    let name = content.string(OCTET_STRING)?;
    let auth = authentication(&mut content)?;
    // The name is judged once, not again for each octet that trickles in behind it.
    head.frame.whole()?;
    Ok(Bind { version, name, domain: Domain::of(name), auth })
}

/// `AuthenticationChoice ::= CHOICE { simple [0] OCTET STRING, -- 1 and 2 reserved --, sasl [3]
/// SaslCredentials, ... }` (RFC 4511 4.2).
fn authentication<'a>(content: &mut Reader<'a>) -> Result<Auth<'a>, Error> {
    const SIMPLE: u8 = 0x80;
    const SIMPLE_CONSTRUCTED: u8 = 0xa0;
    const SASL: u8 = 0xa3;
    const SASL_PRIMITIVE: u8 = 0x83;

    let tag = content.peek()?;
    if tag & CLASS != CONTEXT || tag & NUMBER == NUMBER || matches!(tag, SIMPLE_CONSTRUCTED | SASL_PRIMITIVE)
    {
        return Err(content.refuse(Reason::Structure));
    }
    let mut choice = content.any_element(Reason::Structure)?;
    Ok(match tag {
        SIMPLE => Auth::Simple { empty_password: choice.left() == 0 },
        // SaslCredentials ::= SEQUENCE { mechanism LDAPString, credentials OCTET STRING OPTIONAL }
        SASL => Auth::Sasl { mechanism: choice.string(OCTET_STRING)? },
        _ => Auth::Other(tag & NUMBER),
    })
}

/// `LDAPResult ::= SEQUENCE { resultCode ENUMERATED, matchedDN LDAPDN, diagnosticMessage LDAPString, ... }`
/// (RFC 4511 4.1.9).
fn result(mut content: Reader<'_>) -> Result<Outcome<'_>, Error> {
    let code = ResultCode(content.number(ENUMERATED, Reason::Structure)?);
    content.string(OCTET_STRING)?;
    Ok(Outcome { code, diagnostic: content.string(OCTET_STRING)? })
}
