//! Challenges and refusals that are held back until it is clear whether they count against the phone.
//!
//! Both tables are of one connection and of a fixed size. Times are counted from an origin of the caller's;
//! at the end of the connection everything that is held is due: [`Duration::MAX`].

use core::time::Duration;

use crate::{
    Response, Status, Verdict,
    open_requests::{Method, Open},
    siphash::{Key, siphash},
};

/// So many entries each table has.
pub const CAPACITY: usize = 16;

/// How long a wrong password waits for the right one.
pub const PASSWORD_PATIENCE: Duration = Duration::from_secs(10);

/// How long it takes until another wrong password of the same call is held back.
pub const PASSWORD_RENEWAL: Duration = Duration::from_secs(600);

/// How long a challenge waits for credentials.
pub const CHALLENGE_PATIENCE: Duration = Duration::from_secs(5);

/// So many users of a connection may leave a challenge without an answer before one counts.
pub const FREE_USERS: u32 = 4;

/// A response that counts now, though it came before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its status.
    pub status: Status,
    /// The method of the request.
    pub method: Method,
}

/// Wrong passwords that may have been right before the service was started anew: a phone tries first with the
/// nonce or the realm that it knows. So the first one of a Call-ID, a user and a method waits for the right one.
#[derive(Clone, Debug)]
pub struct WrongPasswords {
    key: Key,
    entries: [Option<WrongPassword>; CAPACITY],
}

#[derive(Clone, Copy, Debug)]
struct WrongPassword {
    /// The hash of the Call-ID.
    call: u64,
    user: u16,
    refusal: Refusal,
    since: Duration,
    /// When it counts; none if it has, or is forgiven.
    due: Option<Duration>,
}

impl WrongPasswords {
    /// An empty table. The key ought to be random.
    pub fn new(key: [u8; 16]) -> Self {
        Self { key: Key::new(key), entries: [None; CAPACITY] }
    }

    /// Notes the verdict on a response, and says whether that counts at once. Ask afterwards what else is
    /// [`due`](Self::due).
    ///
    /// Only a success of the same Call-ID, user and method forgives: with any other 2xx a guesser could make
    /// his guesses unseen.
    pub fn note(&mut self, verdict: Verdict, response: &Response<'_>, request: &Open, now: Duration) -> bool {
        let over = |entry: &mut WrongPassword| {
            entry.due.is_none() && entry.since.saturating_add(PASSWORD_RENEWAL) <= now
        };
        for entry in &mut self.entries {
            entry.take_if(over);
        }
        let entry = self.entry(response, request, now);
        match verdict {
            Verdict::WrongPassword => match self.same(&entry) {
                Some(held) => {
                    held.hasten(now);
                    true
                }
                None => !self.hold(entry),
            },
            Verdict::Refused => {
                if let Some(held) = self.same(&entry) {
                    held.hasten(now);
                }
                true
            }
            Verdict::Success => {
                if let Some(held) = self.same(&entry) {
                    held.due = None;
                }
                false
            }
            Verdict::Normal | Verdict::Challenge => false,
        }
    }

    /// One that counts now; ask until there is none.
    pub fn due(&mut self, now: Duration) -> Option<Refusal> {
        let mut held = self.entries.iter_mut().flatten();
        let due = held.find(|held| held.due.is_some_and(|due| due <= now))?;
        due.due = None;
        Some(due.refusal)
    }

    /// When the next one counts.
    pub fn next_due(&self) -> Option<Duration> {
        self.entries.iter().flatten().filter_map(|held| held.due).min()
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.entries.iter().all(Option::is_none)
    }

    fn entry(&self, response: &Response<'_>, request: &Open, now: Duration) -> WrongPassword {
        WrongPassword {
            call: siphash(self.key, response.call_id.unwrap_or_default().iter()),
            user: request.user,
            refusal: Refusal { status: response.status, method: request.method },
            since: now,
            due: Some(now.saturating_add(PASSWORD_PATIENCE)),
        }
    }

    fn same(&mut self, entry: &WrongPassword) -> Option<&mut WrongPassword> {
        let name = |entry: &WrongPassword| (entry.call, entry.user, entry.refusal.method);
        self.entries.iter_mut().flatten().find(|held| name(held) == name(entry))
    }

    /// Whether there was room.
    fn hold(&mut self, entry: WrongPassword) -> bool {
        let free = self.entries.iter_mut().find(|held| held.is_none());
        free.map(|free| *free = Some(entry)).is_some()
    }
}

impl WrongPassword {
    fn hasten(&mut self, now: Duration) {
        self.due = self.due.map(|_| now);
    }
}

/// Users that are challenged. Who tries which users exist leaves every challenge without an answer; a phone
/// follows with credentials.
#[derive(Clone, Debug, Default)]
pub struct Challenges {
    entries: [Option<Challenged>; CAPACITY],
    /// So many users have left a challenge without an answer.
    unanswered: u32,
}

#[derive(Clone, Copy, Debug)]
struct Challenged {
    user: u16,
    refusal: Refusal,
    since: Duration,
    /// Whether time is left for an answer.
    waits: bool,
}

impl Challenges {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// A request was answered by a [`Verdict::Challenge`]. While the table is full of users that have time
    /// left, no further one is held: a gateway may register hundreds at once.
    pub fn challenged(&mut self, response: &Response<'_>, request: &Open, now: Duration) {
        let known = |entry: &Option<Challenged>| entry.is_some_and(|entry| entry.user == request.user);
        if self.entries.iter().any(known) {
            return;
        }
        // Empty ones first, then who has counted already, the oldest first.
        let free = self.entries.iter_mut().filter(|entry| entry.is_none_or(|entry| !entry.waits));
        if let Some(free) = free.min_by_key(|entry| entry.map(|entry| entry.since)) {
            let refusal = Refusal { status: response.status, method: request.method };
            *free = Some(Challenged { user: request.user, refusal, since: now, waits: true });
        }
    }

    /// A request went up; one with credentials answers the challenge of its user.
    pub fn asked(&mut self, request: &Open) {
        let answers =
            |entry: &mut Challenged| request.credentials && entry.waits && entry.user == request.user;
        for entry in &mut self.entries {
            entry.take_if(answers);
        }
    }

    /// One that counts now; ask until there is none.
    pub fn due(&mut self, now: Duration) -> Option<Refusal> {
        let mut waiting = self.entries.iter_mut().flatten().filter(|entry| entry.waits);
        while let Some(entry) = waiting.find(|entry| entry.since.saturating_add(CHALLENGE_PATIENCE) <= now) {
            entry.waits = false;
            self.unanswered = self.unanswered.saturating_add(1);
            if self.unanswered > FREE_USERS {
                return Some(entry.refusal);
            }
        }
        None
    }

    /// When the next one may count.
    pub fn next_due(&self) -> Option<Duration> {
        let waiting = self.entries.iter().flatten().filter(|entry| entry.waits);
        waiting.map(|entry| entry.since.saturating_add(CHALLENGE_PATIENCE)).min()
    }

    /// Whether nothing is remembered: every challenge so far was answered.
    pub fn is_empty(&self) -> bool {
        self.unanswered == 0 && self.entries.iter().all(Option::is_none)
    }
}
