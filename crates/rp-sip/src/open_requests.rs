//! Requests that wait for their final response, in tables of a fixed size: which request a response answers,
//! and what a proxy remembers of it.
//!
//! Requests are named by a keyed hash, because the phone chooses the branch: names that collide on purpose
//! would hide what the service says of a password. Times are counted from an origin of the caller's.

use core::time::Duration;

use crate::{
    CSeq, Invalid, Request, Response,
    siphash::{Key, siphash},
};

/// So many requests may be open in one direction.
pub const CAPACITY: usize = 64;

/// The phone's open requests, each at the leg to which it was sent.
#[derive(Clone, Debug)]
pub struct Up(Table);

/// The services' open requests, which tell to which leg an answer of the phone goes.
#[derive(Clone, Debug)]
pub struct Down(Table);

/// What is remembered of a request until its answer comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    /// The method.
    pub method: Method,
    /// Whether it has credentials.
    pub credentials: bool,
    /// A hash of the user of From, to tell users apart.
    pub user: u16,
}

/// The methods between which verdicts differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "they are their own names")]
pub enum Method {
    Register,
    Invite,
    Subscribe,
    /// Any other.
    Other,
}

/// No entry is free. Nothing more is to be read from the phone until a response or the time frees one: an
/// entry pushed out would be a refusal that nobody sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    /// When the next entry becomes free, if no response comes before.
    pub until: Duration,
}

impl Up {
    /// An empty table. The key ought to be random.
    pub fn new(key: [u8; 16]) -> Self {
        Self(Table::new(key))
    }

    /// Enters a request that goes to a leg. An ACK has no response, so it is not entered.
    ///
    /// # Errors
    /// The table is full, and the request must wait. An INVITE that rings makes room before that: its
    /// caller was let in.
    pub fn enter(&mut self, request: &Request<'_>, leg: u8, now: Duration) -> Result<Open, Full> {
        self.expire(now);
        let open = self.0.open(request);
        let Some(entry) = self.0.entry(request, open, leg, now) else { return Ok(open) };
        if self.0.is_full()
            && let Some(ringing) = self.0.position(|entry| entry.has(RINGING))
        {
            self.0.remove(ringing);
        }
        if self.0.is_full() {
            return Err(Full { until: self.0.next_expiry(Entry::up_lifetime).unwrap_or(now) });
        }
        self.0.push(entry);
        Ok(open)
    }

    /// A response of a leg: the request that it answers for good, if that is open there. Of several of the
    /// same name it is one with credentials: the phone chose the name, and must not gain by choosing it twice.
    pub fn answered(&mut self, response: &Response<'_>, leg: u8, now: Duration) -> Option<Open> {
        self.expire(now);
        let name = self.0.name_of_response(response)?;
        let is_it = |entry: &Entry| entry.name == name && entry.leg == leg;
        let with_credentials = self.0.position(|entry| is_it(entry) && entry.has(CREDENTIALS));
        let found = with_credentials.or_else(|| self.0.position(is_it))?;
        match response.status.code() {
            100 => None,
            101..=199 => {
                self.0.rings(found, now);
                None
            }
            _ => self.0.remove(found).map(|entry| entry.open()),
        }
    }

    /// Takes out what has waited too long.
    pub fn expire(&mut self, now: Duration) {
        self.0.expire(now, Entry::up_lifetime);
    }

    /// Whether no request is open.
    pub fn is_empty(&self) -> bool {
        self.0.len == 0
    }
}

impl Down {
    /// An empty table. The key ought to be random.
    pub fn new(key: [u8; 16]) -> Self {
        Self(Table::new(key))
    }

    /// Enters a request that has come from a leg. If the table is full the oldest one goes.
    pub fn enter(&mut self, request: &Request<'_>, leg: u8, now: Duration) {
        self.expire(now);
        let open = self.0.open(request);
        let Some(entry) = self.0.entry(request, open, leg, now) else { return };
        if self.0.is_full() {
            self.0.remove(0);
        }
        self.0.push(entry);
    }

