//! The tables `[[sink]]`: the products that an agent feeds.

use std::ops::Range;
use std::time::Duration;

use raincheck_control::KeySource;
use raincheck_control::agent::Outlet;
use raincheck_control::sink::{self, Command, Envoy, H2o, HaProxy, KeyFile, Nginx, SecretFile, Sink, StatsSocket};
use raincheck_keyring::{KeySize, Product, Schedule, Slots, SlotsError};
use toml::Spanned;

use super::Keys;
use super::duration::show;
use super::raw::{RawSink, Value};
use super::reader::Reader;

/// Of the words a file may use for it.
#[derive(Clone, Copy)]
enum Kind {
    HaProxy,
    Nginx,
    Envoy,
    H2o,
    File,
}

/// Of products that are fed with `keys`. None where something is wrong with it. That has been noted.
pub(super) fn read(reader: &mut Reader<'_>, raw: Spanned<RawSink>, keys: &Keys, around: &Others<'_>) -> Option<Outlet> {
    let table = raw.span();
    let mut raw = raw.into_inner();
    let file_at = raw.file.as_ref().map_or_else(|| table.clone(), Spanned::span);
    let rotate_at = raw.rotate.as_ref().map_or_else(|| table.clone(), Spanned::span);
    let kinds = [
        ("haproxy", Kind::HaProxy),
        ("nginx", Kind::Nginx),
        ("envoy", Kind::Envoy),
        ("h2o", Kind::H2o),
        ("file", Kind::File),
    ];
    let name = reader.name(table.clone(), "sink.name", raw.name.take(), around.names);
    if raw.kind.is_none() {
        reader.missing(
            table.clone(),
            "sink.kind",
            "say which product it is: \"haproxy\", \"nginx\", \"envoy\" or \"h2o\"",
        );
    }
    let kind = reader.choice("sink.kind", raw.kind.take(), &kinds, Kind::File);
    let slots = read_slots(reader, table.clone(), kind, raw.rotate.take(), raw.accept.take(), keys);
    let size = read_size(reader, kind, raw.bits.take());
    let product = read_product(reader, kind, raw.product.take());
    let sink = read_sink(reader, table, kind, raw)?;
    around.expect_no_conflict(reader, file_at, &sink);
    warn_of_slowness(reader, rotate_at, &sink, &keys.schedule);
    Some(Outlet { name, sink, product, size, slots: slots? })
}

/// The sinks before it.
pub(super) struct Others<'a> {
    pub(super) names: &'a [&'a str],
    pub(super) outlets: &'a [Outlet],
}

impl Others<'_> {
    /// Two that write one file, or tidy up one directory, would undo what the other does.
    fn expect_no_conflict(&self, reader: &mut Reader<'_>, at: Range<usize>, sink: &Sink) {
        let file = sink.file();
        if let Some(other) = self.outlets.iter().find(|other| other.sink.file() == file) {
            reader.error(at, "sink.file", format!("the file of sink {}, too; give each its own", other.name));
        } else if let Sink::Nginx(_) = sink
            && let Some(other) = self
                .outlets
                .iter()
                .find(|other| matches!(other.sink, Sink::Nginx(_)) && other.sink.file().parent() == file.parent())
        {
            let what = format!(
                "in the directory of sink {}, which removes all keys there but its own; give each its own directory",
                other.name
            );
            reader.error(at, "sink.file", what);
        }
    }
}

/// Each rotation that has a key for the product waits until the product has noticed it.
fn warn_of_slowness(reader: &mut Reader<'_>, at: Range<usize>, sink: &Sink, by: &Schedule) {
    let delay = sink.notices_after();
    if by.rotate < delay {
        let what = format!(
            "{} has a new key {} after it is written, and keys.rotate is {}; rotation waits for that, at most \
             rotation-patience; write a longer keys.rotate",
            sink.name(),
            show(delay),
            show(by.rotate)
        );
        reader.warning(at, "sink.rotate", what);
    }
}

