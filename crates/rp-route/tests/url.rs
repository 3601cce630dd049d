//! The URL matcher: the rule in examples, and against its naive twin.

mod naive;

use proptest::prelude::*;
use rp_route::url::{EntryError, Nearest, Prefixes, check};

/// The entry that allows the request, by its text.
fn lookup<'a>(entries: &[&'a str], target: &str) -> Option<&'a str> {
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let found = Prefixes::new(entries).lookup(path.as_bytes(), query.map(str::as_bytes));
    found.map(|at| entries[at])
}

#[test]
fn an_entry_is_compared_with_the_head_of_the_path_octet_by_octet() {
    assert_eq!(lookup(&["/PBX0/session"], "/PBX0/session.xml"), Some("/PBX0/session"));
    assert_eq!(lookup(&["/PBX0/APPS"], "/PBX0/APPSX"), Some("/PBX0/APPS"));
    for refused in
        ["/pbx0/apps/x", "/PBX0/APP", "//PBX0/APPS/x", "/PBX0//APPS/x", "/PBX0/%41PPS/x", "/?/PBX0/APPS", ""]
    {
        assert_eq!(lookup(&["/PBX0/APPS"], refused), None, "{refused}");
    }
}

#[test]
fn an_entry_with_a_closing_slash_allows_no_further_slash() {
    for allowed in ["/PBX0/MY/", "/PBX0/MY/a.htm", "/PBX0/MY/a.htm?u=/x/y", "/PBX0/MY/%2e%2"] {
        assert_eq!(lookup(&["/PBX0/MY/"], allowed), Some("/PBX0/MY/"), "{allowed}");
    }
    for refused in [
        "/PBX0/MY",
        "/PBX0/MY/s/a.htm",
        "/PBX0/MY/s/",
        "/PBX0/MY/a;b/c",
        "/PBX0/MY//",
        "/PBX0/MY/%2f",
        "/PBX0/MY/s%2Fa.htm",
    ] {
        assert_eq!(lookup(&["/PBX0/MY/"], refused), None, "{refused}");
    }
}

#[test]
fn a_refusing_entry_keeps_no_other_from_allowing() {
    assert_eq!(lookup(&["/PBX0/MY/", "/PBX0/MY/s"], "/PBX0/MY/s/a.htm"), Some("/PBX0/MY/s"));
    assert_eq!(lookup(&["/PBX0", "/PBX0/MY/"], "/PBX0/MY/s/a.htm"), Some("/PBX0"));
    assert_eq!(lookup(&["/PBX0", "/PBX0/MY/"], "/PBX0/MY/a.htm"), Some("/PBX0/MY/"));
}

#[test]
fn a_lone_slash_allows_only_names_at_the_root() {
    assert_eq!(lookup(&["/"], "/"), Some("/"));
    assert_eq!(lookup(&["/"], "/index.htm"), Some("/"));
    assert_eq!(lookup(&["/"], "/a/b"), None);
}

#[test]
fn an_entry_with_a_question_mark_is_compared_with_path_and_query() {
    let entries = ["/a", "/a?user=", "/a?dir=/", "/b?"];
    assert_eq!(lookup(&entries, "/a"), Some("/a"));
    assert_eq!(lookup(&entries, "/a?use"), Some("/a"));
    assert_eq!(lookup(&entries, "/a?user=7"), Some("/a?user="));
    assert_eq!(lookup(&entries, "/aa?user=7"), Some("/a"));
    assert_eq!(lookup(&entries, "/a?dir=/x"), Some("/a?dir=/"));
    assert_eq!(lookup(&entries, "/a?dir=/x/y"), Some("/a"));
    assert_eq!(lookup(&entries, "/a?dir=/x%2fy"), Some("/a"));
    assert_eq!(lookup(&entries, "/b"), None);
    assert_eq!(lookup(&entries, "/b?"), Some("/b?"));
    assert_eq!(lookup(&["/a?b?c"], "/a?b?cd"), Some("/a?b?c"));
}

#[test]
fn of_equal_entries_the_first_counts_and_without_entries_nothing_is_allowed() {
    assert_eq!(Prefixes::new(["/b", "/a", "/a"]).lookup(b"/a", None), Some(1));
    assert_eq!(Prefixes::new([""; 0]).lookup(b"/", None), None);
    assert_eq!(Prefixes::new([""; 0]).nearest(b"/"), None);
}

