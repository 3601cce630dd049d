//! Nothing is allocated.

use rp_http::{
    Body, Framing, Scheme, Step, Version, chunk, extract,
    forward::{self, Answer, Client, Forwarding},
    response::{self, Asked},
};

#[test]
fn nothing_is_allocated() {
    let request = include_bytes!("corpus/get-400.raw");
    let reply = b"HTTP/1.1 200 OK\r\nServer: x\r\nConnection: X\r\nTransfer-Encoding: chunked\r\n\r\n";
    let forwarding = Forwarding {
        client: "2001:db8::7",
        scheme: Scheme::Http,
        trusted: true,
        own_address: Some("10.0.0.1"),
        forwarded: true,
        via: Some("edge"),
    };
    let client = Client { version: Version::Http11, close: true };
    let answer =
        Answer { status: 400, text: "no", date: "", head_only: false, fields: &[("Allow", &[b"GET"])] };
    let info = allocation_counter::measure(|| {
        let mut written = 0;
        let mut sink = |slice: &[u8]| written += slice.len();
        let head = extract(request).expect("a good request").head;
        forward::request(&head, &forwarding, true, &mut sink);
        let response = response::extract(reply, Asked::from(&head)).expect("a good answer");
        forward::response(&response, client, &mut sink);
        forward::interim(&response, &mut sink);
        forward::answer(&answer, client, &mut sink);
        sink(chunk::SizeLine::new(500).as_bytes());
        let mut body = Body::from(Framing::Chunked);
        assert_eq!(body.step(b"5;a=\"b\"\r\nphone"), Ok(Step::Skip(9)));
        assert!(extract(b"GET / HTTP/1.1\r\nHost: a b\r\n").is_err());
        assert!(written > 700, "{written} octets");
    });
    assert_eq!(info.count_total, 0);
}
