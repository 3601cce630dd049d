//! A proxy without sockets, as small as one can be with this crate: it is fed what a client sends, in
//! whatever pieces, and keeps what client and services would have got.
//!
//! pbx.example.com and the two addresses belong to service A, which has some URLs only; apps.example.com to
//! B.

use rp_http::{
    Body, Error, Head, HeadEnd, ResponseFraming, Scheme, Step, Target, Version, chunk, extract,
    forward::{self, Answer, Client, Forwarding},
    response::{self, Asked},
};

pub(crate) struct Proxy {
    pub(crate) outcome: Outcome,
    /// What the services give for an answer, in order; then they give a normal one. A `CLOSE` at the end
    /// closes the connection.
    replies: Vec<Option<Vec<u8>>>,
    unread: Vec<u8>,
    stage: Stage,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// The status of each final answer to the client.
    pub(crate) statuses: Vec<u16>,
    /// Whole requests that went to a service, as written.
    pub(crate) forwarded: Vec<Forwarded>,
    /// All that the client got.
    pub(crate) to_client: Vec<u8>,
    /// The last answer reached its end.
    pub(crate) complete: bool,
    pub(crate) closed: bool,
    pub(crate) tunnel: Option<Vec<u8>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Forwarded {
    pub(crate) service: char,
    pub(crate) head: Vec<u8>,
    pub(crate) body: Vec<u8>,
}

#[derive(Default)]
enum Stage {
    #[default]
    Start,
    Head(HeadEnd),
    /// The service that takes the request, or the refusal; the head as written and as received.
    Body(Result<Forwarded, u16>, Vec<u8>, Body),
}

impl Proxy {
    pub(crate) fn new(replies: Vec<Option<Vec<u8>>>) -> Self {
        let outcome = Outcome { complete: true, ..Outcome::default() };
        Self { outcome, replies, unread: Vec::new(), stage: Stage::Start }
    }

    pub(crate) fn feed(&mut self, piece: &[u8]) {
        if let Some(tunnel) = &mut self.outcome.tunnel {
            return tunnel.extend_from_slice(piece);
        }
        if self.outcome.closed {
            return;
        }
        self.unread.extend_from_slice(piece);
        while !self.outcome.closed && self.outcome.tunnel.is_none() && self.advance() {}
    }

    /// The client has shut down its side.
    pub(crate) fn end_of_input(&mut self) {
        if let Stage::Body(_, _, mut body) = std::mem::take(&mut self.stage)
            && let Err(invalid) = body.end_of_input()
            && !self.outcome.closed
        {
            self.refuse(invalid.status());
        }
    }

    /// Does the next thing; false when more input is needed.
    fn advance(&mut self) -> bool {
        match std::mem::take(&mut self.stage) {
            Stage::Start => {
                self.stage = Stage::Head(HeadEnd::default());
                true
            }
            Stage::Head(mut end) => {
                if end.is_due(&self.unread) {
                    match extract(&self.unread) {
                        Ok(key) => {
                            let head = self.unread[..key.head_len].to_vec();
                            let verdict = route(&key.head);
                            self.stage = Stage::Body(verdict, head, Body::from(key.head.framing));
                            self.unread.drain(..key.head_len);
                            return true;
                        }
                        Err(Error::Invalid(invalid)) => self.refuse(invalid.status()),
                        Err(Error::Incomplete(_)) => {}
                    }
                }
                self.stage = Stage::Head(end);
                false
            }
            Stage::Body(mut verdict, head, mut body) => {
                if matches!(verdict, Err(status) if status != 403) {
                    self.refuse(verdict.expect_err("a refusal"));
                    return false;
                }
                let passed = match body.step(&self.unread) {
                    Ok(Step::End) => {
                        self.exchange(verdict, &head);
                        return true;
                    }
                    Ok(Step::More) => {
                        self.stage = Stage::Body(verdict, head, body);
                        return false;
                    }
                    Err(invalid) => {
                        self.refuse(invalid.status());
                        return false;
                    }
                    Ok(Step::Skip(n) | Step::Trailer(n)) => {
                        self.unread.drain(..n).take(0).collect::<Vec<u8>>()
                    }
                    Ok(Step::Pass(n)) => self.unread.drain(..n).collect(),
                };
                if let Ok(forwarded) = &mut verdict {
                    forwarded.body.extend(passed);
                }
                self.stage = Stage::Body(verdict, head, body);
                true
            }
        }
    }

    fn refuse(&mut self, status: u16) {
        self.answer(status, Client { version: Version::Http11, close: true }, false);
    }

    fn answer(&mut self, status: u16, client: Client, head_only: bool) {
        let answer = Answer {
            status,
            text: forward::reason_phrase(status),
            date: "Sun, 06 Nov 1994 08:49:37 GMT",
            head_only,
            fields: &[],
        };
        let to_client = &mut self.outcome.to_client;
        forward::answer(&answer, client, &mut |slice| to_client.extend_from_slice(slice));
        self.outcome.statuses.push(status);
        self.outcome.closed |= client.close;
    }

