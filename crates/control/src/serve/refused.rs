//! Who was turned away, and why.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Why somebody was turned away.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// It does not speak TLS.
    NotTls,
    /// It has shown no certificate.
    NoCertificate,
    /// It has shown one that is not good here.
    Certificate,
    /// TLS failed for another reason, such as that it does not believe this server's certificate.
    Tls,
    /// It has left, or was too slow, before it had asked.
    Silent,
    /// Its address is not among those that are allowed, and it has no certificate.
    Address,
    /// It does not say who it is, or not in a way that can be read.
    Node,
    /// There are as many connections as there may be.
    Full,
}

impl Refusal {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::NotTls,
        Self::NoCertificate,
        Self::Certificate,
        Self::Tls,
        Self::Silent,
        Self::Address,
        Self::Node,
        Self::Full,
    ];

    /// The word for it, in metrics and status.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotTls => "not-tls",
            Self::NoCertificate => "no-certificate",
            Self::Certificate => "certificate",
            Self::Tls => "tls",
            Self::Silent => "silent",
            Self::Address => "address",
            Self::Node => "node",
            Self::Full => "full",
        }
    }

    /// What happened, and what to do if it should not have.
    pub(super) const fn in_words(self) -> &'static str {
        match self {
            Self::NotTls => "it does not speak TLS; its URL has to begin with https://",
            Self::NoCertificate => "it shows no certificate; give it one of client-ca",
            Self::Certificate => {
                "its certificate is not good here; have it issued by a CA in client-ca, and see that it has not expired"
            }
            Self::Tls => {
                "no TLS with it; its log may say why, such as that it does not believe this server's certificate"
            }
            Self::Silent => "it left, or took too long, before it had asked",
            Self::Address => "its address is not in allow, and it shows no certificate",
            Self::Node => "it does not say who it is; only raincheck asks for /ring",
            Self::Full => "there are as many connections as there may be",
        }
    }
}

/// How many were turned away, by reason.
#[derive(Debug, Default)]
pub(super) struct Refused {
    counts: [AtomicU64; Refusal::ALL.len()],
    last_told: Mutex<[Option<Instant>; Refusal::ALL.len()]>,
}

impl Refused {
    /// Counts one. Says whether to tell of it: each reason once in a while, for a stranger could fill the log.
    pub(super) fn count(&self, refusal: Refusal) -> bool {
        self.counts[refusal as usize].fetch_add(1, Ordering::Relaxed);
        let mut last_told = self.last_told.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let last = &mut last_told[refusal as usize];
        let is_due = last.is_none_or(|last| now - last >= BETWEEN_TELLING);
        if is_due {
            *last = Some(now);
        }
        is_due
    }

    pub(super) fn counts(&self) -> impl Iterator<Item = (Refusal, u64)> {
        Refusal::ALL.into_iter().map(|refusal| (refusal, self.counts[refusal as usize].load(Ordering::Relaxed)))
    }
}

const BETWEEN_TELLING: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn all_are_counted_and_few_are_told_of() {
        let refused = Refused::default();
        let told = [(); 3].map(|()| refused.count(Refusal::Address));
        assert_eq!(told, [true, false, false]);
        assert!(refused.count(Refusal::NotTls));
        tokio::time::advance(BETWEEN_TELLING).await;
        assert!(refused.count(Refusal::Address));
        let counts: Vec<_> = refused.counts().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counts, [(Refusal::NotTls, 1), (Refusal::Address, 4)]);
        // `as usize` is the place in ALL.
        assert!(Refusal::ALL.iter().enumerate().all(|(index, refusal)| *refusal as usize == index));
    }
}
