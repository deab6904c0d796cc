use std::time::Duration;

use raincheck_diagnosis::evidence::{Answer, Ending, Experiment, KeyName, Offer, Way};
use tokio::sync::watch::Receiver;
use tokio::time::{Instant, timeout_at};

use super::Probe;

impl Probe<'_> {
    /// Keeps sessions of growing age, and offers them again and again, for as long or until it is told to stop.
    pub(super) async fn watch(&mut self, ways: &[Way], length: Duration, stop: &mut Receiver<bool>) {
        let end = Instant::now() + length;
        self.deadline = end;
        let every = (length / ROUNDS).clamp(SHORTEST_ROUND, LONGEST_ROUND);
        self.event(&format!("watching for {length:.0?}: sessions are made and offered each {every:.0?}"));
        let mut cages: Vec<Cage> = ways.iter().map(|&way| Cage::new(way)).collect();
        let mut next = Instant::now();
        while next < end && !*stop.borrow() {
            for cage in &mut cages {
                self.round(cage).await;
            }
            next = Instant::now().max(next + every);
            let told = timeout_at(next.min(end), stop.wait_for(|stop| *stop)).await;
            if told.is_ok() {
                break;
            }
        }
    }

    async fn round(&mut self, cage: &mut Cage) {
        // Who is told to go on under an older key may stand there a long time: the oldest of each key is asked.
        for key in cage.keys() {
            self.ask(cage, key).await;
        }
        if let Some(made) = self.make(Experiment::Canary, cage.way, Ending::Clean).await {
            let key = self.key(made);
            if cage.admit(made, key) {
                self.event(&format!("{}: tickets are now sealed under another key", cage.way));
            }
        }
    }

    /// Offers the oldest session under a key, and if that is refused, once more to make sure.
    async fn ask(&mut self, cage: &mut Cage, key: Key) {
        let mut refused = 0;
        while let Some(made) = cage.oldest(key) {
            if !self.has_session(made) {
                cage.release(made);
                continue;
            }
            let Some(offer) = self.offer(Experiment::Canary, cage.way, made, Ending::Clean).await else { return };
            let age = self.trials[offer].connection.start.time.since(self.trials[made].connection.start.time);
            match self.trials[offer].resumed() {
                Answer::Yes => cage.was_accepted(key, age),
                Answer::No if refused == 0 => {
                    refused += 1;
                    continue;
                }
                Answer::No => {
                    cage.release_all(key);
                    // What is given now resumes, or it is not the age.
                    if let Some(fresh) = self.make(Experiment::Canary, cage.way, Ending::Clean).await {
                        self.offer(Experiment::Canary, cage.way, fresh, Ending::Clean).await;
                    }
                    let until = cage.accepted(key).map_or("never".to_owned(), |age| format!("at an age of {age:.0?}"));
                    self.event(&format!(
                        "{}: a session is refused at an age of {age:.0?}; one like it was last accepted {until}",
                        cage.way
                    ));
                }
                Answer::Unknown => {}
            }
            return;
        }
    }

    /// What the tickets of a trial are sealed under, as far as can be seen.
    fn key(&self, made: usize) -> Key {
        let connection = &self.trials[made].connection;
        let issued = connection.tickets.first().and_then(|ticket| KeyName::of(&ticket.ticket));
        let shown = match connection.offer() {
            Offer::Ticket(_) | Offer::Psk(_) => connection.offered_key_name(),
            Offer::None | Offer::SessionId(_) | Offer::Unknown => None,
        };
        issued.or(shown).map(KeyName::stem)
    }
}

/// What tells keys apart; `None` where tickets cannot be read.
type Key = Option<[u8; KeyName::STEM]>;

/// The sessions of one way that are kept to be offered again.
struct Cage {
    way: Way,
    canaries: Vec<Canary>,
    /// For each key, the greatest age at which a session was accepted.
    accepted: Vec<(Key, Duration)>,
    newest: Option<Key>,
}

struct Canary {
    made: usize,
    key: Key,
}

impl Cage {
    fn new(way: Way) -> Self {
        Self { way, canaries: Vec::new(), accepted: Vec::new(), newest: None }
    }

    /// Takes a session in. True if it is under another key than the one before.
    fn admit(&mut self, made: usize, key: Key) -> bool {
        let changed = self.newest.is_some_and(|newest| newest != key);
        self.newest = Some(key);
        // The oldest of each key are what tells. Of TLS 1.3, where each is offered once, some more are needed.
        if self.canaries.iter().filter(|canary| canary.key == key).count() < MOST_OF_A_KEY {
            self.canaries.push(Canary { made, key });
        }
        changed
    }

    fn keys(&self) -> Vec<Key> {
        let mut keys: Vec<Key> = Vec::new();
        for Canary { key, .. } in &self.canaries {
            if !keys.contains(key) {
                keys.push(*key);
            }
        }
        // Sessions whose key name says nothing are many, and each one's key is its own.
        keys.truncate(MOST_KEYS);
        keys
    }

    fn oldest(&self, key: Key) -> Option<usize> {
        self.canaries.iter().find(|canary| canary.key == key).map(|canary| canary.made)
    }

    fn release(&mut self, made: usize) {
        self.canaries.retain(|canary| canary.made != made);
    }

    fn release_all(&mut self, key: Key) {
        self.canaries.retain(|canary| canary.key != key);
    }

    fn accepted(&self, key: Key) -> Option<Duration> {
        self.accepted.iter().find(|(known, _)| *known == key).map(|(_, age)| *age)
    }

    fn was_accepted(&mut self, key: Key, age: Duration) {
        match self.accepted.iter_mut().find(|(known, _)| *known == key) {
            Some((_, greatest)) => *greatest = age.max(*greatest),
            None => self.accepted.push((key, age)),
        }
    }
}

const ROUNDS: u32 = 60;
const SHORTEST_ROUND: Duration = Duration::from_secs(1);
const LONGEST_ROUND: Duration = Duration::from_secs(60);
const MOST_OF_A_KEY: usize = 64;
const MOST_KEYS: usize = 4;
