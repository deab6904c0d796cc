//! Keys that other products are given: HAProxy by its stats socket, nginx by a reload, h2o by its file.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use raincheck_control::fresh_key;
use raincheck_control::sink::{
    Command, Envoy, H2o, HaProxy, Lacks, Nginx, ProductKeys, Pushed, SecretFile, Sink, StatsSocket,
};
use raincheck_keyring::{KeyName, KeySize, Product, Ring, UnixTime};
use raincheck_tests::backend::haproxy::Haproxy;
use raincheck_tests::backend::nginx::Prepared;
use raincheck_tests::backend::{self, Backend, Resumption};
use raincheck_tests::client::Version;
use raincheck_tests::client::openssl::Visitor;
use raincheck_tests::key_file::{Key, KeyFile};
use raincheck_tests::site::Site;
use raincheck_tests::{deadline, envoy, require};

#[test]
fn haproxy_follows_a_ring_without_a_reload() {
    require!("haproxy", "openssl");
    for resumption in [Resumption::Tickets, Resumption::Tls13] {
        let site = Site::new();
        let mut ring = FleetRing::new();
        let keys = |ring: &FleetRing| ring.keys(Product::HaProxy, KeySize::Bits256);
        let mut nodes = [1, 2].map(|number| haproxy_node(&site, number, resumption, &keys(&ring)));
        let [a, b] = nodes.each_ref().map(|(_, haproxy)| haproxy.address());
        let visitor = Visitor::new(&site, resumption.version());
        visitor.keep_session(a, "0");
        assert!(visitor.resumes(b, "0"), "{resumption:?}");
        for rotation in 1..=5 {
            ring.rotate();
            let next = last(&keys(&ring));
            for (sink, _) in &mut nodes {
                assert_eq!(done(sink.lacks(&keys(&ring))).unwrap(), Lacks::Keys(vec![next]));
                assert_eq!(done(sink.push(&keys(&ring))).unwrap(), Pushed::Keys(vec![next]));
                assert_eq!(done(sink.lacks(&keys(&ring))).unwrap(), Lacks::Nothing);
                assert_eq!(done(sink.push(&keys(&ring))).unwrap(), Pushed::Nothing);
            }
            let told = format!("{resumption:?}, rotation {rotation}");
            assert!(visitor.resumes(b, &(rotation - 1).to_string()), "{told}: the key of before");
            visitor.keep_session(a, &rotation.to_string());
            assert!(visitor.resumes(b, &rotation.to_string()), "{told}: the issuing key");
            // What is promised is one rotation: HAProxy has no place for more.
            if rotation > 1 {
                assert!(!visitor.resumes(b, &(rotation - 2).to_string()), "{told}: the key before that");
            }
        }
    }
}

#[test]
fn a_haproxy_that_was_restarted_is_given_the_ring_again() {
    require!("haproxy", "openssl");
    let site = Site::new();
    let mut ring = FleetRing::new();
    let keys = |ring: &FleetRing| ring.keys(Product::HaProxy, KeySize::Bits256);
    let mut nodes = [1, 2].map(|number| haproxy_node(&site, number, Resumption::Tickets, &keys(&ring)));
    let path = key_file(&site, 1);
    let stale = fs::read(&path).unwrap();
    for rotations in [2, 4] {
        (0..rotations).for_each(|_| ring.rotate());
        for (sink, _) in &mut nodes {
            done(sink.push(&keys(&ring))).unwrap();
        }
        let [(sink, haproxy), (_, other)] = &mut nodes;
        haproxy.kill();
        let gone = done(sink.lacks(&keys(&ring))).unwrap_err().to_string();
        assert!(gone.contains("is HAProxy running, with `stats socket ... level admin`"), "{gone}");

        // With the file that we wrote nothing is missing.
        haproxy.restart(&site.scratch);
        assert_eq!(done(sink.lacks(&keys(&ring))).unwrap(), Lacks::Nothing);

        haproxy.kill();
        fs::write(&path, &stale).unwrap();
        haproxy.restart(&site.scratch);
        assert!(matches!(done(sink.lacks(&keys(&ring))).unwrap(), Lacks::Keys(names) if !names.is_empty()));
        let visitor = Visitor::new(&site, Version::Tls12);
        visitor.keep_session(other.address(), "session");
        assert!(!visitor.resumes(haproxy.address(), "session"));
        assert!(matches!(done(sink.push(&keys(&ring))).unwrap(), Pushed::Keys(names) if !names.is_empty()));
        assert!(visitor.resumes(haproxy.address(), "session"));
        assert_ne!(fs::read(&path).unwrap(), stale);
    }
}

