//! The domain of a bind name: examples, and an obviously right twin.

mod naive;

use proptest::prelude::*;
use rp_ldap::{Domain, Form};

#[test]
fn each_form_gives_its_domain() {
    let long = "a".repeat(63);
    let longest = format!("{long}.{long}.{long}.{}", "a".repeat(61));
    let names = [
        ("", Form::Anonymous, None),
        (r"innovaphone.com\ldap-guest", Form::Backslash, Some("innovaphone.com")),
        (r"INNOVAPHONE.COM\U", Form::Backslash, Some("INNOVAPHONE.COM")),
        (r"innovaphone.com/branch\_PBX_", Form::Backslash, Some("innovaphone.com/branch")),
        (r"branch@innovaphone.com\_PBX_", Form::Backslash, Some("branch@innovaphone.com")),
        (r"innovaphone.com.\user", Form::Backslash, Some("innovaphone.com.")),
        (r"innovaphone.com\a\b", Form::Backslash, Some("innovaphone.com")),
        (r"innovaphone.com\", Form::Backslash, Some("innovaphone.com")),
        (r"innovaphone.com\CN=a,DC=b", Form::Backslash, Some("innovaphone.com")),
        (&format!(r"{longest}\user"), Form::Backslash, Some(longest.as_str())),
        (&format!(r"{longest}a\user"), Form::None, None),
        (r"\user", Form::None, None),
        (r"innovaphone com\user", Form::None, None),
        ("innovaphone.com\r\n\\user", Form::None, None),
        ("münchen.de\\user", Form::None, None),
        ("CN=ckl,DC=innovaphone,DC=com", Form::Dn, Some("innovaphone.com")),
        ("DC=innovaphone,DC=com", Form::Dn, Some("innovaphone.com")),
        ("dc = innovaphone ; domainComponent=com ", Form::Dn, Some("innovaphone.com")),
        (" cn=a,dc=com", Form::Dn, Some("com")),
        ("0.9.2342.19200300.100.1.25=a,oid.0.9.2342.19200300.100.1.25=b", Form::Dn, Some("a.b")),
        ("CN=Doe\\2C John, OU=phones, DC=innovaphone, DC=com", Form::Dn, Some("innovaphone.com")),
        ("CN=\"Doe, John\",DC=innovaphone,DC=com", Form::Dn, Some("innovaphone.com")),
        ("CN=\"a\\\"\",DC=\"innovaphone\" ,DC=c\\6Fm", Form::Dn, Some("innovaphone.com")),
        ("CN=u+UID=7,DC=innovaphone,DC=com", Form::Dn, Some("innovaphone.com")),
        ("DC=host,CN=zones,DC=innovaphone,DC=com", Form::Dn, Some("innovaphone.com")),
        ("DC=a.b,CN=x,DC=com", Form::Dn, Some("com")),
        ("CN=#0401,DC=com", Form::Dn, Some("com")),
        ("CN=,DC=com", Form::Dn, Some("com")),
        ("CN=a=b<c>,DC=com", Form::Dn, Some("com")),
        (&format!("DC={long},DC={long},DC={long},DC={}", "a".repeat(61)), Form::Dn, Some(&longest)),
        (&format!("DC={long},DC={long},DC={long},DC={}", "a".repeat(62)), Form::None, None),
        (&format!("DC={long}a,DC=com"), Form::None, None),
        ("DC=innovaphone,DC=com,O=x", Form::None, None),
        ("CN=u,DC=innovaphone+L=x,DC=com", Form::None, None),
        ("CN=u,DC=innovaphone+DC=x,DC=com", Form::None, None),
        ("CN=u,DC=innovaphone.com", Form::None, None),
        ("CN=u,DC=innovaphone\\2Ecom", Form::None, None),
        ("CN=u,DC=innovaphone\\00,DC=com", Form::None, None),
        ("CN=u,DC=com\\ ", Form::None, None),
        ("CN=u,DC=,DC=com", Form::None, None),
        ("CN=u,DC=münchen,DC=de", Form::None, None),
        ("CN=u,DC=#1603636f6d", Form::None, None),
        ("CN=u,O=x,C=DE", Form::None, None),
        (r"DC=innovaphone\user", Form::None, None),
        ("CN=u,DC=com,", Form::None, None),
        (",CN=u,DC=com", Form::None, None),
        ("CN=u,,DC=com", Form::None, None),
        ("CN=u,DC=com+", Form::None, None),
        ("CN=u,DC=com\\", Form::None, None),
        ("CN=u,DC=com\\6", Form::None, None),
        ("CN=a\"b,DC=com", Form::None, None),
        ("CN=\"a\"b,DC=com", Form::None, None),
        ("CN=\"a,DC=com", Form::None, None),
        ("CN=a\0,DC=com", Form::None, None),
        ("CN=#040,DC=com", Form::None, None),
        ("CN=#,DC=com", Form::None, None),
        ("CN;lang-en=a,DC=com", Form::None, None),
        ("1=a,DC=com", Form::None, None),
        ("1..2=a,DC=com", Form::None, None),
        ("C.N=a,DC=com", Form::None, None),
        ("-CN=a,DC=com", Form::None, None),
        ("=a,DC=com", Form::None, None),
        ("user@innovaphone.com", Form::Upn, Some("innovaphone.com")),
        ("a@b@innovaphone.com", Form::Upn, Some("innovaphone.com")),
        ("Doe, John@innovaphone.com", Form::Upn, Some("innovaphone.com")),
        ("user@localhost", Form::Upn, Some("localhost")),
        ("@innovaphone.com", Form::None, None),
        ("user@", Form::None, None),
        ("user@innovaphone..com", Form::None, None),
        ("user@innovaphone.com.", Form::None, None),
        ("user@innovaphone.com/branch", Form::None, None),
        ("user@innovaphone com", Form::None, None),
        (&format!("user@{long}a.com"), Form::None, None),
        ("ldap-guest", Form::None, None),
        ("innovaphone.com/user", Form::None, None),
    ];
    for (name, form, text) in names {
        let domain = Domain::of(name.as_bytes());
        assert_eq!((domain.form, domain.text(&mut [0; 253])), (form, text), "{name:?}");
        assert_eq!(naive::domain(name.as_bytes()), (form, text.map(str::to_owned)), "the twin: {name:?}");
    }
}

#[test]
fn an_escaped_comma_does_not_end_an_rdn() {
    let domain = Domain::of(br"CN=x\,DC=evil,DC=innovaphone,DC=com");
    assert_eq!(domain.text(&mut [0; 253]), Some("innovaphone.com"));
    // Two backslashes are one escaped backslash: this comma does.
    let domain = Domain::of(br"CN=a\\,DC=innovaphone,DC=com");
    assert_eq!(domain.text(&mut [0; 253]), Some("innovaphone.com"));
}

#[test]
fn all_short_names_read_as_by_the_twin() {
    const PIECES: [&str; 13] = ["DC", "=", "DC=a", ",", "+", ";", " ", "\\", "\"", "#", "61", ".", "@"];
    let mut with_domain = 0;
    for count in 0..=5 {
        for number in 0..PIECES.len().pow(count) {
            let digit = |place| number / PIECES.len().pow(place) % PIECES.len();
            let name: String = (0..count).map(|place| PIECES[digit(place)]).collect();
            with_domain += usize::from(agree(name.as_bytes()));
        }
    }
    assert!(with_domain > 10_000, "only {with_domain} had a domain");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn names_of_likely_pieces_read_as_by_the_twin(pieces in prop::collection::vec(piece(), 0..14)) {
        agree(&pieces.concat());
    }

    #[test]
    fn mutated_dns_read_as_by_the_twin(
        rdns in prop::collection::vec((attribute_type(), value()), 1..6),
        separator in prop::sample::select(vec![",", ";", ", ", " , ", "+"]),
        change in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
    ) {
        let rdns: Vec<String> = rdns.iter().map(|(kind, value)| format!("{kind}={value}")).collect();
        let mut name = rdns.join(separator).into_bytes();
        if let Some((at, octet)) = change {
            let at = at.index(name.len());
            name[at] = octet;
        }
        agree(&name);
    }

    #[test]
    fn any_octets_read_as_by_the_twin(name in prop::collection::vec(any::<u8>(), 0..40)) {
        agree(&name);
    }
}

fn piece() -> impl Strategy<Value = Vec<u8>> {
    let likely = prop::sample::select(vec![
        "CN=",
        "DC=",
        "dc=",
        "OID.0.9.2342.19200300.100.1.25=",
        "=",
        ",",
        ", ",
        ";",
        "+",
        " ",
        "\\",
        "\"",
        "#",
        "\\2C",
        "\\,",
        "\\\\",
        "\\61",
        "\0",
        "ü",
        "user",
        "innovaphone",
        "com",
        "a",
        "41",
        ".",
        "-",
        "_",
        "@",
    ]);
    prop_oneof![9 => likely.prop_map(|text| text.as_bytes().to_vec()), 1 => any::<u8>().prop_map(|o| vec![o])]
}

fn attribute_type() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "DC",
        "DC",
        "Dc ",
        "domainComponent",
        "CN",
        "O",
        "OID.2.5.4.3",
        "2.5.4.3",
        "C-1",
    ])
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z0-9_-]{1,12}",
        1 => "[a-z .]{0,5}",
        1 => "\"[a-z, +]{0,5}\"",
        1 => "[a-z]{0,3}\\\\(,|2e|20|\\\\)[a-z]{0,3}",
        1 => "#([0-9a-f]{2}){0,3}",
        1 => "[a-z]{60,66}",
    ]
}

/// Compares with the twin; whether there is a domain.
fn agree(name: &[u8]) -> bool {
    let domain = Domain::of(name);
    let mut buffer = [0; 253];
    let text = domain.text(&mut buffer).map(str::to_owned);
    let has_domain = text.is_some();
    assert_eq!((domain.form, text), naive::domain(name), "{}", name.escape_ascii());
    has_domain
}
