//! Captures of real software (`testdata/captures/`), read and diagnosed, beside what is true of them.

mod packets;
mod rewritten;
mod truth;
mod wireshark;
mod worse;

use raincheck_diagnosis::session::Graph;
use raincheck_diagnosis::{Severity, diagnose};

use packets::{Packet, graph, graph_with};
use truth::{Truth, truths};

#[test]
fn connections_are_what_they_were() {
    let wrong = truths().flat_map(|truth| {
        let (packets, log) = truth.packets_and_secrets();
        let without = differences(&truth, &packets, &graph(&packets), true);
        let with = differences(&truth, &packets, &graph_with(&packets, &log), false);
        without.into_iter().chain(with).collect::<Vec<_>>()
    });
    assert_none(wrong);
}

fn differences(truth: &Truth, packets: &[Packet], graph: &Graph, only_with_keys: bool) -> Vec<String> {
    let first = packets[0].at();
    assert_eq!(graph.connections().len(), truth.connections().len(), "{}", truth.name);
    let places = 0..truth.connections().len();
    places.flat_map(|place| truth.differences(place, &graph.verdict(place), first, only_with_keys)).collect()
}

#[test]
fn problems_are_those_that_there_are_and_no_others() {
    let wrong = truths().flat_map(|truth| {
        let (packets, log) = truth.packets_and_secrets();
        let judged = [("without", graph(&packets)), ("with", graph_with(&packets, &log))].map(|(keys, graph)| {
            let findings = diagnose::capture(&graph);
            let wrong = truth.missed(&findings).into_iter().chain(truth.false_alarms(&findings));
            wrong.map(move |what| format!("{what}, {keys} keys")).collect::<Vec<_>>()
        });
        judged.concat()
    });
    assert_none(wrong);
}

#[test]
fn findings_say_who_what_it_costs_and_what_to_do() {
    for truth in truths() {
        for finding in diagnose::capture(&graph(&truth.packets())) {
            let Truth { name, .. } = &truth;
            assert!(!finding.summary.is_empty() && !finding.remedy.is_empty(), "{name}: {finding:?}");
            assert!(!finding.evidence.is_empty() && !finding.peers.is_empty(), "{name}: {finding:?}");
            assert!(!finding.connections.is_empty(), "{name}: {finding:?}");
            let is_problem = finding.severity == Severity::Problem;
            assert!(!is_problem || !finding.cost.is_empty(), "{name}: {finding:?}");
        }
    }
}

/// A capture that lost packets shows less, and nothing that is not so.
#[test]
fn worse_captures_raise_no_false_alarm() {
    let wrong = truths().flat_map(|truth| {
        let whole = truth.packets();
        let judged = worse::versions(&whole).into_iter().flat_map(|(how, packets)| {
            let findings = diagnose::capture(&graph(&packets));
            truth.false_alarms(&findings).into_iter().map(move |what| format!("{how}: {what}"))
        });
        judged.collect::<Vec<_>>()
    });
    assert_none(wrong);
}

/// What one server does is no matter of another's: all captures as one, each with addresses of its own.
#[test]
fn captures_that_are_merged_are_diagnosed_alike() {
    let truths = truths().filter(|truth| !truth.is_copy()).collect::<Vec<_>>();
    let moved = (1_u16..).zip(&truths).flat_map(|(network, truth)| worse::moved(&truth.packets(), network));
    let mut all = moved.collect::<Vec<_>>();
    all.sort_by_key(|packet| packet.at().time);
    let findings = diagnose::capture(&graph(&all));
    let wrong = (1_u16..).zip(&truths).flat_map(|(network, truth)| {
        let own = findings.iter().filter(|finding| finding.peers.iter().all(|peer| worse::is_in(peer, network)));
        let own = own.cloned().collect::<Vec<_>>();
        truth.false_alarms(&own).into_iter().chain(truth.missed(&own)).collect::<Vec<_>>()
    });
    assert_none(wrong);
}

fn assert_none(wrong: impl Iterator<Item = String>) {
    let wrong = wrong.collect::<Vec<_>>();
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}