#[test]
fn the_nearest_entry_tells_a_closing_slash_from_a_forgotten_entry() {
    let urls = Prefixes::new(["/PBX0/APPS", "/PBX0/MY/", "/PBX0/web?v=1", "/", "/PBX0/MY/a/b"]);
    assert_eq!(urls.nearest(b"/PBX0/MY/s/a.htm"), Some(Nearest::ClosingSlash(1)));
    assert_eq!(urls.nearest(b"/PBX0/MY/a/a"), Some(Nearest::ClosingSlash(1)));
    assert_eq!(urls.nearest(b"/fonts/a.woff"), Some(Nearest::ClosingSlash(3)));

    let urls = Prefixes::new(["/PBX0/APPS", "/OAUTH2/oauth2_login", "/PBX0/web?v=1"]);
    assert_eq!(urls.nearest(b"/PBX0/APPCLIENT/x"), Some(Nearest::Head(0)));
    assert_eq!(urls.nearest(b"/OAUTH2"), Some(Nearest::Head(1)));
    assert_eq!(urls.nearest(b"/PBX0/web"), Some(Nearest::Head(2)));
    assert_eq!(urls.nearest(b"/PBX0/web/x"), Some(Nearest::Head(2)));
}

#[test]
fn what_no_request_can_hold_is_no_entry() {
    assert_eq!(check("/PBX0/APPS", false), Ok(()));
    assert_eq!(check("/a%2fb", true), Ok(()));
    assert_eq!(check("/a?next=%2Fb", false), Ok(()));
    for (entry, error) in [
        ("", EntryError::Empty),
        ("PBX0/APPS", EntryError::NoSlash { write: "/PBX0/APPS".into() }),
        ("https://pbx.example.com/PBX0/APPS#top", EntryError::NoSlash { write: "/PBX0/APPS".into() }),
        ("https://pbx.example.com", EntryError::NoSlash { write: "/".into() }),
        ("/PBX0/APPS#top", EntryError::Fragment { write: "/PBX0/APPS".into() }),
        ("/a%2fb", EntryError::EncodedSlash),
        ("/a%2F", EntryError::EncodedSlash),
    ] {
        assert_eq!(check(entry, false), Err(error), "{entry}");
    }
    assert_eq!(check("PBX0", false).unwrap_err().to_string(), "an entry begins with `/`; write `/PBX0`");
}

/// Texts over so few octets that entries and requests meet often.
fn text(longest: usize) -> impl Strategy<Value = Vec<u8>> {
    let octets = prop::sample::select(vec![&b"/"[..], b"/", b"a", b"b", b"A", b"%2f", b"%2F", b"%", b"\xff"]);
    prop::collection::vec(octets, 0..longest).prop_map(|parts| parts.concat())
}

fn request() -> impl Strategy<Value = (Vec<u8>, Option<Vec<u8>>)> {
    let query = prop_oneof![text(8), (text(4), text(4)).prop_map(|(a, b)| [&a[..], b"?", &b].concat())];
    (text(10), prop::option::of(query))
}

fn entry() -> impl Strategy<Value = Vec<u8>> {
    request().prop_map(|(path, query)| match query {
        Some(query) => [&path[..], b"?", &query].concat(),
        None => path,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_matcher_equals_its_naive_twin(
        mut entries in prop::collection::vec(entry(), 0..20),
        (path, query) in request(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..5),
    ) {
        // Some entries are heads of this very request.
        let whole = [&path[..], b"?", query.as_deref().unwrap_or_default()].concat();
        entries.extend(cuts.iter().map(|cut| whole[..cut.index(whole.len() + 1)].to_vec()));

        let urls = Prefixes::new(&entries);
        prop_assert_eq!(urls.lookup(&path, query.as_deref()), naive::url(&entries, &path, query.as_deref()));
    }

    #[test]
    fn no_entry_is_nearer_than_the_nearest(entries in prop::collection::vec(entry(), 1..20), path in text(10)) {
        let common = |entry: &[u8]| entry.iter().zip(&path).take_while(|(a, b)| a == b).count();
        match Prefixes::new(&entries).nearest(&path) {
            Some(Nearest::ClosingSlash(at)) => {
                prop_assert!(path.starts_with(&entries[at]) && entries[at].ends_with(b"/"));
                let heads = entries.iter().filter(|entry| path.starts_with(entry));
                prop_assert_eq!(heads.map(Vec::len).max(), Some(entries[at].len()));
            }
            Some(Nearest::Head(at)) => {
                prop_assert!(!(path.starts_with(&entries[at]) && entries[at].ends_with(b"/")));
                if !path.starts_with(&entries[at]) {
                    let longest = entries.iter().map(|entry| common(entry)).max();
                    prop_assert_eq!(longest, Some(common(&entries[at])));
                }
            }
            None => prop_assert!(entries.is_empty()),
        }
    }

    #[test]
    fn what_an_error_says_to_write_is_an_entry(text in "(https?://)?[/a-z#%2f?]{0,12}") {
        if let Err(EntryError::NoSlash { write } | EntryError::Fragment { write }) = check(&text, true) {
            prop_assert_eq!(check(&write, true), Ok(()));
        }
    }
}
