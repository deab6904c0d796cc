//! Starting beside another, changing on SIGHUP, leaving on SIGTERM.
#![allow(clippy::unwrap_used)]

use std::fs::{self, File};
use std::io::Write;
use std::net::TcpStream;
use std::process::Command;
use std::thread;

use raincheck_tests::client::{Ending, Version};
use raincheck_tests::config::{Config, Listener, quoted};
use raincheck_tests::deadline::until;
use raincheck_tests::edge::{Edge, ask_admin};
use raincheck_tests::key_file::{Key, KeyFile};
use raincheck_tests::pki::{Authority, Identity};
use raincheck_tests::program;
use raincheck_tests::raw::{REQUEST, Raw};
use raincheck_tests::site::{NAME, Site};
use raincheck_tests::upstream::{BODY, Upstream};

#[test]
fn a_second_edge_on_a_taken_address_is_refused() {
    let site = Site::new();
    let app = Upstream::http();
    let config = site.web(app.address());
    let mut first = Edge::start(&site.scratch, config.clone());
    let second = Config::new(&site.scratch)
        .listener(Listener::new("web", &site.certificate).on(config.address("web")))
        .app(app.address());
    let refused = Edge::refusal(&site.scratch, &second.text());
    assert!(matches!(refused.status, Some(1 | 2)), "{}", refused.output());
    assert!(refused.stderr.contains(&config.address("web").to_string()), "{}", refused.output());
    // And the first goes on, with all of the traffic.
    let raw = site.raw(Version::Tls13);
    for index in 0..20 {
        assert_eq!(raw.visit(config.address("web"), NAME).resumed, index > 0);
    }
    assert!(first.runs());
}

#[test]
fn sigterm_drains_and_exits_with_0() {
    let site = Site::new();
    let app = Upstream::echo();
    let mut edge = Edge::start(&site.scratch, site.web(app.address()));
    let address = edge.address("web");
    let raw = site.raw(Version::Tls13);
    let mut open = raw.connect(address, NAME);
    open.write(b"before");
    assert_eq!(open.read(6), b"before");
    edge.terminate();
    until("nobody listens any more", || TcpStream::connect(address).is_err().then_some(()));
    assert!(edge.runs());
    open.write(b"after");
    assert_eq!(open.read(5), b"after");
    open.half_close();
    assert_eq!(open.read_to_end(), (vec![], Ending::Clean));
    drop(open);
    assert_eq!(edge.ended().code(), Some(0));
}

#[test]
fn it_is_not_ready_while_it_drains() {
    let site = Site::new();
    let app = Upstream::echo();
    let config = site.web(app.address());
    let admin = config.admin();
    let mut edge = Edge::start(&site.scratch, config);
    let mut open = site.raw(Version::Tls13).connect(edge.address("web"), NAME);
    open.write(b"x");
    open.read(1);
    edge.terminate();
    until("readiness is gone", || ask_admin(admin, "/readyz").is_none_or(|answer| answer.status == 503).then_some(()));
    open.half_close();
    open.read_to_end();
    assert_eq!(edge.ended().code(), Some(0));
}

#[test]
fn what_is_queued_at_sigterm_is_served() {
    let site = Site::new();
    let app = Upstream::http();
    let mut edge = Edge::start(&site.scratch, site.web(app.address()));
    let sockets: Vec<TcpStream> = (0..100).map(|_| TcpStream::connect(edge.address("web")).unwrap()).collect();
    edge.terminate();
    for (index, socket) in sockets.into_iter().enumerate() {
        let mut connection =
            site.raw(Version::Tls12).handshake(socket, NAME).unwrap_or_else(|error| panic!("{index}: {error}"));
        connection.write(REQUEST);
        assert_eq!(connection.read_to_end().1, Ending::Clean);
        connection.close();
    }
    assert_eq!(edge.ended().code(), Some(0));
}

#[test]
fn an_idle_edge_ends_at_once_on_sigterm_and_takes_its_socket_with_it() {
    let site = Site::new();
    let config = site.web("127.0.0.1:9".parse().unwrap());
    let mut edge = Edge::start(&site.scratch, config.clone());
    assert!(config.stats_socket().exists());
    edge.terminate();
    assert_eq!(edge.ended().code(), Some(0));
    // The next one starts in the same place, left over socket or not.
    let mut next = Edge::start(&site.scratch, config);
    assert!(next.stats("show info").contains("Pid: "));
    assert!(next.runs());
}

