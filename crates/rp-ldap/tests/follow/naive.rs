//! The twins: the whole stream lies before them, so they count nothing down and keep nothing back.

use rp_ldap::{BindAnswer, Error, Reason, ResultCode, START_TLS, ServiceEvent, extract};

use super::{Answers, Opened, Requests};

pub(crate) fn requests(stream: &[u8]) -> Requests {
    let mut seen = Requests::default();
    let mut layer_may_begin = false;
    while let Some(&first) = stream.get(seen.passed) {
        let rest = &stream[seen.passed..];
        if layer_may_begin && first != 0x30 {
            seen.opaque_from = Some(seen.passed);
            seen.passed = stream.len();
            return seen;
        }
        let read = head(rest, 1).and_then(|head| Ok((head, is_decided(&head)?)));
        let length = match read {
            Ok((head, false)) => head.frame_len,
            Ok((head, true)) if head.frame_len > 65_536 => {
                return Requests { broken: Some((Reason::TooLarge, 1)), ..seen };
            }
            Ok((_, true)) => match extract(rest) {
                Ok(key) => {
                    layer_may_begin |= format!("{key:?}").contains("Sasl");
                    seen.decided.push((seen.passed, format!("{key:?}")));
                    key.frame_len as u64
                }
                Err(Error::Incomplete(_)) => return seen,
                Err(Error::Invalid(invalid)) => {
                    return Requests { broken: Some((invalid.reason, invalid.offset)), ..seen };
                }
            },
            Err(Stop::Cut) => return seen,
            Err(Stop::Broken(reason, at)) => return Requests { broken: Some((reason, at)), ..seen },
        };
        let there = rest.len() as u64;
        seen.passed += usize::try_from(length.min(there)).expect("no more than is there");
    }
    seen
}

pub(crate) fn answers(stream: &[u8], opened: &[Opened]) -> Answers {
    let mut seen = Answers::default();
    let mut binds: Vec<(i32, bool, bool)> = Vec::new();
    let mut layer_may_begin = false;
    let mut start = 0;
    loop {
        for bind in opened.iter().filter(|bind| bind.behind == seen.ends.len()) {
            binds.retain(|(_, _, goes_on)| !goes_on);
            if binds.len() < 8 {
                binds.push((bind.message_id, bind.sasl, false));
            }
        }
        let Some(&first) = stream.get(start) else { return seen };
        if layer_may_begin && first != 0x30 {
            seen.opaque_from = Some(start);
            return seen;
        }
        let read = head(&stream[start..], 0).and_then(|head| Ok((head, code(&head)?)));
        let (head, code) = match read {
            Ok(read) => read,
            Err(Stop::Cut) => return seen,
            Err(Stop::Broken(reason, at)) => {
                return Answers { broken: Some((reason, at)), ..seen };
            }
        };
        if let Some(code) = code {
            let code = ResultCode(code);
            if head.message_id == 0 {
                seen.events.push((start, ServiceEvent::Unsolicited(code)));
            } else if let Some(at) = binds.iter().position(|&(id, ..)| id == head.message_id) {
                let sasl = binds[at].1;
                let answer = BindAnswer { message_id: head.message_id, code, sasl };
                seen.events.push((start, ServiceEvent::Bind(answer)));
                layer_may_begin |= sasl && code.0 == 0;
                binds.drain(..at);
                match code.0 {
                    14 => binds[0].2 = true,
                    _ => drop(binds.remove(0)),
                }
            }
        }
        let end = start as u64 + head.frame_len;
        if end > stream.len() as u64 {
            return seen;
        }
        start = usize::try_from(end).expect("within the stream");
        seen.ends.push(start);
    }
}

/// Whether a bind or a StartTLS request stands at the front.
pub(crate) fn is_to_be_decided(octets: &[u8]) -> bool {
    matches!(head(octets, 1).and_then(|head| is_decided(&head)), Ok(true))
}

enum Stop {
    Cut,
    Broken(Reason, usize),
}

#[derive(Clone, Copy)]
struct Head<'a> {
    octets: &'a [u8],
    message_id: i32,
    frame_len: u64,
    operation: u8,
    /// Where the content of the operation is.
    content: (usize, u64),
}

