//! A watch: a call whose answer never ends, a line of JSON for each event or several.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tokio::time::{Instant, timeout, timeout_at};

use super::key_value::Key;
use super::wire::{self, Fault, Streamed, WatchAnswer};
use super::{Etcd, KeyValue, LARGEST, Need, Revision};
use crate::https::{Streaming, Url};
use crate::{EndpointFault, EtcdError, HttpsError, HttpsFault, WatchError};

/// Follows all keys with a prefix. Nothing is left out and nothing comes twice, whatever endpoint it comes from.
pub struct Watch {
    etcd: Etcd,
    prefix: Vec<u8>,
    /// The first revision of which it has seen nothing.
    next: Revision,
    lines: Lines,
    quiet: Duration,
    /// When anything came last.
    heard: Instant,
}

/// What happened to a key.
#[derive(Clone, PartialEq, Eq)]
pub enum Event {
    /// It was put.
    Put(KeyValue),
    /// It was deleted, or its lease ended.
    Delete {
        /// The key that is no more.
        key: Vec<u8>,
        /// When that was.
        mod_revision: Revision,
    },
}

impl Watch {
    pub(super) async fn open(etcd: Etcd, prefix: &[u8], from: Revision, quiet: Duration) -> Result<Self, WatchError> {
        let lines = open(&etcd, prefix, from).await?;
        Ok(Self { etcd, prefix: prefix.to_owned(), next: from, lines, quiet, heard: Instant::now() })
    }

    /// What happened next: at least one event, and always all of a revision. Nothing is lost if the future is dropped.
    ///
    /// # Errors
    /// [`WatchError`]: the watch is over.
    pub async fn next(&mut self) -> Result<Vec<Event>, WatchError> {
        loop {
            match timeout_at(self.heard + self.quiet, self.lines.next()).await {
                Ok(answer) => {
                    let answer = answer.map_err(of_stream)?;
                    self.heard = Instant::now();
                    check(&answer)?;
                    // Without events: what was asked for by `progress_notify`, each ten minutes unless etcd is told otherwise.
                    // Its revision is no place to go on from: before 3.4.25 and 3.5.8 it may be ahead of the events
                    // (etcd-io/etcd#15220).
                    if !answer.events.is_empty() {
                        let events: Vec<Event> = answer.events.into_iter().map(wire::EventAnswer::read).collect();
                        let latest = events.iter().map(Event::mod_revision).max();
                        self.next = latest.map_or(self.next, |latest| self.next.max(latest.next()));
                        return Ok(events);
                    }
                }
                // Nobody may be there any more, or nothing may have happened. To ask again tells.
                Err(_quiet) => {
                    self.lines = open(&self.etcd, &self.prefix, self.next).await?;
                    self.heard = Instant::now();
                }
            }
        }
    }

    /// Where the next watch is to begin, if this one is over.
    pub fn next_revision(&self) -> Revision {
        self.next
    }
}

impl Event {
    /// The key it happened to.
    pub fn key(&self) -> &[u8] {
        match self {
            Self::Put(KeyValue { key, .. }) | Self::Delete { key, .. } => key,
        }
    }

    /// When it happened.
    pub fn mod_revision(&self) -> Revision {
        match self {
            Self::Put(KeyValue { mod_revision, .. }) | Self::Delete { mod_revision, .. } => *mod_revision,
        }
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put(key_value) => write!(f, "put {key_value:?}"),
            Self::Delete { key, mod_revision } => write!(f, "delete {} at {}", Key(key), mod_revision.0),
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Watch({}... from {} at {:?})", Key(&self.prefix), self.next.0, self.lines.stream)
    }
}

/// A stream of the first endpoint that begins one.
async fn open(etcd: &Etcd, prefix: &[u8], from: Revision) -> Result<Lines, WatchError> {
    let mut create = wire::prefix(prefix);
    create["start_revision"] = json!(from.0.to_string());
    create["progress_notify"] = json!(true);
    let body = json!({ "create_request": create }).to_string().into_bytes();
    let begun = etcd.each(|endpoint| begin(etcd, endpoint, body.clone())).await?;
    let (lines, created) = begun.answer;
    check(&created)?;
    if created.header.revision().next() < from {
        went_back(etcd, from).await?;
    }
    Ok(lines)
}

/// Up to the line that says that events will follow.
async fn begin(etcd: &Etcd, endpoint: Url, body: Vec<u8>) -> Result<(Lines, WatchAnswer), Fault> {
    let request = Need::Leader.post(&endpoint, "/v3/watch", body);
    let begun = async {
        let stream = etcd.client.stream(request, etcd.limit).await?;
        let mut lines = Lines { stream, unread: Vec::new() };
        let first = lines.next().await?;
        // Anything that reads like JSON might come from anybody.
        if !first.created && !first.canceled {
            return Err(wire::not_etcd(lines.stream.origin(), lines.stream.status));
        }
        Ok((lines, first))
    };
    match timeout(etcd.limit, begun).await {
        Ok(begun) => begun,
        Err(_) => {
            let fault = HttpsFault::TimedOut { limit: etcd.limit };
            Err(HttpsError { origin: endpoint.origin(), fault }.into())
        }
    }
}

/// The member has not come as far as `from`. If that is because it lags behind the others, all is well: it waits.
async fn went_back(etcd: &Etcd, from: Revision) -> Result<(), WatchError> {
    // What is read is what a majority has, whatever the key.
    let (_, latest) = etcd.get(b"\0").await?;
    if latest.next() < from { Err(WatchError::WentBack(latest)) } else { Ok(()) }
}

fn check(answer: &WatchAnswer) -> Result<(), WatchError> {
    match answer.compacted() {
        Some(revision) => Err(WatchError::Compacted(revision)),
        None if answer.canceled => Err(WatchError::Canceled(answer.cancel_reason.clone())),
        None => Ok(()),
    }
}

fn of_stream(fault: Fault) -> WatchError {
    match fault {
        Fault::Endpoint(fault) => EtcdError::NoEndpoint { faults: vec![fault] }.into(),
        Fault::Etcd(error) => error.into(),
    }
}

/// The lines of an answer.
struct Lines {
    stream: Streaming,
    unread: Vec<u8>,
}

impl Lines {
    async fn next(&mut self) -> Result<WatchAnswer, Fault> {
        let mut searched = 0;
        loop {
            if let Some(end) = self.unread[searched..].iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=searched + end).collect();
                return self.read(&line);
            }
            searched = self.unread.len();
            match self.stream.chunk().await? {
                Some(chunk) => self.take(&chunk)?,
                // What is no stream has no newline at its end: an error, or somebody else's page.
                None if !self.unread.is_empty() => {
                    let rest = std::mem::take(&mut self.unread);
                    return self.read(&rest);
                }
                None => return Err(self.fault(HttpsFault::Closed { message: "etcd ended the watch".to_owned() })),
            }
        }
    }

    fn take(&mut self, chunk: &Bytes) -> Result<(), Fault> {
        if self.unread.len() + chunk.len() > LARGEST {
            return Err(self.fault(HttpsFault::TooLarge { limit: LARGEST }));
        }
        self.unread.extend_from_slice(chunk);
        Ok(())
    }

    fn read(&self, line: &[u8]) -> Result<WatchAnswer, Fault> {
        let line: Streamed<WatchAnswer> = wire::read(self.stream.origin(), self.stream.status, line)?;
        Ok(line.result)
    }

    fn fault(&self, fault: HttpsFault) -> Fault {
        Fault::Endpoint(EndpointFault::Https(HttpsError { origin: self.stream.origin().to_owned(), fault }))
    }
}
