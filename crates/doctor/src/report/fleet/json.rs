//! A fleet as JSON: the shape that programs rely on.

use raincheck_diagnosis::diagnose::fleet::{Cell, Why};
use raincheck_diagnosis::evidence::{Gives, Node, Way};
use serde_json::{Map, Value, json};

use super::FleetReport;
use crate::report::finding_json;

/// `findings`, `nodes`, `groups` and `table`. Nodes go by their addresses.
pub(super) fn object(report: &FleetReport) -> Value {
    let address = |node: usize| report.fleet.nodes[node].address.to_string();
    let groups: Vec<Vec<String>> =
        report.diagnosis.groups.iter().map(|group| group.iter().map(|&node| address(node)).collect()).collect();
    let nodes = 0..report.fleet.nodes.len();
    let table = Way::ALL.into_iter().flat_map(|way| {
        let nodes = nodes.clone();
        nodes.clone().flat_map(move |issuer| nodes.clone().map(move |asked| (way, issuer, asked)))
    });
    json!({
        "findings": report.findings().iter().map(finding_json).collect::<Vec<_>>(),
        "nodes": nodes.clone().map(|index| node(report, index)).collect::<Vec<_>>(),
        "groups": groups,
        "table": table.map(|(way, issuer, asked)| cell(report, way, issuer, asked)).collect::<Vec<_>>(),
        "absent": report.absent,
    })
}

/// `group` is the place of its group, or null; `failure` says why it was not asked to the end, or is null.
fn node(report: &FleetReport, index: usize) -> Value {
    let Node { name, address, key_names, .. } = &report.fleet.nodes[index];
    let node = &report.fleet.nodes[index];
    let ways: Map<String, Value> = Way::ALL
        .into_iter()
        .map(|way| {
            let names = &key_names[way];
            let names: Vec<String> =
                if names.repeat() { names.names().iter().map(ToString::to_string).collect() } else { Vec::new() };
            (way.as_str().to_owned(), json!({ "gives": gives(&node.gives[way]), "key_names": names }))
        })
        .collect();
    json!({
        "name": name,
        "address": address.to_string(),
        "group": report.group(index),
        "ways": ways,
        "failure": super::unasked(node).map(ToString::to_string),
    })
}

fn gives(gives: &Gives) -> &'static str {
    match gives {
        Gives::Sessions => "sessions",
        Gives::Nothing => "nothing",
        Gives::NotSpoken => "not-spoken",
        Gives::Unknown(_) | Gives::NothingSaid | Gives::NotAsked => "unknown",
    }
}

/// `result` of a pair, with `why` it was refused, as far as that can be told.
fn cell(report: &FleetReport, way: Way, issuer: usize, asked: usize) -> Value {
    let cell = report.cell(way, issuer, asked);
    let why = match cell {
        Cell::Refused(why) => Some(match why {
            Why::NotEvenItsOwn => "not-even-its-own".to_owned(),
            Why::OtherSuite => "other-suite".to_owned(),
            Why::OtherKey => "other-key".to_owned(),
            Why::OtherCertificate => "other-certificate".to_owned(),
            Why::OtherContext => "other-context".to_owned(),
            Why::Unknown => "unknown".to_owned(),
        }),
        Cell::Unknown(failure) => failure.as_ref().map(ToString::to_string),
        _ => None,
    };
    let result = match cell {
        Cell::NotAsked => "not-asked",
        Cell::Resumed => "resumed",
        Cell::Refused(_) => "refused",
        Cell::ResumedLater => "resumed-later",
        Cell::RefusedLater => "refused-later",
        Cell::AtTimes => "at-times",
        Cell::Unknown(_) => "unknown",
    };
    json!({
        "way": way.as_str(),
        "issuer": report.fleet.nodes[issuer].address.to_string(),
        "asked": report.fleet.nodes[asked].address.to_string(),
        "result": result,
        "why": why,
    })
}
