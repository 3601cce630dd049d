//! Names, URLs and networks: the same question to 10, 1,000 and 100,000 hosts or entries.

use std::cell::LazyCell;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};

use rp_route::name::Name;
use rp_route::network::{Network, Networks};
use rp_route::table::Table;
use rp_route::url::Prefixes;

use crate::Case;

/// The cases of this crate.
pub fn cases() -> Vec<Case> {
    vec![
        name("route/name-hit/10", 10, "pbx-000007.example.com"),
        name("route/name-hit/1000", 1_000, "pbx-000007.example.com"),
        name("route/name-hit/100000", 100_000, "pbx-000007.example.com"),
        name("route/name-miss/10", 10, "pbx-00000x.example.org"),
        name("route/name-miss/1000", 1_000, "pbx-00000x.example.org"),
        name("route/name-miss/100000", 100_000, "pbx-00000x.example.org"),
        name("route/name-wildcard/10", 10, "hq.site-000008.example"),
        name("route/name-wildcard/1000", 1_000, "hq.site-000008.example"),
        name("route/name-wildcard/100000", 100_000, "hq.site-000008.example"),
        url("route/url-hit/10", 10, PATH),
        url("route/url-hit/1000", 1_000, PATH),
        url("route/url-hit/100000", 100_000, PATH),
        url("route/url-miss/10", 10, OTHER_PATH),
        url("route/url-miss/1000", 1_000, OTHER_PATH),
        url("route/url-miss/100000", 100_000, OTHER_PATH),
        naive_url("route/url-hit/10-one-by-one", 10, PATH),
        naive_url("route/url-hit/1000-one-by-one", 1_000, PATH),
        networks("route/networks-hit/1000", 1_000, Ipv4Addr::new(10, 0, 42, 7)),
        networks("route/networks-miss/1000", 1_000, Ipv4Addr::new(10, 0, 42, 200)),
    ]
}

/// 40 octets.
const PATH: &str = "/PBX0/APPS/000007/com.innovaphone/a.html";
/// 40 octets that have only the first slash in common with the entries.
const OTHER_PATH: &str = "/wp-content/plugins/akismet/readme1.html";

/// Things are built at the first run, so that no case pays for another.
fn name(case: &'static str, hosts: u32, asked: &'static str) -> Case {
    let mut tables = in_turn(hosts, move || table(hosts));
    Case::new(case, move || {
        tables(&|table| {
            black_box(table.lookup(black_box(asked)));
        });
    })
}

/// So many hosts, every other one with a wildcard; those with an odd number are `pbx-000001.example.com` and so on.
pub fn table(hosts: u32) -> Table<u32> {
    let mut table = Table::new();
    for at in 0..hosts {
        let kind =
            if at % 2 == 0 { format!("*.site-{at:06}.example") } else { format!("pbx-{at:06}.example.com") };
        table.insert(&Name::parse(&kind).expect("a name"), at).expect("a new name");
    }
    table
}

/// What is built is seeded at random, and asks for a few instructions more or less with each seed. Of the small ones
/// there are so many that this evens out.
fn in_turn<T: 'static>(size: u32, build: impl Fn() -> T + 'static) -> impl FnMut(&dyn Fn(&T)) {
    let count = if size > 1_000 { 1 } else { 32 };
    let all = LazyCell::new(move || (0..count).map(|_| build()).collect::<Vec<T>>());
    let mut turn = 0;
    move |ask| {
        turn = (turn + 1) % count;
        ask(&all[turn]);
    }
}

fn entries(count: u32) -> Vec<String> {
    let ends = ["", "/com.innovaphone", "/com.innovaphone/"];
    (0..count).zip(ends.iter().cycle()).map(|(at, end)| format!("/PBX0/APPS/{at:06}{end}")).collect()
}

fn url(case: &'static str, count: u32, path: &'static str) -> Case {
    let mut urls = in_turn(count, move || Prefixes::new(entries(count)));
    Case::new(case, move || {
        urls(&|urls| {
            black_box(urls.lookup(black_box(path).as_bytes(), None));
        });
    })
}

/// What one would write first.
fn naive_url(case: &'static str, count: u32, path: &'static str) -> Case {
    let entries = LazyCell::new(move || entries(count));
    let allows = |entry: &str, path: &str| {
        path.strip_prefix(entry).is_some_and(|rest| !(entry.ends_with('/') && rest.contains('/')))
    };
    Case::new(case, move || {
        let allowing = entries.iter().enumerate().filter(|(_, entry)| allows(entry, black_box(path)));
        black_box(allowing.max_by_key(|(_, entry)| entry.len()));
    })
}

fn networks(case: &'static str, count: u32, asked: Ipv4Addr) -> Case {
    let networks = LazyCell::new(move || {
        let network = |at: u32| format!("{}/25", Ipv4Addr::from_bits(0x0A00_0000 + (at << 8)));
        Networks::new((0..count).map(|at| Network::parse(&network(at)).expect("a network")))
    });
    Case::new(case, move || {
        black_box(networks.contains(black_box(IpAddr::V4(asked))));
    })
}
