//! All answers in one message of a service.

use core::fmt;

use crate::{
    Answer, AnswerKind, Invalid,
    h225::{self, generic_data::RasMessages, ras},
    q931::{self, Head, MessageType},
};

/// A frame of a service, and the answers in it: any number of them in a Facility, one in a ReleaseComplete.
#[derive(Clone, Copy)]
pub struct Answers<'a> {
    content: Result<Content<'a>, Invalid>,
    call_reference: u16,
    len: usize,
}

/// What a message can have of answers.
#[derive(Clone, Copy)]
pub(crate) enum Content<'a> {
    Nothing,
    Release(Answer<'a>),
    Facility(RasMessages<'a>),
}

#[expect(clippy::len_without_is_empty, reason = "a frame is never empty")]
impl<'a> Answers<'a> {
    /// The octets of the whole frame.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The answers, in the order of the message. One that cannot be read is left out.
    pub fn iter(&self) -> AnswerIter<'a> {
        let content = self.content.unwrap_or(Content::Nothing);
        AnswerIter { content, call_reference: self.call_reference, len: self.len }
    }

    /// Why not everything here could be read, for a log line; `None` if it could.
    pub fn fault(&self) -> Option<Invalid> {
        match self.content {
            Ok(Content::Facility(mut messages)) => loop {
                match messages.next().and_then(|message| message.map(ras::answer).transpose()) {
                    Ok(Some(_)) => {}
                    Ok(None) => return None,
                    Err(invalid) => return Some(invalid),
                }
            },
            Ok(Content::Nothing | Content::Release(_)) => None,
            Err(invalid) => Some(invalid),
        }
    }

    /// Reads the message in a whole frame of `len` octets.
    pub(crate) fn read(head: Head, message: &'a [u8], len: usize) -> Self {
        Self { content: Content::read(head, message, len), call_reference: head.call_reference, len }
    }
}

impl<'a> Content<'a> {
    /// Reads the message in a whole frame, which ends at the offset `end` of the input.
    pub(crate) fn read(head: Head, message: &'a [u8], end: usize) -> Result<Self, Invalid> {
        let bits = q931::user_user(message, end)?;
        Ok(match (head.message_type, bits) {
            (MessageType::RELEASE_COMPLETE, Some(bits)) => Self::Release(h225::read_release_complete(bits)?),
            // It ends the call all the same.
            (MessageType::RELEASE_COMPLETE, None) => {
                Self::Release(Answer::new(AnswerKind::ReleaseComplete(None)))
            }
            (MessageType::FACILITY, Some(bits)) => {
                h225::read_facility(bits)?.map_or(Self::Nothing, Self::Facility)
            }
            _ => Self::Nothing,
        })
    }
}

impl<'a> IntoIterator for Answers<'a> {
    type Item = Answer<'a>;
    type IntoIter = AnswerIter<'a>;

    fn into_iter(self) -> AnswerIter<'a> {
        self.iter()
    }
}

impl<'a> IntoIterator for &Answers<'a> {
    type Item = Answer<'a>;
    type IntoIter = AnswerIter<'a>;

    fn into_iter(self) -> AnswerIter<'a> {
        self.iter()
    }
}

impl fmt::Debug for Answers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

/// The answers of one message in their order.
#[derive(Clone)]
pub struct AnswerIter<'a> {
    content: Content<'a>,
    call_reference: u16,
    len: usize,
}

impl<'a> Iterator for AnswerIter<'a> {
    type Item = Answer<'a>;

    fn next(&mut self) -> Option<Answer<'a>> {
        let answer = match &mut self.content {
            Content::Nothing => None,
            Content::Release(answer) => {
                let answer = *answer;
                self.content = Content::Nothing;
                Some(answer)
            }
            Content::Facility(messages) => {
                let found = next_answer(messages);
                if found.is_none() {
                    self.content = Content::Nothing;
                }
                found
            }
        };
        answer.map(|answer| Answer { call_reference: self.call_reference, len: self.len, ..answer })
    }
}

/// The next one that can be read. Where the list itself is broken, there is no next one.
fn next_answer<'a>(messages: &mut RasMessages<'a>) -> Option<Answer<'a>> {
    while let Ok(Some(message)) = messages.next() {
        if let Ok(Some(answer)) = ras::answer(message) {
            return Some(answer);
        }
    }
    None
}

impl fmt::Debug for AnswerIter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}
