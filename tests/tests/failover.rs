//! Servers that die, stop, slow down and come back: traffic moves, comes back, and what is with healthy servers stays.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use raincheck_tests::backend::bad::{self, Fault};
use raincheck_tests::backend::haproxy::Haproxy;
use raincheck_tests::backend::{Backend, Resumption};
use raincheck_tests::client::{Ending, Version};
use raincheck_tests::config::{Upstream, quoted};
use raincheck_tests::deadline::until;
use raincheck_tests::edge::Edge;
use raincheck_tests::raw::{Connection, REQUEST, Raw};
use raincheck_tests::require;
use raincheck_tests::site::{NAME, Site};
use raincheck_tests::upstream::BODY;
use serde_json::Value;

const KEEP_ALIVE: &[u8] = b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n";

#[test]
fn a_server_is_down_after_fall_checks_and_up_after_rise() {
    let site = Site::new();
    let fault = Arc::new(Mutex::new(Fault::None));
    let checks = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
    let [passed, failed] = checks.clone();
    let now = fault.clone();
    let server = bad::start_as(
        move || {
            let fault = *now.lock().unwrap();
            if fault == Fault::None { &passed } else { &failed }.fetch_add(1, Ordering::Relaxed);
            fault
        },
        &site.certificate,
    );
    // So that what comes after the change comes after the test has looked.
    let upstream = checked(&site, &[server.address()]).check("every", quoted("2s"));
    let upstream = upstream.check("fast-every", quoted("20ms")).check("fall", 3).check("rise", 2);
    let edge = Edge::start(&site.scratch, site.web_to(upstream));
    let [passed, failed] = checks;
    until("the first check", || (passed.load(Ordering::Relaxed) == 1).then_some(()));
    let slow = Fault::Slow(Duration::from_millis(400));
    for fault_now in [Fault::Garbage, slow] {
        failed.store(0, Ordering::Relaxed);
        *fault.lock().unwrap() = fault_now;
        let from = edge.log().len();
        edge.expect_log(from, &format!("server app/{} is down: ", server.address()));
        assert_eq!(failed.load(Ordering::Relaxed), 3, "{fault_now:?}");
        passed.store(0, Ordering::Relaxed);
        *fault.lock().unwrap() = Fault::None;
        edge.expect_log(from, &format!("server app/{} is up", server.address()));
        assert_eq!(passed.load(Ordering::Relaxed), 2, "{fault_now:?}");
    }
}

#[test]
fn traffic_leaves_a_server_and_comes_back_and_the_other_ones_connections_stay() {
    require!("haproxy", "kill");
    let site = Site::new();
    let mut servers = [(); 2].map(|()| Haproxy::start(&site.scratch, &site.certificate, Resumption::Tls13));
    let addresses = servers.each_ref().map(Backend::address);
    let edge = Edge::start(&site.scratch, site.web_to(checked(&site, &addresses)));
    let raw = site.raw(Version::Tls13);
    let mut held: Vec<Connection> = (0..6).map(|_| raw.connect(edge.address("web"), NAME)).collect();
    held.iter_mut().for_each(ask);
    let at = |server: SocketAddr| edge.sum("raincheck_upstream_connections_open", &[("server", &server.to_string())]);
    assert_eq!(addresses.map(at), [3.0, 3.0]);
    let [first, _] = addresses;
    let notice = |what: &str| format!("server app/{first} is {what}");
    let served = || -> Vec<String> {
        let before = lines(&edge).len();
        for _ in 0..6 {
            assert!(visit(&raw, edge.address("web")).1);
        }
        let all = until("all are logged", || Some(lines(&edge)).filter(|lines| lines.len() >= before + 6));
        all[before..].iter().map(|line| line["server"].as_str().unwrap().to_owned()).collect()
    };

    let from = edge.log().len();
    servers[0].freeze();
    // In the handshake; or later, for a check that was under way.
    edge.expect_log(from, &notice("down: timeout "));
    assert!(served().iter().all(|server| *server != first.to_string()));
    servers[0].thaw();
    edge.expect_log(from, &notice("up"));
    assert!(served().contains(&first.to_string()));
    // Its own connections came through that too.
    held.iter_mut().for_each(ask);

    let from = edge.log().len();
    servers[0].kill();
    edge.expect_log(from, &notice("down: "));
    assert!(served().iter().all(|server| *server != first.to_string()));
    let mut alive: Vec<Connection> =
        held.into_iter().filter_map(|mut held| try_ask(&mut held).map(|()| held)).collect();
    assert_eq!(alive.len(), 3, "those of the other server");
    servers[0].restart(&site.scratch);
    edge.expect_log(from, &notice("up"));
    assert!(served().contains(&first.to_string()));
    alive.iter_mut().for_each(ask);
}