#[test]
fn the_file_is_there_before_haproxy_is() {
    require!("haproxy");
    let site = Site::new();
    let keys = FleetRing::new().keys(Product::HaProxy, KeySize::Bits128);
    let path = key_file(&site, 1);
    let sink = |socket: &Path| Sink::HaProxy(HaProxy::new(StatsSocket::Unix(socket.into()), on_disk(&path)));
    let early = done(sink(&site.scratch.join("none.sock")).push(&keys)).unwrap_err().to_string();
    assert!(early.contains("none.sock: No such file or directory"), "{early}");
    let haproxy = Haproxy::start_with_key_file(&site.scratch, &site.certificate, Resumption::Tickets, &path);
    assert_eq!(done(sink(haproxy.stats_socket()).push(&keys)).unwrap(), Pushed::Nothing);
}

#[test]
fn haproxy_says_what_hinders_it() {
    require!("haproxy");
    let site = Site::new();
    let mut ring = FleetRing::new();
    let keys = |ring: &FleetRing, size| ring.keys(Product::HaProxy, size);
    let key = Key::random_of_48_bytes;
    let others = KeyFile::new(&site.scratch, "others keys", &[&key(), &key(), &key()]);
    let quoted = PathBuf::from(format!("\"{}\"", others.path().display()));
    let haproxy = Haproxy::start_with_key_file(&site.scratch, &site.certificate, Resumption::Tickets, &quoted);
    let sink =
        |socket: &Path, name: &str| HaProxy::new(StatsSocket::Unix(socket.into()), on_disk(&site.scratch.join(name)));

    let (socket, user) = (haproxy.stats_socket(), haproxy.stats_socket().with_extension("sock.user"));
    let unknown =
        done(Sink::HaProxy(sink(socket, "ours")).push(&keys(&ring, KeySize::Bits128))).unwrap_err().to_string();
    assert!(
        unknown.ends_with(&format!("or set reference to one that it has: {}", others.path().display())),
        "{unknown}"
    );

    let mut long = Sink::HaProxy(sink(socket, "ours").referring_to(others.path().display().to_string()));
    let long = done(long.push(&keys(&ring, KeySize::Bits256))).unwrap_err().to_string();
    assert!(long.contains("have 48 bytes and ours 80; set bits = 128"), "{long}");

    // By its name, blank and all, and by its number.
    for reference in [&others.path().display().to_string(), "#0"] {
        ring.rotate();
        let mut sink = Sink::HaProxy(sink(socket, "ours").referring_to(reference));
        assert!(matches!(done(sink.push(&keys(&ring, KeySize::Bits128))).unwrap(), Pushed::Keys(_)), "{reference}");
    }

    // Over TCP.
    ring.rotate();
    let tcp = HaProxy::new(StatsSocket::Tcp(haproxy.stats_address().to_string()), on_disk(&site.scratch.join("ours")));
    let pushed = done(Sink::HaProxy(tcp.referring_to("#0")).push(&keys(&ring, KeySize::Bits128))).unwrap();
    assert_eq!(pushed, Pushed::Keys(vec![last(&keys(&ring, KeySize::Bits128))]));

    // HAProxy asks for level admin since 3.3; before that it lets everybody.
    ring.rotate();
    match done(Sink::HaProxy(sink(&user, "ours").referring_to("#0")).push(&keys(&ring, KeySize::Bits128))) {
        Ok(pushed) => assert_eq!(pushed, Pushed::Keys(vec![last(&keys(&ring, KeySize::Bits128))])),
        Err(refused) => assert!(refused.to_string().contains("level admin"), "{refused}"),
    }
}