/// The certificate a server shows to a client that trusts `authority` alone.
fn trusts(authority: &Authority, edge: &Edge, listener: &str) -> bool {
    Raw::new(&authority.file(), Version::Tls13, None).try_connect(edge.address(listener), NAME).is_ok()
}

#[test]
fn sighup_takes_new_certificates_and_keeps_connections_and_tickets() {
    let site = Site::new();
    let app = Upstream::echo();
    let edge = Edge::start(&site.scratch, site.web(app.address()));
    let other = Authority::new(&site.scratch, "other");
    let raw = site.raw(Version::Tls13);
    let mut open = raw.connect(edge.address("web"), NAME);
    open.write(b"before");
    assert_eq!(open.read(6), b"before");
    assert!(!trusts(&other, &edge, "web"));
    site.certificate.replace_by(&other.server(&[NAME]));
    edge.hang_up();
    until("the new certificate is shown", || trusts(&other, &edge, "web").then_some(()));
    open.write(b"after");
    assert_eq!(open.read(5), b"after");
    let mut resumed = raw.connect(edge.address("web"), NAME);
    assert!(resumed.resumed());
    for connection in [&mut open, &mut resumed] {
        connection.half_close();
        assert_eq!(connection.read_to_end().1, Ending::Clean);
    }
}

#[test]
fn sighup_takes_a_new_configuration_as_one_step() {
    let site = Site::new();
    let (app, other_app) = (Upstream::saying("the old one\n"), Upstream::saying("the new one\n"));
    let other = Authority::new(&site.scratch, "other");
    let (second, third): (Identity, Identity) = (other.server(&[NAME]), other.server(&[NAME]));
    let config = site.web(app.address());
    let web = config.address("web");
    let edge = Edge::start(&site.scratch, config);
    assert!(site.raw(Version::Tls13).visit(web, NAME).answer.ends_with("the old one\n"));

    let more = Listener::new("more", &third);
    let renewed = Config::new(&site.scratch)
        .listener(Listener::new("web", &second).on(web))
        .listener(more)
        .app(other_app.address());
    let text = renewed.text();
    let (admin, socket) = (quoted(renewed.admin()), quoted(renewed.stats_socket().display()));
    // The admin address and the stats socket stay where they are.
    let text = text.replace(&admin, &quoted(admin_of(&edge))).replace(&socket, &quoted(socket_of(&edge)));
    edge.write_config(&text);
    edge.hang_up();
    let theirs = Raw::new(&other.file(), Version::Tls13, None);
    until("the new certificate is shown", || theirs.try_connect(web, NAME).ok());
    // Then the rest is there too: it was one step.
    assert!(theirs.visit(web, NAME).answer.ends_with("the new one\n"));
    assert!(theirs.visit(renewed.address("more"), NAME).answer.ends_with("the new one\n"));
}

fn admin_of(edge: &Edge) -> String {
    edge.config().admin().to_string()
}

fn socket_of(edge: &Edge) -> String {
    edge.config().stats_socket().display().to_string()
}

#[test]
fn a_listener_that_is_gone_after_sighup_stops_listening_and_lets_its_connections_finish() {
    let site = Site::new();
    let app = Upstream::echo();
    let config = site.web(app.address());
    let edge = Edge::start(&site.scratch, config.clone().listener(Listener::new("more", &site.certificate)));
    let more = edge.address("more");
    let mut open = site.raw(Version::Tls13).connect(more, NAME);
    open.write(b"before");
    assert_eq!(open.read(6), b"before");
    edge.write_config(&config.text());
    edge.hang_up();
    until("nobody listens there any more", || TcpStream::connect(more).is_err().then_some(()));
    open.write(b"after");
    assert_eq!(open.read(5), b"after");
    open.half_close();
    assert_eq!(open.read_to_end().1, Ending::Clean);
}

