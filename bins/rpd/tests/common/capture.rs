//! What went over loopback, as tshark sees it.

use std::{
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
};

use super::{Port, Program, run};

/// A capture in progress.
pub struct Capture {
    tshark: Program,
    file: PathBuf,
    end: Port,
}

impl Capture {
    /// Captures what comes to and from these ports of 127.0.0.1 into a file in `folder`, from now on.
    ///
    /// # Panics
    /// tshark may not capture; most likely this is not root.
    pub fn start(folder: &Path, ports: &[u16]) -> Self {
        let [begin, end] = [(); 2].map(|()| Port::reserve());
        let filter: Vec<String> = ports
            .iter()
            .chain([&begin.number(), &end.number()])
            .map(|port| format!("tcp port {port}"))
            .collect();
        let (filter, file) = (filter.join(" or "), folder.join("capture.pcapng"));
        let capture = ["-i", "lo", "-f", &filter, "-w", &file.display().to_string()].map(str::to_owned);
        // The port that a packet goes to becomes a line of output, as soon as the packet is in the file.
        let lines = ["-P", "-l", "-T", "fields", "-e", "tcp.dstport"].map(str::to_owned);
        let mut tshark = Program::start("tshark", capture.iter().chain(&lines));
        let begin = begin.number();
        tshark.wait_until("capture anything", |tshark| {
            knock(begin);
            tshark.said(&begin.to_string())
        });
        Self { tshark, file, end }
    }

    /// Ends the capture, and gives of every packet that `filter` lets through these fields, joined by `|`.
    /// `options` say how to read it.
    ///
    /// # Panics
    /// tshark does not see the end of it.
    pub fn fields(self, options: &[String], filter: &str, fields: &[&str]) -> Vec<String> {
        // Packets come in order: with this one all before it are in the file.
        knock(self.end.number());
        self.tshark.wait_for(&self.end.to_string());
        drop(self.tshark);
        let read = ["-r", &self.file.display().to_string(), "-Y", filter].map(str::to_owned);
        let lines = ["-T", "fields", "-E", "separator=|"].map(str::to_owned);
        let fields = fields.iter().flat_map(|field| ["-e", field]).map(str::to_owned);
        let arguments = read.into_iter().chain(options.to_vec()).chain(lines).chain(fields);
        run("tshark", arguments).ok().lines().map(str::to_owned).collect()
    }
}

/// A connection that is refused, and is captured all the same.
fn knock(port: u16) {
    let _ = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port)));
}
