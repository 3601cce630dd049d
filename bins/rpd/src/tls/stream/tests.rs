use std::{cell::Cell, time::Duration};

use rustls::{HandshakeKind, version::TLS12, version::TLS13};
use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, BufWriter, Interest, copy_bidirectional, duplex, split},
    net::TcpListener,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::*;
use crate::tls::{
    Greeted,
    hello::LARGEST_HELLO,
    parties::{Parties, localhost},
};

const LONG: Duration = Duration::from_secs(60);

impl Parties {
    /// A connection of ours on both sides.
    async fn connected(&self) -> (TlsStream, TlsStream) {
        let (near, far) = sockets().await;
        let accepted = async { Greeted::listen(far).await?.answer(self.server.clone()).await };
        let done = tokio::try_join!(TlsStream::connect(self.client.clone(), localhost(), near), accepted);
        done.expect("a handshake")
    }
}

fn both() -> [Parties; 2] {
    [Parties::speaking(&TLS12), Parties::speaking(&TLS13)]
}

async fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
    (near.expect("a connection"), far.expect("a connection").0)
}

/// A record as it is on the wire (RFC 8446 5.1).
async fn record(from: &mut TcpStream) -> Vec<u8> {
    let mut record = vec![0; 5];
    from.read_exact(&mut record).await.expect("a header");
    let length = u16::from_be_bytes([record[3], record[4]]);
    record.resize(5 + usize::from(length), 0);
    from.read_exact(&mut record[5..]).await.expect("what it tells of");
    record
}

/// Octets that show if one is missing or in the wrong place.
fn octets(count: usize) -> Vec<u8> {
    (0..=250).cycle().take(count).collect()
}

/// Sends these both ways at once, and reads them to the end.
async fn exchange<A, B>(a: A, b: B, sent: &[u8])
where
    A: AsyncRead + AsyncWrite,
    B: AsyncRead + AsyncWrite,
{
    async fn say(mut to: impl AsyncWrite + Unpin, sent: &[u8]) {
        to.write_all(sent).await.expect("a listener");
        to.shutdown().await.expect("a listener");
    }
    async fn hear(mut from: impl AsyncRead + Unpin, sent: &[u8]) {
        let mut heard = Vec::new();
        from.read_to_end(&mut heard).await.expect("an end in order");
        assert!(heard == sent, "{} of {} octets, or others", heard.len(), sent.len());
    }
    let ((from_a, to_a), (from_b, to_b)) = (split(a), split(b));
    let all =
        async { tokio::join!(say(to_a, sent), say(to_b, sent), hear(from_a, sent), hear(from_b, sent)) };
    timeout(LONG, all).await.expect("an end in time");
}

#[tokio::test]
async fn octets_arrive_both_ways_and_both_ends_too() {
    for parties in both() {
        for count in [0, 1, 16_384, 16_385, 3_000_000] {
            let (client, server) = parties.connected().await;
            exchange(client, server, &octets(count)).await;
        }
    }
}

#[tokio::test]
async fn others_are_understood_and_understand() {
    for parties in both() {
        let sent = octets(1_000_000);
        let (near, far) = sockets().await;
        let acceptor = TlsAcceptor::from(parties.server.clone());
        let connecting = TlsStream::connect(parties.client.clone(), localhost(), near);
        let (client, server) = tokio::try_join!(connecting, acceptor.accept(far)).expect("a handshake");
        exchange(client, server, &sent).await;

        let (near, far) = sockets().await;
        let connector = TlsConnector::from(parties.client.clone());
        let accepting = async { Greeted::listen(far).await?.answer(parties.server.clone()).await };
        let connecting = connector.connect(localhost(), near);
        let (client, server) = tokio::try_join!(connecting, accepting).expect("a handshake");
        exchange(client, server, &sent).await;
    }
}

