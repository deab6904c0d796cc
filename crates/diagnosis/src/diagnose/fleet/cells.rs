use super::BY_TICKET;
use crate::evidence::{Ask, Failure, Fleet, Node, Reply, Version, Way, Ways};

/// For each way to resume and each pair of nodes, whether the one resumes the sessions of the other.
#[derive(Clone, Debug)]
pub struct Cells {
    nodes: usize,
    cells: Ways<Vec<Cell>>,
    /// Whether a node gives session IDs and no tickets.
    ids_alone: Vec<bool>,
}

/// Whether one node resumes the sessions of another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Cell {
    /// It was not asked to.
    #[default]
    NotAsked,
    /// It does.
    Resumed,
    /// It does not.
    Refused(Why),
    /// It did not, and did when it was asked again.
    ResumedLater,
    /// It did, and did not when it was asked again.
    RefusedLater,
    /// It does at times.
    AtTimes,
    /// It was asked, and the connection came to less than would tell.
    Unknown(Option<Failure>),
}

/// Why a session was refused, as far as can be told from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    /// The node resumes not even its own.
    NotEvenItsOwn,
    /// The node prefers a cipher suite that the session cannot be used with.
    OtherSuite,
    /// The ticket is under a key that the node does not seal with.
    OtherKey,
    /// The ticket is under a key that the node seals with itself, but was given with another certificate than its own.
    OtherCertificate,
    /// The ticket is under a key that the node seals with itself, and was given with the same certificate: it minds
    /// something else.
    OtherContext,
    /// It cannot be told.
    Unknown,
}

impl Cells {
    /// What the replies come to.
    pub(super) fn of(fleet: &Fleet) -> Self {
        let nodes = fleet.nodes.len();
        let mut asks: Ways<Vec<Vec<&Ask>>> = Ways::default();
        for way in Way::ALL {
            asks[way] = vec![Vec::new(); nodes * nodes];
        }
        for ask in &fleet.asks {
            asks[ask.way][ask.issuer * nodes + ask.asked].push(ask);
        }
        let ids_alone = fleet.nodes.iter().map(Node::gives_ids_alone).collect();
        let mut cells = Self { nodes, cells: Ways::default(), ids_alone };
        for way in Way::ALL {
            cells.cells[way] = asks[way].iter().map(|asks| Cell::of(fleet, asks)).collect();
        }
        for way in Way::ALL {
            for asked in (0..nodes).filter(|&node| cells.of_pair(way, node, node).is_refused()).collect::<Vec<_>>() {
                cells.not_even_its_own(way, asked);
            }
        }
        cells
    }

    /// Whether `asked` resumes the sessions that `issuer` gave.
    pub fn of_pair(&self, way: Way, issuer: usize, asked: usize) -> &Cell {
        &self.cells[way][issuer * self.nodes + asked]
    }

    /// How many nodes there are.
    pub fn nodes(&self) -> usize {
        self.nodes
    }

    /// Whether anything was asked this way.
    pub fn any(&self, way: Way) -> bool {
        self.cells[way].iter().any(|cell| *cell != Cell::NotAsked)
    }

    /// Whether `asked` resumes the sessions of `issuer`, in all ways that count: by ticket, and of a node that gives none, by
    /// session ID.
    pub(super) fn resumes(&self, issuer: usize, asked: usize) -> Option<bool> {
        let answers = self.ways(issuer).iter().filter_map(|&way| self.of_pair(way, issuer, asked).resumes());
        answers.reduce(|all, one| all && one)
    }

    /// The ways that count for the sessions of `issuer`.
    pub(super) fn ways(&self, issuer: usize) -> &'static [Way] {
        if self.ids_alone[issuer] { &[Way::SessionId] } else { &BY_TICKET }
    }

    fn not_even_its_own(&mut self, way: Way, asked: usize) {
        for issuer in 0..self.nodes {
            if let Cell::Refused(why) = &mut self.cells[way][issuer * self.nodes + asked] {
                *why = Why::NotEvenItsOwn;
            }
        }
    }
}

