//! Where an edge listens.
#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;

use raincheck_tests::client::Version;
use raincheck_tests::config::{Config, quoted};
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

/// The address in a line `listening on ADDRESS (listener NAME)`.
fn listening(line: &str) -> Option<SocketAddr> {
    let (address, name) = line.strip_prefix("listening on ")?.split_once(' ')?;
    assert_eq!(name, "(listener web)");
    address.parse().ok()
}

fn started(site: &Site, config: &Config, text: &str) -> Edge {
    let file = site.scratch.write("listening.toml", text);
    Edge::spawn(&site.scratch, ["-c".as_ref(), file.as_os_str()], config.admin())
}
