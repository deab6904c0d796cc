use std::collections::BTreeMap;

use raincheck_diagnosis::evidence::{Failure, Stage};

use super::*;

/// A fleet in which time passes only as the plan wants it to.
struct World {
    nodes: Vec<Node>,
    /// How long a connection takes; one that is not answered takes a hundred times as long.
    latency: Duration,
    wait: Duration,
    /// Whether all know one another's session IDs.
    one_cache: bool,
}

#[derive(Clone)]
struct Node {
    key: char,
    gives: [Gives; 3],
    /// TLS 1.3 tickets on a full handshake, and on a resumed one.
    tickets: (usize, usize),
    /// On how many connections that are to bring tickets it gives some.
    generous: usize,
    answers: bool,
}

/// What happened.
#[derive(Default)]
struct Log {
    /// Who was asked what, how often.
    asked: BTreeMap<(&'static str, usize, usize, bool), usize>,
    /// When connections to each node began, in order.
    began: BTreeMap<usize, Vec<Duration>>,
    end: Duration,
    /// What there was left to do.
    left: usize,
}

impl World {
    fn new(keys: &str) -> Self {
        let gives = [(); 3].map(|()| Gives::Sessions);
        let node = |key: char| Node { key, gives: gives.clone(), tickets: (2, 1), generous: usize::MAX, answers: true };
        let nodes = keys.chars().map(node).collect();
        Self { nodes, latency: Duration::from_millis(5), wait: Duration::ZERO, one_cache: false }
    }

    fn run(&self) -> Log {
        let nodes = self.nodes.len();
        let (mut plan, mut psks) = (Plan::new(nodes, self.wait), Psks::new(nodes));
        let (mut now, mut log) = (Duration::ZERO, Log::default());
        let mut running: Vec<(Duration, usize, Step)> = Vec::new();
        let mut given = vec![0; nodes];
        loop {
            while let Some((node, step)) = plan.next(now, &psks) {
                assert!(running.iter().all(|&(_, other, _)| other != node), "two connections to {node} at once");
                log.began.entry(node).or_default().push(now);
                if let Step::Ask { task, .. } = step
                    && task.way == Way::Psk
                {
                    let ticket =
                        if task.takes_ticket(node) { psks.take(task.issuer) } else { psks.take_kept_back(node) };
                    ticket.expect("a ticket to offer");
                }
                let takes = if self.nodes[node].answers { self.latency } else { self.latency * 100 };
                running.push((now + takes, node, step));
            }
            running.sort_by_key(|&(end, ..)| end);
            let due = plan.due(&psks);
            let Some(&(end, node, step)) = running.first().filter(|(end, ..)| due.is_none_or(|due| *end <= due)) else {
                match due {
                    Some(due) => assert!(due > std::mem::replace(&mut now, due), "the plan stands still"),
                    None => return Log { end: now, left: plan.progress().left, ..log },
                }
                continue;
            };
            running.remove(0);
            now = now.max(end);
            assert!(now < Duration::from_secs(3600), "there is no end to it");
            self.ends(&mut plan, &mut psks, &mut given, &mut log, (node, step, now));
        }
    }

    fn ends(
        &self,
        plan: &mut Plan,
        psks: &mut Psks<()>,
        given: &mut [usize],
        log: &mut Log,
        (node, step, now): (usize, Step, Duration),
    ) {
        let Node { key, gives, tickets, generous, answers } = &self.nodes[node];
        let gives = |way: Way| if *answers { gives[way as usize].clone() } else { Gives::Unknown(silence()) };
        match step {
            Step::Give(way) => {
                let mut gives = gives(way);
                if way == Way::Psk && gives == Gives::Sessions {
                    if given[node] >= *generous {
                        gives = Gives::Nothing;
                    } else {
                        psks.keep(node, vec![(); tickets.0], given[node] == 0);
                    }
                    given[node] += 1;
                }
                plan.gave(node, way, &gives, !answers);
            }
            Step::Ask { task: task @ Task { way, issuer, again }, .. } => {
                *log.asked.entry((way.as_str(), issuer, node, again)).or_default() += 1;
                let resumed = match way {
                    Way::SessionId => self.one_cache || issuer == node,
                    Way::Psk | Way::Ticket => self.nodes[issuer].key == *key && key.is_lowercase(),
                };
                if way == Way::Psk {
                    psks.keep(node, vec![(); if resumed { tickets.1 } else { tickets.0 }], false);
                }
                let reply = match (answers, resumed) {
                    (false, _) => Reply::Failed(silence()),
                    (true, true) => Reply::Resumed,
                    (true, false) => Reply::Refused(0x1301),
                };
                plan.replied(node, task, &reply, now);
            }
        }
    }
}

impl Log {
    /// Pairs of nodes of which the one was asked that often for a session of the other.
    fn pairs(&self, way: Way, again: bool, times: usize) -> usize {
        self.asked
            .iter()
            .filter(|((by, _, _, later), count)| *by == way.as_str() && *later == again && **count == times)
            .count()
    }

