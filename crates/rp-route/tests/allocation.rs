//! Looking up allocates nothing.

use std::hint::black_box;

use allocation_counter::measure;
use rp_route::name::Name;
use rp_route::network::{Network, Networks};
use rp_route::table::Table;
use rp_route::url::Prefixes;

#[test]
fn no_look_up_allocates() {
    let mut table = Table::new();
    for text in ["pbx.example.com", "*.example.com", "192.0.2.10", "[2001:db8::10]", "example.com/hq"] {
        table.insert(&Name::parse(text).unwrap(), ()).unwrap();
    }
    let urls = Prefixes::new(["/PBX0/APPS", "/PBX0/MY/", "/a?b=/"]);
    let networks = Networks::new([Network::parse("192.0.2.0/24").unwrap()]);
    let long = "a.".repeat(200);

    let counted = measure(|| {
        for name in ["PBX.example.com", "a.example.com.", "[2001:DB8::10]", "example.com/branch", "", &long] {
            black_box(table.lookup(name));
            black_box(table.lookup_gatekeeper(name, |()| true));
        }
        for path in [&b"/PBX0/APPS/a"[..], b"/PBX0/MY/s/a.htm", b"/a", long.as_bytes()] {
            black_box(urls.lookup(path, Some(b"b=/c")));
            black_box(urls.nearest(path));
        }
        for address in ["192.0.2.7", "198.51.100.7", "::ffff:192.0.2.7", "2001:db8::1"] {
            black_box(networks.contains(black_box(address).parse().unwrap()));
        }
    });
    assert_eq!(counted.count_total, 0);
}
