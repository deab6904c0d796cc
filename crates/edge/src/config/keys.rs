//! The table `[keys]`.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use raincheck_control::KeySource;
use raincheck_control::https::{Trust, Url};
use raincheck_control::source::etcd::EtcdSource;
use raincheck_control::source::http::HttpSource;
use raincheck_keyring::{NodeName, Schedule, ScheduleError};
use toml::Spanned;

use super::Keys;
use super::raw::{RawFleet, RawKeyFile, RawKeyServer, RawKeys, Value};
use super::reader::Reader;

/// Of the words a file may use for them.
#[derive(Clone, Copy, PartialEq)]
enum Source {
    Local,
    File,
    Http,
    Etcd,
}

pub(super) fn read(reader: &mut Reader<'_>, raw: RawKeys) -> Keys {
    let schedule = read_schedule(reader, raw.rotate, raw.accept, raw.chain, raw.rotation_patience);
    let at = raw.source.as_ref().map(Spanned::span);
    let choices = [("local", Source::Local), ("file", Source::File), ("http", Source::Http), ("etcd", Source::Etcd)];
    let choice = reader.choice("keys.source", raw.source, &choices, Source::Local);
    for (source, name, table) in [
        (Source::File, "file", raw.file.as_ref().map(Spanned::span)),
        (Source::Http, "http", raw.http.as_ref().map(Spanned::span)),
        (Source::Etcd, "etcd", raw.etcd.as_ref().map(Spanned::span)),
    ] {
        if let Some(table) = table.filter(|_| source != choice) {
            unused(reader, table, name, at.is_some());
        }
    }
    let at = at.unwrap_or_default();
    let source = match choice {
        Source::Local => KeySource::Local,
        Source::File => KeySource::File(read_file(reader, at, raw.file)),
        Source::Http => {
            let node = read_node(reader, at.clone(), raw.node);
            read_server(reader, at, raw.http, node).map_or(KeySource::Local, KeySource::Http)
        }
        Source::Etcd => {
            if schedule.retained() > MOST_IN_ETCD {
                let what = format!(
                    "with source = \"etcd\" it must come to no more than {MOST_IN_ETCD} rotations, and comes to {}: etcd takes \
                     no larger ring; make it shorter, or rotate longer",
                    schedule.retained()
                );
                reader.error(at.clone(), "keys.accept", what);
            }
            let node = read_node(reader, at.clone(), raw.node);
            read_fleet(reader, at, raw.etcd, node).map_or(KeySource::Local, KeySource::Etcd)
        }
    };
    Keys { source, schedule }
}

/// Until a file or a flag says otherwise.
pub(super) fn default() -> Keys {
    Keys { source: KeySource::Local, schedule: Schedule::default() }
}

fn read_schedule(
    reader: &mut Reader<'_>,
    rotate: Value<String>,
    accept: Value<String>,
    chain: Value<String>,
    patience: Value<String>,
) -> Schedule {
    let standard = Schedule::default();
    let places = [&rotate, &accept, &chain].map(|value| value.as_ref().map(Spanned::span).unwrap_or_default());
    let rotate = reader.duration("keys.rotate", rotate, standard.rotate);
    let accept = reader.duration("keys.accept", accept, standard.accept);
    let chain = reader.duration("keys.chain", chain, standard.chain);
    let schedule = Schedule::new(rotate, accept, chain).unwrap_or_else(|error| {
        let [rotate, accept, chain]: [Range<usize>; 3] = places;
        let (at, key) = match error {
            ScheduleError::RotateTooShort(_) => (rotate, "keys.rotate"),
            ScheduleError::AcceptZero | ScheduleError::AcceptTooLong(_) | ScheduleError::TooManyKeys(_) => {
                (accept, "keys.accept")
            }
            ScheduleError::ChainZero => (chain, "keys.chain"),
        };
        reader.error(at, key, error.to_string());
        standard
    });
    schedule.with_patience(reader.duration("keys.rotation-patience", patience, schedule.rotate))
}

/// A table of a source that is not the chosen one. Where the choice was not written, it was meant to be this.
fn unused(reader: &mut Reader<'_>, table: Range<usize>, name: &str, has_chosen: bool) {
    let key = format!("keys.{name}");
    if has_chosen {
        reader.warning(table, &key, format!("not used, because source is not \"{name}\""));
    } else {
        let what = format!("would not be used; add source = \"{name}\" to [keys], or remove this table");
        reader.error(table, &key, what);
    }
}

fn read_file(reader: &mut Reader<'_>, source: Range<usize>, file: Option<Spanned<RawKeyFile>>) -> PathBuf {
    let Some(file) = file else {
        let what = "missing; add [keys.file] with path = \"...\", the file of ticket keys";
        reader.error(source, "keys.file", what);
        return PathBuf::new();
    };
    let (table, path) = (file.span(), file.into_inner().path);
    if path.is_none() {
        reader.missing(table, "keys.file.path", "name the file of ticket keys, one base64 line each, oldest first");
    }
    reader.path(path).unwrap_or_default()
}

