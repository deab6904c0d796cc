//! Products that an agent feeds beside each: what their tickets open, and what hinders them.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use raincheck_keyring::Epoch;
use raincheck_tests::agent::{Agent, Config, Sink};
use raincheck_tests::backend::h2o::H2o;
use raincheck_tests::backend::haproxy::Haproxy;
use raincheck_tests::backend::nginx::{self, Nginx};
use raincheck_tests::backend::{Backend, Resumption};
use raincheck_tests::client::Version;
use raincheck_tests::client::openssl::Visitor;
use raincheck_tests::config::quoted;
use raincheck_tests::deadline::until;
use raincheck_tests::etcd::Etcd;
use raincheck_tests::key_file::{Key, KeyFile, random};
use raincheck_tests::keys::{self, Server};
use raincheck_tests::site::Site;
use raincheck_tests::{envoy, require};

#[test]
fn tickets_open_on_the_other_node_at_each_of_twenty_rotations() {
    require!("haproxy", "nginx", "etcd", "openssl");
    const ROTATIONS: usize = 20;
    let site = Site::new();
    let etcd = Etcd::start(&site.scratch);
    let secret = site.scratch.write("fleet-secret", random(32));
    let config = |node: &str| {
        let config = Config::of_fleet(&etcd, &secret, node);
        config.keys("rotate", quoted("2s")).keys("accept", quoted("6s"))
    };
    let mut haproxies = ["a", "b"].map(|name| haproxy_with_other_keys(&site, name));
    let nginxes = ["a", "b"].map(|name| NginxNode::start(&site, name));
    let agents = haproxies.each_ref().map(|(haproxy, file)| Sink::haproxy(haproxy, file)).into_iter();
    let agents = agents.chain(nginxes.each_ref().map(|node| node.sink.clone())).zip(["ha", "hb", "na", "nb"]);
    let agents: Vec<_> = agents.map(|(sink, node)| Agent::start(&site.scratch, config(node).sink(sink))).collect();
    agents.iter().for_each(Agent::expect_ready);
    let of_before = haproxies.each_ref().map(|(haproxy, _)| (haproxy.info("Pid"), haproxy.info("Uptime_sec")));
    let [haproxy_agents, nginx_agents] = [&agents[..2], &agents[2..]];
    let delays = thread::scope(|scope| {
        let of_haproxy = scope.spawn(|| {
            let visitor = Visitor::new(&site, Resumption::Tickets.version());
            let addresses = haproxies.each_ref().map(|(haproxy, _)| haproxy.address());
            Pair { visitor, sink: "haproxy", addresses, agents: haproxy_agents }.expect_tickets_open(ROTATIONS)
        });
        let of_nginx = scope.spawn(|| {
            let visitor = Visitor::new(&site, Resumption::Tls13.version());
            let addresses = nginxes.each_ref().map(|node| node.nginx.address());
            Pair { visitor, sink: "nginx", addresses, agents: nginx_agents }.expect_tickets_open(ROTATIONS)
        });
        let mut delays = Vec::new();
        while !(of_haproxy.is_finished() && of_nginx.is_finished()) {
            delays.push(delay_of_next(&agents, ["haproxy", "haproxy", "nginx", "nginx"]));
        }
        let [of_haproxy, of_nginx] = [of_haproxy, of_nginx].map(|pair| pair.join().unwrap());
        // Every key has sealed. A reload of nginx may leave a visitor to a worker of before.
        assert_eq!(of_haproxy.len(), ROTATIONS);
        assert!(of_nginx.len() > ROTATIONS / 2, "{} of {ROTATIONS}", of_nginx.len());
        delays
    });
    for ((haproxy, _), (pid, uptime)) in haproxies.iter_mut().zip(of_before) {
        assert_eq!(haproxy.info("Pid"), pid);
        assert!(haproxy.info("Uptime_sec") >= uptime + 2 * (ROTATIONS as u64 - 1), "HAProxy began anew");
        assert!(!haproxy.said().to_ascii_lowercase().contains("reload"), "{}", haproxy.said());
    }
    for node in &nginxes {
        let (reloads, tests) = (node.nginx.reloads(), fs::read_to_string(&node.tested).unwrap().lines().count());
        assert!(reloads >= ROTATIONS && tests >= ROTATIONS && tests <= reloads + 1, "{reloads} reloads, {tests} tests");
    }
    let (mean, most) = (delays.iter().sum::<Duration>() / delays.len() as u32, delays.iter().max().unwrap());
    eprintln!(
        "{} rotations; all four hold a ring {mean:?} after the first agent has it, at most {most:?}",
        delays.len()
    );
}

