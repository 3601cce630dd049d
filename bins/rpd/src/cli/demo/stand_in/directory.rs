//! Lets `ldap-guest` in with the password `guest`, finds one entry, and names itself in every result.

use rp_ldap::{Bind, Error, Request, ResultCode, Tag, extract, messages};

use super::Reply;

pub(super) fn reply(name: &str, received: &[u8]) -> Reply {
    let key = match extract(received) {
        Ok(key) => key,
        Err(Error::Incomplete(_)) => return Reply::More,
        Err(Error::Invalid(_)) => return Reply::End,
    };
    let id = key.message_id;
    let frame = &received[..key.frame_len];
    let answer = match key.request {
        Request::Unbind => return Reply::End,
        Request::Abandon { .. } => Vec::new(),
        Request::Bind(bind) if knows(&bind, frame) => messages::bind_response(id, ResultCode::SUCCESS, name),
        Request::Bind(_) => messages::bind_response(id, ResultCode::INVALID_CREDENTIALS, name),
        Request::Search => {
            let dn = format!("cn=Reception,dc={name},dc=example,dc=com");
            let attributes: [(&str, &[&str]); 2] = [("cn", &["Reception"]), ("telephoneNumber", &["10"])];
            let mut octets = messages::search_entry(id, &dn, &attributes);
            octets.extend(messages::search_done(id, ResultCode::SUCCESS, name));
            octets
        }
        _ => {
            let refused = messages::result(key.operation(), id, ResultCode::UNWILLING_TO_PERFORM, name);
            refused.unwrap_or_else(|| messages::notice_of_disconnection(ResultCode::PROTOCOL_ERROR))
        }
    };
    debug_assert!(key.operation() != Tag::UNBIND_REQUEST);
    Reply::Send { used: key.frame_len, answer }
}

/// The extractor shows no passwords; a simple bind ends with its own.
fn knows(bind: &Bind<'_>, frame: &[u8]) -> bool {
    let name = bind.name.to_ascii_lowercase();
    name.windows(b"ldap-guest".len()).any(|part| part == b"ldap-guest") && frame.ends_with(b"\x80\x05guest")
}
