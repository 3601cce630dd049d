//! The twins: the whole stream lies before them, so they count nothing down and keep nothing back.

use rp_h323::{Answer, Answers, Error, Key, Reason, ServiceFollower, ServiceStep, extract};

use super::Seen;

pub(crate) fn requests(stream: &[u8], registered: Option<usize>) -> Seen {
    let is_held = |seen: &Seen, message_type, _len| {
        let calls_pass = registered.is_some_and(|requests| seen.shown.len() >= requests);
        message_type == 0x62 || message_type == 0x05 && !calls_pass
    };
    walk(stream, is_held, |frame| match extract(frame) {
        Ok(key) => Ok(Some(key.requests().map(|key| describe(&key)).collect())),
        Err(Error::Invalid(invalid)) if invalid.reason != Reason::OtherRas => {
            Err((invalid.reason, invalid.offset))
        }
        Err(_) => Ok(None),
    })
}

pub(crate) fn answers(stream: &[u8]) -> Seen {
    let is_held = |_: &Seen, message_type, len| [0x62, 0x5a].contains(&message_type) && len <= 16_384;
    walk(stream, is_held, |frame| match ServiceFollower::new().step(frame) {
        Ok(ServiceStep::Look(answers)) => Ok(Some(said(frame, &answers))),
        other => panic!("a whole frame: {other:?}"),
    })
}

/// All answers in a frame, as text. The first one is the one that [`Answer::parse`] finds.
pub(crate) fn said(frame: &[u8], answers: &Answers<'_>) -> Vec<String> {
    let all: Vec<String> = answers.iter().map(|answer| format!("{answer:?}")).collect();
    match Answer::parse(frame) {
        Ok(first) => assert_eq!(all.first(), Some(&format!("{first:?}"))),
        Err(Error::Incomplete(_)) => assert_eq!((all.len(), answers.fault()), (0, None)),
        Err(Error::Invalid(invalid)) => assert_eq!(answers.fault(), Some(invalid)),
    }
    all
}

/// Everything that can be read from a request, as text.
pub(crate) fn describe(key: &Key<'_>) -> String {
    let (keep_alive, endpoint) = (key.keep_alive(), key.endpoint_identifier());
    format!("{key:?} {keep_alive} {endpoint:?} {:?}", key.call_identifier())
}

type Fault = (Reason, usize);

/// Frame by frame: whether one is held until it is whole, by its type and length, and what is then in it;
/// `None` if it passes all the same.
fn walk(
    stream: &[u8],
    is_held: impl Fn(&Seen, u8, usize) -> bool,
    read: impl Fn(&[u8]) -> Result<Option<Vec<String>>, Fault>,
) -> Seen {
    let mut seen = Seen::default();
    loop {
        let (start, rest) = (seen.octets, &stream[seen.octets..]);
        let broken = |(reason, at)| Some((reason, start + at));
        let len = match head(rest) {
            Ok(Some(len)) => len,
            Ok(None) => return seen,
            Err(fault) => return Seen { broken: broken(fault), ..seen },
        };
        let held = len > 4 && is_held(&seen, rest[8], len);
        let Some(frame) = rest.get(..len) else {
            // What nobody looks into passes as far as it has come.
            seen.octets = if held { start } else { stream.len() };
            return seen;
        };
        match if held { read(frame) } else { Ok(None) } {
            Ok(None) => {}
            Ok(Some(content)) => seen.shown.push((start, start + len, content)),
            Err(fault) => return Seen { broken: broken(fault), ..seen },
        }
        seen.octets += len;
        seen.ends.push(seen.octets);
    }
}

/// The length of the frame at the front, if its whole head is there.
fn head(octets: &[u8]) -> Result<Option<usize>, Fault> {
    let at = |at: usize| octets.get(at).copied();
    if at(0).is_some_and(|octet| octet != 3) {
        return Err((Reason::NotTpkt, 0));
    }
    let (Some(high), Some(low)) = (at(2), at(3)) else { return Ok(None) };
    let len = usize::from(u16::from_be_bytes([high, low]));
    if len == 4 {
        return Ok(Some(4));
    }
    if len < 9 {
        return Err((Reason::TpktLength, 2));
    }
    if at(4).is_some_and(|octet| octet != 8) {
        return Err((Reason::NotQ931, 4));
    }
    if at(5).is_some_and(|octet| octet != 2) {
        return Err((Reason::CallReferenceLength, 5));
    }
    Ok(at(8).map(|_| len))
}
