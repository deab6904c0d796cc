//! Taking values out of a raw tree, and noting what is wrong with them.

use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::path::PathBuf;
use std::time::Duration;

use toml::Spanned;

use super::document::{Document, closest};
use super::error::ConfigError;
use super::raw::Value;
use super::{MinVersion, duration};

/// What there is to complain about.
#[derive(Debug, Default)]
pub(super) struct Problems {
    pub(super) errors: Vec<ConfigError>,
    pub(super) warnings: Vec<String>,
}

/// Reads values of one document. A value that is wrong is noted and its default stands in, so that the rest is judged too.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    pub(super) document: &'a Document,
    pub(super) problems: &'a mut Problems,
}

impl Reader<'_> {
    /// Keys are given with their table: `listener.bind`.
    pub(super) fn error(&mut self, at: Range<usize>, key: &str, what: impl Into<String>) {
        let place = self.document.place(at, key);
        self.problems.errors.push(ConfigError { place, what: what.into() });
    }

    pub(super) fn warning(&mut self, at: Range<usize>, key: &str, what: impl Display) {
        let place = self.document.place(at, key);
        self.problems.warnings.push(format!("{place}{what}"));
    }

    /// `key` is not in the table at `table`. Not said if it is there, and wrong, and reported as such.
    pub(super) fn missing(&mut self, table: Range<usize>, key: &str, remedy: &str) {
        let name = key.rsplit('.').next().unwrap_or(key);
        if !self.document.was_taken_out(table.start, name) {
            self.error(table, key, format!("missing; {remedy}"));
        }
    }

    /// One of `choices`.
    pub(super) fn choice<T: Copy>(&mut self, key: &str, value: Value<String>, choices: &[(&str, T)], default: T) -> T {
        let Some(value) = value else { return default };
        let written = value.get_ref().as_str();
        if let Some((_, meant)) = choices.iter().find(|(name, _)| *name == written) {
            return *meant;
        }
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let what = format!("`{written}` is none of its values; write {}", in_quotes(&names));
        self.error(value.span(), key, what);
        default
    }

    /// A number within `range`.
    pub(super) fn count<T>(&mut self, key: &str, value: Value<usize>, range: RangeInclusive<T>, default: T) -> T
    where
        T: TryFrom<usize> + PartialOrd + Display,
    {
        let Some(value) = value else { return default };
        let number = *value.get_ref();
        let (least, most) = range.into_inner();
        let what = match T::try_from(number) {
            Ok(number) if number < least => format!("{number} is too few; {least} is the least"),
            Ok(number) if number <= most => return number,
            _ => format!("{number} is too many; {most} is the most"),
        };
        self.error(value.span(), key, what);
        default
    }

    /// How long something may take: a duration, and not zero.
    pub(super) fn timeout(&mut self, key: &str, value: Value<String>, default: Duration) -> Duration {
        let zero = "zero, so every connection would end at once; write how long it may take, such as \"10s\"";
        self.not_zero(key, value, default, zero)
    }

    /// How long something lasts, or is away from the next: a duration, and not zero.
    pub(super) fn interval(&mut self, key: &str, value: Value<String>, default: Duration) -> Duration {
        self.not_zero(key, value, default, "zero, which is no time at all; write how long, such as \"10s\"")
    }

    pub(super) fn duration(&mut self, key: &str, value: Value<String>, default: Duration) -> Duration {
        let Some(value) = value else { return default };
        duration::parse(value.get_ref()).unwrap_or_else(|what| {
            self.error(value.span(), key, what);
            default
        })
    }

    /// Protocols for ALPN.
    pub(super) fn protocols(&mut self, key: &str, value: Value<Vec<Spanned<String>>>) -> Vec<Vec<u8>> {
        let mut protocols = Vec::new();
        for protocol in value.map(Spanned::into_inner).unwrap_or_default() {
            // RFC 7301 §3.1: ProtocolName<1..2^8-1>.
            if (1..=255).contains(&protocol.get_ref().len()) {
                protocols.push(protocol.into_inner().into_bytes());
            } else {
                let what = "a protocol's name has 1 to 255 bytes; write such as \"h2\" or \"http/1.1\"";
                self.error(protocol.span(), key, what);
            }
        }
        protocols
    }

    pub(super) fn min_version(&mut self, key: &str, value: Value<String>) -> MinVersion {
        let versions = [("1.2", MinVersion::Tls12), ("1.3", MinVersion::Tls13)];
        self.choice(key, value, &versions, MinVersion::Tls12)
    }

    pub(super) fn path(&self, value: Value<String>) -> Option<PathBuf> {
        value.map(|value| self.document.resolve(value.get_ref()))
    }

    /// The name of a table of its kind: there, well-formed and not in `taken`. A place-holder if it is not.
    pub(super) fn name(&mut self, table: Range<usize>, key: &str, value: Value<String>, taken: &[&str]) -> String {
        let Some(value) = value else {
            self.missing(table, key, "give it a name; metrics and logs call it by that");
            return String::new();
        };
        let at = value.span();
        let name = value.into_inner();
        if name.is_empty()
            || !name.chars().all(|character| character.is_ascii_alphanumeric() || "-_.:".contains(character))
        {
            self.error(at, key, format!("`{name}` is no name; use letters, digits and - _ . :"));
        } else if taken.contains(&name.as_str()) {
            self.error(at, key, format!("`{name}` is the name of another one; give each its own"));
        }
        name
    }

    /// `name` is none of `known`, which are tables called `table`.
    pub(super) fn unknown_name(&mut self, at: Range<usize>, key: &str, name: &str, known: &[&str], table: &str) {
        let remedy = match (closest(name, known), known) {
            (Some(close), _) => format!("did you mean `{close}`?"),
            (None, []) => format!("add a [[{table}]] of that name"),
            (None, known) => format!("add one, or name one of {}", in_quotes(known)),
        };
        self.error(at, key, format!("there is no [[{table}]] called `{name}`; {remedy}"));
    }

    fn not_zero(&mut self, key: &str, value: Value<String>, default: Duration, zero: &str) -> Duration {
        let at = value.as_ref().map(Spanned::span).unwrap_or_default();
        let duration = self.duration(key, value, default);
        if duration.is_zero() {
            self.error(at, key, zero);
            return default;
        }
        duration
    }
}

/// `"a", "b" or "c"`.
fn in_quotes(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}
