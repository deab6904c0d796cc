//! The source `http`: the keys are somebody else's, who is asked for them again and again.
//!
//! A raincheck server gives the whole ring with its epoch, and does not answer before it has a newer one ([`wire`]). Any
//! other server gives text as the source [`file`](mod@file) reads it, and is asked every so often. Whatever goes wrong,
//! the keys stay as they are.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH};
use raincheck_keyring::{Epoch, NodeName, Ring};
use tokio::time::sleep;

use crate::https::{Answer, Client, Limits, Request, Trust, Url};
use crate::source::file;
use crate::{Error, KeyFileError, Keys, SourceFault};

pub mod wire;

/// Whom to ask, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpSource {
    /// One server is enough; of several, the next is asked where one fails. At least one.
    pub urls: Vec<Url>,
    /// How often a server is asked that answers at once.
    pub every: Duration,
    /// What this node is called there.
    pub node: NodeName,
    /// What TLS is made with.
    pub trust: Trust,
}

impl HttpSource {
    pub(crate) fn place(&self) -> String {
        let urls: Vec<String> = self.urls.iter().map(Url::to_string).collect();
        urls.join(", ")
    }
}

/// A source whose files were read.
#[derive(Debug)]
pub(crate) struct Poll {
    source: HttpSource,
    client: Client,
}

impl Poll {
    pub(crate) fn new(source: &HttpSource) -> Result<Self, Error> {
        Ok(Self { source: source.clone(), client: Client::new(&source.trust)? })
    }

    pub(crate) fn place(&self) -> String {
        self.source.place()
    }

    pub(crate) async fn run(&self, keys: &Keys) -> Infallible {
        let mut last = Last { url: 0, tag: None };
        let mut failures = 0;
        loop {
            match self.ask(keys, &mut last).await {
                Ok(Manners::Waits) => failures = 0,
                Ok(Manners::AnswersAtOnce) => {
                    failures = 0;
                    sleep(jittered(self.source.every)).await;
                }
                Err(error) => {
                    keys.complain(error);
                    last = Last { url: (last.url + 1) % self.source.urls.len(), tag: None };
                    sleep(jittered(back_off(failures, self.source.every))).await;
                    failures += 1;
                }
            }
        }
    }

    /// Tells whoever made the keys before which ring there is now, so that it stops when it comes back: nodes that have just
    /// started, and ask it first, would take its keys for the fleet's.
    pub(crate) async fn supersede(&self, keys: &Keys) -> Infallible {
        loop {
            for url in &self.source.urls {
                let headers = self.headers(keys.ring().epoch(), None);
                // That it is not there is as it should be.
                let _ = self.client.request(Request { headers, ..Request::get(url.clone()) }, LIMITS).await;
            }
            // Whoever asks it before it is told gets its keys.
            sleep(FIRST_BACK_OFF).await;
        }
    }

    /// Asks once, and does what the answer says.
    async fn ask(&self, keys: &Keys, last: &mut Last) -> Result<Manners, Error> {
        let url = &self.source.urls[last.url];
        let mut held = keys.held();
        let asked = Instant::now();
        let answer = loop {
            let holds = *held.borrow_and_update();
            // A node with keys of its own has need of the ring it has had, too.
            let tag = last.tag.as_ref().filter(|_| keys.is_supplied());
            let request = Request { headers: self.headers(holds, tag), ..Request::get(url.clone()) };
            tokio::select! {
                answer = self.client.request(request, LIMITS) => break answer?,
                // What this node can open is news for the server, which must not wait for its own.
                _ = held.changed() => {}
            }
        };
        let (says_that_it_waits, tag) = (says_that_it_waits(&answer), answer.headers.get(ETAG).cloned());
        let before = keys.ring().epoch();
        self.take(keys, answer).map_err(|fault| Error::Source { place: url.to_string(), fault })?;
        last.tag = tag;
        // Whoever says that it waits, and neither does so nor has anything new, would be asked without a pause.
        let does_so = keys.ring().epoch() != before || asked.elapsed() >= wire::SHORTEST_WAIT;
        Ok(if says_that_it_waits && does_so { Manners::Waits } else { Manners::AnswersAtOnce })
    }

