//! A configuration file's text, and what can be said of places in it.

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

use super::error::{ConfigError, Place};
use super::raw::RawConfig;

/// A configuration file that was read.
#[derive(Debug)]
pub(super) struct Document {
    path: PathBuf,
    text: String,
    /// Keys that were taken out because they were wrong already: where their table begins, and their name.
    taken_out: Vec<(usize, String)>,
}

impl Document {
    /// Reads the file at `path`, as far as it can be read, and says what cannot.
    ///
    /// serde stops at the first thing it does not know. So whatever it stops at is taken out of the tree, and it starts
    /// again: that way every unknown key and every wrong type is reported, and the rest can still be judged.
    pub(super) fn read(path: &Path) -> (Self, RawConfig, Vec<ConfigError>) {
        let mut document = Self { path: path.to_owned(), text: String::new(), taken_out: Vec::new() };
        match std::fs::read_to_string(path) {
            Ok(text) => document.text = text,
            Err(error) => {
                let what = format!("cannot be read: {error}; check the path, and that it is a TOML file you may read");
                return (
                    document,
                    RawConfig::default(),
                    vec![ConfigError { place: Place::File { path: path.to_owned(), line: None, key: None }, what }],
                );
            }
        }
        let (raw, errors) = document.parse();
        (document, raw, errors)
    }

    /// A place in this file. `at` is where in the text; `key` names the setting with its table.
    pub(super) fn place(&self, at: Range<usize>, key: &str) -> Place {
        Place::File { path: self.path.clone(), line: Some(self.line(at.start)), key: Some(key.to_owned()) }
    }

    /// A path in this file means one beside it, wherever the process was started.
    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        self.path.parent().map_or_else(|| path.into(), |directory| directory.join(path))
    }

    /// Whether `key` of the table that begins at `table` was written, but wrong and reported as such.
    pub(super) fn was_taken_out(&self, table: usize, key: &str) -> bool {
        self.taken_out.iter().any(|(at, name)| *at == table && name == key)
    }

    fn parse(&mut self) -> (RawConfig, Vec<ConfigError>) {
        let text = std::mem::take(&mut self.text);
        let (mut tree, faults) = DeTable::parse_recoverable(&text);
        let mut errors: Vec<ConfigError> = Vec::new();
        self.text = text.clone();
        for fault in &faults {
            let error = self.error(fault.span(), None, format!("not TOML: {}; mend the line", fault.message()));
            if !errors.iter().any(|other| other.place == error.place) {
                errors.push(error);
            }
        }
        if !errors.is_empty() {
            return (RawConfig::default(), errors);
        }
        loop {
            let fault = match RawConfig::deserialize(Deserializer::from(tree.clone())) {
                Ok(raw) => return (raw, errors),
                Err(fault) => fault,
            };
            let start = tree.span().start;
            let taken_out = fault.span().and_then(|span| take_out(tree.get_mut(), start, "", &span));
            let key = taken_out.as_ref().map(|taken| taken.key.clone());
            errors.push(self.error(fault.span(), key, in_words(fault.message())));
            match taken_out {
                Some(TakenOut { table, name, .. }) => self.taken_out.push((table, name)),
                None => return (RawConfig::default(), errors),
            }
        }
    }

    fn error(&self, at: Option<Range<usize>>, key: Option<String>, what: String) -> ConfigError {
        let line = at.map(|at| self.line(at.start));
        ConfigError { place: Place::File { path: self.path.clone(), line, key }, what }
    }

    fn line(&self, offset: usize) -> usize {
        1 + self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
    }
}

struct TakenOut {
    /// Where the table it was in begins.
    table: usize,
    name: String,
    /// The name with its table's in front.
    key: String,
}

/// Takes out of `table` (or of a table inside it) the key that stands at `span`, or whose value does.
fn take_out(table: &mut DeTable<'_>, start: usize, prefix: &str, span: &Range<usize>) -> Option<TakenOut> {
    for (name, value) in table.iter_mut() {
        let key = format!("{prefix}{}", name.get_ref());
        if name.span() == *span || value.span() == *span {
            let name = name.get_ref().to_string();
            table.remove(name.as_str());
            return Some(TakenOut { table: start, name, key });
        }
        let inner = format!("{key}.");
        let value_span = value.span();
        let taken_out = match value.get_mut() {
            DeValue::Table(table) => take_out(table, value_span.start, &inner, span),
            DeValue::Array(items) => items.iter_mut().find_map(|item| take_out_of_item(item, &inner, span)),
            _ => None,
        };
        if taken_out.is_some() {
            return taken_out;
        }
        if value_span.contains(&span.start) && !value.get_ref().is_table() {
            let name = name.get_ref().to_string();
            table.remove(name.as_str());
            return Some(TakenOut { table: start, name, key });
        }
    }
    None
}

fn take_out_of_item(item: &mut Spanned<DeValue<'_>>, prefix: &str, span: &Range<usize>) -> Option<TakenOut> {
    let start = item.span().start;
    match item.get_mut() {
        DeValue::Table(table) => take_out(table, start, prefix, span),
        _ => None,
    }
}

/// serde's message, in the words of a TOML file, with the remedy.
fn in_words(message: &str) -> String {
    if let Some(rest) = message.strip_prefix("unknown field ") {
        let mut quoted = rest.split('`').skip(1).step_by(2);
        let key = quoted.next().unwrap_or_default();
        return unknown_key(key, &quoted.collect::<Vec<_>>());
    }
    let Some((found, expected)) = message
        .strip_prefix("invalid type: ")
        .or_else(|| message.strip_prefix("invalid value: "))
        .and_then(|types| types.split_once(", expected "))
    else {
        return message.to_owned();
    };
    let found = match found {
        "map" => "a table",
        "sequence" => "an array",
        other => other,
    };
    let expected = match expected {
        "usize" => "a whole number, 0 or more",
        "a sequence" => "an array",
        "a boolean" => "true or false",
        "a string" => "a string in quotes",
        table if table.starts_with("struct ") => "a table",
        other => other,
    };
    format!("{found} where {expected} is needed")
}

/// `key` is none of `known`.
pub(super) fn unknown_key(key: &str, known: &[&str]) -> String {
    match closest(key, known) {
        Some(close) => format!("unknown key `{key}`; did you mean `{close}`?"),
        None => format!("unknown key `{key}`; known here: {}", known.join(", ")),
    }
}

/// The name that was probably meant.
pub(super) fn closest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|known| (strsim::jaro_winkler(name, known), *known))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, known)| known)
}
