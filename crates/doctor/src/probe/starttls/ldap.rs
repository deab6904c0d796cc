//! LDAP: the StartTLS operation (RFC 4511 §4.14).

use raincheck_diagnosis::evidence::Failure;

use super::dialogue::{Dialogue, refused};
use crate::probe::quote::quote;

pub(super) async fn start(dialogue: &mut Dialogue<'_>) -> Result<(), Failure> {
    dialogue.say(START_TLS).await?;
    let message = element(dialogue).await?;
    match result(&message) {
        Some((SUCCESS, _)) => Ok(()),
        Some((code, b"")) => Err(Failure::Dialogue(format!("to StartTLS the server said: result {code}"))),
        Some((code, why)) => {
            Err(Failure::Dialogue(format!("to StartTLS the server said: result {code}, \"{}\"", quote(why))))
        }
        None => Err(refused("StartTLS", &message)),
    }
}

/// The contents of the next element, a SEQUENCE.
async fn element(dialogue: &mut Dialogue<'_>) -> Result<Vec<u8>, Failure> {
    let header = dialogue.take(2).await?;
    let length = match header[..] {
        [SEQUENCE, short @ ..=0x7f] => usize::from(short),
        // Active Directory writes every length in four bytes.
        [SEQUENCE, long @ 0x81..=0x84] => {
            let bytes = dialogue.take(usize::from(long & 0x7f)).await?;
            bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte))
        }
        _ => return Err(refused("StartTLS", &[&header, dialogue.heard()].concat())),
    };
    dialogue.take(length).await
}

/// Result and diagnosis of an ExtendedResponse: messageID | [APPLICATION 24] { resultCode, matchedDN, diagnosticMessage, .. }
fn result(message: &[u8]) -> Option<(u8, &[u8])> {
    let (id, rest) = tagged(message, INTEGER)?;
    let (response, _) = tagged(rest, EXTENDED_RESPONSE)?;
    let (code, rest) = tagged(response, ENUMERATED)?;
    let (_, rest) = tagged(rest, OCTET_STRING)?;
    let (why, _) = tagged(rest, OCTET_STRING)?;
    (id == [1]).then_some((*code.first()?, why))
}

/// The contents of the element that `bytes` begin with, and what follows it.
fn tagged(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, rest) = bytes.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match *length {
        short @ ..=0x7f => (usize::from(short), rest),
        long => {
            let (bytes, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
            let length = bytes
                .iter()
                .try_fold(0_usize, |length, byte| length.checked_mul(256).map(|length| length | usize::from(*byte)))?;
            (length, rest)
        }
    };
    let (contents, rest) = rest.split_at_checked(length)?;
    (*found == tag).then_some((contents, rest))
}

/// A search for the root entry, which everybody may read (RFC 4512 §5.1): messageID 2, base "", (objectClass=*), no more than
/// the versions.
pub(super) const ROOT_SEARCH: &[u8] =
    b"\x30\x3b\x02\x01\x02\x63\x36\x04\x00\x0a\x01\x00\x0a\x01\x00\x02\x01\x00\x02\x01\x00\
    \x01\x01\x00\x87\x0bobjectClass\x30\x16\x04\x14supportedLDAPVersion";

// messageID 1, [APPLICATION 23] { [0] "1.3.6.1.4.1.1466.20037" }
const START_TLS: &[u8] = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037";

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 2;
const OCTET_STRING: u8 = 4;
const ENUMERATED: u8 = 10;
const EXTENDED_RESPONSE: u8 = 0x78;
const SUCCESS: u8 = 0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_as_long_as_it_says() {
        for (said, operation) in [(START_TLS, 0x77), (ROOT_SEARCH, 0x63)] {
            let (message, after) = tagged(said, SEQUENCE).unwrap();
            let (_, rest) = tagged(message, INTEGER).unwrap();
            let (_, within) = tagged(rest, operation).unwrap();
            assert!(after.is_empty() && within.is_empty());
        }
    }
}
