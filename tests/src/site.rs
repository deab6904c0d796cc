//! What nearly every test starts with: a directory, an authority and a certificate for `app.test`.

use std::net::SocketAddr;

use crate::client::{Version, Visit};
use crate::config::{Config, Listener, Upstream, quoted};
use crate::pki::{Authority, Identity};
use crate::raw::Raw;
use crate::scratch::Scratch;

/// The ground a test stands on. Declare it before the edges: it must outlive them.
pub struct Site {
    /// The test's directory.
    pub scratch: Scratch,
    /// Signs everything here.
    pub authority: Authority,
    /// For `app.test`, ECDSA.
    pub certificate: Identity,
}

impl Site {
    /// A fresh one.
    pub fn new() -> Self {
        let scratch = Scratch::new();
        let authority = Authority::new(&scratch, "ca");
        let certificate = authority.server(&["app.test"]);
        Self { scratch, authority, certificate }
    }

    /// A configuration with one listener, `web`, in front of `app`.
    pub fn web(&self, app: SocketAddr) -> Config {
        self.config(Listener::new("web", &self.certificate), app)
    }

    /// A configuration with this listener in front of `app`.
    pub fn config(&self, listener: Listener, app: SocketAddr) -> Config {
        Config::new(&self.scratch).listener(listener).app(app)
    }

    /// A configuration with one listener, `web`, in front of this upstream.
    pub fn web_to(&self, upstream: Upstream) -> Config {
        Config::new(&self.scratch).listener(Listener::new("web", &self.certificate)).upstream(upstream)
    }

    /// An upstream `app` of these servers, which speak TLS and show [`Site::certificate`].
    pub fn over_tls(&self, servers: &[SocketAddr]) -> Upstream {
        Upstream::new("app", servers)
            .tls("ca", quoted(self.authority.file().display()))
            .tls("server-name", quoted(NAME))
    }

    /// A visit to `app.test` at this address.
    pub fn visit(&self, address: SocketAddr, version: Version) -> Visit {
        Visit::new(address, &self.authority.file(), version)
    }

    /// A client of our own that trusts this authority and shows no certificate.
    pub fn raw(&self, version: Version) -> Raw {
        Raw::new(&self.authority.file(), version, None)
    }
}

impl Default for Site {
    fn default() -> Self {
        Self::new()
    }
}

/// The name in [`Site::certificate`].
pub const NAME: &str = "app.test";
