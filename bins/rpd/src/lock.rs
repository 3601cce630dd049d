//! Locks. None is held across an await, and a panic while one was held ends one connection, not all.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What the mutex guards, also after a panic: nothing is kept under a lock that half a change would spoil.
pub fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
