//! One client's connection, from its first byte to its line in the access log.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use raincheck_tls::{Accepted, HandshakeError, Outcome, ServerStream};
use rustls::CipherSuite;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use crate::counters::{Failure, How, Side, Within};
use crate::proxy_protocol::{self, Addresses, Tls};
use crate::service::Service;
use crate::tcp::{LINGER, Relay, Relayed};
use crate::upstream::{Client, ConnectError, Connected, Server};

/// A connection that was accepted.
#[derive(Debug)]
pub struct Connection {
    /// The socket.
    pub tcp: TcpStream,
    /// Who connected, and where to.
    pub addresses: Addresses,
    /// What was read from it already.
    pub received: Vec<u8>,
}

/// Serves `connection` until it ends.
///
/// To open a connection takes more memory than to keep it, for a short time: that part lives, and goes, apart from the
/// rest.
pub fn serve(connection: Connection, service: Arc<Service>) -> impl Future<Output = ()> + Send {
    let opening = Box::pin(open(connection, Arc::clone(&service)));
    async move {
        let _open = service.counters.open.enter();
        service.counters.connections.increment();
        let (mut record, opened) = opening.await;
        if let Some((mut relay, _within)) = opened {
            record.relayed(&service, relay.run(service.idle_timeout).await);
        }
        record.write(&service);
    }
}

/// From the first byte until there is a server to carry bytes to.
async fn open(connection: Connection, service: Arc<Service>) -> (Record, Option<(Relay, Option<Within>)>) {
    let mut record = Record::new(connection.addresses);
    let opened = match accept(connection, &service, &mut record).await {
        Ok(accepted) => connect(accepted, &service, &mut record).await,
        Err(failure) => {
            service.counters.failed(failure);
            record.failure = Some(failure);
            None
        }
    };
    (record, opened)
}

/// From the first byte to the end of the handshake.
async fn accept(connection: Connection, service: &Service, record: &mut Record) -> Result<Accepted, Failure> {
    let Connection { mut tcp, mut received, .. } = connection;
    let handshake = async {
        if service.accept_proxy {
            let (addresses, length) = read_proxy_header(&mut tcp, &mut received).await?;
            record.addresses = addresses.unwrap_or(record.addresses);
            received.drain(..length);
        }
        Ok(ServerStream::accept(tcp, &service.endpoint, received).await)
    };
    let (error, refused) = match timeout_at(record.started + service.handshake_timeout, handshake).await {
        Err(_elapsed) => return Err(Failure::Timeout),
        Ok(Err(failure)) => return Err(failure),
        Ok(Ok(Ok(accepted))) => return Ok(accepted),
        Ok(Ok(Err(HandshakeError::Left(_)))) => return Err(Failure::Left),
        Ok(Ok(Err(HandshakeError::Ours(error)))) => {
            record.fault = Some(error);
            return Err(Failure::Tls);
        }
        Ok(Ok(Err(HandshakeError::Tls(error, refused)))) => (error, refused),
    };
    refused.drain(LINGER).await;
    let failure = match error {
        rustls::Error::NoCertificatesPresented | rustls::Error::InvalidCertificate(_) => Failure::ClientCertificate,
        _ => Failure::Tls,
    };
    record.fault = Some(error);
    Err(failure)
}

async fn read_proxy_header(tcp: &mut TcpStream, received: &mut Vec<u8>) -> Result<(Option<Addresses>, usize), Failure> {
    loop {
        match proxy_protocol::read(received) {
            proxy_protocol::Read::Header { addresses, length } => return Ok((addresses, length)),
            proxy_protocol::Read::Malformed => return Err(Failure::ProxyHeader),
            proxy_protocol::Read::Incomplete => {}
        }
        match tcp.read_buf(received).await {
            Ok(0) | Err(_) => return Err(Failure::Left),
            Ok(_) => {}
        }
    }
}

/// Counts the handshake, and finds a server for what follows it.
async fn connect(accepted: Accepted, service: &Service, record: &mut Record) -> Option<(Relay, Option<Within>)> {
    let Accepted { stream, outcome, first } = accepted;
    record.handshake = record.started.elapsed();
    service.counters.handshake(&outcome, record.handshake);
    let foreign = service.tickets.handshake(&outcome);
    record.names_key = foreign.is_none() || service.tickets.may_log_foreign();
    record.cipher = stream.session().cipher_suite();
    record.bytes.0 = first.len() as u64;
    let client = Client {
        addresses: record.addresses,
        tls: Tls {
            version: version_name(&outcome),
            server_name: outcome.server_name.as_deref(),
            alpn: stream.session().alpn(),
            client_certificate: stream.session().client_chain().is_some(),
        },
        about: &|| about(&outcome),
    };
    let connected = service.upstream.connect(&client, first).await;
    record.outcome = Some(outcome);
    match connected {
        Ok(Connected { io, unsent, answer, server, within }) => {
            record.server = server;
            Some((Relay::new(stream, io, unsent, &answer), within))
        }
        Err(error) => {
            // No answer at all must not look like an empty one: no close_notify.
            service.counters.no_server();
            service.counters.bytes_in.add(record.bytes.0);
            service.counters.closed(Side::Client, How::Reset);
            record.upstream_error = Some(Box::new(error));
            None
        }
    }
}

