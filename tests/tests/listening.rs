//! Where an edge listens.
#![allow(clippy::unwrap_used)]

use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use raincheck_tests::address;
use raincheck_tests::client::Version;
use raincheck_tests::config::{Config, Listener, Upstream as Servers, quoted};
use raincheck_tests::deadline::until;
use raincheck_tests::edge::Edge;
use raincheck_tests::site::{NAME, Site};
use raincheck_tests::upstream::{BODY, Upstream};

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

#[test]
fn sighup_widens_and_narrows_an_address_and_loses_no_connection() {
    let site = Site::new();
    let app = Upstream::http();
    let port = address::unused_everywhere();
    let [one, other, all] =
        [[127, 0, 0, 1], [127, 0, 0, 2], [0, 0, 0, 0]].map(|address| SocketAddr::from((address, port)));
    let narrow = site.config(Listener::new("web", &site.certificate).on(one), app.address());
    let wide = narrow.text().replace(&quoted(one), &quoted(all));
    let edge = Edge::start(&site.scratch, narrow.clone());
    let over = AtomicBool::new(false);
    let visits = AtomicUsize::new(0);
    thread::scope(|scope| {
        for raw in [(); 3].map(|()| site.raw(Version::Tls13)) {
            let (over, visits) = (&over, &visits);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    assert!(raw.visit(one, NAME).answer.ends_with(BODY));
                    visits.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let _over = Over(&over);
        for _ in 0..3 {
            for (text, is_open) in [(&wide, true), (&narrow.text(), false)] {
                let before = edge.log().len();
                edge.write_config(text);
                edge.hang_up();
                edge.expect_log(before, "reload");
                assert!(edge.log()[before..].ends_with("reloaded\n"), "{}", edge.log());
                until("the other address changes", || (TcpStream::connect(other).is_ok() == is_open).then_some(()));
                let done = visits.load(Ordering::Relaxed);
                until("the visits go on", || (visits.load(Ordering::Relaxed) > done + 20).then_some(()));
                // What is still open inside of the wide one is no listener of its own.
                assert!(edge.stats("show info").contains("Listeners: 1\n"));
            }
        }
    });
}

/// Says so when dropped, in a panic too.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn the_edge_knows_itself_at_an_address_it_cannot_have() {
    let site = Site::new();
    let config = site.web("127.0.0.1:9".parse().unwrap());
    let edge = Edge::start(&site.scratch, config.clone());
    let text = config.text().replace(&format!("admin = {}", quoted(config.admin())), "");
    edge.write_config(&text.replace(&quoted(config.address("web")), &quoted(config.admin())));
    edge.hang_up();
    edge.expect_log(0, &format!("cannot listen on {} (listener web): it is this edge's admin address", config.admin()));
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
