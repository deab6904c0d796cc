//! MySQL and MariaDB: an SSLRequest in answer to the server's greeting, after which TLS begins without a go-ahead.

use raincheck_diagnosis::evidence::Failure;

use super::dialogue::{Dialogue, refused};

pub(super) async fn start(dialogue: &mut Dialogue<'_>) -> Result<(), Failure> {
    // length 3 | sequence 1
    let header = dialogue.take(4).await?;
    let [low, middle, high, 0] = header[..] else {
        return Err(refused("the connection", &[&header, dialogue.heard()].concat()));
    };
    let greeting = dialogue.take(u32::from_le_bytes([low, middle, high, 0]) as usize).await?;
    match speaks_tls(&greeting) {
        Some(true) => dialogue.say(SSL_REQUEST).await,
        Some(false) => Err(Failure::Dialogue("the server's greeting does not offer TLS".to_owned())),
        None => Err(refused("the connection", greeting.get(3..).unwrap_or_default())),
    }
}

/// Whether a greeting offers TLS: protocol 10 | version, zero | thread 4 | nonce 8 | zero 1 | capabilities 2 | ...
fn speaks_tls(greeting: &[u8]) -> Option<bool> {
    let (&10, rest) = greeting.split_first()? else {
        return None; // an error: 0xff | code 2 | message
    };
    let end = rest.iter().position(|byte| *byte == 0)?;
    let capabilities = rest.get(end + 1 + 13..)?.first_chunk()?;
    Some(u16::from_le_bytes(*capabilities) & CLIENT_SSL != 0)
}

/// The login of a user who is not there, in protocol 4.1, answered by an error or a question: length 3 | sequence 2 |
/// capabilities 4 | longest packet 4 | character set 1 | zero 23 | user, zero | no password.
pub(super) const LOGIN: &[u8] =
    b"\x2b\0\0\x02\0\x0a\0\0\0\0\0\x01\x21\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0raincheck\0\0";

// The same up to the user, sequence 1.
const SSL_REQUEST: &[u8] = b"\x20\0\0\x01\0\x0a\0\0\0\0\0\x01\x21\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

const CLIENT_SSL: u16 = 0x0800;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_as_long_as_it_says() {
        for packet in [SSL_REQUEST, LOGIN] {
            assert_eq!(usize::from(packet[0]), packet.len() - 4);
        }
        assert_eq!(LOGIN[36..], *b"raincheck\0\0");
    }
}