impl Cell {
    /// What the replies of one node to the sessions of another come to, in their order.
    fn of(fleet: &Fleet, asks: &[&Ask]) -> Self {
        let (mut first, mut again) = (Tally::default(), Tally::default());
        for ask in asks {
            if ask.again { &mut again } else { &mut first }.count(&ask.reply);
        }
        let refused = || {
            let refused = asks.iter().rev().find_map(|ask| match ask.reply {
                Reply::Refused(suite) => Some(Why::of(fleet, ask, suite)),
                _ => None,
            });
            Self::Refused(refused.unwrap_or(Why::Unknown))
        };
        match (first.answer(), again.answer()) {
            (Some(Told::AtTimes), _) | (_, Some(Told::AtTimes)) => Self::AtTimes,
            (Some(Told::Yes), Some(Told::No)) => Self::RefusedLater,
            (Some(Told::No), Some(Told::Yes)) => Self::ResumedLater,
            (Some(Told::Yes), _) | (None, Some(Told::Yes)) => Self::Resumed,
            (Some(Told::No), _) | (None, Some(Told::No)) => refused(),
            (None, None) if asks.is_empty() => Self::NotAsked,
            (None, None) => Self::Unknown(asks.iter().find_map(|ask| match &ask.reply {
                Reply::Failed(failure) => Some(failure.clone()),
                _ => None,
            })),
        }
    }

    /// Whether the session resumes, as it was seen last; not at times.
    pub fn resumes(&self) -> Option<bool> {
        match self {
            Self::Resumed | Self::ResumedLater => Some(true),
            Self::Refused(_) | Self::RefusedLater | Self::AtTimes => Some(false),
            Self::NotAsked | Self::Unknown(_) => None,
        }
    }

    /// Whether it was refused each time.
    pub fn is_refused(&self) -> bool {
        matches!(self, Self::Refused(_))
    }
}

impl Why {
    /// Why `ask` was refused by a full handshake with `suite`.
    fn of(fleet: &Fleet, ask: &Ask, suite: u16) -> Self {
        let (issuer, asked) = (&fleet.nodes[ask.issuer], &fleet.nodes[ask.asked]);
        if ask.way.version() == Version::TLS13 && is_sha384(ask.suite) != is_sha384(suite) {
            return Self::OtherSuite; // RFC 8446 §4.2.11
        }
        let Some(name) = ask.key_name else {
            return Self::Unknown;
        };
        // A product seals the tickets of all versions with one key.
        if BY_TICKET.iter().any(|&way| asked.key_names[way].has(name)) {
            let certificates = issuer.certificate.as_ref().zip(asked.certificate.as_ref());
            return match certificates {
                _ if ask.way == Way::Ticket && ask.suite != suite => Self::OtherSuite,
                Some((one, other)) if one != other => Self::OtherCertificate,
                _ => Self::OtherContext,
            };
        }
        let named = [issuer, asked].iter().all(|node| BY_TICKET.iter().any(|&way| node.key_names[way].repeat()));
        if named { Self::OtherKey } else { Self::Unknown }
    }
}

/// TLS_AES_256_GCM_SHA384 is the only suite of TLS 1.3 with that hash (RFC 8446 §B.4).
fn is_sha384(suite: u16) -> bool {
    suite == 0x1302
}

/// How often a session was resumed and refused.
#[derive(Default)]
struct Tally {
    resumed: usize,
    refused: usize,
}

enum Told {
    Yes,
    No,
    AtTimes,
}

impl Tally {
    fn count(&mut self, reply: &Reply) {
        match reply {
            Reply::Resumed => self.resumed += 1,
            Reply::Refused(_) => self.refused += 1,
            Reply::Failed(_) | Reply::NotOffered => {}
        }
    }

    fn answer(&self) -> Option<Told> {
        match (self.resumed, self.refused) {
            (0, 0) => None,
            (_, 0) => Some(Told::Yes),
            (0, _) => Some(Told::No),
            _ => Some(Told::AtTimes),
        }
    }
}
