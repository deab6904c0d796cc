use std::fs;
use std::path::PathBuf;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, IsCa, KeyIdMethod, KeyPair,
    KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, UnixTime};
use tempfile::TempDir;

use super::*;

#[test]
fn a_client_is_believed_if_a_listed_ca_vouches_for_it() {
    let place = Place::new();
    let (ours, other) = (issuer("ours"), issuer("other"));
    let ca = place.write("ca.pem", ours.pem());
    let authority = ClientAuthority::load(&ca, None, true).expect("a sound bundle");
    assert!(admits(&authority, &client(&ours, 1)));
    assert!(!admits(&authority, &client(&other, 1)));
    assert!(authority.verifier.client_auth_mandatory());
    let optional = ClientAuthority::load(&ca, None, false).expect("a sound bundle");
    assert!(!optional.verifier.client_auth_mandatory());
}

#[test]
fn the_order_and_repetition_of_cas_do_not_change_their_digests() {
    let place = Place::new();
    let (one, other) = (issuer("one"), issuer("other"));
    let load = |name: &str, text: String| {
        ClientAuthority::load(&place.write(name, text), None, true).expect("a sound bundle").ca_digests
    };
    let digests = load("ab", one.pem() + &other.pem());
    assert_eq!(digests.len(), 2);
    assert_eq!(digests, load("bab", other.pem() + &one.pem() + &other.pem()));
    assert_ne!(digests, load("a", one.pem()));
}

#[test]
fn a_revoked_client_is_turned_away_in_pem_and_in_der() {
    let place = Place::new();
    let (ours, other) = (issuer("ours"), issuer("other"));
    let ca = place.write("ca.pem", ours.pem() + &other.pem());
    let (list, other_list) = (revocations(&ours, 2, 2100), revocations(&other, 3, 2100));
    let in_pem = place.write("crl.pem", list.pem().expect("PEM") + &other_list.pem().expect("PEM"));
    let in_der = place.write("crl.der", list.der());
    for (crl, others_too) in [(in_pem, true), (in_der, false)] {
        let authority = ClientAuthority::load(&ca, Some(&crl), true).expect("a sound list");
        assert_eq!(authority.warnings, [""; 0]);
        assert!(admits(&authority, &client(&ours, 1)));
        assert!(!admits(&authority, &client(&ours, 2)));
        // A CA without a list vouches for nobody.
        assert_eq!(admits(&authority, &client(&other, 2)), others_too);
        assert!(!admits(&authority, &client(&other, 3)));
    }
}

#[test]
fn an_overdue_list_is_warned_of_and_lets_nobody_in() {
    let place = Place::new();
    let ours = issuer("ours");
    let ca = place.write("ca.pem", ours.pem());
    let crl = place.write("crl.pem", revocations(&ours, 2, 2021).pem().expect("PEM"));
    let authority = ClientAuthority::load(&ca, Some(&crl), true).expect("a list, if overdue");
    assert!(authority.warnings[0].contains("was to be replaced by Jan  1 00:00:00 2021"), "{:?}", authority.warnings);
    assert!(!admits(&authority, &client(&ours, 1)));
}

#[test]
fn each_fault_names_its_file_and_the_remedy() {
    let place = Place::new();
    let ca = place.write("ca.pem", issuer("ours").pem());
    let key = place.write("ca.key", KeyPair::generate().expect("a key").serialize_pem());
    let nonsense = |label: &str| format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n");
    let cases = [
        (key.clone(), None, "no certificate of a CA"),
        (place.write("bad.pem", nonsense("CERTIFICATE")), None, "certificate 1 cannot be used"),
        (ca.clone(), Some(key), "no revocation list"),
        (ca.clone(), Some(place.write("empty.crl", "")), "no revocation list"),
        (ca.clone(), Some(place.write("bad.crl", nonsense("X509 CRL"))), "a revocation list cannot be used"),
        (ca.clone(), Some(place.write("bad.der", [0x30, 0x82])), "a revocation list cannot be used"),
        (ca, Some(PathBuf::from("/no/such/list")), "cannot be read"),
    ];
    for (ca, crl, expected) in cases {
        let error = ClientAuthority::load(&ca, crl.as_deref(), true).expect_err(expected).to_string();
        assert!(error.starts_with(&crl.unwrap_or(ca).display().to_string()), "{error}");
        assert!(error.contains(expected) && error.contains("; "), "{error}");
    }
}

fn admits(authority: &ClientAuthority, client: &CertificateDer<'_>) -> bool {
    authority.verifier.verify_client_cert(client, &[], UnixTime::now()).is_ok()
}

fn issuer(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a CA")
}

fn client(issuer: &CertifiedIssuer<'static, KeyPair>, serial: u64) -> CertificateDer<'static> {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.serial_number = Some(SerialNumber::from(serial));
    params.distinguished_name.push(rcgen::DnType::CommonName, "client");
    let key = KeyPair::generate().expect("a key");
    params.signed_by(&key, issuer).expect("a client certificate").into()
}

fn revocations(
    issuer: &CertifiedIssuer<'static, KeyPair>,
    serial: u64,
    next_update: i32,
) -> rcgen::CertificateRevocationList {
    let revoked = RevokedCertParams {
        serial_number: SerialNumber::from(serial),
        revocation_time: date_time_ymd(2020, 1, 1),
        reason_code: None,
        invalidity_date: None,
    };
    let params = CertificateRevocationListParams {
        this_update: date_time_ymd(2020, 1, 1),
        next_update: date_time_ymd(next_update, 1, 1),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: vec![revoked],
        key_identifier_method: KeyIdMethod::Sha256,
    };
    params.signed_by(issuer).expect("a revocation list")
}

struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().expect("a directory") }
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::write(&path, text).expect("a file");
        path
    }
}