#[test]
fn it_can_be_asked_while_a_reload_waits_for_a_file() {
    let site = Site::new();
    let app = Upstream::http();
    let mut edge = Edge::start(&site.scratch, site.web(app.address()));
    let raw = site.raw(Version::Tls13);
    let other = Authority::new(&site.scratch, "other");
    let renewed = other.server(&[NAME]);
    let chain = fs::read(&renewed.chain).unwrap();
    fs::copy(&renewed.key, &site.certificate.key).unwrap();
    fs::remove_file(&site.certificate.chain).unwrap();
    program::run(Command::new("mkfifo").arg(&site.certificate.chain), b"").succeeded();
    // It waits for somebody who writes.
    edge.hang_up();
    for _ in 0..3 {
        assert_eq!(edge.admin("/healthz").status, 200);
        assert!(edge.stats("show info").contains("Pid: "));
        assert!(raw.visit(edge.address("web"), NAME).answer.ends_with(BODY));
        // While it waits, these come to one.
        edge.hang_up();
    }
    let reloads = || edge.log().lines().filter(|line| *line == "reloaded").count();
    // To open it is to wait until the edge has.
    let mut first = File::options().write(true).open(&site.certificate.chain).unwrap();
    assert_eq!(reloads(), 0);
    first.write_all(&chain).unwrap();
    drop(first);
    until("the first is over", || (reloads() == 1).then_some(()));
    assert!(trusts(&other, &edge, "web"));
    fs::write(&site.certificate.chain, &chain).unwrap();
    until("the second is over", || (reloads() == 2).then_some(()));
    // One that never ends does not keep it.
    edge.hang_up();
    assert!(trusts(&other, &edge, "web"));
    edge.terminate();
    assert_eq!(edge.ended().code(), Some(0));
    assert_eq!(edge.log().lines().filter(|line| *line == "reloaded").count(), 2);
}

#[test]
fn one_bad_certificate_among_good_changes_nothing() {
    let site = Site::new();
    let app = Upstream::http();
    let other = Authority::new(&site.scratch, "other");
    let second = site.authority.server(&["second.test"]);
    let config = site.web(app.address()).listener(Listener::new("second", &second));
    let edge = Edge::start(&site.scratch, config);
    site.certificate.replace_by(&other.server(&[NAME]));
    fs::write(&second.key, "no key\n").unwrap();
    let before = edge.log().len();
    edge.hang_up();
    edge.expect_log(before, second.key.to_str().unwrap());
    // The good change did not come through either.
    assert!(trusts(&site.authority, &edge, "web") && !trusts(&other, &edge, "web"));
    let raw = site.raw(Version::Tls13);
    assert!(raw.visit(edge.address("web"), NAME).answer.ends_with(BODY));
}

#[test]
fn sighup_reads_the_key_file_again_and_forgets_no_key() {
    let site = Site::new();
    let app = Upstream::http();
    let keys: Vec<Key> = (0..4).map(|_| Key::random()).collect();
    let file = KeyFile::new(&site.scratch, "keys", &[&keys[0], &keys[1], &keys[2]]);
    let edge = Edge::start(&site.scratch, site.web(app.address()).key_file(file.path()));
    let raws = [Version::Tls12, Version::Tls13].map(|version| site.raw(version));
    raws.iter().for_each(|raw| assert!(!raw.visit(edge.address("web"), NAME).resumed));
    for _ in 0..3 {
        edge.hang_up();
        raws.iter().for_each(|raw| assert!(raw.visit(edge.address("web"), NAME).resumed));
    }
    file.replace(&[&keys[0], &keys[1], &keys[2], &keys[3]]);
    edge.hang_up();
    until("the new key is there", || edge.stats("show tls-keys *").contains(&keys[3].name()).then_some(()));
    raws.iter().for_each(|raw| assert!(raw.visit(edge.address("web"), NAME).resumed));
}

#[test]
fn local_keys_survive_sighup_too() {
    let site = Site::new();
    let app = Upstream::http();
    let edge = Edge::start(&site.scratch, site.web(app.address()));
    let other = Authority::new(&site.scratch, "other");
    let raws = [Version::Tls12, Version::Tls13].map(|version| site.raw(version));
    raws.iter().for_each(|raw| assert!(!raw.visit(edge.address("web"), NAME).resumed));
    site.certificate.replace_by(&other.server(&[NAME]));
    edge.hang_up();
    until("the reload is over", || trusts(&other, &edge, "web").then_some(()));
    raws.iter().for_each(|raw| assert!(raw.visit(edge.address("web"), NAME).resumed));
}

#[test]
fn a_larger_max_connections_helps_those_who_wait_already() {
    let site = Site::new();
    let app = Upstream::echo();
    let listener = Listener::new("web", &site.certificate).set("max-connections", 1);
    let config = site.config(listener, app.address());
    let edge = Edge::start(&site.scratch, config.clone());
    let raw = site.raw(Version::Tls13);
    let address = edge.address("web");
    let mut first = raw.connect(address, NAME);
    let waiting = thread::spawn(move || {
        let mut connection = raw.try_connect(address, NAME)?;
        connection.try_write(b"second")?;
        Ok::<_, std::io::Error>(connection.read(6))
    });
    edge.expect_log(0, "has reached max-connections");
    edge.write_config(&config.text().replace("max-connections = 1", "max-connections = 2"));
    edge.hang_up();
    // The first one stays all the while.
    assert_eq!(waiting.join().unwrap().unwrap(), b"second");
    first.write(b"first");
    assert_eq!(first.read(5), b"first");
}

