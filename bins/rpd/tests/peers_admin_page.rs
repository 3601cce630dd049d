//! The page of the administration in a browser: what it shows is what the API says, and its buttons do what they say.
//!
//! Debian packages: chromium, chromium-driver. `cargo test -p rpd --test peers_admin_page -- --ignored`

mod common;

use std::{fs, io::Write, net::TcpStream};

use common::{
    browser::{Browser, Driver, key},
    connect,
    guarded::{Guarded, bind, read, read_to_end, wait_until},
    remote::{ask, bearer, get, token_row},
};
use serde_json::{Value, json};

const PHONE: &str = "203.0.113.1";
const TOKEN: &str = "s3cret";
const WRONG: &str = "example.com\\49";

/// A proxy whose page is reached on loopback.
struct Stage {
    guarded: Guarded,
    folder: tempfile::TempDir,
}

impl Stage {
    fn start(more: &str) -> Self {
        Self::with(more, "")
    }

    /// With this file of the lists.
    fn with(more: &str, lists: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("lists.jsonl"), lists).expect("a file");
        let lines = format!(
            "state-directory = \"{}\"\n[admin]\nsocket = \"\"\nlisten = \"127.0.0.1:0\"\n{}{more}\n",
            folder.path().display(),
            token_row(TOKEN, "admin"),
        );
        Self { guarded: Guarded::start(&lines), folder }
    }

    fn origin(&self) -> String {
        format!("http://{}/", self.guarded.proxy().admin_address())
    }

    /// A browser that is let in, and looks at this tab.
    fn visit<'a>(&self, driver: &'a Driver, tab: &str) -> Browser<'a> {
        let browser = driver.browser();
        browser.open(&format!("{}#token={TOKEN}", self.origin()));
        look_at(&browser, tab);
        browser
    }

    fn get(&self, path: &str) -> Value {
        get(self.guarded.proxy().admin_address(), TOKEN, path)
    }

    fn post(&self, path: &str, body: &Value) {
        let stream = connect(self.guarded.proxy().admin_address());
        let (status, _, said) =
            ask(stream, &format!("POST /api/v1/{path}"), &bearer(TOKEN), &body.to_string());
        assert_eq!(status, 200, "{said}");
    }

    /// The entry of this network, as the API has it.
    fn entry(&self, network: &str) -> Option<Value> {
        let lists = self.get("lists");
        let mut entries = lists["entries"].as_array().expect("entries").iter();
        entries.find(|entry| entry["network"] == network).cloned()
    }

    fn fail(&self, source: &str) {
        self.say(source, WRONG);
    }

    /// A connection on which somebody has tried to log in.
    fn say(&self, source: &str, name: &str) -> TcpStream {
        let mut client = self.guarded.connect("ldap", source);
        client.write_all(&bind(name)).expect("the proxy reads");
        read(&mut client);
        client
    }
}

fn look_at(browser: &Browser<'_>, tab: &str) {
    browser.click("[role=tab]", tab);
    browser.wait_for(&format!(
        "document.querySelector('#{}-panel .tools, .cards, .empty') !== null",
        tab.to_lowercase()
    ));
}

/// The texts of all that the selector finds.
fn texts(selector: &str) -> String {
    format!("[...document.querySelectorAll({selector:?})].map((e) => e.innerText)")
}

/// Waits until the texts of all that the selector finds are these.
fn shows(browser: &Browser<'_>, selector: &str, wanted: &[&str]) {
    let wanted = json!(wanted).to_string();
    browser.wait_for(&format!("JSON.stringify({}) === {}", texts(selector), json!(wanted)));
}

/// What `path` says in this place of each row.
fn said(rows: &Value, key: &str) -> Vec<String> {
    let text = |row: &Value| row[key].as_str().unwrap_or_else(|| panic!("{key} of {row}")).to_owned();
    rows.as_array().expect("rows").iter().map(text).collect()
}

