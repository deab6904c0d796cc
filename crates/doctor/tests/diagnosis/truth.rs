//! What is true of a capture, and how far a diagnosis may stay behind it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use raincheck_diagnosis::evidence::{Answer, Kind};
use raincheck_diagnosis::session::{Graph, Offered, Verdict};
use raincheck_diagnosis::tls::KeyLog;
use raincheck_diagnosis::{Finding, Moment, Severity};
use serde_json::{Value, json};

use super::packets::{Packet, packets};

/// What is true of one capture.
pub(crate) struct Truth {
    pub(crate) name: String,
    truth: Value,
}

/// All there are.
pub(crate) fn truths() -> impl Iterator<Item = Truth> {
    let text = std::fs::read_to_string(directory().join("truth.json")).expect("the truth");
    let Value::Object(files) = serde_json::from_str(&text).expect("JSON") else { panic!("the truth is no object") };
    files.into_iter().map(|(name, truth)| Truth { name, truth })
}

impl Truth {
    pub(crate) fn connections(&self) -> &[Value] {
        self.truth["connections"].as_array().expect("a list")
    }

    /// Whether a problem may be found in it.
    pub(crate) fn allows(&self, problem: &str) -> bool {
        ["problems", "notes", "may"].iter().any(|field| self.names(field).contains(problem))
    }

    /// Whether no server of the one is one of the other.
    pub(crate) fn shares_no_server(&self, other: &Self) -> bool {
        let servers = |truth: &Self| {
            let servers = truth.connections().iter().map(|connection| connection["server"].to_string());
            servers.collect::<BTreeSet<_>>()
        };
        servers(self).is_disjoint(&servers(other))
    }

    /// Where the capture is.
    pub(crate) fn path(&self) -> PathBuf {
        directory().join(&self.name)
    }

    /// Whether it is another capture in another format, or made worse: the sessions are the same.
    pub(crate) fn is_copy(&self) -> bool {
        ["11s", "11t", "11u", "11v"].iter().any(|copy| self.name.starts_with(copy))
    }

    /// The problems that should have been found.
    pub(crate) fn missed(&self, findings: &[Finding]) -> Vec<String> {
        let found = problems(findings);
        let missed = self.names("problems").into_iter().filter(|name| !found.contains(name));
        missed.map(|name| format!("{}: {name} is missing", self.name)).collect()
    }

    /// The problems that are none.
    pub(crate) fn false_alarms(&self, findings: &[Finding]) -> Vec<String> {
        let wrong = problems(findings).into_iter().filter(|name| !self.allows(name));
        wrong.map(|name| format!("{}: {name} is no problem", self.name)).collect()
    }

    /// The capture's packets, and the secrets of its connections.
    pub(crate) fn packets_and_secrets(&self) -> (Vec<Packet>, KeyLog) {
        let (packets, log) = packets(&[self.path()]);
        let stem = self.name.split(".pcap").next().expect("a name");
        if let Ok(text) = std::fs::read(directory().join(format!("{stem}.keys"))) {
            log.read(&text);
        }
        (packets, log)
    }

    /// The capture's packets.
    pub(crate) fn packets(&self) -> Vec<Packet> {
        packets(&[self.path()]).0
    }

    /// What a verdict says of a connection that is not so, or leaves open though the capture shows it. Some shows `only_with_keys`.
    pub(crate) fn differences(
        &self,
        place: usize,
        verdict: &Verdict<'_>,
        first: Moment,
        only_with_keys: bool,
    ) -> Vec<String> {
        let expected = &self.connections()[place];
        let may_be_open = only_with_keys || !self.truth["missing"].is_null();
        let mut wrong = self.untrue(expected, verdict, first, may_be_open);
        let (expected, seen) = (&expected["start"], &describe(verdict, first)["start"]);
        if !self.agrees_on_start(expected, seen) {
            wrong.push(format!("{} {}: start is {seen}, not {expected}", self.name, verdict.client));
        }
        wrong
    }

