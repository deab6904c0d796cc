use std::net::SocketAddr;

use raincheck_diagnosis::evidence::{Connection, Kind};
use raincheck_diagnosis::tcp::{Conversation, Opening};
use raincheck_diagnosis::tls::{Cursor, KeyLog, Reader};
use raincheck_diagnosis::{Moment, Side, Sides, Timestamp};

/// The reader of TLS, whatever both sides send: where nothing is missing it makes no difference how that is cut, nothing is
/// counted that was not sent, and memory follows what was sent, up to a limit.
///
/// Sound is a handshake that comes to its end with nothing missing, foreign or not opened. An event begins with a letter: `C` and `S`, what
/// client and server send, behind a length (2); `c` and `s`, how much of it is missing (2); `K`, lines of a key log, behind a length
/// (2); `F`, `f`, `R` and `r`, FIN and reset of client and server.
pub fn tls_stream(bytes: &[u8]) -> bool {
    let Some(events) = parse(bytes) else { return false };
    let has_gap = events.iter().any(|event| matches!(event, Event::Gap(..)));
    let mut sound = true;
    for keys in [Keys::None, Keys::Recorded, Keys::Growing] {
        let whole = read(&events, keys, true, usize::MAX);
        for size in [1, 100] {
            let cut = read(&events, keys, true, size);
            assert!(has_gap || cut == whole, "{keys:?}, in pieces of {size}: {cut:#?}, not {whole:#?}");
        }
        sound &= is_sound(&whole);
        // In its middle, what looks like the beginning of a record depends on the packets.
        read(&events, keys, false, usize::MAX);
        read(&events, keys, false, 100);
    }
    sound
}

/// Where from secrets come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keys {
    None,
    /// All are there at the beginning.
    Recorded,
    /// They come when they come.
    Growing,
}

fn read(events: &[Event<'_>], keys: Keys, from_the_start: bool, size: usize) -> Connection {
    let opening = opening(from_the_start);
    let log = if keys == Keys::Growing { KeyLog::growing() } else { KeyLog::recorded() };
    if keys == Keys::Recorded {
        events.iter().for_each(|event| {
            if let Event::Secrets(text) = event {
                log.read(text)
            }
        });
    }
    let mut reader = match keys {
        Keys::None => Reader::new(opening),
        Keys::Recorded | Keys::Growing => Reader::with_key_log(opening, log.clone()),
    };
    let mut sent = Sides::<u64>::default();
    for (index, event) in events.iter().enumerate() {
        let at = moment(index as u64 + 1);
        match *event {
            Event::Data(side, bytes) => {
                bytes.chunks(size).for_each(|piece| reader.data(side, at, piece));
                sent[side] += bytes.len() as u64;
            }
            Event::Gap(side, length) => {
                reader.gap(side, at, length);
                sent[side] += length;
            }
            Event::Secrets(text) if keys == Keys::Growing => log.read(text),
            Event::Secrets(_) => {}
            Event::Fin(side) => reader.fin(side, at),
            Event::Reset(side) => reader.reset(side, at),
        }
        let most = LARGEST.min(SMALLEST + 8 * (sent.client + sent.server) as usize);
        assert!(reader.memory() <= most, "{} bytes of {most} for {sent:?}", reader.memory());
    }
    let connection = reader.into_connection();
    check(&connection, sent);
    connection
}

/// What must hold of a connection, whatever it is.
pub(super) fn check(connection: &Connection, sent: Sides<u64>) {
    let Connection { application, tickets, .. } = connection;
    // A record counts once it begins, so that one of each side may not be there in full.
    let (client, server) = (application.client, application.server);
    let sent = sent.client + sent.server;
    assert!(client.bytes + server.bytes <= sent + 2 * LONGEST_RECORD, "{application:?} of {sent}");
    assert!(5 * (client.records + server.records) <= sent, "{application:?} of {sent}");
    assert!(tickets.iter().all(|ticket| !ticket.ticket.is_empty()));
    let kind = connection.kind();
    assert!(matches!(kind, Kind::Aborted | Kind::Unknown) || kind == connection.agreed());
    assert!(!kind.is_resumed() || connection.client_hello.is_some() || connection.server_hello.is_some());
    let _ = (connection.renewed_inline(), connection.offered_key_name(), connection.version());
    let _ = [Side::Client, Side::Server].map(|side| connection.close(side));
}

/// Whether its handshake came to an end, and all that there is was read.
pub(super) fn is_sound(connection: &Connection) -> bool {
    let Connection { missing, foreign, unopened, .. } = connection;
    let is_whole = (*missing, *foreign, *unopened) == Default::default();
    is_whole && (connection.kind() == Kind::Full || connection.kind().is_resumed())
}

#[derive(Clone, Copy, Debug)]
enum Event<'a> {
    Data(Side, &'a [u8]),
    Gap(Side, u64),
    Secrets(&'a [u8]),
    Fin(Side),
    Reset(Side),
}

fn parse(bytes: &[u8]) -> Option<Vec<Event<'_>>> {
    let mut cursor = Cursor::new(bytes);
    let mut events = Vec::new();
    while !cursor.is_empty() {
        events.push(match cursor.u8()? {
            b'C' => Event::Data(Side::Client, cursor.vec16()?),
            b'S' => Event::Data(Side::Server, cursor.vec16()?),
            b'c' => Event::Gap(Side::Client, cursor.u16()?.into()),
            b's' => Event::Gap(Side::Server, cursor.u16()?.into()),
            b'K' => Event::Secrets(cursor.vec16()?),
            b'F' => Event::Fin(Side::Client),
            b'f' => Event::Fin(Side::Server),
            b'R' => Event::Reset(Side::Client),
            b'r' => Event::Reset(Side::Server),
            _ => return None,
        });
    }
    Some(events)
}

fn opening(from_the_start: bool) -> Opening {
    let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
    Opening { client: address(50_000), server: address(443), at: moment(0), from_the_start }
}

fn moment(packet: u64) -> Moment {
    Moment { time: Timestamp::from_nanoseconds(packet * 1000), packet }
}

// What a reader may take before anything was sent, and at most.
const SMALLEST: usize = 8 << 10;
const LARGEST: usize = 768 << 10;
// RFC 5246 §6.2.3.
const LONGEST_RECORD: u64 = (1 << 14) + 2048;
