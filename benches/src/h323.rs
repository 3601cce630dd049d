//! The h323 cases.

use crate::Case;

/// The cases of this protocol.
pub fn cases() -> Vec<Case> {
    Vec::new()
}