#[test]
fn a_haproxy_that_was_killed_is_waited_for_and_gets_the_ring_back() {
    require!("haproxy");
    const PATIENCE: Duration = Duration::from_secs(5);
    let site = Site::new();
    let schedule = [("rotate", "1s"), ("accept", "6s"), ("rotation-patience", "5s")];
    let server = schedule
        .iter()
        .fold(keys::Config::new(&site.authority), |config, (key, value)| config.keys(key, quoted(value)));
    let server = Server::start(&site.scratch, server);
    let [(mut haproxy, file), (other, other_file)] = ["a", "b"].map(|name| haproxy_with_other_keys(&site, name));
    let config = Config::of_server(&server, &site.authority, "lb")
        .keys("rotate", quoted("1s"))
        .keys("accept", quoted("6s"))
        .sink(Sink::haproxy(&haproxy, &file))
        .sink(Sink::haproxy(&other, &other_file).set("name", quoted("other")));
    let agent = Agent::start_ready(&site.scratch, config);
    let lacking = || server.status()["nodes"][0]["lacking"].as_bool().expect("a node");
    let epoch = || server.epoch().parse::<Epoch>().unwrap();
    until("the node acknowledges", || (!lacking()).then_some(()));
    let stale = fs::read(&file).unwrap();
    let before = epoch();
    until("two rotations", || (epoch().counter > before.counter + 1).then_some(()));

    haproxy.kill();
    agent.expect_error("haproxy", "is HAProxy running");
    until("the node lacks a ring", || lacking().then_some(()));
    let (waited, since) = (epoch(), Instant::now());
    until("patience is over", || (epoch() > waited).then_some(()));
    assert!(since.elapsed() > PATIENCE - Duration::from_secs(1), "{:?}", since.elapsed());
    server.expect_log("without lb that did not acknowledge");

    agent.freeze();
    fs::write(&file, &stale).unwrap();
    haproxy.restart(&site.scratch);
    assert!(haproxy.ticket_keys() != other.ticket_keys());
    agent.thaw();
    let since = Instant::now();
    until("it has the ring again", || (haproxy.ticket_keys() == other.ticket_keys()).then_some(()));
    eprintln!("HAProxy has the ring {:?} after it was started again", since.elapsed());
    assert!(since.elapsed() < LOOKS_EVERY + Duration::from_secs(2), "{:?}", since.elapsed());
    until("the node acknowledges", || (!lacking()).then_some(()));
    // It may have been frozen between the file and the socket.
    until("the file is written again", || (fs::read(&file).unwrap() != stale).then_some(()));

    // From the file that was written for it, it has the ring without anybody's help.
    let pushes = agent.sink("haproxy")["pushes"].clone();
    agent.freeze();
    haproxy.kill();
    haproxy.restart(&site.scratch);
    assert!(haproxy.ticket_keys() == other.ticket_keys());
    agent.thaw();
    until("a push", || (agent.sink("haproxy")["pushes"] != pushes).then_some(()));
    until("the node acknowledges", || (!lacking()).then_some(()));
}

