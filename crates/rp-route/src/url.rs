//! The URLs that a host allows.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use crate::index::{Index, Seed};

/// A list of allowed URLs, made ready to be asked.
///
/// An entry allows a request if it is the head of the path: case-sensitive, octet by octet, not by segment.
/// If the entry ends in `/`, the rest of the path must not hold another `/`, nor `%2f`. An entry that holds
/// `?` is compared with path and query together; for all others the query plays no part.
///
/// ```
/// let urls = rp_route::url::Prefixes::new(["/PBX0/APPS", "/PBX0/MY/", "/PBX0/APPS/admin"]);
///
/// assert_eq!(urls.lookup(b"/PBX0/APPSX", None), Some(0));
/// assert_eq!(urls.lookup(b"/PBX0/APPS/admin/x", None), Some(2)); // the longest
/// assert_eq!(urls.lookup(b"/PBX0/MY/a.htm", Some(b"u=/x/y")), Some(1));
/// assert_eq!(urls.lookup(b"/PBX0/MY/s/a.htm", None), None);
/// ```
#[derive(Clone, Debug)]
pub struct Prefixes {
    seed: Seed,
    index: Index,
    /// In the order of their texts; the first is the empty text.
    nodes: Vec<Node>,
    /// The length of the longest text.
    longest: usize,
}

/// A text at which the walk over a request takes stock: that of an entry, or a cut (see [`cuts`]).
#[derive(Clone, Debug)]
struct Node {
    text: Box<[u8]>,
    /// The longest other node that is a head of this one.
    parent: usize,
    /// Absent in a mere cut.
    entry: Option<usize>,
}

impl Prefixes {
    /// Makes the entries ready. Of equal ones the first counts.
    pub fn new<E: AsRef<[u8]>>(entries: impl IntoIterator<Item = E>) -> Self {
        Self::with_seed(Seed::random(), entries)
    }

    fn with_seed<E: AsRef<[u8]>>(seed: Seed, entries: impl IntoIterator<Item = E>) -> Self {
        let nodes = nodes(entries);
        let mut index = Index::default();
        for node in &nodes {
            index.push(seed.hash(&node.text));
        }
        let longest = nodes.iter().map(|node| node.text.len()).max().unwrap_or(0);
        Self { seed, index, nodes, longest }
    }

    /// The longest entry among those that allow the request, by its place in the list; `None` if none does.
    ///
    /// `path` is what stands before the first `?`, `query` what stands behind it, both as received. The
    /// cost is that of one walk over them, at most as far as the longest entry, however many there are.
    pub fn lookup(&self, path: &[u8], query: Option<&[u8]>) -> Option<usize> {
        let mut walk = Walk::new(self);
        if walk.feed(path)
            && let Some(query) = query
            && walk.feed(b"?")
        {
            walk.feed(query);
        }
        walk.allowed
    }

    /// For the log, if [`lookup`](Prefixes::lookup) found nothing: the entry that probably was to allow
    /// this path. `None` if there are no entries.
    pub fn nearest(&self, path: &[u8]) -> Option<Nearest> {
        let after = self.nodes.partition_point(|node| *node.text <= *path);
        let before = after.saturating_sub(1);
        if let Some((text, entry)) = self.heads(before).find(|(text, _)| path.starts_with(text)) {
            return Some(if text.ends_with(b"/") {
                Nearest::ClosingSlash(entry)
            } else {
                Nearest::Head(entry)
            });
        }
        let common = |at: &usize| self.nodes.get(*at).map(|node| common_head(&node.text, path));
        let nearer = [before, after].into_iter().max_by_key(common)?;
        // A cut is followed by an entry that it is a head of.
        self.nodes.get(nearer..)?.iter().find_map(|node| node.entry).map(Nearest::Head)
    }

    /// The entry at a node and those that are heads of it, longest first.
    fn heads(&self, node: usize) -> impl Iterator<Item = (&[u8], usize)> {
        let parent = |at: &usize| self.nodes.get(*at).map(|node| node.parent).filter(|parent| parent != at);
        core::iter::successors(Some(node), parent)
            .filter_map(|at| self.nodes.get(at))
            .filter_map(|node| node.entry.map(|entry| (&*node.text, entry)))
    }
}

