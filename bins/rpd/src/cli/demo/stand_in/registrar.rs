//! Answers every SIP request with 200, and names itself as Server.

use rp_sip::{Answer, Error, Status, extract};

use super::Reply;

pub(super) fn reply(name: &str, received: &[u8]) -> Reply {
    let key = match extract(received) {
        Ok(key) => key,
        Err(Error::Incomplete(_)) => return Reply::More,
        Err(Error::Invalid(_)) => return Reply::End,
    };
    let used = key.start + key.head_len + key.body_len;
    if received.len() < used {
        return Reply::More;
    }
    let mut answer = Vec::new();
    if let Some(words) = Answer::to(received) {
        words.write(Status::OK, 1, None, &mut |slice: &[u8]| answer.extend_from_slice(slice));
        let end = answer.len() - b"\r\n".len();
        answer.splice(end..end, format!("Server: {name}\r\n").into_bytes());
    }
    Reply::Send { used, answer }
}
