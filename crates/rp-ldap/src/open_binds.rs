//! The binds that a service has not answered yet, oldest first.

use crate::{
    message::ResultCode,
    service_follower::{MAX_OPEN_BINDS, TooManyBinds},
};

/// No entry is ever dropped for want of room: its answer would not be told, and guesses not be counted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OpenBinds {
    /// Those that are taken come first.
    slots: [Option<OpenBind>; MAX_OPEN_BINDS],
}

#[derive(Clone, Copy, Debug)]
struct OpenBind {
    message_id: i32,
    sasl: bool,
    /// The service wants another step of the exchange (RFC 4511 4.2.2).
    goes_on: bool,
}

impl OpenBinds {
    pub(crate) const fn new() -> Self {
        Self { slots: [None; MAX_OPEN_BINDS] }
    }

    pub(crate) fn open(&mut self, message_id: i32, sasl: bool) -> Result<(), TooManyBinds> {
        // The next bind is the next step of an exchange that goes on, or gives it up (RFC 4511 4.2.1). It is
        // the oldest then, because its answer has cleared those before it.
        if self.slots.first().is_some_and(|slot| slot.is_some_and(|bind| bind.goes_on)) {
            self.drop_oldest(1);
        }
        let free = self.slots.iter_mut().find(|slot| slot.is_none()).ok_or(TooManyBinds)?;
        *free = Some(OpenBind { message_id, sasl, goes_on: false });
        Ok(())
    }

    /// Takes note of an answer; tells whether that bind was a SASL one, if it is open.
    ///
    /// Older binds get no answer any more: a service may drop them when the next one comes (RFC 4511 4.2.1).
    pub(crate) fn answer(&mut self, message_id: i32, code: ResultCode) -> Option<bool> {
        // Nothing keeps a client from using an id twice. Each answer then stands for one bind, so that each
        // is told.
        let is_it = |slot: &Option<OpenBind>| slot.is_some_and(|bind| bind.message_id == message_id);
        let older = self.slots.iter().position(is_it)?;
        self.drop_oldest(older);
        let oldest = self.slots.first_mut()?.as_mut()?;
        let sasl = oldest.sasl;
        oldest.goes_on = code == ResultCode::SASL_BIND_IN_PROGRESS;
        if !oldest.goes_on {
            self.drop_oldest(1);
        }
        Some(sasl)
    }

    fn drop_oldest(&mut self, count: usize) {
        let mut kept = [None; MAX_OPEN_BINDS];
        kept.iter_mut().zip(self.slots.iter().skip(count)).for_each(|(to, from)| *to = *from);
        self.slots = kept;
    }
}
