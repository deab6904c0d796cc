use std::fs;
use std::path::PathBuf;

use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;

use super::*;

#[test]
fn a_pair_is_loaded_whichever_file_its_parts_are_in() {
    let place = Place::new();
    let (chain, key) = pair();
    let separate = (place.write("chain", &chain), place.write("key", &key));
    let together = place.write("together", &format!("{key}{chain}"));
    for (chain, key) in [separate, (together.clone(), together)] {
        let certificate = Certificate::load(&chain, &key).expect("a sound pair");
        assert_eq!(certificate.names(), ["a.example", "*.a.example"]);
        assert_eq!(certificate.warning(), None);
    }
}

#[test]
fn each_fault_names_its_file_and_the_remedy() {
    let place = Place::new();
    let (chain, key) = pair();
    let (other_chain, _) = pair();
    let good = place.write("good.pem", &chain);
    let good_key = place.write("good.key", &key);
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let old_encrypted = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    let nonsense = |label: &str| format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n");
    let cases = [
        (place.write("other.pem", &other_chain), good_key.clone(), "other.pem", "does not belong to the key in"),
        (place.directory.path().join("missing.pem"), good_key.clone(), "missing.pem", "cannot be read"),
        (good.clone(), place.directory.path().join("missing.key"), "missing.key", "cannot be read"),
        (place.write("empty.pem", ""), good_key.clone(), "empty.pem", "no certificate in it"),
        (good_key.clone(), good_key.clone(), "good.key", "no certificate in it"),
        (good.clone(), good.clone(), "good.pem", "no private key in it"),
        (good.clone(), place.write("locked.key", encrypted), "locked.key", "encrypted"),
        (good.clone(), place.write("old.key", old_encrypted), "old.key", "encrypted"),
        (good.clone(), place.write("bad.key", &nonsense("PRIVATE KEY")), "bad.key", "not a key that can be used"),
        (place.write("bad.pem", &nonsense("CERTIFICATE")), good_key.clone(), "bad.pem", "certificate 1 cannot be used"),
        (place.write("cut.pem", &chain[..100]), good_key.clone(), "cut.pem", "not PEM"),
    ];
    for (chain, key, file, expected) in cases {
        let error = Certificate::load(&chain, &key).expect_err(expected).to_string();
        assert!(error.starts_with(&place.directory.path().join(file).display().to_string()), "{error}");
        assert!(error.contains(expected) && error.contains("; "), "{error}");
    }
    let mismatch = Certificate::load(&place.directory.path().join("other.pem"), &good_key).expect_err("a mismatch");
    assert!(mismatch.to_string().contains("good.key"), "{mismatch}");
}

#[test]
fn what_clients_will_complain_of_is_a_warning() {
    let certificate = |params: CertificateParams| {
        let key = KeyPair::generate().expect("a key");
        let own = params.self_signed(&key).expect("a certificate");
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("PKCS #8");
        Certificate::new(vec![own.into()], key).expect("a sound pair")
    };
    let params = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).expect("sound names");
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
        params
    };
    let at = |seconds| ASN1Time::from_timestamp(seconds).expect("a time");
    let (in_2019, in_2020, in_2022) = (at(1_546_300_800), at(1_590_969_600), at(1_640_995_200));
    let named = certificate(params(&["a.example"]));
    assert_eq!(named.warning_at(in_2020), None);
    assert!(named.warning_at(in_2019).is_some_and(|text| text.contains("not valid before Jan  1 00:00:00 2020")));
    assert!(named.warning_at(in_2022).is_some_and(|text| text.contains("expired on Jan  1 00:00:00 2021")));
    let nameless = certificate(params(&[]));
    assert!(nameless.warning_at(in_2020).is_some_and(|text| text.contains("no DNS name")));
    // Nobody looks for a client's.
    assert_eq!(nameless.out_of_date_at(in_2020), None);
}

/// In PEM: a certificate, and its key.
fn pair() -> (String, String) {
    let names = ["a.example", "*.a.example"].map(String::from);
    let key = KeyPair::generate().expect("a key");
    let own = CertificateParams::new(names).expect("sound names").self_signed(&key).expect("a certificate");
    (own.pem(), key.serialize_pem())
}

struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().expect("a directory") }
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::write(&path, text).expect("a file");
        path
    }
}