/// Waits until the texts of all that the selector finds are what the API says.
fn agrees(browser: &Browser<'_>, selector: &str, api: impl Fn() -> Vec<String>) {
    let script = format!("return {}", texts(selector));
    wait_until(&format!("agreement on {selector}"), || browser.script(&script) == json!(api()));
}

#[test]
#[ignore = "needs chromium, chromium-driver (Debian packages)"]
fn what_the_page_shows_is_what_the_api_says() {
    let stage = Stage::start("[guard]\nthreshold = 3\nallow = [\"192.0.2.0/24\"]");
    let driver = Driver::start();
    let browser = stage.visit(&driver, "Hosts");
    let hosts = stage.get("hosts");
    for host in hosts.as_array().expect("hosts") {
        for text in [host["names"].as_array(), host["target"].as_array()].into_iter().flatten().flatten() {
            browser.wait_for(&format!("document.getElementById('hosts-panel').innerText.includes({text})"));
        }
    }
    browser.wait_for(&format!(
        "document.querySelectorAll('#hosts-panel tbody tr').length === {}",
        hosts.as_array().map_or(0, Vec::len)
    ));

    let proven = stage.say("203.0.113.9", "example.com\\0");
    (0..4).for_each(|_| stage.fail(PHONE));
    stage.guarded.wait_for_ban(PHONE);
    look_at(&browser, "Blacklist");
    shows(&browser, "#blacklist-panel tbody code", &["192.0.2.0/24", "203.0.113.1/32"]);
    assert_eq!(said(&stage.get("lists")["entries"], "network"), ["192.0.2.0/24", "203.0.113.1/32"]);
    shows(&browser, "#blacklist-panel tbody .badge", &["allowed", "blocked"]);
    browser.wait_for(
        "document.querySelector('#blacklist-panel').innerText.includes('Refused by the service, 4 × LDAP')",
    );

    look_at(&browser, "Requests");
    agrees(&browser, "#requests-panel tbody td:nth-child(2) code", || said(&stage.get("requests"), "source"));
    // And as it happens.
    stage.fail("203.0.113.5");
    browser.wait_for("document.querySelector('#requests-panel tbody tr')?.innerText.includes('203.0.113.5')");
    browser.wait_for("document.querySelector('#requests-panel .top')?.innerText.includes('203.0.113.5/32')");

    look_at(&browser, "Connections");
    agrees(&browser, "#connections-panel tbody code", || {
        said(&stage.get("connections")["connections"], "source")
    });
    shows(&browser, "#connections-panel tbody .badge", &["proven"]);
    drop(proven);
    shows(&browser, "#connections-panel tbody tr", &[]);

    look_at(&browser, "Certificates");
    agrees(&browser, ".fingerprint code", || {
        let certificates = stage.get("certificates");
        ["ours", "trust", "targets"]
            .iter()
            .flat_map(|part| said(&certificates[part], "fingerprint"))
            .collect()
    });
    look_at(&browser, "Log");
    agrees(&browser, ".lines li > :last-child", || {
        said(&stage.get("log"), "text").into_iter().rev().collect()
    });
    browser.is_content(&stage.origin());
}

