//! Protocols of lines: SMTP and LMTP (RFC 3207), FTP (RFC 4217), IMAP (RFC 9051 §6.2.1), POP3 (RFC 2595 §4).

use raincheck_diagnosis::evidence::Failure;

use super::dialogue::{Dialogue, refused};

/// The greeting of SMTP. A client without a name gives its address (RFC 5321 §4.1.3).
pub(super) const EHLO: &[u8] = b"EHLO [127.0.0.1]\r\n";
/// The same of LMTP (RFC 2033 §4.1).
pub(super) const LHLO: &[u8] = b"LHLO [127.0.0.1]\r\n";

/// SMTP, or by its own `hello`, LMTP.
pub(super) async fn mail(dialogue: &mut Dialogue<'_>, hello: &[u8]) -> Result<(), Failure> {
    reply(dialogue).await?.expect(b"220", CONNECTION)?;
    dialogue.say(hello).await?;
    let offered = reply(dialogue).await?.expect(b"250", "EHLO")?;
    if !offered.iter().any(|line| line.get(4..).is_some_and(|keyword| keyword.eq_ignore_ascii_case(b"STARTTLS"))) {
        return Err(Failure::Dialogue("the server does not offer STARTTLS in its answer to EHLO".to_owned()));
    }
    dialogue.say(b"STARTTLS\r\n").await?;
    reply(dialogue).await?.expect(b"220", "STARTTLS").map(|_| ())
}

pub(super) async fn ftp(dialogue: &mut Dialogue<'_>) -> Result<(), Failure> {
    let mut greeting = reply(dialogue).await?;
    if greeting.code() == b"120" {
        greeting = reply(dialogue).await?; // "ready in some minutes" (RFC 959 §5.4)
    }
    greeting.expect(b"220", CONNECTION)?;
    dialogue.say(b"AUTH TLS\r\n").await?;
    reply(dialogue).await?.expect(b"234", "AUTH TLS").map(|_| ())
}

pub(super) async fn imap(dialogue: &mut Dialogue<'_>) -> Result<(), Failure> {
    let greeting = dialogue.line().await?;
    if !begins(&greeting, b"* OK") {
        return Err(refused(CONNECTION, &greeting)); // PREAUTH is too late for TLS
    }
    dialogue.say(b"a STARTTLS\r\n").await?;
    loop {
        let line = dialogue.line().await?;
        if begins(&line, b"a OK") {
            return Ok(());
        }
        if !begins(&line, b"* ") || begins(&line, b"* BYE") {
            return Err(refused("STARTTLS", &line));
        }
    }
}

pub(super) async fn pop3(dialogue: &mut Dialogue<'_>) -> Result<(), Failure> {
    let greeting = dialogue.line().await?;
    if !begins(&greeting, b"+OK") {
        return Err(refused(CONNECTION, &greeting));
    }
    dialogue.say(b"STLS\r\n").await?;
    let answer = dialogue.line().await?;
    if begins(&answer, b"+OK") { Ok(()) } else { Err(refused("STLS", &answer)) }
}

/// An answer with a code of three digits, on one line or more (RFC 5321 §4.2.1, RFC 959 §4.2).
struct Reply {
    lines: Vec<Vec<u8>>,
}

impl Reply {
    fn code(&self) -> &[u8] {
        let last = self.lines.last().map(Vec::as_slice).unwrap_or_default();
        last.get(..3).unwrap_or(last)
    }

    /// The lines, if their code is `code`; else they are what was said to `asked`.
    fn expect(self, code: &[u8], asked: &str) -> Result<Vec<Vec<u8>>, Failure> {
        if self.code() == code {
            return Ok(self.lines);
        }
        Err(refused(asked, self.lines.last().map(Vec::as_slice).unwrap_or_default()))
    }
}

async fn reply(dialogue: &mut Dialogue<'_>) -> Result<Reply, Failure> {
    let first = dialogue.line().await?;
    let mut lines = vec![first];
    if let [a, b, c, b'-', ..] = lines[0][..] {
        loop {
            let line = dialogue.line().await?;
            let is_last = line.starts_with(&[a, b, c]) && line.get(3) != Some(&b'-');
            lines.push(line);
            if is_last {
                break;
            }
        }
    }
    Ok(Reply { lines })
}

fn begins(line: &[u8], words: &[u8]) -> bool {
    line.get(..words.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(words))
}

const CONNECTION: &str = "the connection";