/// Octets go through one by one.
async fn dribble(mut a: TcpStream, mut b: TcpStream) {
    let (mut left, mut right) = duplex(1);
    a.set_nodelay(true).and_then(|()| b.set_nodelay(true)).expect("sockets");
    let _ = tokio::join!(copy_bidirectional(&mut a, &mut left), copy_bidirectional(&mut right, &mut b));
}

#[tokio::test]
async fn octets_that_come_one_by_one_are_put_together() {
    for version in [&TLS12, &TLS13] {
        // More than a record and its header hold.
        let names =
            (0..800).map(|name| format!("a-rather-long-name-{name}.example")).chain(["localhost".to_owned()]);
        let parties = Parties::with_names(version, names.collect());
        let ((client, a), (b, server)) = (sockets().await, sockets().await);
        tokio::spawn(dribble(a, b));
        let accepting = async { Greeted::listen(server).await?.answer(parties.server.clone()).await };
        let connecting = TlsStream::connect(parties.client.clone(), localhost(), client);
        let (client, server) = timeout(LONG, async { tokio::try_join!(connecting, accepting) })
            .await
            .expect("a handshake in time")
            .expect("a handshake");
        exchange(client, server, &octets(20_000)).await;
    }
}

#[tokio::test]
async fn who_waits_keeps_nothing() {
    for parties in both() {
        let (mut client, mut server) = parties.connected().await;
        for _ in 0..2 {
            client.write_all(&octets(40_000)).await.expect("a listener");
            server.read_exact(&mut vec![0; 40_000]).await.expect("octets");
            server.write_all(b"answer").await.expect("a listener");
            client.read_exact(&mut [0; 6]).await.expect("octets");
        }
        for kept in [&client, &server] {
            let TlsStream { records, opened, sealed, .. } = kept;
            assert_eq!((records.capacity(), opened.capacity(), sealed.capacity()), (0, 0, 0));
        }
    }
}

#[tokio::test]
async fn tickets_leave_with_the_first_answer() {
    let parties = Parties::speaking(&TLS13);
    let connector = TlsConnector::from(parties.client.clone());
    for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
        let (near, far) = sockets().await;
        let accepting = async { Greeted::listen(far).await?.answer(parties.server.clone()).await };
        let connecting = connector.connect(localhost(), near);
        let (mut client, mut server) = tokio::try_join!(connecting, accepting).expect("a handshake");
        assert_eq!(server.state().handshake_kind(), Some(kind));
        assert!(!server.sealed.is_empty(), "tickets");
        server.write_all(b"answer").await.expect("a listener");
        assert!(server.sealed.is_empty());
        client.read_exact(&mut [0; 6]).await.expect("the answer");
    }
}

#[tokio::test]
async fn the_side_that_has_ended_still_listens() {
    for parties in both() {
        let (mut client, mut server) = parties.connected().await;
        client.shutdown().await.expect("a listener");
        assert!(client.write(b"more").await.is_err(), "after the end");
        assert_eq!(server.read(&mut [0; 8]).await.expect("the end"), 0);
        server.write_all(b"last words").await.expect("a listener");
        server.shutdown().await.expect("a listener");
        let mut heard = Vec::new();
        client.read_to_end(&mut heard).await.expect("the end");
        assert_eq!(heard, b"last words");
    }
}

