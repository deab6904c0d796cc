//! What is said in clear before TLS begins, by protocols that begin without it (STARTTLS).

mod dialogue;
mod ldap;
mod lines;
mod mysql;
mod postgres;
mod xmpp;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use raincheck_diagnosis::evidence::Failure;
use raincheck_diagnosis::tls::Reader;
use tokio::net::TcpStream;

use dialogue::Dialogue;

/// A protocol that begins without TLS and changes to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "they are protocols")]
pub enum Protocol {
    Smtp,
    Lmtp,
    Imap,
    Pop3,
    Ftp,
    Ldap,
    Postgres,
    MySql,
    Xmpp,
}

impl Protocol {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Smtp,
        Self::Lmtp,
        Self::Imap,
        Self::Pop3,
        Self::Ftp,
        Self::Ldap,
        Self::Postgres,
        Self::MySql,
        Self::Xmpp,
    ];

    /// The name, as `openssl s_client -starttls` takes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Lmtp => "lmtp",
            Self::Imap => "imap",
            Self::Pop3 => "pop3",
            Self::Ftp => "ftp",
            Self::Ldap => "ldap",
            Self::Postgres => "postgres",
            Self::MySql => "mysql",
            Self::Xmpp => "xmpp",
        }
    }

    /// What a client may say first once TLS is there: it changes nothing, `host` answers it, and where the protocol allows that
    /// without logging in, the connection stays open.
    pub fn greeting(self, host: &str) -> Vec<u8> {
        match self {
            Self::Smtp => lines::EHLO.to_vec(),
            Self::Lmtp => lines::LHLO.to_vec(),
            Self::Imap => b"b NOOP\r\n".to_vec(),
            Self::Pop3 => b"CAPA\r\n".to_vec(),
            Self::Ftp => b"FEAT\r\n".to_vec(),
            Self::Ldap => ldap::ROOT_SEARCH.to_vec(),
            Self::Postgres => postgres::STARTUP.to_vec(),
            Self::MySql => mysql::LOGIN.to_vec(),
            Self::Xmpp => xmpp::header(host),
        }
    }

    /// Brings the server at the other end of `tcp`, which is asked for as `host`, to where it waits for a ClientHello.
    ///
    /// `reader` sees what both sides say. Takes `patience` at most.
    pub(super) async fn start(
        self,
        tcp: &mut TcpStream,
        reader: &mut Reader,
        host: &str,
        patience: Duration,
    ) -> Result<(), Failure> {
        let mut dialogue = Dialogue::new(tcp, reader, patience);
        match self {
            Self::Smtp => lines::mail(&mut dialogue, lines::EHLO).await,
            Self::Lmtp => lines::mail(&mut dialogue, lines::LHLO).await,
            Self::Imap => lines::imap(&mut dialogue).await,
            Self::Pop3 => lines::pop3(&mut dialogue).await,
            Self::Ftp => lines::ftp(&mut dialogue).await,
            Self::Ldap => ldap::start(&mut dialogue).await,
            Self::Postgres => postgres::start(&mut dialogue).await,
            Self::MySql => mysql::start(&mut dialogue).await,
            Self::Xmpp => xmpp::start(&mut dialogue, host).await,
        }?;
        dialogue.end()
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Protocol {
    type Err = UnknownProtocol;

    fn from_str(text: &str) -> Result<Self, UnknownProtocol> {
        let found = Self::ALL.iter().copied().find(|protocol| protocol.as_str() == text);
        found.ok_or_else(|| UnknownProtocol(text.to_owned()))
    }
}

/// A name that is no protocol's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no protocol with STARTTLS: there are {names}", names = names())]
pub struct UnknownProtocol(String);

fn names() -> String {
    Protocol::ALL.iter().map(|protocol| protocol.as_str()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