#[test]
fn a_sink_that_rotates_less_often_has_one_key_of_every_few() {
    require!("etcd");
    let site = Site::new();
    let etcd = Etcd::start(&site.scratch);
    let secret = site.scratch.write("fleet-secret", random(32));
    let files = ["a", "b"].map(|name| site.scratch.join(&format!("keys-{name}")));
    let config = |node: usize| {
        let sink = Sink::new("file", &files[node]).set("rotate", quoted("6s")).set("accept", quoted("6s"));
        let config = Config::of_fleet(&etcd, &secret, ["a", "b"][node]).sink(sink);
        config.keys("rotate", quoted("2s")).keys("accept", quoted("10s"))
    };
    let mut agents = [0, 1].map(|node| Agent::start(&site.scratch, config(node)));
    // Until then there are not two keys of it, and no rotation waits for that.
    agents.iter().for_each(Agent::expect_ready);
    let held = |agents: &[Agent; 2]| agents.each_ref().map(|agent| agent.held("file").unwrap().counter);
    // No ring is on its way to a file.
    let both_hold = |agents: &[Agent; 2]| {
        let [a, b] = held(agents);
        (a == b && agents.iter().all(|agent| agent.epoch().counter == a)).then_some(a)
    };
    let lines = || files.each_ref().map(|file| fs::read_to_string(file).unwrap());
    let mut groups: BTreeMap<u64, String> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    until("four keys", || {
        let before = both_hold(&agents);
        let [a, b] = lines();
        if let Some(epoch) = both_hold(&agents).filter(|_| before == both_hold(&agents)) {
            assert_eq!(a, b, "{epoch}");
            let group = groups.entry(epoch / 3).or_insert_with(|| a.clone());
            assert_eq!(*group, a, "at {epoch} they are others than before in the same three epochs");
            seen.insert(epoch);
        }
        (groups.len() == 4).then_some(())
    });
    let newest = |text: &String| text.lines().last().unwrap().to_owned();
    let distinct: BTreeSet<_> = groups.values().map(newest).collect();
    assert_eq!((distinct.len(), seen.len() >= 7), (4, true), "{seen:?}");
    assert_eq!(groups.values().next_back().unwrap().lines().count(), 3);

    let [a, b] = agents;
    let ([before, _], kept) = (lines(), a.held("file").unwrap().counter / 3);
    let b = Agent::start_ready(&site.scratch, b.kill());
    let status = b.sink("file");
    let now: Epoch = status["epoch"].as_str().unwrap().parse().unwrap();
    assert_eq!(status["pushes"].as_u64().unwrap(), now.counter / 3 - kept, "{status}");
    if now.counter / 3 == kept {
        assert_eq!(lines()[1], before);
    }
    agents = [a, b];
    until("both hold the same", || both_hold(&agents));
}

#[test]
fn h2o_opens_with_a_ring_when_its_agent_says_so() {
    h2o_opens_at_each_of(1);
}

/// `make soak` runs it.
#[test]
#[ignore = "takes more than five minutes"]
fn h2o_opens_with_each_of_twenty_rings() {
    h2o_opens_at_each_of(20);
}

/// h2o looks at its file every ten seconds, so a rotation cannot be shorter than that.
fn h2o_opens_at_each_of(rotations: usize) {
    require!("h2o", "etcd", "openssl");
    let site = Site::new();
    let etcd = Etcd::start(&site.scratch);
    let secret = site.scratch.write("fleet-secret", random(32));
    let nodes = ["a", "b"].map(|name| {
        let file = site.scratch.join(&format!("h2o-{name}.yaml"));
        let config = Config::of_fleet(&etcd, &secret, name).sink(Sink::new("h2o", &file));
        let agent = Agent::start(&site.scratch, config.keys("rotate", quoted("15s")).keys("accept", quoted("45s")));
        until("the file is there", || file.exists().then_some(()));
        (H2o::start_with_key_file(&site.scratch, &site.certificate, &file), agent)
    });
    nodes.iter().for_each(|(_, agent)| agent.expect_ready());
    let [a, b] = nodes.each_ref().map(|(h2o, _)| h2o.address());
    let visitor = Visitor::new(&site, Version::Tls12);
    let held = |index: usize| nodes[index].1.held("h2o").unwrap();
    until("both hold the same", || (held(0) == held(1)).then_some(()));
    let mut last = held(0);
    visitor.keep_session(a, "0");
    assert!(visitor.resumes(b, "0"));
    for rotation in 1..=rotations {
        until("another", || (held(0) == held(1) && held(0) > last).then_some(()));
        last = held(0);
        let [fresh, previous] = [rotation, rotation - 1].map(|rotation| rotation.to_string());
        visitor.keep_session(a, &fresh);
        assert_ne!(visitor.sealing_key(&fresh), visitor.sealing_key(&previous));
        assert!(visitor.resumes(b, &fresh), "rotation {rotation}");
        assert!(visitor.resumes(b, &previous), "rotation {rotation}");
    }
}

