//! Connections, time, and the choice of a server.
#![allow(clippy::unwrap_used)]

use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use raincheck_tests::client::{Ending, Version};
use raincheck_tests::config::{Listener, Upstream as Servers, quoted};
use raincheck_tests::deadline::until;
use raincheck_tests::edge::Edge;
use raincheck_tests::raw::{Connection, REQUEST};
use raincheck_tests::site::{NAME, Site};
use raincheck_tests::upstream::Upstream;

#[test]
fn no_more_connections_than_allowed_and_another_once_one_is_over() {
    let site = Site::new();
    let app = Upstream::echo();
    let listener = Listener::new("web", &site.certificate).set("max-connections", 3);
    let edge = Edge::start(&site.scratch, site.config(listener, app.address()));
    let raw = site.raw(Version::Tls13);
    let talk = |mut connection: Connection| {
        connection.write(b"x");
        assert_eq!(connection.read(1), b"x");
        connection
    };
    let mut held: Vec<Connection> = (0..3).map(|_| talk(raw.connect(edge.address("web"), NAME))).collect();
    // A fourth, while the three last: turned away or kept waiting, and not let through.
    let (fourth, address) = (raw.clone(), edge.address("web"));
    let fourth = thread::spawn(move || fourth.try_connect(address, NAME).is_ok());
    for connection in &mut held {
        connection.write(b"y");
        assert_eq!(connection.read(1), b"y");
    }
    assert_eq!(app.received().len(), 3);
    let mut first = held.remove(0);
    first.half_close();
    first.read_to_end();
    drop(first);
    fourth.join().unwrap();
    until("there is room again", || {
        let mut connection = raw.try_connect(edge.address("web"), NAME).ok()?;
        connection.try_write(b"z").ok()?;
        (connection.receive().ok()? > 0).then_some(())
    });
}

#[test]
fn what_waits_for_room_at_sigterm_is_served_once_there_is_some() {
    const ROOM: usize = 300;
    const QUEUED: usize = 250;
    let site = Site::new();
    let app = Upstream::http();
    let listener = Listener::new("web", &site.certificate).set("max-connections", ROOM);
    let config = site.config(listener, app.address()).edge("workers", 1);
    let mut edge = Edge::start(&site.scratch, config);
    let open =
        |count| -> Vec<TcpStream> { (0..count).map(|_| TcpStream::connect(edge.address("web")).unwrap()).collect() };
    let held = open(ROOM);
    edge.expect_sum("raincheck_connections_open", &[], ROOM as f64);
    let queued = open(QUEUED);
    edge.expect_log(0, "has reached max-connections");
    edge.terminate();
    edge.expect_log(0, "draining");
    // All of the room is there at once, so that nothing but its own end stops the edge from accepting.
    edge.freeze();
    drop(held);
    edge.thaw();
    for (index, socket) in queued.into_iter().enumerate() {
        let mut connection =
            site.raw(Version::Tls13).handshake(socket, NAME).unwrap_or_else(|error| panic!("{index}: {error}"));
        connection.write(REQUEST);
        assert_eq!(connection.read_to_end().1, Ending::Clean, "{index}");
        connection.close();
    }
    assert_eq!(edge.ended().code(), Some(0));
}

#[test]
fn an_idle_connection_ends_and_a_busy_one_does_not() {
    let site = Site::new();
    let app = Upstream::echo();
    let listener = Listener::new("web", &site.certificate).set("idle-timeout", quoted("1s"));
    let edge = Edge::start(&site.scratch, site.config(listener, app.address()));
    for version in [Version::Tls12, Version::Tls13] {
        let mut connection = site.raw(version).connect(edge.address("web"), NAME);
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(2500) {
            connection.write(b"busy");
            assert_eq!(connection.read(4), b"busy");
        }
        let start = Instant::now();
        connection.read_to_end();
        assert!(start.elapsed() > Duration::from_millis(900) && start.elapsed() < Duration::from_secs(10));
    }
    edge.expect_sum("raincheck_connections_closed_total", &[("side", "client"), ("how", "timeout")], 2.0);
}

#[test]
fn the_server_with_the_fewest_connections_is_next() {
    let site = Site::new();
    let (one, two) = (Upstream::echo(), Upstream::echo());
    let config = raincheck_tests::config::Config::new(&site.scratch)
        .listener(Listener::new("web", &site.certificate))
        .upstream(Servers::new("app", &[one.address(), two.address()]).set("balance", quoted("least-connections")));
    let edge = Edge::start(&site.scratch, config);
    let raw = site.raw(Version::Tls13);
    let open = || {
        let mut connection = raw.connect(edge.address("web"), NAME);
        connection.write(b"x");
        connection.read(1);
        connection
    };
    let held: Vec<Connection> = (0..6).map(|_| open()).collect();
    assert_eq!((one.received().len(), two.received().len()), (3, 3));
    // Those of the first server go.
    let mut kept = Vec::new();
    let at_first = || one.received().iter().map(|received| received.count).sum::<u64>();
    for mut connection in held {
        let before = at_first();
        connection.write(b"y");
        connection.read(1);
        if at_first() > before {
            connection.half_close();
            connection.read_to_end();
        } else {
            kept.push(connection);
        }
    }
    assert_eq!(kept.len(), 3);
    (0..3).for_each(|index| drop(one.ended(index)));
    kept.extend((0..3).map(|_| open()));
    assert_eq!((one.received().len(), two.received().len()), (6, 3));
}

#[test]
fn a_dead_server_is_passed_over() {
    let site = Site::new();
    let app = Upstream::http();
    // Bound and let go: nobody listens there.
    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = raincheck_tests::config::Config::new(&site.scratch)
        .listener(Listener::new("web", &site.certificate))
        .upstream(Servers::new("app", &[dead, app.address()]));
    let edge = Edge::start(&site.scratch, config);
    let raw = site.raw(Version::Tls13);
    for _ in 0..6 {
        assert!(raw.visit(edge.address("web"), NAME).answer.starts_with("HTTP/1.1 200"));
    }
}

#[test]
fn without_any_server_the_connection_ends_and_does_not_look_complete() {
    let site = Site::new();
    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let edge = Edge::start(&site.scratch, site.web(dead));
    for version in [Version::Tls12, Version::Tls13] {
        // It may end in the middle of the handshake or after it.
        if let Ok(mut connection) = site.raw(version).try_connect(edge.address("web"), NAME) {
            let _ = connection.try_write(REQUEST);
            assert_ne!(connection.read_to_end(), (vec![], Ending::Clean), "{version:?}");
        }
    }
}
