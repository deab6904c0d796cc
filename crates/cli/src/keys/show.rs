//! `raincheck keys show`

use std::io::Write;
use std::time::Duration;

use clap::Args;
use raincheck_edge::config::duration::show;
use serde_json::{Map, Value};

use super::admin::Admin;
use crate::failure::Failure;

/// Show the ring of a running edge or server of keys, and which node has what; never a secret
#[derive(Debug, Args)]
pub(crate) struct Show {
    #[command(flatten)]
    admin: Admin,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Show {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let answer = self.admin.ask("GET /status.json HTTP/1.1")?;
        let status: Option<Value> = serde_json::from_str(&answer.body).ok();
        let status = status.filter(|status| answer.status == 200 && status["keys"]["ring"].is_array());
        let status = status.ok_or_else(|| self.admin.is_no_raincheck())?;
        let text = if self.json { json(&status) } else { table(&status) };
        std::io::stdout().write_all(text.as_bytes())?;
        Ok(())
    }
}

/// `keys` of the status; for whoever makes the keys of others with what it is, and its nodes.
fn json(status: &Value) -> String {
    let mut shown = status["keys"].as_object().cloned().unwrap_or_else(Map::new);
    for field in ["role", "nodes"] {
        if let Some(value) = status.get(field).filter(|value| !value.is_null()) {
            shown.insert(field.to_owned(), value.clone());
        }
    }
    format!("{}\n", Value::from(shown))
}

fn table(status: &Value) -> String {
    let keys = &status["keys"];
    let mut text = format!("epoch {}, {}\n", said(&keys["epoch"]), origin(status));
    text += &format!("{:32}  {:8}  {:>9}  {}\n", "key", "state", "for", "epoch");
    for key in keys["ring"].as_array().into_iter().flatten() {
        let age = Duration::from_secs(key["age"].as_f64().unwrap_or_default() as u64);
        let (name, state, epoch) = (said(&key["name"]), said(&key["state"]), said(&key["epoch"]));
        text += &format!("{name:32}  {state:8}  {:>9}  {epoch}\n", show(age));
    }
    let Some(nodes) = status["nodes"].as_array() else { return text };
    let widest = nodes.iter().map(|node| said(&node["name"]).len()).max().unwrap_or_default().max("node".len());
    match nodes.is_empty() {
        true => text += "\nno node has asked for it\n",
        false => text += &format!("\n{:widest$}  {:8}  {}\n", "node", "has", "state"),
    }
    for node in nodes {
        let state = match (node["lacking"] == true, node["lapsed"] == true) {
            (false, false) => "has the next key",
            (true, false) => "lacks the next key",
            (false, true) => "has the next key; not heard of for long",
            (true, true) => "lacks the next key; not heard of for long",
        };
        text += &format!("{:widest$}  {:8}  {state}\n", said(&node["name"]), said(&node["epoch"]));
    }
    text
}

/// Where the keys come from, and how they stand.
fn origin(status: &Value) -> String {
    let keys = &status["keys"];
    let from = keys["from"].as_str().unwrap_or("the source");
    let every = show(Duration::from_secs_f64(keys["schedule"]["rotate"].as_f64().unwrap_or_default()));
    let made = match (said(&keys["source"]), said(&keys["standing"])) {
        ("local", _) => format!("made there, a new key every {every}"),
        (_, "waiting") => format!("no word from {from} yet, so these keys are its own"),
        (_, "alone") => format!("no keys from {from}, so those it seals with are its own and open nowhere else"),
        _ => format!("from {from}"),
    };
    match said(&status["role"]) {
        "" => made,
        "superseded" => "made there until another server was promoted; no node is given them".to_owned(),
        role => format!("{role}, {made}"),
    }
}

/// Text of the status, or nothing.
fn said(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_server_shows_its_ring_and_what_its_nodes_have() {
        let key = |name: &str, state: &str, age: f64, epoch: &str| json!({ "name": name.repeat(32), "state": state, "age": age, "epoch": epoch });
        let mut status = json!({
            "role": "primary",
            "keys": {
                "source": "local", "from": null, "standing": "supplied", "epoch": "1.3",
                "schedule": { "rotate": 3600.0 },
                "ring": [key("a", "next", 62.9, "1.3"), key("b", "issuing", 62.9, "1.2"), key("c", "retiring", 3662.0, "1.1")],
            },
            "nodes": [
                { "name": "edge-1", "epoch": "1.3", "lapsed": false, "lacking": false },
                { "name": "b", "epoch": "0.0", "lapsed": true, "lacking": true },
            ],
        });
        let expected = "\
epoch 1.3, primary, made there, a new key every 1h
key                               state           for  epoch
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa  next           1m2s  1.3
bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb  issuing        1m2s  1.2
cccccccccccccccccccccccccccccccc  retiring     1h1m2s  1.1

node    has       state
edge-1  1.3       has the next key
b       0.0       lacks the next key; not heard of for long
";
        assert_eq!(table(&status), expected);
        let shown: Value = serde_json::from_str(&super::json(&status)).unwrap();
        assert_eq!(
            (&shown["epoch"], &shown["role"], &shown["nodes"]),
            (&json!("1.3"), &json!("primary"), &status["nodes"])
        );
        status["nodes"] = json!([]);
        assert!(table(&status).ends_with("\nno node has asked for it\n"));
    }

    #[test]
    fn a_node_shows_how_it_stands_with_its_source() {
        for (standing, expected) in [
            ("supplied", "epoch 2.7, from https://a/ring\n"),
            (
                "alone",
                "epoch 2.7, no keys from https://a/ring, so those it seals with are its own and open nowhere else\n",
            ),
        ] {
            let keys =
                json!({ "source": "http", "from": "https://a/ring", "standing": standing, "epoch": "2.7", "ring": [] });
            assert!(table(&json!({ "keys": keys })).starts_with(expected));
        }
    }
}
