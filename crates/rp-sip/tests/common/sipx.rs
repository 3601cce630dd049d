//! What sipx-sip makes of the same octets, for the tests and for the fuzz target.
//!
//! Of a request that both accept sipx-sip reads the same method, user and host of From, user and tag of To, topmost
//! branch, Call-ID and `CSeq`. What is different about it, and none of it another reading:
//!
//! - it writes an IPv6 address without brackets and in canonical form;
//! - it makes a blank of a fold, where we leave a value as it stands;
//! - it takes the bare cookie `z9hG4bK` for a branch, and finds a branch behind what is no address, where we say
//!   that there is none;
//! - it judges To, Via and `CSeq` on its own: where it refuses one that we take, nothing is compared. So it
//!   refuses a `CSeq` above 2^31, and a URI in To that is not sound;
//! - it takes a user of To from a URI whose host is none, where we say that there is no user;
//! - it accepts other versions than 2.0, From twice, and `_` in a host.

use rp_sip::Key;
use sipx_sip::{
    Limits, Request, StreamParser,
    headers::{CSeq, CallId, From, To, Via},
};

/// The first message, if it is a request. `missing` octets of its body are made up, because sipx-sip waits for them.
pub(crate) fn request(octets: &[u8], missing: usize) -> Option<Request> {
    let mut parser = StreamParser::new(Limits::stream());
    let mut messages = parser.push(octets).ok()?;
    if messages.is_empty() {
        messages = parser.push(&vec![b'.'; missing]).ok()?;
    }
    messages.into_iter().next()?.as_request().cloned()
}

/// So many octets of the body are not there.
pub(crate) fn missing(octets: &[u8], key: &Key<'_>) -> usize {
    (key.start + key.head_len + key.body_len).saturating_sub(octets.len())
}

/// Compares each field that both can read.
///
/// # Panics
/// They read it differently.
pub(crate) fn assert_same(ours: &Key<'_>, theirs: &Request) {
    assert_eq!(ours.method.as_bytes(), theirs.method.as_bytes());
    if let Some(Ok(from)) = theirs.headers.typed::<From>() {
        assert_eq!(ours.from.user, from.0.uri.user());
        let host = from.0.uri.host().map(ToString::to_string).unwrap_or_default();
        assert!(ours.from.host.starts_with('[') || ours.from.host.eq_ignore_ascii_case(&host), "{host}");
    }
    if let Some(Ok(to)) = theirs.headers.typed::<To>() {
        assert_eq!(ours.to.tag.filter(|tag| !tag.is_empty()), to.0.tag());
        if ours.to.user.is_some() {
            assert_eq!(ours.to.user, to.0.uri.user());
        }
    }
    if let Some(Ok(via)) = theirs.headers.typed_all::<Via>().next()
        && ours.branch.is_some()
    {
        assert_eq!(ours.branch, via.branch());
    }
    if let Some(Ok(call_id)) = theirs.headers.typed::<CallId>() {
        assert_eq!(words(ours.call_id), words(&call_id.0));
    }
    if let Some(Ok(cseq)) = theirs.headers.typed::<CSeq>() {
        let number = std::str::from_utf8(ours.cseq.number).ok().and_then(|digits| digits.parse().ok());
        assert_eq!((number, ours.cseq.method), (Some(cseq.sequence), cseq.method.as_bytes()));
    }
}

/// What stands between blanks and folds.
fn words(value: &[u8]) -> Vec<&[u8]> {
    value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).collect()
}
