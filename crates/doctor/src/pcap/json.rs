//! What programs get: the shape that is promised.

use std::fmt::Display;
use std::io;
use std::net::SocketAddr;

use raincheck_diagnosis::evidence::{Answer, Description, Ja4, KeyName, Version};
use raincheck_diagnosis::session::Verdict;
use raincheck_diagnosis::{Side, Timestamp};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
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
        let Self(Incident { graph, first, .. }) = self;
        // There are few, and millions of connections to them.
        let servers = graph.servers().iter().map(ToString::to_string).collect::<Vec<_>>();
        let records = graph.connections().iter().enumerate();
        serializer.collect_seq(records.map(|(place, record)| Listed {
            verdict: graph.verdict(place),
            server: &servers[record.server as usize],
            first: *first,
        }))
    }
}

struct Listed<'a> {
    verdict: Verdict<'a>,
    server: &'a str,
    first: Timestamp,
}

impl Serialize for Listed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { verdict, server, first } = self;
        let line = Line {
            client: Address(verdict.client),
            server,
            start: seconds(verdict.start.time, *first),
            version: verdict.version.map(Shown),
            sni: verdict.server_name,
            ja4: verdict.ja4.as_ref().map(Ja4::as_str),
            offered: verdict.offered.as_str(),
            kind: verdict.kind.as_str(),
            refused: Answered(verdict.refused),
            renewed_inline: Answered(verdict.renewed_inline),
            offered_key_name: verdict.offered_key_name.map(Shown),
            close: Closes { client: verdict.close.client.as_str(), server: verdict.close.server.as_str() },
            alerts: Alerts(&verdict.alerts),
        };
        line.serialize(serializer)
    }
}

/// A connection. There may be millions: but for alerts, which are rare, none of it is made into a `String` first.
#[derive(Serialize)]
struct Line<'a> {
    client: Address,
    server: &'a str,
    start: f64,
    version: Option<Shown<Version>>,
    sni: Option<&'a str>,
    ja4: Option<&'a str>,
    offered: &'static str,
    kind: &'static str,
    refused: Answered,
    renewed_inline: Answered,
    offered_key_name: Option<Shown<KeyName>>,
    close: Closes,
    alerts: Alerts<'a>,
}

#[derive(Serialize)]
struct Closes {
    client: &'static str,
    server: &'static str,
}

/// An address as it is shown. What shows IPv4's in the standard library costs as much as all else in a line.
struct Address(SocketAddr);

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let SocketAddr::V4(address) = self.0 else { return serializer.collect_str(&self.0) };
        let mut text = Text::default();
        for (place, octet) in address.ip().octets().into_iter().enumerate() {
            if place > 0 {
                text.push(b'.');
            }
            text.push_number(octet.into());
        }
        text.push(b':');
        text.push_number(address.port());
        serializer.serialize_str(text.as_str())
    }
}

/// As much text as an address of IPv4 has, with its port.
#[derive(Default)]
struct Text {
    bytes: [u8; 21],
    length: usize,
}

impl Text {
    fn push_number(&mut self, number: u16) {
        if number >= 10 {
            self.push_number(number / 10);
        }
        self.push(b'0' + (number % 10) as u8);
    }

    fn push(&mut self, byte: u8) {
        self.bytes[self.length] = byte;
        self.length += 1;
    }

    fn as_str(&self) -> &str {
        str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

/// What is written as people see it.
struct Shown<T>(T);

impl<T: Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// As `client:46`.
struct Alerts<'a>(&'a [(Side, Description)]);

impl Serialize for Alerts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|(by, description)| format!("{}:{}", by.as_str(), description.0)))
    }
}

struct Answered(Answer);

impl Serialize for Answered {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Answer::Yes => serializer.serialize_bool(true),
            Answer::No => serializer.serialize_bool(false),
            Answer::Unknown => serializer.serialize_str("unknown"),
        }
    }
}

/// Seconds to the microsecond, which is as exact as most captures are.
fn seconds(time: Timestamp, first: Timestamp) -> f64 {
    (time.since(first).as_secs_f64() * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_the_standard_library_shows_them() {
        for address in
            ["0.0.0.0:0", "10.0.0.5:50001", "255.255.255.255:65535", "[::1]:443", "[fe80::1%3]:9", "100.20.3.9:10"]
        {
            let address = address.parse::<SocketAddr>().unwrap();
            assert_eq!(json!(Address(address)), json!(address.to_string()));
        }
    }
}