    /// The leg to which a response of the phone goes; none if its request is not open.
    pub fn leg_of(&mut self, response: &Response<'_>, now: Duration) -> Option<u8> {
        self.expire(now);
        let name = self.0.name_of_response(response)?;
        let found = self.0.position(|entry| entry.name == name)?;
        let entry = *self.0.entries().get(found)?;
        match (response.status.code(), entry.open().method) {
            (100..=199, _) => {}
            // 13.3.1.4: sent again until the ACK comes, over TCP too.
            (200..=299, Method::Invite) => self.0.is_answered(found, now),
            _ => drop(self.0.remove(found)),
        }
        Some(entry.leg)
    }

    /// Takes out what has waited too long.
    pub fn expire(&mut self, now: Duration) {
        self.0.expire(now, Entry::down_lifetime);
    }

    /// Whether no request is open.
    pub fn is_empty(&self) -> bool {
        self.0.len == 0
    }
}

impl Method {
    /// The method as it is written; empty for [`Method::Other`].
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Register => "REGISTER",
            Self::Invite => "INVITE",
            Self::Subscribe => "SUBSCRIBE",
            Self::Other => "",
        }
    }

    fn of(method: &str) -> Self {
        match method {
            "REGISTER" => Self::Register,
            "INVITE" => Self::Invite,
            "SUBSCRIBE" => Self::Subscribe,
            _ => Self::Other,
        }
    }
}

/// Entries in the order in which they came.
#[derive(Clone, Debug)]
struct Table {
    key: Key,
    len: usize,
    entries: [Entry; CAPACITY],
}

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    /// The hash of what request and response have in common.
    name: u64,
    /// In seconds.
    since: u32,
    user: u16,
    leg: u8,
    /// The method and the flags below.
    traits: u8,
}

const METHOD: u8 = 0x03;
const CREDENTIALS: u8 = 0x04;
/// An INVITE that has had a response of 101 to 199.
const RINGING: u8 = 0x08;
/// An INVITE that has had a 2xx.
const ANSWERED: u8 = 0x10;

/// 16.6 step 11, timer C, in seconds.
const INVITE_LIFETIME: u32 = 180;
/// 17.1.2.2, timer F: 64 times T1. As long is a 2xx sent again (13.3.1.4).
const LIFETIME: u32 = 32;

impl Entry {
    fn has(&self, flag: u8) -> bool {
        self.traits & flag != 0
    }

    fn open(&self) -> Open {
        let method = match self.traits & METHOD {
            0 => Method::Register,
            1 => Method::Invite,
            2 => Method::Subscribe,
            _ => Method::Other,
        };
        Open { method, credentials: self.has(CREDENTIALS), user: self.user }
    }

    fn up_lifetime(&self) -> Option<u32> {
        Some(if self.open().method == Method::Invite { INVITE_LIFETIME } else { LIFETIME })
    }

    /// A phone may ring as long as it likes; a late answer must still find its leg.
    fn down_lifetime(&self) -> Option<u32> {
        (self.open().method != Method::Invite || self.has(ANSWERED)).then_some(LIFETIME)
    }
}

impl Table {
    fn new(key: [u8; 16]) -> Self {
        Self { key: Key::new(key), len: 0, entries: [Entry::default(); CAPACITY] }
    }

    fn open(&self, request: &Request<'_>) -> Open {
        let user = request.from.ok().and_then(|from| from.user).unwrap_or_default();
        let [.., high, low] = siphash(self.key, user.iter()).to_be_bytes();
        Open {
            method: Method::of(request.method),
            credentials: request.credentials,
            user: u16::from_be_bytes([high, low]),
        }
    }

