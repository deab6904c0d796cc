//! What is known of each client.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use raincheck_diagnosis::diagnose::client::{Scenario, Trial};
use raincheck_diagnosis::evidence::Connection;
use tokio::sync::Notify;
use tokio::time::{Duration, timeout};

use super::sessions::{Age, Book};

/// All clients, told apart by address. Cheap to clone; all clones are one.
#[derive(Clone, Default)]
pub(super) struct Clients(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// A connection was admitted.
    admitted: Notify,
    /// A client is through all scenarios.
    through: Notify,
}

#[derive(Default)]
struct State {
    by_ip: HashMap<IpAddr, Client>,
    /// Counts the clients that were new, or begun anew.
    begun: u64,
}

struct Client {
    /// Which beginning this one is.
    begun: u64,
    rooms: [Room; Scenario::ALL.len()],
}

/// A client in one scenario.
struct Room {
    trial: Trial,
    /// How many connections are open.
    open: usize,
    book: Book,
}

/// Where a connection belongs.
#[derive(Clone)]
pub(super) struct Place {
    clients: Clients,
    ip: IpAddr,
    begun: u64,
    pub(super) scenario: Scenario,
    /// Which of the trial's connections it is; none of those that are kept if there were too many.
    index: Option<usize>,
}

impl Clients {
    /// The place of a connection whose ClientHello is there.
    pub(super) fn admit(&self, scenario: Scenario, connection: Connection) -> Place {
        let ip = connection.client.ip();
        let mut state = self.state();
        let client = state.client(ip);
        let room = &mut client.rooms[scenario as usize];
        let has_room = room.trial.connections.len() < MOST_CONNECTIONS;
        let index = has_room.then_some(room.trial.connections.len());
        if has_room {
            room.trial.connections.push(connection);
            room.open += 1;
        }
        self.0.admitted.notify_waiters();
        Place { clients: self.clone(), ip, begun: client.begun, scenario, index }
    }

    /// What was seen of a client, in the order of scenarios.
    pub(super) fn trials(&self, ip: IpAddr) -> Vec<Trial> {
        match self.state().by_ip.get(&ip) {
            Some(client) => client.trials(),
            None => Scenario::ALL.map(Trial::new).into(),
        }
    }

    /// What was seen of all clients.
    pub(super) fn all(&self) -> Vec<(IpAddr, Vec<Trial>)> {
        let mut all: Vec<_> = self.state().by_ip.iter().map(|(ip, client)| (*ip, client.trials())).collect();
        all.sort_unstable_by_key(|(ip, _)| *ip);
        all
    }

    /// Begins anew with a client.
    pub(super) fn forget(&self, ip: IpAddr) {
        self.state().by_ip.remove(&ip);
    }

    /// Waits until a client has been through all scenarios.
    pub(super) async fn through(&self) {
        self.0.through.notified().await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The client of this address. Where there are too many, the one that began first is forgotten.
    fn client(&mut self, ip: IpAddr) -> &mut Client {
        if !self.by_ip.contains_key(&ip) && self.by_ip.len() >= MOST_CLIENTS {
            let oldest = self.by_ip.iter().min_by_key(|(_, client)| client.begun).map(|(ip, _)| *ip);
            oldest.map(|ip| self.by_ip.remove(&ip));
        }
        let begun = &mut self.begun;
        self.by_ip.entry(ip).or_insert_with(|| {
            *begun += 1;
            Client { begun: *begun, rooms: Scenario::ALL.map(Room::new) }
        })
    }
}

impl Client {
    fn trials(&self) -> Vec<Trial> {
        self.rooms.iter().map(|room| room.trial.clone()).collect()
    }

    fn is_through(&self) -> bool {
        self.rooms.iter().all(|room| room.open == 0 && room.trial.scenario.next(room.trial.connections.len()) == 0)
    }
}

impl Room {
    fn new(scenario: Scenario) -> Self {
        Self { trial: Trial::new(scenario), open: 0, book: Book::default() }
    }