#[test]
fn nginx_follows_a_ring_by_reloads() {
    require!("nginx", "openssl");
    for resumption in [Resumption::Tickets, Resumption::Tls13] {
        let site = Site::new();
        let mut ring = FleetRing::new();
        let keys = |ring: &FleetRing| ring.keys(Product::Nginx, KeySize::Bits256);
        let mut nodes = [1, 2].map(|number| {
            let directory = site.scratch.join(&format!("nginx keys {number}"));
            fs::create_dir(&directory).unwrap();
            let include = directory.join("ticket-keys.conf");
            let quoted = PathBuf::from(format!("\"{}\"", include.display()));
            let nginx = Prepared::including(&site.scratch, &site.certificate, resumption, &quoted);
            let mut sink = Sink::Nginx(nginx_sink(&nginx, &include));
            // It does not run yet, and could not without the file.
            let early = done(sink.push(&keys(&ring))).unwrap_err().to_string();
            assert!(early.contains("nginx.pid"), "{early}");
            assert_eq!(done(sink.lacks(&keys(&ring))).unwrap(), Lacks::Nothing);
            (sink, nginx.start(&site.scratch), directory)
        });
        let [a, b] = nodes.each_ref().map(|(_, nginx, _)| nginx.address());
        let visitor = Visitor::new(&site, resumption.version());
        for rotation in 0..=3 {
            for (sink, nginx, directory) in &mut nodes {
                assert!(matches!(done(sink.push(&keys(&ring))).unwrap(), Pushed::Keys(_)));
                assert_eq!(done(sink.push(&keys(&ring))).unwrap(), Pushed::Nothing);
                nginx.expect_workers_gone(rotation + 1);
                // A key each, and what lists them.
                assert_eq!(fs::read_dir(directory).unwrap().count(), keys(&ring).names().count() + 1);
            }
            visitor.keep_session(a, &rotation.to_string());
            for before in 0..=rotation {
                assert!(visitor.resumes(b, &before.to_string()), "{resumption:?}, {before} at rotation {rotation}");
            }
            ring.rotate();
        }
    }
}

#[test]
fn what_nginx_does_not_pass_is_taken_back() {
    require!("nginx", "openssl");
    let site = Site::new();
    let mut ring = FleetRing::new();
    let include = site.scratch.join("ticket-keys.conf");
    let prepared = Prepared::including(&site.scratch, &site.certificate, Resumption::Tickets, &include);
    let mut sink = Sink::Nginx(nginx_sink(&prepared, &include));
    let keys = |ring: &FleetRing| ring.keys(Product::Nginx, KeySize::Bits256);
    done(sink.push(&keys(&ring))).unwrap_err();
    let nginx = prepared.start(&site.scratch);
    done(sink.push(&keys(&ring))).unwrap();
    let visitor = Visitor::new(&site, Version::Tls12);
    visitor.keep_session(nginx.address(), "session");
    let before = fs::read_to_string(&include).unwrap();

    let sound = fs::read_to_string(nginx.config()).unwrap();
    fs::write(nginx.config(), sound.replace("events {}", "events {}\nnonsense;")).unwrap();
    ring.rotate();
    let refused = done(sink.push(&keys(&ring))).unwrap_err().to_string();
    assert!(refused.contains("unknown directive \"nonsense\"") && refused.starts_with("`nginx -e stderr"), "{refused}");
    assert_eq!(fs::read_to_string(&include).unwrap(), before);
    assert!(visitor.resumes(nginx.address(), "session"));

    fs::write(nginx.config(), sound).unwrap();
    assert!(matches!(done(sink.push(&keys(&ring))).unwrap(), Pushed::Keys(_)));
}

#[test]
fn a_reload_that_nginx_does_not_follow_is_noticed() {
    require!("nginx");
    let site = Site::new();
    let keys = FleetRing::new().keys(Product::Nginx, KeySize::Bits256);
    let include = site.scratch.join("ticket-keys.conf");
    let prepared = Prepared::including(&site.scratch, &site.certificate, Resumption::Tickets, &include);
    let [test, reload] =
        [prepared.command(&["-t"]), vec!["true".to_owned()]].map(|words| Command::new(words, PATIENCE).unwrap());
    let mut sink = Sink::Nginx(Nginx::new(on_disk(&include), test, reload).with_pid_file(prepared.pid_file()));
    // Nothing to be seen, nothing to be noticed.
    done(sink.push(&keys)).unwrap();
    let _nginx = prepared.start(&site.scratch);
    fs::write(&include, "").unwrap();
    let unseen = done(sink.push(&keys)).unwrap_err().to_string();
    assert!(unseen.contains("nginx has no new workers after"), "{unseen}");
}

