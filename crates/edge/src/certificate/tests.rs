use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256, SignatureAlgorithm};
use rustls::pki_types::PrivateKeyDer;

use super::*;

const RSA_ONLY: &[SignatureScheme] = &[SignatureScheme::RSA_PSS_SHA256, SignatureScheme::RSA_PKCS1_SHA256];
const EVERY: &[SignatureScheme] =
    &[SignatureScheme::RSA_PSS_SHA256, SignatureScheme::ED25519, SignatureScheme::ECDSA_NISTP256_SHA256];

#[test]
fn names_are_matched_exactly_then_by_a_wildcard_of_one_label() {
    let listed = [
        certificate(&["a.example", "Example.ORG"], &PKCS_ECDSA_P256_SHA256),
        certificate(&["*.example.org"], &PKCS_ECDSA_P256_SHA256),
        certificate(&["www.example.org"], &PKCS_ECDSA_P256_SHA256),
    ];
    let keys: Vec<Arc<CertifiedKey>> = listed.iter().map(Certificate::key).collect();
    let certificates = gather(listed);
    let cases = [
        (Some("a.example"), 0),
        (Some("example.org"), 0),
        (Some("api.example.org"), 1),
        (Some("www.example.org"), 2),
        (Some("x.www.example.org"), 0), // a wildcard is one label: the default
        (Some("org"), 0),
        (Some("unknown.test"), 0),
        (None, 0),
    ];
    for (name, expected) in cases {
        assert!(Arc::ptr_eq(&certificates.choose(name, EVERY), &keys[expected]), "{name:?}");
    }
    assert_eq!(certificates.names(), ["*.example.org", "a.example", "example.org", "www.example.org"]);
}

#[test]
fn of_several_certificates_for_a_name_the_client_can_verify_the_cheapest() {
    let listed = [
        certificate(&["a.example"], &PKCS_RSA_SHA256),
        certificate(&["a.example"], &PKCS_ED25519),
        certificate(&["a.example", "b.example"], &PKCS_ECDSA_P256_SHA256),
        certificate(&["b.example"], &PKCS_ED25519),
    ];
    let certificates = gather(listed);
    use rustls::SignatureAlgorithm::{ECDSA, ED25519, RSA};
    let cases: [(Option<&str>, &[SignatureScheme], _); 8] = [
        (Some("a.example"), EVERY, ECDSA),
        (Some("a.example"), RSA_ONLY, RSA),
        (Some("a.example"), &[SignatureScheme::ED25519], ED25519),
        (Some("b.example"), EVERY, ECDSA),
        (Some("b.example"), RSA_ONLY, ECDSA), // nothing fits: rustls answers with the alert
        (None, EVERY, ECDSA),                 // the default shares its name with two others
        (None, RSA_ONLY, RSA),
        (Some("unknown.test"), RSA_ONLY, RSA),
    ];
    for (name, schemes, expected) in cases {
        assert_eq!(certificates.choose(name, schemes).key.algorithm(), expected, "{name:?} {schemes:?}");
    }
}

#[test]
fn the_throw_away_certificate_is_for_localhost_and_made_once() {
    let made = throw_away();
    assert_eq!(made.names(), ["localhost"]);
    assert!(Arc::ptr_eq(&made, &throw_away()));
}

fn gather<const N: usize>(certificates: [Certificate; N]) -> Certificates {
    let mut certificates = certificates.into_iter();
    Certificates::new(certificates.next().expect("a first one"), certificates.collect())
}

fn certificate(names: &[&str], algorithm: &'static SignatureAlgorithm) -> Certificate {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let pair = KeyPair::generate_for(algorithm).expect("a key");
    let own = CertificateParams::new(names).expect("sound names").self_signed(&pair).expect("a certificate");
    let key = PrivateKeyDer::try_from(pair.serialize_der()).expect("PKCS #8");
    Certificate::new(vec![own.into()], key).expect("a sound pair")
}
