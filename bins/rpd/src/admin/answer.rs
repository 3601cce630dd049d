//! Answers that say no: what is wrong, in a word for programs and a sentence for people.

use axum::{
    Json,
    extract::rejection::{JsonRejection, PathRejection, QueryRejection},
    http::{StatusCode, Uri},
    response::{IntoResponse, Response},
};
use rp_guard::{NetworkError, Refused};
use serde_json::json;

/// A refusal of the administration.
#[derive(Debug)]
pub(super) struct No {
    status: StatusCode,
    message: String,
}

impl No {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    pub(super) fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub(super) fn message(&self) -> &str {
        &self.message
    }
}

impl IntoResponse for No {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "error": self.message }))).into_response()
    }
}

impl From<Refused> for No {
    fn from(refused: Refused) -> Self {
        let status = match refused {
            Refused::Unknown(_) => StatusCode::NOT_FOUND,
            Refused::CommentTooLong(_) => StatusCode::BAD_REQUEST,
            _ => StatusCode::CONFLICT,
        };
        Self::new(status, refused.to_string())
    }
}

impl From<NetworkError> for No {
    fn from(error: NetworkError) -> Self {
        Self::bad(error.to_string())
    }
}

impl From<JsonRejection> for No {
    fn from(rejection: JsonRejection) -> Self {
        Self::new(rejection.status(), rejection.body_text())
    }
}

impl From<PathRejection> for No {
    fn from(rejection: PathRejection) -> Self {
        Self::new(rejection.status(), rejection.body_text())
    }
}

impl From<QueryRejection> for No {
    fn from(rejection: QueryRejection) -> Self {
        Self::new(rejection.status(), rejection.body_text())
    }
}

pub(super) async fn unknown_path(uri: Uri) -> No {
    No::new(StatusCode::NOT_FOUND, format!("there is no {}", uri.path()))
}

pub(super) async fn wrong_method(uri: Uri) -> No {
    No::new(StatusCode::METHOD_NOT_ALLOWED, format!("{} is not asked for in this way", uri.path()))
}
