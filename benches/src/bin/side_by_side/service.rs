//! The service behind the proxies: answers what it is asked and checks what it gets.

use std::{
    io,
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    certificates, http, ldap,
    protocol::{Protocol, Wire},
    rows::{Back, Setup},
    sip,
};

/// A service on a port of its own, until it is dropped.
pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    complaints: Complaints,
    accepting: JoinHandle<()>,
}

type Complaints = Arc<Mutex<Vec<String>>>;

impl Service {
    pub(crate) async fn start(setup: Setup, folder: &Path) -> io::Result<Self> {
        let tls = match setup.back {
            Back::Plain => None,
            Back::Tls => Some(TlsAcceptor::from(certificates::server_config(folder)?)),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let complaints = Complaints::default();
        let accepting = tokio::spawn(accept(listener, tls, setup.protocol, complaints.clone()));
        Ok(Self { address, complaints, accepting })
    }

    /// The first thing that was wrong with what came, if anything was.
    pub(crate) fn complaint(&self) -> Option<String> {
        self.complaints.lock().unwrap_or_else(PoisonError::into_inner).first().cloned()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, protocol: Protocol, complaints: Complaints) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let (tls, complaints) = (tls.clone(), complaints.clone());
        tokio::spawn(async move {
            let Err(error) = serve(stream, tls, protocol).await else { return };
            // What ends by itself the client will tell; only what was wrong is our own to tell.
            if error.kind() == io::ErrorKind::Other {
                complaints.lock().unwrap_or_else(PoisonError::into_inner).push(error.to_string());
            }
        });
    }
}

async fn serve(stream: TcpStream, tls: Option<TlsAcceptor>, protocol: Protocol) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut wire = match tls {
        None => Wire::new(Box::new(stream), protocol),
        Some(tls) => Wire::new(Box::new(tls.accept(stream).await?), protocol),
    };
    match protocol {
        Protocol::Ldap => serve_ldap(wire).await,
        Protocol::Sip => {
            while let Some(request) = wire.receive().await? {
                wire.send(&sip::answer(&request)).await?;
            }
            Ok(())
        }
        Protocol::Http => {
            while let Some(request) = wire.receive().await? {
                wire.send(&http::answer(&request)).await?;
            }
            Ok(())
        }
    }
}

async fn serve_ldap(mut wire: Wire) -> io::Result<()> {
    // Answers to what is added are held back until something else is asked.
    let (mut additions, mut added) = (None, 0);
    while let Some(request) = wire.receive().await? {
        if ldap::is_add(&request) {
            wire.read_much();
            if additions.get_or_insert_with(ldap::add).at(added) != &request[..] {
                return Err(io::Error::other(format!("request {added} to add is not as it was sent")));
            }
            added += 1;
        } else if let Some(entries) = ldap::bulk_asked(&request) {
            let mut entry = ldap::entry();
            for number in 0..entries {
                wire.send(entry.at(number)).await?;
            }
            wire.send(&ldap::bulk_done()).await?;
        } else if ldap::is_unbind(&request) {
            return Ok(());
        } else {
            let answer = ldap::answer(&request).ok_or_else(|| io::Error::other("an unknown request"))?;
            wire.send(&[ldap::added().repeat(added as usize), answer].concat()).await?;
            added = 0;
        }
    }
    Ok(())
}
