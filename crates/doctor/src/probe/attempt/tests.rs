use std::sync::Arc;

use raincheck_diagnosis::Side;
use raincheck_diagnosis::evidence::{Close, CloseNotify, Kind};
use rcgen::CertifiedKey;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs as provider;
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;

#[tokio::test]
async fn a_session_resumes_in_each_way_and_is_seen_to() {
    let (target, trust) = (serve(sealing()).await, Trust::insecure());
    for (versions, kind) in [(Versions::Tls13, Kind::ResumedPsk), (Versions::Tls12, Kind::ResumedTicket)] {
        let mut full = ask(&target, versions).run(&target, &trust).await;
        assert_eq!((full.failure, full.connection.kind()), (None, Kind::Full));
        assert_eq!(full.answer, b"hello");
        // Those of TLS 1.3 too: its secrets are known.
        assert_eq!(full.connection.tickets.len(), full.gained.len());
        let offer = Offer::Session(full.gained.remove(0));
        let resumed = Attempt { offer, ..ask(&target, versions) }.run(&target, &trust).await;
        assert_eq!((resumed.failure, resumed.connection.kind()), (None, kind));
    }
}

#[tokio::test]
async fn a_session_id_is_offered_where_no_ticket_was_asked_for() {
    // Without a ticketer there are session IDs.
    let (target, trust) = (serve(config()).await, Trust::insecure());
    let attempt = Attempt { offer: Offer::NoTickets, ..ask(&target, Versions::Tls12) };
    let mut full = attempt.run(&target, &trust).await;
    let offer = Offer::SessionId(full.gained.remove(0));
    let resumed = Attempt { offer, ..ask(&target, Versions::Tls12) }.run(&target, &trust).await;
    assert_eq!((resumed.failure, resumed.connection.kind()), (None, Kind::ResumedSessionId));
    // Of a server with tickets none is asked for.
    let (target, trust) = (serve(sealing()).await, Trust::insecure());
    let attempt = Attempt { offer: Offer::NoTickets, ..ask(&target, Versions::Tls12) };
    assert_eq!(attempt.run(&target, &trust).await.connection.tickets, []);
}

#[tokio::test]
async fn what_comes_unasked_is_counted() {
    let (target, trust) = (serve(sealing()).await, Trust::insecure());
    let speech = Speech::Ask { after: Duration::from_secs(1), request: b"?".to_vec() };
    let listening = Attempt { speech, ..ask(&target, Versions::Tls13) }.run(&target, &trust).await;
    assert_eq!((listening.unasked, listening.gained.len()), (2, 2));
    // In TLS 1.2 the ticket is there with the handshake.
    let tls12 = ask(&target, Versions::Tls12).run(&target, &trust).await;
    assert_eq!((tls12.unasked, tls12.gained.len()), (1, 1));
}

#[tokio::test]
async fn it_ends_as_it_is_told_to() {
    let (target, trust) = (serve(sealing()).await, Trust::insecure());
    for (ending, close) in
        [(Ending::Clean, Close::Clean), (Ending::Fin, Close::Truncated), (Ending::Reset, Close::Reset)]
    {
        let ended = Attempt { ending, ..ask(&target, Versions::Tls13) }.run(&target, &trust).await;
        assert_eq!(ended.connection.close(Side::Client), close);
        let sent = matches!(ended.connection.end.client.close_notify, CloseNotify::Sent(_));
        assert_eq!(sent, ending == Ending::Clean);
    }
}

#[tokio::test]
async fn early_data_is_taken_where_tickets_allow_it() {
    for (allowed, taken) in [(1024, Some(true)), (0, None)] {
        let mut config = config();
        config.max_early_data_size = allowed;
        let (target, trust) = (serve(config).await, Trust::insecure());
        let mut full = ask(&target, Versions::Tls13).run(&target, &trust).await;
        let offer = Offer::Session(full.gained.remove(0));
        let early = Attempt { offer, early: true, ..ask(&target, Versions::Tls13) }.run(&target, &trust).await;
        assert_eq!((early.failure, &early.answer[..]), (None, &b"hello"[..]), "{allowed}");
        let sent = early.connection.client_hello.is_some_and(|hello| hello.early_data);
        assert_eq!(early.connection.early_data.filter(|_| sent), taken);
    }
}

/// A request in these versions.
fn ask(target: &Target, versions: Versions) -> Attempt {
    let speech = Speech::Ask { after: Duration::ZERO, request: b"?".to_vec() };
    Attempt { speech, ..Attempt::new(target, versions) }
}

fn config() -> ServerConfig {
    let CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(["shop.example".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
    ServerConfig::builder_with_provider(Arc::new(provider::default_provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key.into())
        .unwrap()
}

/// With sealed tickets.
fn sealing() -> ServerConfig {
    let mut config = config();
    config.ticketer = provider::Ticketer::new().unwrap();
    config
}

/// A server that answers whatever is said first, early or not, and reads to the end.
async fn serve(config: ServerConfig) -> Target {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let accepting = acceptor.accept(tcp);
            tokio::spawn(async move {
                let Ok(mut tls) = accepting.await else { return };
                let mut early = Vec::new();
                if let Some(mut data) = tls.get_mut().1.early_data() {
                    let _ = std::io::Read::read_to_end(&mut data, &mut early);
                }
                if !early.is_empty() || tls.read(&mut [0; 64]).await.is_ok_and(|length| length > 0) {
                    let _ = tls.write_all(b"hello").await;
                }
                let _ = tls.read_to_end(&mut Vec::new()).await;
                let _ = tls.shutdown().await;
            });
        }
    });
    Target::resolve(&address.to_string(), Some("shop.example")).await.unwrap().remove(0)
}