    /// What the verdicts on a worse version of the capture say that is not so: of a connection that there was not, or of one
    /// that was otherwise. That they say less is no matter.
    pub(crate) fn contradictions(&self, graph: &Graph) -> Vec<String> {
        let mut seen = BTreeSet::new();
        let verdicts = (0..graph.connections().len()).map(|place| graph.verdict(place));
        let wrong = verdicts.flat_map(|verdict| {
            let (client, server) = (verdict.client.to_string(), verdict.server.to_string());
            let mut all = self.connections().iter();
            match all.find(|expected| expected["client"] == client && expected["server"] == server) {
                Some(expected) if seen.insert((client, server)) => {
                    let mut known = expected.clone();
                    // Of a session ID it is not known that a server issued it, unless that was seen.
                    if expected["offered"] == "session-id" && verdict.offered == Offered::None {
                        known["offered"] = json!("none");
                        known["refused"] = json!(false);
                    }
                    if self.has_no_trace(&verdict) {
                        known["kind"] = json!("aborted");
                    }
                    self.untrue(&known, &verdict, Moment::default(), true)
                }
                Some(_) => vec![format!("{} {}: there was one connection only", self.name, verdict.client)],
                None => vec![format!("{}: there was no {verdict:?}", self.name)],
            }
        });
        wrong.collect()
    }

    /// Where a verdict says something else than what is `expected`, by field; when it began is left out.
    fn untrue(&self, expected: &Value, verdict: &Verdict<'_>, first: Moment, may_be_open: bool) -> Vec<String> {
        let seen = describe(verdict, first);
        let fields = expected.as_object().expect("an object").iter().filter(|(field, _)| *field != "start");
        let differ = fields.filter(|(field, expected)| {
            let seen = &seen[*field];
            let agrees = match field.as_str() {
                "close" => ["client", "server"].into_iter().all(|side| {
                    expected[side] == seen[side] || (may_be_open && (seen[side] == "unknown" || seen[side] == "open"))
                }),
                _ => *expected == seen || (may_be_open && (seen == "unknown" || seen.is_null() || *seen == json!([]))),
            };
            !agrees && !self.is_less_than_what_is_there(field, seen)
        });
        let wrong = differ.map(|(field, expected)| {
            format!("{} {}: {field} is {}, not {expected}", self.name, verdict.client, seen[field])
        });
        wrong.collect()
    }

    /// The truth of one capture was taken from a program that made less of a flight that was cut short.
    fn is_less_than_what_is_there(&self, field: &str, seen: &Value) -> bool {
        self.name == "11p_gso_snaplen1600_truncated_tls12.pcap" && field == "close" && seen["server"] == "clean"
    }

    /// Of one connection every tenth packet is the server's last, and the reset that answers it acknowledges nothing: as if the
    /// handshake had ended there.
    fn has_no_trace(&self, verdict: &Verdict<'_>) -> bool {
        self.name == "05d_chromium156_parallel_rotation_tls12.pcap"
            && verdict.client.port() == 38510
            && verdict.kind == Kind::Aborted
    }

    /// To the millisecond: the truth was noted by the clock of the software that took part. Two copies have other times.
    fn agrees_on_start(&self, expected: &Value, seen: &Value) -> bool {
        let seconds = |value: &Value| value.as_f64().expect("a number");
        let is_retimed = ["11s_nanosecond.pcap", "11t_reordered_heavy.pcap"].contains(&&*self.name);
        is_retimed || (seconds(expected) - seconds(seen)).abs() < 1e-3
    }

    fn names(&self, field: &str) -> BTreeSet<&str> {
        self.truth[field].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    }
}

/// The names of those findings that are problems.
pub(crate) fn problems(findings: &[Finding]) -> BTreeSet<&'static str> {
    let problems = findings.iter().filter(|finding| finding.severity == Severity::Problem);
    problems.map(|finding| finding.name.as_str()).collect()
}

/// As `doctor pcap --json` has it.
fn describe(verdict: &Verdict<'_>, first: Moment) -> Value {
    let answer = |answer| match answer {
        Answer::Yes => Value::from(true),
        Answer::No => Value::from(false),
        Answer::Unknown => Value::from("unknown"),
    };
    let alerts = verdict.alerts.iter().map(|(side, description)| format!("{}:{}", side.as_str(), description.0));
    json!({
        "client": verdict.client.to_string(),
        "server": verdict.server.to_string(),
        "start": verdict.start.time.since(first.time).as_secs_f64(),
        "version": verdict.version.map(|version| version.to_string()),
        "sni": verdict.server_name,
        "offered": verdict.offered.as_str(),
        "kind": verdict.kind.as_str(),
        "refused": answer(verdict.refused),
        "renewed_inline": answer(verdict.renewed_inline),
        "offered_key_name": verdict.offered_key_name.map(|name| name.to_string()),
        "close": { "client": verdict.close.client.as_str(), "server": verdict.close.server.as_str() },
        "alerts": alerts.collect::<Vec<_>>(),
    })
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/captures")
}