    fn was_asked(&self, node: usize) -> bool {
        self.asked.keys().any(|&(_, _, asked, _)| asked == node)
    }
}

fn silence() -> Failure {
    Failure::TimedOut(Stage::Hello)
}

#[test]
fn each_node_is_asked_once_for_the_tickets_of_each() {
    for nodes in 1..=7 {
        let log = World::new(&"aaaaaaa"[..nodes]).run();
        assert_eq!(log.pairs(Way::Psk, false, 1), nodes * nodes);
        assert_eq!(log.pairs(Way::Ticket, false, 1), nodes * nodes);
        assert_eq!(log.asked.values().sum::<usize>(), log.asked.len(), "nothing twice");
        assert_eq!(log.left, 0);
        // Of session IDs, its own and the next.
        assert_eq!(log.pairs(Way::SessionId, false, 1), nodes * nodes.min(2));
    }
}

#[test]
fn no_node_is_called_upon_more_than_five_times_a_second() {
    let log = World::new("abcdefgh").run();
    for (node, began) in &log.began {
        assert!(began.windows(2).all(|pair| pair[1] - pair[0] >= Duration::from_millis(200)), "{node}: {began:?}");
    }
}

#[test]
fn fifty_nodes_take_less_than_a_minute() {
    let shared = "a".repeat(50);
    let own: String = ('\u{4e00}'..).take(50).collect();
    let two = "ab".repeat(25);
    for (keys, tickets) in [(&shared, (2, 1)), (&shared, (2, 0)), (&shared, (1, 1)), (&own, (2, 1)), (&two, (2, 0))] {
        let mut world =
            World { wait: Duration::from_secs(10), latency: Duration::from_millis(100), ..World::new(keys) };
        world.nodes.iter_mut().for_each(|node| node.tickets = tickets);
        let log = world.run();
        assert_eq!(log.pairs(Way::Psk, false, 1) + log.pairs(Way::Psk, false, 3), 2500);
        assert!(log.end < Duration::from_secs(60), "{tickets:?}: {:?}", log.end);
    }
}

#[test]
fn a_wait_has_refusals_and_a_nodes_own_asked_again() {
    let wait = Duration::from_secs(10);
    let log = World { wait, ..World::new("aab") }.run();
    let again: Vec<_> = log.asked.keys().filter(|(by, .., again)| *by == "ticket" && *again).collect();
    let again: Vec<_> = again.iter().map(|(_, issuer, asked, _)| (*issuer, *asked)).collect();
    assert_eq!(again, [(0, 0), (0, 2), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2)]);
    assert_eq!(log.pairs(Way::Psk, true, 1), 7);
    assert_eq!(log.pairs(Way::SessionId, true, 1), 0);
    assert!(log.end >= wait && log.end < wait * 2, "{:?}", log.end);
}

#[test]
fn who_refuses_its_own_is_asked_twice_more() {
    let log = World::new("aXa").run(); // capitals refuse all
    assert_eq!(log.asked[&("psk", 1, 1, false)], 3);
    assert_eq!(log.asked[&("ticket", 1, 1, false)], 3);
    assert_eq!(log.asked[&("ticket", 0, 1, false)], 1);
}

#[test]
fn who_does_not_answer_is_left_alone_and_the_others_are_asked() {
    let mut world = World::new("aaaa");
    world.nodes[2].answers = false;
    let log = world.run();
    assert_eq!(log.began[&2].len(), 3);
    assert!(!log.was_asked(2));
    assert_eq!(log.pairs(Way::Psk, false, 1), 9);
}

#[test]
fn nobody_is_asked_for_what_is_not_given_or_not_spoken() {
    let mut world = World::new("aaa");
    world.nodes[1].gives = [Gives::NotSpoken, Gives::Sessions, Gives::Sessions];
    world.nodes[2].gives = [Gives::Nothing, Gives::Nothing, Gives::Sessions];
    let log = world.run();
    let psk: Vec<_> = log.asked.keys().filter(|(by, ..)| *by == "psk").map(|(_, from, to, _)| (*from, *to)).collect();
    assert_eq!(psk, [(0, 0), (0, 2)]);
    assert_eq!(log.left, 0);
    // There is nothing else to resume by at node 2, so its session IDs are for all to see.
    assert!(
        log.asked.contains_key(&("session-id", 2, 0, false)) && log.asked.contains_key(&("session-id", 2, 1, false))
    );
}

#[test]
fn session_ids_that_a_neighbour_knows_are_offered_to_all() {
    let log = World { one_cache: true, ..World::new("aaaaa") }.run();
    assert_eq!(log.pairs(Way::SessionId, false, 1), 25);
}

#[test]
fn who_gives_no_more_tickets_is_asked_for_some_three_times_more() {
    let mut world = World::new("aaaa");
    world.nodes.iter_mut().for_each(|node| node.tickets = (1, 0));
    world.nodes[1].generous = 1;
    let log = world.run();
    let of_it = log.asked.keys().filter(|(by, issuer, ..)| *by == "psk" && *issuer == 1).count();
    assert_eq!((of_it, log.pairs(Way::Psk, false, 1)), (1, 13));
    assert_eq!(log.left, 3, "those that were not asked");
}
