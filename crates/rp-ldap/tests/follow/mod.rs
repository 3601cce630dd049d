//! Callers of the followers, as a relay is one, and for each a twin that reads the whole stream at once.

#![allow(dead_code, reason = "each test crate uses its part")]

pub(crate) mod naive;

use rp_ldap::{Auth, ClientFollower, ClientStep, MAX_FRAME, Reason, Request, ServiceEvent, ServiceFollower};

/// What a caller has learnt of a client's stream. Offsets count from the start of the stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Requests {
    /// What was to be decided, and where.
    pub(crate) decided: Vec<(usize, String)>,
    /// So many octets passed or were decided.
    pub(crate) passed: usize,
    pub(crate) opaque_from: Option<usize>,
    /// Why it is broken, and at which octet of the message.
    pub(crate) broken: Option<(Reason, usize)>,
}

/// What a caller has learnt of a service's stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answers {
    /// What was told, and where the message begins that told it.
    pub(crate) events: Vec<(usize, ServiceEvent)>,
    /// Where messages end.
    pub(crate) ends: Vec<usize>,
    pub(crate) opaque_from: Option<usize>,
    /// Why it is broken, and at which octet of the message.
    pub(crate) broken: Option<(Reason, usize)>,
}

/// A bind that goes on to the service behind so many of its messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opened {
    pub(crate) behind: usize,
    pub(crate) message_id: i32,
    pub(crate) sasl: bool,
}

/// Relays what a client sends in these pieces, keeping what is undecided. Each SASL bind is taken to succeed.
pub(crate) fn requests(pieces: &[&[u8]]) -> Requests {
    let mut client = ClientFollower::new();
    let mut seen = Requests::default();
    let mut held = Vec::new();
    let mut wanted = 0;
    for piece in pieces {
        held.extend_from_slice(piece);
        loop {
            let (unseen, before) = (client.passing(&held[..held.len().min(FRONT)]), client.clone());
            let step = match client.step(&held) {
                Ok(step) => step,
                Err(invalid) => {
                    assert_eq!(client.step(&held), Err(invalid), "once broken, always broken");
                    assert!(held.len() >= wanted, "more was asked for than was needed");
                    seen.broken = Some((invalid.reason, invalid.offset));
                    return seen;
                }
            };
            let octets = match step {
                ClientStep::More(missing) => {
                    wanted = held.len() + missing.get();
                    break;
                }
                ClientStep::Pass(octets) => octets,
                ClientStep::Decide(key) => {
                    assert_eq!(client.step(&held), Ok(step), "asked again, it says the same");
                    seen.decided.push((seen.passed, format!("{key:?}")));
                    let frame_len = key.frame_len;
                    if matches!(key.request, Request::Bind(bind) if matches!(bind.auth, Auth::Sasl { .. })) {
                        client.layer_may_begin();
                    }
                    frame_len
                }
            };
            assert!((1..=held.len()).contains(&octets), "{octets} of {}", held.len());
            if unseen > 0 {
                assert_eq!((step, octets), (ClientStep::Pass(octets), unseen.min(held.len())));
                assert_eq!(unseen_client(before, octets, unseen), format!("{client:?}"));
            }
            assert!(held.len() >= wanted, "more was asked for than was needed");
            wanted = 0;
            if client.is_opaque() {
                seen.opaque_from.get_or_insert(seen.passed);
            }
            seen.passed += octets;
            held.drain(..octets);
        }
        assert!(held.len() < 50 || naive::is_to_be_decided(&held), "{} octets are held", held.len());
        assert!(held.len() < MAX_FRAME);
    }
    seen
}

/// Relays what a service sends in these pieces.
pub(crate) fn answers(pieces: &[&[u8]], opened: &[Opened]) -> Answers {
    let mut service = ServiceFollower::new();
    let mut seen = Answers::default();
    let (mut passed, mut start) = (0, 0);
    open(&mut service, opened, 0);
    for piece in pieces {
        let mut rest = *piece;
        while !rest.is_empty() {
            let was_between = service.is_between_frames();
            let (unseen, before) = (service.passing(&rest[..rest.len().min(FRONT)]), service.clone());
            let step = match service.step(rest) {
                Ok(step) => step,
                Err(invalid) => {
                    assert_eq!(service.step(rest), Err(invalid), "once broken, always broken");
                    assert_eq!(service.is_between_frames(), was_between);
                    assert!(passed - start < 32, "a head is not longer");
                    seen.broken = Some((invalid.reason, invalid.offset));
                    return seen;
                }
            };
            assert!((1..=rest.len()).contains(&step.octets), "{} of {}", step.octets, rest.len());
            if unseen > 0 {
                assert_eq!((step.octets, step.event), (unseen.min(rest.len()), None));
                assert_eq!(unseen_service(before, step.octets, unseen), format!("{service:?}"));
            }
            if service.is_opaque() {
                seen.opaque_from.get_or_insert(passed);
            }
            passed += step.octets;
            rest = &rest[step.octets..];
            seen.events.extend(step.event.map(|event| (start, event)));
            if service.is_between_frames() {
                seen.ends.push(passed);
                start = passed;
                open(&mut service, opened, seen.ends.len());
            }
        }
    }
    seen
}

/// What a follower is like behind octets that no step has seen.
fn unseen_client(mut client: ClientFollower, octets: usize, of: usize) -> String {
    client.passed(octets, of);
    format!("{client:?}")
}

/// See [`unseen_client`].
fn unseen_service(mut service: ServiceFollower, octets: usize, of: usize) -> String {
    service.passed(octets, of);
    format!("{service:?}")
}

/// As much is looked at of what is not read.
const FRONT: usize = 64;

fn open(service: &mut ServiceFollower, opened: &[Opened], messages: usize) {
    for bind in opened.iter().filter(|bind| bind.behind == messages) {
        let auth = if bind.sasl { SASL } else { Auth::Simple { empty_password: false } };
        // One that finds no room would have to wait; here it does not go on.
        let _ = service.open_bind(bind.message_id, auth);
    }
}

const SASL: Auth<'static> = Auth::Sasl { mechanism: b"PLAIN" };
