//! A socket with TLS on it, every byte of which the reader sees.

use std::io::{self, Read, Write};
use std::net::SocketAddr;

use raincheck_diagnosis::evidence::{Alert, AlertContent, CloseNotify, Connection, Description, NewTicket};
use raincheck_diagnosis::tcp::{Conversation, Opening};
use raincheck_diagnosis::tls::Reader;
use raincheck_diagnosis::{Moment, Side};
use rustls::{Error, ServerConnection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::probe::clock::now;

/// A client's connection.
pub(super) struct Wire {
    tcp: TcpStream,
    reader: Reader,
    /// What TLS itself knows, where the wire shows less.
    known: Known,
    /// Whether the client has ended its side.
    pub(super) is_over: bool,
}

/// What rustls could read, and a reader without keys could not.
#[derive(Default)]
struct Known {
    alert: Option<(Moment, Description)>,
    close_notify: Option<Moment>,
    /// The TLS 1.3 tickets that were sent.
    tickets: Vec<NewTicket>,
}

impl Wire {
    /// Around a connection that was accepted just now.
    pub(super) fn new(tcp: TcpStream, client: SocketAddr) -> io::Result<Self> {
        let canonical = |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
        let (client, server) = (canonical(client), canonical(tcp.local_addr()?));
        tcp.set_nodelay(true)?;
        let reader = Reader::new(Opening { client, server, at: now(), from_the_start: true });
        Ok(Self { tcp, reader, known: Known::default(), is_over: false })
    }

    /// What was seen up to now.
    pub(super) fn seen(&self) -> &Connection {
        self.reader.connection()
    }

    /// What was seen up to now, and what TLS knows beyond that.
    pub(super) fn evidence(&self) -> Connection {
        let mut connection = self.reader.connection().clone();
        let Known { alert, close_notify, tickets } = &self.known;
        connection.tickets.extend_from_slice(tickets);
        let end = &mut connection.end.client;
        if let Some(at) = close_notify {
            end.close_notify = CloseNotify::Sent(*at);
        }
        if let Some((at, description)) = *alert {
            // What looks like a close_notify from outside was this.
            end.close_notify = CloseNotify::None;
            connection.alerts.retain(|alert| alert.side != Side::Client);
            connection.alerts.push(Alert { side: Side::Client, at, content: AlertContent::Read(description) });
        }
        connection
    }

    /// Reads once; nothing is read any more once the client has ended its side.
    pub(super) async fn receive(&mut self, buffer: &mut [u8]) -> usize {
        match self.tcp.read(buffer).await {
            Ok(0) => self.reader.fin(Side::Client, now()),
            Ok(length) => {
                self.reader.data(Side::Client, now(), &buffer[..length]);
                return length;
            }
            Err(_) => self.reader.reset(Side::Client, now()),
        }
        self.is_over = true;
        0
    }

    /// Lets TLS work on what was received; gives the application's bytes.
    pub(super) fn digest(&mut self, tls: &mut ServerConnection, mut received: &[u8]) -> Result<Vec<u8>, Error> {
        let mut plain = Vec::new();
        while !received.is_empty() {
            if !matches!(tls.read_tls(&mut received), Ok(1..)) {
                break;
            }
            match tls.process_new_packets() {
                Ok(state) => {
                    if state.peer_has_closed() {
                        self.known.close_notify.get_or_insert_with(now);
                    }
                }
                Err(error) => {
                    if let Error::AlertReceived(description) = error {
                        self.known.alert.get_or_insert((now(), Description(description.into())));
                    }
                    return Err(error);
                }
            }
            // There is an end to what rustls has decrypted: an error says that more may come.
            let _ = tls.reader().read_to_end(&mut plain);
        }
        Ok(plain)
    }

    /// Whether the client has said that it will write no more.
    pub(super) fn has_said_goodbye(&self) -> bool {
        self.known.close_notify.is_some()
    }

    /// Sends what TLS has to send; `tickets` are in it, if they are those of TLS 1.3.
    pub(super) async fn flush(&mut self, tls: &mut ServerConnection, tickets: Vec<NewTicket>) -> io::Result<()> {
        let mut bytes = Vec::new();
        while tls.wants_write() {
            tls.write_tls(&mut bytes)?;
        }
        self.send(&bytes).await?;
        self.known.tickets.extend(tickets);
        Ok(())
    }

    /// Encrypts `plain`, and sends it behind what TLS itself had to say.
    pub(super) async fn write(
        &mut self,
        tls: &mut ServerConnection,
        plain: &[u8],
        tickets: Vec<NewTicket>,
    ) -> io::Result<()> {
        tls.set_buffer_limit(None);
        tls.writer().write_all(plain)?;
        self.flush(tls, tickets).await
    }

    /// Sends bytes as they are.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        if !bytes.is_empty() {
            // Seen before they are sent: whatever the client answers comes after.
            self.reader.data(Side::Server, now(), bytes);
            self.tcp.write_all(bytes).await?;
        }
        Ok(())
    }

    /// Sends the FIN.
    pub(super) async fn shut(&mut self) {
        self.reader.fin(Side::Server, now());
        let _ = self.tcp.shutdown().await;
    }
}
