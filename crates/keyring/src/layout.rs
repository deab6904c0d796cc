//! Key bytes in the orders that products read and write.

use std::fmt;
use std::ops::Range;

use thiserror::Error;
use zeroize::Zeroizing;

use crate::key::{KeyError, KeyName, TicketKey};

// All begin with the key's name:
//
//               0         16        32        48        64        80        96       112
//               +---------+---------+---------+
//     HAProxy   | name    | cipher  | MAC     |                                     48: AES-128
//     and nginx +---------+---------+---------+
//               +---------+---------+---------+---------+---------+
//     HAProxy   | name    | cipher            | MAC               |                 80: AES-256
//               +---------+-------------------+-------------------+
//     nginx     | name    | MAC               | cipher            |                 80: AES-256
//     and Envoy +---------+-------------------+-------------------+
//               +---------+-------------------+---------+---------+---------+---------+
//     h2o       | name    | cipher            | MAC               | zero              | 112: AES-256
//               +---------+-------------------+-------------------+-------------------+
//
// h2o's YAML has the name apart, in `name`, and the other 96 bytes in `key`, both in hexadecimal.

/// Whose order the bytes of a key are in.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Layout {
    /// `tls-ticket-keys`: 48 or 80 bytes, in base64, one key a line.
    HaProxy,
    /// `ssl_session_ticket_key`: 48 or 80 bytes as they are, one key a file.
    Nginx,
    /// `session_ticket_keys`: 80 bytes.
    Envoy,
    /// `name` (16 bytes) and `key` (96 bytes) of h2o's ticket file, one after the other, both in
    /// hexadecimal there.
    H2o,
}

impl Layout {
    /// The bytes of `key` in this order, with its name: secret, and wiped when dropped.
    ///
    /// Not every product takes a key of every size: Envoy and h2o take none of 128 bits.
    pub fn encode(self, key: &TicketKey) -> Result<Zeroizing<Vec<u8>>, LayoutError> {
        let (cipher, mac) = (key.expose_cipher(), key.expose_mac());
        let fields = self.shapes().iter().find(|fields| fields.cipher.len() == cipher.len());
        let fields = fields.filter(|fields| mac.len() == fields.mac.len() || fields.pads(mac));
        let fields = fields.ok_or(LayoutError::DoesNotFit { layout: self, cipher: cipher.len(), mac: mac.len() })?;
        let mut bytes = Zeroizing::new(vec![0; fields.len()]);
        bytes[..KeyName::LEN].copy_from_slice(key.name().as_bytes());
        bytes[fields.cipher.clone()].copy_from_slice(cipher);
        bytes[fields.mac.clone()][..mac.len()].copy_from_slice(mac);
        Ok(bytes)
    }

    /// The key whose bytes are in this order.
    pub fn decode(self, bytes: &[u8]) -> Result<TicketKey, LayoutError> {
        let fields = self.shapes().iter().find(|fields| fields.len() == bytes.len());
        let (Some(fields), Some(&name)) = (fields, bytes.first_chunk()) else {
            return Err(LayoutError::WrongLength { layout: self, length: bytes.len() });
        };
        let mac = fields.unpadded(&bytes[fields.mac.clone()]);
        Ok(TicketKey::new(KeyName::from(name), &bytes[fields.cipher.clone()], mac)?)
    }

    /// The product's name, as `raincheck keys new --format` takes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HaProxy => "haproxy",
            Self::Nginx => "nginx",
            Self::Envoy => "envoy",
            Self::H2o => "h2o",
        }
    }

    /// One for each length the product takes.
    const fn shapes(self) -> &'static [Fields] {
        const SHORT: Fields = Fields { cipher: 16..32, mac: 32..48 };
        const CIPHER_FIRST: Fields = Fields { cipher: 16..48, mac: 48..80 };
        const MAC_FIRST: Fields = Fields { cipher: 48..80, mac: 16..48 };
        const LONG_MAC: Fields = Fields { cipher: 16..48, mac: 48..112 };
        match self {
            Self::HaProxy => &[SHORT, CIPHER_FIRST],
            Self::Nginx => &[SHORT, MAC_FIRST],
            Self::Envoy => &[MAC_FIRST],
            Self::H2o => &[LONG_MAC],
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Bytes that are no key of a product, or a key the product does not take. Always the operator's to
/// mend.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum LayoutError {
    /// The product's keys are of another length.
    #[error(
        "{length} bytes are no key for {layout}, which takes {}; \
         make one with `raincheck keys new --format {layout}`",
        Lengths(*.layout)
    )]
    WrongLength {
        /// Whose key it should have been.
        layout: Layout,
        /// Bytes there were.
        length: usize,
    },
    /// The product has no place for a key of these lengths.
    #[error(
        "a key of {cipher} cipher and {mac} MAC bytes does not fit {layout}; \
         make one with `raincheck keys new --format {layout}`"
    )]
    DoesNotFit {
        /// Whose key it should become.
        layout: Layout,
        /// Bytes of cipher key.
        cipher: usize,
        /// Bytes of MAC key.
        mac: usize,
    },
    /// The length is right, and the bytes are no key all the same.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Where in the bytes the parts of the secret stand; the name is always in front.
struct Fields {
    cipher: Range<usize>,
    mac: Range<usize>,
}

impl Fields {
    fn len(&self) -> usize {
        self.cipher.end.max(self.mac.end)
    }

    // h2o's place for the MAC key is a block of SHA-256, 64 bytes. HMAC fills a shorter key up with
    // zeros to a block (RFC 2104 §2), so 32 bytes and 32 zeros are the same HMAC key as the 32
    // bytes alone. A ticket's own key is derived from the bytes, though, for which they are not the
    // same: so the zeros come off when read, and are put back when written.

    fn pads(&self, mac: &[u8]) -> bool {
        self.mac.len() == HMAC_BLOCK && mac.len() == GENERATED_MAC
    }

    fn unpadded<'a>(&self, mac: &'a [u8]) -> &'a [u8] {
        match mac.split_at_checked(GENERATED_MAC) {
            Some((key, padding)) if self.pads(key) && padding.iter().all(|&byte| byte == 0) => key,
            _ => mac,
        }
    }
}

/// "48 or 80 bytes"
struct Lengths(Layout);

impl fmt::Display for Lengths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, fields) in self.0.shapes().iter().enumerate() {
            write!(f, "{}{}", if i == 0 { "" } else { " or " }, fields.len())?;
        }
        Ok(())
    }
}

const HMAC_BLOCK: usize = 64;
const GENERATED_MAC: usize = 32;

#[cfg(test)]
mod tests;
