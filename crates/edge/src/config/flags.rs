//! The flags of `raincheck edge`.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::PathBuf;
use std::sync::Arc;

use raincheck_control::KeySource;

use super::address::Claim;
use super::draft::{Draft, MOST_WORKERS};
use super::error::{ConfigError, Place};
use super::{listener, server, upstream};
use crate::certificate::{Certificate, Certificates, throw_away};

/// What the command line says, of the right types, nothing judged yet. Paths are as the shell means them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EdgeFlags {
    /// `-c`: a configuration file that the other flags override or add to.
    pub config: Option<PathBuf>,
    /// `--listen`: addresses of one more listener.
    pub listen: Vec<SocketAddr>,
    /// `--to`: the servers behind that listener.
    pub to: Vec<String>,
    /// `--cert`: its certificate chain.
    pub cert: Option<PathBuf>,
    /// `--key`: the certificate's private key.
    pub key: Option<PathBuf>,
    /// `--ticket-keys`: a key file, in place of the file's `[keys]` source.
    pub ticket_keys: Option<PathBuf>,
    /// `--admin`
    pub admin: Option<SocketAddr>,
    /// `--stats-socket`
    pub stats_socket: Option<PathBuf>,
    /// `--workers`
    pub workers: Option<usize>,
}

impl Draft {
    /// Puts what the flags say on top of what is there.
    pub(super) fn add(&mut self, flags: &EdgeFlags) {
        if *flags == EdgeFlags::default() {
            self.set_admin(DEMO_ADMIN, Place::Flag("--admin"));
        }
        if let Some(workers) = flags.workers {
            self.workers = Some(workers);
            match workers {
                0 => self.refuse("--workers", "0 is too few; leave it out for one per core"),
                1..=MOST_WORKERS => {}
                _ => self.refuse("--workers", format!("{workers} is too many; {MOST_WORKERS} is the most")),
            }
        }
        if let Some(path) = &flags.ticket_keys {
            self.keys.source = KeySource::File(path.clone());
        }
        if let Some(path) = &flags.stats_socket {
            self.stats_socket = Some(path.clone());
        }
        if let Some(admin) = flags.admin {
            self.set_admin(admin, Place::Flag("--admin"));
        }
        match (&flags.listen[..], &flags.config) {
            ([], _) if !flags.to.is_empty() => {
                self.refuse("--to", "servers, but no listener for them; add --listen ADDR");
            }
            ([], _) if flags.cert.is_some() || flags.key.is_some() => {
                self.refuse("--cert", "a certificate, but no listener for it; add --listen ADDR");
            }
            ([], Some(_)) => {}
            ([], None) => self.add_listener(vec![DEMO_LISTEN], flags),
            (addresses, _) => self.add_listener(addresses.to_vec(), flags),
        }
    }

    fn add_listener(&mut self, bind: Vec<SocketAddr>, flags: &EdgeFlags) {
        for address in &bind {
            let owner = format!("listener `{NAME}`");
            self.claims.push(Claim { address: *address, owner, place: Place::Flag("--listen") });
        }
        if self.listeners.iter().any(|listener| listener.name == NAME) {
            let what = format!("the file given by -c has a listener `{NAME}` already; give that one another name");
            self.refuse("--listen", what);
        }
        let certificates = self.certificates(flags);
        let upstream = self.upstream(flags);
        if let Some(certificates) = certificates {
            self.listeners.push(listener::plain(NAME, bind, upstream, certificates));
        }
    }

    fn certificates(&mut self, flags: &EdgeFlags) -> Option<Arc<Certificates>> {
        match (&flags.cert, &flags.key) {
            (Some(chain), Some(key)) => match Certificate::load(chain, key) {
                Ok(certificate) => {
                    let warning = certificate.warning().map(|warning| format!("{}: {warning}", chain.display()));
                    self.problems.warnings.extend(warning);
                    return Some(Arc::new(Certificates::new(certificate, Vec::new())));
                }
                Err(error) => self.refuse("--cert", error.to_string()),
            },
            (Some(_), None) => self.refuse("--cert", "a certificate without its key; add --key FILE"),
            (None, Some(_)) => self.refuse("--key", "a key without its certificate; add --cert FILE"),
            (None, None) => {
                self.problems.warnings.push(THROW_AWAY.to_owned());
                return Some(throw_away());
            }
        }
        None
    }

    /// Adds the upstream of the flags' listener; says where it stands.
    fn upstream(&mut self, flags: &EdgeFlags) -> usize {
        let mut upstream = if flags.to.is_empty() { upstream::builtin() } else { upstream::plain(NAME) };
        for address in &flags.to {
            match server::plain(address, &upstream.servers) {
                Ok(server) => upstream.servers.push(server),
                Err(what) => self.refuse("--to", what),
            }
        }
        if self.upstreams.iter().any(|other| other.name == upstream.name) {
            let name = &upstream.name;
            let what = format!("the file given by -c has an upstream `{name}` already; give that one another name");
            self.refuse("--listen", what);
        }
        self.upstreams.push(upstream);
        self.upstreams.len() - 1
    }

    fn refuse(&mut self, flag: &'static str, what: impl Into<String>) {
        self.problems.errors.push(ConfigError { place: Place::Flag(flag), what: what.into() });
    }
}

/// What the flags' listener, and its upstream, are called.
const NAME: &str = "edge";
const THROW_AWAY: &str = "clients are shown a throw-away certificate for localhost, which nobody signed; \
                          for a real one add --cert FILE --key FILE";
const DEMO_LISTEN: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 8443));
const DEMO_ADMIN: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 9900));