#[tokio::test]
async fn a_connection_that_only_stops_has_not_ended() {
    for parties in both() {
        let (mut client, server) = parties.connected().await;
        drop(server);
        let error = client.read(&mut [0; 8]).await.expect_err("no end of TLS");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}

#[tokio::test]
async fn what_the_other_side_does_not_take_waits_in_bounds_and_leaves_as_it_does() {
    for parties in both() {
        let (mut client, mut server) = parties.connected().await;
        for stream in [&client, &server] {
            let socket = SockRef::from(stream.socket());
            socket
                .set_send_buffer_size(SMALL)
                .and_then(|()| socket.set_recv_buffer_size(SMALL))
                .expect("a socket");
        }
        let sent = octets(3_000_000);
        let (taken, heard) = (Cell::new(0), Cell::new(0));
        let writing = async {
            poll_fn(|cx| {
                while taken.get() < sent.len() {
                    let now = ready!(Pin::new(&mut client).poll_write(cx, &sent[taken.get()..]))?;
                    taken.set(taken.get() + now);
                    assert!(taken.get() - heard.get() < 4 * WAITING, "{taken:?} {heard:?}");
                }
                Poll::Ready(io::Result::Ok(()))
            })
            .await?;
            client.flush().await
        };
        let hearing = async {
            while heard.get() < sent.len() {
                let mut some = [0; 10_000];
                let now = server.read(&mut some).await?;
                assert!(some[..now] == sent[heard.get()..][..now]);
                heard.set(heard.get() + now);
            }
            Ok(())
        };
        let both = timeout(LONG, async { tokio::try_join!(writing, hearing) });
        both.await.expect("in time").expect("octets");
        assert_eq!(client.sealed.capacity(), 0);
    }
}

const SMALL: usize = 32 * 1024;

/// Two tasks, each with its own way to be woken.
#[tokio::test]
async fn whoever_reads_does_not_keep_whoever_writes_asleep() {
    for parties in both() {
        let (client, mut server) = parties.connected().await;
        let (mut from, mut to) = split(client);
        let sent = octets(20_000_000);
        let all = sent.clone();
        let writing = tokio::spawn(async move { to.write_all(&all).await.and(to.flush().await) });
        let reading = tokio::spawn(async move { from.read_u8().await });
        let mut heard = vec![0; sent.len()];
        let hearing = async {
            for part in heard.chunks_mut(100_000) {
                server.read_exact(part).await.expect("octets");
                tokio::task::yield_now().await;
            }
        };
        timeout(LONG, hearing).await.expect("in time");
        assert!(heard == sent);
        writing.await.expect("no panic").expect("a listener");
        server.write_all(b"x").await.expect("a listener");
        server.flush().await.expect("a listener");
        assert_eq!(reading.await.expect("no panic").expect("an octet"), b'x');
    }
}

#[tokio::test]
async fn a_reset_is_no_end() {
    for parties in both() {
        let (mut client, server) = parties.connected().await;
        poll_fn(|cx| {
            while Pin::new(&mut client).poll_write(cx, &[b'.'; WAITING]).is_ready() {}
            Poll::Ready(())
        })
        .await;
        // What it has not read makes its end a reset.
        drop(server);
        client.socket().ready(Interest::ERROR).await.expect("a socket");
        let error = client.read(&mut [0; 8]).await.expect_err("no end of TLS");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }
}

#[tokio::test]
async fn who_sends_endless_beginnings_is_not_kept() {
    let (near, far) = sockets().await;
    let greeting = tokio::spawn(Greeted::listen(far));
    // A message of which one octet comes in each record.
    let mut near = BufWriter::new(near);
    let mut hello = vec![1, 0, 0xff, 0xff];
    hello.resize(LARGEST_HELLO, 0);
    for octet in hello {
        if near.write_all(&[0x16, 3, 1, 0, 1, octet]).await.is_err() {
            break;
        }
    }
    let _ = near.flush().await;
    let error = timeout(LONG, greeting).await.expect("in time").expect("no panic").err().expect("too much");
    let why = error.get_ref().and_then(|why| why.downcast_ref());
    let too_large = rustls::Error::InvalidMessage(InvalidMessage::HandshakePayloadTooLarge);
    assert_eq!(why, Some(&too_large), "{error}");
}

#[tokio::test]
async fn keys_that_are_renewed_on_the_way_open_what_comes_behind() {
    let parties = Parties::speaking(&TLS13);
    let (near, far) = sockets().await;
    let acceptor = TlsAcceptor::from(parties.server.clone());
    let connecting = TlsStream::connect(parties.client.clone(), localhost(), near);
    let (mut client, mut server) = tokio::try_join!(connecting, acceptor.accept(far)).expect("a handshake");
    for _ in 0..3 {
        server.get_mut().1.refresh_traffic_keys().expect("a session in use");
        server.write_all(b"renewed").await.expect("a listener");
        server.flush().await.expect("a listener");
        let mut heard = [0; 7];
        client.read_exact(&mut heard).await.expect("octets");
        client.write_all(&heard).await.expect("a listener");
        server.read_exact(&mut heard).await.expect("octets");
        assert_eq!(&heard, b"renewed");
    }
}

#[tokio::test]
async fn a_record_that_was_tampered_with_ends_the_session_with_an_alert() {
    for parties in both() {
        let (near, mut wire) = sockets().await;
        let (mut far, server) = sockets().await;
        let accepting = async { Greeted::listen(server).await?.answer(parties.server.clone()).await };
        let connecting = TlsStream::connect(parties.client.clone(), localhost(), near);
        let handshake = async { tokio::try_join!(connecting, accepting) };
        let (mut client, mut server) = tokio::select! {
            done = handshake => done.expect("a handshake"),
            _ = copy_bidirectional(&mut wire, &mut far) => panic!("an end"),
        };
        client.write_all(b"sound").await.expect("a listener");
        client.write_all(b"rotten").await.expect("a listener");
        let (mut records, mut rotten) = (record(&mut wire).await, record(&mut wire).await);
        rotten[5] ^= 1;
        records.extend(rotten);
        far.write_all(&records).await.expect("a listener");
        assert_eq!(server.read(&mut [0; 16]).await.expect("the first"), 5);
        let error = server.read(&mut [0; 16]).await.expect_err("not what was sealed");
        let why = error.get_ref().and_then(|why| why.downcast_ref());
        assert_eq!(why, Some(&rustls::Error::DecryptError));
        assert!(server.read(&mut [0; 16]).await.is_err() && server.write(b"x").await.is_err());
        // By now the alert is on its way.
        drop(server);
        let mut alert = Vec::new();
        far.read_to_end(&mut alert).await.expect("the end");
        // What is left over of the handshake may come before it: tickets.
        wire.write_all(&alert).await.expect("a listener");
        let heard = timeout(LONG, client.read(&mut [0; 16])).await.expect("in time");
        let error = heard.expect_err("an alert");
        let why = error.get_ref().and_then(|why| why.downcast_ref());
        assert_eq!(why, Some(&rustls::Error::AlertReceived(rustls::AlertDescription::BadRecordMac)));
    }
}

#[tokio::test]
async fn what_is_no_hello_is_told_so() {
    // A hello in which nothing is, and an alert, to which there is no answer.
    let empty = b"\x16\x03\x01\x00\x08\x01\x00\x00\x04\x00\x00\x00\x00";
    for (said, answered) in [(&empty[..], true), (b"\x15\x03\x01\x00\x02\x02\x28", false)] {
        let (mut near, far) = sockets().await;
        near.write_all(said).await.expect("a listener");
        let Err(error) = Greeted::listen(far).await else { panic!("no hello") };
        assert!(error.get_ref().and_then(|why| why.downcast_ref::<rustls::Error>()).is_some(), "{error:?}");
        let mut heard = Vec::new();
        near.read_to_end(&mut heard).await.expect("the end");
        assert_eq!(!heard.is_empty(), answered, "{heard:?}");
    }
    let parties = Parties::speaking(&TLS13);
    let old = Parties::speaking(&TLS12);
    let (near, far) = sockets().await;
    let accepting = async { Greeted::listen(far).await?.answer(parties.server.clone()).await };
    let (asked, answered) =
        tokio::join!(TlsStream::connect(old.client.clone(), localhost(), near), accepting);
    let alert = asked.expect_err("no version that both know");
    let alert = alert.get_ref().and_then(|why| why.downcast_ref());
    assert_eq!(alert, Some(&rustls::Error::AlertReceived(rustls::AlertDescription::ProtocolVersion)));
    assert!(answered.is_err());
    assert_eq!(parties.connected().await.0.state().protocol_version(), Some(ProtocolVersion::TLSv1_3));
}
