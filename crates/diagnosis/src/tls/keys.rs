//! What a key log knows of one connection, and which of its keys is due.

use thin_vec::ThinVec;

use super::agreed::Agreed;
use super::key_log::{KeyLog, Label};
use super::opener::Opener;
use super::record::{Content, Header};
use super::tail::Tail;
use crate::evidence::{Connection, ServerHello, Version};
use crate::{Moment, Side, Sides};

/// The keys of a connection.
#[derive(Debug)]
pub(super) struct Keys {
    log: KeyLog,
    pub(super) server_random: [u8; 32],
    /// TLS 1.2 and before: whether the server agrees to put MACs outside of what is encrypted.
    pub(super) encrypt_then_mac: bool,
    ways: Sides<Way>,
    /// What the last record that was opened holds.
    plain: Vec<u8>,
}

/// How far the keys of one side are.
#[derive(Debug, Default)]
struct Way {
    opener: Option<Opener>,
    /// TLS 1.3: whether the opener, or the one that is due, is the application's.
    application: bool,
    /// The number of the next record under these keys.
    sequence: u64,
    /// Whether records may have been lost, so that the number is higher.
    uncertain: bool,
    /// TLS 1.2: how often keys were changed. Those of a renegotiation are not followed.
    changes: u32,
    /// TLS 1.2 and before: the end of the record before the one that is being read, and of that one, as far as it came.
    before: Tail,
    tail: Tail,
    waiting: Vec<Waiting>,
    waiting_bytes: usize,
}

/// A record whose key is not there yet.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) at: Moment,
    pub(super) header: Header,
    pub(super) body: ThinVec<u8>,
    /// The end of the record before.
    pub(super) before: Tail,
}

/// What became of a record.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Opened {
    /// It holds this ([`Keys::take_plain`]).
    Plain(Content),
    /// Its key may come.
    Later,
    /// There are keys, and none of them opens it.
    Refused,
    /// There is no key.
    Sealed,
}

impl Keys {
    pub(super) fn new(log: KeyLog) -> Self {
        Self { log, server_random: [0; 32], encrypt_then_mac: false, ways: Sides::default(), plain: Vec::new() }
    }

    /// Opens a record of type application_data, or in TLS 1.2 one of any type that comes behind ChangeCipherSpec.
    pub(super) fn open(&mut self, connection: &Connection, side: Side, record: &Waiting) -> Opened {
        let Some(random) = connection.client_hello.as_ref().map(|hello| hello.random) else { return Opened::Sealed };
        let Some(hello) = &connection.server_hello else {
            // Early data, or this side was captured ahead of the other.
            return if self.may_come(&random) { Opened::Later } else { Opened::Sealed };
        };
        if hello.version >= Version::TLS13 {
            self.open13(&random, hello, side, record)
        } else {
            self.open12(&random, hello, side, record)
        }
    }