    fn age(&self) -> Age {
        if self.trial.scenario.has_changed(&self.trial.connections) { Age::After } else { Age::Before }
    }
}

impl Place {
    /// Waits for the connections that are to be made at once with this one, for `limit` at most: so they do meet, however
    /// quickly one of them is answered.
    pub(super) async fn meet_companions(&self, limit: Duration) {
        let Some(awaited) = self.index.and_then(|index| self.scenario.step_after(index)) else { return };
        let all_are_here = async {
            loop {
                let admitted = self.clients.0.admitted.notified();
                if self.with_room(|room| room.trial.connections.len() >= awaited).unwrap_or(true) {
                    return;
                }
                admitted.await;
            }
        };
        let _ = timeout(limit, all_are_here).await;
    }

    /// What is known of the connection by now.
    pub(super) fn note(&self, connection: Connection) {
        self.with_room(|room| {
            if let Some(kept) = self.index.and_then(|index| room.trial.connections.get_mut(index)) {
                *kept = connection;
            }
        });
    }

    /// The connection is over.
    pub(super) fn leave(&self, connection: Connection) {
        self.note(connection);
        if self.index.is_some() {
            self.with_room(|room| room.open -= 1);
        }
        let is_through = self.with_client(|client| client.is_through()).unwrap_or(false);
        if is_through {
            self.clients.0.through.notify_one();
        }
    }

    /// Which of the client's connections in this scenario it is, from 1; none if there were too many.
    pub(super) fn number(&self) -> Option<usize> {
        self.index.map(|index| index + 1)
    }

    /// Whether the key has changed by now; none if the client was forgotten.
    pub(super) fn age(&self) -> Option<Age> {
        self.with_room(|room| room.age())
    }

    /// Lends the sessions of the client in this scenario, and the age that new ones have; none if the client was forgotten.
    pub(super) fn with_book<T>(&self, act: impl FnOnce(&mut Book, Age) -> T) -> Option<T> {
        self.with_room(|room| {
            let age = room.age();
            act(&mut room.book, age)
        })
    }

    fn with_room<T>(&self, act: impl FnOnce(&mut Room) -> T) -> Option<T> {
        self.with_client(|client| act(&mut client.rooms[self.scenario as usize]))
    }

    fn with_client<T>(&self, act: impl FnOnce(&mut Client) -> T) -> Option<T> {
        let mut state = self.clients.state();
        let client = state.by_ip.get_mut(&self.ip).filter(|client| client.begun == self.begun)?;
        Some(act(client))
    }
}

/// More than any scenario asks for. A ClientHello and the tickets of a connection have 40 KB at most.
const MOST_CONNECTIONS: usize = 40;
const MOST_CLIENTS: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::clock::now;

    fn connection(client: u8) -> Connection {
        Connection::new(([10, 0, 0, client], 1).into(), ([10, 0, 1, 0], 443).into(), now(), true)
    }

    fn seen(clients: &Clients, client: u8) -> usize {
        clients.trials([10, 0, 0, client].into()).iter().map(|trial| trial.connections.len()).sum()
    }

    #[test]
    fn what_a_forgotten_client_still_does_is_not_taken_for_what_it_does_anew() {
        let clients = Clients::default();
        let before = clients.admit(Scenario::Tickets, connection(1));
        clients.forget([10, 0, 0, 1].into());
        assert_eq!(seen(&clients, 1), 0);
        let anew = clients.admit(Scenario::Tickets, connection(1));
        before.leave(connection(2));
        assert_eq!((before.age(), anew.age(), anew.number()), (None, Some(Age::Before), Some(1)));
        let kept = clients.trials([10, 0, 0, 1].into());
        assert_eq!(kept[Scenario::Tickets as usize].connections[0].client, connection(1).client);
    }

    #[test]
    fn the_client_that_began_first_makes_room() {
        let clients = Clients::default();
        for client in 0..=MOST_CLIENTS as u8 {
            clients.admit(Scenario::Tickets, connection(client));
        }
        assert_eq!((clients.all().len(), seen(&clients, 0), seen(&clients, 1)), (MOST_CLIENTS, 0, 1));
    }
}
