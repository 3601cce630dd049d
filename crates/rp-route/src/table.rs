//! From a name in a message to what is configured for it.

use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, Ipv6Addr};

use crate::index::{Index, Seed};
use crate::name::{self, Name};

/// What is configured for the names of one protocol.
///
/// ```
/// use rp_route::name::Name;
/// use rp_route::table::Table;
///
/// let mut table = Table::new();
/// table.insert(&Name::parse("pbx.example.com").unwrap(), "the PBX").unwrap();
/// table.insert(&Name::parse("*.example.com").unwrap(), "the others").unwrap();
///
/// assert_eq!(table.lookup("PBX.Example.COM."), Some(&"the PBX"));
/// assert_eq!(table.lookup("a.b.example.com"), Some(&"the others"));
/// assert_eq!(table.lookup("example.com"), None);
/// ```
#[derive(Clone, Debug)]
pub struct Table<T> {
    seed: Seed,
    index: Index,
    entries: Vec<(Name, T)>,
    wildcards: bool,
    default: Option<T>,
}

impl<T> Table<T> {
    /// A table without names.
    pub fn new() -> Self {
        Self {
            seed: Seed::random(),
            index: Index::default(),
            entries: Vec::new(),
            wildcards: false,
            default: None,
        }
    }

    /// Adds a name.
    ///
    /// # Errors
    /// The name, in whatever spelling, is there already. The table stays as it was.
    pub fn insert(&mut self, name: &Name, value: T) -> Result<(), Duplicate<'_, T>> {
        let hash = match (name.address(), name.wildcard_tail()) {
            (Some(IpAddr::V6(address)), _) => self.seed.hash(&address.octets()),
            (_, Some(tail)) => self.seed.hash(tail.as_bytes().iter().rev()),
            _ => self.seed.hash(name.as_str().as_bytes().iter().rev()),
        };
        let is = |at| self.name(at) == Some(name);
        if let Some(at) = self.index.find(hash, is) {
            #[allow(clippy::indexing_slicing, reason = "`is` has just found it there")]
            let (_, present) = &self.entries[at];
            return Err(Duplicate { present, value });
        }
        self.index.push(hash);
        self.entries.push((name.clone(), value));
        self.wildcards |= name.is_wildcard();
        Ok(())
    }

    /// Sets what is meant where no name fits and the caller wants to fall back.
    ///
    /// # Errors
    /// There is a default already. It stays.
    pub fn set_default(&mut self, value: T) -> Result<(), Duplicate<'_, T>> {
        match self.default {
            Some(ref present) => Err(Duplicate { present, value }),
            None => {
                self.default = Some(value);
                Ok(())
            }
        }
    }

    /// What is configured for a name out of a message: for exactly this name, else for the longest wildcard
    /// that covers it. The default plays no part.
    ///
    /// ASCII case and one trailing dot make no difference; IPv6 literals are compared as addresses. A star
    /// stands for one or more labels, and never for text that holds `/` or `@`.
    pub fn lookup(&self, name: &str) -> Option<&T> {
        let name = name::without_dot(name);
        if name.len() > Name::LONGEST {
            return None;
        }
        let found = match name::ipv6_literal(name) {
            Some(address) => self.find_address(address),
            None => self.find_name(name.as_bytes()),
        };
        self.entries.get(found?).map(|(_, value)| value)
    }

    /// What is configured for a gatekeeper identifier, without its physical location: as [`lookup`], and if
    /// that finds nothing for `id/location`, what is configured for `id`, provided that this is ready to
    /// take `any_location`.
    ///
    /// [`lookup`]: Table::lookup
    pub fn lookup_gatekeeper(&self, name: &str, any_location: impl Fn(&T) -> bool) -> Option<&T> {
        self.lookup(name).or_else(|| {
            let (id, _location) = name.split_once('/')?;
            self.lookup(id).filter(|value| any_location(value))
        })
    }

    /// What [`set_default`](Table::set_default) set.
    pub fn default(&self) -> Option<&T> {
        self.default.as_ref()
    }

    /// How many names there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is neither a name nor a default.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.default.is_none()
    }

    fn find_address(&self, address: Ipv6Addr) -> Option<usize> {
        let wanted = Some(IpAddr::V6(address));
        let is = |at| self.name(at).is_some_and(|name| name.address() == wanted);
        self.index.find(self.seed.hash(&address.octets()), is)
    }

    /// One walk from right to left: at every dot the hash is that of what a wildcard's tail would be there,
    /// in the end it is that of the name.
    fn find_name(&self, name: &[u8]) -> Option<usize> {
        let mut hash = self.seed.start;
        let mut wildcard = None;
        for (at, octet) in name.iter().enumerate().rev() {
            hash = self.seed.extend(hash, octet.to_ascii_lowercase());
            match octet {
                // The stars found so far would stand for this.
                b'/' | b'@' => wildcard = None,
                b'.' if self.wildcards => {
                    let (star, tail) = name.split_at_checked(at)?;
                    wildcard = match star.last() {
                        // An empty label, which is none.
                        None | Some(b'.') => None,
                        Some(_) => self.find_wildcard(hash, tail).or(wildcard),
                    };
                }
                _ => {}
            }
        }
        let is = |at| self.name(at).is_some_and(|other| equal(other.as_str(), name));
        self.index.find(hash, is).or(wildcard)
    }

    fn find_wildcard(&self, hash: u64, tail: &[u8]) -> Option<usize> {
        let tail_at = |at| self.name(at).and_then(Name::wildcard_tail);
        self.index.find(hash, |at| tail_at(at).is_some_and(|other| equal(other, tail)))
    }

    fn name(&self, at: usize) -> Option<&Name> {
        self.entries.get(at).map(|(name, _)| name)
    }
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self::new()
    }
}

fn equal(configured: &str, received: &[u8]) -> bool {
    configured.as_bytes().eq_ignore_ascii_case(received)
}

/// The name, or the default, is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Duplicate<'a, T> {
    /// What is there already.
    pub present: &'a T,
    /// What was to be added.
    pub value: T,
}

impl<T> fmt::Debug for Duplicate<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Duplicate")
    }
}

impl<T> fmt::Display for Duplicate<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name is taken already")
    }
}

impl<T> core::error::Error for Duplicate<'_, T> {}
