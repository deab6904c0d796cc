//! Products that an agent feeds beside each: what their tickets open, and what hinders them.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use raincheck_keyring::Epoch;
use raincheck_tests::agent::{Agent, Config, Sink};
use raincheck_tests::backend::haproxy::Haproxy;
use raincheck_tests::backend::nginx::{self, Nginx};
use raincheck_tests::backend::{Backend, Resumption};
use raincheck_tests::client::openssl::Visitor;
use raincheck_tests::config::quoted;
use raincheck_tests::deadline::until;
use raincheck_tests::etcd::Etcd;
use raincheck_tests::key_file::{Key, KeyFile, random};
use raincheck_tests::require;
use raincheck_tests::site::Site;

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
                assert!(missed < rotations, "{}: too slow to see anything", self.sink);
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
        Self { nginx: nginx.start(&site.scratch), sink, tested }
    }
}
