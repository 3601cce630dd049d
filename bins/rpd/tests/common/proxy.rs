//! The proxy, in the test's own process.

use std::{
    env,
    net::{SocketAddr, TcpStream},
    path::Path,
    sync::Arc,
};

use rpd::{
    config::Config,
    guard::Gate,
    logging,
    reload::{Change, ReloadError, reload},
    server::{self, Control, Running},
};

use super::connect;

/// A proxy that serves until this is dropped.
pub struct Proxy(Option<Running>);

impl Proxy {
    /// Starts the proxy with the configuration `text`, whose paths are relative to `folder`.
    /// With `RPD_TEST_LOG` set, its log goes to standard error.
    ///
    /// # Panics
    /// The configuration is wrong.
    pub fn start(folder: &Path, text: &str) -> Self {
        let (config, _) =
            Config::parse(text, &folder.join("rpd.toml")).unwrap_or_else(|report| panic!("{report}"));
        if env::var_os("RPD_TEST_LOG").is_some() {
            logging::start(&config.log).expect("a log");
        }
        Self(Some(server::start(config).unwrap_or_else(|error| panic!("{error}"))))
    }

    /// Tells it to end when what is under way is done.
    pub fn drain(&self) {
        self.0.iter().for_each(|running| running.stop().drain());
    }

    /// Where the listener with this key of `[listen]` is.
    ///
    /// # Panics
    /// There is none.
    pub fn address(&self, kind: &str) -> SocketAddr {
        let mut listeners = self.control().listeners().into_iter();
        let found = listeners.find(|listener| listener.kind.as_str() == kind);
        found.unwrap_or_else(|| panic!("the configuration has no listen.{kind}")).address
    }

    /// A connection to this listener.
    ///
    /// # Panics
    /// There is none.
    pub fn connect(&self, kind: &str) -> TcpStream {
        connect(self.address(kind))
    }

    /// Where it is administered over TCP.
    ///
    /// # Panics
    /// The configuration has no `admin.listen`.
    pub fn admin_address(&self) -> SocketAddr {
        self.0.as_ref().expect("it runs").admin_addresses()[0]
    }

    /// Who is let in, and who is shut out.
    ///
    /// # Panics
    /// It has ended.
    pub fn gate(&self) -> Arc<Gate> {
        self.0.as_ref().expect("a proxy at work").gate().clone()
    }

    /// By which it is changed while it runs.
    pub fn control(&self) -> &Arc<Control> {
        self.0.as_ref().expect("it runs").control()
    }

    /// Writes `text` where its configuration comes from, and has it read anew.
    ///
    /// # Errors
    /// Nothing has changed.
    pub fn reload(&self, text: &str) -> Result<Change, ReloadError> {
        std::fs::write(&self.control().state().config.path, text).expect("a file");
        reload(self.control(), "a test")
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(running) = self.0.take() {
            running.stop().close();
            running.join();
        }
    }
}
