//! The keys, for whoever asks: names, states and ages, never keys.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use raincheck_keyring::{Entry, KeyState, Ring, Schedule, UnixTime};
use serde_json::{Value, json};

use super::prometheus::Exposition;
use crate::{KeySource, Keys};

/// The keys as they are now, which come `from` there. Durations are seconds.
pub fn keys_json(keys: &Keys, from: &KeySource) -> Value {
    let Schedule { rotate, accept, chain, patience } = keys.schedule();
    let ring = keys.ring();
    let entries = ring.entries().map(|entry| {
        json!({
            "name": entry.key.name().to_string(),
            "state": entry.state.as_str(),
            "age": key_age(entry).as_secs_f64(),
            "epoch": entry.born.to_string(),
        })
    });
    json!({
        "source": keys.source_name(),
        "from": from.place(),
        "standing": keys.standing().borrow().as_str(),
        "epoch": ring.epoch().to_string(),
        "schedule": {
            "rotate": rotate.as_secs_f64(),
            "accept": accept.as_secs_f64(),
            "chain": chain.as_secs_f64(),
            "patience": patience.as_secs_f64(),
        },
        "ring": entries.collect::<Vec<_>>(),
    })
}

/// How many keys of a ring are in which state, for `/metrics`.
pub fn describe_ring(page: &mut Exposition, ring: &Ring) {
    let mut states = page.gauge("raincheck_ticket_keys", "Ticket keys in the ring.");
    for state in KeyState::ALL {
        states.sample(&[("state", state.as_str())], ring.entries().filter(|entry| entry.state == state).count());
    }
}

/// The nodes that are served from here, and what each has of the ring.
pub fn nodes_json(keys: &Keys) -> Value {
    let epoch = keys.ring().epoch();
    let nodes = keys.members().into_iter().map(|member| {
        json!({
            "name": member.node.as_str(),
            "epoch": member.holding.epoch.to_string(),
            "lapsed": member.holding.lapsed,
            "lacking": member.holding.epoch < epoch,
        })
    });
    nodes.collect()
}

/// How long a key has been in its state.
pub fn key_age(entry: &Entry) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixTime::from_millis(u64::try_from(now.as_millis()).unwrap_or(u64::MAX)).since(entry.since)
}
