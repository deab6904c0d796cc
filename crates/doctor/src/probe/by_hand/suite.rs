//! The cipher suites of TLS 1.3, and the key schedule (RFC 8446 §7.1) over the hash of each.

use aws_lc_rs::aead::{self, AES_128_GCM, AES_256_GCM, CHACHA20_POLY1305};
use aws_lc_rs::digest::{self, SHA256, SHA384, digest};
use aws_lc_rs::hkdf::{self, HKDF_SHA256, HKDF_SHA384};
use aws_lc_rs::hmac::{self, HMAC_SHA256, HMAC_SHA384};
use raincheck_diagnosis::tls::expand_label;

/// A cipher suite.
pub(super) struct Suite {
    pub(super) id: u16,
    pub(super) aead: &'static aead::Algorithm,
    digest: &'static digest::Algorithm,
    hmac: hmac::Algorithm,
    hkdf: hkdf::Algorithm,
}

/// Those that are offered, in the order of liking.
pub(super) static SUITES: [Suite; 3] = [
    Suite { id: 0x1301, aead: &AES_128_GCM, digest: &SHA256, hmac: HMAC_SHA256, hkdf: HKDF_SHA256 },
    Suite { id: 0x1302, aead: &AES_256_GCM, digest: &SHA384, hmac: HMAC_SHA384, hkdf: HKDF_SHA384 },
    Suite { id: 0x1303, aead: &CHACHA20_POLY1305, digest: &SHA256, hmac: HMAC_SHA256, hkdf: HKDF_SHA256 },
];

/// A secret of the key schedule: as many bytes as the suite's hash has. What it protects is a probe that says nothing secret.
#[derive(Clone)]
pub(super) struct Secret(Box<[u8]>);

impl Secret {
    pub(super) fn expose_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Suite {
    pub(super) fn find(id: u16) -> Option<&'static Self> {
        SUITES.iter().find(|suite| suite.id == id)
    }

    /// Whether a session of `other` can be resumed with this suite (RFC 8446 §4.2.11).
    pub(super) fn resumes(&self, other: &Self) -> bool {
        self.digest == other.digest
    }

    pub(super) fn hash_length(&self) -> usize {
        self.digest.output_len()
    }

    pub(super) fn hash(&self, transcript: &[u8]) -> digest::Digest {
        digest(self.digest, transcript)
    }

    /// The first secret: of `psk`, or where nothing is resumed, of zeros.
    pub(super) fn early(&self, psk: Option<&Secret>) -> Secret {
        let zeros = vec![0; self.hash_length()];
        self.extract(&zeros, psk.map_or(&zeros, Secret::expose_bytes))
    }

    /// The secret after `secret` on the way down the key schedule, with new keying material where there is any.
    pub(super) fn next(&self, secret: &Secret, material: Option<&[u8]>) -> Secret {
        let zeros = vec![0; self.hash_length()];
        let salt = self.derive(secret, "derived", &[]);
        self.extract(&salt.0, material.unwrap_or(&zeros))
    }

    /// Derive-Secret.
    pub(super) fn derive(&self, secret: &Secret, label: &str, transcript: &[u8]) -> Secret {
        let mut derived = vec![0; self.hash_length()];
        self.expand(secret, label, self.hash(transcript).as_ref(), &mut derived);
        Secret(derived.into())
    }

    /// What a ticket with `nonce` stands for (RFC 8446 §4.6.1).
    pub(super) fn psk(&self, resumption: &Secret, nonce: &[u8]) -> Secret {
        let mut psk = vec![0; self.hash_length()];
        self.expand(resumption, "resumption", nonce, &mut psk);
        Secret(psk.into())
    }

    /// The verify_data of Finished, and a binder (RFC 8446 §4.4.4, §4.2.11.2).
    pub(super) fn verify_data(&self, secret: &Secret, transcript: &[u8]) -> hmac::Tag {
        let mut key = vec![0; self.hash_length()];
        self.expand(secret, "finished", &[], &mut key);
        hmac::sign(&hmac::Key::new(self.hmac, &key), self.hash(transcript).as_ref())
    }

    /// HKDF-Expand-Label.
    pub(super) fn expand(&self, secret: &Secret, label: &str, context: &[u8], out: &mut [u8]) {
        expand_label(self.hkdf, &secret.0, label.as_bytes(), context, out)
            .expect("a label, a nonce or a hash has 255 bytes at most, and what is asked for is no longer than a hash");
    }

    fn extract(&self, salt: &[u8], material: &[u8]) -> Secret {
        Secret(hmac::sign(&hmac::Key::new(self.hmac, salt), material).as_ref().into())
    }
}
