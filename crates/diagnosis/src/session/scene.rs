//! Captures made by hand: connections, one after the other, as a reader would have seen them.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::evidence::{
    Alert, AlertContent, Application, ClientHello, CloseNotify, Connection, Description, Flight, Identity, NewTicket,
    Profile, Sealed, ServerHello, SessionId, Version,
};
use crate::session::{Graph, Sessions};
use crate::{Moment, Side, Sides, Timestamp};

/// What happened, up to now.
#[derive(Default)]
pub(crate) struct Scene {
    connections: Vec<Connection>,
    /// Nanoseconds, and packets.
    now: u64,
    packets: u64,
    ports: u16,
}

/// How a client ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ends {
    Clean,
    Fin,
    Reset,
    /// It stays open.
    Not,
}

impl Scene {
    /// Time passes.
    pub(crate) fn wait(&mut self, time: Duration) {
        self.now += u64::try_from(time.as_nanos()).expect("a short time");
    }

    fn moment(&mut self) -> Moment {
        self.now += 1_000_000;
        self.packets += 1;
        Moment { time: Timestamp::from_nanoseconds(self.now), packet: self.packets }
    }

    /// A client comes to a server, at port 443 unless another is given.
    pub(crate) fn visit(&mut self, client: &str, server: &str) -> Visit<'_> {
        self.ports += 1;
        let client = SocketAddr::new(client.parse::<IpAddr>().expect("an address"), 40_000 + self.ports);
        let server = server.parse().unwrap_or_else(|_| SocketAddr::new(server.parse().expect("an address"), 443));
        let start = self.moment();
        Visit {
            connection: Connection::new(client, server, start, true),
            version: Version::TLS12,
            highest: None,
            name: Some("service.example"),
            id: SessionId::default(),
            issued_id: SessionId::default(),
            ticket: Some(Vec::new()),
            psk: None,
            tickets: Vec::new(),
            hidden_tickets: 0,
            lifetime: Duration::from_secs(3600),
            resumed: false,
            says: (100, 200),
            speaks_first: false,
            ends: Ends::Clean,
            suite: 0xc02f,
            fallback: false,
            random: None,
            scene: self,
        }
    }

    /// The connections, as a reader hands them out.
    pub(crate) fn connections(&self) -> &[Connection] {
        &self.connections
    }

    pub(crate) fn graph(&self) -> Graph {
        let mut sessions = Sessions::new(1);
        self.connections.iter().for_each(|connection| sessions.add(connection));
        sessions.into_graph()
    }
}

/// A connection that is being made.
pub(crate) struct Visit<'a> {
    scene: &'a mut Scene,
    connection: Connection,
    version: Version,
    highest: Option<Version>,
    name: Option<&'static str>,
    id: SessionId,
    issued_id: SessionId,
    ticket: Option<Vec<u8>>,
    psk: Option<Vec<u8>>,
    tickets: Vec<Vec<u8>>,
    hidden_tickets: u64,
    lifetime: Duration,
    resumed: bool,
    says: (u64, u64),
    speaks_first: bool,
    ends: Ends,
    suite: u16,
    fallback: bool,
    random: Option<u8>,
}

