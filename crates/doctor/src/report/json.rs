//! Findings as JSON: the shape that programs rely on.

use raincheck_diagnosis::{Certainty, Finding, Severity};
use serde_json::{Value, json};

/// A finding as an object. `remedy` has a sentence for each product, which stands in front of it.
pub fn finding(finding: &Finding) -> Value {
    let Finding { name, severity, certainty, summary, evidence, cost, remedy, peers, connections: _ } = finding;
    json!({
        "name": name.as_str(),
        "severity": match severity {
            Severity::Problem => "problem",
            Severity::Note => "note",
        },
        "certainty": match certainty {
            Certainty::Seen => "seen",
            Certainty::Inferred => "inferred",
        },
        "summary": summary,
        "evidence": evidence,
        "cost": cost,
        "remedy": remedy.iter().map(|remedy| format!("{}: {}", remedy.product, remedy.change)).collect::<Vec<_>>(),
        "peers": peers.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use raincheck_diagnosis::{Name, Product, Remedy};

    use super::*;

    #[test]
    fn a_finding_has_the_fields_that_are_promised() {
        let found = Finding {
            name: Name::KeysNotShared,
            severity: Severity::Problem,
            certainty: Certainty::Inferred,
            summary: "two nodes".to_owned(),
            evidence: vec!["packet 7".to_owned()],
            cost: String::new(),
            remedy: vec![Remedy { product: Product::Nginx, change: "share the file" }],
            peers: vec!["[::1]:443".parse().unwrap()],
            connections: vec![3],
        };
        let expected = json!({
            "name": "keys-not-shared",
            "severity": "problem",
            "certainty": "inferred",
            "summary": "two nodes",
            "evidence": ["packet 7"],
            "cost": "",
            "remedy": ["nginx: share the file"],
            "peers": ["[::1]:443"],
        });
        assert_eq!(finding(&found), expected);
    }
}