fn head(octets: &[u8], smallest_id: i32) -> Result<Head<'_>, Stop> {
    if octet(octets, 0, u64::MAX)? != 0x30 {
        return Err(Stop::Broken(Reason::NotLdap, 0));
    }
    let (at, frame_len) = element(octets, 0, u64::MAX)?;
    if octet(octets, at, frame_len)? != 0x02 {
        return Err(Stop::Broken(Reason::Structure, at));
    }
    let (id_at, id_end) = element(octets, at, frame_len)?;
    let message_id = number(octets, id_at, id_end, Reason::MessageId)?;
    if message_id < smallest_id {
        return Err(Stop::Broken(Reason::MessageId, id_at));
    }
    let at = usize::try_from(id_end).expect("a short id");
    let operation = octet(octets, at, frame_len)?;
    if !(0x41..0x80).contains(&operation) || operation & 0x1f == 0x1f {
        return Err(Stop::Broken(Reason::Structure, at));
    }
    if message_id == 0 && operation != 0x78 {
        return Err(Stop::Broken(Reason::MessageId, id_at));
    }
    let content = element(octets, at, frame_len)?;
    Ok(Head { octets, message_id, frame_len, operation, content })
}

fn is_decided(head: &Head<'_>) -> Result<bool, Stop> {
    if head.operation != 0x77 {
        return Ok(head.operation == 0x60);
    }
    let (at, end) = head.content;
    if octet(head.octets, at, end)? != 0x80 {
        return Err(Stop::Broken(Reason::Structure, at));
    }
    let (from, to) = element(head.octets, at, end)?;
    if to - from as u64 != START_TLS.len() as u64 {
        return Ok(false);
    }
    let oid = head.octets.get(from..from + START_TLS.len()).ok_or(Stop::Cut)?;
    Ok(oid == START_TLS)
}

fn code(head: &Head<'_>) -> Result<Option<i32>, Stop> {
    if head.operation != 0x61 && head.message_id != 0 {
        return Ok(None);
    }
    let (at, end) = head.content;
    if octet(head.octets, at, end)? != 0x0a {
        return Err(Stop::Broken(Reason::Structure, at));
    }
    let (from, to) = element(head.octets, at, end)?;
    number(head.octets, from, to, Reason::Structure).map(Some)
}

fn octet(octets: &[u8], at: usize, end: u64) -> Result<u8, Stop> {
    if at as u64 >= end {
        return Err(Stop::Broken(Reason::Structure, at));
    }
    octets.get(at).copied().ok_or(Stop::Cut)
}

/// Where the content of the element at `at` begins and ends. What is around it ends at `end`.
fn element(octets: &[u8], at: usize, end: u64) -> Result<(usize, u64), Stop> {
    let first = octet(octets, at + 1, end)?;
    let count = match first {
        0..=0x7f => 0,
        0x81..=0x84 => usize::from(first - 0x80),
        _ => return Err(Stop::Broken(Reason::LengthForm, at + 1)),
    };
    let from = at + 2 + count;
    if from as u64 > end {
        return Err(Stop::Broken(Reason::Structure, at + 2));
    }
    let long = octets.get(at + 2..from).ok_or(Stop::Cut)?;
    let long = long.iter().fold(0, |value, &octet| value * 256 + u64::from(octet));
    let to = from as u64 + if count == 0 { u64::from(first) } else { long };
    if to > end {
        return Err(Stop::Broken(Reason::Structure, at + 1));
    }
    Ok((from, to))
}

fn number(octets: &[u8], from: usize, to: u64, reason: Reason) -> Result<i32, Stop> {
    if !(1..=4).contains(&(to - from as u64)) {
        return Err(Stop::Broken(reason, from));
    }
    if octet(octets, from, to)? >= 0x80 {
        return Err(Stop::Broken(reason, from));
    }
    let to = usize::try_from(to).expect("four octets at most");
    let value = octets.get(from..to).ok_or(Stop::Cut)?;
    Ok(value.iter().fold(0, |value, &octet| value * 256 + i32::from(octet)))
}
