//! The table `[upstream.check]`.

use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use toml::Spanned;

use super::raw::{RawCheck, Value};
use super::reader::Reader;
use super::{Check, CheckKind, Expect, HttpCheck};

/// Of the words a file may use for it.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Tcp,
    Tls,
    Http,
}

/// Of an upstream that has a table `tls`, or not. None where it is not clear what to try. That has been noted.
pub(super) fn read(reader: &mut Reader<'_>, raw: Spanned<RawCheck>, over_tls: bool) -> Option<Check> {
    let table = raw.span();
    let mut raw = raw.into_inner();
    let kind = read_kind(reader, table, raw.kind.take(), over_tls);
    if matches!(kind, Some(Kind::Tcp | Kind::Tls)) {
        refuse_http_settings(reader, &raw);
    }
    let every = reader.interval("upstream.check.every", raw.every, EVERY);
    let fast_every = read_fast_every(reader, raw.fast_every, every);
    let timeout = reader.timeout("upstream.check.timeout", raw.timeout, every.min(LONGEST_DEFAULT_TIMEOUT));
    let rise = reader.count("upstream.check.rise", raw.rise, 1..=MOST_IN_A_ROW, RISE);
    let fall = reader.count("upstream.check.fall", raw.fall, 1..=MOST_IN_A_ROW, FALL);
    let keep_alive = raw.keep_alive.is_some_and(Spanned::into_inner);
    let http = HttpCheck {
        host: read_host(reader, raw.host),
        path: read_path(reader, raw.path),
        expect: Expect { status: read_status(reader, raw.status), body: read_body(reader, raw.body, &raw.method) },
        method: read_method(reader, raw.method),
    };
    let kind = match kind? {
        Kind::Tcp => CheckKind::Tcp,
        Kind::Tls => CheckKind::Tls,
        Kind::Http => CheckKind::Http(http),
    };
    Some(Check { kind, every, fast_every, timeout, rise, fall, keep_alive })
}

fn read_kind(reader: &mut Reader<'_>, table: Range<usize>, kind: Value<String>, over_tls: bool) -> Option<Kind> {
    let Some(at) = kind.as_ref().map(Spanned::span) else {
        reader.missing(table, "upstream.check.kind", "write what is tried: \"tcp\", \"tls\" or \"http\"");
        return None;
    };
    let kinds = [("tcp", Some(Kind::Tcp)), ("tls", Some(Kind::Tls)), ("http", Some(Kind::Http))];
    let kind = reader.choice("upstream.check.kind", kind, &kinds, None);
    if kind == Some(Kind::Tls) && !over_tls {
        let what = "the servers are not spoken to by TLS; add [upstream.tls], or write kind = \"tcp\"";
        reader.error(at, "upstream.check.kind", what);
    }
    kind
}

fn refuse_http_settings(reader: &mut Reader<'_>, raw: &RawCheck) {
    let settings = [
        ("method", raw.method.as_ref().map(Spanned::span)),
        ("path", raw.path.as_ref().map(Spanned::span)),
        ("host", raw.host.as_ref().map(Spanned::span)),
        ("status", raw.status.as_ref().map(Spanned::span)),
        ("body", raw.body.as_ref().map(Spanned::span)),
        ("keep-alive", raw.keep_alive.as_ref().map(Spanned::span)),
    ];
    for (name, at) in settings {
        if let Some(at) = at {
            let what = "would not be used; remove it, or write kind = \"http\"";
            reader.error(at, &format!("upstream.check.{name}"), what);
        }
    }
}

fn read_fast_every(reader: &mut Reader<'_>, fast_every: Value<String>, every: Duration) -> Duration {
    let at = fast_every.as_ref().map(Spanned::span).unwrap_or_default();
    let fast_every = reader.interval("upstream.check.fast-every", fast_every, every / 4);
    if fast_every > every {
        let what = "longer than every, but a state in question is looked at more often; make it shorter, or remove it";
        reader.error(at, "upstream.check.fast-every", what);
    }
    fast_every
}

