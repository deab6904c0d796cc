//! Words in clear, one side at a time, bounded in time and size.

use std::time::Duration;

use raincheck_diagnosis::Side;
use raincheck_diagnosis::evidence::{Failure, Stage};
use raincheck_diagnosis::tcp::Conversation;
use raincheck_diagnosis::tls::Reader;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use crate::probe::clock::now;
use crate::probe::quote::quote;

/// What is said before TLS begins.
pub(super) struct Dialogue<'a> {
    tcp: &'a mut TcpStream,
    reader: &'a mut Reader,
    deadline: Instant,
    /// What the server said and nobody has taken yet.
    heard: Vec<u8>,
    /// How much more the server may say.
    room: usize,
}

impl<'a> Dialogue<'a> {
    pub(super) fn new(tcp: &'a mut TcpStream, reader: &'a mut Reader, patience: Duration) -> Self {
        Self { tcp, reader, deadline: Instant::now() + patience, heard: Vec::new(), room: MOST }
    }

    /// Says `words`.
    pub(super) async fn say(&mut self, words: &[u8]) -> Result<(), Failure> {
        self.reader.data(Side::Client, now(), words);
        let said = timeout_at(self.deadline, self.tcp.write_all(words)).await;
        said.map_err(|_| TIMED_OUT)?.map_err(|_| self.was_reset())
    }

    /// The server's next line, without its end.
    pub(super) async fn line(&mut self) -> Result<Vec<u8>, Failure> {
        Ok(self.through(b"\n").await?.trim_ascii_end().to_vec())
    }

    /// What the server says next, up to and with `end`.
    pub(super) async fn through(&mut self, end: &[u8]) -> Result<Vec<u8>, Failure> {
        let mut looked = 0;
        loop {
            let found = self.heard[looked..].windows(end.len()).position(|window| window == end);
            if let Some(position) = found {
                return Ok(self.heard.drain(..looked + position + end.len()).collect());
            }
            looked = (self.heard.len() + 1).saturating_sub(end.len());
            self.hear().await?;
        }
    }

    /// The next `length` bytes that the server says.
    pub(super) async fn take(&mut self, length: usize) -> Result<Vec<u8>, Failure> {
        while self.heard.len() < length {
            self.hear().await?;
        }
        Ok(self.heard.drain(..length).collect())
    }

    /// What the server said and nobody has taken yet.
    pub(super) fn heard(&self) -> &[u8] {
        &self.heard
    }

    /// Leaves the rest to TLS.
    ///
    /// In TLS the client speaks first. Whoever stands between could have put what comes before that into the connection, and
    /// software that keeps it takes it for a part of what TLS protects (CVE-2011-0411, CVE-2021-23222).
    pub(super) fn end(self) -> Result<(), Failure> {
        if self.heard.is_empty() {
            return Ok(());
        }
        Err(Failure::Dialogue(format!(
            "after its go-ahead the server said \"{}\" in clear, before any TLS, as if somebody had put it there",
            quote(&self.heard)
        )))
    }

    async fn hear(&mut self) -> Result<(), Failure> {
        if self.room == 0 {
            return Err(Failure::Dialogue(format!("the server talks on and on: \"{}\"", quote(&self.heard))));
        }
        let before = self.heard.len();
        self.heard.reserve(self.room.min(PIECE));
        let mut limited = (&mut *self.tcp).take(self.room.min(PIECE) as u64);
        let read = timeout_at(self.deadline, limited.read_buf(&mut self.heard)).await;
        match read.map_err(|_| TIMED_OUT)? {
            Ok(0) => {
                self.reader.fin(Side::Server, now());
                Err(Failure::Ended(Stage::Dialogue))
            }
            Ok(length) => {
                self.room -= length;
                self.reader.data(Side::Server, now(), &self.heard[before..]);
                Ok(())
            }
            Err(_) => Err(self.was_reset()),
        }
    }

    fn was_reset(&mut self) -> Failure {
        self.reader.reset(Side::Server, now());
        Failure::Reset(Stage::Dialogue)
    }
}

/// The server answered `asked` by something other than a go-ahead.
pub(super) fn refused(asked: &str, said: &[u8]) -> Failure {
    Failure::Dialogue(format!("to {asked} the server said \"{}\"", quote(said)))
}

const TIMED_OUT: Failure = Failure::TimedOut(Stage::Dialogue);
// Greetings of mail servers with long notices come to 2 KB.
const MOST: usize = 16 << 10;
const PIECE: usize = 2 << 10;
