//! PostgreSQL: SSLRequest, answered by a single byte.

use raincheck_diagnosis::evidence::Failure;

use super::dialogue::{Dialogue, refused};

pub(super) async fn start(dialogue: &mut Dialogue<'_>) -> Result<(), Failure> {
    dialogue.say(SSL_REQUEST).await?;
    match dialogue.take(1).await?[..] {
        [b'S'] => Ok(()),
        [b'N'] => Err(Failure::Dialogue("the server has TLS turned off: it said \"N\" to SSLRequest".to_owned())),
        ref said => Err(refused("SSLRequest", &[said, dialogue.heard()].concat())),
    }
}

/// StartupMessage: length 4 | version 3.0 | parameters. Answered by a demand for a password, or an error.
pub(super) const STARTUP: &[u8] = b"\0\0\0\x18\0\x03\0\0user\0raincheck\0\0";

// length 4 | 1234 | 5679
const SSL_REQUEST: &[u8] = b"\0\0\0\x08\x04\xd2\x16\x2f";
