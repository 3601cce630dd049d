//! The matchers once more, slow and obviously right.

/// The longest entry that allows the request, of equal ones the first.
pub(crate) fn url(entries: &[impl AsRef<[u8]>], path: &[u8], query: Option<&[u8]>) -> Option<usize> {
    (0..entries.len())
        .filter(|&at| allows(entries[at].as_ref(), path, query))
        .rev()
        .max_by_key(|&at| entries[at].as_ref().len())
}

fn allows(entry: &[u8], path: &[u8], query: Option<&[u8]>) -> bool {
    let compared = match query {
        Some(query) if entry.contains(&b'?') => [path, b"?", query].concat(),
        _ => path.to_vec(),
    };
    let Some(rest) = compared.strip_prefix(entry) else { return false };
    let slash = rest.contains(&b'/') || rest.windows(3).any(|octets| octets.eq_ignore_ascii_case(b"%2f"));
    !(entry.ends_with(b"/") && slash)
}
