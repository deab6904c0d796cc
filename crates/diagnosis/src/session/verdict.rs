use std::net::SocketAddr;

use super::{Graph, Offered, Record};
use crate::evidence::{Answer, Close, Description, Ja4, KeyName, Kind, Version};
use crate::{Moment, Side, Sides};

/// What is to be said of a connection; `doctor pcap --json` has a list of these.
#[derive(Clone, Debug)]
pub struct Verdict<'a> {
    /// Who opened it.
    pub client: SocketAddr,
    /// Who accepted it.
    pub server: SocketAddr,
    /// When it was first seen.
    pub start: Moment,
    /// The version the server chose.
    pub version: Option<Version>,
    /// The name of the server that the client asked for.
    pub server_name: Option<&'a str>,
    /// The fingerprint of the client's ClientHello.
    pub ja4: Option<Ja4>,
    /// What was offered.
    pub offered: Offered,
    /// How the handshake went.
    pub kind: Kind,
    /// Whether a session was offered, and the handshake was full all the same.
    pub refused: Answer,
    /// Whether a ticket came inside an abbreviated handshake of TLS 1.2.
    pub renewed_inline: Answer,
    /// The name of the key that the offered ticket is sealed under.
    pub offered_key_name: Option<KeyName>,
    /// How each side ended.
    pub close: Sides<Close>,
    /// Alerts that could be read.
    pub alerts: Vec<(Side, Description)>,
}

impl<'a> Verdict<'a> {
    pub(super) fn of(graph: &'a Graph, record: &Record) -> Self {
        Self {
            client: record.client,
            server: graph.server(record),
            start: record.start,
            version: record.version,
            server_name: graph.server_name(record),
            ja4: graph.ja4(record),
            offered: record.offered,
            kind: record.kind,
            refused: record.refused(),
            renewed_inline: record.renewed_inline,
            offered_key_name: graph.offered_key_name(record),
            close: record.close,
            alerts: record.alerts().collect(),
        }
    }
}