    /// None for an ACK, which nothing answers, and for a request that no answer can be told by.
    fn entry(&self, request: &Request<'_>, open: Open, leg: u8, now: Duration) -> Option<Entry> {
        if request.method == "ACK" {
            return None;
        }
        let name = self.name(request.branch, request.cseq, request.call_id)?;
        let traits = open.method as u8 | if open.credentials { CREDENTIALS } else { 0 };
        Some(Entry { name, since: seconds(now), user: open.user, leg, traits })
    }

    fn name_of_response(&self, response: &Response<'_>) -> Option<u64> {
        self.name(response.branch, response.cseq, response.call_id)
    }

    /// 17.1.3: the branch names a transaction, and the method tells INVITE and CANCEL apart. Without a branch
    /// it is Call-ID and `CSeq` (RFC 2543). No blank is in method or number, so different fields never make
    /// the same octets.
    fn name(
        &self,
        branch: Result<Option<&[u8]>, Invalid>,
        cseq: Result<CSeq<'_>, Invalid>,
        call_id: Result<&[u8], Invalid>,
    ) -> Option<u64> {
        let cseq = cseq.ok()?;
        let parts: [&[u8]; 6] = match branch.ok()? {
            Some(branch) => [b"branch ", branch, b" ", cseq.method, b"", b""],
            None => [b"call ", call_id.ok()?, b" ", cseq.number, b" ", cseq.method],
        };
        Some(siphash(self.key, parts.into_iter().flatten()))
    }

    fn entries(&self) -> &[Entry] {
        self.entries.get(..self.len).unwrap_or_default()
    }

    fn is_full(&self) -> bool {
        self.len == CAPACITY
    }

    fn position(&self, is_it: impl Fn(&Entry) -> bool) -> Option<usize> {
        self.entries().iter().position(is_it)
    }

    fn push(&mut self, entry: Entry) {
        if let Some(free) = self.entries.get_mut(self.len) {
            *free = entry;
            self.len = self.len.saturating_add(1);
        }
    }

    fn remove(&mut self, at: usize) -> Option<Entry> {
        let entry = *self.entries().get(at)?;
        if let Some(from_it_on @ [_, ..]) = self.entries.get_mut(at..self.len) {
            from_it_on.rotate_left(1);
            self.len = self.len.saturating_sub(1);
        }
        Some(entry)
    }

    /// 16.7 step 2: each response of 101 to 199 lets an INVITE wait anew.
    fn rings(&mut self, at: usize, now: Duration) {
        if let Some(entry) = self.entries.get_mut(at)
            && entry.open().method == Method::Invite
        {
            entry.traits |= RINGING;
            entry.since = seconds(now);
        }
    }

    /// The first 2xx begins the time in which it is sent again.
    fn is_answered(&mut self, at: usize, now: Duration) {
        if let Some(entry) = self.entries.get_mut(at)
            && !entry.has(ANSWERED)
        {
            entry.traits |= ANSWERED;
            entry.since = seconds(now);
        }
    }

    fn expire(&mut self, now: Duration, lifetime: fn(&Entry) -> Option<u32>) {
        let now = seconds(now);
        let is_over =
            |entry: &Entry| lifetime(entry).is_some_and(|life| now.saturating_sub(entry.since) > life);
        while let Some(over) = self.position(is_over) {
            self.remove(over);
        }
    }

    /// When [`expire`](Self::expire) will take out an entry.
    fn next_expiry(&self, lifetime: fn(&Entry) -> Option<u32>) -> Option<Duration> {
        let over = |entry: &Entry| Some(u64::from(entry.since).saturating_add(u64::from(lifetime(entry)?)));
        let first = self.entries().iter().filter_map(over).min()?;
        Some(Duration::from_secs(first.saturating_add(1)))
    }
}

/// Entries are coarse: one may live up to a second longer.
fn seconds(now: Duration) -> u32 {
    u32::try_from(now.as_secs()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_about_a_kibibyte() {
        assert_eq!(size_of::<Entry>(), 16);
        assert!(size_of::<Up>() <= 1_024 + 32 && size_of::<Down>() <= 1_024 + 32);
    }
}
