use raincheck_diagnosis::Timestamp;
use raincheck_diagnosis::evidence::{Ask, KeyName, KeyNames, Reply, Stage, Ways};

use super::*;
use crate::report::Paint;

/// Three nodes: two share a key, the third has another; a fourth does not answer.
fn report() -> FleetReport {
    let gives = Ways { psk: Gives::Sessions, ticket: Gives::NotSpoken, session_id: Gives::NotSpoken };
    let nodes = [Some(1), Some(1), Some(2), None].into_iter().enumerate().map(|(index, key)| {
        let mut key_names: Ways<KeyNames> = Ways::default();
        if let Some(key) = key {
            (0..2).for_each(|_| key_names.psk.note(KeyName::of(&[key; 16]).unwrap()));
        }
        let address: std::net::SocketAddr = format!("192.0.2.{}:443", index + 1).parse().unwrap();
        let silence = Failure::TimedOut(Stage::Connecting);
        Node {
            name: if index == 0 { "a.example:443".to_owned() } else { address.to_string() },
            address,
            gives: if key.is_some() {
                gives.clone()
            } else {
                Ways { psk: Gives::Unknown(silence.clone()), ..Ways::default() }
            },
            key_names,
            certificate: None,
            gone: key.is_none().then_some(silence),
        }
    });
    let keys = [1_u8, 1, 2];
    let pairs = (0..3).flat_map(|issuer| (0..3).map(move |asked| (issuer, asked)));
    let asks = pairs.map(|(issuer, asked)| Ask {
        way: Way::Psk,
        issuer,
        asked,
        again: false,
        at: Timestamp::default(),
        key_name: KeyName::of(&[keys[issuer]; 16]),
        suite: 0x1301,
        reply: if keys[issuer] == keys[asked] { Reply::Resumed } else { Reply::Refused(0x1301) },
    });
    FleetReport::new(Fleet { nodes: nodes.collect(), asks: asks.collect() }, vec!["cannot resolve x".to_owned()])
}

#[test]
fn a_page_has_nodes_a_letter_for_each_pair_and_what_letters_mean() {
    let text = report().page().text(Paint::PLAIN);
    let expected = "\
a fleet of 5 nodes
3 nodes in 2 groups: sessions do not resume across them; 2 could not be asked.

Nodes, and the sessions they give
   node                            group  TLSv1.3                TLSv1.2
a  a.example:443 at 192.0.2.1:443  1      tickets, key 01010101  not spoken
b  192.0.2.2:443                   1      tickets, key 01010101  not spoken
c  192.0.2.3:443                   2      tickets, key 02020202  not spoken
d  192.0.2.4:443                   -      not determined         not determined
192.0.2.4:443: the server took too long to take the connection
cannot resolve x

Tickets of TLSv1.3: a row for who gave them, a column for who was asked
   abcd
a  ++k.
b  ++k.
c  kk+.
d  ....
+ resumed
k refused: another key
. not asked, for there was nothing to ask for or nobody to ask

problem: keys-not-shared
";
    assert!(text.starts_with(expected), "{text}");
}

#[test]
fn json_names_nodes_by_address() {
    let json = report().json();
    assert_eq!(json["groups"], serde_json::json!([["192.0.2.1:443", "192.0.2.2:443"], ["192.0.2.3:443"]]));
    assert_eq!(json["findings"][0]["name"], "keys-not-shared");
    let expected = serde_json::json!({
        "name": "a.example:443",
        "address": "192.0.2.1:443",
        "group": 0,
        "ways": {
            "psk": { "gives": "sessions", "key_names": ["01010101010101010101010101010101"] },
            "ticket": { "gives": "not-spoken", "key_names": [] },
            "session-id": { "gives": "not-spoken", "key_names": [] },
        },
        "failure": null,
    });
    assert_eq!(json["nodes"][0], expected);
    assert_eq!(json["nodes"][3]["failure"], "the server took too long to take the connection");
    assert_eq!(json["absent"], serde_json::json!(["cannot resolve x"]));
    let table = json["table"].as_array().unwrap();
    assert_eq!(table.len(), 3 * 4 * 4, "each pair, each way, asked or not");
    let cell = |way, issuer, asked, result, why: Value| {
        serde_json::json!({
            "way": way, "issuer": issuer, "asked": asked, "result": result, "why": why,
        })
    };
    assert!(table.contains(&cell("psk", "192.0.2.1:443", "192.0.2.3:443", "refused", "other-key".into())));
    assert!(table.contains(&cell("psk", "192.0.2.1:443", "192.0.2.2:443", "resumed", Value::Null)));
    assert!(table.contains(&cell("ticket", "192.0.2.1:443", "192.0.2.2:443", "not-asked", Value::Null)));
}
