//! What `extract` takes and refuses, rule by rule.

use rp_sip::{Error, Field, Key, Reason, Scheme, extract};

/// A request with one field or line exchanged.
fn request(from: &str, to: &str) -> Vec<u8> {
    let whole = "REGISTER sip:example.com SIP/2.0\r\n\
        Via: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK1\r\n\
        From: <sip:alice@example.com>;tag=1\r\n\
        To: <sip:bob@example.com>\r\n\
        Call-ID: 1@192.0.2.1\r\n\
        CSeq: 7 REGISTER\r\n\
        Content-Length: 0\r\n\r\n";
    assert!(whole.contains(from), "{from}");
    whole.replace(from, to).into_bytes()
}

fn key<'a>(input: &'a [u8]) -> Key<'a> {
    extract(input).unwrap_or_else(|error| panic!("{error}: {}", input.escape_ascii()))
}

fn reason(input: &[u8]) -> Reason {
    match extract(input) {
        Err(Error::Invalid(invalid)) => invalid.reason,
        other => panic!("{other:?}: {}", input.escape_ascii()),
    }
}

fn with_from(value: &str) -> Vec<u8> {
    request("<sip:alice@example.com>;tag=1", value)
}

#[test]
fn the_start_line_is_refused_at_the_first_octet_that_rules_it_out() {
    for (input, offset) in [
        ("\x16", 0),
        ("\0", 0),
        (" ", 0),
        ("\r\nG@", 3),
        ("GET / H", 6),
        ("GET  ", 4),
        ("GET /\t", 5),
        ("GET /\r", 5),
        ("INVITE sip:a SIP/2.0 ", 20),
        ("INVITE sip:a SIP/2.0\rx", 21),
        ("INVITE sip:a SIP/2.0\n", 20),
        ("INVITE sip:a SIP/2.0\r\n ", 22),
        ("INVITE sip:a SIP/3", 17),
        ("INVITE sip:a SIP/2.00", 20),
        ("INVITE sip:a sip/2.1", 19),
        ("\rx", 1),
    ] {
        let Err(Error::Invalid(invalid)) = extract(input.as_bytes()) else { panic!("{input:?}") };
        assert_eq!(invalid.offset, offset, "{input:?}");
        assert!(
            matches!(extract(&input.as_bytes()[..input.len() - 1]), Err(Error::Incomplete(_))),
            "{input:?}"
        );
    }
}

#[test]
fn another_version_is_told_from_another_protocol() {
    assert_eq!(reason(b"INVITE sip:a SIP/3.0\r\n"), Reason::Version);
    assert_eq!(reason(b"INVITE sip:a SIP/10.0\r\n"), Reason::Version);
    assert_eq!(reason(b"INVITE sip:a SIX/2.0\r\n"), Reason::StartLine);
    assert_eq!(reason(b"GET / HTTP/1.1\r\n"), Reason::StartLine);
}

#[test]
fn no_key_is_taken_from_a_response() {
    assert_eq!(reason(b"SIP/"), Reason::Response);
    assert_eq!(reason(b"\r\n\r\nsip/2.0 200 OK\r\n"), Reason::Response);
    assert_eq!(key(&request("REGISTER sip:", "SIP sip:")).method, "SIP");
}

#[test]
fn header_names_are_judged_up_to_the_colon() {
    for line in [": x", "X Y: z", "X", "X\r\n :y", "X(: y", "\0: x", "X\t\t;"] {
        let input = request("Call-ID", &format!("{line}\r\nCall-ID"));
        assert_eq!(reason(&input), Reason::HeaderName, "{line:?}");
    }
    for line in ["X:", "X \t :y", "X:\r\n y", "X:\r\n\t\r\n z", "X!%*_+`'~.-9: \u{fc}\0\x01"] {
        key(&request("Call-ID", &format!("{line}\r\nCall-ID")));
    }
}

#[test]
fn a_stray_cr_or_lf_is_refused_in_a_value_nobody_reads() {
    for (line, offset) in [("X: a\nb", 4), ("X: a\rb", 5), ("X: a\r\r\n", 5), ("X: a\r\n b\n", 8)] {
        let input = request("Call-ID", &format!("{line}\r\nCall-ID"));
        let start = input.windows(2).position(|pair| pair == b"X:").unwrap();
        let Err(Error::Invalid(invalid)) = extract(&input) else { panic!("{line:?}") };
        assert_eq!((invalid.reason, invalid.offset), (Reason::LineEnd, start + offset), "{line:?}");
    }
}

