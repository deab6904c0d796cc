//! Connections made up, as a reader would have seen them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::evidence::{
    Alert, AlertContent, ClientHello, CloseNotify, Connection, Description, Flight, Identity, NewTicket, ServerHello,
    SessionId, Version,
};
use crate::{Moment, Side, Timestamp};

/// A connection of TLS 1.2 or 1.3 that is full, resumed or cut short. It takes ten units of time.
pub(super) struct Made(pub(super) Connection);

pub(super) fn at(time: u64) -> Moment {
    Moment { time: Timestamp::from_nanoseconds(time), packet: 0 }
}

fn address(port: u16) -> SocketAddr {
    ([192, 0, 2, 1], port).into()
}

impl Made {
    /// A full handshake that begins at `start` and brings nothing.
    pub(super) fn full(version: Version, start: u64) -> Self {
        let mut connection = Connection::new(address(1024 + start as u16), address(443), at(start), true);
        connection.client_hello = Some(Box::new(ClientHello {
            at: at(start + 1),
            random: [0; 32],
            version,
            server_name: None,
            session_id: SessionId::default(),
            ticket: Some([].into()),
            psks: [].into(),
            early_data: false,
            extended_master_secret: true,
            fallback: false,
            ticket_request: None,
            profile: Arc::default(),
        }));
        connection.server_hello = Some(ServerHello {
            at: at(start + 2),
            version,
            suite: 0,
            session_id: SessionId::default(),
            ticket: false,
            psk: None,
            extended_master_secret: true,
        });
        connection.flight = Flight::Full;
        connection.finished.client = Some(at(start + 3));
        connection.finished.server = Some(at(start + 4));
        connection.application.client.records = 1;
        connection.end.client.fin = Some(at(start + 9));
        connection.end.client.close_notify = CloseNotify::Sent(at(start + 9));
        connection.last = at(start + 9);
        Self(connection)
    }

    pub(super) fn hello(&mut self) -> &mut ClientHello {
        self.0.client_hello.as_mut().unwrap()
    }

    /// Offers this ticket.
    pub(super) fn offering(mut self, ticket: &str) -> Self {
        match self.0.version() {
            Some(Version::TLS13) => {
                self.hello().psks = [Identity { identity: ticket.as_bytes().into(), obfuscated_age: 1 }].into();
            }
            _ => self.hello().ticket = Some(ticket.as_bytes().into()),
        }
        self
    }

    /// What it offers is taken.
    pub(super) fn resumed(mut self) -> Self {
        match self.0.version() {
            Some(Version::TLS13) => self.0.server_hello.as_mut().unwrap().psk = Some(0),
            _ => self.0.flight = Flight::Abbreviated,
        }
        self
    }

    /// The server sends this ticket.
    pub(super) fn issuing(mut self, ticket: &str) -> Self {
        let at = self.0.finished.server.unwrap();
        let ticket = ticket.as_bytes().into();
        self.0.tickets.push(NewTicket {
            at,
            ticket,
            lifetime: Duration::from_secs(1),
            age_add: None,
            early_data: None,
        });
        self
    }

    /// The session ID of the server, and of the client if it offers it.
    pub(super) fn with_id(mut self, offered: &str, given: &str) -> Self {
        self.hello().ticket = None;
        self.hello().session_id = SessionId::new(offered.as_bytes()).unwrap();
        self.0.server_hello.as_mut().unwrap().session_id = SessionId::new(given.as_bytes()).unwrap();
        self
    }

    /// The client gives it up instead of its Finished.
    pub(super) fn cut(mut self) -> Self {
        self.0.finished.client = None;
        self.0.end.client.close_notify = CloseNotify::None;
        self
    }

    /// The client says why it gave up.
    pub(super) fn alerting(mut self, description: Description) -> Self {
        let alert = Alert { side: Side::Client, at: self.0.last, content: AlertContent::Read(description) };
        self.0.alerts.push(alert);
        self
    }
}