/// What the built-in upstream answers.
fn about(outcome: &Outcome) -> serde_json::Value {
    serde_json::json!({
        "version": version_name(outcome),
        "kind": outcome.kind.as_str(),
        "reason": outcome.reason.map(raincheck_tls::Reason::as_str),
        "key_name": outcome.key_name.map(|name| name.to_string()),
        "age": outcome.age.map(|age| age.as_secs_f64()),
        "server_name": outcome.server_name,
    })
}

fn version_name(outcome: &Outcome) -> &'static str {
    if outcome.version == rustls::ProtocolVersion::TLSv1_3 { "TLSv1.3" } else { "TLSv1.2" }
}

/// The name in IANA's registry, from which rustls strays in TLS 1.3.
fn iana_name(cipher: CipherSuite) -> String {
    cipher.as_str().unwrap_or("unknown").replacen("TLS13_", "TLS_", 1)
}

/// What the access log will say.
#[derive(Debug)]
struct Record {
    addresses: Addresses,
    started: Instant,
    handshake: Duration,
    outcome: Option<Outcome>,
    names_key: bool,
    cipher: Option<CipherSuite>,
    failure: Option<Failure>,
    fault: Option<rustls::Error>,
    server: Option<Arc<Server>>,
    upstream_error: Option<Box<ConnectError>>,
    bytes: (u64, u64),
    closed: Option<(How, Option<How>)>,
}

impl Record {
    fn new(addresses: Addresses) -> Self {
        Self {
            addresses,
            started: Instant::now(),
            handshake: Duration::ZERO,
            outcome: None,
            names_key: false,
            cipher: None,
            failure: None,
            fault: None,
            server: None,
            upstream_error: None,
            bytes: (0, 0),
            closed: None,
        }
    }

    /// Counts and keeps what came of carrying bytes.
    fn relayed(&mut self, service: &Service, relayed: Relayed) {
        self.bytes.0 += relayed.bytes_in;
        self.bytes.1 += relayed.bytes_out;
        service.counters.bytes_in.add(self.bytes.0);
        service.counters.bytes_out.add(self.bytes.1);
        service.counters.closed(Side::Client, relayed.client);
        if let Some(how) = relayed.upstream {
            service.counters.closed(Side::Upstream, how);
        }
        self.closed = Some((relayed.client, relayed.upstream));
        self.fault = relayed.fault;
    }

    fn write(&self, service: &Service) {
        let Some(log) = &service.access_log else {
            return;
        };
        log.write(|line| {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            line.seconds("time", now).text("listener", &service.name).display("client", self.addresses.source);
            if let Some(outcome) = &self.outcome {
                line.text("version", version_name(outcome)).text("kind", outcome.kind.as_str());
                if let Some(reason) = outcome.reason {
                    line.text("reason", reason.as_str());
                }
                if let Some(name) = outcome.key_name.filter(|_| self.names_key) {
                    line.display("key_name", name);
                }
                if let Some(age) = outcome.age {
                    line.seconds("age", age);
                }
                if let Some(name) = &outcome.server_name {
                    line.text("sni", name);
                }
                if let Some(cipher) = self.cipher {
                    line.display("cipher", iana_name(cipher));
                }
                line.milliseconds("handshake_ms", self.handshake);
            }
            if let Some(failure) = self.failure {
                line.text("failure", failure.as_str());
            }
            if let Some(fault) = &self.fault {
                line.display("error", fault);
            }
            if let Some(server) = &self.server {
                line.text("server", &server.name);
            }
            if let Some(error) = &self.upstream_error {
                line.display("upstream_error", error);
            }
            if let Some((client, upstream)) = self.closed {
                line.number("bytes_in", self.bytes.0)
                    .number("bytes_out", self.bytes.1)
                    .text("client_close", client.as_str());
                if let Some(upstream) = upstream {
                    line.text("upstream_close", upstream.as_str());
                }
            }
            line.milliseconds("duration_ms", self.started.elapsed());
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Memory per idle connection is a promise; what a connection's task keeps is a good part of it.
    #[test]
    fn a_task_is_small() {
        fn size<A, B, F>(_: impl Fn(A, B) -> F) -> usize {
            std::mem::size_of::<F>()
        }
        assert!(size(serve) <= 904, "{} bytes", size(serve));
    }
}
