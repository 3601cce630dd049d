//! SIP messages, RFC 3261. Heads may be written anew on the way; what makes an answer the answer to its request may not.

use crate::{http, ldap::NAME};

/// A request of a client behind NAT, on the connection that its answers come back on.
pub(crate) fn request(method: &str, client: u32, sequence: u32, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "{method} sip:{NAME} SIP/2.0\r\n\
         Via: SIP/2.0/TCP client.invalid;branch=z9hG4bK-{client}-{sequence};rport\r\n\
         From: <sip:bench@{NAME}>;tag={client}\r\n\
         To: <sip:bench@{NAME}>\r\n\
         Call-ID: {client}@client.invalid\r\n\
         CSeq: {sequence} {method}\r\n\
         Contact: <sip:bench@client.invalid;transport=tcp>\r\n\
         Max-Forwards: 70\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// What the service says: 200, with the body of the request.
pub(crate) fn answer(request: &[u8]) -> Vec<u8> {
    let (head, body) = http::split(request);
    let mut answer = String::from("SIP/2.0 200 OK\r\n");
    for line in head.lines().skip(1) {
        let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
        match name.as_str() {
            "to" => answer.extend([line, ";tag=service\r\n"]),
            "via" | "from" | "call-id" | "cseq" | "contact" | "record-route" => answer.extend([line, "\r\n"]),
            _ => {}
        }
    }
    answer.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    [answer.as_bytes(), body].concat()
}

/// Whether it is the answer to the request, as the client sees both.
pub(crate) fn answers(request: &[u8], answer: &[u8]) -> bool {
    let ((asked, sent), (said, came)) = (http::split(request), http::split(answer));
    let same = |name| http::field(asked, name).is_some_and(|value| http::field(said, name) == Some(value));
    said.starts_with("SIP/2.0 200 ") && ["Call-ID", "CSeq", "From"].into_iter().all(same) && sent == came
}