impl Visit<'_> {
    pub(crate) fn version(mut self, version: Version) -> Self {
        self.version = version;
        self
    }

    pub(crate) fn tls13(self) -> Self {
        self.version(Version::TLS13)
    }

    /// The highest version the client offers, where it is not the one that is chosen.
    pub(crate) fn offering(mut self, highest: Version) -> Self {
        self.highest = Some(highest);
        self
    }

    pub(crate) fn name(mut self, name: Option<&'static str>) -> Self {
        self.name = name;
        self
    }

    /// Another software, or another configuration.
    pub(crate) fn suite(mut self, suite: u16) -> Self {
        self.suite = suite;
        self
    }

    pub(crate) fn fallback(mut self) -> Self {
        self.fallback = true;
        self
    }

    /// The connection is a leg of another with the same number.
    pub(crate) fn leg(mut self, random: u8) -> Self {
        self.random = Some(random);
        self
    }

    /// The client offers this ticket: TLS 1.3's if that is the highest version it offers.
    pub(crate) fn with(mut self, ticket: &[u8]) -> Self {
        if self.highest.unwrap_or(self.version) >= Version::TLS13 {
            self.psk = Some(ticket.to_vec());
        } else {
            self.ticket = Some(ticket.to_vec());
        }
        self
    }

    /// The client offers this ticket of TLS 1.2, whatever it speaks.
    pub(crate) fn with_ticket12(mut self, ticket: &[u8]) -> Self {
        self.ticket = Some(ticket.to_vec());
        self
    }

    pub(crate) fn with_id(mut self, id: u8) -> Self {
        self.id = SessionId::new(&[id; 32]).expect("short enough");
        self
    }

    /// The client does not ask for tickets.
    pub(crate) fn without_tickets(mut self) -> Self {
        self.ticket = None;
        self
    }

    pub(crate) fn resumed(mut self) -> Self {
        self.resumed = true;
        self
    }

    /// The server issues this ticket, to be seen.
    pub(crate) fn gives(mut self, ticket: &[u8]) -> Self {
        self.tickets.push(ticket.to_vec());
        self
    }

    /// The server issues tickets that cannot be read.
    pub(crate) fn gives_hidden(mut self, count: u64) -> Self {
        self.hidden_tickets = count;
        self
    }

    pub(crate) fn gives_id(mut self, id: u8) -> Self {
        self.issued_id = SessionId::new(&[id; 32]).expect("short enough");
        self
    }

    pub(crate) fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// The capture lacks some of what the client said.
    pub(crate) fn lossy(mut self) -> Self {
        self.connection.missing.client = true;
        self
    }

    /// The client's last record is not there in full.
    pub(crate) fn cut(mut self) -> Self {
        self.connection.cut.client = true;
        self
    }

    /// How many bytes client and server say.
    pub(crate) fn says(mut self, client: u64, server: u64) -> Self {
        self.says = (client, server);
        self
    }

    /// The client has spoken before hidden tickets come.
    pub(crate) fn speaks_first(mut self) -> Self {
        self.speaks_first = true;
        self
    }

    pub(crate) fn ends(mut self, how: Ends) -> Self {
        self.ends = how;
        self
    }

    /// The handshake comes to its end, and the connection to its own.
    pub(crate) fn done(mut self) {
        self.hello();
        let at = self.scene.moment();
        self.connection.finished.server = Some(at);
        self.connection.finished.client = Some(self.scene.moment());
        let (client, server) = self.says;
        if self.speaks_first {
            self.connection.application.client = self.application(client, 0);
        }
        if self.version >= Version::TLS13 {
            let tickets = self.hidden_tickets.max(self.tickets.len() as u64);
            let sealed = (0..tickets).map(|_| Sealed { at: self.scene.moment(), length: 250 });
            self.connection.sealed = sealed.collect();
        }
        if !self.speaks_first {
            self.connection.application.client = self.application(client, 0);
        }
        self.connection.application.server = self.application(server, self.hidden_tickets);
        let how = self.ends;
        self.end(how);
    }

    /// The client breaks the handshake off, once it has the server's answer.
    pub(crate) fn broken_off(mut self, alert: Option<Description>) {
        self.hello();
        self.connection.finished.server = self.resumed.then(|| self.scene.moment());
        if let Some(description) = alert {
            let at = self.scene.moment();
            self.connection.alerts.push(Alert { side: Side::Client, at, content: AlertContent::Read(description) });
        }
        self.end(Ends::Fin);
    }

    /// The server answers with an alert.
    pub(crate) fn fails(mut self, description: Description) {
        self.hello();
        self.connection.server_hello = None;
        self.connection.flight = Flight::Unknown;
        self.connection.tickets.clear();
        let at = self.scene.moment();
        self.connection.alerts.push(Alert { side: Side::Server, at, content: AlertContent::Read(description) });
        self.end(Ends::Fin);
    }

    /// The capture began in the middle of it, or has lost its beginning.
    pub(crate) fn half_seen(mut self) {
        self.connection.from_the_start = false;
        self.connection.missing.client = true;
        let at = self.scene.moment();
        self.connection.application.client = Application { bytes: 100, records: 1, first: Some(at) };
        self.connection.last = at;
        self.scene.connections.push(self.connection);
    }

    /// Something that is no TLS is said.
    pub(crate) fn plain(mut self) {
        self.connection.foreign = Sides { client: true, server: true };
        self.end(Ends::Fin);
    }

    /// Nothing is said.
    pub(crate) fn silent(self) {
        self.end(Ends::Fin);
    }

    fn hello(&mut self) {
        let psks = self.psk.iter().map(|psk| Identity { identity: psk.clone().into(), obfuscated_age: 77 });
        let suites = [self.suite, 0xc030];
        let hello = ClientHello {
            at: self.scene.moment(),
            random: self.random.map_or_else(
                || std::array::from_fn(|index| (self.scene.packets >> (8 * (index % 8))) as u8),
                |random| [random; 32],
            ),
            version: self.highest.unwrap_or(self.version),
            server_name: self.name.map(Into::into),
            session_id: self.id,
            ticket: self.ticket.clone().map(Into::into),
            psks: psks.collect(),
            early_data: false,
            extended_master_secret: true,
            fallback: self.fallback,
            ticket_request: None,
            profile: Arc::new(Profile { suites: suites.into(), ..Profile::default() }),
        };
        self.connection.client_hello = Some(Box::new(hello));
        let at = self.scene.moment();
        let tls13 = self.version >= Version::TLS13;
        let session_id = if self.resumed || tls13 { self.id } else { self.issued_id };
        self.connection.server_hello = Some(ServerHello {
            at,
            version: self.version,
            suite: self.suite,
            session_id,
            ticket: !self.tickets.is_empty(),
            psk: (tls13 && self.resumed).then_some(0),
            extended_master_secret: true,
        });
        if !tls13 {
            self.connection.flight = if self.resumed { Flight::Abbreviated } else { Flight::Full };
            self.connection.certificate = (!self.resumed).then_some(1000);
        }
        for ticket in &self.tickets {
            let at = self.scene.moment();
            self.connection.tickets.push(NewTicket {
                at,
                ticket: ticket.clone().into(),
                lifetime: self.lifetime,
                age_add: None,
                early_data: None,
            });
        }
    }

    fn application(&mut self, bytes: u64, tickets: u64) -> Application {
        let first = (bytes > 0 || tickets > 0).then(|| self.scene.moment());
        Application { bytes, records: bytes.div_ceil(16_000) + tickets, first }
    }

    fn end(mut self, how: Ends) {
        let at = self.scene.moment();
        let end = &mut self.connection.end.client;
        match how {
            Ends::Clean => {
                end.close_notify = CloseNotify::Sent(at);
                end.fin = Some(at);
                self.connection.end.server.close_notify = CloseNotify::Sent(at);
                self.connection.end.server.fin = Some(at);
            }
            Ends::Fin => end.fin = Some(at),
            Ends::Reset => end.reset = Some(at),
            Ends::Not => {}
        }
        self.connection.last = at;
        self.scene.connections.push(self.connection);
    }
}

/// A ticket under a key, its `serial`th.
pub(crate) fn ticket(key: u8, serial: u8) -> Vec<u8> {
    [[key; 16], [serial; 16], [7; 16], [9; 16], [serial; 16]].concat()
}

/// What a server gives in TLS 1.3 that keeps the session itself.
pub(crate) fn handle(serial: u8) -> Vec<u8> {
    vec![serial; 32]
}
