//! The table `[serve]`, for `raincheck keys serve`.

use std::net::SocketAddr;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use raincheck_control::KeySource;
use raincheck_control::serve::{Network, Serve, TicketKeys, tls_config};
use raincheck_keyring::{KeySize, Schedule, Slots};
use rustls::server::danger::ClientCertVerifier;
use toml::Spanned;

use super::address::{self, Claim};
use super::raw::{RawServe, RawTicketKeys, Value};
use super::reader::Reader;
use super::{Keys, duration};
use crate::certificate::{Certificate, Certificates, ClientAuthority};

/// None where something is so wrong that nothing comes of it. That has been noted.
pub(super) fn read(reader: &mut Reader<'_>, raw: Spanned<RawServe>, keys: &Keys) -> Option<Serve> {
    let table = raw.span();
    let raw = raw.into_inner();
    let mut claims = Vec::new();
    let listen = read_listen(reader, table.clone(), "serve", raw.listen, NODES, &mut claims);
    let admin =
        raw.admin.and_then(|admin| read_address(reader, "serve.admin", &admin, "the admin address", &mut claims));
    let identity = read_identity(reader, table.clone(), "serve", raw.certificate, raw.key, true);
    let verifier = match raw.client_ca {
        Some(ca) => read_client_ca(reader, "serve.client-ca", ca, true),
        None => {
            let remedy = "name the PEM file of the CAs that issue nodes' certificates: without one nobody gets a ring";
            reader.missing(table, "serve.client-ca", remedy);
            None
        }
    };
    let certificates = identity.and_then(|identity| load(reader, "serve.certificate", &identity));
    let read = |raw| read_ticket_keys(reader, raw, certificates.as_ref(), keys, &mut claims);
    let ticket_keys = raw.ticket_keys.map(read);
    reader.problems.errors.extend(address::conflicts(&claims));
    Some(Serve {
        tls: tls_config(certificates?, Some(verifier?)),
        ticket_keys: match ticket_keys {
            Some(ticket_keys) => Some(ticket_keys?),
            None => None,
        },
        listen,
        admin,
    })
}

/// `default` is the certificate of the table around it.
fn read_ticket_keys(
    reader: &mut Reader<'_>,
    raw: Spanned<RawTicketKeys>,
    default: Option<&Arc<Certificates>>,
    keys: &Keys,
    claims: &mut Vec<Claim>,
) -> Option<TicketKeys> {
    let table = raw.span();
    let raw = raw.into_inner();
    let listen = read_listen(reader, table.clone(), "serve.ticket-keys", raw.listen, POLLERS, claims);
    let size = match raw.bits {
        None => KeySize::Bits256,
        Some(bits) => match bits.get_ref() {
            128 => KeySize::Bits128,
            256 => KeySize::Bits256,
            _ => {
                reader.error(
                    bits.span(),
                    "serve.ticket-keys.bits",
                    "no size of AES keys that HAProxy takes; write 128 or 256",
                );
                KeySize::Bits256
            }
        },
    };
    let slots = read_slots(reader, raw.rotate, keys);
    let plain = raw.plain.filter(|plain| *plain.get_ref()).map(|plain| plain.span());
    let mut allow = Vec::new();
    let has_allow = raw.allow.is_some();
    for text in raw.allow.map(Spanned::into_inner).unwrap_or_default() {
        match text.get_ref().parse::<Network>() {
            Ok(network) => allow.push(network),
            Err(what) => {
                let what = format!("`{}` is {what}", text.get_ref());
                reader.error(text.span(), "serve.ticket-keys.allow", what);
            }
        }
    }
    let identity = read_identity(reader, table.clone(), "serve.ticket-keys", raw.certificate, raw.key, false);
    if let Some(at) = plain {
        if listen.iter().any(|address| !address.ip().to_canonical().is_loopback()) {
            let what = "keys in clear on an address that others reach; listen on loopback alone, such as \
                        \"127.0.0.1:9444\", or leave plain out";
            reader.error(at.clone(), "serve.ticket-keys.plain", what);
        }
        if identity.is_some() || raw.client_ca.is_some() {
            let what = "without TLS there are no certificates; leave out plain, or certificate, key and client-ca";
            reader.error(at, "serve.ticket-keys.plain", what);
        }
        if !has_allow {
            allow = LOOPBACK.map(|network| network.parse().expect("a network")).into();
        }
        return Some(TicketKeys { listen, tls: None, by_certificate: false, allow, size, slots: slots? });
    }
    if raw.client_ca.is_none() && !has_allow {
        let what =
            "nobody would be admitted; add allow = [\"10.0.0.0/8\"], the networks of those who poll, or client-ca";
        reader.error(table, "serve.ticket-keys", what);
    }
    // Not required: a stranger is told in words, which no alert has.
    let verifier = raw.client_ca.map(|ca| read_client_ca(reader, "serve.ticket-keys.client-ca", ca, false));
    let own = identity.map(|identity| load(reader, "serve.ticket-keys.certificate", &identity));
    let certificates = own.unwrap_or_else(|| default.cloned())?;
    let verifier = match verifier {
        Some(verifier) => Some(verifier?),
        None => None,
    };
    let by_certificate = verifier.is_some();
    let tls = Some(tls_config(certificates, verifier));
    Some(TicketKeys { listen, tls, by_certificate, allow, size, slots: slots? })
}

