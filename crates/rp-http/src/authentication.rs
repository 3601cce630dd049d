//! What challenges and credentials (RFC 9110 11) say about logins; no secret is looked at.

use crate::{
    Fields, Head, Response,
    octets::{TOKEN, trim},
};

impl Head<'_> {
    /// The client presents credentials.
    pub fn has_credentials(&self) -> bool {
        self.fields.first(b"authorization").is_some()
    }

    /// The credentials log in the connection instead of the request (RFC 4559 6): another client's requests
    /// must never take the same connection to the service.
    pub fn binds_connection(&self) -> bool {
        any(self.fields, b"authorization", |scheme, _| is_bound(scheme))
    }
}

impl Response<'_> {
    /// A step of a login that goes on, and not a refusal: 401 with a fresh nonce for a stale one (RFC 7616
    /// 3.3), or with a token that the client has to answer (RFC 4559 5).
    pub fn continues_login(&self) -> bool {
        self.status == 401
            && any(self.fields, b"www-authenticate", |scheme, text| {
                is_bound(scheme) && !text.is_empty()
                    || scheme.eq_ignore_ascii_case(b"digest") && is_stale(text)
            })
    }

    /// The service offers to log in the connection instead of the request (RFC 4559 6).
    pub fn binds_connection(&self) -> bool {
        any(self.fields, b"www-authenticate", |scheme, _| is_bound(scheme))
    }
}

fn is_bound(scheme: &[u8]) -> bool {
    scheme.eq_ignore_ascii_case(b"negotiate") || scheme.eq_ignore_ascii_case(b"ntlm")
}

/// `stale=true`, which some put into quotes.
fn is_stale(parameter: &[u8]) -> bool {
    let mut parts = parameter.splitn(2, |&octet| octet == b'=').map(trim);
    parts.next().is_some_and(|name| name.eq_ignore_ascii_case(b"stale"))
        && parts.next().is_some_and(|value| {
            let value =
                value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
            value.eq_ignore_ascii_case(b"true")
        })
}

/// Whether `judge` says yes to any scheme with one of its parameters, or its token, in the fields of this
/// name: `challenge = auth-scheme [ 1*SP ( token68 / #auth-param ) ]`, several in a list (RFC 9110 11.3,
/// 11.6.1).
fn any(fields: Fields<'_>, name: &[u8], judge: impl Fn(&[u8], &[u8]) -> bool) -> bool {
    fields.all(name).any(|mut list| {
        let mut scheme = &[][..];
        while !list.is_empty() {
            let (element, rest) = split_element(list);
            list = rest;
            let text = match split_scheme(element) {
                Some((found, text)) => {
                    scheme = found;
                    text
                }
                None => element,
            };
            if judge(scheme, text) {
                return true;
            }
        }
        false
    })
}

/// The first element of a list and what follows its comma. Commas in quotes separate nothing.
fn split_element(list: &[u8]) -> (&[u8], &[u8]) {
    let (mut quoted, mut escaped) = (false, false);
    let end = list.iter().position(|&octet| {
        let separates = octet == b',' && !quoted;
        quoted ^= octet == b'"' && !escaped;
        escaped = octet == b'\\' && quoted && !escaped;
        separates
    });
    let (element, rest) = list.split_at_checked(end.unwrap_or(list.len())).unwrap_or((list, &[]));
    (trim(element), rest.get(1..).unwrap_or_default())
}

/// The scheme at the front of an element and what follows it; `None` for a parameter of the scheme before.
fn split_scheme(element: &[u8]) -> Option<(&[u8], &[u8])> {
    let (word, text) = element.split_at_checked(TOKEN.run(element))?;
    let text_begins = text.is_empty() || text.starts_with(b" ") || text.starts_with(b"\t");
    let text = trim(text);
    (!word.is_empty() && text_begins && !text.starts_with(b"=")).then_some((word, text))
}

#[cfg(test)]
mod tests {
    use crate::{extract, response};
    use std::format;

    fn judge(challenge: &str) -> (bool, bool) {
        let head = format!("HTTP/1.1 401 No\r\nWWW-Authenticate: {challenge}\r\n\r\n");
        let response = response::extract(head.as_bytes(), response::Asked::default()).unwrap();
        (response.continues_login(), response.binds_connection())
    }

    #[test]
    fn a_login_goes_on_with_a_fresh_nonce_or_a_token() {
        for (challenge, continues, binds) in [
            ("Basic realm=\"a\"", false, false),
            ("Digest realm=\"a\", nonce=\"b\", stale=TRUE", true, false),
            ("Basic realm=\"a, Digest stale=true\", Digest nonce=\"b\",stale = \"true\"", true, false),
            ("Digest realm=\"a\", stale=false", false, false),
            ("Digest realm=\"x\\\", stale=true\"", false, false),
            ("Basic realm=\"a\", stale=true", false, false),
            ("Negotiate", false, true),
            ("Negotiate, NTLM", false, true),
            ("Basic realm=\"a\", NTLM TlRMTVNTUAACAAAA==", true, true),
            ("negotiate  oYG2==", true, true),
            ("Bearer realm=\"Negotiate\"", false, false),
            (", ,", false, false),
        ] {
            assert_eq!(judge(challenge), (continues, binds), "{challenge}");
        }
    }

    #[test]
    fn credentials_that_log_in_the_connection_are_seen() {
        for (credentials, binds) in [
            ("Basic eDp5", false),
            ("Negotiate YII=", true),
            ("ntlm TlRM", true),
            ("Digest username=\"NTLM\"", false),
        ] {
            let head = format!("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: {credentials}\r\n\r\n");
            let head = extract(head.as_bytes()).unwrap().head;
            assert_eq!((head.has_credentials(), head.binds_connection()), (true, binds), "{credentials}");
        }
    }
}
