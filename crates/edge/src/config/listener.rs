//! The tables `[[listener]]`.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use toml::Spanned;

use super::address::{self, Claim};
use super::raw::{RawCertificate, RawClientAuth, RawListener, Value};
use super::reader::Reader;
use super::{ClientAuth, ClientAuthMode, Listener, MinVersion, Renewal, Upstream};
use crate::certificate::{Certificate, Certificates, ClientAuthority};

/// What the file's other tables have to do with a listener.
pub(super) struct Surroundings<'a> {
    pub(super) upstreams: &'a [Upstream],
    pub(super) names: &'a [String],
    /// Takes the addresses that the listener asks for.
    pub(super) claims: &'a mut Vec<Claim>,
}

/// None where something is so wrong that no listener comes of it. That has been noted.
pub(super) fn read(
    reader: &mut Reader<'_>,
    raw: Spanned<RawListener>,
    around: &mut Surroundings<'_>,
) -> Option<Listener> {
    let table = raw.span();
    let raw = raw.into_inner();
    let taken: Vec<&str> = around.names.iter().map(String::as_str).collect();
    let name = reader.name(table.clone(), "listener.name", raw.name, &taken);
    read_mode(reader, raw.mode);
    let bind = read_bind(reader, table.clone(), &name, raw.bind, around.claims);
    let upstream = read_upstream(reader, table.clone(), raw.upstream, around.upstreams);
    let certificates = read_certificates(reader, table, raw.certificate);
    let client_auth = raw.client_auth.and_then(|raw| read_client_auth(reader, raw));
    let tickets = reader.count("listener.tickets", raw.tickets, 0..=MOST_TICKETS, TICKETS);
    let after_resumption =
        reader.count("listener.tickets-on-resumption", raw.tickets_on_resumption, 0..=MOST_TICKETS, ON_RESUMPTION);
    let renewals = [("never", Renewal::Never), ("inline", Renewal::Inline)];
    Some(Listener {
        alpn: reader.protocols("listener.alpn", raw.alpn),
        min_version: reader.min_version("listener.min-version", raw.min_version),
        tickets,
        tickets_on_resumption: if tickets == 0 { 0 } else { after_resumption },
        session_cache: reader.count("listener.session-cache", raw.session_cache, 0..=usize::MAX, SESSION_CACHE),
        accept_proxy: raw.accept_proxy.is_some_and(Spanned::into_inner),
        max_connections: reader.count(
            "listener.max-connections",
            raw.max_connections,
            1..=MOST_CONNECTIONS,
            MAX_CONNECTIONS,
        ),
        handshake_timeout: reader.timeout("listener.handshake-timeout", raw.handshake_timeout, HANDSHAKE_TIMEOUT),
        idle_timeout: reader.timeout("listener.idle-timeout", raw.idle_timeout, IDLE_TIMEOUT),
        renewal: reader.choice("listener.tls12-renewal", raw.tls12_renewal, &renewals, Renewal::Never),
        client_auth,
        certificates: certificates?,
        upstream: upstream?,
        bind,
        name,
    })
}

/// A listener as it is where nothing is said of it but this.
pub(super) fn plain(name: &str, bind: Vec<SocketAddr>, upstream: usize, certificates: Arc<Certificates>) -> Listener {
    Listener {
        name: name.to_owned(),
        bind,
        upstream,
        alpn: Vec::new(),
        min_version: MinVersion::Tls12,
        tickets: TICKETS,
        tickets_on_resumption: ON_RESUMPTION,
        session_cache: SESSION_CACHE,
        accept_proxy: false,
        max_connections: MAX_CONNECTIONS,
        handshake_timeout: HANDSHAKE_TIMEOUT,
        idle_timeout: IDLE_TIMEOUT,
        renewal: Renewal::Never,
        certificates,
        client_auth: None,
    }
}

fn read_mode(reader: &mut Reader<'_>, mode: Value<String>) {
    let at = mode.as_ref().map(Spanned::span).unwrap_or_default();
    if !reader.choice("listener.mode", mode, &[("tcp", true), ("http", false)], true) {
        reader.error(at, "listener.mode", "not built yet; use \"tcp\", which carries HTTP as it is");
    }
}

fn read_bind(
    reader: &mut Reader<'_>,
    table: Range<usize>,
    name: &str,
    bind: Value<Vec<Spanned<String>>>,
    claims: &mut Vec<Claim>,
) -> Vec<SocketAddr> {
    let Some(bind) = bind else {
        reader.missing(table, "listener.bind", "list the addresses to listen on, such as [\"0.0.0.0:443\"]");
        return Vec::new();
    };
    if bind.get_ref().is_empty() {
        reader.error(bind.span(), "listener.bind", "empty; list at least one address, such as [\"0.0.0.0:443\"]");
    }
    let mut addresses = Vec::new();
    for text in bind.into_inner() {
        match address::listening_address(text.get_ref()) {
            Ok(address) => {
                let place = reader.document.place(text.span(), "listener.bind");
                claims.push(Claim { address, owner: format!("listener `{name}`"), place });
                addresses.push(address);
            }
            Err(what) => reader.error(text.span(), "listener.bind", what),
        }
    }
    addresses
}

