//! A configuration on its way: put together from a file and flags, then judged as a whole.

use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;

use raincheck_control::agent::Outlet;
use raincheck_control::serve::Serve;
use toml::Spanned;

use super::address::{self, Claim};
use super::document::Document;
use super::error::{ConfigError, ConfigErrors, Place};
use super::listener::Surroundings;
use super::raw::{RawAgent, RawEdge, RawListener, RawSink};
use super::reader::{Problems, Reader};
use super::{AccessLog, Config, Keys, Listener, Upstream, keys, listener, serve, sink, upstream};

/// What a configuration is for: that it has to have, and the rest, which may name files of another machine, is not read
/// but where it is for anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A listener.
    Edge,
    /// A table `[serve]`.
    ServeKeys,
    /// A table `[[sink]]`.
    FeedProducts,
    /// One of them.
    Any,
}

impl Purpose {
    /// Whether the part of a file that is for `part` is read.
    fn reads(self, part: Self) -> bool {
        self == part || self == Self::Any
    }
}

#[derive(Debug)]
pub(super) struct Draft {
    /// The file it is from, if there is one.
    file: Option<PathBuf>,
    purpose: Purpose,
    pub(super) workers: Option<usize>,
    admin: Option<Claim>,
    pub(super) stats_socket: Option<PathBuf>,
    access_log: AccessLog,
    pub(super) keys: Keys,
    serve: Option<Serve>,
    has_serve: bool,
    outlets: Vec<Outlet>,
    has_sinks: bool,
    agent_admin: Option<Claim>,
    pub(super) listeners: Vec<Listener>,
    pub(super) upstreams: Vec<Upstream>,
    pub(super) claims: Vec<Claim>,
    pub(super) problems: Problems,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            file: None,
            purpose: Purpose::Edge,
            workers: None,
            admin: None,
            stats_socket: None,
            access_log: AccessLog::Stdout,
            keys: keys::default(),
            serve: None,
            has_serve: false,
            outlets: Vec::new(),
            has_sinks: false,
            agent_admin: None,
            listeners: Vec::new(),
            upstreams: Vec::new(),
            claims: Vec::new(),
            problems: Problems::default(),
        }
    }
}

impl Draft {
    pub(super) fn from_file(path: &Path, purpose: Purpose) -> Self {
        let mut draft = Self { file: Some(path.to_owned()), purpose, ..Self::default() };
        let (document, raw, errors) = Document::read(path);
        draft.problems.errors = errors;
        let mut problems = std::mem::take(&mut draft.problems);
        let reader = &mut Reader { document: &document, problems: &mut problems };
        draft.keys = keys::read(reader, raw.keys);
        if purpose.reads(Purpose::ServeKeys) {
            draft.has_serve = raw.serve.is_some();
            draft.serve = raw.serve.and_then(|raw| serve::read(reader, raw, &draft.keys));
        }
        if purpose.reads(Purpose::FeedProducts) {
            draft.read_agent(reader, raw.agent, raw.sink);
        }
        if purpose.reads(Purpose::Edge) {
            draft.read_edge(reader, raw.edge);
            let places: Vec<Range<usize>> = raw.upstream.iter().map(Spanned::span).collect();
            for raw in raw.upstream {
                let upstream = upstream::read(reader, raw, &draft.upstreams);
                draft.upstreams.push(upstream);
            }
            draft.read_listeners(reader, raw.listener);
            draft.warn_of_unused(reader, &places);
        }
        draft.problems = problems;
        draft
    }

    pub(super) fn set_admin(&mut self, address: SocketAddr, place: Place) {
        self.admin = Some(Claim { address, owner: "the admin address".into(), place });
    }

