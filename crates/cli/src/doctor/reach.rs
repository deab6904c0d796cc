//! How servers are reached and whom to trust: the flags that the probes share.

use std::path::PathBuf;

use clap::Args;
use raincheck_doctor::Error;
use raincheck_doctor::probe::{Protocol, Trust};

#[derive(Debug, Args)]
pub(super) struct Reach {
    /// Ask for this name instead of the host's
    #[arg(long, value_name = "NAME")]
    pub(super) sni: Option<String>,
    /// Trust the certificates of these authorities (PEM) instead of the system's
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    ca: Option<PathBuf>,
    /// Trust any certificate
    #[arg(long)]
    insecure: bool,
    /// The client certificate to show (PEM, with its chain)
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// The client certificate's key (PEM)
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// Speak this protocol first, until TLS begins: smtp, lmtp, imap, pop3, ftp, ldap, postgres, mysql or xmpp
    #[arg(long, value_name = "PROTOCOL")]
    pub(super) starttls: Option<Protocol>,
    /// Say this instead of an HTTP request, with line ends escaped as in C; nothing if empty
    #[arg(long, value_name = "TEXT")]
    send: Option<String>,
}

impl Reach {
    /// Whom to trust, and which certificate to show.
    pub(super) fn trust(&self) -> Result<Trust, Error> {
        let trust = if self.insecure { Trust::insecure() } else { Trust::authorities(self.ca.as_deref())? };
        match (&self.cert, &self.key) {
            (Some(chain), Some(key)) => trust.with_certificate(chain, key),
            _ => Ok(trust),
        }
    }

    /// What to say once TLS is there, if anything is given; nothing at all where that is empty.
    pub(super) fn send(&self) -> Option<Vec<u8>> {
        self.send.as_deref().map(unescape)
    }
}

fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let escaped = if character == '\\' { characters.next() } else { None };
        let meant = match escaped {
            Some('r') => '\r',
            Some('n') => '\n',
            Some('t') => '\t',
            Some(other) => other,
            None => character,
        };
        bytes.extend_from_slice(meant.encode_utf8(&mut [0; 4]).as_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_can_have_the_ends_of_lines() {
        assert_eq!(unescape(r"a\r\n\\\tb\"), b"a\r\n\\\tb\\");
    }
}
