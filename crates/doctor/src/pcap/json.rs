//! What programs get: the shape that is promised.

use std::io;

use raincheck_diagnosis::evidence::{Answer, Ja4};
use raincheck_diagnosis::session::Verdict;
use raincheck_diagnosis::{Sides, Timestamp};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::json;

use super::Incident;
use crate::report::finding_json;

impl Incident {
    /// Writes the incident as an object on a line, connection by connection.
    pub fn write_json(&self, mut out: impl io::Write) -> io::Result<()> {
        serde_json::to_writer(&mut out, self)?;
        out.write_all(b"\n")?;
        out.flush()
    }
}

impl Serialize for Incident {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let findings = self.findings.iter().map(finding_json).collect::<Vec<_>>();
        let skipped = self.packets.skipped;
        let capture = json!({
            "packets": self.packets.packets,
            "segments": self.packets.segments,
            "incomplete": self.packets.incomplete,
            "skipped": {
                "not_tcp": skipped.not_tcp,
                "fragments": skipped.fragments,
                "cut": skipped.cut,
                "malformed": skipped.malformed,
                "unknown_link": skipped.unknown_link,
            },
            "unanswered": self.tcp.unanswered,
            "without_tls": self.graph.without_tls(),
            "notices": self.notices,
        });
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("findings", &findings)?;
        map.serialize_entry("capture", &capture)?;
        map.serialize_entry("connections", &List(self))?;
        map.end()
    }
}

struct List<'a>(&'a Incident);

impl Serialize for List<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(incident) = self;
        let connections = 0..incident.graph.connections().len();
        serializer.collect_seq(
            connections.map(|place| Line { verdict: incident.graph.verdict(place), first: incident.first }),
        )
    }
}

struct Line<'a> {
    verdict: Verdict<'a>,
    first: Timestamp,
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { verdict, first } = self;
        let mut map = serializer.serialize_map(Some(13))?;
        map.serialize_entry("client", &verdict.client)?;
        map.serialize_entry("server", &verdict.server)?;
        map.serialize_entry("start", &seconds(verdict.start.time, *first))?;
        map.serialize_entry("version", &verdict.version.map(|version| version.to_string()))?;
        map.serialize_entry("sni", &verdict.server_name)?;
        map.serialize_entry("ja4", &verdict.ja4.as_ref().map(Ja4::as_str))?;
        map.serialize_entry("offered", verdict.offered.as_str())?;
        map.serialize_entry("kind", verdict.kind.as_str())?;
        map.serialize_entry("refused", &answer(verdict.refused))?;
        map.serialize_entry("renewed_inline", &answer(verdict.renewed_inline))?;
        map.serialize_entry("offered_key_name", &verdict.offered_key_name.map(|name| name.to_string()))?;
        let Sides { client, server } = verdict.close;
        map.serialize_entry("close", &json!({ "client": client.as_str(), "server": server.as_str() }))?;
        let alerts = verdict.alerts.iter().map(|(by, description)| format!("{}:{}", by.as_str(), description.0));
        map.serialize_entry("alerts", &alerts.collect::<Vec<_>>())?;
        map.end()
    }
}

/// Seconds to the microsecond, which is as exact as most captures are.
fn seconds(time: Timestamp, first: Timestamp) -> f64 {
    (time.since(first).as_secs_f64() * 1e6).round() / 1e6
}

fn answer(answer: Answer) -> serde_json::Value {
    match answer {
        Answer::Yes => true.into(),
        Answer::No => false.into(),
        Answer::Unknown => "unknown".into(),
    }
}
