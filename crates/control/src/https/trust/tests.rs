use std::fs;

use super::super::tests::Pki;
use super::*;

#[test]
fn a_file_that_cannot_be_used_is_named_with_the_remedy() {
    let pki = Pki::new();
    let good = |name| pki.path(name);
    let bad = |name: &str, content: &[u8]| {
        let path = pki.path(name);
        fs::write(&path, content).unwrap();
        path
    };
    let empty = bad("empty.pem", b"nothing here\n");
    let broken = bad("broken.pem", b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n");
    let no_der = bad("no-der.pem", b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n");
    let encrypted =
        bad("encrypted.key", b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n");
    let no_key = bad("no-der.key", b"-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n");
    let other = Pki::new();
    let ca = |path: PathBuf| Trust { ca: Some(path), certificate: None };
    let pair = |chain, key| Trust { ca: Some(good("ca.pem")), certificate: Some((chain, key)) };
    let cases = [
        (ca(good("none.pem")), "none.pem: cannot be read: No such file"),
        (ca(empty.clone()), "empty.pem: no certificate of a CA in it"),
        (ca(broken.clone()), "broken.pem: not PEM"),
        (ca(no_der.clone()), "no-der.pem: certificate 1 cannot be used"),
        (pair(empty.clone(), good("client.key")), "empty.pem: no certificate in it"),
        (pair(no_der, good("client.key")), "no-der.pem: certificate 1 cannot be used"),
        (pair(good("client.pem"), empty), "empty.pem: no private key in it"),
        (pair(good("client.pem"), encrypted), "encrypted.key: the private key is encrypted"),
        (pair(good("client.pem"), no_key), "no-der.key: not a key that can be used"),
        (pair(good("client.pem"), good("none.key")), "none.key: cannot be read"),
        (pair(good("client.pem"), other.path("client.key")), "client.pem: the first certificate does not belong"),
    ];
    for (trust, expected) in cases {
        let error = trust.load().expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
        assert!(error.contains("; "), "without a remedy: {error}");
    }
    pki.trust(true).load().expect("all in order");
}

#[test]
fn without_a_file_the_system_is_asked() {
    match Trust::default().load() {
        Ok(_) | Err(Error::NoSystemAuthority { .. }) => {}
        Err(error) => panic!("{error}"),
    }
}
