//! The URL matcher equals its naive twin. The first line is a request target, the others are entries.
#![no_main]

#[path = "../../crates/rp-route/tests/naive/mod.rs"]
mod naive;

use libfuzzer_sys::fuzz_target;
use rp_route::url::Prefixes;

fuzz_target!(|data: &[u8]| {
    let mut lines = data.split(|&octet| octet == b'\n');
    let mut target = lines.next().unwrap_or_default().splitn(2, |&octet| octet == b'?');
    let (path, query) = (target.next().unwrap_or_default(), target.next());
    let entries: Vec<&[u8]> = lines.collect();

    let urls = Prefixes::new(&entries);
    let allowed = urls.lookup(path, query);
    assert_eq!(allowed, naive::url(&entries, path, query));
    assert_eq!(urls.nearest(path).is_none(), entries.is_empty());
});
