//! The secret that all nodes of a fleet have, and the store has not.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use aws_lc_rs::hkdf::{HKDF_SHA256, Prk, Salt};
use aws_lc_rs::hmac;
use raincheck_keyring::weak::{self, Degenerate};
use zeroize::Zeroizing;

use super::name::FleetName;
use crate::Error;

// Each use has a key of its own, and so has each fleet, whatever its secret:
//
//     HKDF-SHA256(no salt, secret, label | 0 | fleet), 32 bytes

/// What the secret of a fleet is used for, each with a key of its own that is bound to the fleet's name.
///
/// Wiped when dropped, and never cloned: share it in an `Arc`. `Debug` shows the fleet's name alone.
pub struct FleetSecret {
    fleet: FleetName,
    registration: hmac::Key,
    acknowledgement: hmac::Key,
    sealed_ring: hmac::Key,
    psk: Box<Zeroizing<[u8; KEY_LEN]>>,
}

impl FleetSecret {
    /// The secret of `fleet` from the bytes of a file, all of them, with the end of the last line if it has one.
    pub fn new(fleet: FleetName, bytes: &[u8]) -> Result<Self, SecretError> {
        if bytes.len() < SHORTEST {
            return Err(SecretError::TooShort(bytes.len()));
        }
        if bytes.len() > LONGEST {
            return Err(SecretError::TooLong);
        }
        if let Some(fault) = weak::degenerate(bytes) {
            return Err(SecretError::Degenerate(fault));
        }
        let secret = Salt::new(HKDF_SHA256, &[]).extract(bytes);
        let mac_key = |label| hmac::Key::new(hmac::HMAC_SHA256, derive(&secret, label, &fleet).as_slice());
        Ok(Self {
            registration: mac_key("raincheck registration v1"),
            acknowledgement: mac_key("raincheck acknowledgement v1"),
            sealed_ring: mac_key("raincheck sealed ring v1"),
            psk: derive(&secret, "raincheck epoch key psk v1", &fleet),
            fleet,
        })
    }

    /// Reads the secret of `fleet` from the file at `path`.
    ///
    /// # Errors
    /// [`Error::FleetSecret`] with the path, what is wrong and the remedy.
    pub fn load(fleet: FleetName, path: &Path) -> Result<Self, Error> {
        let read = || {
            // One buffer that is wiped, with room for one byte too many: it never grows, and has no copies.
            let mut bytes = Zeroizing::new([0; LONGEST + 1]);
            let mut length = 0;
            let mut file = File::open(path)?;
            while let count @ 1.. = file.read(&mut bytes[length..])? {
                length += count;
            }
            Self::new(fleet, &bytes[..length])
        };
        read().map_err(|fault| Error::FleetSecret { path: path.to_owned(), fault })
    }

    /// The fleet it is the secret of.
    pub fn fleet(&self) -> &FleetName {
        &self.fleet
    }

    /// Signs all that is in `message` so far, and appends the tag.
    pub(super) fn sign(&self, kind: Signed, message: &mut Vec<u8>) {
        let tag = hmac::sign(self.mac_key(kind), message);
        message.extend_from_slice(tag.as_ref());
    }

    /// Whether `message` was signed with this secret as this kind. Compares in constant time.
    pub(super) fn verifies(&self, kind: Signed, message: &[u8]) -> bool {
        let signed = message.split_last_chunk::<TAG_LEN>();
        signed.is_some_and(|(signed, tag)| hmac::verify(self.mac_key(kind), signed, tag).is_ok())
    }

    /// The pre-shared key of HPKE (RFC 9180 §5.1.2).
    pub(super) fn expose_psk(&self) -> &[u8; KEY_LEN] {
        &self.psk
    }

    fn mac_key(&self, kind: Signed) -> &hmac::Key {
        match kind {
            Signed::Registration => &self.registration,
            Signed::Acknowledgement => &self.acknowledgement,
            Signed::SealedRing => &self.sealed_ring,
        }
    }
}

impl fmt::Debug for FleetSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FleetSecret({})", self.fleet)
    }
}

/// What a MAC stands under: one cannot be passed off as another.
#[derive(Copy, Clone)]
pub(super) enum Signed {
    Registration,
    Acknowledgement,
    SealedRing,
}