#[test]
fn content_length_is_digits_and_there_once() {
    for (value, length) in
        [("0", 0), (" \t5 ", 5), ("00000000000000000000000000007", 7), ("\r\n 12\r\n ", 12)]
    {
        assert_eq!(key(&request("Content-Length: 0", &format!("l:{value}"))).body_len, length, "{value:?}");
    }
    for value in ["", "-1", "+1", "1,1", "1;x", "1 1", "0x1", "1\r\n 1", "\u{b2}"] {
        let input = request("Content-Length: 0", &format!("Content-Length: {value}"));
        assert_eq!(reason(&input), Reason::BadContentLength, "{value:?}");
    }
    for value in ["1048577", "4294967296", "18446744073709551616", "99999999999999999999999"] {
        assert_eq!(reason(&request("h: 0", &format!("h: {value}"))), Reason::BodyTooLarge, "{value}");
    }
    assert_eq!(reason(&request("Content-Length", "Content-Lengths")), Reason::Missing(Field::ContentLength));
    assert_eq!(reason(&request("Call-ID", "L: 0\r\nCall-ID")), Reason::Repeated(Field::ContentLength));
}

#[test]
fn each_field_is_there_once_in_either_form() {
    for (name, compact, field) in [
        ("From", "f", Field::From),
        ("To", "T", Field::To),
        ("Call-ID", "i", Field::CallId),
        ("CSeq", "cseq", Field::CSeq),
    ] {
        let line = format!("\r\n{name}:");
        key(&request(&line, &format!("\r\n{compact} :")));
        assert_eq!(reason(&request(&line, "\r\nX:")), Reason::Missing(field));
        let twice = request(&line, &format!("\r\n{compact}: <sip:x@y>{line}"));
        let Err(Error::Invalid(invalid)) = extract(&twice) else { panic!("{name}") };
        assert_eq!(invalid.reason, Reason::Repeated(field));
        assert!(twice[invalid.offset..].starts_with(name.as_bytes()), "{name} at {}", invalid.offset);
    }
    assert_eq!(reason(&request("Via", "X")), Reason::Missing(Field::Via));
}

#[test]
fn from_is_read_in_every_form() {
    for (value, user, host, port) in [
        ("sip:alice@example.com", "alice", "example.com", None),
        ("sip:alice@example.com;tag=1;x=\"<sip:c@d>\"", "alice", "example.com", None),
        ("sip:alice@example.com;user=phone@x", "alice", "example.com", None),
        ("Alice B <SIP:alice@Example.COM:5060;x?y>", "alice", "Example.COM", Some(5060)),
        ("\"<sip:mallory@evil.example>\\\"\" <sips:alice@example.com.>", "alice", "example.com.", None),
        ("\"a\\\\\"\r\n\t<sip:alice@example.com>\r\n ;tag=\"x,y;z\\\"\"", "alice", "example.com", None),
        (
            "<sip:101;phone-context=+49:secret@[2001:db8::1]:5061>",
            "101;phone-context=+49",
            "[2001:db8::1]",
            Some(5061),
        ),
        ("<sip:what?x/#%41@1.2.3.4:00001>", "what?x/#%41", "1.2.3.4", Some(1)),
        ("%!*_+`'~.-<sip:a@b>", "a", "b", None),
    ] {
        let input = with_from(value);
        let from = key(&input).from;
        let found = (from.user, from.host, from.port);
        assert_eq!(found, (Some(user.as_bytes()), host, port), "{value}");
    }
    assert_eq!(key(&with_from("<sip:example.com>")).from.user, None);
    assert_eq!(key(&with_from("<sIpS:example.com>")).from.scheme, Scheme::Sips);
    assert_eq!(key(&with_from("<sip:a@example.com.>")).from.domain(), "example.com");
    assert_eq!(key(&with_from("<sip:a@[::1]>")).from.domain(), "[::1]");
}

