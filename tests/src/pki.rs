//! Certificates of the tests: an authority, servers, clients, a revocation list.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256,
    RevocationReason, RevokedCertParams, RsaKeySize, SerialNumber, SignatureAlgorithm, date_time_ymd,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::scratch::Scratch;

/// A certificate authority that writes what it issues into the test's scratch directory.
pub struct Authority {
    directory: PathBuf,
    name: String,
    issuer: CertifiedIssuer<'static, KeyPair>,
    issued: AtomicU64,
}

/// A certificate chain and its key, as PEM files.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The leaf certificate.
    pub chain: PathBuf,
    /// Its private key, PKCS #8.
    pub key: PathBuf,
    serial: u64,
}

/// The kinds of key a certificate may have.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum KeyKind {
    /// ECDSA on P-256.
    Ecdsa,
    /// RSA of 2048 bits.
    Rsa,
    /// RSA of 4096 bits: some milliseconds of work for each handshake.
    SlowRsa,
}

impl Authority {
    /// A new authority; `name` is its common name and the name of its file.
    pub fn new(scratch: &Scratch, name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, generate(KeyKind::Ecdsa)).unwrap();
        scratch.write(&format!("{name}.pem"), issuer.pem());
        Self { directory: scratch.path().to_owned(), name: name.to_owned(), issuer, issued: AtomicU64::new(0) }
    }

    /// The authority's own certificate, PEM.
    pub fn file(&self) -> PathBuf {
        self.directory.join(format!("{}.pem", self.name))
    }

    /// A server certificate with an ECDSA key for `names`; every call makes another, with its own key and serial.
    pub fn server(&self, names: &[&str]) -> Identity {
        self.server_with(names, KeyKind::Ecdsa)
    }

    /// A server certificate with the key asked for.
    pub fn server_with(&self, names: &[&str], key: KeyKind) -> Identity {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.issue(params, key)
    }

    /// A server certificate for `names` that expires at `end`, to the second.
    pub fn server_until(&self, names: &[&str], end: SystemTime) -> Identity {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        ends_at(&mut params, end);
        self.issue(params, KeyKind::Ecdsa)
    }

    /// A certificate with an ECDSA key for a server that is a client too, of itself or of others.
    pub fn both(&self, names: &[&str]) -> Identity {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(params, KeyKind::Ecdsa)
    }

    /// A client certificate that is good for a day.
    pub fn client(&self, name: &str) -> Identity {
        self.client_until(name, SystemTime::now() + Duration::from_secs(86_400))
    }

    /// A client certificate that expires at `end`, to the second.
    pub fn client_until(&self, name: &str, end: SystemTime) -> Identity {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        ends_at(&mut params, end);
        self.issue(params, KeyKind::Ecdsa)
    }

    /// Writes the revocation list naming `revoked`, in place of the one before, and returns its path.
    pub fn revoke(&self, revoked: &[&Identity]) -> PathBuf {
        let now = date_time_ymd(1970, 1, 1) + SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let list = CertificateRevocationListParams {
            this_update: now - Duration::from_secs(60),
            next_update: now + Duration::from_secs(86_400),
            crl_number: SerialNumber::from(self.next_serial()),
            issuing_distribution_point: None,
            revoked_certs: revoked
                .iter()
                .map(|identity| RevokedCertParams {
                    serial_number: SerialNumber::from(identity.serial),
                    revocation_time: now - Duration::from_secs(60),
                    reason_code: Some(RevocationReason::KeyCompromise),
                    invalidity_date: None,
                })
                .collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let path = self.directory.join(format!("{}.crl", self.name));
        fs::write(&path, list.signed_by(&self.issuer).unwrap().pem().unwrap()).unwrap();
        path
    }

    fn issue(&self, mut params: CertificateParams, key: KeyKind) -> Identity {
        let serial = self.next_serial();
        params.serial_number = Some(SerialNumber::from(serial));
        params.use_authority_key_identifier_extension = true;
        let key = generate(key);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let path = |kind: &str| self.directory.join(format!("{}-{serial}.{kind}.pem", self.name));
        let identity = Identity { chain: path("chain"), key: path("key"), serial };
        fs::write(&identity.chain, certificate.pem()).unwrap();
        fs::write(&identity.key, key.serialize_pem()).unwrap();
        identity
    }

    fn next_serial(&self) -> u64 {
        1001 + self.issued.fetch_add(1, Ordering::Relaxed)
    }
}

impl Identity {
    /// The chain and the key, as rustls takes them.
    pub fn read(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let chain = vec![CertificateDer::from_pem_file(&self.chain).unwrap()];
        (chain, PrivateKeyDer::from_pem_file(&self.key).unwrap())
    }

    /// Puts another certificate and key under this one's file names, each by rename.
    pub fn replace_by(&self, other: &Identity) {
        for (from, to) in [(&other.chain, &self.chain), (&other.key, &self.key)] {
            rename_into(&fs::read(from).unwrap(), to);
        }
    }
}

fn ends_at(params: &mut CertificateParams, end: SystemTime) {
    params.not_after = date_time_ymd(1970, 1, 1) + end.duration_since(UNIX_EPOCH).unwrap();
}

/// Writes `content` beside `path` and renames it into place, so that no reader sees half of it.
pub fn rename_into(content: &[u8], path: &Path) {
    let beside = path.with_extension("new");
    fs::write(&beside, content).unwrap();
    fs::rename(&beside, path).unwrap();
}

fn generate(kind: KeyKind) -> KeyPair {
    let rsa = |size| KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, size).unwrap();
    let ecdsa: &'static SignatureAlgorithm = &PKCS_ECDSA_P256_SHA256;
    match kind {
        KeyKind::Ecdsa => KeyPair::generate_for(ecdsa).unwrap(),
        KeyKind::Rsa => rsa(RsaKeySize::_2048),
        KeyKind::SlowRsa => rsa(RsaKeySize::_4096),
    }
}
