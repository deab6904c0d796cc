use super::*;
use crate::evidence::{Ask, Description, Failure, Gives, KeyName, Node, Reply, Stage, Ways};
use crate::{Certainty, Finding, Name, Severity};

/// What nodes hold: the keys that they open, the one that they seal with first.
struct World {
    fleet: Fleet,
    keys: Vec<&'static str>,
    contexts: Vec<u8>,
}

impl World {
    /// Nodes that speak all versions, each with its keys, a letter each. In TLS 1.3 and 1.2 they give tickets.
    fn new(keys: &[&'static str]) -> Self {
        let gives = Ways { psk: Gives::Sessions, ticket: Gives::Sessions, session_id: Gives::Sessions };
        let node = |index: usize| Node {
            name: format!("n{index}:443"),
            address: format!("192.0.2.{}:443", index + 1).parse().unwrap(),
            gives: gives.clone(),
            key_names: Ways::default(),
            certificate: Some([0].into()),
            gone: None,
        };
        let fleet = Fleet { nodes: (0..keys.len()).map(node).collect(), asks: Vec::new() };
        Self { fleet, keys: keys.to_vec(), contexts: vec![0; keys.len()] }
    }

    fn gives(mut self, node: usize, psk: Gives, ticket: Gives, session_id: Gives) -> Self {
        self.fleet.nodes[node].gives = Ways { psk, ticket, session_id };
        self
    }

    fn context(mut self, node: usize, context: u8) -> Self {
        self.contexts[node] = context;
        self
    }

    /// Asks each node for the sessions of each, both ways by ticket and its own by session ID.
    fn asked(mut self) -> Self {
        self.ask_all(false);
        self
    }

    /// The same once more, with other keys to open with; sessions are sealed with the key of before.
    fn asked_again_with(mut self, keys: &[&'static str]) -> Self {
        let sealed = std::mem::replace(&mut self.keys, keys.to_vec());
        let names: Vec<char> = sealed.iter().filter_map(|keys| keys.chars().next()).collect();
        for issuer in 0..names.len() {
            for asked in 0..names.len() {
                self.ask_under(Way::Ticket, (issuer, asked), names[issuer], true);
            }
        }
        self
    }

    fn ask_all(&mut self, again: bool) {
        for way in Way::ALL {
            for issuer in 0..self.keys.len() {
                for asked in 0..self.keys.len() {
                    if let Some(key) = self.keys[issuer].chars().next() {
                        self.ask_under(way, (issuer, asked), key, again);
                    }
                }
            }
        }
    }

    fn ask_under(&mut self, way: Way, (issuer, asked): (usize, usize), key: char, again: bool) {
        let given = |node: usize| self.fleet.nodes[node].gives[way] == Gives::Sessions;
        if !given(issuer) || self.fleet.nodes[asked].gives[way] == Gives::NotSpoken {
            return;
        }
        let resumed = match way {
            Way::SessionId => issuer == asked,
            Way::Psk | Way::Ticket => {
                given(asked)
                    && self.keys[asked].contains(key)
                    && self.contexts[issuer] == self.contexts[asked]
                    && !self.keys[asked].contains('!')
            }
        };
        self.ask(way, issuer, asked, again, if resumed { Reply::Resumed } else { Reply::Refused(SUITE) });
        let ask = self.fleet.asks.last_mut().unwrap();
        if way != Way::SessionId {
            ask.key_name = KeyName::of(&[key as u8; 16]);
            let name = ask.key_name.unwrap();
            self.fleet.nodes[issuer].key_names[way].note(name);
        }
    }

    fn ask(&mut self, way: Way, issuer: usize, asked: usize, again: bool, reply: Reply) {
        let ask = Ask { way, issuer, asked, again, at: Default::default(), key_name: None, suite: SUITE, reply };
        self.fleet.asks.push(ask);
    }

    fn diagnosis(&self) -> Diagnosis {
        diagnose(&self.fleet)
    }
}

const SUITE: u16 = 0x1301;

fn found(diagnosis: &Diagnosis) -> Vec<(Name, Severity)> {
    diagnosis.findings.iter().map(|finding| (finding.name, finding.severity)).collect()
}

fn only(diagnosis: &Diagnosis) -> &Finding {
    match &diagnosis.findings[..] {
        [finding] => finding,
        findings => panic!("{findings:#?}"),
    }
}

const PROBLEM: Severity = Severity::Problem;

#[test]
fn who_shares_is_one_group_and_nothing_is_found() {
    let diagnosis = World::new(&["a", "a", "a", "a"]).asked().diagnosis();
    assert_eq!(diagnosis.groups, [[0, 1, 2, 3]]);
    assert_eq!(found(&diagnosis), []);
}

#[test]
fn two_keys_make_two_groups() {
    let world = World::new(&["a", "b", "a", "b", "a", "b", "a", "b"]).asked();
    let diagnosis = world.diagnosis();
    assert_eq!(diagnosis.groups, [[0, 2, 4, 6], [1, 3, 5, 7]]);
    let finding = only(&diagnosis);
    assert_eq!((finding.name, finding.severity, finding.certainty), (Name::KeysNotShared, PROBLEM, Certainty::Seen));
    assert_eq!(finding.summary, "8 nodes are in 2 groups that refuse one another's tickets.");
    assert_eq!(
        finding.evidence,
        [
            "one group: n0:443, n2:443, n4:443 and n6:443, under key 61616161616161616161616161616161",
            "one group: n1:443, n3:443, n5:443 and n7:443, under key 62626262626262626262626262626262",
            "64 refusals: the ticket was under a key that the node does not seal with",
        ]
    );
    assert!(finding.cost.starts_with("50% of the clients"), "{}", finding.cost);
    assert_eq!(finding.peers.len(), 8);
    assert_eq!(*diagnosis.cells.of_pair(Way::Psk, 0, 1), Cell::Refused(Why::OtherKey));
    assert_eq!(*diagnosis.cells.of_pair(Way::Psk, 0, 2), Cell::Resumed);
}

#[test]
fn nodes_that_share_with_nobody_are_groups_of_their_own() {
    let diagnosis = World::new(&["a", "b", "c", "d", "e", "f"]).asked().diagnosis();
    assert_eq!(diagnosis.groups.len(), 6);
    let finding = only(&diagnosis);
    assert_eq!(finding.name, Name::KeysNotShared);
    let summary = "No two of n0:443, n1:443, n2:443, n3:443 and 2 more open one another's tickets.";
    assert_eq!(finding.summary, summary);
    assert!(finding.cost.starts_with("83% of the clients"), "{}", finding.cost);
}

#[test]
fn one_key_and_another_context_is_told_from_another_key() {
    let mut world = World::new(&["a", "a", "a"]).context(2, 1).asked();
    let diagnosis = world.diagnosis();
    assert_eq!(diagnosis.groups, [vec![0, 1], vec![2]]);
    let finding = only(&diagnosis);
    assert_eq!(finding.name, Name::KeysNotShared);
    assert_eq!(*diagnosis.cells.of_pair(Way::Ticket, 2, 0), Cell::Refused(Why::OtherContext));
    assert!(finding.evidence.iter().any(|line| line.contains("8 refusals: the ticket was under the very key")));
    assert_eq!(finding.remedy, crate::remedy::CONTEXT_NOT_SHARED);
    world.fleet.nodes[2].certificate = Some([1].into());
    let diagnosis = world.diagnosis();
    assert_eq!(*diagnosis.cells.of_pair(Way::Ticket, 2, 0), Cell::Refused(Why::OtherCertificate));
    assert!(
        only(&diagnosis).evidence.iter().any(|line| line.contains("8 refusals: the ticket was under the very key"))
    );
    assert!(only(&diagnosis).evidence.iter().any(|line| line.contains("but given with another certificate")));
    assert_eq!(only(&diagnosis).remedy, crate::remedy::CONTEXT_NOT_SHARED);
}

#[test]
fn a_suite_that_a_session_cannot_be_used_with_is_the_reason() {
    let mut world = World::new(&["a", "a"]);
    world.ask_all(false);
    for ask in world.fleet.asks.iter_mut().filter(|ask| ask.way == Way::Psk && ask.asked == 1) {
        ask.suite = 0x1301;
        ask.reply = if ask.issuer == 1 { Reply::Resumed } else { Reply::Refused(0x1302) };
    }
    let diagnosis = world.diagnosis();
    assert_eq!(*diagnosis.cells.of_pair(Way::Psk, 0, 1), Cell::Refused(Why::OtherSuite));
    assert_eq!(only(&diagnosis).name, Name::KeysNotShared);
    // Of one hash, the suite is no reason.
    for ask in world.fleet.asks.iter_mut().filter(|ask| ask.reply == Reply::Refused(0x1302)) {
        ask.reply = Reply::Refused(0x1303);
    }
    assert_eq!(*world.diagnosis().cells.of_pair(Way::Psk, 0, 1), Cell::Refused(Why::OtherContext));
}

#[test]
fn tickets_without_key_names_do_not_say_why() {
    let mut world = World::new(&["a", "b"]).asked();
    for (index, node) in world.fleet.nodes.iter_mut().enumerate() {
        node.key_names = Ways::default();
        for ticket in 0..20_u8 {
            node.key_names.psk.note(KeyName::of(&[index as u8, ticket]).unwrap());
        }
    }
    let diagnosis = world.diagnosis();
    assert_eq!(*diagnosis.cells.of_pair(Way::Psk, 0, 1), Cell::Refused(Why::Unknown));
    let finding = only(&diagnosis);
    assert_eq!(finding.name, Name::KeysNotShared, "that they refuse was seen all the same");
    assert_eq!(finding.evidence, ["4 refusals: the tickets do not show which key they are under"]);
}

#[test]
fn a_key_that_came_late_is_out_of_step() {
    let world = World::new(&["ba", "a", "a"]).asked().asked_again_with(&["ba", "ba", "ba"]);
    let diagnosis = world.diagnosis();
    assert_eq!(*diagnosis.cells.of_pair(Way::Ticket, 0, 1), Cell::ResumedLater);
    let finding = only(&diagnosis);
    assert_eq!(
        (finding.name, finding.severity, finding.certainty),
        (Name::RotationOutOfStep, PROBLEM, Certainty::Seen)
    );
    assert_eq!(finding.summary, "n0:443 seals with a key that n1:443 and n2:443 did not have.");
    assert!(finding.evidence[0].contains("n1:443 refused tickets of n0:443, and resumed them when it was asked again"));
}

#[test]
fn another_key_that_opens_later_does_not_show_that_the_first_one_came() {
    let mut world = World::new(&["ba", "a"]).asked().asked_again_with(&["ba", "a"]);
    world.ask(Way::Psk, 0, 1, true, Reply::Resumed);
    world.fleet.asks.last_mut().unwrap().key_name = KeyName::of(&[b'a'; 16]);
    let diagnosis = world.diagnosis();
    assert_eq!(*diagnosis.cells.of_pair(Way::Psk, 0, 1), Cell::ResumedLater);
    let finding = only(&diagnosis);
    assert_eq!((finding.name, finding.certainty), (Name::RotationOutOfStep, Certainty::Inferred));
}

#[test]
fn a_key_that_stays_away_is_out_of_step_too_if_the_others_is_known() {
    let diagnosis = World::new(&["ba", "a"]).asked().asked_again_with(&["ba", "a"]).diagnosis();
    let finding = only(&diagnosis);
    assert_eq!((finding.name, finding.certainty), (Name::RotationOutOfStep, Certainty::Inferred));
    assert_eq!(finding.evidence, ["n1:443 refuses tickets of n0:443, while n0:443 opens those of n1:443"]);
    // Ahead of its use on both nodes, a next key disturbs nobody.
    assert_eq!(found(&World::new(&["ab", "a"]).asked().diagnosis()), []);
}

#[test]
fn a_key_that_is_gone_when_asked_again_was_rotated_away() {
    let world = World::new(&["a", "a"]).asked().asked_again_with(&["b", "a"]);
    let diagnosis = world.diagnosis();
    assert_eq!(*diagnosis.cells.of_pair(Way::Ticket, 0, 0), Cell::RefusedLater);
    let names = found(&diagnosis);
    assert!(names.contains(&(Name::KeyRotatedAway, PROBLEM)), "{names:?}");
    assert_eq!(found(&World::new(&["a", "a"]).asked().asked_again_with(&["ba", "ba"]).diagnosis()), []);
}

#[test]
fn who_refuses_its_own_is_told_apart_from_who_does_not_share() {
    let diagnosis = World::new(&["a", "a", "a!"]).asked().diagnosis();
    assert_eq!(diagnosis.groups, [[0, 1]]);
    let finding = only(&diagnosis);
    assert_eq!((finding.name, finding.severity), (Name::TicketNeverAccepted, PROBLEM));
    assert_eq!(finding.summary, "n2:443 gives tickets, and refuses each of its own.");
    assert_eq!(finding.evidence, ["TLSv1.3: n2:443", "TLSv1.2: n2:443"]);
    assert_eq!(*diagnosis.cells.of_pair(Way::Psk, 0, 2), Cell::Refused(Why::NotEvenItsOwn));
}

#[test]
fn who_refuses_its_own_in_one_version_may_share_in_another() {
    let mut world = World::new(&["a", "a", "a"]).gives(1, Gives::NotSpoken, Gives::Sessions, Gives::Sessions).asked();
    for ask in world.fleet.asks.iter_mut().filter(|ask| ask.way == Way::Psk && ask.asked == 2) {
        ask.reply = Reply::Refused(SUITE);
    }
    let diagnosis = world.diagnosis();
    assert_eq!(found(&diagnosis), [(Name::TicketNeverAccepted, PROBLEM), (Name::VersionChanged, PROBLEM)]);
    assert_eq!(diagnosis.findings[0].evidence, ["TLSv1.3: n2:443"]);
}

#[test]
fn an_address_that_resumes_its_own_at_times_is_several_servers() {
    let mut world = World::new(&["a", "a"]).asked();
    world.ask(Way::Ticket, 1, 1, false, Reply::Refused(SUITE));
    let diagnosis = world.diagnosis();
    assert_eq!(*diagnosis.cells.of_pair(Way::Ticket, 1, 1), Cell::AtTimes);
    let finding = only(&diagnosis);
    assert_eq!((finding.name, finding.certainty), (Name::KeysNotShared, Certainty::Inferred));
    assert!(finding.summary.starts_with("n1:443 resumes its own tickets at times"), "{}", finding.summary);
}

#[test]
fn session_ids_of_one_node_are_a_note_beside_keys_that_are_shared() {
    let ids = |world: World, node| world.gives(node, Gives::Nothing, Gives::Nothing, Gives::Sessions);
    let diagnosis = ids(World::new(&["a", "a", "a"]), 2).asked().diagnosis();
    assert_eq!(diagnosis.groups, [vec![0, 1], vec![2]]);
    let finding = only(&diagnosis);
    assert_eq!((finding.name, finding.severity), (Name::KeysNotShared, Severity::Note));
    assert!(finding.summary.starts_with("n2:443 gives session IDs and no tickets"), "{}", finding.summary);
    // Where nothing at all is shared, it is the problem.
    let diagnosis = ids(ids(World::new(&["a", "a"]), 0), 1).asked().diagnosis();
    assert_eq!(found(&diagnosis), [(Name::KeysNotShared, PROBLEM)]);
    // A cache of session IDs that is not shared is none where tickets are.
    assert_eq!(found(&World::new(&["a", "a"]).asked().diagnosis()), []);
}

#[test]
fn who_gives_nothing_and_who_speaks_no_tls13_is_named() {
    let world = World::new(&["a", "a", "a"]).gives(1, Gives::Nothing, Gives::Nothing, Gives::Nothing);
    assert_eq!(found(&world.asked().diagnosis()), [(Name::NoResumptionOffered, PROBLEM)]);
    let world = World::new(&["a", "a", "a"]).gives(2, Gives::NotSpoken, Gives::Sessions, Gives::Sessions).asked();
    let diagnosis = world.diagnosis();
    assert_eq!(diagnosis.groups, [[0, 1, 2]]);
    assert_eq!(only(&diagnosis).name, Name::VersionChanged);
    assert_eq!(only(&diagnosis).peers, [world.fleet.nodes[2].address]);
    let all = [0, 1, 2].into_iter().fold(World::new(&["a", "a", "a"]), |world, node| {
        world.gives(node, Gives::NotSpoken, Gives::Sessions, Gives::Sessions)
    });
    assert_eq!(found(&all.asked().diagnosis()), [], "nobody has a session of TLS 1.3 to lose");
}

#[test]
fn nothing_follows_from_what_was_not_seen() {
    let failure = || Failure::TimedOut(Stage::Hello);
    let unknown = || Gives::Unknown(failure());
    let mut world = World::new(&["a", "", "a"]).gives(1, unknown(), unknown(), Gives::NotAsked).asked();
    world.fleet.nodes[1].gone = Some(failure());
    world.fleet.asks.retain(|ask| ask.asked != 1);
    let diagnosis = world.diagnosis();
    assert_eq!(found(&diagnosis), []);
    assert_eq!(diagnosis.groups, [[0, 2]]);
    assert_eq!(*diagnosis.cells.of_pair(Way::Psk, 0, 1), Cell::NotAsked);
    assert_eq!(found(&World::new(&["a", "b"]).diagnosis()), []);
    // Failures alone tell of no keys.
    let mut world = World::new(&["a", "b"]);
    for (issuer, asked) in [(0, 1), (1, 0)] {
        world.ask(Way::Psk, issuer, asked, false, Reply::Failed(Failure::Alert(Description(80))));
    }
    let diagnosis = world.diagnosis();
    assert_eq!(found(&diagnosis), [(Name::HandshakeFailures, Severity::Note)]);
    assert_eq!(diagnosis.groups, Vec::<Vec<usize>>::new());
}