#[test]
fn a_file_for_envoy_has_its_shape() {
    require!("/usr/bin/python3", "/usr/lib/python3/dist-packages/yaml/__init__.py");
    let site = Site::new();
    let ring = [(); 3].map(|()| Key::random());
    let ring = KeyFile::new(&site.scratch, "ring", &ring.each_ref());
    let file = site.scratch.join("stek.yaml");
    let _agent = Agent::start_ready(&site.scratch, Config::of_file(ring.path()).sink(Sink::new("envoy", &file)));
    let read = envoy::read_secret(&file);
    assert_eq!(read.lines().filter(|line| line.starts_with("inline_bytes 80 ")).count(), 3, "{read}");
    assert_eq!(read.lines().count(), 3, "{read}");
}

#[test]
fn what_hinders_a_product_is_said_and_its_agent_goes_on_trying() {
    require!("haproxy", "nginx");
    let site = Site::new();
    let ring = [(); 3].map(|()| Key::random());
    let ring = KeyFile::new(&site.scratch, "ring", &ring.each_ref());
    let (haproxy, _) = haproxy_with_other_keys(&site, "a");
    let nginx = NginxNode::start(&site, "a");
    let sound = fs::read_to_string(nginx.nginx.config()).unwrap();
    fs::write(nginx.nginx.config(), sound.replace("events {}", "events {}\nnonsense;")).unwrap();
    let missing = site.scratch.join("none.sock");
    let named = |sink: Sink, name: &str| sink.set("name", quoted(name));
    let config = Config::of_file(ring.path())
        .sink(
            named(Sink::new("haproxy", &site.scratch.join("stek-1")), "gone").set("socket", quoted(missing.display())),
        )
        .sink(named(Sink::haproxy(&haproxy, &site.scratch.join("stek-2")), "stranger"))
        .sink(nginx.sink.clone())
        .sink(named(Sink::new("file", Path::new("/proc/keys")).set("on-disk", false), "disk"));
    let agent = Agent::start(&site.scratch, config);
    for (sink, error) in [
        (
            "gone",
            "none.sock: No such file or directory (os error 2); is HAProxy running, with `stats socket ... level admin`",
        ),
        ("stranger", "stek-2; write `tls-ticket-keys "),
        ("nginx", "unknown directive \"nonsense\""),
        ("disk", "/proc: not on tmpfs or ramfs, so ticket keys would be on a disk; "),
    ] {
        let error = agent.expect_error(sink, error);
        agent.expect_log(0, &format!("sink {sink}"));
        agent.expect_log(0, &error);
    }
    let unready = agent.admin("/readyz");
    assert!(
        unready.status == 503 && unready.body.starts_with("sink disk has no keys: /proc: not on tmpfs"),
        "{unready:?}"
    );
    assert_eq!(fs::read_to_string(&nginx.include).unwrap(), "");
    // The same complaint is not said twice.
    until("several failures", || (agent.sink("gone")["failures"].as_u64() > Some(2)).then_some(()));
    assert_eq!(agent.log().matches("none.sock: No such file").count(), 1, "{}", agent.log());

    fs::write(nginx.nginx.config(), sound).unwrap();
    until("nginx has the keys", || (agent.sink("nginx")["error"].is_null()).then_some(()));
    let include = fs::read_to_string(&nginx.include).unwrap();
    assert_eq!(include.matches("ssl_session_ticket_key").count(), 3, "{include}");
}

