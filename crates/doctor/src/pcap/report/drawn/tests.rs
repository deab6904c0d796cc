use std::net::Ipv4Addr;
use std::sync::Arc;

use raincheck_diagnosis::evidence::{ClientHello, Connection, NewTicket, ServerHello, SessionId, Version};
use raincheck_diagnosis::session::Sessions;
use raincheck_diagnosis::{Certainty, Finding, Moment, Name, Severity, Timestamp};

use super::*;
use crate::pcap::report::graph;

/// Connections of that many clients in turn, one after the other, of which the one at `offers` offers what the one at
/// `given` was given, and was found for it.
fn incident(connections: usize, clients: usize, given: usize, offers: usize) -> Incident {
    let mut sessions = Sessions::new(1);
    for place in 0..connections {
        let at = Moment { time: Timestamp::from_nanoseconds(place as u64 * 1_000_000), packet: place as u64 };
        let client = Ipv4Addr::from_bits(0x0a00_0000 + (place % clients) as u32);
        let mut connection = Connection::new((client, 50_000).into(), ([192, 0, 2, 1], 443).into(), at, true);
        let ticket = if place == offers { &b"ticket"[..] } else { &[] };
        connection.client_hello = Some(Box::new(hello(at, ticket)));
        connection.server_hello = Some(ServerHello {
            at,
            version: Version::TLS12,
            suite: 0xc02f,
            session_id: SessionId::default(),
            ticket: true,
            psk: None,
            extended_master_secret: true,
        });
        if place == given {
            let lifetime = std::time::Duration::from_secs(60);
            connection.tickets.push(NewTicket {
                at,
                ticket: b"ticket"[..].into(),
                lifetime,
                age_add: None,
                early_data: None,
            });
        }
        sessions.add(&connection);
    }
    let found = Finding {
        name: Name::KeyRotatedAway,
        severity: Severity::Problem,
        certainty: Certainty::Inferred,
        summary: String::new(),
        evidence: Vec::new(),
        cost: String::new(),
        remedy: Vec::new(),
        peers: Vec::new(),
        connections: vec![offers],
    };
    Incident {
        graph: sessions.into_graph(),
        findings: vec![found],
        first: Timestamp::default(),
        packets: Default::default(),
        tcp: Default::default(),
        notices: Vec::new(),
    }
}

fn hello(at: Moment, ticket: &[u8]) -> ClientHello {
    ClientHello {
        at,
        random: [0; 32],
        version: Version::TLS12,
        server_name: None,
        session_id: SessionId::default(),
        ticket: Some(ticket.into()),
        psks: Box::default(),
        early_data: false,
        extended_master_secret: true,
        fallback: false,
        ticket_request: None,
        profile: Arc::default(),
    }
}

#[test]
fn of_many_connections_those_that_show_what_was_found_are_drawn_first() {
    let incident = incident(5_000, 50, 3_048, 4_998);
    let drawn = drawn(&incident);
    assert!(drawn.contains(&3_048) && drawn.contains(&4_998), "{drawn:?}");
    // All between the same peers, then others while there is room for their lanes.
    let (same, others) = drawn.iter().copied().partition::<Vec<usize>, _>(|place| place % 50 == 48);
    assert_eq!((same.len(), drawn.len()), (100, MOST_DOTS));
    assert_eq!(others, (0..5_000).filter(|place| place % 50 < 39).take(300).collect::<Vec<_>>());
}

#[test]
fn of_few_connections_all_are_drawn_and_a_line_leads_to_what_was_offered() {
    let incident = incident(120, 3, 7, 70);
    let graph = graph::of(&incident);
    assert_eq!((graph.dots.len(), graph.lanes.len(), graph.left_out), (120, 3, 0));
    assert_eq!(graph.offered.iter().map(|line| (line.given, line.offered)).collect::<Vec<_>>(), [(7, 70)]);
}

#[test]
fn lines_lead_between_those_that_are_drawn() {
    let incident = incident(5_000, 1_000, 3_048, 4_998);
    let graph = graph::of(&incident);
    assert_eq!((graph.lanes.len(), graph.left_out), (MOST_LANES, 5_000 - graph.dots.len()));
    let [line] = graph.offered[..] else { panic!("{:?}", graph.offered) };
    assert!(graph.dots[line.given].label.starts_with("packet 3048,"), "{:?}", graph.dots[line.given]);
    assert!(graph.dots[line.offered].label.starts_with("packet 4998,"), "{:?}", graph.dots[line.offered]);
}

#[test]
fn where_nothing_was_found_the_first_are_drawn() {
    let mut incident = incident(5_000, 10, 3_048, 4_998);
    incident.findings.clear();
    assert_eq!(drawn(&incident), (0..MOST_DOTS).collect());
}
