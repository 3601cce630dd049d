//! The table: medians, ratios of the same round, and what of it is reached.

use std::io;

use crate::{
    proxies::Peer,
    rows::{Bounds, Row},
};

/// What was measured of a row.
pub(crate) struct Figures {
    row: &'static Row,
    /// By peer, a figure a round; what is not measured stays empty.
    rounds: [Vec<f64>; 3],
    errors: Vec<String>,
}

/// How a row stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Aim,
    Must,
    Missed,
    /// There were errors, so there is nothing to judge.
    Invalid,
}

impl Figures {
    pub(crate) fn new(row: &'static Row) -> Self {
        Self { row, rounds: Default::default(), errors: Vec::new() }
    }

    pub(crate) fn add(&mut self, peer: Peer, figure: io::Result<f64>) {
        match figure {
            Ok(figure) => self.rounds[peer as usize].push(figure),
            Err(error) => self.errors.push(format!("{}, {}: {error}", self.row.name, peer.name())),
        }
    }

    pub(crate) fn errors(&self) -> &[String] {
        &self.errors
    }

    pub(crate) fn verdict(&self) -> Verdict {
        let Some(rpd) = self.median(Peer::Rpd).filter(|_| self.errors.is_empty()) else {
            return Verdict::Invalid;
        };
        let (must, aim) = match self.row.bounds {
            Bounds::Memory { must, aim } => (rpd <= must, rpd <= aim),
            Bounds::Ratio { haproxy, nginx, aim } => {
                let ratios = [
                    (self.ratio(Peer::Haproxy), haproxy),
                    (self.ratio(Peer::Nginx), nginx.unwrap_or(f64::INFINITY)),
                ];
                let below = |bound: &dyn Fn(f64) -> f64| {
                    ratios.iter().all(|(ratio, must)| ratio.is_none_or(|ratio| ratio <= bound(*must)))
                };
                (below(&|must| must), below(&|_| aim))
            }
        };
        match (must, aim) {
            (_, true) => Verdict::Aim,
            (true, false) => Verdict::Must,
            (false, false) => Verdict::Missed,
        }
    }

    /// A line of the table.
    pub(crate) fn line(&self) -> String {
        let unit = self.row.work.unit();
        let figure = |peer| {
            self.median(peer).map_or_else(|| "–".to_owned(), |value| format!("{value:.*}", digits(value)))
        };
        let (ratios, must, aim) = match self.row.bounds {
            Bounds::Memory { must, aim } => (String::from("–"), format!("≤ {must} KB"), format!("{aim} KB")),
            Bounds::Ratio { haproxy, nginx, aim } => {
                let ratios = [Peer::Haproxy, Peer::Nginx].into_iter().filter_map(|peer| self.ratio(peer));
                let ratios: Vec<_> = ratios.map(|ratio| format!("{ratio:.2}")).collect();
                let must = match nginx {
                    Some(nginx) if nginx != haproxy => format!("≤ {haproxy:.2} · ≤ {nginx:.2}"),
                    _ => format!("≤ {haproxy:.2}"),
                };
                (ratios.join(" · "), must, format!("{aim:.2}"))
            }
        };
        let verdict = match self.verdict() {
            Verdict::Aim => "aim",
            Verdict::Must => "must",
            Verdict::Missed => "**missed**",
            Verdict::Invalid => "**invalid**",
        };
        let (rpd, haproxy, nginx) = (figure(Peer::Rpd), figure(Peer::Haproxy), figure(Peer::Nginx));
        format!(
            "| {}, {unit} | {rpd} | {haproxy} | {nginx} | {ratios} | {must} | {aim} | {verdict} |",
            self.row.what
        )
    }

    fn median(&self, peer: Peer) -> Option<f64> {
        median(self.rounds[peer as usize].clone())
    }

    /// The median over the rounds of what rpd needs for each unit that the peer needs.
    fn ratio(&self, peer: Peer) -> Option<f64> {
        let rounds = self.rounds[Peer::Rpd as usize].iter().zip(&self.rounds[peer as usize]);
        median(rounds.map(|(rpd, other)| rpd / other).collect())
    }
}

/// The first lines of the table.
pub(crate) const HEAD: &str = "\
| measure | rpd | haproxy | nginx | ratio to haproxy · nginx | must | aim | reached |
|---|---|---|---|---|---|---|---|";

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

/// Three figures that count are enough.
fn digits(value: f64) -> usize {
    match value {
        100.0.. => 0,
        10.0.. => 1,
        _ => 2,
    }
}
