use std::collections::BTreeSet;

use raincheck_diagnosis::Finding;
use raincheck_diagnosis::evidence::{Answer, Kind, Version};
use raincheck_diagnosis::session::{Graph, Offered, Verdict};
use raincheck_doctor::pcap::Incident;
use raincheck_doctor::report::Paint;
use serde_json::Value;

/// What must hold of an incident, whatever was captured: each connection is among those that were diagnosed or counted,
/// findings rest on what was captured, and the reports can be read.
pub(super) fn check(incident: &Incident) {
    let Incident { graph, findings, packets, tcp, .. } = incident;
    let connections = graph.connections();
    assert_eq!(connections.len() as u64 + graph.without_tls(), tcp.connections);
    assert!(connections.is_sorted_by_key(|record| record.start));
    (0..connections.len()).for_each(|place| verdict(&graph.verdict(place), packets.packets));
    sessions(graph);
    assert!(findings.is_sorted_by_key(|finding| finding.severity));
    let clients = connections.iter().map(|record| record.client);
    let peers = clients.chain(graph.servers().iter().copied()).collect::<BTreeSet<_>>();
    for found in findings {
        assert!(found.peers.iter().all(|peer| peers.contains(peer)), "{found:?}");
        finding(found, packets.packets);
    }
    reports(incident);
}

fn verdict(verdict: &Verdict<'_>, packets: u64) {
    let Verdict { start, version, offered, kind, refused, renewed_inline, .. } = *verdict;
    assert!((1..=packets).contains(&start.packet), "{verdict:?}");
    assert!(refused != Answer::Yes || (offered != Offered::None && kind == Kind::Full), "{verdict:?}");
    assert!(!kind.is_resumed() || refused == Answer::No, "{verdict:?}");
    assert!(renewed_inline != Answer::Yes || version.is_none_or(|version| version < Version::TLS13), "{verdict:?}");
}

fn sessions(graph: &Graph) {
    for (place, session) in graph.sessions().iter().enumerate() {
        let (issues, offers) = (graph.issues(session), graph.offers(session));
        assert!(!issues.is_empty() || !offers.is_empty());
        assert!(issues.is_sorted_by_key(|issue| issue.at) && offers.is_sorted_by_key(|offer| offer.at));
        assert!(issues.iter().all(|issue| issue.connection() < graph.connections().len()));
        let offered_by = |offer: usize| graph.connections()[offer].session();
        assert!(offers.iter().all(|offer| offered_by(offer.connection) == Some(place)));
    }
}

fn finding(finding: &Finding, packets: u64) {
    let Finding { summary, evidence, remedy, peers, .. } = finding;
    assert!(!summary.is_empty() && !evidence.is_empty() && !remedy.is_empty() && !peers.is_empty(), "{finding:?}");
    for sentence in evidence.iter().chain([summary]) {
        let shown = sentence.split("packet ").skip(1).map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
        let shown = shown.map(|number| number.and_then(|number| number.parse::<u64>().ok()));
        assert!(shown.flatten().all(|packet| (1..=packets).contains(&packet)), "{packets} packets: {finding:?}");
    }
}

fn reports(incident: &Incident) {
    // What strangers say may not reach a terminal as anything but text.
    let text = incident.text("capture", Paint::PLAIN);
    assert!(text.chars().all(|character| character == '\n' || !character.is_control()), "{text:?}");
    let html = incident.html("capture");
    assert!(html.ends_with("</body>\n") && html.matches("<circle").count() <= incident.graph.connections().len());
    let mut json = Vec::new();
    incident.write_json(&mut json).expect("a Vec takes all");
    let json = serde_json::from_slice::<Value>(&json).expect("JSON");
    let length = |field: &str| json[field].as_array().map(Vec::len);
    assert_eq!(length("connections"), Some(incident.graph.connections().len()));
    assert_eq!(length("findings"), Some(incident.findings.len()));
}
