//! What is reported. The crate keeps the numbers and never asks what they mean.

/// Why a request was suspicious: a number of the embedder's own registry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reason(pub u8);

/// The protocol that it came by: a number of the embedder's own registry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Protocol(pub u8);

/// One suspicious request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Event {
    /// Why it was suspicious.
    pub reason: Reason,
    /// The protocol that it came by.
    pub protocol: Protocol,
}
