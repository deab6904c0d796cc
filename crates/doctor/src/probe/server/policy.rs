use std::net::Ipv4Addr;

use raincheck_diagnosis::evidence::{Ending, Experiment, Way};
use rustls::pki_types::ServerName;

use super::{Call, Probe};

impl Probe<'_> {
    /// Whether a session resumes under another name than it was made under, in each direction, and what each name asks for.
    pub(super) async fn policy(&mut self, way: Way) {
        self.trust.take_any_name(true);
        for other in self.other_names() {
            self.cross(way, &other).await;
        }
        self.trust.take_any_name(false);
        if self.trust.has_certificate() {
            self.trust.hide_certificate(true);
            self.make(Experiment::WithoutCertificate, way, Ending::Clean).await;
            self.trust.hide_certificate(false);
        }
    }

    async fn cross(&mut self, way: Way, other: &ServerName<'static>) {
        let own = self.target.server_name.clone();
        let made = self.make(Experiment::OtherName, way, Ending::Clean).await;
        // Nothing but the session speaks for the client.
        self.trust.hide_certificate(true);
        if made.is_some() {
            self.offer_as(self.under(way, made, other)).await;
        }
        // A full handshake, for what the name asks for.
        let others = self.make_as(self.under(way, None, other)).await.filter(|made| self.has_session(*made));
        if others.is_some() {
            self.offer_as(self.under(way, others, &own)).await;
        }
        self.trust.hide_certificate(false);
    }

    fn under(&self, way: Way, offered: Option<usize>, name: &ServerName<'static>) -> Call {
        Call { offered, server_name: name.clone(), ..self.call(Experiment::OtherName, way) }
    }

    /// No name, and some of those that the certificate has besides.
    fn other_names(&self) -> Vec<ServerName<'static>> {
        let own = &self.target.server_name;
        let certified = self.trust.certified_names().into_iter().filter(|name| name != own);
        std::iter::once(other_than(own)).chain(certified.take(MOST_NAMES)).collect()
    }
}

/// A name that asks for another server, or none, where one is asked for: an address is not (RFC 6066 §3).
fn other_than(own: &ServerName<'_>) -> ServerName<'static> {
    match own {
        ServerName::DnsName(_) => ServerName::IpAddress(Ipv4Addr::UNSPECIFIED.into()),
        _ => ServerName::try_from("raincheck.invalid").expect("a name of RFC 6761"),
    }
}

const MOST_NAMES: usize = 2;
