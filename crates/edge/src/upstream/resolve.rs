//! Looks up the names of servers again and again: they move.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::time::sleep;

use super::Server;
use crate::notice::{Notice, Notices};

/// Follows the name of `server` of `upstream` for ever. While its address is among those found, it stays where it is; a
/// name that is not found, for a while, changes nothing.
pub(super) async fn follow(server: Arc<Server>, host: String, upstream: String, every: Duration, notices: Notices) {
    loop {
        sleep(every).await;
        let before = server.address();
        if let Ok(found) = lookup_host((host.as_str(), before.port())).await {
            // As at the start: IPv4 first.
            let (v4, v6): (Vec<_>, Vec<_>) = found.partition(|address| address.is_ipv4());
            if server.moved(&[v4, v6].concat()) {
                notices.tell(Notice::ServerMoved {
                    upstream: upstream.clone(),
                    server: server.name.clone(),
                    address: server.address(),
                });
            }
        }
    }
}
