use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use super::{Graph, Record};
use crate::evidence::{Answer, Close, Ja4, KeyName, Kind, Version};
use crate::{Moment, Sides};

/// What became of the connections of one server, or one client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// All of them.
    pub connections: u64,
    /// How many went how.
    pub kinds: BTreeMap<Kind, u64>,
    /// How many of those that were full had been offered a session.
    pub refused: u64,
    /// How many tickets were renewed inline.
    pub renewed_inline: u64,
    /// How many were made in each version.
    pub versions: BTreeMap<Version, u64>,
    /// How each side ended them.
    pub closes: Sides<BTreeMap<Close, u64>>,
    /// How many ClientHellos had each fingerprint.
    pub ja4s: BTreeMap<Ja4, u64>,
    /// The keys of the tickets that were issued or offered, as far as those could be read, first seen first.
    pub keys: Vec<KeyUse>,
}

/// A ticket key, and when tickets sealed under it were seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyUse {
    /// Its name.
    pub name: KeyName,
    /// When a ticket was first seen.
    pub first: Moment,
    /// When one was last.
    pub last: Moment,
    /// How often any was issued or offered.
    pub times: u64,
}

impl Summary {
    /// How many sessions were resumed.
    pub fn resumed(&self) -> u64 {
        self.kinds.iter().filter(|(kind, _)| kind.is_resumed()).map(|(_, count)| count).sum()
    }

    /// How many handshakes went as `kind` says.
    pub fn count(&self, kind: Kind) -> u64 {
        self.kinds.get(&kind).copied().unwrap_or_default()
    }

    fn add(&mut self, record: &Record, ja4: Option<Ja4>) {
        self.connections += 1;
        *self.kinds.entry(record.kind).or_default() += 1;
        self.refused += u64::from(record.refused() == Answer::Yes);
        self.renewed_inline += u64::from(record.renewed_inline == Answer::Yes);
        if let Some(version) = record.version {
            *self.versions.entry(version).or_default() += 1;
        }
        *self.closes.client.entry(record.close.client).or_default() += 1;
        *self.closes.server.entry(record.close.server).or_default() += 1;
        if let Some(ja4) = ja4 {
            *self.ja4s.entry(ja4).or_default() += 1;
        }
    }
}

impl Graph {
    /// The connections of each server, summed up.
    pub fn by_server(&self) -> BTreeMap<SocketAddr, Summary> {
        self.summaries(|record| self.server(record))
    }

    /// The connections of each client, by its address, summed up.
    pub fn by_client(&self) -> BTreeMap<IpAddr, Summary> {
        self.summaries(|record| record.client.ip())
    }

    fn summaries<P: Copy + Ord>(&self, peer: impl Fn(&Record) -> P) -> BTreeMap<P, Summary> {
        let mut summaries = BTreeMap::<P, Summary>::new();
        for record in self.connections() {
            summaries.entry(peer(record)).or_default().add(record, self.ja4(record));
        }
        let mut uses = BTreeMap::<(P, KeyName), KeyUse>::new();
        for session in self.sessions() {
            let Some(name) = session.key.map(|key| self.key_name(key)) else { continue };
            let issues = self.issues(session).iter().map(|issue| (issue.at, issue.connection()));
            let offers = self.offers(session).iter().map(|offer| (offer.at, offer.connection));
            for (at, connection) in issues.chain(offers) {
                let peer = peer(&self.connections()[connection]);
                let fresh = KeyUse { name, first: at, last: at, times: 0 };
                let used = uses.entry((peer, name)).or_insert(fresh);
                used.first = used.first.min(at);
                used.last = used.last.max(at);
                used.times += 1;
            }
        }
        for ((peer, _), used) in uses {
            summaries.entry(peer).or_default().keys.push(used);
        }
        summaries.values_mut().for_each(|summary| summary.keys.sort_by_key(|used| used.first));
        summaries
    }
}
