//! The table `[upstream.tls]`.

use std::ops::Range;

use rustls::pki_types::ServerName;
use toml::Spanned;

use super::UpstreamTls;
use super::raw::{RawUpstreamTls, Value};
use super::reader::Reader;
use crate::certificate::{Certificate, CertificateError, ServerAuthority};

/// Of the words a file may use for it.
#[derive(Clone, Copy)]
enum Verify {
    Full,
    None,
}

/// Of the upstream called `upstream`. None where no verifier comes of it. That has been noted.
pub(super) fn read(reader: &mut Reader<'_>, raw: Spanned<RawUpstreamTls>, upstream: &str) -> Option<UpstreamTls> {
    let table = raw.span();
    let raw = raw.into_inner();
    let server_name = read_server_name(reader, raw.server_name);
    let authority = read_authority(reader, table.clone(), raw.ca, raw.verify, upstream);
    let identity = read_identity(reader, table, raw.certificate, raw.key);
    let alpn = reader.protocols("upstream.tls.alpn", raw.alpn);
    let min_version = reader.min_version("upstream.tls.min-version", raw.min_version);
    let sessions = reader.count("upstream.tls.sessions", raw.sessions, 0..=MOST_SESSIONS, SESSIONS);
    let authority = authority?;
    Some(UpstreamTls {
        server_name,
        digest: authority.digest(identity.as_ref()),
        verifier: authority.verifier,
        identity: identity.as_ref().map(Certificate::key),
        alpn,
        min_version,
        sessions,
    })
}

fn read_server_name(reader: &mut Reader<'_>, name: Value<String>) -> Option<ServerName<'static>> {
    let name = name?;
    let at = name.span();
    let name = name.into_inner();
    let sound = ServerName::try_from(name.clone()).ok();
    if sound.is_none() {
        let what = format!(
            "`{name}` is neither a DNS name nor an IP address; write what the servers' certificates are for, such as \
             \"app.internal\""
        );
        reader.error(at, "upstream.tls.server-name", what);
    }
    sound
}

fn read_authority(
    reader: &mut Reader<'_>,
    table: Range<usize>,
    ca: Value<String>,
    verify: Value<String>,
    upstream: &str,
) -> Option<ServerAuthority> {
    let verify_at = verify.as_ref().map(Spanned::span).unwrap_or_default();
    let verify =
        reader.choice("upstream.tls.verify", verify, &[("full", Verify::Full), ("none", Verify::None)], Verify::Full);
    let (at, read) = match (verify, ca) {
        (Verify::None, None) => {
            let what = format!(
                "the servers of `{upstream}` are believed whatever certificate they show, and so is whoever stands \
                 between them and the edge; write verify = \"full\", and name their CA with ca = \"...\""
            );
            reader.warning(verify_at, "upstream.tls.verify", what);
            return Some(ServerAuthority::dangerous_any());
        }
        (Verify::None, Some(ca)) => {
            let what = "would not be used, because verify is \"none\"; remove one of the two";
            reader.error(ca.span(), "upstream.tls.ca", what);
            return None;
        }
        (Verify::Full, None) if reader.document.was_taken_out(table.start, "ca") => return None,
        (Verify::Full, None) => (table, ServerAuthority::of_system()),
        (Verify::Full, Some(ca)) => (ca.span(), ServerAuthority::load(&reader.document.resolve(ca.get_ref()))),
    };
    noted(reader, at, "upstream.tls.ca", read)
}

/// None if there is none, or none that can be used. That has been noted.
fn read_identity(
    reader: &mut Reader<'_>,
    table: Range<usize>,
    certificate: Value<String>,
    key: Value<String>,
) -> Option<Certificate> {
    if key.is_some() && certificate.is_none() {
        let remedy = "name the PEM file of the certificate that the key is for, and its issuers";
        reader.missing(table.clone(), "upstream.tls.certificate", remedy);
    }
    if certificate.is_some() && key.is_none() {
        reader.missing(table, "upstream.tls.key", "name the PEM file of the certificate's private key");
    }
    let at = certificate.as_ref()?.span();
    let (chain, key) = (reader.path(certificate)?, reader.path(key)?);
    let identity = noted(reader, at.clone(), "upstream.tls.certificate", Certificate::load(&chain, &key))?;
    if let Some(warning) = identity.out_of_date() {
        reader.warning(at, "upstream.tls.certificate", format!("{}: {warning}", chain.display()));
    }
    Some(identity)
}

fn noted<T>(reader: &mut Reader<'_>, at: Range<usize>, key: &str, read: Result<T, CertificateError>) -> Option<T> {
    read.map_err(|error| reader.error(at, key, error.to_string())).ok()
}

const SESSIONS: usize = 16;
const MOST_SESSIONS: usize = 1024;