#[test]
fn a_from_that_two_readers_could_take_differently_is_refused() {
    for value in [
        "",
        "<>",
        "<sip:>",
        "sip:",
        "alice",
        "<sip:@b>",
        "<sip::x@b>",
        "<sip:a@>",
        "<sip:a@b",
        "sip:a@b>",
        "a b:c@d",
        "\"a <sip:a@b>",
        "\"a\\\" <sip:a@b>",
        "\"a\" b <sip:c@d>",
        "\"a\" sip:a@b",
        "a,b <sip:c@d>",
        "a\u{fc} <sip:c@d>",
        "<sip:a@b@c>",
        "<sip:a@b;x=c@d>",
        "<sip:a b@c>",
        "<sip:a\r\n b@c>",
        "<sip:a\"b@c>",
        "<sip:<a@b>",
        "< sip:a@b>",
        "<sip:a@b> x",
        "<sip:a@b>, <sip:c@d>",
        "<sip:a@b>;x,<sip:c@d>",
        "<sip:a@b>;x=\"y",
        "<sip:a@b>;x=\"\\\"",
        "sip:a@b,sip:c@d",
        "sip:a@b;x,sip:c@d",
        "sip:a@b?x=y",
        "sip:a@b c",
        "sip:a@b;x=\"",
        "<sip:a%4@b>",
        "<sip:a%@b>",
        "<sip:%zz@b>",
        "<sip:a[@b>",
        "<sip:a\0@b>",
        "\"\0\" <sip:a@b>",
        "<sip:a@b_c>",
        "<sip:a@-b>",
        "<sip:a@b->",
        "<sip:a@b..c>",
        "<sip:a@.b>",
        "<sip:a@.>",
        "<sip:a@b-.c>",
        "<sip:a@%62>",
        "<sip:a@b\u{fc}>",
        "<sip:a@2001:db8::1>",
        "<sip:a@[2001:db8::1>",
        "<sip:a@[2001:db8:::1]>",
        "<sip:a@[]>",
        "<sip:a@[::1%eth0]>",
        "<sip:a@[::1]x>",
        "<sip:a@b:>",
        "<sip:a@b:0>",
        "<sip:a@b:65536>",
        "<sip:a@b:000001>",
        "<sip:a@b:5060x>",
        "<sip:a@b/c>",
        "<sip:a@b:+1>",
    ] {
        assert_eq!(reason(&with_from(value)), Reason::BadFrom, "{value:?}");
    }
}

#[test]
fn a_from_without_a_domain_says_so() {
    assert_eq!(reason(&with_from("<tel:+49301234>;tag=1")), Reason::NoDomain);
    assert_eq!(reason(&with_from("TEL:+49301234;tag=1")), Reason::NoDomain);
    for value in ["<https://example.com>", "mailto:a@b", "<example.com:5060>", "<x+y-z.1:a@b>"] {
        assert_eq!(reason(&with_from(value)), Reason::UnsupportedScheme, "{value}");
    }
}

#[test]
fn to_may_name_whom_it_likes() {
    for (value, user, tag) in [
        ("<sip:bob@b>", Some("bob"), None),
        ("\"a;tag=1\" <sip:bob;tag=2@b;tag=3>", Some("bob;tag=2"), None),
        ("sip:bob@b;tag=4", Some("bob"), Some("4")),
        ("<sip:bob@b>;x=\";tag=5\" ; TAG\r\n =\t6 ", Some("bob"), Some("6")),
        ("<sip:bob@b>;tag", Some("bob"), Some("")),
        ("<sip:bob@b>;tag=1;tag=2", Some("bob"), Some("1")),
        ("<tel:+49>;tag=7", None, Some("7")),
        ("<sip:bob@b_c>", None, None),
        ("<x>", None, None),
    ] {
        let input = request("<sip:bob@example.com>", value);
        let to = key(&input).to;
        assert_eq!((to.user, to.tag), (user.map(str::as_bytes), tag.map(str::as_bytes)), "{value}");
    }
    for value in
        ["", "<sip:bob@b", "\"x <sip:bob@b>", "<sip:bob@b>;tag=1, <sip:c@d>", "<sip:bob@b>x", "<a b>"]
    {
        assert_eq!(reason(&request("<sip:bob@example.com>", value)), Reason::BadTo, "{value}");
    }
}