#[test]
fn h2o_follows_a_ring_by_its_file() {
    require!("h2o", "openssl");
    let site = Site::new();
    let mut ring = FleetRing::new();
    let keys = |ring: &FleetRing| ring.keys(Product::H2o, KeySize::Bits256);
    let mut nodes = [1, 2].map(|number| {
        let path = key_file(&site, number);
        let mut sink = Sink::H2o(H2o::new(on_disk(&path)));
        done(sink.push(&keys(&ring))).unwrap();
        (sink, backend::h2o::H2o::start_with_key_file(&site.scratch, &site.certificate, &path))
    });
    let [a, b] = nodes.each_ref().map(|(_, h2o)| h2o.address());
    let visitor = Visitor::new(&site, Version::Tls12);
    for rotation in 0..=2 {
        for (sink, h2o) in &mut nodes {
            // It started with the first ones.
            let pushed = done(sink.push(&keys(&ring))).unwrap();
            assert_eq!(matches!(pushed, Pushed::Keys(_)), rotation > 0);
            h2o.expect_loads(rotation + 1);
        }
        visitor.keep_session(a, &rotation.to_string());
        assert_eq!(visitor.sealing_key(&rotation.to_string()), issuing(&keys(&ring)));
        for before in 0..=rotation {
            assert!(visitor.resumes(b, &before.to_string()), "{before} at rotation {rotation}");
        }
        ring.rotate();
    }
}

/// Envoy itself is not run: this is the shape that its documentation has, read by somebody else's YAML.
#[test]
fn the_file_for_envoy_is_yaml_of_the_right_shape() {
    require!("/usr/bin/python3", "/usr/lib/python3/dist-packages/yaml/__init__.py");
    let site = Site::new();
    let path = site.scratch.join("stek.yaml");
    let keys = FleetRing::new().keys(Product::Envoy, KeySize::Bits256);
    done(Sink::Envoy(Envoy::new(on_disk(&path), "stek").unwrap()).push(&keys)).unwrap();
    let read = envoy::read_secret(&path);
    let line = |name: KeyName| format!("inline_bytes 80 {name}\n");
    let names: Vec<_> = keys.names().map(line).collect();
    let [retiring, issuing, next] = &names[..] else { panic!("three keys") };
    assert_eq!(read, [&issuing[..], next, retiring].concat());
}

/// A ring as it is rotated for a fleet, of a schedule that keeps four retiring keys.
struct FleetRing {
    ring: Ring,
}

impl FleetRing {
    fn new() -> Self {
        let keys = [(); 3].map(|()| fresh_key(KeySize::Bits256));
        Self { ring: Ring::from_lines(keys.into(), NOW).unwrap() }
    }

    fn rotate(&mut self) {
        self.ring.advance(NOW, fresh_key(KeySize::Bits256), 4).unwrap();
    }

    fn keys(&self, product: Product, size: KeySize) -> ProductKeys {
        ProductKeys::of_ring(&self.ring, product, size).unwrap()
    }
}

/// A HAProxy that has the ring from its file, and the sink that gave it that file.
fn haproxy_node(site: &Site, number: usize, resumption: Resumption, keys: &ProductKeys) -> (Sink, Haproxy) {
    let path = key_file(site, number);
    let sink = |socket: PathBuf| Sink::HaProxy(HaProxy::new(StatsSocket::Unix(socket), on_disk(&path)));
    done(sink(site.scratch.join("none")).push(keys)).unwrap_err();
    let haproxy = Haproxy::start_with_key_file(&site.scratch, &site.certificate, resumption, &path);
    (sink(haproxy.stats_socket().to_owned()), haproxy)
}

fn nginx_sink(nginx: &Prepared, include: &Path) -> Nginx {
    let command = |arguments: &[&str]| Command::new(nginx.command(arguments), PATIENCE).unwrap();
    Nginx::new(on_disk(include), command(&["-t"]), command(&["-s", "reload"])).with_pid_file(nginx.pid_file())
}

fn key_file(site: &Site, number: usize) -> PathBuf {
    site.scratch.join(&format!("keys-{number}"))
}

/// The keys of tests are worth nothing.
fn on_disk(path: &Path) -> SecretFile {
    SecretFile::new(path).on_disk()
}

fn last(keys: &ProductKeys) -> KeyName {
    keys.names().next_back().unwrap()
}

fn issuing(keys: &ProductKeys) -> KeyName {
    keys.names().rev().nth(1).unwrap()
}

fn done<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

const NOW: UnixTime = UnixTime::from_millis(0);
const PATIENCE: Duration = deadline::PATIENCE;
