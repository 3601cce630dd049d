//! How many files the system lets this process open, sockets included.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit to the hard one, and says what it is then.
pub fn raise() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    // Refused only where a sandbox forbids it; then the soft limit stays.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    getrlimit(Resource::Nofile).current.unwrap_or(u64::from(u32::MAX))
}

/// The hard limit, which [`raise`] raises the soft one to.
pub fn most() -> u64 {
    getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX)
}
