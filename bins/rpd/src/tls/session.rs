//! One side of a TLS session, without any input or output: records go in, octets and records come out.
//!
//! On rustls' unbuffered interface, which keeps nothing of what has passed. Its buffered one keeps 4 KiB for each connection
//! that has ever read, and TLS connections are mostly phones that wait.

use rustls::{
    CommonState, Error,
    client::UnbufferedClientConnection,
    server::UnbufferedServerConnection,
    unbuffered::{ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus, WriteTraffic},
};

/// One side of a TLS session.
pub(super) enum Session {
    Client(UnbufferedClientConnection),
    Server(UnbufferedServerConnection),
}

/// What is to be said beyond what TLS itself has to say.
#[derive(Clone, Copy)]
pub(super) enum Say<'a> {
    Nothing,
    /// Once the handshake is done, and not after the end.
    Octets(&'a [u8]),
    /// close_notify (RFC 8446 6.1): no octets come after it.
    End,
}

/// What became of a turn.
pub(super) struct Turn {
    /// So many of the octets of records are done with. The others are the beginning of something: they are to be shown again,
    /// with what comes behind them.
    pub(super) used: usize,
    /// The peer has said that it sends no more.
    pub(super) ended: bool,
    /// What was to be said is said.
    pub(super) said: bool,
    /// Why there is nothing more to be done but to send the alert that is among the records.
    pub(super) fault: Option<Error>,
}

impl Session {
    /// Deals with what has come, all of it that was not done with before, and says what is to be said. `opened` gets the
    /// octets of the peer; the records that are to be sent go behind those in `sealed`.
    pub(super) fn turn(
        &mut self,
        records: &mut [u8],
        say: Say<'_>,
        sealed: &mut Sealed,
        mut opened: impl FnMut(&[u8]),
    ) -> Turn {
        let mut turn = Turn { used: 0, ended: false, said: false, fault: None };
        loop {
            let left = &mut records[turn.used..];
            // The same twice, because each side has a type of its own.
            let more = match self {
                Self::Client(client) => {
                    step(client.process_tls_records(left), say, sealed, &mut opened, &mut turn)
                }
                Self::Server(server) => {
                    step(server.process_tls_records(left), say, sealed, &mut opened, &mut turn)
                }
            };
            // Behind a fault there is the alert that tells of it, and no going on.
            let more = if turn.fault.is_some() { self.state().wants_write() } else { more };
            if !more {
                return turn;
            }
        }
    }

    /// How much may come that is not whole yet. After the handshake clients have nothing to say that is longer than a record.
    pub(super) fn longest_message(&self) -> usize {
        match self {
            Self::Server(server) if !server.is_handshaking() => LONGEST_RECORD,
            _ => LONGEST_MESSAGE,
        }
    }

    /// What was agreed in the handshake.
    pub(super) fn state(&self) -> &CommonState {
        match self {
            Self::Client(client) => client,
            Self::Server(server) => server,
        }
    }
}

/// Does what rustls wants done next; whether there may be more to do.
fn step<Side>(
    UnbufferedStatus { discard, state, .. }: UnbufferedStatus<'_, '_, Side>,
    say: Say<'_>,
    sealed: &mut Sealed,
    opened: &mut impl FnMut(&[u8]),
    turn: &mut Turn,
) -> bool {
    turn.used += discard;
    match state {
        Ok(ConnectionState::ReadTraffic(mut traffic)) => {
            while let Some(record) = traffic.next_record() {
                match record {
                    Ok(record) => {
                        turn.used += record.discard;
                        opened(record.payload);
                    }
                    Err(error) => turn.fault = Some(error),
                }
            }
            true
        }
        Ok(ConnectionState::EncodeTlsData(data)) => {
            encode(data, sealed);
            true
        }
        Ok(ConnectionState::TransmitTlsData(data)) => {
            // They are on their way with all else, in order.
            data.done();
            true
        }
        Ok(ConnectionState::PeerClosed) => {
            turn.ended = true;
            true
        }
        Ok(ConnectionState::WriteTraffic(traffic)) => {
            match speak(traffic, say, sealed) {
                Ok(()) => turn.said = true,
                Err(error) => turn.fault = Some(error),
            }
            false
        }
        // Early data is not among this: no configuration here allows any.
        Ok(_) => false,
        Err(error) => {
            turn.fault = Some(error);
            false
        }
    }
}

fn encode<Side>(mut data: EncodeTlsData<'_, Side>, sealed: &mut Sealed) {
    let mut room = 0;
    loop {
        match data.encode(sealed.room(room)) {
            Ok(octets) => return sealed.filled += octets,
            Err(EncodeError::InsufficientSize(needs)) => room = needs.required_size,
            Err(EncodeError::AlreadyEncoded) => return,
        }
    }
}

fn speak<Side>(mut traffic: WriteTraffic<'_, Side>, say: Say<'_>, sealed: &mut Sealed) -> Result<(), Error> {
    let mut room = match say {
        Say::Nothing => return Ok(()),
        Say::Octets(octets) => octets.len(),
        Say::End => 0,
    };
    loop {
        let written = match say {
            Say::Octets(octets) => traffic.encrypt(octets, sealed.room(room)),
            _ => traffic.queue_close_notify(sealed.room(room)),
        };
        match written {
            Ok(octets) => {
                sealed.filled += octets;
                return Ok(());
            }
            Err(EncryptError::InsufficientSize(needs)) => room = needs.required_size,
            Err(error @ EncryptError::EncryptExhausted) => return Err(Error::General(error.to_string())),
        }
    }
}