/// What [`Prefixes::nearest`] found, by its place in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nearest {
    /// This entry is the head of the path, and only the `/` at its end kept it from allowing it.
    ClosingSlash(usize),
    /// No entry has a longer head in common with the path than this one.
    Head(usize),
}

/// A request on its way through the nodes.
///
/// With every octet the hash of the head read so far grows, and is looked up. What is found counts only if
/// its parent is the node passed last and the octets since then are the same; so every octet is compared
/// at most once, and a hash that fits by chance can do no harm.
struct Walk<'a> {
    prefixes: &'a Prefixes,
    hash: u64,
    /// How many octets were fed.
    fed: usize,
    /// The node passed last, and the length of its text.
    node: usize,
    depth: usize,
    allowed: Option<usize>,
}

impl<'a> Walk<'a> {
    fn new(prefixes: &'a Prefixes) -> Self {
        let allowed = prefixes.nodes.first().and_then(|root| root.entry);
        Self { prefixes, hash: prefixes.seed.start, fed: 0, node: 0, depth: 0, allowed }
    }

    /// Walks on, and says whether a node ends where `piece` ends. No node may reach into `piece` unless
    /// another one ends where it starts.
    fn feed(&mut self, piece: &[u8]) -> bool {
        let Prefixes { seed, index, longest, .. } = self.prefixes;
        let start = self.fed;
        let separators = start.saturating_add(separators_end(piece));
        let mut hash = self.hash;
        for (at, &octet) in piece.iter().enumerate().take(longest.saturating_sub(start)) {
            hash = seed.extend(hash, octet);
            let unread = || piece.get(self.depth.checked_sub(start)?..=at);
            if let Some(node) = index.find(hash, |node| self.has_child(node, unread)) {
                self.pass(node, separators);
            }
        }
        self.hash = hash;
        self.fed = start.saturating_add(piece.len());
        self.depth == self.fed
    }

    fn has_child<'p>(&self, node: usize, unread: impl Fn() -> Option<&'p [u8]>) -> bool {
        let Some(node) = self.prefixes.nodes.get(node) else { return false };
        let (Some(rest), Some(unread)) = (node.text.get(self.depth..), unread()) else { return false };
        node.parent == self.node && rest == unread
    }

    fn pass(&mut self, at: usize, separators: usize) {
        let Some(node) = self.prefixes.nodes.get(at) else { return };
        self.node = at;
        self.depth = node.text.len();
        if node.entry.is_some() && (separators <= self.depth || !node.text.ends_with(b"/")) {
            self.allowed = node.entry;
        }
    }
}

/// Where the last `/` or `%2f` ends.
fn separators_end(piece: &[u8]) -> usize {
    let mut rest = piece;
    while let Some((last, before)) = rest.split_last() {
        if *last == b'/' || ends_with_encoded_slash(rest) {
            return rest.len();
        }
        rest = before;
    }
    0
}

/// `%2F` (RFC 3986, section 2.1: the case of hexadecimal digits makes no difference).
fn ends_with_encoded_slash(text: &[u8]) -> bool {
    matches!(text, [.., b'%', b'2', b'f' | b'F'])
}

/// The nodes for these entries: sorted, each text once, with their parents.
fn nodes<E: AsRef<[u8]>>(entries: impl IntoIterator<Item = E>) -> Vec<Node> {
    let mut texts: Vec<(Box<[u8]>, Option<usize>)> = vec![(Box::default(), None)];
    for (at, entry) in entries.into_iter().enumerate() {
        let entry = entry.as_ref();
        texts.extend(cuts(entry).map(|cut| (cut.into(), None)));
        texts.push((entry.into(), Some(at)));
    }
    // Of equal texts the first entry is kept, and a cut only where there is none.
    texts.sort_by(|(a, m), (b, n)| a.cmp(b).then(m.is_none().cmp(&n.is_none())).then(m.cmp(n)));
    texts.dedup_by(|(a, _), (b, _)| a == b);

    let mut nodes: Vec<Node> = Vec::with_capacity(texts.len());
    for (text, entry) in texts {
        let mut parent = nodes.len().saturating_sub(1);
        while let Some(node) = nodes.get(parent).filter(|node| !text.starts_with(&node.text)) {
            parent = node.parent;
        }
        nodes.push(Node { text, parent, entry });
    }
    nodes
}

