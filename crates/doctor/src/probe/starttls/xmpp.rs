//! XMPP (RFC 6120 §5).

use raincheck_diagnosis::evidence::Failure;

use super::dialogue::{Dialogue, refused};

pub(super) async fn start(dialogue: &mut Dialogue<'_>, host: &str) -> Result<(), Failure> {
    dialogue.say(&header(host)).await?;
    // <stream:stream ...> <stream:features> <starttls xmlns='...'/> ... </stream:features>
    loop {
        let tag = dialogue.through(b">").await?;
        if contains(&tag, b"<starttls") {
            break;
        }
        if contains(&tag, b"</stream:features") || contains(&tag, b"<stream:features/") {
            return Err(Failure::Dialogue("the server does not offer starttls among its features".to_owned()));
        }
        if contains(&tag, b"<stream:error") || contains(&tag, b"</stream:stream") {
            return Err(refused("the stream", &dialogue.through(b">").await.unwrap_or(tag)));
        }
    }
    dialogue.through(b"</stream:features>").await?;
    dialogue.say(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>").await?;
    let answer = dialogue.through(b">").await?;
    if contains(&answer, b"<proceed") { Ok(()) } else { Err(refused("starttls", &answer)) }
}

/// What opens a stream to `host`. Its characters are those of names and addresses, which need no escapes in XML.
pub(super) fn header(host: &str) -> Vec<u8> {
    format!(
        "<?xml version='1.0'?><stream:stream to='{host}' version='1.0' xmlns='jabber:client' \
         xmlns:stream='http://etherx.jabber.org/streams'>"
    )
    .into_bytes()
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
