//! The kind of connection towards a target.

/// What carries a connection, on either side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// TCP in the clear.
    Tcp,
    /// TLS over TCP.
    Tls,
}

impl Transport {
    /// `tcp` or `tls`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }
}

/// The ports of a target for one protocol. Both absent: the protocol is not forwarded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ports {
    /// The port that takes TCP in the clear.
    pub tcp: Option<u16>,
    /// The port that takes TLS.
    pub tls: Option<u16>,
}

impl Ports {
    /// The leg for a connection that came in by `incoming`: with both ports the same kind again, with one
    /// port always that kind, with none no leg.
    ///
    /// ```
    /// use rp_route::leg::{Leg, Ports, Transport};
    ///
    /// let ports = Ports { tcp: Some(1720), tls: None };
    /// assert_eq!(ports.leg(Transport::Tls), Some(Leg { transport: Transport::Tcp, port: 1720 }));
    /// ```
    pub fn leg(self, incoming: Transport) -> Option<Leg> {
        let tcp = self.tcp.map(|port| Leg { transport: Transport::Tcp, port });
        let tls = self.tls.map(|port| Leg { transport: Transport::Tls, port });
        match incoming {
            Transport::Tcp => tcp.or(tls),
            Transport::Tls => tls.or(tcp),
        }
    }
}

/// How a target is to be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Leg {
    /// In the clear or TLS.
    pub transport: Transport,
    /// The target's port.
    pub port: u16,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ports_keep_the_kind_one_port_sets_it_none_gives_no_leg() {
        let tcp = Leg { transport: Transport::Tcp, port: 80 };
        let tls = Leg { transport: Transport::Tls, port: 443 };
        for (ports, from_tcp, from_tls) in [
            (Ports { tcp: Some(80), tls: Some(443) }, Some(tcp), Some(tls)),
            (Ports { tcp: Some(80), tls: None }, Some(tcp), Some(tcp)),
            (Ports { tcp: None, tls: Some(443) }, Some(tls), Some(tls)),
            (Ports { tcp: None, tls: None }, None, None),
        ] {
            assert_eq!(ports.leg(Transport::Tcp), from_tcp, "{ports:?}");
            assert_eq!(ports.leg(Transport::Tls), from_tls, "{ports:?}");
        }
    }
}