#[test]
fn two_thousand_connections_while_servers_die_and_come_back() {
    require!("haproxy");
    survive(2000);
}

/// The same, for as long as it takes; `make soak` runs it.
#[test]
#[ignore = "takes minutes"]
fn a_hundred_thousand_connections_while_servers_die_and_come_back() {
    require!("haproxy");
    survive(100_000);
}

/// One of four servers is always dying or coming back. As long as the edge has no connection to a server, handshake and
/// all, it can try another, and no client sees anything of it. With a connection, the client's request may be with the
/// server: it cannot be told twice, and must not look answered.
fn survive(connections: usize) {
    let site = Site::new();
    let mut servers = [(); 4].map(|()| Haproxy::start(&site.scratch, &site.certificate, Resumption::Tls13));
    let addresses = servers.each_ref().map(Backend::address);
    let upstream = checked(&site, &addresses).check("every", quoted("50ms")).check("rise", 1);
    let edge = Edge::start(&site.scratch, site.web_to(upstream));
    let (raw, address, done) = (site.raw(Version::Tls13), edge.address("web"), AtomicUsize::new(0));
    // On a busy machine servers take long to start: clients go on until each of them has died twice.
    let enough = AtomicBool::new(false);
    let is_over = || done.load(Ordering::Relaxed) >= connections && enough.load(Ordering::Relaxed);
    let mut deaths = 0;
    let failed: Vec<SocketAddr> = thread::scope(|scope| {
        let visit = || {
            let mut failed = Vec::new();
            while !is_over() {
                let (client, answered) = visit(&raw, address);
                done.fetch_add(1, Ordering::Relaxed);
                if !answered {
                    failed.push(client);
                }
            }
            failed
        };
        let clients = [(); 4].map(|()| scope.spawn(visit));
        while !is_over() {
            let server = &mut servers[deaths % 4];
            server.kill();
            let (begin, from) = (done.load(Ordering::Relaxed), edge.log().len());
            until("the others serve", || (done.load(Ordering::Relaxed) > begin + 20 || is_over()).then_some(()));
            server.restart(&site.scratch);
            if edge.log()[from..].contains(" is down: ") {
                edge.expect_log(from, &format!("server app/{} is up", server.address()));
            }
            deaths += 1;
            enough.store(deaths >= 8, Ordering::Relaxed);
        }
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    let visits = done.into_inner();
    until("all are logged", || (edge.access_log().matches('\n').count() >= visits).then_some(()));
    let log = lines(&edge);
    let without: Vec<&Value> = log.iter().filter(|line| !line["upstream_error"].is_null()).collect();
    assert!(without.is_empty(), "there was always a server: {without:?}");
    let cut: BTreeMap<&str, &Value> = log
        .iter()
        .filter(|line| line["upstream_close"] != "clean")
        .map(|line| (line["client"].as_str().unwrap(), line))
        .collect();
    for client in &failed {
        assert!(cut.contains_key(&*client.to_string()), "{client}: nothing happened to its server");
    }
    // One for each client and death is all there can have been.
    assert!(failed.len() <= 4 * deaths, "{} failures, {deaths} deaths", failed.len());
}

fn checked(site: &Site, servers: &[SocketAddr]) -> Upstream {
    let upstream = site.over_tls(servers).check("kind", quoted("http"));
    upstream.check("every", quoted("100ms")).check("timeout", quoted("1s"))
}

/// A request and its answer on a connection that stays.
fn ask(connection: &mut Connection) {
    try_ask(connection).unwrap();
}

fn try_ask(connection: &mut Connection) -> Option<()> {
    connection.try_write(KEEP_ALIVE).ok()?;
    let mut answer = Vec::new();
    while !answer.ends_with(BODY.as_bytes()) {
        let mut buffer = [0; 4096];
        match io::Read::read(&mut connection.tls.reader(), &mut buffer) {
            Ok(0) => return None,
            Ok(count) => answer.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => _ = connection.receive().ok()?,
            Err(_) => return None,
        }
    }
    Some(())
}

/// Who the client was, and whether it was answered, whole.
fn visit(raw: &Raw, address: SocketAddr) -> (SocketAddr, bool) {
    let mut connection = raw.connect(address, NAME);
    let client = connection.socket.local_addr().unwrap();
    let sent = connection.try_write(REQUEST).is_ok();
    let (answer, ending) = connection.read_to_end();
    connection.close();
    (client, sent && ending == Ending::Clean && answer.ends_with(BODY.as_bytes()))
}

/// The access log so far.
fn lines(edge: &Edge) -> Vec<Value> {
    let log = edge.access_log();
    log.split_inclusive('\n')
        .filter(|line| line.ends_with('\n'))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}