fn read_upstream(
    reader: &mut Reader<'_>,
    table: Range<usize>,
    name: Value<String>,
    upstreams: &[Upstream],
) -> Option<usize> {
    let Some(name) = name else {
        reader.missing(table, "listener.upstream", "name the [[upstream]] that connections go to");
        return None;
    };
    let found = upstreams.iter().position(|upstream| upstream.name == *name.get_ref());
    if found.is_none() {
        let known: Vec<&str> = upstreams.iter().map(|upstream| upstream.name.as_str()).collect();
        reader.unknown_name(name.span(), "listener.upstream", name.get_ref(), &known, "upstream");
    }
    found
}

fn read_certificates(
    reader: &mut Reader<'_>,
    table: Range<usize>,
    raw: Vec<Spanned<RawCertificate>>,
) -> Option<Arc<Certificates>> {
    if raw.is_empty() {
        reader.missing(
            table,
            "listener.certificate",
            "add [[listener.certificate]] with chain = \"...\" and key = \"...\"",
        );
        return None;
    }
    // All of them, so that the second one's fault is not hidden by the first one's.
    let read: Vec<Option<Certificate>> = raw.into_iter().map(|raw| read_certificate(reader, raw)).collect();
    let mut certificates = read.into_iter().collect::<Option<Vec<_>>>()?.into_iter();
    let first = certificates.next()?;
    Some(Arc::new(Certificates::new(first, certificates.collect())))
}

fn read_certificate(reader: &mut Reader<'_>, raw: Spanned<RawCertificate>) -> Option<Certificate> {
    let table = raw.span();
    let RawCertificate { chain, key } = raw.into_inner();
    if chain.is_none() {
        reader.missing(
            table.clone(),
            "listener.certificate.chain",
            "name the PEM file of the certificate and its issuers",
        );
    }
    if key.is_none() {
        reader.missing(table, "listener.certificate.key", "name the PEM file of the certificate's private key");
    }
    let at = chain.as_ref()?.span();
    let (chain, key) = (reader.path(chain)?, reader.path(key)?);
    match Certificate::load(&chain, &key) {
        Ok(certificate) => {
            if let Some(warning) = certificate.warning() {
                reader.warning(at, "listener.certificate.chain", format!("{}: {warning}", chain.display()));
            }
            Some(certificate)
        }
        Err(error) => {
            reader.error(at, "listener.certificate", error.to_string());
            None
        }
    }
}

fn read_client_auth(reader: &mut Reader<'_>, raw: Spanned<RawClientAuth>) -> Option<ClientAuth> {
    let table = raw.span();
    let raw = raw.into_inner();
    let modes = [("required", ClientAuthMode::Required), ("optional", ClientAuthMode::Optional)];
    let mode = reader.choice("listener.client-auth.mode", raw.mode, &modes, ClientAuthMode::Required);
    let Some(at) = raw.ca.as_ref().map(Spanned::span) else {
        reader.missing(table, "listener.client-auth.ca", "name the PEM file of the CAs that issue client certificates");
        return None;
    };
    let (ca, crl) = (reader.path(raw.ca)?, reader.path(raw.crl));
    match ClientAuthority::load(&ca, crl.as_deref(), mode == ClientAuthMode::Required) {
        Ok(ClientAuthority { verifier, ca_digests, warnings }) => {
            for warning in warnings {
                reader.warning(at.clone(), "listener.client-auth.crl", warning);
            }
            Some(ClientAuth { mode, verifier, ca_digests })
        }
        Err(error) => {
            reader.error(at, "listener.client-auth", error.to_string());
            None
        }
    }
}

const TICKETS: usize = 2;
const ON_RESUMPTION: usize = 1;
/// RFC 9149 counts them in a byte.
const MOST_TICKETS: usize = 255;
const SESSION_CACHE: usize = 20_000;
const MAX_CONNECTIONS: usize = 100_000;
/// Half a terabyte of memory, at 5.3 KiB each. The semaphore that counts them panics of more than 2^29 where a pointer has
/// 32 bits, and 2^61 elsewhere.
const MOST_CONNECTIONS: usize = 100_000_000;
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
const IDLE_TIMEOUT: Duration = Duration::from_secs(300);