#[test]
fn what_is_wrong_in_the_file_is_named_and_nothing_starts() {
    let site = Site::new();
    let ring = [(); 3].map(|()| Key::random());
    let ring = KeyFile::new(&site.scratch, "ring", &ring.each_ref());
    let config = || Config::of_file(ring.path());
    let haproxy = || Sink::new("haproxy", &site.scratch.join("stek")).set("socket", quoted("admin.sock"));
    for (config, error) in [
        (config(), "there is no [[sink]] in it; add one with name, kind and file"),
        (config().sink(haproxy().set("rotate", quoted("90m"))), "sink.rotate: 1h30m is no multiple of keys.rotate"),
        (
            config().sink(haproxy().set("accept", quoted("3h"))),
            "sink.accept: 3h is more than HAProxy's three slots can",
        ),
        (config().sink(haproxy().set("sokcet", 1)), "sink.sokcet: unknown key `sokcet`; did you mean `socket`?"),
    ] {
        let refused = Agent::refusal(&site.scratch, &config.text());
        assert_eq!(refused.status, Some(2), "{}", refused.output());
        assert!(refused.stderr.contains(error), "{error}\n{}", refused.stderr);
    }
}

#[test]
fn a_reload_brings_other_products_and_an_end_leaves_them_their_keys() {
    require!("haproxy", "openssl");
    let site = Site::new();
    let ring = [(); 3].map(|()| Key::random());
    let ring = KeyFile::new(&site.scratch, "ring", &ring.each_ref());
    let [(a, a_file), (b, b_file)] = ["a", "b"].map(|name| haproxy_with_other_keys(&site, name));
    let one = Config::of_file(ring.path()).sink(Sink::haproxy(&a, &a_file));
    let two = one.clone().sink(Sink::haproxy(&b, &b_file).set("name", quoted("second")));
    let mut agent = Agent::start_ready(&site.scratch, one);
    assert_ne!(a.ticket_keys(), b.ticket_keys());

    agent.reload_text("[[sink]]\nname = \"haproxy\"\nkind = \"haproxi\"\n");
    agent.expect_log(0, "reload failed, nothing has changed: ");
    agent.expect_log(0, "`haproxi` is none of its values");
    let status = agent.status();
    assert_eq!((status["sinks"].as_array().unwrap().len(), agent.admin("/readyz").status), (1, 200));

    agent.reload(two);
    until("the second has the keys", || (a.ticket_keys() == b.ticket_keys()).then_some(()));
    agent.expect_ready();
    let status = agent.status();
    assert_eq!(status["sinks"].as_array().unwrap().len(), 2, "{status}");
    assert_eq!(agent.sink("haproxy")["pushes"], 1);

    assert_eq!(agent.terminate().code(), Some(0));
    let visitor = Visitor::new(&site, Version::Tls12);
    visitor.keep_session(a.address(), "session");
    assert!(visitor.resumes(b.address(), "session"));
}

#[test]
fn keys_are_in_the_files_of_sinks_and_nowhere_else() {
    let site = Site::new();
    let keys = [(); 5].map(|()| Key::random());
    let ring = KeyFile::new(&site.scratch, "ring", &[&keys[0], &keys[1], &keys[2]]);
    let file = site.scratch.join("keys");
    let fails = site.scratch.join("none.sock");
    let config = Config::of_file(ring.path())
        .sink(Sink::new("file", &file))
        .sink(Sink::new("haproxy", &site.scratch.join("stek")).set("socket", quoted(fails.display())));
    let agent = Agent::start(&site.scratch, config);
    let mut secrets = Vec::new();
    let mut names = Vec::new();
    for rotation in 0..3 {
        ring.replace(&[&keys[rotation], &keys[rotation + 1], &keys[rotation + 2]]);
        until("the product has the key", || {
            (agent.held("file").is_some() && agent.sink("file")["pushes"].as_u64() == Some(rotation as u64 + 1))
                .then_some(())
        });
        for line in fs::read_to_string(&file).unwrap().lines() {
            let key = Key::of(&STANDARD.decode(line).unwrap());
            secrets.extend(key.secrets());
            names.push(key.name());
        }
    }
    secrets.extend(keys.iter().flat_map(Key::secrets));
    agent.expect_error("haproxy", "is HAProxy running");
    let pages = ["/", "/status.json", "/metrics", "/readyz"].map(|path| agent.admin(path).body);
    let said = [agent.log(), pages.concat()].concat();
    assert!(said.contains(&keys[4].name()), "the names of the ring's keys are in the log");
    for secret in &secrets {
        assert!(!said.contains(secret), "{secret} in:\n{said}");
    }
    // Of other keys than the ring's.
    assert!(names.iter().all(|name| keys.iter().all(|key| key.name() != *name)));
}

