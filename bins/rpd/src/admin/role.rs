//! What somebody may do here.

use axum::{
    extract::{ConnectInfo, Request, State},
    http::StatusCode,
    middleware::Next,
    response::Response,
};

use super::{Peer, answer::No};
use crate::config::Role;

/// Lets a request through if its sender may do what this group of paths is for.
pub(super) async fn check(
    State(wanted): State<Role>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    request: Request,
    next: Next,
) -> Result<Response, No> {
    require(wanted, &peer)?;
    Ok(next.run(request).await)
}

fn require(wanted: Role, peer: &Peer) -> Result<(), No> {
    if peer.role >= wanted {
        return Ok(());
    }
    let words = match wanted {
        Role::Read => "look",
        Role::Operate => "change the lists or close connections: that needs the role operate",
        Role::Admin => "do this: it needs the role admin",
    };
    Err(No::new(StatusCode::FORBIDDEN, format!("{} may not {words}", peer.name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_more_may_also_less() {
        let may =
            |role, wanted| require(wanted, &Peer { name: "anna".to_owned(), role, address: None }).is_ok();
        let all = [Role::Read, Role::Operate, Role::Admin];
        let table = all.map(|role| all.map(|wanted| may(role, wanted)));
        assert_eq!(table, [[true, false, false], [true, true, false], [true, true, true]]);
    }
}
