//! The load: does a row's work through one proxy, and says what a unit of it has cost.

use std::{
    future::Future,
    io,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use crate::{
    client::Client,
    http, ldap,
    meter::Meter,
    protocol::{Protocol, Wire},
    rows::{Direction, Setup, Shape, Work},
};

/// One proxy that is up, and what it does.
pub(crate) struct Load<'a> {
    pub(crate) setup: Setup,
    pub(crate) proxy: SocketAddr,
    pub(crate) folder: &'a Path,
    pub(crate) meter: Meter,
}

impl Load<'_> {
    /// Microseconds of CPU time a unit, or KB of memory a connection.
    pub(crate) async fn run(&self, work: Work) -> io::Result<f64> {
        match work {
            Work::Bulk { direction, megabytes } => self.bulk(direction, megabytes).await,
            Work::Connections { count, resumed } => self.connections(count, resumed).await,
            Work::Messages { connections, seconds } => self.messages(connections, seconds).await,
            Work::Idle { connections } => self.idle(connections).await,
            Work::Requests { shape, count, at_a_time } => self.requests(shape, count, at_a_time).await,
        }
    }

    async fn bulk(&self, direction: Direction, megabytes: u32) -> io::Result<f64> {
        let client = self.client(false)?;
        client.prime().await?;
        let frame = if direction == Direction::Down { ldap::entry() } else { ldap::add() };
        let frames = frame.count_for(u64::from(megabytes) * 1_000_000 / u64::from(BULK_CONNECTIONS));
        let moved = f64::from(BULK_CONNECTIONS) * frame.megabytes(frames);
        let mut wires = Vec::new();
        for number in 0..BULK_CONNECTIONS {
            wires.push(greeted(&client, number).await?);
        }
        let before = self.meter.cpu()?;
        let transfers = wires.into_iter().map(|wire| async move {
            match direction {
                Direction::Down => down(wire, frames).await,
                Direction::Up => up(wire, frames).await,
            }
        });
        all(transfers).await?;
        self.microseconds_since(before, moved)
    }

    async fn connections(&self, count: u32, resumed: bool) -> io::Result<f64> {
        let mut clients = Vec::new();
        for _ in 0..AT_A_TIME {
            let client = self.client(resumed)?;
            client.prime().await?;
            clients.push(client);
        }
        let each = count / AT_A_TIME;
        let before = self.meter.cpu()?;
        let protocol = self.setup.protocol;
        all(clients.into_iter().map(|client| async move {
            for number in 0..each {
                let mut wire = client.connect(Ipv4Addr::LOCALHOST).await?;
                wire.exchange(&protocol.greeting(number)).await?;
                wire.exchange(&protocol.question(number, 2)).await?;
                wire.close().await?;
            }
            Ok(())
        }))
        .await?;
        self.microseconds_since(before, f64::from(each * AT_A_TIME))
    }

    async fn messages(&self, connections: u32, seconds: u32) -> io::Result<f64> {
        let wires = self.open(connections).await?;
        let before = self.meter.cpu()?;
        let (start, protocol) = (Instant::now(), self.setup.protocol);
        let talks = wires.into_iter().zip(0..).map(|(mut wire, number)| async move {
            let first = start + Duration::from_secs(1) * number / connections;
            for second in 0..seconds {
                sleep_until(first + Duration::from_secs(u64::from(second))).await;
                wire.exchange(&protocol.question(number, 2 + second)).await?;
            }
            Ok(wire)
        });
        let wires = all(talks).await?;
        let used = self.microseconds_since(before, f64::from(connections * seconds));
        drop(wires);
        used
    }

    async fn idle(&self, connections: u32) -> io::Result<f64> {
        self.client(false)?.prime().await?;
        let before = self.meter.resident()?;
        let wires = self.open(connections).await?;
        sleep(SETTLING).await;
        let after = self.meter.resident()?;
        Ok((after - before) / wires.len() as f64)
    }

    async fn requests(&self, shape: Shape, count: u32, at_a_time: u32) -> io::Result<f64> {
        let client = self.client(false)?;
        client.prime().await?;
        let each = count / at_a_time;
        let mut wires = Vec::new();
        for number in 0..at_a_time {
            wires.push(greeted(&client, number).await?);
        }
        let before = self.meter.cpu()?;
        all(wires.into_iter().map(|mut wire| {
            let client = client.clone();
            async move {
                for number in 0..each {
                    let request = http::request(shape, number);
                    if shape == Shape::Connection {
                        let mut wire = client.connect(Ipv4Addr::LOCALHOST).await?;
                        wire.exchange(&request).await?;
                        wire.ended().await?;
                    } else {
                        wire.exchange(&request).await?;
                    }
                }
                Ok(())
            }
        }))
        .await?;
        self.microseconds_since(before, f64::from(each * at_a_time))
    }

    /// Connections that have greeted, from a thousandth as many addresses.
    async fn open(&self, connections: u32) -> io::Result<Vec<Wire>> {
        let client = self.client(false)?;
        let openers = (0..OPENERS).map(|opener| {
            let client = client.clone();
            async move {
                let mut wires = Vec::new();
                for number in (opener..connections).step_by(OPENERS as usize) {
                    wires.push(greeted(&client, number).await?);
                }
                Ok(wires)
            }
        });
        Ok(all(openers).await?.into_iter().flatten().collect())
    }

    fn client(&self, resumes: bool) -> io::Result<Arc<Client>> {
        Ok(Arc::new(Client::new(self.proxy, self.setup, self.folder, resumes)?))
    }

    fn microseconds_since(&self, before: Duration, units: f64) -> io::Result<f64> {
        let used = self.meter.cpu()?.saturating_sub(before);
        if used.is_zero() {
            return Err(io::Error::other("no CPU time was used: is this the process that did the work?"));
        }
        Ok(used.as_secs_f64() * 1e6 / units)
    }
}