    /// The configuration, if nothing is wrong with it.
    pub(super) fn finish(mut self) -> Result<Config, ConfigErrors> {
        let mut claims = self.claims;
        claims.extend(self.admin.clone());
        claims.extend(self.agent_admin.clone());
        self.problems.errors.extend(address::conflicts(&claims));
        let is_there = match self.purpose {
            Purpose::Edge => !self.listeners.is_empty(),
            Purpose::ServeKeys => self.has_serve,
            Purpose::FeedProducts => self.has_sinks,
            Purpose::Any => !self.listeners.is_empty() || self.has_serve || self.has_sinks,
        };
        if !is_there && self.problems.errors.is_empty() {
            let place = Place::File { path: self.file.unwrap_or_default(), line: None, key: None };
            let what = match self.purpose {
                Purpose::Edge | Purpose::Any => {
                    "there is no [[listener]] in it; add one with name, bind, upstream and a certificate"
                }
                Purpose::FeedProducts => "there is no [[sink]] in it; add one with name, kind and file",
                Purpose::ServeKeys => "there is no [serve] in it; add it with listen, certificate, key and client-ca",
            };
            self.problems.errors.push(ConfigError { place, what: what.into() });
        }
        if let Some(errors) = ConfigErrors::of(self.problems.errors) {
            return Err(errors);
        }
        Ok(Config {
            workers: self.workers.unwrap_or_else(|| available_parallelism().map_or(1, usize::from)),
            admin: self.admin.map(|claim| claim.address),
            stats_socket: self.stats_socket,
            access_log: self.access_log,
            keys: self.keys,
            serve: self.serve,
            outlets: self.outlets,
            agent_admin: self.agent_admin.map(|claim| claim.address),
            listeners: self.listeners,
            upstreams: self.upstreams,
            warnings: self.problems.warnings,
        })
    }

    fn read_edge(&mut self, reader: &mut Reader<'_>, raw: RawEdge) {
        self.workers = raw.workers.map(|workers| reader.count("edge.workers", Some(workers), 1..=MOST_WORKERS, 1));
        if let Some(admin) = raw.admin {
            match address::listening_address(admin.get_ref()) {
                Ok(address) => self.set_admin(address, reader.document.place(admin.span(), "edge.admin")),
                Err(what) => reader.error(admin.span(), "edge.admin", what),
            }
        }
        self.stats_socket = reader.path(raw.stats_socket);
        let logs = [("stdout", AccessLog::Stdout), ("stderr", AccessLog::Stderr), ("off", AccessLog::Off)];
        self.access_log = reader.choice("edge.access-log", raw.access_log, &logs, AccessLog::Stdout);
    }

    fn read_agent(&mut self, reader: &mut Reader<'_>, agent: RawAgent, sinks: Vec<Spanned<RawSink>>) {
        if let Some(admin) = agent.admin {
            match address::listening_address(admin.get_ref()) {
                Ok(address) => {
                    let place = reader.document.place(admin.span(), "agent.admin");
                    self.agent_admin = Some(Claim { address, owner: "the agent's admin address".into(), place });
                }
                Err(what) => reader.error(admin.span(), "agent.admin", what),
            }
        }
        self.has_sinks = !sinks.is_empty();
        let mut names: Vec<String> = Vec::new();
        for raw in sinks {
            let name = raw.get_ref().name.as_ref().map(|name| name.get_ref().clone());
            let taken: Vec<&str> = names.iter().map(String::as_str).collect();
            let around = sink::Others { names: &taken, outlets: &self.outlets };
            let outlet = sink::read(reader, raw, &self.keys, &around);
            self.outlets.extend(outlet);
            names.extend(name);
        }
    }

    fn read_listeners(&mut self, reader: &mut Reader<'_>, raw: Vec<Spanned<RawListener>>) {
        let mut names: Vec<String> = Vec::new();
        for raw in raw {
            let name = raw.get_ref().name.as_ref().map(|name| name.get_ref().clone());
            let mut around = Surroundings { upstreams: &self.upstreams, names: &names, claims: &mut self.claims };
            self.listeners.extend(listener::read(reader, raw, &mut around));
            names.extend(name);
        }
    }

    fn warn_of_unused(&self, reader: &mut Reader<'_>, places: &[Range<usize>]) {
        for (index, place) in places.iter().enumerate() {
            if !self.listeners.iter().any(|listener| listener.upstream == index) {
                reader.warning(place.clone(), "upstream", format!("no listener uses `{}`", self.upstreams[index].name));
            }
        }
    }
}

/// Threads beyond this are a slip of the finger.
pub(super) const MOST_WORKERS: usize = 1024;