/// How many keys the product gets, and for how many rotations of the ring each.
fn read_slots(
    reader: &mut Reader<'_>,
    table: Range<usize>,
    kind: Kind,
    rotate: Value<String>,
    accept: Value<String>,
    keys: &Keys,
) -> Option<Slots> {
    let by = &keys.schedule;
    let [rotate_at, accept_at] =
        [&rotate, &accept].map(|value| value.as_ref().map_or_else(|| table.clone(), Spanned::span));
    let accept_is_written = accept.is_some();
    let rotate = reader.duration("sink.rotate", rotate, by.rotate);
    let Some(stride) = multiple(rotate, by.rotate) else {
        let what = format!(
            "{} is no multiple of keys.rotate, which is {}; the product's keys are made from some of the ring's",
            show(rotate),
            show(by.rotate)
        );
        reader.error(rotate_at, "sink.rotate", what);
        return None;
    };
    // Each node counts the keys of a file from when it began to read it.
    if stride > 1 && matches!(keys.source, KeySource::File(_)) {
        let what = "the keys of a file have no epochs, by which nodes could choose the same ones; leave it out";
        reader.error(rotate_at, "sink.rotate", what);
        return None;
    }
    let accept = reader.duration("sink.accept", accept, by.accept);
    let slots = |stride: u64| {
        let rotate = by.rotate.saturating_mul(u32::try_from(stride).unwrap_or(u32::MAX));
        Slots::new(count(kind, rotate, accept), stride, by.retained())
    };
    let slots = slots(stride).map_err(|error| {
        let SlotsError::RingTooShort { slots: wanted, needs, has, .. } = error else {
            return reader.error(rotate_at.clone(), "sink.rotate", error.to_string());
        };
        let longest = (1..stride.min(has as u64)).rev().find_map(|shorter| slots(shorter).ok());
        let takes = format!(
            "{} keys, each for {}, are made from {needs} of the ring's, which keeps {has}",
            wanted.count(),
            show(rotate)
        );
        match longest.map(|slots| show(slots.rotate(by.rotate))) {
            Some(longest) => reader.error(
                rotate_at.clone(),
                "sink.rotate",
                format!("{takes}; write \"{longest}\" or less, or a longer keys.accept on all nodes"),
            ),
            None => reader.error(
                accept_at.clone(),
                "sink.accept",
                format!("{takes}; write a shorter one, or a longer keys.accept on all nodes"),
            ),
        }
    });
    let slots = slots.ok()?;
    let [least, _] = slots.accept(by.rotate);
    if accept_is_written && accept > least {
        let what = format!(
            "{} is more than HAProxy's three slots can open for, which is {}; leave it out, or write a longer `rotate`",
            show(accept),
            show(least)
        );
        reader.error(accept_at, "sink.accept", what);
        return None;
    }
    Some(slots)
}

/// How many keys a product of this kind has: the next one, the issuing one, and those that retire for as long as that.
fn count(kind: Kind, rotate: Duration, accept: Duration) -> usize {
    match kind {
        Kind::HaProxy => sink::haproxy::SLOTS,
        _ => {
            let rotations = accept.as_nanos().div_ceil(rotate.as_nanos().max(1));
            usize::try_from(rotations.saturating_add(2)).unwrap_or(usize::MAX)
        }
    }
}

/// How many times `rotate` is `by`, if it is that a whole number of times.
fn multiple(rotate: Duration, by: Duration) -> Option<u64> {
    let (times, rest) = (rotate.as_nanos() / by.as_nanos().max(1), rotate.as_nanos() % by.as_nanos().max(1));
    u64::try_from(times).ok().filter(|times| *times > 0 && rest == 0)
}

fn read_size(reader: &mut Reader<'_>, kind: Kind, bits: Value<usize>) -> KeySize {
    let Some(bits) = bits else { return KeySize::Bits256 };
    let what = match (bits.get_ref(), kind) {
        (256, _) => return KeySize::Bits256,
        (128, Kind::HaProxy | Kind::Nginx | Kind::File) => return KeySize::Bits128,
        (128, Kind::Envoy | Kind::H2o) => "128, and this product takes 256 only; leave it out".to_owned(),
        (other, _) => format!("{other} is no size of a key; write 128 or 256"),
    };
    reader.error(bits.span(), "sink.bits", what);
    KeySize::Bits256
}

/// Whose keys they are; a file may be for any product.
fn read_product(reader: &mut Reader<'_>, kind: Kind, product: Value<String>) -> Product {
    let own = match kind {
        Kind::HaProxy => Product::HaProxy,
        Kind::Nginx => Product::Nginx,
        Kind::Envoy => Product::Envoy,
        Kind::H2o => Product::H2o,
        Kind::File => {
            let products = [Product::HaProxy, Product::Nginx, Product::Envoy, Product::H2o]
                .map(|product| (product.as_str(), product));
            return reader.choice("sink.product", product, &products, Product::HaProxy);
        }
    };
    if let Some(product) = product {
        reader.error(product.span(), "sink.product", "only kind = \"file\" takes one; remove it");
    }
    own
}

