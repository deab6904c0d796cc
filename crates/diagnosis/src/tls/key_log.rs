//! Secrets of connections, as NSS' key log has them (`SSLKEYLOGFILE`, RFC 9850).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use zeroize::Zeroizing;

use crate::Side;

/// A key log, shared by those who write it and the readers of the connections whose secrets it holds.
///
/// Secrets are wiped with the last of its handles, and nothing shows them.
#[derive(Clone)]
pub struct KeyLog {
    log: Arc<RwLock<Log>>,
    grows: bool,
}

impl KeyLog {
    /// A key log that holds a connection's secrets before the connection is read, if it ever does: a file's.
    pub fn recorded() -> Self {
        Self { log: Arc::default(), grows: false }
    }

    /// A key log to which secrets may come later than what they open: whoever is a party to the connection writes it. Readers
    /// keep a bounded number of bytes until then.
    pub fn growing() -> Self {
        Self { log: Arc::default(), grows: true }
    }

    /// Takes whole lines of text in NSS' format. Labels that are not known are passed over, as are comments; what is no
    /// line of a key log is counted.
    pub fn read(&self, text: &[u8]) {
        let mut log = self.write();
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            log.lines += 1;
            if log.line(line.trim_ascii()).is_none() {
                let number = log.lines;
                log.bad.count += 1;
                log.bad.first.get_or_insert(number);
            }
        }
    }

    /// Takes a secret, as rustls' `KeyLog` hands it out.
    pub fn add(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let label = Label::of(label.as_bytes());
        if let (Some(label), Ok(random), Some(secret)) = (label, client_random.try_into(), Secret::new(secret)) {
            self.write().insert(label, random, secret);
        }
    }

    /// How many connections it has secrets of.
    pub fn connections(&self) -> usize {
        self.lock().connections.len()
    }

    /// The lines that could not be read.
    pub fn bad_lines(&self) -> BadLines {
        self.lock().bad
    }

    /// Whether secrets may still come.
    pub(super) fn grows(&self) -> bool {
        self.grows
    }

    /// Whether there is a secret of any connection that begins now, or one may come.
    pub(super) fn may_know(&self) -> bool {
        self.grows || self.connections() > 0
    }

    /// Whether there is a secret of the connection with that client random.
    pub(super) fn knows(&self, client_random: &[u8; 32]) -> bool {
        self.lock().connections.contains_key(client_random)
    }

    /// What `with` makes of a secret, if it is there.
    pub(super) fn look_up<T>(
        &self,
        client_random: &[u8; 32],
        label: Label,
        with: impl FnOnce(&[u8]) -> T,
    ) -> Option<T> {
        let log = self.lock();
        let secret = log.connections.get(client_random)?[label as usize].as_ref()?;
        Some(with(secret.expose()))
    }

    fn lock(&self) -> RwLockReadGuard<'_, Log> {
        self.log.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Log> {
        self.log.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for KeyLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyLog").field("connections", &self.connections()).finish_non_exhaustive()
    }
}

/// Lines of a key log that could not be read. What they say is not told, for it may be a secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BadLines {
    /// How many there are.
    pub count: usize,
    /// The number of the first, from 1.
    pub first: Option<usize>,
}

/// What a secret is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Label {
    /// TLS 1.2 and before: the master secret.
    Master,
    ClientHandshake,
    ServerHandshake,
    ClientApplication,
    ServerApplication,
}

impl Label {
    /// The label of the first application traffic secret of `side`, or of its handshake's.
    pub(super) fn traffic(side: Side, application: bool) -> Self {
        match (side, application) {
            (Side::Client, false) => Self::ClientHandshake,
            (Side::Server, false) => Self::ServerHandshake,
            (Side::Client, true) => Self::ClientApplication,
            (Side::Server, true) => Self::ServerApplication,
        }
    }

    /// Early data needs no label: what the handshake's secret does not open is early data.
    fn of(label: &[u8]) -> Option<Self> {
        Some(match label {
            b"CLIENT_RANDOM" => Self::Master,
            b"CLIENT_HANDSHAKE_TRAFFIC_SECRET" => Self::ClientHandshake,
            b"SERVER_HANDSHAKE_TRAFFIC_SECRET" => Self::ServerHandshake,
            b"CLIENT_TRAFFIC_SECRET_0" => Self::ClientApplication,
            b"SERVER_TRAFFIC_SECRET_0" => Self::ServerApplication,
            _ => return None,
        })
    }