#[test]
fn the_branch_is_that_of_the_topmost_via_value() {
    for (lines, branch) in [
        ("Via: SIP/2.0/TCP a;branch=z9hG4bK1\r\nv: SIP/2.0/TCP b;branch=2", Some("z9hG4bK1")),
        ("v: SIP/2.0/TCP a;x\r\nVia: SIP/2.0/TCP b;branch=2", None),
        ("VIA: SIP/2.0/TCP a , SIP/2.0/TCP b;branch=2", None),
        (
            "Via: SIP/2.0/TCP a;x=\"b,;branch=3\" ; Branch\r\n = 4 ;branch=5, SIP/2.0/TCP b;branch=6",
            Some("4"),
        ),
        ("Via: SIP / 2.0\r\n /TCP a;branch=z9hG4bK", None),
        ("Via: SIP/2.0/TCP a;branch=", None),
        ("Via: SIP/2.0/TCP a;branch", None),
        ("Via:", None),
    ] {
        let input = request("Via: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK1", lines);
        assert_eq!(key(&input).branch, branch.map(str::as_bytes), "{lines}");
    }
}

#[test]
fn cseq_is_a_number_and_a_method() {
    for (value, number) in
        [("1 X", "1"), (" 000\t \r\n X ", "000"), ("99999999999999999999999 X", "99999999999999999999999")]
    {
        let input = request("7 REGISTER", value);
        let cseq = key(&input).cseq;
        assert_eq!((cseq.number, cseq.method), (number.as_bytes(), &b"X"[..]), "{value}");
    }
    for value in ["", "1", "X", "1X", "-1 X", "1 X Y", "1 X,", "1 \u{fc}", "1,2 X"] {
        assert_eq!(reason(&request("7 REGISTER", value)), Reason::BadCSeq, "{value}");
    }
}

#[test]
fn the_rest_of_the_key_is_read() {
    let input = request(
        "Call-ID: 1@192.0.2.1",
        "Route: <sip:a>,\r\n <sip:b>\r\nX: 1\r\nRoute: <sip:c>\r\nRecord-Route: <sip:d>\r\nX: 2\r\n\
         record-route : <sip:e>\r\n\t\r\nproxy-Authorization: Digest\r\ni:  Aa@b \r\n ",
    );
    let key = key(&input);
    assert_eq!(key.call_id, b"Aa@b");
    assert!(key.credentials && !key.secure_uri);
    assert_eq!(key.route.unwrap().of(&input), b"Route: <sip:a>,\r\n <sip:b>\r\n");
    assert_eq!(
        key.record_route.unwrap().of(&input),
        b"Record-Route: <sip:d>\r\nX: 2\r\nrecord-route : <sip:e>\r\n\t\r\n"
    );
    let input = request("sip:example.com", "SIPS:example.com");
    assert!(extract(&input).unwrap().secure_uri);
}

#[test]
fn a_user_is_compared_with_its_escapes_undone() {
    let user_is = |user: &str, name: &str| key(&with_from(&format!("<sip:{user}@b>"))).user_is(name);
    assert!(user_is("al%69ce", "alice") && user_is("%61", "a") && user_is("\u{fc}", "\u{fc}"));
    assert!(user_is("%C3%bc", "\u{fc}"));
    assert!(!user_is("Alice", "alice") && !user_is("alice", "alic") && !user_is("alic", "alice"));
    assert!(!user_is("101%00.evil", "101") && user_is("101%00", "101\0"));
    assert!(!key(&with_from("<sip:b>")).user_is(""));
    let input = request("bob", "b%6fb");
    assert!(key(&input).to.user_is("bob") && !key(&input).to.user_is("b%6fb"));
}

#[test]
fn a_key_displays_no_octet_that_a_terminal_obeys() {
    let input = request("Call-ID: 1", "Authorization: Digest secret\r\nCall-ID: \x1b[2J");
    let text = key(&input).to_string();
    assert_eq!(text, "REGISTER from sip:alice@example.com to bob, Call-ID \\x1b[2J@192.0.2.1");
}

#[test]
fn an_error_reads_as_a_sentence() {
    let Err(error) = extract(&request("From", "Form")) else { panic!() };
    assert_eq!(error.to_string(), "the message has no From field (octet 203)");
    let Err(error) = extract(b"") else { panic!() };
    assert_eq!(error.to_string(), "the head of the SIP message is not complete");
}
