//! A worker: one thread that accepts connections and serves them, and at the end waits for those that are left.

use std::{
    future::poll_fn,
    io, mem,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tracing::{error, warn};

use super::{Control, ends::Server};
use crate::{cancel::Request, config::Listener, listeners::Listeners, places::Place};

/// One worker: accepts until told to stop, then waits for its connections.
pub(super) async fn serve(control: Arc<Control>, index: usize) {
    tokio::spawn(answer(control.clone(), index));
    tokio::spawn(stir());
    let server = &control.server;
    let (mut phase, mut listeners) = (control.phase.subscribe(), control.listeners.subscribe());
    let mut accepting = Accepting::default();
    loop {
        accepting.follow(server, &listeners.borrow_and_update(), index);
        tokio::select! {
            _ = phase.wait_for(|phase| *phase >= Request::Drain) => break,
            _ = listeners.changed() => {}
        }
    }
    accepting.end().await;
    server.gate.registry.ask_all(Request::Drain);
    let drain = server.live.now().config.limits.drain;
    tokio::select! {
        () = server.places.all_free() => return,
        _ = phase.wait_for(|phase| *phase == Request::Close) => {}
        () = sleep(drain) => {}
    }
    server.gate.registry.ask_all(Request::Close);
    let _ = timeout(LAST_WORDS, server.places.all_free()).await;
}

/// Feels every beat, for as long as the worker does anything.
async fn answer(control: Arc<Control>, index: usize) {
    let mut beat = control.beat.subscribe();
    while beat.changed().await.is_ok() {
        control.answered[index].store(*beat.borrow_and_update(), Ordering::Relaxed);
    }
}

/// Wakes the worker now and then, for nothing. A timer that is due before the worker would wake by itself makes it wake
/// itself at once, by a write to an event descriptor: two system calls for each connection, as all its timers are longer
/// than this.
async fn stir() {
    loop {
        sleep(STIRRED_EVERY).await;
    }
}

const STIRRED_EVERY: Duration = Duration::from_secs(4);

/// What one worker accepts on.
#[derive(Default)]
struct Accepting(Vec<Accept>);

/// Accepting on one listener, until this is dropped.
struct Accept {
    listener: Listener,
    socket: Arc<std::net::TcpListener>,
    going_on: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Accepting {
    /// Goes on with the listeners that are kept, ends the others, and begins with the new ones.
    fn follow(&mut self, server: &Arc<Server>, listeners: &Listeners, worker: usize) {
        let mut former = mem::take(&mut self.0);
        for (listener, socket) in listeners.of(worker) {
            let same = |known: &Accept| known.listener == listener && Arc::ptr_eq(&known.socket, socket);
            let kept = former.iter().position(same).map(|at| former.swap_remove(at));
            match kept.map_or_else(|| Accept::begin(server, listener, socket), Ok) {
                Ok(accept) => self.0.push(accept),
                Err(error) => error!(listener = %listener.kind, %error, "a listener could not be started"),
            }
        }
    }

    /// Waits until the sockets are closed.
    async fn end(self) {
        for Accept { going_on, task, .. } in self.0 {
            drop(going_on);
            let _ = task.await;
        }
    }
}

impl Accept {
    fn begin(
        server: &Arc<Server>,
        listener: Listener,
        socket: &Arc<std::net::TcpListener>,
    ) -> io::Result<Self> {
        let own = TcpListener::from_std(socket.try_clone()?)?;
        let (going_on, end) = oneshot::channel();
        let task = tokio::spawn(accept(server.clone(), listener, own, end));
        Ok(Self { listener, socket: socket.clone(), going_on, task })
    }
}

/// Accepts on `socket` until `end` comes, and then takes in who is waiting already.
async fn accept(
    server: Arc<Server>,
    listener: Listener,
    socket: TcpListener,
    mut end: oneshot::Receiver<()>,
) {
    let mut pause = SHORTEST_PAUSE;
    loop {
        let accepted = tokio::select! {
            biased;
            // First: while clients come faster than they are taken in, nobody would hear of it behind them.
            _ = &mut end => break,
            accepted = poll_fn(|cx| socket.poll_accept(cx)) => accepted,
        };
        match accepted {
            Ok((stream, source)) => {
                pause = SHORTEST_PAUSE;
                let Some(place) = place(&server, &mut end).await else { return };
                server.admit(stream, source, listener, place);
            }
            Err(error) => {
                // Out of files, most likely. The connection stays in the backlog, so trying at once would spin.
                server.metrics.not_accepted(&error);
                warn!(listener = %listener.kind, %error, "accepting failed");
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
    // Whoever is in the queue thinks that he is connected.
    let _ = socket.into_std().map(|socket| accept_waiting(&server, listener, &socket));
}

/// For one more connection. At the cap it waits here, and those behind it in the backlog; nothing if the end comes first.
async fn place(server: &Server, end: &mut oneshot::Receiver<()>) -> Option<Place> {
    if let Some(place) = server.places.try_take() {
        return Some(place);
    }
    server.metrics.full();
    tokio::select! {
        biased;
        place = server.places.take() => Some(place),
        _ = end => None,
    }
}

fn accept_waiting(server: &Arc<Server>, listener: Listener, socket: &std::net::TcpListener) {
    while let Ok((stream, source)) = socket.accept() {
        let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
        let (Ok(stream), Some(place)) = (stream, server.places.try_take()) else { return };
        server.admit(stream, source, listener, place);
    }
}

const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// For connections that were told to close.
const LAST_WORDS: Duration = Duration::from_secs(2);
