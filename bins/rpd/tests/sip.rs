//! SIP beyond the first message: which leg a message takes, and in what shape it arrives.

mod common;

use std::path::Path;

use common::{
    Log, Proxy, certificates,
    sip::{Pbx, Wire, register, request, response},
};

/// `one.example` and `two.example`, each at a PBX of its own, with `keys` for the whole of SIP.
fn proxy(folder: &Path, pbxs: [&Pbx; 2], keys: &str) -> Proxy {
    Log::start();
    let [one, two] = pbxs.map(|pbx| pbx.tcp);
    let text = format!(
        r#"
[listen]
sip = "127.0.0.1:0"
sips = "127.0.0.1:0"

[[tls.certificate]]
certificate = "proxy.pem"
key = "proxy.key"

[log]
forwarded = true

[sip]
{keys}

[[host]]
names = ["one.example"]
target = "127.0.0.1"
sip = {{ tcp = {one} }}

[[host]]
names = ["two.example"]
target = "127.0.0.1"
sip = {{ tcp = {two} }}
"#
    );
    Proxy::start(folder, &text)
}

#[test]
fn a_call_into_a_phone_comes_with_a_route_that_leads_back_through_the_proxy() {
    let folder = certificates();
    let pbxs = [(); 2].map(|()| Pbx::start(folder.path()));
    let proxy = proxy(folder.path(), [&pbxs[0], &pbxs[1]], "");
    let mut phone = Wire::phone(&proxy);
    phone.send(register("101", "one.example", "r1"));
    let mut line = pbxs[0].tcp_line();
    let registered = line.message();
    assert_eq!(String::from_utf8_lossy(&registered), register("101", "one.example", "r1"));
    line.send(response(&registered, "200 OK", ""));
    assert_eq!(phone.start_line(), "SIP/2.0 200 OK");

    let invite = request(
        "INVITE",
        "sip:200@one.example",
        "sip:101@one.example",
        "i1",
        "Record-Route: <sip:10.0.0.5;lr>\r\n",
        "v=0",
    );
    line.send(&invite);
    let called = phone.text_message();
    let (first, rest) = called.split_once("\r\n").expect("lines");
    let (route, rest) = rest.split_once("\r\n").expect("lines");
    assert_eq!(format!("{first}\r\n{rest}"), invite, "only one line is new");
    let uri = route.strip_prefix("Record-Route: ").expect("our line is the first");
    assert!(
        uri.starts_with("<sip:rpd-") && uri.ends_with(&format!("@{};transport=tcp;lr>", phone.peer())),
        "{uri}"
    );

    // The phone answers with our route, and hangs up through it; the PBX sees none of that.
    let ok =
        response(called.as_bytes(), "200 OK", &format!("{route}\r\nRecord-Route: <sip:10.0.0.5;lr>\r\n"));
    phone.send(&ok);
    assert_eq!(line.text_message(), ok.replace(&format!("{route}\r\n"), ""));
    let routes = format!("Route: {uri},\r\n <sip:10.0.0.5;lr>\r\n");
    let bye = request("BYE", "sip:101@10.0.0.9", "sip:200@10.0.0.5>;tag=p", "b1", &routes, "")
        .replace(">;tag=p>", ">;tag=p");
    phone.send(&bye);
    assert_eq!(line.text_message(), bye.replace(&routes, "Route: <sip:10.0.0.5;lr>\r\n"));
    assert!(pbxs.iter().all(Pbx::is_alone));
}