const AT_A_TIME: u32 = 8;
const BULK_CONNECTIONS: u32 = 4;
const OPENERS: u32 = 32;

/// What a proxy does shortly after a connection was made is not memory of an idle one.
const SETTLING: Duration = Duration::from_secs(2);

async fn greeted(client: &Client, number: u32) -> io::Result<Wire> {
    let mut wire = client.connect(source(number)).await?;
    wire.exchange(&client.protocol().greeting(number)).await?;
    Ok(wire)
}

/// A thousand connections an address.
fn source(number: u32) -> Ipv4Addr {
    let [_, _, high, low] = (number / 1_000).to_be_bytes();
    Ipv4Addr::new(127, 1 + high, low, 1)
}

async fn down(mut wire: Wire, frames: u32) -> io::Result<()> {
    wire.read_much();
    wire.send(&ldap::bulk(frames)).await?;
    let mut expected = ldap::entry();
    for number in 0..frames {
        same(wire.receive().await?, expected.at(number), number)?;
    }
    same(wire.receive().await?, &ldap::bulk_done(), frames)?;
    wire.close().await
}

async fn up(mut wire: Wire, frames: u32) -> io::Result<()> {
    let mut frame = ldap::add();
    for number in 0..frames {
        wire.send(frame.at(number)).await?;
    }
    let question = Protocol::Ldap.question(0, 4);
    wire.send(&question).await?;
    for number in 0..frames {
        same(wire.receive().await?, &ldap::added(), number)?;
    }
    same(wire.receive().await?, &ldap::answer(&question).unwrap_or_default(), frames)?;
    wire.close().await
}

fn same(received: Option<bytes::BytesMut>, expected: &[u8], number: u32) -> io::Result<()> {
    match received {
        Some(received) if received == expected => Ok(()),
        Some(_) => Err(io::Error::other(format!("message {number} is not as it was sent"))),
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Everything at the same time; the first error ends it all.
async fn all<T: Send + 'static>(
    work: impl Iterator<Item = impl Future<Output = io::Result<T>> + Send + 'static>,
) -> io::Result<Vec<T>> {
    let mut tasks: JoinSet<_> = work.collect();
    let mut done = Vec::new();
    while let Some(finished) = tasks.join_next().await {
        done.push(finished.map_err(io::Error::other)??);
    }
    Ok(done)
}
