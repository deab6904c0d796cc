//! `show servers state` and `show backend`

use std::time::Instant;

use super::check_status::CheckStatus;
use super::state::State;
use crate::server::Snapshot;
use crate::upstream::balance::WEIGHT_OF_ONE;
use crate::upstream::{Server, Standing, Upstream};

/// The names of the upstreams.
pub(super) fn upstreams(snapshot: &Snapshot) -> String {
    let names = snapshot.upstreams.iter().map(|upstream| format!("{}\n", upstream.name()));
    format!("# name\n{}", names.collect::<String>())
}

/// How the servers stand, of one upstream or of all: version 1 of HAProxy's format, with the columns of 2.6.
pub(super) fn state(upstream: Option<&str>, snapshot: &Snapshot) -> String {
    let is_asked_for = |of: &Upstream| upstream.is_none_or(|asked| asked == of.name());
    if !snapshot.upstreams.iter().any(|upstream| is_asked_for(upstream)) {
        return "Can't find backend.\n".to_owned();
    }
    let now = Instant::now();
    let mut text = format!("1\n# {}\n", COLUMNS.join(" "));
    for (id, upstream) in with_ids(snapshot).filter(|(_, upstream)| is_asked_for(upstream)) {
        for (number, server) in (1..).zip(upstream.servers()) {
            let line = server_state(upstream, server, now);
            text.push_str(&format!("{id} {} {number} {line}\n", upstream.name()));
        }
    }
    text
}

/// The upstreams with their numbers, which follow those of the listeners.
pub(super) fn with_ids(snapshot: &Snapshot) -> impl Iterator<Item = (usize, &Upstream)> {
    (snapshot.services.len() + 1..).zip(snapshot.upstreams.iter().map(|upstream| &**upstream))
}

/// How a server of `upstream` stands, which is so `now`.
pub(super) fn state_of(upstream: &Upstream, server: &Server, standing: &Standing, now: Instant) -> State {
    let checked = upstream.check().map(|_| server.thresholds());
    let is_starting = server.effective_weight(now) < server.weight() * WEIGHT_OF_ONE;
    State::of(standing, checked, is_starting, now)
}

/// The columns from the server's name on.
fn server_state(upstream: &Upstream, server: &Server, now: Instant) -> String {
    let standing = server.standing();
    let state = state_of(upstream, server, &standing, now);
    let target = server.target();
    let (status, result) = match (upstream.check(), &standing.last_check) {
        (None, _) => (CheckStatus::Initializing, CheckResult::Unknown),
        (Some(check), report) => {
            let result = match report.as_ref().map(|report| report.result.is_ok()) {
                None => CheckResult::Unknown,
                Some(false) => CheckResult::Failed,
                Some(true) => CheckResult::Passed,
            };
            (CheckStatus::of(report.as_ref(), &check.kind), result)
        }
    };
    format!(
        "{name} {address} {operation} {admin} {weight} {initial} {since} {status} {result} {health} {check} 0 0 0 {host} \
         {port} - {tls} 0 - - 0",
        name = server.name,
        address = target.address.ip(),
        operation = state.operation as u8,
        admin = state.admin(),
        weight = server.weight(),
        initial = server.configured_weight(),
        since = now.saturating_duration_since(standing.changed).as_secs(),
        status = status as u8,
        result = result as u8,
        health = state.health(),
        check = state.check(),
        host = server.host().unwrap_or("-"),
        port = target.address.port(),
        tls = u8::from(target.connector.is_some()),
    )
}

/// HAProxy's numbers for what a check came to.
#[derive(Copy, Clone)]
enum CheckResult {
    Unknown = 0,
    Failed = 2,
    Passed = 3,
}

#[rustfmt::skip]
const COLUMNS: [&str; 25] = [
    "be_id", "be_name", "srv_id", "srv_name", "srv_addr", "srv_op_state", "srv_admin_state", "srv_uweight",
    "srv_iweight", "srv_time_since_last_change", "srv_check_status", "srv_check_result", "srv_check_health",
    "srv_check_state", "srv_agent_state", "bk_f_forced_id", "srv_f_forced_id", "srv_fqdn", "srv_port", "srvrecord",
    "srv_use_ssl", "srv_check_port", "srv_check_addr", "srv_agent_addr", "srv_agent_port",
];