/// Two nodes of a product.
struct Pair<'a> {
    visitor: Visitor<'a>,
    sink: &'static str,
    addresses: [SocketAddr; 2],
    agents: &'a [Agent],
}

impl Pair<'_> {
    /// As soon as one of them has another key to seal with, what it seals opens on the other, and what was sealed before
    /// that does, too. Gives the names of the keys that sealed.
    fn expect_tickets_open(&self, rotations: usize) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        let (mut seen, _) = self.newest();
        let session = |epoch: Epoch| format!("{}-{}", self.sink, epoch.counter);
        self.visitor.keep_session(self.addresses[0], &session(seen));
        let (mut checked, mut missed) = (0, 0);
        while checked < rotations {
            let (epoch, first) = until("a rotation", || Some(self.newest()).filter(|(epoch, _)| *epoch > seen));
            let [from, to] = [self.addresses[first], self.addresses[1 - first]];
            self.visitor.keep_session(from, &session(epoch));
            let fresh_opens = self.visitor.resumes(to, &session(epoch));
            let previous_opens = self.visitor.resumes(to, &session(seen));
            // On a machine that is this slow it is another key's turn already.
            let too_late = epoch.counter > seen.counter + 1 || self.newest().0 > epoch;
            if too_late {
                missed += 1;
                assert!(missed <= rotations / 2, "{}: too slow to see anything", self.sink);
            } else {
                let told = format!("{} at {epoch}, from node {first}", self.sink);
                assert!(fresh_opens, "{told}: a fresh ticket is refused");
                assert!(previous_opens, "{told}: one of the key of before is refused");
                names.insert(self.visitor.sealing_key(&session(epoch)).to_string());
                checked += 1;
            }
            seen = epoch;
        }
        names
    }

    /// The newest ring that one of them holds, and which of them.
    fn newest(&self) -> (Epoch, usize) {
        let held = |index: usize| (self.agents[index].held(self.sink).unwrap_or(Epoch::NONE), index);
        held(0).max(held(1))
    }
}

/// How long after the first agent has the next ring all products hold it.
fn delay_of_next(agents: &[Agent], sinks: [&str; 4]) -> Duration {
    let newest = || agents.iter().map(Agent::epoch).max().unwrap();
    let before = newest();
    let epoch = until("a rotation", || Some(newest()).filter(|epoch| *epoch > before));
    let begun = Instant::now();
    let hold = |(agent, sink): (&Agent, &str)| agent.held(sink).is_some_and(|held| held >= epoch);
    until("all products hold it", || agents.iter().zip(sinks).all(hold).then_some(()));
    begun.elapsed()
}

/// A HAProxy that was started with keys which are nobody else's, and the file they are in.
fn haproxy_with_other_keys(site: &Site, name: &str) -> (Haproxy, PathBuf) {
    let keys = [(); 3].map(|()| Key::random());
    let file = KeyFile::new(&site.scratch, &format!("haproxy-keys-{name}"), &keys.each_ref());
    let haproxy = Haproxy::start_with_keys(&site.scratch, &site.certificate, Resumption::Tickets, &file);
    (haproxy, file.path().to_owned())
}

/// An nginx that was started without any keys.
struct NginxNode {
    nginx: Nginx,
    sink: Sink,
    include: PathBuf,
    tested: PathBuf,
}

impl NginxNode {
    fn start(site: &Site, name: &str) -> Self {
        let directory = site.scratch.join(&format!("nginx-keys-{name}"));
        fs::create_dir(&directory).unwrap();
        let [include, tested] = ["ticket-keys.conf", "tested"].map(|file| directory.join(file));
        fs::write(&include, "").unwrap();
        let nginx = nginx::Prepared::including(&site.scratch, &site.certificate, Resumption::Tls13, &include);
        let sink = Sink::nginx(&nginx, &include, &tested);
        Self { nginx: nginx.start(&site.scratch), sink, include, tested }
    }
}

/// How often an agent looks at a product that nothing new is for.
const LOOKS_EVERY: Duration = Duration::from_secs(5);
