//! The last lines of the log.

use axum::{
    Json,
    extract::{Query, rejection::QueryRejection},
};
use serde::Serialize;

use super::{answer::No, requests::Last};
use crate::{
    guard::time_text,
    logging::kept::{self, lines},
};

#[derive(Serialize)]
pub(super) struct Line {
    time: String,
    level: &'static str,
    text: String,
}

impl From<&kept::Line> for Line {
    fn from(line: &kept::Line) -> Self {
        Self { time: time_text(line.time), level: line.level.as_str(), text: line.text.clone() }
    }
}

/// `GET log`: the newest last.
pub(super) async fn log(wanted: Result<Query<Last>, QueryRejection>) -> Result<Json<Vec<Line>>, No> {
    let Query(wanted) = wanted?;
    Ok(Json(lines().last(wanted.limit).iter().map(|line| Line::from(&**line)).collect()))
}