    fn headers(&self, holds: Epoch, tag: Option<&HeaderValue>) -> HeaderMap {
        let text = |text: String| HeaderValue::try_from(text).expect("letters, digits and dots");
        let mut headers = HeaderMap::new();
        headers.insert(wire::NODE, text(self.source.node.to_string()));
        headers.insert(wire::HOLDS, text(holds.to_string()));
        headers.insert(wire::PREFER, text(format!("wait={}", wire::WAIT.as_secs())));
        if let Some(tag) = tag {
            headers.insert(IF_NONE_MATCH, tag.clone());
        }
        headers
    }

    fn take(&self, keys: &Keys, answer: Answer) -> Result<(), SourceFault> {
        let Answer { status, headers, body } = answer;
        match status {
            StatusCode::NOT_MODIFIED => {
                keys.confirm();
                return Ok(());
            }
            StatusCode::OK => {}
            status => return Err(SourceFault::Status { status: status.as_u16() }),
        }
        let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
        if kind == wire::RING.as_bytes() {
            return Ok(keys.take_ring(Ring::decode(&body)?)?);
        }
        if kind.to_ascii_lowercase().starts_with(b"text/html") {
            return Err(SourceFault::Html);
        }
        if body.len() > file::LARGEST {
            return Err(KeyFileError::TooLarge.into());
        }
        keys.take_lines(file::parse(&body)?)
    }
}

/// Of the last answer that was taken.
struct Last {
    /// Which server gave it.
    url: usize,
    tag: Option<HeaderValue>,
}

/// How a server answers somebody who has its newest keys.
enum Manners {
    AnswersAtOnce,
    /// Only when it has newer ones, or after a while.
    Waits,
}

fn says_that_it_waits(answer: &Answer) -> bool {
    answer.headers.get(wire::PREFERENCE_APPLIED).is_some_and(|applied| applied.as_bytes() == b"wait")
}

/// A second after the first failure, then twice as long each time, but not longer than `every`.
fn back_off(failures: u32, every: Duration) -> Duration {
    FIRST_BACK_OFF.saturating_mul(1 << failures.min(MOST_DOUBLINGS)).min(every.max(FIRST_BACK_OFF))
}

/// Give or take a quarter, lest a fleet's nodes fall into step.
fn jittered(span: Duration) -> Duration {
    span.mul_f64(0.75 + 0.5 * fastrand::f64())
}

const FIRST_BACK_OFF: Duration = Duration::from_secs(1);
const MOST_DOUBLINGS: u32 = 16;

/// In bytes: 65,535 keys of 106, which are the most that a ring has. A ring of a week and a minute has ten thousand.
const LARGEST: usize = 8 * 1024 * 1024;

const LIMITS: Limits = Limits { time: wire::WAIT.saturating_add(Duration::from_secs(10)), bytes: LARGEST };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_ring_is_taken() {
        let now = raincheck_keyring::UnixTime::from_millis(0);
        let keys = [(); 2].map(|()| crate::fresh_key(raincheck_keyring::KeySize::Bits256));
        let [one, two] = [1, 2].map(|count| {
            let keys = keys[..count].iter().map(|key| {
                let copy = raincheck_keyring::TicketKey::new(key.name(), key.expose_cipher(), key.expose_mac());
                (copy.expect("a key"), Epoch::NONE, now)
            });
            Ring::of_fleet(Epoch::NONE, keys.collect()).expect("a ring").expose_encoded().len()
        });
        assert!(one + usize::from(u16::MAX) * (two - one) <= LIMITS.bytes);
    }

    #[test]
    fn the_pause_after_failures_grows_and_has_a_limit() {
        let minute = Duration::from_secs(60);
        let pauses = [0, 1, 2, 5, 6, 40].map(|failures| back_off(failures, minute).as_secs());
        assert_eq!(pauses, [1, 2, 4, 32, 60, 60]);
        assert_eq!(back_off(9, Duration::from_millis(100)), FIRST_BACK_OFF);
        for _ in 0..1000 {
            assert!((45.0..=75.0).contains(&jittered(minute).as_secs_f64()));
        }
    }
}