#[test]
#[ignore = "needs chromium, chromium-driver (Debian packages)"]
fn every_button_does_what_it_says_and_others_see_it() {
    let stage = Stage::start("[guard]\nthreshold = 3");
    let driver = Driver::start();
    let (browser, other) = (stage.visit(&driver, "Blacklist"), stage.visit(&driver, "Blacklist"));
    let row = "#blacklist-panel tbody tr";
    (0..4).for_each(|_| stage.fail(PHONE));
    shows(&browser, &format!("{row} .badge"), &["blocked"]);
    shows(&other, &format!("{row} .badge"), &["blocked"]);

    browser.click(row, "Whitelist");
    shows(&other, &format!("{row} .badge"), &["allowed"]);
    assert_eq!(stage.entry("203.0.113.1/32").expect("an entry")["kind"], "allow");
    browser.wait_for("document.getElementById('said').innerText === '203.0.113.1/32 is allowed for ever.'");

    browser.click(row, "Extend");
    browser.click("dialog", "7 days");
    shows(&other, &format!("{row} td:nth-child(4)"), &["6 d 23 h"]);
    assert!(stage.entry("203.0.113.1/32").expect("an entry")["seconds-left"].as_u64() > Some(6 * 86_400));

    browser.click(row, "Remove");
    shows(&other, &format!("{row} .badge"), &[]);
    assert_eq!(stage.entry("203.0.113.1/32"), None);

    browser.script("document.querySelector('.add [name=network]').focus()");
    browser.press(&["198.51.100.0/24", key::ENTER].concat());
    shows(&other, &format!("{row} code"), &["198.51.100.0/24"]);
    stage.post("lists", &json!({ "network": "198.51.101.0/24", "kind": "block" }));
    shows(&browser, &format!("{row} code"), &["198.51.100.0/24", "198.51.101.0/24"]);
    browser.click(".chosen", "Choose all");
    browser.click(".chosen", "Whitelist");
    shows(&other, &format!("{row} .badge"), &["allowed", "allowed"]);
    browser.click(".chosen", "Choose all");
    browser.click(".chosen", "Remove");
    shows(&other, &format!("{row} code"), &[]);

    stage.fail("203.0.113.7");
    look_at(&browser, "Requests");
    browser.click("#requests-panel tbody tr:first-child", "Block");
    shows(&other, &format!("{row} code"), &["203.0.113.7/32"]);
    browser.click("#requests-panel .top", "Whitelist");
    shows(&other, &format!("{row} .badge"), &["allowed"]);

    let mut client = stage.say("203.0.113.9", "example.com\\0");
    look_at(&browser, "Connections");
    browser.click("#connections-panel tbody", "Close");
    read_to_end(&mut client);
    shows(&browser, "#connections-panel tbody tr", &[]);

    look_at(&browser, "Certificates");
    let grant = json!({ "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"] });
    browser.tool("Browser.grantPermissions", &grant);
    browser.click(".fingerprint", "Copy");
    browser.wait_for("document.getElementById('said').innerText === 'The fingerprint is copied.'");
    let print = stage.get("certificates")["ours"][0]["fingerprint"].clone();
    browser.wait_for(&format!("navigator.clipboard.readText().then((text) => text === {print})"));

    let file = stage.guarded.folder.path().join("rpd.toml");
    fs::write(file, "[listen]\nsip = 70000\n").expect("a file");
    browser.click("header", "Reload configuration");
    for page in [&browser, &other] {
        page.wait_for("document.getElementById('banners').innerText.includes('70000')");
    }
    assert!(fs::read_to_string(stage.folder.path().join("audit.jsonl")).expect("the record").contains(TOKEN));
    other.is_content(&stage.origin());
}