    /// What the last record that was opened holds; to be given back by [`Keys::recycle`].
    pub(super) fn take_plain(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.plain)
    }

    pub(super) fn recycle(&mut self, plain: Vec<u8>) {
        self.plain = plain;
    }

    /// TLS 1.2: `side` sends encrypted records from now on.
    pub(super) fn change(&mut self, side: Side) {
        let way = &mut self.ways[side];
        (way.opener, way.sequence, way.uncertain) = (None, 0, false);
        way.changes += 1;
    }

    /// TLS 1.2: an encrypted record of `side` passed that nobody opened.
    pub(super) fn pass(&mut self, side: Side) {
        self.ways[side].sequence += 1;
    }

    /// `bytes` of a record of `side` pass, its `first` ones perhaps.
    pub(super) fn follow(&mut self, side: Side, first: bool, bytes: &[u8]) {
        let way = &mut self.ways[side];
        if way.changes > 0 {
            if first {
                way.before = std::mem::take(&mut way.tail);
            }
            way.tail.push(bytes);
        }
    }

    /// The end of what came before the record of `side` that is being read.
    pub(super) fn before(&self, side: Side) -> Tail {
        self.ways[side].before
    }

    /// TLS 1.3: `side` has finished, and has other keys from now on.
    pub(super) fn finished(&mut self, side: Side) {
        let way = &mut self.ways[side];
        if !way.application {
            (way.opener, way.sequence, way.application) = (None, 0, true);
        }
    }

    /// TLS 1.3: whether `side` uses the keys that it has once it has finished.
    pub(super) fn has_finished(&self, side: Side) -> bool {
        self.ways[side].application
    }

    /// TLS 1.3: KeyUpdate.
    pub(super) fn update(&mut self, side: Side) {
        let way = &mut self.ways[side];
        way.opener = way.opener.as_ref().and_then(Opener::next);
        way.sequence = 0;
    }

    /// Records of `side` are missing.
    pub(super) fn lose(&mut self, side: Side) {
        let way = &mut self.ways[side];
        (way.uncertain, way.tail) = (true, Tail::default());
    }

    /// Keeps a record until its key comes. False if there is no room.
    pub(super) fn wait(&mut self, side: Side, record: Waiting) -> bool {
        let way = &mut self.ways[side];
        way.waiting_bytes += size_of::<Waiting>() + record.body.len();
        way.waiting.push(record);
        way.waiting_bytes <= MAX_WAITING
    }

    pub(super) fn is_waiting(&self, side: Side) -> bool {
        !self.ways[side].waiting.is_empty()
    }

    /// The records that wait, in order.
    pub(super) fn take_waiting(&mut self, side: Side) -> Vec<Waiting> {
        let way = &mut self.ways[side];
        way.waiting_bytes = 0;
        std::mem::take(&mut way.waiting)
    }

    pub(super) fn swap(&mut self) {
        self.ways.swap();
    }

    pub(super) fn memory(&self) -> usize {
        let memory = |way: &Way| {
            let opener = way.opener.as_ref().map_or(0, Opener::memory);
            let room = way.waiting.capacity() - way.waiting.len();
            opener + way.waiting_bytes + room * size_of::<Waiting>()
        };
        size_of::<Self>() + memory(&self.ways.client) + memory(&self.ways.server) + self.plain.capacity()
    }

    fn may_come(&self, random: &[u8; 32]) -> bool {
        self.log.grows() || self.log.knows(random)
    }

    fn open13(&mut self, random: &[u8; 32], hello: &ServerHello, side: Side, record: &Waiting) -> Opened {
        let Self { log, ways, plain, .. } = self;
        let way = &mut ways[side];
        let derive = |application| {
            log.look_up(random, Label::traffic(side, application), |secret| Opener::tls13(hello.suite, secret))
        };
        if way.opener.is_none() {
            match derive(way.application) {
                Some(opener) => way.opener = opener,
                None if log.grows() => return Opened::Later,
                None => {}
            }
        }
        let mut opened = way.open(record, plain);
        if opened.is_none() && !way.application {
            // The handshake's last records may have been lost, or have no secret in the log.
            let next = derive(true).flatten();
            let mut next = Way { opener: next, application: true, uncertain: way.uncertain, ..Way::default() };
            opened = next.open(record, plain);
            if opened.is_some() {
                (next.waiting, next.waiting_bytes) = (std::mem::take(&mut way.waiting), way.waiting_bytes);
                *way = next;
            }
        }
        // The type is the last byte that is not zero (RFC 8446 §5.4).
        let kind = opened.and_then(|()| plain.iter().rposition(|byte| *byte != 0));
        let content = kind.and_then(|end| Content::of(plain.drain(end..).next()?));
        match content {
            Some(content) => Opened::Plain(content),
            None if log.knows(random) => Opened::Refused,
            None => Opened::Sealed,
        }
    }

    fn open12(&mut self, random: &[u8; 32], hello: &ServerHello, side: Side, record: &Waiting) -> Opened {
        let Self { log, ways, server_random, encrypt_then_mac, plain } = self;
        let way = &mut ways[side];
        if way.opener.is_none() && way.changes == 1 {
            let ServerHello { version, suite, .. } = *hello;
            let agreed =
                Agreed { version, suite, encrypt_then_mac: *encrypt_then_mac, client_random: random, server_random };
            let derived = log.look_up(random, Label::Master, |master| Opener::tls12(&agreed, master, side));
            way.opener = derived.flatten();
        }
        let opened = way.open(record, plain);
        match (opened, &way.opener) {
            (Some(()), _) => Opened::Plain(record.header.content),
            (None, opener) => {
                let can_open = opener.as_ref().is_some_and(|opener| opener.follows(&record.before));
                let answer = if can_open { Opened::Refused } else { Opened::Sealed };
                way.sequence += 1;
                answer
            }
        }
    }
}

impl Way {
    /// Opens the next record, and where some may have been lost, one of those that would follow.
    fn open(&mut self, record: &Waiting, plain: &mut Vec<u8>) -> Option<()> {
        let opener = self.opener.as_ref()?;
        let last = if self.uncertain { self.sequence + FURTHEST } else { self.sequence };
        let found = (self.sequence..=last).find(|number| opener.open(record, *number, plain).is_some())?;
        self.sequence = found + 1;
        self.uncertain = false;
        Some(())
    }
}

// Both sides of a handshake whose keys come a little later, and some early data.
const MAX_WAITING: usize = 64 << 10;
// How many records a gap may hide. Each costs a try, of some microseconds at most.
const FURTHEST: u64 = 64;