    /// A request is whole: it is refused, or the service answers.
    fn exchange(&mut self, verdict: Result<Forwarded, u16>, head: &[u8]) {
        let head = extract(head).expect("a head that was read before").head;
        let asked = Asked::from(&head);
        let client = Client { version: head.version, close: !head.keeps_alive() };
        let forwarded = match verdict {
            Ok(forwarded) => forwarded,
            Err(status) => return self.answer(status, client, asked.head_only),
        };
        let mut reply = if self.replies.is_empty() { None } else { self.replies.remove(0) }
            .unwrap_or_else(|| usual_reply(&forwarded, &head));
        self.outcome.forwarded.push(forwarded);
        let ends = reply.strip_suffix(b"\0CLOSE").or(reply.strip_suffix(b"CLOSE")).map(<[u8]>::len);
        reply.truncate(ends.unwrap_or(reply.len()));
        if !self.relay(&reply, ends.is_some(), asked, client) {
            self.answer(502, Client { close: true, ..client }, asked.head_only);
        }
    }

    /// Passes an answer of a service on; false if there is none.
    fn relay(&mut self, mut reply: &[u8], ends: bool, asked: Asked, client: Client) -> bool {
        let response = loop {
            let Ok(response) = response::extract(reply, asked) else { return false };
            let rest = &reply[response.head_len..];
            if !response.is_interim() {
                break response;
            }
            let to_client = &mut self.outcome.to_client;
            if client.version == Version::Http11 {
                forward::interim(&response, &mut |slice| to_client.extend_from_slice(slice));
            }
            reply = rest;
        };
        let mut rest = &reply[response.head_len..];
        self.outcome.statuses.push(response.status);
        let to_client = &mut self.outcome.to_client;
        let mut sink = |slice: &[u8]| to_client.extend_from_slice(slice);
        if response.switches() {
            forward::switching(&response, &mut sink);
            self.outcome.tunnel = Some(std::mem::take(&mut self.unread));
            return true;
        }
        let framing = forward::response(&response, client, &mut sink);
        let mut body = Body::from(response.framing);
        self.outcome.complete = loop {
            match body.step(rest) {
                Ok(Step::End) => break true,
                Ok(Step::Skip(n) | Step::Trailer(n)) => rest = &rest[n..],
                Ok(Step::Pass(n)) => {
                    if framing == ResponseFraming::Chunked {
                        sink(chunk::SizeLine::new(n).as_bytes());
                        sink(&rest[..n]);
                        sink(chunk::DATA_END);
                    } else {
                        sink(&rest[..n]);
                    }
                    rest = &rest[n..];
                }
                Ok(Step::More) => break ends && body.end_of_input().is_ok(),
                Err(_) => break false,
            }
        };
        if self.outcome.complete && framing == ResponseFraming::Chunked {
            sink(chunk::LAST_CHUNK);
        }
        self.outcome.closed |=
            client.close || !self.outcome.complete || framing == ResponseFraming::UntilClose;
        true
    }
}

fn usual_reply(forwarded: &Forwarded, head: &Head<'_>) -> Vec<u8> {
    let line = forwarded.head.split(|&octet| octet == b'\r').next().expect("a first line");
    let words = String::from_utf8_lossy(line).replace(" HTTP/1.1", "");
    let text = format!("{} {words}", forwarded.service);
    let body = if head.method == b"HEAD" { "" } else { &text };
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", text.len()).into_bytes()
}

/// The request as it goes to its service, or the refusal.
fn route(head: &Head<'_>) -> Result<Forwarded, u16> {
    let name = head.host.name().to_ascii_lowercase();
    let (service, urls): (char, &[&str]) = match name.as_slice() {
        b"pbx.example.com" => (
            'A',
            &[
                "/PBX0/APPCLIENT/appclient.htm",
                "/PBX0/APPS",
                "/PBX0/WEBSOCKET",
                "/PBX0/user.soap",
                "/fonts",
                "/PBX0/MY/",
            ],
        ),
        b"[2001:db8::10]" | b"192.0.2.10" => ('A', &["/PBX0/APPS"]),
        b"apps.example.com" => ('B', &[""]),
        _ => return Err(404),
    };
    let Target::Path { path, encoded_slash, .. } = head.target else { return Err(403) };
    if head.absolute_scheme.is_some_and(|scheme| scheme != Scheme::Http) || encoded_slash {
        return Err(400);
    }
    let allows = |url: &&str| {
        path.strip_prefix(url.as_bytes()).is_some_and(|rest| !url.ends_with('/') || !rest.contains(&b'/'))
    };
    if !urls.iter().any(allows) {
        return Err(403);
    }
    let mut written = Vec::new();
    forward::request(head, &forwarding(), false, &mut |slice| written.extend_from_slice(slice));
    Ok(Forwarded { service, head: written, body: Vec::new() })
}

pub(crate) fn forwarding() -> Forwarding<'static> {
    Forwarding {
        client: "127.0.0.1",
        scheme: Scheme::Http,
        trusted: false,
        own_address: None,
        forwarded: false,
        via: None,
    }
}