/// RFC 8446 5.2 and RFC 5246 6.2.3, with the header.
const LONGEST_RECORD: usize = (1 << 14) + 2048 + 5;
/// A message of the handshake may have 64 KiB, as rustls has it, and lies in records.
pub(super) const LONGEST_MESSAGE: usize = 80 * 1024;

/// Records on their way out.
pub(super) struct Sealed {
    /// Longer than what is in it: nobody fills it with zeros twice.
    buffer: Vec<u8>,
    filled: usize,
}

impl Sealed {
    pub(super) const fn new() -> Self {
        Self { buffer: Vec::new(), filled: 0 }
    }

    /// What is to be sent.
    pub(super) fn records(&self) -> &[u8] {
        &self.buffer[..self.filled]
    }

    pub(super) fn clear(&mut self) {
        self.filled = 0;
    }

    /// Room for this many octets and perhaps more.
    fn room(&mut self, octets: usize) -> &mut [u8] {
        let needed = self.filled + octets;
        if self.buffer.len() < needed {
            self.buffer.resize(needed, 0);
        }
        &mut self.buffer[self.filled..]
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::Index};
    use rustls::{SupportedProtocolVersion, version::TLS12, version::TLS13};

    use super::*;
    use crate::tls::parties::{Parties, localhost};

    /// A side, and what has come to it that is not done with.
    struct Side {
        session: Session,
        kept: Vec<u8>,
        opened: Vec<u8>,
        failed: bool,
    }

    impl Side {
        fn new(session: Session) -> Self {
            Self { session, kept: Vec::new(), opened: Vec::new(), failed: false }
        }

        /// Both, trusting each other.
        fn both(version: &'static SupportedProtocolVersion) -> [Self; 2] {
            let Parties { server, client } = Parties::speaking(version);
            let client = UnbufferedClientConnection::new(client, localhost()).expect("a client");
            let server = UnbufferedServerConnection::new(server).expect("a server");
            [Self::new(Session::Client(client)), Self::new(Session::Server(server))]
        }

        /// What it sends when this has come, and is to be said.
        fn turn(&mut self, fresh: &[u8], say: Say<'_>) -> Vec<u8> {
            if self.failed {
                return Vec::new();
            }
            self.kept.extend_from_slice(fresh);
            let mut sealed = Sealed::new();
            let opened = &mut self.opened;
            let turn = self
                .session
                .turn(&mut self.kept, say, &mut sealed, |octets| opened.extend_from_slice(octets));
            self.kept.drain(..turn.used);
            self.failed = turn.fault.is_some();
            sealed.records().to_vec()
        }
    }

    /// Plays a handshake, and a word in each direction behind it, in pieces of such sizes; `meddle` may change what each side
    /// has sent, which it is told with a number.
    fn play(sides: &mut [Side; 2], sizes: &[usize], mut meddle: impl FnMut(usize, Vec<u8>) -> Vec<u8>) {
        let mut sizes = sizes.iter().cycle();
        let mut flight = sides[0].turn(&[], Say::Nothing);
        let mut said = [false; 2];
        for number in 0..FLIGHTS {
            let octets = meddle(number, flight);
            let side = &mut sides[(number + 1) % 2];
            flight = Vec::new();
            let mut left = &octets[..];
            while !left.is_empty() {
                let (now, later) = left.split_at(left.len().min(*sizes.next().expect("a size")));
                flight.extend(side.turn(now, Say::Nothing));
                left = later;
            }
            if !side.session.state().is_handshaking() && !said[number % 2] {
                said[number % 2] = true;
                flight.extend(side.turn(&[], Say::Octets(WORDS)));
            }
        }
    }

    /// Of a handshake with two words behind it, and some more.
    const FLIGHTS: usize = 8;
    const WORDS: &[u8] = b"words";

    /// The same messages in records of this size: those of the first flight are in clear.
    fn in_records_of(size: usize, hello: &[u8]) -> Vec<u8> {
        let (header, message) = hello.split_at(5);
        let record = |part: &[u8]| {
            let length = u16::try_from(part.len()).expect("a part");
            [&header[..3], &length.to_be_bytes(), part].concat()
        };
        message.chunks(size).flat_map(record).collect()
    }

    fn versions() -> impl Strategy<Value = &'static SupportedProtocolVersion> {
        prop_oneof![Just(&TLS12), Just(&TLS13)]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn it_does_not_matter_in_which_pieces_records_come(
            version in versions(),
            sizes in vec(1..700_usize, 1..8),
            hello in 1..600_usize,
        ) {
            let mut sides = Side::both(version);
            play(&mut sides, &sizes, |number, flight| {
                if number == 0 { in_records_of(hello, &flight) } else { flight }
            });
            for side in &sides {
                prop_assert!(!side.failed);
                prop_assert_eq!(&side.opened[..], WORDS);
            }
        }

        #[test]
        fn whatever_comes_is_survived_and_nothing_false_is_believed(
            version in versions(),
            sizes in vec(1..700_usize, 1..8),
            hello in 1..600_usize,
            at in 0..FLIGHTS,
            changes in vec((any::<Index>(), 1..=255_u8), 1..4),
            again in any::<Option<Index>>(),
        ) {
            let mut sides = Side::both(version);
            play(&mut sides, &sizes, |number, flight| {
                let mut flight = if number == 0 { in_records_of(hello, &flight) } else { flight };
                if number == at && !flight.is_empty() {
                    for (place, change) in &changes {
                        let place = place.index(flight.len());
                        flight[place] ^= change;
                    }
                    if let Some(from) = &again {
                        flight.extend_from_within(from.index(flight.len())..);
                    }
                }
                flight
            });
            for side in &sides {
                prop_assert!(side.opened.is_empty() || side.opened == WORDS);
            }
        }
    }
}
