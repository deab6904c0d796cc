use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned, version};
use tempfile::TempDir;
use tokio::net::TcpSocket;

use super::*;

const LIMITS: Limits = Limits { time: Duration::from_secs(30), bytes: 100 };

#[tokio::test]
async fn an_answer_is_whole_and_its_connection_is_used_again() {
    let server = Server::plain(|peer| {
        while request(peer).is_some() {
            write(peer, b"HTTP/1.1 404 Not Found\r\nX-A: b\r\nContent-Length: 5\r\n\r\nhello");
        }
    });
    let client = client();
    for _ in 0..2 {
        let answer = client.request(server.get(), LIMITS).await.unwrap();
        assert_eq!((answer.status.as_u16(), &answer.body[..]), (404, &b"hello"[..]));
        assert_eq!(answer.headers["x-a"], "b");
        assert_eq!(format!("{answer:?}"), "Answer(404 Not Found, 5 bytes)");
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn what_is_asked_arrives() {
    let server = Server::plain(|peer| {
        let head = request(peer).unwrap();
        let sound = head.starts_with("POST /a/b?c HTTP/1.1\r\n") && head.contains("content-type: application/json\r\n");
        let mut body = [0; 2];
        peer.read_exact(&mut body).unwrap();
        let status: &[u8] = if sound && body == *b"{}" { b"204 OK" } else { b"400 No" };
        write(peer, &[b"HTTP/1.1 ", status, b"\r\n\r\n"].concat());
    });
    let url = format!("{}/a/b?c", server.origin).parse().unwrap();
    let answer = client().request(Request::post_json(url, "{}"), LIMITS).await.unwrap();
    assert_eq!(answer.status, 204);
}

#[tokio::test]
async fn a_body_has_a_limit_however_its_length_is_told() {
    let told = Server::plain(|peer| {
        request(peer);
        write(peer, b"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n");
        read_to_end(peer);
    });
    let endless = Server::plain(|peer| {
        request(peer);
        write(peer, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        while peer.write_all(b"1\r\na\r\n").is_ok() {}
    });
    let until_close = Server::plain(|peer| {
        request(peer);
        write(peer, b"HTTP/1.0 200 OK\r\n\r\n");
        write(peer, &[b'a'; 101]);
    });
    for server in [told, endless, until_close] {
        assert_eq!(server.fault(&client()).await, HttpsFault::TooLarge { limit: 100 });
    }
    let fits = Server::plain(|peer| {
        request(peer);
        write(peer, b"HTTP/1.0 200 OK\r\n\r\n");
        write(peer, &[b'a'; 100]);
    });
    assert_eq!(client().request(fits.get(), LIMITS).await.unwrap().body.len(), 100);
}

#[tokio::test]
async fn an_answer_has_a_time_however_far_it_got() {
    let silent = Server::plain(read_to_end);
    let stuck = Server::plain(|peer| {
        request(peer);
        write(peer, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell");
        read_to_end(peer);
    });
    let limit = Duration::from_millis(50);
    for server in [&silent, &stuck] {
        let error = client().request(server.get(), Limits { time: limit, bytes: 100 }).await.unwrap_err();
        assert_eq!(error.fault, HttpsFault::TimedOut { limit });
    }
    // Over TLS a server that never answers ClientHello.
    let https = get(&silent.origin.replace("http:", "https:"));
    let error = client().request(https, Limits { time: limit, bytes: 100 }).await.unwrap_err();
    assert_eq!(error.fault, HttpsFault::TimedOut { limit });
    assert_eq!(client().stream(silent.get(), limit).await.unwrap_err().fault, HttpsFault::TimedOut { limit });
}

#[tokio::test]
async fn what_ends_in_the_middle_is_no_answer() {
    for answer in [&b""[..], b"HTTP/1.1 20", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell"] {
        let server = Server::plain(move |peer| {
            request(peer);
            write(peer, answer);
        });
        let fault = server.fault(&client()).await;
        assert!(matches!(fault, HttpsFault::Closed { .. }), "{fault:?}");
        assert!(fault.may_have_arrived());
    }
    let during_tls = Server::plain(|peer| drop(peer.read(&mut [0; 1])));
    let fault = client().request(get(&during_tls.origin.replace("http:", "https:")), LIMITS).await.unwrap_err().fault;
    assert!(matches!(fault, HttpsFault::Closed { .. }), "{fault:?}");
}

#[tokio::test]
async fn other_protocols_are_told() {
    let ssh = Server::plain(|peer| {
        write(peer, b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n");
        read_to_end(peer);
    });
    let fault = ssh.fault(&client()).await;
    assert!(matches!(fault, HttpsFault::NotHttp { .. }), "{fault:?}");
    let fault = client().request(get(&ssh.origin.replace("http:", "https:")), LIMITS).await.unwrap_err().fault;
    assert_eq!(fault, HttpsFault::NotTls);

    let pki = Pki::new();
    let tls = pki.server(|_| {}, |_| {});
    let fault = client().request(get(&tls.origin.replace("https:", "http:")), LIMITS).await.unwrap_err().fault;
    assert!(matches!(fault, HttpsFault::NotHttp { .. }), "{fault:?}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_from_a_name_that_is_not() {
    // Bound, so that nobody else has it, but nobody listens.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let origin = format!("http://{}", socket.local_addr().unwrap());
    let error = client().request(get(&origin), LIMITS).await.unwrap_err();
    assert!(matches!(error.fault, HttpsFault::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().starts_with(&format!("{origin}: cannot connect: Connection refused")), "{error}");

    // No name has a label of 64 bytes, so nobody is asked.
    let error = client().request(get(&format!("http://{}.invalid", "a".repeat(64))), LIMITS).await.unwrap_err();
    assert!(matches!(error.fault, HttpsFault::Unresolved { .. }), "{error:?}");
    assert!(!error.fault.may_have_arrived());
}

#[tokio::test]
async fn tls_is_made_in_both_versions_and_a_certificate_is_shown() {
    let pki = Pki::new();
    for version in [&version::TLS12, &version::TLS13] {
        let server = pki.server_with(|_| {}, Some(pki.verifier()), version, ok);
        let answer = pki.client(true).request(server.get(), LIMITS).await.unwrap();
        assert_eq!(&answer.body[..], b"ok");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_certificate_is_told() {
    let pki = Pki::new();
    type Change = fn(&mut CertificateParams);
    let cases: [(Change, HttpsFault); 3] = [
        (|params| params.not_after = date_time_ymd(2000, 1, 1), HttpsFault::Expired),
        (|params| params.not_before = date_time_ymd(2100, 1, 1), HttpsFault::NotYetValid),
        (
            |params| {
                params.subject_alt_names = CertificateParams::new(["other.test".into()]).unwrap().subject_alt_names
            },
            HttpsFault::OtherName { names: vec!["other.test".into()] },
        ),
    ];
    for (change, expected) in cases {
        let fault = pki.server(change, ok).fault(&pki.client(false)).await;
        assert_eq!(fault, expected);
        assert!(!fault.may_have_arrived());
    }
    for name in ["ca", "another ca"] {
        let strange = Pki::named(name).server(|_| {}, ok);
        assert_eq!(strange.fault(&pki.client(false)).await, HttpsFault::UnknownAuthority);
    }
}

#[tokio::test]
async fn a_server_that_wants_a_certificate_says_so() {
    let pki = Pki::new();
    for version in [&version::TLS12, &version::TLS13] {
        let server = pki.server_with(|_| {}, Some(pki.verifier()), version, ok);
        let fault = server.fault(&pki.client(false)).await;
        assert!(matches!(fault, HttpsFault::Alert { .. }), "{version:?}: {fault:?}");
    }
}

#[tokio::test]
async fn a_stream_comes_as_it_is_written() {
    let (more, told) = std::sync::mpsc::channel::<&[u8]>();
    let told = std::sync::Mutex::new(told);
    let server = Server::plain(move |peer| {
        request(peer);
        write(peer, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        for bytes in told.lock().unwrap().iter() {
            write(peer, bytes);
        }
    });
    let mut stream = client().stream(server.get(), LIMITS.time).await.unwrap();
    assert_eq!(stream.status, 200);
    for line in ["one\n", "two\n"] {
        more.send(if line == "one\n" { b"4\r\none\n\r\n" } else { b"4\r\ntwo\n\r\n" }).unwrap();
        assert_eq!(stream.chunk().await.unwrap().unwrap(), line);
    }
    more.send(b"5\r\nth").unwrap();
    drop(more);
    assert_eq!(stream.chunk().await.unwrap().unwrap(), "th");
    let error = stream.chunk().await.unwrap_err();
    assert!(matches!(error.fault, HttpsFault::Closed { .. }), "{error:?}");
    assert_eq!(error.origin, server.origin);
}

#[tokio::test]
async fn a_stream_ends() {
    let server = Server::plain(|peer| {
        request(peer);
        write(peer, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Trailer: a\r\n\r\n");
    });
    let mut stream = client().stream(server.get(), LIMITS.time).await.unwrap();
    assert_eq!(stream.chunk().await.unwrap().unwrap(), "ok");
    assert_eq!(stream.chunk().await.unwrap(), None);
}

/// A server with a thread for each connection, on an address the system picks.
struct Server {
    origin: String,
    connections: Arc<AtomicUsize>,
}

trait Peer: Read + Write {}
impl<T: Read + Write> Peer for T {}

impl Server {
    fn plain(service: impl Fn(&mut dyn Peer) + Send + Sync + 'static) -> Self {
        Self::start("http", move |mut tcp| service(&mut tcp))
    }

    fn start(scheme: &str, service: impl Fn(std::net::TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = format!("{scheme}://{}", listener.local_addr().unwrap());
        let connections = Arc::new(AtomicUsize::new(0));
        let (count, service) = (connections.clone(), Arc::new(service));
        thread::spawn(move || {
            for tcp in listener.incoming() {
                count.fetch_add(1, Ordering::SeqCst);
                let service = service.clone();
                thread::spawn(move || service(tcp.unwrap()));
            }
        });
        Self { origin, connections }
    }

    fn get(&self) -> Request {
        get(&self.origin)
    }

    async fn fault(&self, client: &Client) -> HttpsFault {
        client.request(self.get(), LIMITS).await.unwrap_err().fault
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// A CA with its servers and a client.
pub(super) struct Pki {
    directory: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Pki {
    pub(super) fn new() -> Self {
        Self::named("ca")
    }

    fn named(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let directory = TempDir::new().unwrap();
        std::fs::write(directory.path().join("ca.pem"), issuer.pem()).unwrap();
        let (pem, key) = {
            let key = KeyPair::generate().unwrap();
            (CertificateParams::default().signed_by(&key, &issuer).unwrap().pem(), key.serialize_pem())
        };
        std::fs::write(directory.path().join("client.pem"), pem).unwrap();
        std::fs::write(directory.path().join("client.key"), key).unwrap();
        Self { directory, issuer }
    }

    pub(super) fn path(&self, name: &str) -> std::path::PathBuf {
        Path::join(self.directory.path(), name)
    }

    pub(super) fn trust(&self, certificate: bool) -> Trust {
        let certificate = certificate.then(|| (self.path("client.pem"), self.path("client.key")));
        Trust { ca: Some(self.path("ca.pem")), certificate }
    }

    fn client(&self, certificate: bool) -> Client {
        Client::new(&self.trust(certificate)).unwrap()
    }

    fn verifier(&self) -> Arc<dyn rustls::server::danger::ClientCertVerifier> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::new(default_provider())).build().unwrap()
    }

    fn server(
        &self,
        change: impl FnOnce(&mut CertificateParams),
        service: impl Fn(&mut dyn Peer) + Send + Sync + 'static,
    ) -> Server {
        self.server_with(change, None, &version::TLS13, service)
    }

    fn server_with(
        &self,
        change: impl FnOnce(&mut CertificateParams),
        verifier: Option<Arc<dyn rustls::server::danger::ClientCertVerifier>>,
        version: &'static rustls::SupportedProtocolVersion,
        service: impl Fn(&mut dyn Peer) + Send + Sync + 'static,
    ) -> Server {
        let mut params = CertificateParams::new(["127.0.0.1".into()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[version])
            .unwrap();
        let builder = match verifier {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = Arc::new(builder.with_single_cert(vec![certificate.into()], key).unwrap());
        Server::start("https", move |tcp| {
            let mut tls = StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), tcp);
            service(&mut tls);
            // An alert would be lost by a reset, if there were anything unread.
            let _ = tls.flush();
            read_to_end(&mut tls.sock);
        })
    }
}

/// Answers each request.
fn ok(peer: &mut dyn Peer) {
    while request(peer).is_some() {
        write(peer, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    }
}

fn client() -> Client {
    let pki = Pki::new();
    pki.client(false)
}

fn get(origin: &str) -> Request {
    Request::get(format!("{origin}/").parse().unwrap())
}

/// The head of the next request.
fn request(peer: &mut dyn Peer) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match peer.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return None,
        }
    }
    Some(String::from_utf8(head).unwrap())
}

/// The client may have left.
fn write(peer: &mut dyn Peer, bytes: &[u8]) {
    let _ = peer.write_all(bytes).and_then(|()| peer.flush());
}

fn read_to_end(peer: &mut dyn Peer) {
    let _ = peer.read_to_end(&mut Vec::new());
}
