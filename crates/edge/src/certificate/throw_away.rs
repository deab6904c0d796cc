//! The certificate of somebody who has none.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::pki_types::PrivateKeyDer;

use super::{Certificate, Certificates};

/// A certificate for `localhost`, 127.0.0.1 and ::1, signed by nobody: made once in a process, so that a reload keeps it,
/// and gone with it.
pub fn throw_away() -> Arc<Certificates> {
    static MADE: OnceLock<Arc<Certificates>> = OnceLock::new();
    Arc::clone(MADE.get_or_init(|| Arc::new(Certificates::new(make(), Vec::new()))))
}

fn make() -> Certificate {
    let names = ["localhost", "127.0.0.1", "::1"].map(String::from);
    let mut params = CertificateParams::new(names).expect("the names are well-formed");
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, "raincheck throw-away");
    let now = SystemTime::now();
    params.not_before = (now - DAY).into();
    params.not_after = (now + 365 * DAY).into();
    let pair = KeyPair::generate().expect("AWS-LC makes a P-256 key");
    let certificate = params.self_signed(&pair).expect("a key signs its own certificate");
    let key = PrivateKeyDer::try_from(pair.serialize_der()).expect("rcgen writes PKCS #8");
    Certificate::new(vec![certificate.into()], key).expect("the certificate is for the key, and well-formed")
}

const DAY: Duration = Duration::from_secs(86_400);