/// Bytes that are no secret for a fleet, and why. Always the operator's to mend; never says what the bytes were.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("cannot be read: {message}; {}", crate::error::remedy_for_unreadable(*.kind, MAKE))]
    Unreadable {
        /// What kind of error it was.
        kind: io::ErrorKind,
        /// The error in the system's words.
        message: String,
    },
    /// There are too few bytes; how many there are.
    #[error("{0} bytes, and a fleet's secret has {SHORTEST} or more; {MAKE}")]
    TooShort(usize),
    /// There are too many bytes.
    #[error("more than {LONGEST} bytes, which is no secret but another file; {MAKE}")]
    TooLong,
    /// Anyone could guess the secret, or part of it.
    #[error("{}; {MAKE}", .0.of("fleet's secret"))]
    Degenerate(Degenerate),
}

impl From<io::Error> for SecretError {
    fn from(error: io::Error) -> Self {
        Self::Unreadable { kind: error.kind(), message: error.to_string() }
    }
}

fn derive(secret: &Prk, label: &str, fleet: &FleetName) -> Box<Zeroizing<[u8; KEY_LEN]>> {
    let mut key = Box::new(Zeroizing::new([0; KEY_LEN]));
    secret
        .expand(&[label.as_bytes(), &[0], fleet.as_str().as_bytes()], HKDF_SHA256)
        .and_then(|okm| okm.fill(key.as_mut_slice()))
        .expect("HKDF-SHA256 gives up to 255 times 32 bytes");
    key
}

pub(super) const TAG_LEN: usize = 32;
const KEY_LEN: usize = 32;
const SHORTEST: usize = 32;
const LONGEST: usize = 4096;
const MAKE: &str = "make one with `head -c 32 /dev/urandom > FILE`, and give the same to every node";

#[cfg(test)]
impl FleetSecret {
    /// A secret that is different for each `seed`, and the same each time.
    pub(super) fn sample(fleet: &str, seed: u8) -> Self {
        let bytes = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &[seed]);
        Self::new(fleet.parse().unwrap(), bytes.as_ref()).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_secret_is_told_apart() {
        let random: Vec<u8> = (0..=LONGEST).map(|at| (at * at + 31 * at + at / 256) as u8).collect();
        let new = |bytes: &[u8]| FleetSecret::new("web".parse().unwrap(), bytes).map(drop);
        assert_eq!(new(&random[..SHORTEST]), Ok(()));
        assert_eq!(new(&random[..LONGEST]), Ok(()));
        assert_eq!(new(&random[..SHORTEST - 1]), Err(SecretError::TooShort(31)));
        assert_eq!(new(&random), Err(SecretError::TooLong));
        let half_zero = [&random[..16], &[0; 16]].concat();
        for weak in [&[0; 32][..], &half_zero, &[b'x'; 100]] {
            assert!(matches!(new(weak), Err(SecretError::Degenerate(_))), "{weak:?}");
        }
    }

    #[test]
    fn a_file_at_fault_is_named_with_the_remedy() {
        let directory = tempfile::tempdir().unwrap();
        let load = |path: &Path| FleetSecret::load("web".parse().unwrap(), path).map_err(|error| error.to_string());
        let path = directory.path().join("fleet");
        let shown = path.display();

        let missing = load(&path).unwrap_err();
        assert!(missing.starts_with(&format!("{shown}: cannot be read: ")), "{missing}");
        assert!(missing.contains("; check the path, or make one with `head -c 32 /dev/urandom > FILE`"), "{missing}");
        std::fs::write(&path, "too short\n").unwrap();
        assert_eq!(
            load(&path).unwrap_err(),
            format!(
                "{shown}: 10 bytes, and a fleet's secret has 32 or more; make one with \
                 `head -c 32 /dev/urandom > FILE`, and give the same to every node"
            )
        );
        assert!(load(Path::new("/dev/zero")).unwrap_err().contains("more than 4096 bytes"));
        std::fs::write(&path, "thirty-two letters and more, all of them.\n").unwrap();
        assert_eq!(format!("{:?}", load(&path).unwrap()), "FleetSecret(web)");
    }

    #[test]
    fn each_use_and_each_fleet_has_a_key_of_its_own() {
        let secret = FleetSecret::sample("web", 1);
        let mut message = b"message".to_vec();
        secret.sign(Signed::Registration, &mut message);
        assert!(secret.verifies(Signed::Registration, &message));
        assert!(!secret.verifies(Signed::Acknowledgement, &message));
        assert!(!secret.verifies(Signed::SealedRing, &message));
        for stranger in [FleetSecret::sample("mail", 1), FleetSecret::sample("web", 2)] {
            assert!(!stranger.verifies(Signed::Registration, &message));
            assert_ne!(stranger.expose_psk(), secret.expose_psk());
        }
    }
}