#[test]
fn who_waits_for_room_is_served_as_a_reload_meanwhile_says() {
    let site = Site::new();
    let (app, other_app) = (Upstream::saying("the old one\n"), Upstream::saying("the new one\n"));
    let other = Authority::new(&site.scratch, "other");
    let listener = Listener::new("web", &site.certificate).set("max-connections", 1);
    let config = site.config(listener, app.address());
    let edge = Edge::start(&site.scratch, config.clone());
    let address = edge.address("web");
    let theirs = Raw::new(&other.file(), Version::Tls13, None);
    // Once under the same name, and once as another listener, which has room of its own.
    for (name, needs_room) in [("web", true), ("another", false)] {
        let open = || edge.sum("raincheck_connections_open", &[("listener", "web")]);
        until("nobody is left", || (open() == 0.0).then_some(()));
        let before = edge.log().len();
        let first = TcpStream::connect(address).unwrap();
        until("there is no room", || (open() == 1.0).then_some(()));
        let waiting = {
            let theirs = theirs.clone();
            thread::spawn(move || theirs.visit(address, NAME))
        };
        edge.expect_log(before, "has reached max-connections");
        site.certificate.replace_by(&other.server(&[NAME]));
        let text = config.text().replace("name = \"web\"", &format!("name = \"{name}\""));
        edge.write_config(&text.replace(&app.address().to_string(), &other_app.address().to_string()));
        edge.hang_up();
        edge.expect_log(before, "reloaded");
        let first = (!needs_room).then_some(first);
        assert!(waiting.join().unwrap().answer.ends_with("the new one\n"));
        drop(first);
    }
}

#[test]
fn a_listener_comes_back_once_those_who_waited_at_its_end_are_served() {
    let site = Site::new();
    let app = Upstream::http();
    let config = site.web(app.address());
    let both = config.clone().listener(Listener::new("more", &site.certificate).set("max-connections", 1));
    let more = both.address("more");
    let edge = Edge::start(&site.scratch, both.clone());
    let reload = |text: &str, expected: &str| {
        let before = edge.log().len();
        edge.write_config(text);
        edge.hang_up();
        edge.expect_log(before, "reload");
        until("the line is whole", || edge.log()[before..].contains('\n').then_some(()));
        edge.log()[before..].contains(expected)
    };
    let held = TcpStream::connect(more).unwrap();
    edge.expect_sum("raincheck_connections_open", &[("listener", "more")], 1.0);
    let waiting = {
        let raw = site.raw(Version::Tls13);
        thread::spawn(move || raw.visit(more, NAME))
    };
    edge.expect_log(0, "has reached max-connections");
    assert!(reload(&config.text(), "reloaded\n"));
    assert!(reload(&both.text(), &format!("cannot listen on {more} (listener more): what was queued there")));
    drop(held);
    assert!(waiting.join().unwrap().answer.ends_with(BODY));
    until("it is back", || reload(&both.text(), "reloaded\n").then_some(()));
    assert!(site.raw(Version::Tls13).visit(more, NAME).answer.ends_with(BODY));
}

#[test]
fn no_ticket_resumes_once_there_are_to_be_none() {
    let site = Site::new();
    let app = Upstream::http();
    let config = site.config(Listener::new("web", &site.certificate).set("tickets", 2), app.address());
    let edge = Edge::start(&site.scratch, config.clone());
    let raws = [Version::Tls12, Version::Tls13].map(|version| (version, site.raw(version)));
    for (version, raw) in &raws {
        assert!(!raw.visit(edge.address("web"), NAME).resumed);
        assert!(raw.visit(edge.address("web"), NAME).resumed, "{version:?}");
    }
    edge.write_config(&config.text().replace("tickets = 2", "tickets = 0"));
    edge.hang_up();
    edge.expect_log(0, "reloaded");
    for (version, raw) in &raws {
        assert!(!raw.visit(edge.address("web"), NAME).resumed, "{version:?}");
        let refused = [("version", version.label()), ("kind", "full"), ("reason", "disabled")];
        edge.expect_handshakes(&refused, 1.0);
    }
}