    const COUNT: usize = 5;
}

#[derive(Default)]
struct Log {
    connections: BTreeMap<[u8; 32], [Option<Secret>; Label::COUNT]>,
    lines: usize,
    bad: BadLines,
}

impl Log {
    /// Takes a line: label, client random, secret. `None` if it is none.
    fn line(&mut self, line: &[u8]) -> Option<()> {
        if line.is_empty() || line.starts_with(b"#") {
            return Some(());
        }
        let mut fields = line.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
        let (label, random, secret) = (fields.next()?, fields.next()?, fields.next()?);
        let Some(label) = Label::of(label) else { return Some(()) };
        let mut client_random = [0; 32];
        hexadecimal(random, &mut client_random)?;
        if fields.next().is_some() {
            return None;
        }
        let mut bytes = Zeroizing::new([0; Secret::LONGEST]);
        let bytes = bytes.get_mut(..secret.len() / 2)?;
        hexadecimal(secret, bytes)?;
        self.insert(label, client_random, Secret::new(bytes)?);
        Some(())
    }

    fn insert(&mut self, label: Label, client_random: [u8; 32], secret: Secret) {
        self.connections.entry(client_random).or_default()[label as usize] = Some(secret);
    }
}

/// A secret, made once where it stays, and wiped.
struct Secret(Zeroizing<Box<[u8]>>);

impl Secret {
    fn new(bytes: &[u8]) -> Option<Self> {
        (Self::SHORTEST..=Self::LONGEST).contains(&bytes.len()).then(|| Self(Zeroizing::new(bytes.into())))
    }

    fn expose(&self) -> &[u8] {
        &self.0
    }

    // The hash of TLS 1.3's suites has 32 or 48 bytes, a master secret 48.
    const SHORTEST: usize = 32;
    const LONGEST: usize = 48;
}

/// Fills `bytes` with what the digits say, if they are twice as many.
fn hexadecimal(digits: &[u8], bytes: &mut [u8]) -> Option<()> {
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    if pairs.len() != bytes.len() || pairs.is_empty() {
        return None;
    }
    let digit = |digit: u8| char::from(digit).to_digit(16);
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_log_is_read_line_by_line() {
        let (random, secret) = ("0a".repeat(32), "f5".repeat(48));
        let log = KeyLog::recorded();
        log.read(format!("# a comment\n\nCLIENT_RANDOM {random} {secret}\r\nEXPORTER_SECRET {random} 00\n").as_bytes());
        log.read(format!("SERVER_TRAFFIC_SECRET_0 {random} {}\n", "0B".repeat(32)).as_bytes());
        assert_eq!((log.connections(), log.bad_lines()), (1, BadLines::default()));
        let found = |label| log.look_up(&[10; 32], label, <[u8]>::to_vec);
        assert_eq!(found(Label::Master), Some(vec![0xf5; 48]));
        assert_eq!(found(Label::ServerApplication), Some(vec![0x0b; 32]));
        assert_eq!((found(Label::ClientApplication), log.knows(&[11; 32])), (None, false));
    }

    #[test]
    fn bad_lines_are_counted_and_not_told() {
        let random = "0a".repeat(32);
        for line in [
            "CLIENT_RANDOM".to_owned(),
            format!("CLIENT_RANDOM {random}"),
            format!("CLIENT_RANDOM {random} 00"),
            format!("CLIENT_RANDOM {random} {}", "0g".repeat(48)),
            format!("CLIENT_RANDOM {random} {}", "00".repeat(49)),
            format!("CLIENT_RANDOM {random} {}0", "00".repeat(47)),
            format!("CLIENT_RANDOM {}0 {}", random, "00".repeat(48)),
            format!("CLIENT_RANDOM {random} {} more", "00".repeat(48)),
            "GET / HTTP/1.1 \u{0}".to_owned().replace(' ', ""),
        ] {
            let log = KeyLog::recorded();
            log.read(format!("# first\n{line}\n").as_bytes());
            let expected = BadLines { count: 1, first: Some(2) };
            assert_eq!((log.connections(), log.bad_lines()), (0, expected), "{line}");
            assert_eq!(format!("{log:?}"), "KeyLog { connections: 0, .. }");
        }
    }
}
