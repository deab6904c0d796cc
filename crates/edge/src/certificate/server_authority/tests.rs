use std::fs;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, PublicKeyData};
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{CertificateError as Refusal, ClientConfig, ClientConnection, Error, ServerConfig, ServerConnection};
use rustls::{SupportedProtocolVersion, version};
use tempfile::TempDir;

use super::*;

#[test]
fn a_server_is_believed_if_a_listed_ca_vouches_for_its_name() {
    let place = Place::new();
    let (ours, other) = (issuer("ours"), issuer("other"));
    let authority = ServerAuthority::load(&place.write("ca.pem", &ours.pem())).expect("a sound bundle");
    let (server, stranger) = (server(&ours, &key()), server(&other, &key()));
    let judge = |certificate: &CertificateDer<'_>, name: &'static str| {
        let name = ServerName::try_from(name).expect("a name");
        authority.verifier.verify_server_cert(certificate, &[], &name, &[], UnixTime::now())
    };
    for name in ["app.internal", "10.0.0.11", "::1"] {
        assert!(judge(&server, name).is_ok(), "{name}");
    }
    for name in ["app.elsewhere", "10.0.0.12"] {
        let refused = judge(&server, name).expect_err(name);
        assert!(matches!(refused, Error::InvalidCertificate(Refusal::NotValidForNameContext { .. })), "{refused}");
    }
    let refused = judge(&stranger, "app.internal").expect_err("a stranger");
    assert!(matches!(refused, Error::InvalidCertificate(Refusal::UnknownIssuer)), "{refused}");
}

#[test]
fn whom_nobody_vouches_for_is_believed_only_where_anybody_is_and_still_needs_its_key() {
    let place = Place::new();
    let (ours, other) = (issuer("ours"), issuer("other"));
    let verifying = ServerAuthority::load(&place.write("ca.pem", &ours.pem())).expect("a sound bundle");
    let any = ServerAuthority::dangerous_any();
    for version in [&version::TLS12, &version::TLS13] {
        let (own, foreign) = (key(), key());
        let stranger = server(&other, &own);
        let shake = |authority, key| handshake(authority, stranger.clone(), key, version);
        assert!(shake(&verifying, &own).is_err());
        assert_eq!(shake(&any, &own), Ok(()));
        let refused = shake(&any, &foreign).expect_err("a certificate without its key");
        assert_eq!(refused, Error::InvalidCertificate(Refusal::BadSignature), "{version:?}");
    }
}

#[test]
fn the_digest_changes_with_who_is_trusted_and_what_is_shown() {
    let place = Place::new();
    let (one, other) = (issuer("one"), issuer("other"));
    let load = |name: &str, text: String| ServerAuthority::load(&place.write(name, &text)).expect("a sound bundle");
    let [ab, bab, a] = [
        load("ab", one.pem() + &other.pem()),
        load("bab", other.pem() + &one.pem() + &other.pem()),
        load("a", one.pem()),
    ];
    assert_eq!(ab.digest(None), bab.digest(None));
    let [first, second] = ["first", "second"].map(|name| {
        let key = key();
        let chain = place.write(&format!("{name}.pem"), &issuer_of_itself(&key).pem());
        Certificate::load(&chain, &place.write(&format!("{name}.key"), &key.serialize_pem())).expect("a sound pair")
    });
    let any = ServerAuthority::dangerous_any();
    let mut digests = vec![
        ab.digest(None),
        a.digest(None),
        any.digest(None),
        ab.digest(Some(&first)),
        ab.digest(Some(&second)),
        any.digest(Some(&first)),
    ];
    let count = digests.len();
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), count);
}

/// What the client makes of a server that shows `certificate` and signs with `key`.
fn handshake(
    authority: &ServerAuthority,
    certificate: CertificateDer<'static>,
    key: &KeyPair,
    version: &'static SupportedProtocolVersion,
) -> Result<(), Error> {
    let provider = || Arc::new(default_provider());
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("PKCS #8");
    let shown = CertifiedKey::new(vec![certificate], any_supported_type(&key).expect("a P-256 key"));
    let server = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[version])
        .expect("a version the provider has")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(shown)));
    let client = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[version])
        .expect("a version the provider has")
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&authority.verifier))
        .with_no_client_auth();
    let name = ServerName::try_from("app.internal").expect("a name");
    let mut server = ServerConnection::new(Arc::new(server)).expect("a sound configuration");
    let mut client = ClientConnection::new(Arc::new(client), name).expect("a sound configuration");
    while client.is_handshaking() {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).expect("a vector takes all");
        server.read_tls(&mut &wire[..]).expect("a slice can be read");
        server.process_new_packets().expect("a sound client");
        wire.clear();
        server.write_tls(&mut wire).expect("a vector takes all");
        client.read_tls(&mut &wire[..]).expect("a slice can be read");
        client.process_new_packets()?;
    }
    Ok(())
}

fn issuer(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, key()).expect("a CA")
}

fn issuer_of_itself(key: &KeyPair) -> rcgen::Certificate {
    CertificateParams::new(Vec::new()).expect("no names").self_signed(key).expect("a certificate")
}

fn server(issuer: &CertifiedIssuer<'static, KeyPair>, key: &impl PublicKeyData) -> CertificateDer<'static> {
    let names = ["app.internal", "10.0.0.11", "::1"].map(String::from);
    let params = CertificateParams::new(names).expect("sound names");
    params.signed_by(key, issuer).expect("a server certificate").into()
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().expect("a directory") }
    }

    fn write(&self, name: &str, text: &str) -> std::path::PathBuf {
        let path = self.directory.path().join(name);
        fs::write(&path, text).expect("a file");
        path
    }
}
