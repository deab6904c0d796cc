//! The table `[keys]`.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use raincheck_control::KeySource;
use raincheck_keyring::{Schedule, ScheduleError};
use toml::Spanned;

use super::Keys;
use super::raw::{RawKeyFile, RawKeys, Value};
use super::reader::Reader;

/// Of the words a file may use for them.
#[derive(Clone, Copy, PartialEq)]
enum Source {
    Local,
    File,
    NotBuilt,
}

pub(super) fn read(reader: &mut Reader<'_>, raw: RawKeys) -> Keys {
    reader.not_built("keys.http", &raw.http, "use source = \"file\" and let a job fetch the file");
    reader.not_built("keys.etcd", &raw.etcd, "use source = \"file\" and let a job write the file");
    reader.not_built(
        "keys.rotation-patience",
        &raw.rotation_patience,
        "remove it (nodes that acknowledge keys come with source = \"etcd\")",
    );
    let schedule = read_schedule(reader, raw.rotate, raw.accept, raw.chain);
    let source = read_source(reader, raw.source, raw.file);
    Keys { source, schedule }
}

/// Until a file or a flag says otherwise.
pub(super) fn default() -> Keys {
    Keys { source: KeySource::Local, schedule: Schedule { rotate: ROTATE, accept: ACCEPT, chain: CHAIN } }
}

fn read_schedule(
    reader: &mut Reader<'_>,
    rotate: Value<String>,
    accept: Value<String>,
    chain: Value<String>,
) -> Schedule {
    let places = [&rotate, &accept, &chain].map(|value| value.as_ref().map(Spanned::span).unwrap_or_default());
    let rotate = reader.duration("keys.rotate", rotate, ROTATE);
    let accept = reader.duration("keys.accept", accept, ACCEPT);
    let chain = reader.duration("keys.chain", chain, CHAIN);
    Schedule::new(rotate, accept, chain).unwrap_or_else(|error| {
        let [rotate, accept, chain]: [Range<usize>; 3] = places;
        let (at, key) = match error {
            ScheduleError::RotateTooShort(_) => (rotate, "keys.rotate"),
            ScheduleError::AcceptZero | ScheduleError::AcceptTooLong(_) => (accept, "keys.accept"),
            ScheduleError::ChainZero => (chain, "keys.chain"),
        };
        reader.error(at, key, error.to_string());
        default().schedule
    })
}

fn read_source(reader: &mut Reader<'_>, source: Value<String>, file: Option<Spanned<RawKeyFile>>) -> KeySource {
    let at = source.as_ref().map(Spanned::span);
    let choices =
        [("local", Source::Local), ("file", Source::File), ("http", Source::NotBuilt), ("etcd", Source::NotBuilt)];
    let choice = reader.choice("keys.source", source, &choices, Source::Local);
    match (choice, file, at) {
        (Source::NotBuilt, _, at) => {
            let what = "not built yet; use \"local\", or \"file\" and let a job write the file";
            reader.error(at.unwrap_or_default(), "keys.source", what);
            KeySource::Local
        }
        (Source::File, file, at) => match file.map(|file| (file.span(), file.into_inner().path)) {
            None => {
                let what = "missing; add [keys.file] with path = \"...\", the file of ticket keys";
                reader.error(at.unwrap_or_default(), "keys.file", what);
                KeySource::Local
            }
            Some((table, path)) => KeySource::File(read_path(reader, table, path)),
        },
        (Source::Local, Some(file), None) => {
            let what = "would not be used; add source = \"file\" to [keys], or remove this table";
            reader.error(file.span(), "keys.file", what);
            KeySource::Local
        }
        (Source::Local, Some(file), Some(_)) => {
            reader.warning(file.span(), "keys.file", "not used, because source is not \"file\"");
            KeySource::Local
        }
        (Source::Local, None, _) => KeySource::Local,
    }
}

fn read_path(reader: &mut Reader<'_>, table: Range<usize>, path: Value<String>) -> PathBuf {
    if path.is_none() {
        reader.missing(table, "keys.file.path", "name the file of ticket keys, one base64 line each, oldest first");
    }
    reader.path(path).unwrap_or_default()
}

const ROTATE: Duration = Duration::from_secs(3600);
const ACCEPT: Duration = Duration::from_secs(18 * 3600);
const CHAIN: Duration = Duration::from_secs(24 * 3600);