fn read_sink(reader: &mut Reader<'_>, table: Range<usize>, kind: Kind, raw: RawSink) -> Option<Sink> {
    let used: &[&str] = match kind {
        Kind::HaProxy => &["socket", "reference"],
        Kind::Nginx => &["test", "reload", "pid-file"],
        Kind::Envoy => &["secret"],
        Kind::H2o | Kind::File => &[],
    };
    for (key, at) in [
        ("socket", raw.socket.as_ref().map(Spanned::span)),
        ("reference", raw.reference.as_ref().map(Spanned::span)),
        ("test", raw.test.as_ref().map(Spanned::span)),
        ("reload", raw.reload.as_ref().map(Spanned::span)),
        ("pid-file", raw.pid_file.as_ref().map(Spanned::span)),
        ("secret", raw.secret.as_ref().map(Spanned::span)),
    ] {
        if let Some(at) = at.filter(|_| !used.contains(&key)) {
            reader.error(at, &format!("sink.{key}"), "not for a product of this kind; remove it");
        }
    }
    if raw.file.is_none() {
        reader.missing(
            table.clone(),
            "sink.file",
            "name the file that is written for the product, on tmpfs such as /run",
        );
    }
    let on_disk = raw.on_disk.is_some_and(Spanned::into_inner);
    let file = reader.path(raw.file).map(|path| {
        // As products call it, wherever raincheck was started.
        let file = SecretFile::new(std::path::absolute(&path).unwrap_or(path));
        if on_disk { file.on_disk() } else { file }
    });
    match kind {
        Kind::HaProxy => {
            if raw.socket.is_none() {
                reader.missing(table, "sink.socket", "name HAProxy's stats socket, of `level admin`");
            }
            let socket = read_socket(reader, raw.socket?);
            let haproxy = HaProxy::new(socket?, file?);
            let reference = raw.reference.map(Spanned::into_inner);
            Some(Sink::HaProxy(match reference {
                Some(reference) => haproxy.referring_to(reference),
                None => haproxy,
            }))
        }
        Kind::Nginx => {
            let test = command(reader, "sink.test", raw.test, &["nginx", "-t"]);
            let reload = command(reader, "sink.reload", raw.reload, &["nginx", "-s", "reload"]);
            let nginx = Nginx::new(file?, test?, reload?);
            let pid_file = reader.path(raw.pid_file);
            Some(Sink::Nginx(match pid_file {
                Some(pid_file) => nginx.with_pid_file(pid_file),
                None => nginx,
            }))
        }
        Kind::Envoy => {
            let secret = raw.secret.map_or_else(|| "stek".to_owned(), Spanned::into_inner);
            Envoy::new(file?, secret)
                .map_err(|error| reader.error(table, "sink.file", error.to_string()))
                .ok()
                .map(Sink::Envoy)
        }
        Kind::H2o => Some(Sink::H2o(H2o::new(file?))),
        Kind::File => Some(Sink::File(KeyFile::new(file?))),
    }
}

/// A path is beside the file, as others are.
fn read_socket(reader: &mut Reader<'_>, socket: Spanned<String>) -> Option<StatsSocket> {
    let text = socket.get_ref();
    if text.contains('/') || !text.contains(':') {
        return Some(StatsSocket::Unix(reader.document.resolve(text)));
    }
    let parsed = text.parse().map_err(|error| format!("`{text}` is {error}"));
    parsed.map_err(|what| reader.error(socket.span(), "sink.socket", what)).ok()
}

fn command(reader: &mut Reader<'_>, key: &str, words: Value<Vec<String>>, default: &[&str]) -> Option<Command> {
    let at = words.as_ref().map(Spanned::span).unwrap_or_default();
    let words = words.map_or_else(|| default.iter().map(|word| (*word).to_owned()).collect(), Spanned::into_inner);
    let command = Command::new(words, COMMAND);
    if command.is_none() {
        reader.error(at, key, "empty; name the program and its arguments, such as [\"nginx\", \"-t\"]");
    }
    command
}

/// How long a command of the operator's may take.
const COMMAND: Duration = Duration::from_secs(30);