/// What this node is called by whoever gives it keys: the machine's name, if the file has none.
fn read_node(reader: &mut Reader<'_>, source: Range<usize>, node: Value<String>) -> Option<NodeName> {
    let (at, text) = match node {
        Some(node) => (node.span(), node.into_inner()),
        None => (source, rustix::system::uname().nodename().to_string_lossy().into_owned()),
    };
    let what = |error| format!("`{text}` is {error}; write node = \"...\", a name that no other node has");
    text.parse().map_err(|error| reader.error(at, "keys.node", what(error))).ok()
}

/// None if there is something wrong with it. That has been noted.
fn read_server(
    reader: &mut Reader<'_>,
    source: Range<usize>,
    server: Option<Spanned<RawKeyServer>>,
    node: Option<NodeName>,
) -> Option<HttpSource> {
    let Some(server) = server else {
        let what = "missing; add [keys.http] with url = \"...\", where the keys are";
        reader.error(source, "keys.http", what);
        return None;
    };
    let (table, raw) = (server.span(), server.into_inner());
    let every = reader.interval("keys.http.every", raw.every, EVERY);
    let trust = read_trust(reader, table.clone(), "keys.http", [raw.ca, raw.certificate, raw.key]);
    let Some(url) = raw.url else {
        reader.missing(table, "keys.http.url", "name the URL of the keys, such as \"https://keys.internal:9443/ring\"");
        return None;
    };
    let (at, texts) = (url.span(), url.into_inner().0);
    if texts.is_empty() {
        reader.error(at.clone(), "keys.http.url", "empty; name one URL or more");
    }
    let parse = |text: &String| text.parse::<Url>().map_err(|error| error.to_string());
    let urls: Result<Vec<Url>, String> = texts.iter().map(parse).collect();
    let urls = urls.map_err(|what| reader.error(at, "keys.http.url", what)).ok()?;
    Some(HttpSource { urls, every, node: node?, trust })
}

/// None if there is something wrong with it. That has been noted.
fn read_fleet(
    reader: &mut Reader<'_>,
    source: Range<usize>,
    fleet: Option<Spanned<RawFleet>>,
    node: Option<NodeName>,
) -> Option<EtcdSource> {
    let Some(fleet) = fleet else {
        let what = "missing; add [keys.etcd] with endpoints, fleet and secret-file";
        reader.error(source, "keys.etcd", what);
        return None;
    };
    let (table, raw) = (fleet.span(), fleet.into_inner());
    let trust = read_trust(reader, table.clone(), "keys.etcd", [raw.ca, raw.certificate, raw.key]);
    let generation = reader.count("keys.etcd.generation", raw.generation, 1..=u64::MAX, 1);
    for (key, is_missing, remedy) in [
        ("keys.etcd.endpoints", raw.endpoints.is_none(), "name etcd's members, such as [\"https://10.0.0.1:2379\"]"),
        ("keys.etcd.fleet", raw.fleet.is_none(), "name the fleet; nodes of one name share their keys"),
        ("keys.etcd.secret-file", raw.secret_file.is_none(), "name a file of 32 random bytes, the same on every node"),
    ] {
        if is_missing {
            reader.missing(table.clone(), key, remedy);
        }
    }
    let endpoints = raw.endpoints.map(|endpoints| read_endpoints(reader, endpoints));
    let name = raw.fleet.and_then(|name| {
        let parsed = name.get_ref().parse();
        parsed
            .map_err(|error| reader.error(name.span(), "keys.etcd.fleet", format!("`{}` is {error}", name.get_ref())))
            .ok()
    });
    let secret_file = reader.path(raw.secret_file);
    Some(EtcdSource { endpoints: endpoints??, fleet: name?, secret_file: secret_file?, node: node?, generation, trust })
}

fn read_endpoints(reader: &mut Reader<'_>, endpoints: Spanned<Vec<Spanned<String>>>) -> Option<Vec<Url>> {
    let at = endpoints.span();
    let endpoints = endpoints.into_inner();
    if endpoints.is_empty() {
        reader.error(at, "keys.etcd.endpoints", "empty; name one of etcd's members or more");
        return None;
    }
    let read = |endpoint: Spanned<String>| {
        let parsed = endpoint.get_ref().parse::<Url>();
        parsed.map_err(|error| reader.error(endpoint.span(), "keys.etcd.endpoints", error.to_string())).ok()
    };
    let urls: Vec<_> = endpoints.into_iter().map(read).collect();
    urls.into_iter().collect()
}

/// The files of TLS, which are read when they are used first.
fn read_trust(
    reader: &mut Reader<'_>,
    table: Range<usize>,
    prefix: &str,
    [ca, certificate, key]: [Value<String>; 3],
) -> Trust {
    if key.is_some() && certificate.is_none() {
        let remedy = "name the PEM file of the certificate that the key is for";
        reader.missing(table.clone(), &format!("{prefix}.certificate"), remedy);
    }
    if certificate.is_some() && key.is_none() {
        reader.missing(table, &format!("{prefix}.key"), "name the PEM file of the certificate's private key");
    }
    Trust { ca: reader.path(ca), certificate: reader.path(certificate).zip(reader.path(key)) }
}

/// Of 106 bytes each: etcd takes 1.5 MiB in a request, unless it is told otherwise.
const MOST_IN_ETCD: usize = 14_000;
/// As often as HAProxy's Update module is usually told to ask.
const EVERY: Duration = Duration::from_secs(60);