#[test]
#[ignore = "needs chromium, chromium-driver (Debian packages)"]
fn the_keyboard_is_enough() {
    let stage = Stage::start("");
    stage.post("lists", &json!({ "network": "198.51.100.7", "kind": "block" }));
    stage.post("lists", &json!({ "network": "203.0.113.7", "kind": "block" }));
    let driver = Driver::start();
    let browser = driver.browser();
    browser.open(&stage.origin());
    browser.wait_for("document.activeElement.name === 'token'");
    browser.press(&["wrong", key::ENTER].concat());
    browser.wait_for("document.querySelector('dialog').open && document.activeElement.value === ''");
    browser.press(&[TOKEN, key::ENTER].concat());
    browser.wait_for("document.querySelector('#hosts-panel tbody') !== null");

    tab_to(&browser, "document.activeElement.id === 'hosts-tab'");
    browser.press(key::RIGHT);
    browser.wait_for(
        "document.activeElement.id === 'blacklist-tab' && document.activeElement.ariaSelected === 'true'",
    );
    browser.wait_for("document.querySelectorAll('#blacklist-panel tbody tr').length === 2");
    browser.press("/");
    browser.wait_for("document.activeElement.matches('#blacklist-panel .filter')");
    browser.press("203.0");
    shows(&browser, "#blacklist-panel tbody code", &["203.0.113.7/32"]);
    tab_to(&browser, "document.activeElement.ariaLabel === 'Whitelist 203.0.113.7/32'");
    browser.press(key::ENTER);
    wait_until("whitelisted", || stage.entry("203.0.113.7/32").is_some_and(|entry| entry["kind"] == "allow"));
    // The button has another word now, and is still where the focus is.
    browser.wait_for("document.activeElement.ariaLabel === 'Block 203.0.113.7/32'");
    browser.press("/");
    browser.press(key::ESCAPE);
    browser.wait_for("document.querySelectorAll('#blacklist-panel tbody tr').length === 2");
}

/// Presses Tab until the focus is where it is wanted; it can be seen everywhere on the way.
fn tab_to(browser: &Browser<'_>, there: &str) {
    for _ in 0..60 {
        browser.press(key::TAB);
        let seen = "const style = getComputedStyle(document.activeElement); return document.activeElement === document.body || style.outlineStyle !== 'none'";
        assert_eq!(browser.script(seen), true, "the focus can be seen");
        if browser.script(&format!("return {there}")) == true {
            return;
        }
    }
    panic!("no way by Tab to {there}");
}

#[test]
#[ignore = "needs chromium, chromium-driver (Debian packages)"]
fn ten_thousand_entries_are_shown_a_page_at_a_time() {
    let line = |n: u32| {
        let network = format!("203.{}.{}.{}/32", n / 2500, n / 250 % 10, n % 250);
        let entry = json!({ "network": network, "kind": "block", "origin": "manual", "created": "2026-11-21T08:00:00Z" });
        format!("{entry}\n")
    };
    let header = "{\"rpd-lists\":1,\"written\":\"2026-11-21T08:00:00Z\"}\n".to_owned();
    let stage = Stage::with("", &(0..10_000).map(line).fold(header, |file, line| file + &line));
    let driver = Driver::start();
    let browser = stage.visit(&driver, "Blacklist");
    browser.wait_for("document.querySelector('.pager span')?.innerText === '1–100 of 10,000 entries'");
    let rows = "document.querySelectorAll('#blacklist-panel tbody tr').length";
    assert_eq!(browser.script(&format!("return {rows}")), 100);
    browser.click(".pager", "Next");
    browser.wait_for("document.querySelector('.pager span').innerText === '101–200 of 10,000 entries'");
    browser.script("document.querySelector('#blacklist-panel .filter').focus()");
    browser.press("203.3.9.249/32");
    browser.wait_for(&format!("{rows} === 1"));
    browser.click(".chosen", "Choose all");
    browser.click(".chosen", "Remove");
    wait_until("the removal", || stage.entry("203.3.9.249/32").is_none());
    assert_eq!(stage.get("status")["guard"]["blocked"], 9_999);
    browser.is_content(&stage.origin());
}

#[test]
#[ignore = "needs chromium, chromium-driver (Debian packages)"]
fn what_an_attacker_writes_is_text() {
    let stage = Stage::start("");
    let driver = Driver::start();
    let browser = stage.visit(&driver, "Requests");
    let name = "<img src=x onerror=document.title='mine'>.example";
    stage.say(PHONE, &format!("{name}\\phone"));
    let shown = format!(
        "document.querySelector('#requests-panel tbody')?.innerText.includes({})",
        json!("<img src=x")
    );
    browser.wait_for(&shown);
    look_at(&browser, "Log");
    assert_eq!(browser.script("return [document.title, document.images.length]"), json!(["rpd", 0]));
    browser.is_content(&stage.origin());
}
