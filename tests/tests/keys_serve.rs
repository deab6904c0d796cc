//! A server of keys, and the nodes that ask it.
#![allow(clippy::unwrap_used)]

use raincheck_tests::client::Version;
use raincheck_tests::config::quoted;
use raincheck_tests::deadline::until;
use raincheck_tests::edge::Edge;
use raincheck_tests::keys::{Config, Server};
use raincheck_tests::site::{NAME, Site};
use raincheck_tests::upstream::Upstream;

#[test]
fn an_edge_has_the_ring_of_its_server() {
    let site = Site::new();
    let app = Upstream::http();
    let server = Server::start(&site.scratch, Config::new(&site.authority).keys("rotate", quoted("1s")));
    let edge = edge(&site, &app, "a", &[&server]);
    until("the edge acknowledges", || {
        let status = server.status();
        let node = &status["nodes"][0];
        (node["name"] == "a" && node["lacking"] == false).then_some(())
    });
    let raw = site.raw(Version::Tls13);
    raw.visit(edge.address("web"), NAME);
    assert!(raw.visit(edge.address("web"), NAME).resumed);
}

/// A ready edge called `node` that asks these servers.
fn edge(site: &Site, app: &Upstream, node: &str, servers: &[&Server]) -> Edge {
    let urls: Vec<String> = servers.iter().map(|server| server.config().url()).collect();
    let identity = site.authority.client(node);
    let config = site.web(app.address()).key_servers(&urls, node, &site.authority.file(), &identity);
    Edge::start(&site.scratch, config.keys("rotate", quoted("1s")).keys("accept", quoted("30s")))
}
