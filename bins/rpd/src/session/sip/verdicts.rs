//! Which requests are open, and what the services' answers to them say of the phone.

use std::{hash::BuildHasher, time::Duration};

use rp_sip::{
    Circumstances, Request, Response, Verdict,
    held::{Challenges, Refusal, WrongPasswords},
    judge,
    open_requests::{Down, Full, Up},
};

use crate::session::Session;

/// The tables of one connection. Each exists while it holds something, so that an idle phone has none.
#[derive(Default)]
pub(super) struct Verdicts {
    up: Option<Box<Up>>,
    down: Option<Box<Down>>,
    wrong_passwords: Option<Box<WrongPasswords>>,
    challenges: Option<Box<Challenges>>,
    /// When the tables of open requests are looked at again.
    tidy_at: Duration,
    proven: bool,
}

/// What an answer says of the phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Refused,
    Proven,
}

impl Verdicts {
    /// A request goes up a leg.
    ///
    /// # Errors
    /// It has to wait: an entry that made room for it would be a refusal that nobody sees.
    pub(super) fn asked(&mut self, session: &Session, request: &Request<'_>, leg: u8) -> Result<(), Full> {
        let now = now(session);
        let up = self.up.get_or_insert_with(|| Box::new(Up::new(key(session, "up"))));
        let open = up.enter(request, leg, now)?;
        if let Some(challenges) = &mut self.challenges {
            challenges.asked(&open);
        }
        self.tidy_at = now + TIDY;
        Ok(())
    }

    /// A service's answer to it.
    pub(super) fn answered(
        &mut self,
        session: &Session,
        response: &Response<'_>,
        leg: u8,
        checked: bool,
    ) -> Option<Said> {
        let now = now(session);
        let request = self.up.as_mut()?.answered(response, leg, now)?;
        let verdict = judge(response, &request, Circumstances { proven: self.proven, checked });
        if verdict == Verdict::Challenge {
            self.challenges.get_or_insert_default().challenged(response, &request, now);
        }
        if verdict == Verdict::WrongPassword && self.wrong_passwords.is_none() {
            self.wrong_passwords = Some(Box::new(WrongPasswords::new(key(session, "passwords"))));
        }
        let counts = match &mut self.wrong_passwords {
            Some(table) => table.note(verdict, response, &request, now),
            None => verdict == Verdict::Refused,
        };
        self.proven |= verdict == Verdict::Success;
        match verdict {
            Verdict::Success => Some(Said::Proven),
            _ => counts.then_some(Said::Refused),
        }
    }

    /// A service's request goes down.
    pub(super) fn called(&mut self, session: &Session, request: &Request<'_>, leg: u8) {
        let now = now(session);
        let down = self.down.get_or_insert_with(|| Box::new(Down::new(key(session, "down"))));
        down.enter(request, leg, now);
        self.tidy_at = now + TIDY;
    }

    /// The leg to which an answer of the phone goes.
    pub(super) fn leg_of(&mut self, session: &Session, response: &Response<'_>) -> Option<u8> {
        self.down.as_mut()?.leg_of(response, now(session))
    }

    /// A refusal that counts now, though it was held back when it came; ask until there is none.
    pub(super) fn due(&mut self, now: Duration) -> Option<Refusal> {
        let wrong = self.wrong_passwords.as_mut().and_then(|table| table.due(now));
        wrong.or_else(|| self.challenges.as_mut().and_then(|table| table.due(now)))
    }

    /// When to look again.
    pub(super) fn next_look(&self) -> Option<Duration> {
        let tidy = (self.up.is_some() || self.down.is_some()).then_some(self.tidy_at);
        let wrong = self.wrong_passwords.as_ref().and_then(|table| table.next_due());
        let challenged = self.challenges.as_ref().and_then(|table| table.next_due());
        [tidy, wrong, challenged].into_iter().flatten().min()
    }

    /// Lets go of what is over, and of tables that hold nothing.
    pub(super) fn tidy(&mut self, now: Duration) {
        if self.tidy_at <= now {
            self.tidy_at = now + TIDY;
            self.up.iter_mut().for_each(|table| table.expire(now));
            self.down.iter_mut().for_each(|table| table.expire(now));
        }
        self.up.take_if(|table| table.is_empty());
        self.down.take_if(|table| table.is_empty());
        self.wrong_passwords.take_if(|table| table.is_empty());
        self.challenges.take_if(|table| table.is_empty());
    }

    /// Whether no request is open in either direction.
    pub(super) fn is_quiet(&self) -> bool {
        self.up.is_none() && self.down.is_none()
    }
}

/// Since the connection was accepted.
pub(super) fn now(session: &Session) -> Duration {
    session.facts.accepted.elapsed()
}

/// A key that the phone cannot know, another for each connection and table.
fn key(session: &Session, table: &str) -> [u8; 16] {
    let half = |which: u8| session.state().random.hash_one((session.facts.id, table, which));
    ((u128::from(half(0)) << 64) | u128::from(half(1))).to_be_bytes()
}

/// After so long most requests that were not answered are out of their table.
const TIDY: Duration = Duration::from_secs(33);
