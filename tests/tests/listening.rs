//! Where an edge listens.
#![allow(clippy::unwrap_used)]

use std::net::{SocketAddr, TcpStream};

use raincheck_tests::client::Version;
use raincheck_tests::config::{Config, Listener, Upstream as Servers, quoted};
use raincheck_tests::deadline::until;
use raincheck_tests::edge::Edge;
use raincheck_tests::site::{NAME, Site};
use raincheck_tests::upstream::Upstream;

#[test]
fn on_several_addresses_with_ports_of_the_kernels_choice() {
    let site = Site::new();
    let app = Upstream::http();
    let config = site.web(app.address());
    let text = config.text().replace(&quoted(config.address("web")), "\"127.0.0.1:0\", \"[::1]:0\"");
    let edge = started(&site, &config, &text);
    let addresses = until("both are told", || {
        let found: Vec<SocketAddr> = edge.log().lines().filter_map(listening).collect();
        (found.len() == 2).then_some(found)
    });
    assert!(addresses[0].is_ipv4() && addresses[1].is_ipv6(), "{addresses:?}");
    for address in addresses {
        let raw = site.raw(Version::Tls13);
        // As many as it takes to meet each worker: they share one port.
        for index in 0..20 {
            assert_eq!(raw.visit(address, NAME).resumed, index > 0);
        }
    }
}

#[test]
fn each_port_of_the_kernels_choice_belongs_to_whoever_asked_and_outlives_a_reload() {
    let site = Site::new();
    let apps = ["one\n", "two\n"].map(Upstream::saying);
    let identities = ["one.test", "two.test"].map(|name| site.authority.server(&[name]));
    let any = "127.0.0.1:0".parse().unwrap();
    let config = ["one", "two"].iter().enumerate().fold(Config::new(&site.scratch), |config, (index, name)| {
        config
            .listener(Listener::new(name, &identities[index]).on(any).set("upstream", quoted(name)))
            .upstream(Servers::new(name, &[apps[index].address()]))
    });
    // Each twice.
    let text = config.text().replace("bind = [\"127.0.0.1:0\"]", "bind = [\"127.0.0.1:0\", \"127.0.0.1:0\"]");
    let edge = started(&site, &config, &text);
    let addresses: Vec<(SocketAddr, String)> = until("all are told", || {
        let found: Vec<_> = edge.log().lines().filter_map(listening_as).collect();
        (found.len() == 4).then_some(found)
    });
    let raw = site.raw(Version::Tls13);
    for _ in 0..2 {
        for (address, listener) in &addresses {
            let answer = raw.visit(*address, &format!("{listener}.test")).answer;
            assert!(answer.ends_with(&format!("{listener}\n")), "{address} {listener}: {answer}");
        }
        let before = edge.log().len();
        edge.hang_up();
        edge.expect_log(before, "reloaded");
        assert_eq!(edge.log().lines().filter_map(listening_as).count(), 4);
    }
    let status = edge.status();
    for (index, name) in ["one", "two"].into_iter().enumerate() {
        let told: Vec<_> = addresses.iter().filter(|(_, listener)| listener == name).collect();
        assert_eq!(status["listeners"][index]["addresses"], serde_json::json!([told[0].0, told[1].0]));
    }
}

#[test]
fn every_port_of_the_kernels_choice_is_closed_at_sigterm() {
    let site = Site::new();
    let admin = Config::new(&site.scratch).admin();
    let flags = ["--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0", "--admin", &admin.to_string()];
    let mut edge = Edge::spawn(&site.scratch, flags, admin);
    let addresses = until("both are told", || {
        let found: Vec<_> = edge.log().lines().filter_map(listening_as).map(|(address, _)| address).collect();
        (found.len() == 2).then_some(found)
    });
    // It ends once this does.
    let held = TcpStream::connect(addresses[0]).unwrap();
    edge.terminate();
    for address in addresses {
        until("nobody listens any more", || TcpStream::connect(address).is_err().then_some(()));
    }
    drop(held);
    assert_eq!(edge.ended().code(), Some(0));
}

fn listening(line: &str) -> Option<SocketAddr> {
    let (address, name) = listening_as(line)?;
    assert_eq!(name, "web");
    Some(address)
}

/// Address and name in a line `listening on ADDRESS (listener NAME)`.
fn listening_as(line: &str) -> Option<(SocketAddr, String)> {
    let (address, name) = line.strip_prefix("listening on ")?.strip_suffix(")")?.split_once(" (listener ")?;
    Some((address.parse().ok()?, name.to_owned()))
}

fn started(site: &Site, config: &Config, text: &str) -> Edge {
    let file = site.scratch.write("listening.toml", text);
    Edge::spawn(&site.scratch, ["-c".as_ref(), file.as_os_str()], config.admin())
}
