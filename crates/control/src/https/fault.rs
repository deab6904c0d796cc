//! What an error of hyper's means. It is somewhere down the chain of its sources.

use std::error::Error;
use std::io;

use rustls::{CertificateError, InvalidMessage};

use crate::HttpsFault;

/// What went wrong, in our words.
pub(super) fn of(error: &(dyn Error + 'static)) -> HttpsFault {
    if let Some(error) = chain(error).find_map(|error| error.downcast_ref::<rustls::Error>()) {
        return of_tls(error);
    }
    let message = chain(error).last().map(ToString::to_string).unwrap_or_default();
    // The connector's error is a private type, and this is all it says. A test would notice if it said another thing.
    if chain(error).any(|error| error.to_string() == "dns error") {
        return HttpsFault::Unresolved { message };
    }
    let hyper = chain(error).find_map(|error| error.downcast_ref::<hyper::Error>());
    // A server that speaks first, such as one of SSH, may be heard before it was asked; hyper has a text for that, and no
    // predicate.
    let spoke_first = message == "received unexpected message from connection";
    if spoke_first || hyper.is_some_and(hyper::Error::is_parse) {
        return HttpsFault::NotHttp { message };
    }
    let unconnected =
        chain(error).any(|error| error.downcast_ref().is_some_and(hyper_util::client::legacy::Error::is_connect));
    match unconnected {
        // The server ended TCP while TLS was being set up, which is not for want of a way to it.
        true if chain(error).any(|error| error.downcast_ref().is_some_and(is_end)) => HttpsFault::Closed { message },
        true => HttpsFault::Unreachable { message },
        false => HttpsFault::Closed { message },
    }
}

fn of_tls(error: &rustls::Error) -> HttpsFault {
    match error {
        rustls::Error::InvalidCertificate(error) => match error {
            // By no CA here, or by one that only has the name of one: a CA that was made anew.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => HttpsFault::UnknownAuthority,
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => HttpsFault::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => HttpsFault::NotYetValid,
            CertificateError::NotValidForName => HttpsFault::OtherName { names: Vec::new() },
            CertificateError::NotValidForNameContext { presented, .. } => {
                HttpsFault::OtherName { names: presented.iter().map(|name| bare(name)).collect() }
            }
            other => HttpsFault::BadCertificate { message: other.to_string() },
        },
        rustls::Error::AlertReceived(alert) => HttpsFault::Alert { alert: format!("{alert:?}") },
        rustls::Error::InvalidMessage(
            InvalidMessage::InvalidContentType
            | InvalidMessage::UnknownProtocolVersion
            | InvalidMessage::MessageTooLarge,
        ) => HttpsFault::NotTls,
        other => HttpsFault::Tls { message: other.to_string() },
    }
}

/// `app.test` of `DnsName("app.test")`.
fn bare(name: &str) -> String {
    let bare = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    bare.unwrap_or(name).trim_matches('"').to_owned()
}

fn is_end(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}

/// The error, and what is behind it. An `io::Error` passes over the error that it wraps: not here.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| {
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        wrapped.map(|wrapped| wrapped as &(dyn Error + 'static)).or_else(|| error.source())
    })
}
