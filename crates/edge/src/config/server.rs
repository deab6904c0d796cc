//! The servers of an `[[upstream]]`.

use std::ops::Range;

use toml::Spanned;

use super::raw::{RawServer, RawServerTable, Value};
use super::reader::Reader;
use super::{Server, address};

/// Of the upstream whose table begins at `table`.
pub(super) fn read_all(
    reader: &mut Reader<'_>,
    table: Range<usize>,
    raw: Value<Vec<Spanned<RawServer>>>,
) -> Vec<Server> {
    let Some(raw) = raw else {
        reader.missing(table, "upstream.servers", "list them, such as [\"10.0.0.11:8443\"]");
        return Vec::new();
    };
    let list = raw.span();
    if raw.get_ref().is_empty() {
        reader.error(list.clone(), "upstream.servers", "empty; list at least one, such as [\"10.0.0.11:8443\"]");
    }
    let count = raw.get_ref().len();
    let mut servers = Vec::new();
    for raw in raw.into_inner() {
        servers.extend(read(reader, raw, &servers));
    }
    if !servers.is_empty() && servers.len() == count && servers.iter().all(|server| server.backup || server.weight == 0)
    {
        let what = "each of them is a backup or has weight 0; let one take its share of connections";
        reader.warning(list, "upstream.servers", what);
    }
    servers
}

/// A server as it is where nothing is said of it but its address; `before` are those that are there already.
pub(super) fn plain(text: &str, before: &[Server]) -> Result<Server, String> {
    let (address, host) = address::resolve(text)?;
    if before.iter().any(|server| server.name == text) {
        return Err(format!("`{text}` is listed already; list each server once, and give a bigger one more weight"));
    }
    Ok(Server { name: text.to_owned(), address, host, weight: 1, backup: false })
}

fn read(reader: &mut Reader<'_>, raw: Spanned<RawServer>, before: &[Server]) -> Option<Server> {
    let at = raw.span();
    let raw = match raw.into_inner() {
        RawServer::Address(address) => {
            RawServerTable { address: Some(Spanned::new(at.clone(), address)), ..RawServerTable::default() }
        }
        RawServer::Table(table) => table,
    };
    let weight = reader.count("upstream.servers.weight", raw.weight, 0..=MOST_WEIGHT, 1);
    let Some(address) = raw.address else {
        reader.missing(at, "upstream.servers.address", "write where the server is, such as \"10.0.0.11:8443\"");
        return None;
    };
    match plain(address.get_ref(), before) {
        Ok(server) => Some(Server { weight, backup: raw.backup.is_some_and(Spanned::into_inner), ..server }),
        Err(what) => {
            reader.error(address.span(), "upstream.servers", what);
            None
        }
    }
}

const MOST_WEIGHT: u32 = 256;