/// RFC 9110 §9.1: a method is a token, and its case matters. No method in use has small letters, so they are a slip.
fn read_method(reader: &mut Reader<'_>, method: Value<String>) -> String {
    let is_sound = |method: &str| {
        let fits = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&byte);
        !method.is_empty() && method.bytes().all(fits)
    };
    let remedy = "is no method; write one in capitals, such as \"GET\"";
    read_text(reader, "upstream.check.method", method, is_sound, remedy).unwrap_or_else(|| "GET".into())
}

fn read_path(reader: &mut Reader<'_>, path: Value<String>) -> String {
    let is_sound =
        |path: &str| path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    let remedy = "is no path; begin it with /, and write %20 for a space, and so on";
    read_text(reader, "upstream.check.path", path, is_sound, remedy).unwrap_or_else(|| "/".into())
}

fn read_host(reader: &mut Reader<'_>, host: Value<String>) -> Option<String> {
    let is_sound = |host: &str| {
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte))
    };
    let remedy = "is no host; write its name, and a port if there is need, such as \"app.internal\"";
    read_text(reader, "upstream.check.host", host, is_sound, remedy)
}

/// What goes into a request, where a space or the end of a line would have a meaning of its own.
fn read_text(
    reader: &mut Reader<'_>,
    key: &str,
    value: Value<String>,
    is_sound: impl Fn(&str) -> bool,
    remedy: &str,
) -> Option<String> {
    let value = value?;
    if is_sound(value.get_ref()) {
        return Some(value.into_inner());
    }
    reader.error(value.span(), key, format!("`{}` {remedy}", value.get_ref().escape_default()));
    None
}

fn read_status(reader: &mut Reader<'_>, status: Value<Vec<Spanned<String>>>) -> Vec<RangeInclusive<u16>> {
    let Some(status) = status else { return vec![STATUS] };
    if status.get_ref().is_empty() {
        reader.error(status.span(), "upstream.check.status", "empty; list at least one, such as [\"200\"]");
    }
    let mut ranges = Vec::new();
    for text in status.into_inner() {
        match parse_status(text.get_ref()) {
            Some(range) => ranges.push(range),
            None => {
                let what = format!(
                    "`{}` is no status; write one, such as \"200\", or from the least to the most, such as \"200-399\"",
                    text.get_ref()
                );
                reader.error(text.span(), "upstream.check.status", what);
            }
        }
    }
    ranges
}

/// RFC 9110 §15: three digits, of which the first is 1 to 5.
fn parse_status(text: &str) -> Option<RangeInclusive<u16>> {
    let parse = |text: &str| {
        let is_sound = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|status| is_sound && (100..=599).contains(status))
    };
    let (least, most) = text.split_once('-').unwrap_or((text, text));
    let (least, most) = (parse(least)?, parse(most)?);
    (least <= most).then_some(least..=most)
}

fn read_body(reader: &mut Reader<'_>, body: Value<String>, method: &Value<String>) -> Option<String> {
    let body = body?;
    let what = if method.as_ref().is_some_and(|method| method.get_ref() == "HEAD") {
        "an answer to HEAD has none; remove it, or use another method"
    } else if body.get_ref().is_empty() {
        "empty, and so in every answer; write what must be in it, or remove it"
    } else if body.get_ref().len() > MOST_BODY {
        "longer than 64 KiB, and no more of an answer is read; shorten it"
    } else {
        return Some(body.into_inner());
    };
    reader.error(body.span(), "upstream.check.body", what);
    None
}

const EVERY: Duration = Duration::from_secs(2);
const LONGEST_DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
const RISE: u32 = 2;
const FALL: u32 = 3;
/// More than this is a slip of the finger.
const MOST_IN_A_ROW: u32 = 1000;
const STATUS: RangeInclusive<u16> = 200..=399;
const MOST_BODY: usize = 64 * 1024;