/// Where an entry that holds `?` is cut: a request is fed as path, `?` and query, and what is compared must
/// not reach across from one into the next.
fn cuts(entry: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mark = entry.iter().position(|&octet| octet == b'?');
    let ends = mark.map(|at| [at, at.saturating_add(1)]);
    ends.into_iter().flatten().filter_map(|end| entry.get(..end))
}

fn common_head(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// Whether a text can be an entry. (Whether a path that it is the head of can occur is for the HTTP side to
/// say.)
///
/// # Errors
/// What is wrong, and what to write instead. `%2f` in the path is an error unless the host lets it pass,
/// because otherwise no request with it gets as far as this list.
pub fn check(entry: &str, encoded_slash_passes: bool) -> Result<(), EntryError> {
    if entry.is_empty() {
        return Err(EntryError::Empty);
    }
    if !entry.starts_with('/') {
        return Err(EntryError::NoSlash { write: with_slash(entry) });
    }
    if let Some((before, _)) = entry.split_once('#') {
        return Err(EntryError::Fragment { write: before.to_owned() });
    }
    let path = entry.split('?').next().unwrap_or_default();
    if !encoded_slash_passes && path.as_bytes().windows(3).any(ends_with_encoded_slash) {
        return Err(EntryError::EncodedSlash);
    }
    Ok(())
}

/// The path of `https://name/path`, else the text behind a slash.
fn with_slash(entry: &str) -> String {
    let path =
        entry.split_once("://").map_or(entry, |(_, rest)| rest.split_once('/').map_or("", |(_, path)| path));
    format!("/{}", path.split('#').next().unwrap_or_default())
}

/// Why a text cannot be an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EntryError {
    /// Nothing at all.
    Empty,
    /// It does not begin with `/`.
    NoSlash {
        /// What was probably meant.
        write: String,
    },
    /// It holds `#`, which no request does (RFC 9110, section 7.1).
    Fragment {
        /// The entry without it.
        write: String,
    },
    /// It holds `%2f`, and the host refuses requests that do.
    EncodedSlash,
}

impl core::error::Error for EntryError {}

impl fmt::Display for EntryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the entry is empty; to allow every URL, leave out `urls`"),
            Self::NoSlash { write } => write!(f, "an entry begins with `/`; write `{write}`"),
            Self::Fragment { write } => write!(f, "no request holds `#`; write `{write}`"),
            Self::EncodedSlash => f.write_str(
                "requests with `%2f` in the path are refused; write `/`, or set `encoded-slash = \"pass\"`",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::naive;

    #[test]
    fn a_hash_that_fits_by_chance_does_no_harm() {
        let texts = ["/", "/a", "/b", "/a/", "/aa", "/ab", "/b/a", "/a/b", "/aab", "/a?", "/a?a", "/ab?a/"];
        for skipped in texts {
            let entries: Vec<_> = texts.into_iter().filter(|text| *text != skipped).collect();
            let urls = Prefixes::with_seed(Seed::ALL_EQUAL, &entries);
            for target in texts.into_iter().chain(["", "/c", "/aa/", "/abc", "/ab?a/a", "/a/b/a", "/a/?a"]) {
                let (path, query) =
                    target.split_once('?').map_or((target, None), |(path, q)| (path, Some(q)));
                let (path, query) = (path.as_bytes(), query.map(str::as_bytes));
                assert_eq!(urls.lookup(path, query), naive::url(&entries, path, query), "{target}");
            }
        }
    }
}