/// Which of the ring's keys HAProxy's are made from: its `rotate` is a whole multiple of theirs.
fn read_slots(reader: &mut Reader<'_>, rotate: Value<String>, keys: &Keys) -> Option<Slots> {
    const KEY: &str = "serve.ticket-keys.rotate";
    let Schedule { rotate: ring, .. } = keys.schedule;
    let at = rotate.as_ref().map(Spanned::span).unwrap_or_default();
    let own = reader.interval(KEY, rotate, ring);
    let stride = own.as_millis() / ring.as_millis().max(1);
    if Duration::from_millis(u64::try_from(stride * ring.as_millis()).unwrap_or(u64::MAX)) != own || stride == 0 {
        let shown = duration::show(ring);
        let what = format!(
            "no whole multiple of keys.rotate, which is {shown}; write \"{shown}\", or two or three times that"
        );
        reader.error(at, KEY, what);
        return None;
    }
    if stride > 1 && matches!(keys.source, KeySource::File(_)) {
        let what = "with source = \"file\" the file says when keys change; leave this out";
        reader.error(at, KEY, what);
        return None;
    }
    let slots = Slots::new(LINES, u64::try_from(stride).unwrap_or(u64::MAX), keys.schedule.retained());
    slots.map_err(|error| reader.error(at, KEY, error.to_string())).ok()
}

fn read_listen(
    reader: &mut Reader<'_>,
    table: Range<usize>,
    prefix: &str,
    listen: Value<Vec<Spanned<String>>>,
    whose: &str,
    claims: &mut Vec<Claim>,
) -> Vec<SocketAddr> {
    let key = format!("{prefix}.listen");
    let Some(listen) = listen else {
        reader.missing(table, &key, "list the addresses to listen on, such as [\"10.0.0.1:9443\"]");
        return Vec::new();
    };
    if listen.get_ref().is_empty() {
        reader.error(listen.span(), &key, "empty; list at least one address, such as [\"10.0.0.1:9443\"]");
    }
    listen.into_inner().iter().filter_map(|text| read_address(reader, &key, text, whose, claims)).collect()
}

fn read_address(
    reader: &mut Reader<'_>,
    key: &str,
    text: &Spanned<String>,
    whose: &str,
    claims: &mut Vec<Claim>,
) -> Option<SocketAddr> {
    match address::listening_address(text.get_ref()) {
        Ok(address) => {
            claims.push(Claim { address, owner: whose.to_owned(), place: reader.document.place(text.span(), key) });
            Some(address)
        }
        Err(what) => {
            reader.error(text.span(), key, what);
            None
        }
    }
}

/// The files of a certificate and its key, with where the first was named.
fn read_identity(
    reader: &mut Reader<'_>,
    table: Range<usize>,
    prefix: &str,
    certificate: Value<String>,
    key: Value<String>,
    is_required: bool,
) -> Option<(Range<usize>, PathBuf, PathBuf)> {
    if certificate.is_none() && (is_required || key.is_some()) {
        let remedy = "name the PEM file of the server's certificate, those of its issuers after it";
        reader.missing(table.clone(), &format!("{prefix}.certificate"), remedy);
    }
    if key.is_none() && (is_required || certificate.is_some()) {
        reader.missing(table, &format!("{prefix}.key"), "name the PEM file of the certificate's private key");
    }
    let at = certificate.as_ref().map(Spanned::span)?;
    Some((at, reader.path(certificate)?, reader.path(key)?))
}

fn load(
    reader: &mut Reader<'_>,
    key: &str,
    (at, chain, private): &(Range<usize>, PathBuf, PathBuf),
) -> Option<Arc<Certificates>> {
    match Certificate::load(chain, private) {
        Ok(certificate) => {
            // Not that it has no DNS name: servers of keys are called by their addresses, too.
            if let Some(warning) = certificate.out_of_date() {
                reader.warning(at.clone(), key, warning);
            }
            Some(Arc::new(Certificates::new(certificate, Vec::new())))
        }
        Err(error) => {
            reader.error(at.clone(), key, error.to_string());
            None
        }
    }
}

fn read_client_ca(
    reader: &mut Reader<'_>,
    key: &str,
    ca: Spanned<String>,
    is_required: bool,
) -> Option<Arc<dyn ClientCertVerifier>> {
    let path = reader.document.resolve(ca.get_ref());
    match ClientAuthority::load(&path, None, is_required) {
        Ok(authority) => Some(authority.verifier),
        Err(error) => {
            reader.error(ca.span(), key, error.to_string());
            None
        }
    }
}

/// What HAProxy keeps.
const LINES: usize = 3;
const LOOPBACK: [&str; 2] = ["127.0.0.0/8", "::1/128"];

const NODES: &str = "[serve]";
const POLLERS: &str = "[serve.ticket-keys]";
