//! Callers of the followers, as a relay is one, and for each a twin that has the whole stream before it.
#![allow(dead_code, reason = "each test crate uses its part")]

pub(crate) mod naive;

use rp_h323::{ANSWER_MAX, ClientFollower, ClientStep, Reason, ServiceFollower, ServiceStep};

/// What a caller has learnt of a stream. Offsets count from the start of the stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The frames that were shown: where each begins and ends, and what is in it.
    pub(crate) shown: Vec<(usize, usize, Vec<String>)>,
    /// Where frames end that have passed or were shown.
    pub(crate) ends: Vec<usize>,
    /// So many octets passed or were shown.
    pub(crate) octets: usize,
    /// Why it is broken, and where.
    pub(crate) broken: Option<(Reason, usize)>,
}

/// Relays what a client sends in these pieces, keeping what is undecided. The client is registered behind
/// the request with this number.
pub(crate) fn requests(pieces: &[&[u8]], registered: Option<usize>) -> Seen {
    let mut client = ClientFollower::new();
    let mut relay = Relay::new(usize::MAX, &[FACILITY, SETUP]);
    if registered == Some(0) {
        client.calls_pass();
    }
    for piece in pieces {
        relay.held.extend_from_slice(piece);
        loop {
            let again = client.clone();
            let octets = match client.step(&relay.held) {
                Ok(ClientStep::Pass(octets)) => octets,
                Ok(ClientStep::Look(request)) => {
                    let asked: Vec<String> = request.requests().map(|key| naive::describe(&key)).collect();
                    assert_eq!(asked.first(), Some(&naive::describe(&request.first())));
                    let repeated = format!("{:?}", again.clone().step(&relay.held));
                    assert_eq!(repeated, format!("{:?}", Ok::<_, ()>(ClientStep::Look(request))));
                    let len = request.len();
                    relay.show(len, asked);
                    len
                }
                Ok(ClientStep::More(missing)) => break relay.wait(missing.get()),
                Err(invalid) => return relay.broken(invalid.reason, invalid.offset),
            };
            relay.go_on(octets);
            if registered == Some(relay.seen.shown.len()) {
                client.calls_pass();
            }
        }
    }
    relay.seen
}

/// Relays what a service sends in these pieces, keeping what is undecided.
pub(crate) fn answers(pieces: &[&[u8]]) -> Seen {
    let mut service = ServiceFollower::new();
    let mut relay = Relay::new(ANSWER_MAX, &[FACILITY, RELEASE_COMPLETE]);
    for piece in pieces {
        relay.held.extend_from_slice(piece);
        loop {
            assert_eq!(service.is_between_frames(), relay.left == 0);
            let octets = match service.step(&relay.held) {
                Ok(ServiceStep::Pass(octets)) => octets,
                Ok(ServiceStep::Look(answers)) => {
                    let said = naive::said(&relay.held[..answers.len()], &answers);
                    assert!(service.is_between_frames());
                    let len = answers.len();
                    relay.show(len, said);
                    len
                }
                Ok(ServiceStep::More(missing)) => break relay.wait(missing.get()),
                Err(invalid) => return relay.broken(invalid.reason, invalid.offset),
            };
            relay.go_on(octets);
        }
    }
    relay.seen
}

const FACILITY: u8 = 0x62;
const SETUP: u8 = 0x05;
const RELEASE_COMPLETE: u8 = 0x5a;

/// What a relay keeps, and what it holds a follower to.
struct Relay {
    seen: Seen,
    held: Vec<u8>,
    /// So many octets have to be held before the next decision.
    wanted: usize,
    /// Octets of the frame that has begun.
    left: usize,
    /// Frames are held up to this size, and only of these types.
    largest: usize,
    types: &'static [u8],
}

impl Relay {
    fn new(largest: usize, types: &'static [u8]) -> Self {
        Self { seen: Seen::default(), held: Vec::new(), wanted: 0, left: 0, largest, types }
    }

    fn show(&mut self, len: usize, content: Vec<String>) {
        assert_eq!((self.left, len), (0, self.frame_len()), "a whole frame is shown");
        self.seen.shown.push((self.seen.octets, self.seen.octets + len, content));
    }

    fn go_on(&mut self, octets: usize) {
        assert!((1..=self.held.len()).contains(&octets), "{octets} of {}", self.held.len());
        assert!(self.held.len() >= self.wanted, "more was asked for than was needed");
        self.wanted = 0;
        if self.left == 0 {
            self.left = self.frame_len();
        }
        assert!(octets <= self.left, "beyond the end of a frame");
        self.left -= octets;
        self.seen.octets += octets;
        if self.left == 0 {
            self.seen.ends.push(self.seen.octets);
        }
        self.held.drain(..octets);
    }

    /// What is held is less than a head, or a frame that has to be looked into.
    fn wait(&mut self, missing: usize) {
        self.wanted = self.held.len() + missing;
        match self.held.get(8) {
            None => assert!(self.held.is_empty() || self.left == 0, "what passes is not held"),
            Some(message_type) => {
                assert!(self.types.contains(message_type), "type {message_type:02x} is held");
                assert_eq!(self.wanted, self.frame_len(), "what is missing of the frame is known");
                assert!(self.frame_len() <= self.largest);
            }
        }
    }

    fn broken(mut self, reason: Reason, offset: usize) -> Seen {
        assert!(self.held.len() >= self.wanted, "more was asked for than was needed");
        assert_eq!(self.left, 0, "broken between frames");
        self.seen.broken = Some((reason, self.seen.octets + offset));
        self.seen
    }

    fn frame_len(&self) -> usize {
        usize::from(self.held[2]) << 8 | usize::from(self.held[3])
    }
}
